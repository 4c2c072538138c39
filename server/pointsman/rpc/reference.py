"""docs/configuration.md and docs/troubleshooting.md, as far as the structs and the errors say it themselves.

Must never say what the code does not: what only people can say stands in the texts beside the tables.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from pointsman.core.accounting import Recording, WrittenPrice
from pointsman.core.budget import Budget, Budgets
from pointsman.core.catalogue import COMPUTED, Auth, Chain, Daemon, Limits, Links, OverallLimits, Provider, Timeout
from pointsman.core.errors import PointsmanError
from pointsman.core.layers import CHOICES
from pointsman.core.network import Network, Tls
from pointsman.core.parameters import Parameter
from pointsman.core.sources import Command
from pointsman.edge.files import shipped
from pointsman.rpc import render
from pointsman.rpc.terminal import COMMANDS
from pointsman.wire import QUIRKS

SAID: Mapping[tuple[type[Struct], str], str] = {
    (Auth, "scheme"): "`bearer` in a table `auth`, `optional-key` without one"
}
"""Defaults that depend on more than the field."""


def configuration(_: Any) -> str:
    """The page about pointsman.toml."""
    parts = [
        f"<!-- {render.GENERATED}. -->",
        CONFIGURATION,
        "## [chains]",
        CHAINS,
        _table(Chain),
        FALLBACK,
        FOLDER,
        "## [providers.NAME]",
        inspect.cleandoc(Provider.__doc__ or ""),
        _table(Provider),
    ]
    for key, struct in (("auth", Auth), ("timeout", Timeout), ("links", Links), ("limits", Limits), ("tls", Tls)):
        parts += [f"### {key}", inspect.cleandoc(struct.__doc__ or ""), _table(struct)]
    parts += ["### api_key, and each of keys", inspect.cleandoc(Command.__doc__ or ""), _table(Command)]
    parts += ["### parameters.NAME", inspect.cleandoc(Parameter.__doc__ or ""), PARAMETERS, _table(Parameter)]
    parts += ["### prices.MODEL", inspect.cleandoc(WrittenPrice.__doc__ or ""), _table(WrittenPrice)]
    parts += ["### quirks", "What may differ, by `wire`:"]
    parts += [f"**`{wire}`**: {inspect.cleandoc(struct.__doc__ or '')}" for wire, struct in QUIRKS.items()]
    parts += ["## [limits]", inspect.cleandoc(OverallLimits.__doc__ or ""), _table(OverallLimits)]
    parts += ["## [budgets]", inspect.cleandoc(Budgets.__doc__ or ""), _table(Budgets)]
    parts += ["### Each budget", inspect.cleandoc(Budget.__doc__ or ""), _table(Budget)]
    parts += ["## [ledger]", inspect.cleandoc(Recording.__doc__ or ""), _table(Recording)]
    parts += ["## [network]", inspect.cleandoc(Network.__doc__ or ""), _table(Network)]
    parts += ["## [daemon]", inspect.cleandoc(Daemon.__doc__ or ""), _table(Daemon)]
    parts += ["## Providers that come with Pointsman", _shipped(), CLOUDS, VARIABLES, PROJECT]
    return "\n\n".join(parts) + "\n"


def troubleshooting(document: Mapping[str, Any]) -> str:
    """The page about what goes wrong: every error there is, with what it means and what to do."""
    rows = ["| code | what happened | what to do |", "|---|---|---|"]
    for kind in _errors(PointsmanError):
        meaning = " ".join(inspect.cleandoc(kind.__doc__ or "").split())
        rows.append(f"| `{kind.__name__}` | {_cell(meaning)} | {_cell(_for_both(kind.default_advice))} |")
    parts = [f"<!-- {render.GENERATED}. -->", TROUBLES, "\n".join(rows)]
    for heading, codes in (("## The connection", CONNECTION), ("## Requests", _refused(document))):
        lines = [f"| `{code}` | {_cell(what)} | {_cell(_for_both(then))} |" for code, (what, then) in codes.items()]
        parts += [heading, "\n".join([*rows[:2], *lines])]
    return "\n\n".join(parts) + "\n"


def _refused(document: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """The codes of the protocol itself: its meaning and its advice, by code."""
    tree = {kind.__name__ for kind in _errors(PointsmanError)}
    return {
        code: (about["description"], about["advice"]) for code, about in document["errors"].items() if code not in tree
    }


def _for_both(advice: str) -> str:
    """Advice for who writes a client, with what to type in a terminal."""
    for method, command in COMMANDS.items():
        advice = advice.replace(method, f"{command} (in a client: {method})")
    return advice


def _table(struct: type[Struct]) -> str:
    rows = ["| key | value | default | meaning |", "|---|---|---|---|"]
    properties = msgspec.json.schema(struct)["$defs"][struct.__name__]["properties"]
    for field in msgspec.structs.fields(struct):
        if field.name in COMPUTED:
            continue
        about = properties[field.encode_name]
        default = SAID.get((struct, field.name)) or ("**required**" if field.required else _default(field.default))
        rows.append(f"| `{field.encode_name}` | {_kind(about)} | {default} | {about.get('description', '')} |")
    return "\n".join(rows)


def _kind(about: dict[str, Any]) -> str:
    """What may stand there, in words."""
    if "enum" in about:
        return " · ".join(f"`{value}`" for value in about["enum"])
    if "anyOf" in about:
        return " or ".join(dict.fromkeys(_kind(each) for each in about["anyOf"] if each != {"type": "null"}))
    if "$ref" in about or "allOf" in about:
        return "a table, see below"
    names = {"string": "text", "integer": "a whole number", "number": "a number", "boolean": "`true` or `false`"}
    names |= {"array": "a list", "object": "a table"}
    return names.get(about.get("type", ""), "anything")


def _default(value: Any) -> str:
    if value is None or value in ("", (), {}) or value is msgspec.NODEFAULT or isinstance(value, Struct):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _shipped() -> str:
    rows = ["| id | name | speaks | key from |", "|---|---|---|---|"]
    for layer in shipped():
        provider = msgspec.toml.decode(layer.text)
        auth = provider.get("auth", {})
        rows.append(f"| `{provider['id']}` | {provider['name']} | `{provider['wire']}` | {_key(auth)} |")
    return "\n".join(rows)


def _key(auth: dict[str, Any]) -> str:
    env = auth.get("env", ())
    names = ", ".join(f"`{name}`" for name in ([env] if isinstance(env, str) else env))
    return OTHER_WAYS.get(auth.get("scheme", "bearer"), "{}").format(names)


def _errors(kind: type[PointsmanError]) -> Iterator[type[PointsmanError]]:
    """An error and all below it."""
    yield kind
    for each in kind.__subclasses__():
        yield from _errors(each)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


OTHER_WAYS = {
    "none": "needs none",
    "optional-key": "{}, if it wants one",
    "aws": "AWS credentials, or {}",
    "gcp": "Google's application default credentials",
    "oauth": "a sign-in",
    "passthrough": "each chat",
}
"""Where credentials come from, other than from a variable."""

PARAMETERS = """\
```toml
[providers.bedrock]
parameters.region.value = "eu-central-1"        # unless AWS_REGION says another one

[providers.corp]                                # a provider of your own may have parameters too
base_url = "https://{site}.llm.corp.example/v1"
parameters.site = { env = "CORP_SITE", default = "hq" }
```"""

CONFIGURATION = """\
# Configuration

Pointsman reads `pointsman.toml` from `~/.config/pointsman/`; with `XDG_CONFIG_HOME` set, from `pointsman/` in
that folder, and with `POINTSMAN_HOME` set, from that folder itself, which must be yours alone (mode 0700), since
the daemon's state and socket lie there, too. `pointsman config path` says where that is, `pointsman config check`
what is wrong with it, and `pointsman config show` what is in force and where each value comes from.

A change is in force a moment after the file is saved, in every editor. A mistake costs nothing: what the file
said before stays in force, and the mistake is shown on its line. A chat that runs keeps what it began with.

```toml
default = "openrouter:claude-sonnet-4"          # for whoever has chosen nothing
fallback = "deepseek:deepseek-chat"             # stands in where a model that was named gives no answer; absent: nobody

[aliases]
sonnet = "openrouter:claude-sonnet-4"           # a name of yours; it may lead to another alias
cheap = "deepseek:deepseek-chat"

[chains]
coding = ["openrouter:claude-sonnet-4", "openai:gpt-4", "lmstudio:local-model"]     # chain:coding tries them in order

[providers.corp]
name = "Corp gateway"
base_url = "https://llm.corp.example/v1"
auth = { scheme = "bearer", env = "CORP_LLM_KEY" }
headers = { "X-Team" = "blue" }
default_model = "large"
```

How a model may be named: `provider:model`, an alias, a provider alone (its `default_model`), or `chain:name`.
What stands before the first colon is a provider only if there is one of that name, so `qwen3:8b` is a model.
A bare name is looked up among the aliases, then at the provider that is in use, then among the `patterns` of
those providers that could be asked, then at the default's. [routing.md](routing.md) says how a chat finds its way.

Whole files to begin with are in [examples](examples): [several providers](examples/several-providers.toml),
[Anthropic alone](examples/anthropic-alone.toml), [Bedrock](examples/bedrock.toml), [Vertex](examples/vertex.toml),
[Azure](examples/azure.toml), [chains](examples/chains.toml), and
[nothing but this machine](examples/local-only.toml)."""

CHAINS = """\
Each is a list of names to try in order, or a table, inline or as `[chains.NAME]`:

```toml
[chains]
coding = ["openrouter:claude-sonnet-4", "openai:gpt-4", "lmstudio:local-model"]
talk = { targets = ["openrouter", "deepseek"], strategy = "sticky", on_break = "continue" }
```

`pointsman chain` writes them, too. The name of a chain has letters and digits, and beside them only `-`, `_` and `.`;
an alias has no blanks around it, no signs that can't be seen, and does not begin with `chain:`."""

FALLBACK = """\
## default and fallback

`default` answers where nobody has chosen a model. If it can't be asked for want of a key, another provider with a
`default_model` answers instead, and each chat says so: the first in your files that can be asked, else one that you
have stored a key for or signed in to. Never is that one that variables alone have made, nor one with
`stands_in = false`.

`fallback` is any name of a model, or a chain. It stands in where the model that a chat names can't be asked, or
fails in a way that another could help with, and the chat says so. Nobody stands in for a chain, which names all its
ways itself, nor for a chat that brings its own key; what was meant for a server on this machine stays here."""

FOLDER = """\
## The folder `providers/`

Each `*.toml` in the folder `providers/` beside `pointsman.toml` is a provider of yours: the keys below without a
table round them, under the name of the file or the `id` that it gives. It is there when the file is saved, and gone
when the file is removed. It wins over what comes with Pointsman, and loses to `pointsman.toml`, value by value."""

CLOUDS = """\
AWS credentials are `AWS_ACCESS_KEY_ID` with `AWS_SECRET_ACCESS_KEY` (and `AWS_SESSION_TOKEN`), else the profile that
`AWS_PROFILE` names in `~/.aws`. Google's are the file that `GOOGLE_APPLICATION_CREDENTIALS` names, else what
`gcloud auth application-default login` wrote. Each needs its extra: `pip install 'pointsman[aws]'` or
`pip install 'pointsman[gcp]'`, where Pointsman is installed."""

VARIABLES = """\
## Variables

The environment of an editor is a layer of its own, over every file, for that editor alone. For each provider,
its id in capitals and `-` as `_`:

| variable | sets |
|---|---|
| `NAME_API_KEY`, `NAME_API_KEY_1`, … | keys, where the definition names no variable of its own |
| `NAME_BASE_URL` | `base_url` |
| `NAME_AUTH_MODE` | `auth.scheme` |
| `NAME_API_VERSION` | `api_version` |
| `NAME_CUSTOM_HEADER_X_TEAM` | the header `X-Team` |
| `NAME_TIMEOUT` | `timeout.first_event` and `timeout.between_events` |
| `NAME_MAX_RETRIES` | `max_retries` |

A definition may name more of them, for the parameters of its base URL: `AWS_REGION`, `AZURE_OPENAI_ENDPOINT`.

A `FOO_API_KEY` together with a `FOO_BASE_URL` makes a provider `foo` that speaks chat completions. It is used
when it is named, never by itself."""

PROJECT = f"""\
## A project's own file

`.pointsman.toml` in the folder that an editor has opened may set {
    ", ".join(f"`{name}`" for name in sorted(CHOICES))
}, and nothing else: it chooses among your providers, and never redirects them. It is read
only after you have looked at it and run `pointsman trust`; when it changes, you are asked again. Its default
wins over your global choice, and loses to one for the workspace or the window."""

TROUBLES = """\
# Troubleshooting

`pointsman doctor` looks at the lock, the socket, the permissions, the log and the configuration, and says how
to mend what is wrong. `pointsman log` shows the log, and `pointsman status` what the daemon is doing. Every
error has a code, which the command line puts in brackets behind it; these are all there are."""

CONNECTION = {
    "DaemonUnreachable": (
        "The daemon is not there, hung up, or gave no answer in time.",
        "Run `pointsman restart`. If POINTSMAN_ENDPOINT is set, see to the other end of that socket, or unset it.",
    ),
    "DaemonWontStart": (
        "A daemon was started, and ended before it could be reached.",
        "Run `pointsman doctor`; what the daemon said last stands in a file of its own beside the log.",
    ),
    "DaemonWontStop": (
        "The daemon still runs after it was told to stop: it lets its chats finish first.",
        "Wait for the answers that it is writing, or end its process as the error says.",
    ),
    "AlreadyRunning": ("Another daemon serves the same data.", "Use that one, or run `pointsman restart`."),
    "VersionSkew": (
        "Client and daemon are of versions that don't understand each other.",
        "Run `pointsman restart`; if the daemon is the newer one, upgrade what the editor runs.",
    ),
    "UnsafeDirectory": (
        "The folder of Pointsman's data is open to others, belongs to somebody else, or can't be used.",
        "Run the `chmod` or `chown` that the error names, or set POINTSMAN_HOME to a folder of your own.",
    ),
    "EndpointNotOurs": (
        "At the other end of the socket is a process of another user, or the system can't tell whose it is.",
        "Nothing was told to it. Find out who put it there; POINTSMAN_HOME moves Pointsman elsewhere.",
    ),
    "OtherHost": (
        "The daemon of this data runs on another computer, as on a home folder that several share.",
        "Stop it there, or set POINTSMAN_HOME to a folder on a local disk here.",
    ),
}
"""What keeps a client from the daemon, by code: what happened, and what to do. `endpoint` says them with the facts."""
