"""The methods as commands for people: `workspace/executeCommand` in any LSP editor, with no plugin.

Must never do what its method does not. An argument that is an object is the method's parameters; plain arguments
are taken in the order given here. Without any, where a choice is needed, the reply comes at once and the person is
asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import Struct

from pointsman.core.errors import UNREADABLE, PointsmanError
from pointsman.core.sources import Plain
from pointsman.rpc import wording
from pointsman.rpc.language import Language
from pointsman.rpc.methods import METHODS
from pointsman.rpc.replies import Refused, invalid_params
from pointsman.rpc.table import PREFIX, Context
from pointsman.service.tasks import Tasks

MOST_CHOICES = 9
NAME_THE_CHAT = "Your editor can't ask. Give the chat's id as the command's argument; `pointsman.listChats` has them."


class ExecuteCommandParams(Struct):
    """LSP's own."""

    command: str
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Command:
    """How a person runs a method: the parameters that plain arguments stand for, how the result reads, what to ask."""

    method: str
    say: Callable[[Any], str]
    positional: tuple[str, ...] = ()
    question: str = ""
    choices: Callable[[Context], list[str]] | None = None
    instead: str = ""
    picked: Callable[[str], Any] = str
    """What stands for a choice as an argument, where that is only a part of what is shown."""
    by_hand: bool = False
    """Whether it waits for a person elsewhere: a stock editor is answered at once, and shown the result later."""


def _chat_ids(ctx: Context) -> list[str]:
    return [chat.id for chat in ctx.app.chats.running]


def _sessions(ctx: Context) -> list[str]:
    """The temporary sessions, each with its id first."""
    catalogue = ctx.app.catalogues.of(ctx.client)
    return [wording.session(session) for session in ctx.app.trials.list(ctx.client, catalogue)]


def _can_sign_in(ctx: Context) -> list[str]:
    """The providers that somebody can sign in to."""
    return [p.id for p in ctx.app.catalogues.of(ctx.client).providers.values() if p.auth.oauth]


def _accounts(ctx: Context) -> list[str]:
    """The accounts that have signed in, each with its provider first."""
    return [f"{record.provider}: {record.account}" for record in ctx.app.login.accounts()]


def _account(picked: str) -> dict[str, str]:
    provider, _, account = picked.partition(": ")
    return {"provider": provider, "account": account}


def _model_names(ctx: Context) -> list[str]:
    """What there is to switch to: the user's aliases, then what this connection can use, defaults first."""
    app = ctx.app
    catalogue = app.catalogues.of(ctx.client)
    usable = [p for p in catalogue.providers.values() if app.credentials.usable(p, ctx.client.environment)]
    usable.sort(key=lambda provider: not provider.configured_by_user)
    firsts = [f"{p.id}:{p.default_model}" for p in usable if p.default_model]
    others = [f"{p.id}:{name}" for p in usable for name in sorted(p.names)]
    return list(dict.fromkeys([*catalogue.aliases, *firsts, *others]))


def _with_stored_keys(ctx: Context) -> list[str]:
    return list(dict.fromkeys(record.provider for record in ctx.app.vault.all() if record.kind == "key"))


def _with_plain_keys(ctx: Context) -> list[str]:
    providers = ctx.app.catalogues.base.providers.values()
    return [p.id for p in providers if any(isinstance(source, Plain) for source in p.sources)]


TABLE: Mapping[str, Command] = {
    "pointsman.listProviders": Command("listProviders", wording.providers),
    "pointsman.listModels": Command("listModels", wording.models, ("provider",)),
    "pointsman.currentModel": Command("currentModel", wording.selection),
    "pointsman.switchModel": Command(
        "switchModel",
        wording.selection,
        ("model", "scope"),
        "Which model should answer?",
        _model_names,
        "Your editor can't ask. Run `pointsman use provider:model` in a terminal, or give the command a model.",
    ),
    "pointsman.listKeys": Command("listKeys", wording.keys, ("provider",)),
    "pointsman.removeKey": Command(
        "removeKey",
        wording.removed_key,
        ("provider", "label"),
        "Whose stored key should be removed?",
        _with_stored_keys,
        "Your editor can't ask. Run `pointsman keys remove PROVIDER` in a terminal, or give the command a provider.",
    ),
    "pointsman.adoptKey": Command(
        "adoptKey",
        wording.adopted_keys,
        ("provider",),
        "Whose key should be moved out of pointsman.toml, and stored sealed?",
        _with_plain_keys,
        "Your editor can't ask. Run `pointsman keys adopt PROVIDER` in a terminal, or give the command a provider.",
    ),
    "pointsman.explainRoute": Command("explainRoute", wording.route, ("model",)),
    "pointsman.chat": Command("chat", wording.answer, ("text", "model")),
    "pointsman.listChats": Command("listChats", wording.chats),
    "pointsman.attachChat": Command(
        "attachChat", wording.answer, ("chatId",), "Which chat do you want to follow?", _chat_ids, NAME_THE_CHAT
    ),
    "pointsman.cancelChat": Command(
        "cancelChat",
        wording.answer,
        ("chatId",),
        "Which chat should end?",
        _chat_ids,
        NAME_THE_CHAT,
    ),
    "pointsman.listSessions": Command("listSessions", wording.sessions),
    "pointsman.clearSession": Command(
        "clearSession",
        wording.cleared,
        ("id",),
        "Which temporary key should end?",
        _sessions,
        "Your editor can't ask. Give the session's id as the command's argument; `pointsman.listSessions` has them.",
        lambda picked: picked.partition(":")[0],
    ),
    "pointsman.signIn": Command(
        "signIn",
        wording.signed_in,
        ("provider", "flow"),
        "Where do you want to sign in?",
        _can_sign_in,
        "Your editor can't ask. Run `pointsman login PROVIDER` in a terminal, or give the command a provider.",
        by_hand=True,
    ),
    "pointsman.signOut": Command(
        "signOut",
        wording.signed_out,
        ("provider", "account"),
        "Which account should be signed out?",
        _accounts,
        "Your editor can't ask. Run `pointsman logout PROVIDER` in a terminal, or give the command a provider.",
        _account,
    ),
    "pointsman.listAccounts": Command("listAccounts", wording.accounts, ("provider",)),
    "pointsman.usage": Command("usage", wording.usage, ("since", "by")),
    "pointsman.vaultStatus": Command("vaultStatus", wording.vault),
    "pointsman.status": Command("status", wording.status),
}

NAMES = tuple(TABLE)
decode = msgspec.json.Decoder(ExecuteCommandParams).decode


async def run(ctx: Context, given: ExecuteCommandParams, language: Language, tasks: Tasks) -> Any:
    """Runs a command and gives the method's result. Raises Refused for a command or an argument that does not fit."""
    command = TABLE.get(given.command)
    if command is None:
        raise Refused(invalid_params(f"There is no command {given.command[:100]!r}; there are {', '.join(NAMES)}."))
    if not given.arguments and command.choices:
        tasks.spawn(_ask(ctx, command, command.choices(ctx), language), "question")
        return None
    if command.by_hand and not ctx.client.ours:
        tasks.spawn(_later(ctx, command, given.arguments, language), "command")
        return None
    return await _carry_out(ctx, command, given.arguments, language)


async def _later(ctx: Context, command: Command, arguments: tuple[Any, ...], language: Language) -> None:
    """Carries a command out after its reply, and shows what comes of it."""
    try:
        await _carry_out(ctx, command, arguments, language)
    except PointsmanError as error:
        language.show(str(error), warning=True)
    except Refused as error:
        language.show(error.problem.message, warning=True)


async def _carry_out(ctx: Context, command: Command, arguments: tuple[Any, ...], language: Language) -> Any:
    method = METHODS[PREFIX + command.method]
    try:
        params = msgspec.convert(_params(ctx, command, arguments), method.params)
    except UNREADABLE as error:
        order = ", ".join(command.positional) or "none"
        raise Refused(invalid_params(f"{error}; the arguments of this command are: {order}, or one object.")) from None
    result = await method.call(ctx, params)
    if not ctx.client.ours:
        language.show(command.say(result))
    return result


def _params(ctx: Context, command: Command, arguments: tuple[Any, ...]) -> dict[str, Any]:
    """The method's parameters: an object as it is, plain arguments by position.

    A stock client gets no events of ours.
    """
    if len(arguments) == 1 and isinstance(arguments[0], dict):
        params = dict(arguments[0])
    elif len(arguments) > len(command.positional):
        raise msgspec.ValidationError(f"{len(arguments)} arguments are too many")
    else:
        params = dict(zip(command.positional, arguments, strict=False))
    if "text" in params:
        params["messages"] = [{"role": "user", "content": params.pop("text")}]
    if command.say is wording.answer:
        params.setdefault("stream", ctx.client.ours)
    return params


async def _ask(ctx: Context, command: Command, choices: list[str], language: Language) -> None:
    """Asks the person, and does what they picked; nothing, if they picked nothing."""
    if not choices:
        language.show("There is nothing to choose from.")
        return
    try:
        if picked := await language.ask(command.question, choices[:MOST_CHOICES]):
            await _carry_out(ctx, command, (command.picked(picked),), language)
    except LookupError:
        language.show(command.instead)
    except PointsmanError as error:
        language.show(str(error), warning=True)
