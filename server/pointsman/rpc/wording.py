"""How results read to a person whose editor shows nothing but messages. Must never say what the result does not."""

from __future__ import annotations

from pointsman.core.chat import Message, TextPart
from pointsman.core.ledger import Total
from pointsman.core.receipt import ChatResult
from pointsman.core.selection import Selection
from pointsman.rpc.account_types import AccountInfo, ListAccountsResult, SignOutResult
from pointsman.rpc.key_types import AdoptKeyResult, ListKeysResult, RemoveKeyResult
from pointsman.rpc.session_types import ClearSessionResult, ListSessionsResult
from pointsman.rpc.status_types import StatusResult
from pointsman.rpc.types import ListChatsResult, ListModelsResult, ListProvidersResult
from pointsman.rpc.usage_types import UsageResult
from pointsman.rpc.vault_types import VaultStatusResult
from pointsman.service.explaining import Explanation
from pointsman.service.trials import SessionInfo

LONGEST = 4000
"""Characters of an answer that a message shows; the result has all of it."""
MOST_LINES = 20


def selection(result: Selection) -> str:
    """The model that holds, and why."""
    if result.model is None:
        return "No model is chosen."
    trouble = "" if result.state == "available" else f" ({result.state})"
    return f"{result.display_name}{trouble}. {result.why}"


def route(result: Explanation) -> str:
    """One line a target, and one for each that would be left out."""
    lines = [f"{result.spec}: {result.rule}"]
    for target in result.targets:
        about = target.error.message if target.error else " ".join(notice.text for notice in target.notices)
        lines.append(f"{target.provider}:{target.model}" + (f" ({about})" if about else ""))
    return _lines(lines + [f"not {way.provider}:{way.model}: {way.reason}" for way in result.skipped])


def providers(result: ListProvidersResult) -> str:
    """One line a provider."""
    marks = {True: ", by a temporary key", False: ""}
    ways = {"oauth": ", by account", "passthrough": ", with the key of each chat"}
    return _lines(
        [
            f"{each.id}: {each.state}{ways.get(each.auth.scheme, '')}{marks[each.temporary is not None]}"
            for each in result.providers
        ]
    )


def models(result: ListModelsResult) -> str:
    """One line a model, and one for each list that did not come."""
    return _lines([model.model for model in result.models] + [failure.message for failure in result.failures])


def chats(result: ListChatsResult) -> str:
    """One line a chat."""
    return _lines(
        [f"{chat.chat_id}: {chat.state}, {chat.model}, {chat.title}" for chat in result.chats] or ["No chats."]
    )


def usage(result: UsageResult) -> str:
    """What was spent in all, and one line a sum; of what nobody knows the price, that."""
    lines = [f"{_spent(result.grand)} since {result.since}"]
    lines += [f"{total.name or 'none'}: {_spent(total)}" for total in result.totals]
    for each in result.budgets:
        lines.append(f"{each.name or 'all providers'}: ${each.spent:.2f} of ${each.budget:.2f} this {each.period}")
    return _lines(lines)


def _spent(total: Total) -> str:
    unknown = f" and {total.unpriced} of unknown price" if total.unpriced else ""
    return f"${total.usd:.2f}{unknown} for {total.chats} chat{'' if total.chats == 1 else 's'}"


def session(result: SessionInfo) -> str:
    """A temporary session: its id first, and whether it is what this connection is asked with."""
    minutes, seconds = divmod(result.seconds_left, 60)
    use = "in use here" if result.in_effect else f"active for {result.scope}" if result.scope else "not active"
    return f"{result.id}: {result.provider}, {result.account}, {use}, {minutes}:{seconds:02} left"


def sessions(result: ListSessionsResult) -> str:
    """One line a session."""
    return _lines([session(each) for each in result.sessions] or ["No temporary sessions."])


def cleared(result: ClearSessionResult) -> str:
    """What has ended."""
    return f"The temporary key {result.account} for {result.provider} has ended."


def signed_in(result: AccountInfo) -> str:
    """Who has signed in, and where."""
    return f"{result.account} is signed in at {result.provider}."


def signed_out(result: SignOutResult) -> str:
    """Who has signed out, and whether the provider knows."""
    failed = (
        f" {result.error.message} Its tokens there end by themselves, or on the provider's page."
        if result.error
        else ""
    )
    return f"{result.account} is signed out at {result.provider}.{failed}"


def accounts(result: ListAccountsResult) -> str:
    """One line an account."""
    return _lines([f"{each.provider}: {each.account}, {each.state}" for each in result.accounts] or ["No accounts."])


def answer(result: ChatResult) -> str:
    """What the model said, and who it was."""
    ending = "" if result.stop_reason == "end" else f" ({result.stop_reason})"
    return f"{text_of(result.message)[:LONGEST]}\n— {result.provider}:{result.model}{ending}"


def status(result: StatusResult) -> str:
    """The daemon in one line, and one for each provider that something is held against."""
    daemon = (
        f"Pointsman {result.version}, process {result.pid}: {len(result.clients)} connected, "
        f"{result.running_chats} chats running, ${result.spent_today:.2f} spent today, log in {result.log_file}"
    )
    return _lines([daemon, *(f"{each.name}: {each.reason}" for each in result.dashboard if each.reason)])


def vault(result: VaultStatusResult) -> str:
    """How many credentials are stored, what they are sealed with, and what is wrong."""
    lines = [f"{result.records} credentials are stored."]
    if result.where:
        lines = [f"{result.records} credentials are sealed with the key in {result.where}."]
    if result.error:
        lines += [f"{result.error.message} {result.error.advice}"]
    lines += [f"{each.provider} {each.label}: {each.reason}" for each in result.damaged]
    return _lines(lines + result.notes)


def keys(result: ListKeysResult) -> str:
    """One line a key: whose it is, where it comes from, its mask, and whether it is used."""
    lines = [
        " ".join(filter(None, (f"{key.provider}:", key.source, key.name, key.account)))
        + ("" if key.usable else " (not used)")
        for key in result.keys
    ]
    trouble = [result.error.message] if result.error else []
    return _lines([*lines, *trouble] or ["No keys. `pointsman keys add PROVIDER`, in a terminal, stores one."])


def removed_key(result: RemoveKeyResult) -> str:
    """The key that is gone."""
    return f"The key {result.key.account} of {result.key.provider} is removed."


def adopted_keys(result: AdoptKeyResult) -> str:
    """The keys that are stored now."""
    moved = ", ".join(str(key.account) for key in result.keys)
    return f"Stored, sealed, and taken out of {result.file}: {moved}."


def text_of(message: Message) -> str:
    """The text of a message without reasoning and tool calls."""
    return "".join(part.text for part in message.parts if isinstance(part, TextPart))


def _lines(lines: list[str]) -> str:
    more = [f"… and {len(lines) - MOST_LINES} more"] if len(lines) > MOST_LINES else []
    return "\n".join(lines[:MOST_LINES] + more)
