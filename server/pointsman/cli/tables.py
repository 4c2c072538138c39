"""How lists and reports look; plain lines in a pipe. Must never ask the daemon."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from pointsman.cli.terminal import is_terminal, print_table, say
from pointsman.core.http import spoken

Row = tuple[str, ...]
MOST_NAMES = 3
"""Models that a line about a provider names on a terminal."""
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
"""How the daemon writes a time: RFC 3339."""
SHORTEST_ID = 8
"""Characters of a chat's id that a terminal shows at the least."""


def show_route(route: Mapping[str, Any]) -> None:
    """Where a name leads: one line a target, in the order in which they would be tried, and what each would lose."""
    say(f"{route['spec']}: {route['rule']}")
    if "order" in route:
        say(f"{route['order'][:1].upper()}{route['order'][1:]}.")
    rows: list[Row] = []
    for number, target in enumerate(route["targets"], 1):
        if "error" in target:
            rows.append(_way("can't", target, target["error"]["message"]))
            continue
        first, *more = [*_asked_with(target), *(notice["text"] for notice in target["notices"])] or [""]
        rows.append(_way(str(number), target, first))
        rows += [("", "", text) for text in more]
    rows += [_way("skipped", way, way["reason"]) for way in route["skipped"]]
    print_table(("order", "model", "note"), rows)


def chosen(selection: Mapping[str, Any]) -> str:
    """Which model answers, whether it could, and why it is that one."""
    if selection["state"] == "unset":
        return f"{selection['displayName']}; `pointsman use PROVIDER:MODEL` chooses one."
    return f"{selection['displayName']} ({selection['state']}). {in_local_time(selection['why'])}"


def show_providers(providers: Sequence[Mapping[str, Any]]) -> None:
    """One line a provider: whether it could be used, what it has, and where it is."""
    rows = [(p["id"], f"{_sign(p)}{p['name']}", _state(p), _names(p), p["baseUrl"]) for p in providers]
    print_table(("id", "name", "state", "models", "where"), rows)
    for sign in sorted(set(filter(None, map(_sign, providers)))):
        _legend(sign)


def show_models(models: Sequence[Mapping[str, Any]]) -> None:
    """One line a model: windows in tokens, prices in US dollars a million tokens of input and of output."""
    rows = [
        (
            model["model"],
            _tokens(model.get("contextWindow")),
            _tokens(model.get("maxOutputTokens")),
            *_price(model.get("price")),
            ", ".join(model["capabilities"]),
            model["source"],
        )
        for model in models
    ]
    print_table(("model", "context", "output", "$ in", "$ out", "can", "listed by"), rows)


def show_chats(chats: Sequence[Mapping[str, Any]]) -> None:
    """One line a chat; a terminal gets as much of the id as tells it from the others."""
    ids = [chat["chatId"] for chat in chats]
    rows = [
        (
            _short(chat["chatId"], ids) if is_terminal(sys.stdout) else chat["chatId"],
            chat.get("reason", chat["state"]),
            chat["model"],
            chat["client"],
            local(chat["startedAt"]),
            chat["title"],
        )
        for chat in chats
    ]
    print_table(("id", "state", "model", "begun by", "at", "about"), rows)


def show_sessions(sessions: Sequence[Mapping[str, Any]]) -> None:
    """One line a temporary key, the one that ends first at the top, with the time that it has left."""
    rows = [
        (
            session["id"],
            session["provider"],
            session["account"],
            _left(session["secondsLeft"]),
            session.get("workspace") or session.get("scope", "not active"),
            "in use here" if session["inEffect"] else "",
            session.get("baseUrl", ""),
            session["createdBy"],
        )
        for session in sessions
    ]
    print_table(("id", "provider", "key", "left", "for", "now", "at", "begun by"), rows)


def show_keys(keys: Sequence[Mapping[str, Any]]) -> None:
    """One line a key: where it comes from, what may be seen of it, where it goes, and what is amiss."""
    watched = is_terminal(sys.stdout)
    rows = [
        (
            key["provider"],
            (KEY_SIGNS.get(key["source"], "") if watched else "") + KEY_SOURCES[key["source"]],
            key.get("name", ""),
            key.get("account", ""),
            spoken(key["origin"]) if key.get("origin") else "",
            "yes" if key["usable"] else "no",
            key.get("note", ""),
        )
        for key in keys
    ]
    print_table(("provider", "from", "name", "key", "goes to", "used", "note"), rows)
    signs = {KEY_SIGNS[key["source"]] for key in keys if key["source"] in KEY_SIGNS}
    for sign in sorted(signs):
        _legend(sign)


KEY_SOURCES = {
    "variable": "variable",
    "file": "file",
    "command": "program",
    "configuration": "plain text",
    "stored": "stored",
    "account": "account",
    "chat": "each chat",
}
SIGNED_IN, EACH_CHAT = "🔐 ", "↪ "
KEY_SIGNS = {"account": SIGNED_IN, "chat": EACH_CHAT}
LEGEND = {
    SIGNED_IN: "asked by an account that has signed in",
    EACH_CHAT: "the key comes with each chat, and is never kept",
}


def show_accounts(accounts: Sequence[Mapping[str, Any]]) -> None:
    """One line an account: whether it can be used, and how old its token is."""
    rows = [
        (
            account["provider"],
            f"{SIGNED_IN}{account['account']}",
            ACCOUNT_STATES[account["state"]],
            local(account["expiresAt"]) if "expiresAt" in account else "",
            local(account["lastRefreshAt"]),
        )
        for account in accounts
    ]
    print_table(("provider", "account", "state", "token until", "last renewed"), rows)
    if accounts:
        _legend(SIGNED_IN)


ACCOUNT_STATES = {
    "ready": "ready",
    "signInNeeded": "sign in again",
    "wrongOrigin": "for another address",
    "unknownProvider": "no such provider",
}


def show_aliases(aliases: Mapping[str, str], origins: Mapping[str, str]) -> None:
    """One line an alias, and the layer that it comes from."""
    rows = [(name, to, _from(origins.get(f"aliases.{name}", ""))) for name, to in sorted(aliases.items())]
    print_table(("alias", "model", "from"), rows)


def show_chains(chains: Mapping[str, Mapping[str, Any]], origins: Mapping[str, str]) -> None:
    """One line a chain: its targets in their order, what it does besides trying one after the other, and its layer."""
    rows = [
        (
            name,
            " → ".join(chain["targets"]),
            ", ".join(filter(None, (chain["strategy"], CHAIN_ENDS[chain["on_break"]]))),
            _from(origins.get(f"chains.{name}", "")),
        )
        for name, chain in sorted(chains.items())
    ]
    print_table(("chain", "targets", "how", "from"), rows)


CHAIN_ENDS = {"stop": "", "continue": "goes on when an answer breaks off"}


def show_values(rows: Sequence[Row]) -> None:
    """One line a value of the configuration, and the layer that it comes from."""
    print_table(("value", "is", "from"), [(path, value, _from(origin)) for path, value, origin in rows])


def leaves(values: Mapping[str, Any], origins: Mapping[str, str], prefix: str = "") -> Iterator[Row]:
    """Each value that a layer has set: its path, what it is, and which layer that was."""
    for key, value in values.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from leaves(value, origins, f"{path}.")
        elif path in origins and value is not None:
            yield path, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), origins[path]


def in_local_time(text: str) -> str:
    """A text of the daemon's with every time in it as the clock on the wall shows it."""
    return TIME.sub(lambda found: local(found[0]), text)


def local(time: str) -> str:
    """A time of the daemon's, RFC 3339 in UTC, as the clock on the wall shows it; any other text as it is."""
    try:
        return datetime.fromisoformat(time).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        return time


def _state(provider: Mapping[str, Any]) -> str:
    """Whether a provider can be used, and for how long by a temporary key."""
    mark = provider.get("temporary")
    return f"{provider['state']}, temporary key {_left(mark['secondsLeft'])}" if mark else str(provider["state"])


def _asked_with(target: Mapping[str, Any]) -> list[str]:
    mark = target.get("temporary")
    return [f"asked with the temporary key {mark['account']} until {local(mark['expiresAt'])}"] if mark else []


def _left(seconds: int) -> str:
    """A time that runs out: 1:05:09, 29:41, 0:07."""
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _sign(provider: Mapping[str, Any]) -> str:
    """What marks how a provider is asked."""
    return SIGNED_IN if provider["auth"]["oauth"] else EACH_CHAT if provider["auth"]["scheme"] == "passthrough" else ""


def _legend(sign: str) -> None:
    """What a sign means, for people."""
    if is_terminal(sys.stdout):
        say(f"{sign}{LEGEND[sign]}")


def _way(order: str, way: Mapping[str, Any], about: str) -> Row:
    return order, f"{way['provider']}:{way['model']}", about


def _names(provider: Mapping[str, Any]) -> str:
    """The models of a provider, the default first; a terminal gets the first few."""
    default = provider.get("defaultModel")
    names = [*([default] if default else []), *(name for name in provider["models"] if name != default)]
    if is_terminal(sys.stdout) and len(names) > MOST_NAMES:
        return f"{', '.join(names[:MOST_NAMES])}, {len(names) - MOST_NAMES} more"
    return ", ".join(names)


def _from(origin: str) -> str:
    """A layer; a terminal gets a file of one's own by its short name."""
    home = os.environ.get("HOME", "").rstrip("/")
    return (
        f"~{origin.removeprefix(home)}"
        if is_terminal(sys.stdout) and home and origin.startswith(f"{home}/")
        else origin
    )


def _short(id: str, ids: Sequence[str]) -> str:
    length = SHORTEST_ID
    while length < len(id) and any(other != id and other.startswith(id[:length]) for other in ids):
        length += 1
    return id[:length]


def _price(price: Mapping[str, Any] | None) -> tuple[str, str]:
    """The price of input and that of output; nothing where it is unknown, and 0 only where it is free."""
    if price is None:
        return "", ""
    return f"{price['inputUsdPerMillion']:.6g}", f"{price['outputUsdPerMillion']:.6g}"


def _tokens(count: int | None) -> str:
    return "" if count is None else f"{count:,}" if is_terminal(sys.stdout) else str(count)
