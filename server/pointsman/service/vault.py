"""What is stored of credentials, opened into memory; every change of it is durable before it is seen.

Must never show a secret, decide which credential is used, or delete what it can't open unless it is told to.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, TypeVar

from pointsman.core.errors import CredentialError, PointsmanError, UnknownCredential, VaultError, VaultLocked
from pointsman.core.secret import Secret
from pointsman.core.stored import Record, Tokens
from pointsman.edge.in_thread import InThread
from pointsman.edge.master_key import Held, MasterKeys, Source
from pointsman.edge.portable import opened, packed
from pointsman.edge.seal import Key, Sealed, open_contents, open_record, seal_contents, seal_record
from pointsman.edge.sealed_store import SealedStore
from pointsman.service.audit import Audit
from pointsman.service.tasks import Tasks

log = logging.getLogger(__name__)

T = TypeVar("T")
State = Literal["empty", "open", "locked", "wrongKey"]
DAMAGED_LIST = (
    "The vault's list of contents is damaged. It is written anew with the next change; until then nobody can tell "
    "whether an old record was put back."
)
MOST = 1000
"""Credentials that are kept: each change is sealed with a list of all, and each request looks through them."""
LAST_WRITES = 2.0
"""Seconds that changes which are under way have at the daemon's end."""


@dataclass(frozen=True)
class Damaged:
    """A record that is left out, and why. What it says of itself may be damaged, too."""

    id: str
    provider: str
    label: str
    reason: str


@dataclass(frozen=True)
class VaultStatus:
    """How the vault is. `source`, `where` and `key` (a name, no secret) tell of the key in use.

    `records` counts those that can be used; all of them, while the vault can't be opened.
    """

    state: State
    records: int
    source: Source | None = None
    where: str = ""
    key: str = ""
    damaged: tuple[Damaged, ...] = ()
    notes: tuple[str, ...] = ()
    trouble: VaultError | None = None


@dataclass(frozen=True)
class Imported:
    """What became of the records of an import."""

    added: list[Record]
    replaced: list[Record]
    there_already: list[Record]


class Vault:
    """All stored credentials. Empty before `open`, and while it can't be opened."""

    def __init__(self, store: SealedStore, keys: MasterKeys, audit: Audit) -> None:
        """Reads what is stored, sealed as it is. Raises StorageError."""
        self.changed: Callable[[str], None] = lambda _: None
        self.entered: Callable[[Record], None] = lambda _: None  # by a person: no token that was renewed
        self.trouble: VaultError | None = None
        self._store, self._keys, self._audit = store, keys, audit
        self._sealed = {sealed.id: sealed for sealed in store.records()}
        self._contents = store.contents()
        self._versions: dict[str, int] = {}
        self._held: Held | None = None
        self._open: dict[str, Record] = {}
        self._damaged: dict[str, Damaged] = {}
        self._notes: tuple[str, ...] = ()
        self._list_is_damaged = False
        self._gone: set[str] = set()
        self._waiting: asyncio.Task[None] | None = None
        self._lock, self._tasks, self._patient = asyncio.Lock(), Tasks(), Tasks()
        self._passphrase = asyncio.Lock()

    def of(self, provider: str) -> list[Record]:
        """A provider's records, in the order added; none while the vault can't be opened."""
        return [record for record in self._open.values() if record.provider == provider]

    def damaged(self, provider: str) -> list[str]:
        """The labels of a provider's records that are left out, since they do not open."""
        return [each.label for each in self._damaged.values() if each.provider == provider]

    def all(self) -> list[Record]:
        """Every record, in the order added."""
        return list(self._open.values())

    def get(self, id: str) -> Record | None:
        """The record of that id, None if there is none or it can't be opened."""
        return self._open.get(id)

    @property
    def status(self) -> VaultStatus:
        """How the vault is now."""
        if self.trouble is not None:
            state: State = "locked" if isinstance(self.trouble, VaultLocked) else "wrongKey"
            return VaultStatus(state, len(self._sealed), notes=self._notes, trouble=self.trouble)
        if self._held is None:
            return VaultStatus("empty", 0, notes=self._notes)
        held, damaged = self._held, tuple(self._damaged.values())
        remarks = (self._keys.remark(held), DAMAGED_LIST if self._list_is_damaged else "")
        notes = (*self._notes, *filter(None, remarks))
        return VaultStatus("open", len(self._open), held.source, held.where, held.key.name, damaged, notes)

    async def open(self) -> None:
        """Looks for the key and opens what is stored. Costs nothing where nothing is; `trouble` says why it failed.

        To be called at the start, and again whenever a keyring may have been unlocked since.
        """
        await self._carried_out(self._opened)

    async def put(self, record: Record, *, if_same: bool = False) -> Record:
        """Keeps a record, new or changed; gives it as it is kept, its version one more than that which was there.

        Once this returns it outlives a power cut. Raises StorageError, VaultError, or UnknownCredential for one that
        was removed, or with `if_same` changed, since the caller looked; and then nothing was changed.
        """

        async def put() -> Record:
            changed = if_same and self._versions.get(record.id, record.version) != record.version
            if changed or record.id in self._gone:
                what = "changed" if changed else "removed"
                raise UnknownCredential(f"The credential {record.label!r} of {record.provider} was {what} meanwhile.")
            return (await self._put([record]))[0]

        return await self._carried_out(put)

    async def add(self, make: Callable[[], Record]) -> Record:
        """Keeps what `make` gives, as `put` does; a record that is there already, as it is, stays so.

        It is asked when nobody else changes anything, so what it has seen of labels and accounts still holds when its
        record is kept. Raises what it raises, StorageError, CredentialError.
        """

        async def add() -> Record:
            await self._ready()
            record = make()
            return record if self._open.get(record.id) == record else (await self._put([record], entered=True))[0]

        return await self._carried_out(add)

    async def remove(self, id: str) -> None:
        """Removes a record, if it is there. Raises StorageError, VaultError, and then nothing was changed."""
        await self._carried_out(lambda: self._removed([id]))

    async def discard(self, client: str | None, *, all: bool = False) -> int:
        """Removes the damaged records, or `all` where the key is lost; gives their number.

        Raises VaultError, StorageError.
        """
        return await self._carried_out(lambda: self._discarded(client, all))

    async def rotate(self, client: str | None) -> None:
        """Makes a new key and seals all with it, if anything is stored.

        Raises StorageError, VaultError, and then the old one holds.
        """
        await self._carried_out(lambda: self._rotated(client))

    async def exported(self, passphrase: Secret, client: str | None) -> tuple[str, list[Record]]:
        """All that can be opened, as the text of a file sealed by the passphrase; and which records those are.

        Raises VaultError.
        """
        await self.open()
        if self.trouble is not None:
            raise self.trouble
        records = self.all()
        text = await self._with_passphrase(partial(packed, records, passphrase))
        for record in records:
            self._audit.note("exported", record.provider, record.label, client)
        return text, records

    async def imported(self, text: str, passphrase: Secret, client: str | None) -> Imported:
        """Takes in the records of such a file; one that is stored already is replaced if it has changed.

        All or nothing. Raises BadRequest, StorageError, VaultError.
        """
        records = await self._with_passphrase(partial(opened, text, passphrase))
        return await self._carried_out(lambda: self._taken_in(records, client))

    async def close(self) -> None:
        """Lets what is under way end. The store is closed by its owner."""
        await self._patient.close()
        await self._tasks.wait(LAST_WRITES)
        await self._tasks.close()

    async def _carried_out(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """One thing at a time, and to its end: whoever asked may leave meanwhile, memory and disk still agree."""

        async def alone() -> T:
            async with self._lock:
                return await work()

        result: T = await asyncio.shield(self._tasks.spawn(alone(), "vault"))
        return result

    async def _with_passphrase(self, work: Callable[[], T]) -> T:
        """One at a time, however many ask: each takes 128 MiB for half a second, even if who asked has left."""
        await self._passphrase.acquire()
        task = self._patient.spawn(InThread[T]().run(work), "passphrase")
        task.add_done_callback(lambda _: self._passphrase.release())
        result: T = await asyncio.shield(task)
        return result

    async def _opened(self) -> None:
        if self._held is not None or not self._sealed:
            return
        try:
            self._held = await self._found()
        except VaultError as error:
            if str(error) != str(self.trouble):
                log.warning("the vault can't be opened: %s", error)
            self.trouble = error
            if self._waiting is None or self._waiting.done():
                self._waiting = self._patient.spawn(self._open_once_unlocked(), "keyring")
            return
        self.trouble = None
        self._unseal(self._held.key)
        for provider in dict.fromkeys(record.provider for record in self._open.values()):
            self.changed(provider)

    async def _open_once_unlocked(self) -> None:
        """The owner of a locked keyring may be typing its password at this moment."""
        if await self._keys.unlocked():
            await self.open()

    async def _found(self) -> Held:
        """The key that fits. Raises VaultError."""
        hint = self._contents.source if self._contents else ""
        names = {sealed.key for sealed in self._sealed.values()} | ({self._contents.key} if self._contents else set())
        looked_at = []
        async for held in self._keys.candidates(names - {""}, hint):
            if self._fits(held.key):
                return held
            looked_at.append(held.where)
        raise self._keys.why(hint, looked_at)

    def _fits(self, key: Key) -> bool:
        """Whether the key opens the list of contents, or a record: either may be damaged."""
        if self._contents and open_contents(key, self._contents) is not None:
            return True
        return any(open_record(key, sealed) for sealed in self._sealed.values())

    def _unseal(self, key: Key) -> None:
        """Opens every record; one that does not open, or is not the one that was stored last, is left out."""
        versions = open_contents(key, self._contents) if self._contents else None
        records = {sealed.id: open_record(key, sealed) for sealed in self._sealed.values()}
        self._list_is_damaged = versions is None
        if versions is None:
            log.warning("%s", DAMAGED_LIST)
            versions = {id: record.version for id, record in records.items() if record}
        reasons = {id: reason for id in self._sealed if (reason := _fault(records[id], versions.get(id)))}
        self._open = {id: record for id, record in records.items() if record and id not in reasons}
        self._damaged = {id: _damaged(self._sealed[id], reason) for id, reason in reasons.items()}
        missing = [id for id in versions if id not in self._sealed]
        misnamed = sum(id not in versions for id in reasons)  # a damaged id looks like one record more, and one less
        self._damaged |= {id: Damaged(id, "", "", "It was taken out of the file.") for id in missing[misnamed:]}
        self._versions = dict(versions)
        for each in self._damaged.values():
            log.warning("a stored credential is left out: %s %s: %s", each.provider, each.label, each.reason)

    async def _put(self, records: Sequence[Record], *, entered: bool = False) -> list[Record]:
        held = await self._ready()
        if len(self._sealed.keys() | {record.id for record in records}) > max(MOST, len(self._sealed)):
            text = f"The vault would hold more than {MOST} credentials. Nothing was stored."
            raise CredentialError(text, "Remove those that nobody needs: `pointsman keys remove`, `pointsman logout`.")
        kept = [self._next(record) for record in records]
        number = max((sealed.number for sealed in self._sealed.values()), default=0)
        numbers: dict[str, int] = {}
        for record in kept:
            known = self._sealed.get(record.id)
            number += known is None
            numbers[record.id] = known.number if known else number
        sealed = [seal_record(held.key, numbers[record.id], record) for record in kept]
        await self._commit(held, sealed, {record.id: record.version for record in kept})
        before = {id: _visible(record) for id, record in self._open.items()}
        self._open |= {record.id: record for record in kept}
        for record in kept if entered else ():
            self.entered(record)
        self._tell([record for record in kept if before.get(record.id) != _visible(record)])
        return kept

    def _next(self, record: Record) -> Record:
        known = self._versions.get(record.id)
        return record if known is None else replace(record, version=known + 1)

    async def _removed(self, ids: Iterable[str]) -> None:
        gone = [id for id in ids if id in self._sealed or id in self._versions]
        if not gone:
            return
        held = await self._ready()
        await self._commit(held, [], {}, gone)
        self._tell([record for id in gone if (record := self._open.pop(id, None))])

    async def _discarded(self, client: str | None, all: bool) -> int:
        await self._opened()
        if self.trouble is None:
            gone = list(self._damaged.values())
            await self._removed([each.id for each in gone])
        elif isinstance(self.trouble, VaultLocked) or not all:
            raise self.trouble
        else:
            gone = [_damaged(sealed, "") for sealed in self._sealed.values()]
            held = await self._keys.begin(None)
            await self._commit(held, [], {}, list(self._sealed))
            self._held, self.trouble = held, None
        for each in gone:
            self._audit.note("removed", each.provider, each.label, client, "it could not be opened")
        return len(gone)

    async def _rotated(self, client: str | None) -> None:
        if not self._sealed:
            return
        old = await self._ready()
        new = await self._keys.begin(old)
        sealed = [seal_record(new.key, self._sealed[id].number, record) for id, record in self._open.items()]
        await self._commit(new, sealed, {})
        self._held = new
        self._audit.note("rotated", "", "", client)
        notes = [problem.message for problem in self._keys.problems.values()]
        for tidy in (partial(self._keys.forget, old), self._store.shed):
            try:
                await tidy()
            except PointsmanError as error:  # all is sealed with the new key: what is left of the old harms nobody
                log.warning("after the vault's key was changed: %s", error)
                notes.append(f"The old key seals nothing any more, but could not be removed: {error.message}")
        self._notes = tuple(notes)

    async def _taken_in(self, records: Sequence[Record], client: str | None) -> Imported:
        if records:
            await self._ready()
        found = _compared(records, self._open, self._versions)
        wanted = [*found.added, *found.replaced]
        changed = await self._put(wanted, entered=True) if wanted else []
        for record in changed:
            self._audit.note("imported", record.provider, record.label, client)
        return found

    async def _ready(self) -> Held:
        """The key to seal with; a new one where nothing is stored yet. Raises VaultError, StorageError."""
        await self._opened()
        if self.trouble is not None:
            raise type(self.trouble)(f"Nothing was changed. {self.trouble.message}", self.trouble.advice)
        if self._held is None and self._contents:
            with suppress(VaultError):  # nothing is stored any more, so a lost key loses nothing
                self._held = await self._found()
                self._unseal(self._held.key)
        if self._held is None:
            self._held = await self._keys.begin(None)
            self._notes = tuple(problem.message for problem in self._keys.problems.values())
        return self._held

    async def _commit(
        self, held: Held, sealed: Sequence[Sealed], changed: Mapping[str, int], gone: Sequence[str] = ()
    ) -> None:
        versions = {id: version for id, version in {**self._versions, **changed}.items() if id not in gone}
        contents = seal_contents(held.key, held.source, versions)
        await self._store.put(sealed, contents, gone)
        self._versions, self._contents, self._list_is_damaged = versions, contents, False
        self._sealed |= {each.id: each for each in sealed}
        self._gone |= set(gone)
        for id in gone:
            self._sealed.pop(id, None)
        for id in (*changed, *gone):
            self._damaged.pop(id, None)

    def _tell(self, records: Iterable[Record]) -> None:
        for provider in dict.fromkeys(record.provider for record in records):
            self.changed(provider)


def _fault(record: Record | None, version: int | None) -> str:
    """What is wrong with a record, nothing if it is the one that was stored last."""
    if record is None:
        return "It was damaged, or changed by somebody, and does not open."
    if version is None:
        return "It was put back after it had been removed."
    return "" if record.version == version else "It is an older one that was put back."


def _visible(record: Record) -> object:
    """What editors see of a record, so that they are told when it changes: not each renewal of a token."""
    holds = record.holds.refused if isinstance(record.holds, Tokens) else record.holds
    return record.provider, record.origin, record.label, holds


def _damaged(sealed: Sealed, reason: str) -> Damaged:
    return Damaged(sealed.id, sealed.provider, sealed.label, reason)


def _compared(records: Sequence[Record], stored: Mapping[str, Record], versions: Mapping[str, int]) -> Imported:
    """What an import changes. The same key, typed in on both machines, is one; another of the same label gets a new.

    Tokens that were renewed here since stay: those of the file may be spent.
    """
    found = Imported([], [], [])
    for record in records:
        beside = [each for each in stored.values() if each.provider == record.provider]
        same = stored.get(record.id)
        twin = any((each.holds, each.origin) == (record.holds, record.origin) for each in beside)
        if (same is None and twin) or (same and (_is_newer(same, record) or _bare(same) == _bare(record))):
            found.there_already.append(record)
        elif same is not None or record.id in versions:
            found.replaced.append(record)
        else:
            taken = {each.label for each in (*beside, *found.added) if each.provider == record.provider}
            found.added.append(replace(record, label=_free(record.label, taken)))
    return found


def _bare(record: Record) -> Record:
    return replace(record, version=0)


def _is_newer(one: Record, other: Record) -> bool:
    """Whether both hold tokens, and the first got its own later."""
    both = (one.holds, other.holds)
    return isinstance(both[0], Tokens) and isinstance(both[1], Tokens) and both[0].obtained_at > both[1].obtained_at


def _free(label: str, taken: set[str]) -> str:
    number = 2
    free = label
    while free in taken:
        free, number = f"{label} ({number})", number + 1
    return free
