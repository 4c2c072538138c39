"""Where the vault's key is kept: the environment, the keyring of the desktop, or a file. Only here is keyring imported.

Must never ask anybody anything: of the backends that keyring knows, only those of the desktops themselves are taken,
by name, and never what a configuration file or an installed package would put in their place. A keyring that does not
answer is given three seconds; its thread keeps nobody.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Collection, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, TypeVar

from pointsman.core.errors import PointsmanError, StorageError, VaultError, VaultLocked, WrongVaultKey
from pointsman.core.secret import Secret
from pointsman.edge.in_thread import InThread
from pointsman.edge.key_file import read_keys, remove_keys, write_keys
from pointsman.edge.seal import Key

log = logging.getLogger(__name__)

T = TypeVar("T")
Source = Literal["environment", "keyring", "file"]
SOURCES: tuple[Source, ...] = ("environment", "keyring", "file")

VARIABLE = "POINTSMAN_VAULT_KEY"
SERVICE = "pointsman"
WITHIN = 3.0
"""Seconds that a keyring may take to answer; it may be asking its owner to unlock it."""
BACKENDS = ("keyring.backends.macOS", "keyring.backends.SecretService", "keyring.backends.kwallet")
"""Apple's keychain, GNOME's and every other Secret Service, KDE's wallet."""
FILE = "vault.key"
"""The name of the key file, beside the data."""
HOW_TO_MAKE = "Make one with `openssl rand -base64 32`"


def key_given(environment: MutableMapping[str, str]) -> Secret | None:
    """What POINTSMAN_VAULT_KEY holds, taken out of the environment: no program that is run shall inherit it."""
    value = environment.pop(VARIABLE, "")
    return Secret(value) if value else None


@dataclass(frozen=True)
class Held:
    """A key, and where it lies."""

    key: Key
    source: Source
    where: str


class MasterKeys:
    """All the places that may hold the vault's key. `problems` says what was wrong with those that were looked at."""

    def __init__(self, file: Path, given: Secret | None) -> None:
        """`file` is the key file, `given` what POINTSMAN_VAULT_KEY held when the daemon began."""
        self._file, self._given = file, given
        self._asking: InThread[list[Key] | None] = InThread()
        self.problems: dict[Source, PointsmanError] = {}

    async def candidates(self, names: Collection[str], hint: str) -> AsyncIterator[Held]:
        """Every key that can be had, from where the hint says first; the keyring is asked for these names alone."""
        self.problems.clear()
        for source in sorted(SOURCES, key=lambda source: source != hint):
            try:
                found = await self._found(source, names, hint)
            except PointsmanError as error:
                self.problems[source] = error
                continue
            for key in found:
                yield Held(key, source, self._where(source, key))

    async def begin(self, old: Held | None) -> Held:
        """A new key, durable in the first place that takes one, beside the `old` one that it is to follow.

        Raises VaultError, StorageError.
        """
        self.problems.clear()
        if self._given is not None:
            new = self._from_environment()[0]
            if old is not None and new == old.key:
                raise WrongVaultKey(
                    f"{VARIABLE} holds the key that is in use, and no new one.",
                    f"{HOW_TO_MAKE}, put it before the old one ({VARIABLE}=new,old), run `pointsman restart`, and "
                    "rotate again.",
                )
            return Held(new, "environment", self._where("environment", new))
        key = await asyncio.to_thread(Key.new)
        try:
            if await self._into_keyring(key):
                return Held(key, "keyring", self._where("keyring", key))
        except PointsmanError as error:
            log.warning("the vault's new key goes into a file: %s", error.message)
            self.problems["keyring"] = error
        key = await asyncio.to_thread(self._into_file, key, old)
        return Held(key, "file", self._where("file", key))

    async def forget(self, old: Held) -> None:
        """Removes a key that seals nothing any more. Raises StorageError, VaultError."""
        if old.source == "file":
            await asyncio.to_thread(self._out_of_file, old.key)
        elif old.source == "keyring":
            await _bounded(InThread[None]().run(partial(_delete, old.key.name)))

    def _into_file(self, key: Key, old: Held | None) -> Key:
        """The key, or for a new vault the one that the file has already: a lost state.db may come back some day."""
        kept = read_keys(self._file)
        if kept and old is None:
            return kept[0]
        write_keys(self._file, [key, *kept])
        return key

    def _out_of_file(self, key: Key) -> None:
        if kept := [each for each in read_keys(self._file) if each != key]:
            write_keys(self._file, kept)
        else:
            remove_keys(self._file)

    async def unlocked(self) -> bool:
        """Waits for a keyring that has not answered in time; whether it did in the end. False at once without one."""
        return await self._asking.came_to_an_end()

    def remark(self, held: Held) -> str:
        """What people should know of the key in use, beside where it lies."""
        if self._given is None:
            return ""
        with suppress(WrongVaultKey):
            if self._from_environment()[0] == held.key:
                return ""
            return f"The first key in {VARIABLE} is not the one in use; `pointsman vault rotate` changes to it."
        return f"{VARIABLE} holds no key that could be used. {HOW_TO_MAKE}, or unset the variable."

    def why(self, hint: str, looked_at: Sequence[str]) -> VaultError:
        """Why none of the candidates fits: `looked_at` are the places of those that there were."""
        problems = [self.problems[source] for source in SOURCES if source in self.problems]
        for problem in sorted(problems, key=lambda problem: not isinstance(problem, VaultLocked)):
            if isinstance(problem, VaultError):
                return problem
        advice = (
            "All is kept as it is. Put the right key back, as a backup of "
            f"{self._file.parent} or the variable {VARIABLE} may have it, and run `pointsman restart`. If it is gone "
            "for good, `pointsman vault discard` removes what nobody can open."
        )
        if looked_at:
            return WrongVaultKey(f"The key in {' and '.join(looked_at)} is not the one of this vault.", advice)
        place = {"environment": f"the variable {VARIABLE}", "keyring": "your keyring"}.get(hint, str(self._file))
        return WrongVaultKey(f"The key of the vault was in {place}, and is not there any more.", advice)

    async def _found(self, source: Source, names: Collection[str], hint: str) -> Sequence[Key]:
        if source == "environment":
            return await asyncio.to_thread(self._from_environment)
        if source == "file":
            return await asyncio.to_thread(read_keys, self._file)
        found = await _bounded(self._asking.run(partial(_read, sorted(names))))
        if found is None and source == hint:
            raise VaultLocked("The vault's key lies in your keyring, and no keyring can be reached from here.")
        return found or []

    def _from_environment(self) -> list[Key]:
        """The keys in the variable. Raises WrongVaultKey."""
        if self._given is None:
            return []
        keys = [Key.from_text(part) for part in self._given.reveal().split(",")]
        if None in keys:
            raise WrongVaultKey(
                f"{VARIABLE} is not a key of 32 bytes in base64 or hexadecimal.",
                f"{HOW_TO_MAKE}, or unset the variable; then run `pointsman restart`.",
            )
        return [key for key in keys if key]

    async def _into_keyring(self, key: Key) -> bool:
        """Whether there is a keyring, and it keeps the key now. Raises VaultLocked, StorageError."""
        return await _bounded(InThread[bool]().run(partial(_write, key)))

    def _where(self, source: Source, key: Key) -> str:
        return {
            "environment": f"the variable {VARIABLE}",
            "keyring": f"your keyring, under “{SERVICE}” and “{key.name}”",
            "file": str(self._file),
        }[source]


async def _bounded(answer: Awaitable[T]) -> T:
    try:
        return await asyncio.wait_for(answer, WITHIN)
    except TimeoutError:
        raise VaultLocked(f"Your keyring has not answered within {WITHIN:g} seconds; it may be locked.") from None


def _read(names: Sequence[str]) -> list[Key] | None:
    """The keys of these names; None where there is no keyring. Raises VaultLocked."""
    if (keyring := _backend()) is None:
        return None
    texts = [_asked(keyring.get_password, SERVICE, name) for name in names]
    return [key for text in texts if text and (key := Key.from_text(text))]


def _write(key: Key) -> bool:
    """Whether there is a keyring, and it keeps the key now. Raises VaultLocked, StorageError."""
    if (keyring := _backend()) is None:
        return False
    _asked(keyring.set_password, SERVICE, key.name, key.text())
    if _asked(keyring.get_password, SERVICE, key.name) != key.text():
        raise StorageError("Your keyring took the vault's key, and then did not give it back.")
    return True


def _delete(name: str) -> None:
    if (keyring := _backend()) is not None:
        _asked(keyring.delete_password, SERVICE, name)


def _backend() -> Any:
    """The first keyring of a desktop that is there, None on a machine without one."""
    logging.getLogger("keyring").setLevel(logging.WARNING)
    for name in BACKENDS:
        with suppress(Exception):  # its library or its service is not there: each says so in its own way
            module = import_module(name)
            classes = [getattr(module, each) for each in ("Keyring", "DBusKeyring") if hasattr(module, each)]
            for each in classes:
                if each.viable:
                    return each()
    return None


def _asked(call: Any, *arguments: str) -> Any:
    """What a keyring answers. Raises VaultLocked for whatever it fails with: of its libraries, each raises its own."""
    from keyring.errors import KeyringLocked  # noqa: PLC0415 - 110 ms, and only for who has a vault

    try:
        return call(*arguments)
    except KeyringLocked:
        trouble = "Your keyring is locked."
    except Exception as error:
        trouble = f"Your keyring can't be used: {type(error).__name__}."
    raise VaultLocked(trouble)  # out here, since the backend's error holds its connection for as long as it is kept
