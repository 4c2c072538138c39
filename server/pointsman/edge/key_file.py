"""The file that holds the vault's key where there is no keyring: 0600, beside the data, replaced whole or not at all.

Must never read a file that somebody else may read, nor mend its mode: that would hide that it was open.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from shlex import quote

from pointsman.core.errors import StorageError, WrongVaultKey
from pointsman.edge.seal import Key

LARGEST = 64 * 1024
"""Bytes of the file: more than a thousand keys. Of a longer one, the key in use might stand where nobody reads."""
HEAD = "# The key that Pointsman's vault is sealed with. Keep it with state.db, and show it to nobody."


def read_keys(path: Path) -> list[Key]:
    """The keys in the file, the newest first; none if it is not there.

    Raises WrongVaultKey if it can't be read, is not ours alone, or holds no key.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unreadable(path, error) from error
    try:
        _must_be_ours_alone(path, os.fstat(descriptor))
        text = os.read(descriptor, LARGEST + 1).decode("ascii", "replace")
    except OSError as error:
        raise _unreadable(path, error) from error
    finally:
        os.close(descriptor)
    if len(text) > LARGEST:
        raise WrongVaultKey(
            f"The key file {path} has more than {LARGEST // 1024} KiB, so it is not used.",
            "Leave no key in it but the one that `pointsman vault status` names, or put a backup of it back.",
        )
    lines = [line for line in map(str.strip, text.splitlines()) if line and not line.startswith("#")]
    keys = [key for line in lines if (key := Key.from_text(line))]
    if not keys:
        raise WrongVaultKey(
            f"The key file {path} holds no key.",
            "Put the right one back, from a backup of the folder that it lies in. If it is gone for good, remove the "
            "file; `pointsman vault discard` then removes what nobody can open.",
        )
    return keys


def write_keys(path: Path, keys: Sequence[Key]) -> None:
    """Makes these the keys in the file, durably. Raises StorageError, and then the file is as it was."""
    text = "".join(f"{line}\n" for line in (HEAD, *(key.text() for key in keys)))
    if len(text) > LARGEST:
        raise StorageError(
            f"The key file {path} is full of the keys of changes that failed, so no new key is made.",
            "Mend what keeps them from being written: `pointsman log` says what it was.",
        )
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(text)
                file.flush()
                os.fsync(descriptor)
            beside.replace(path)
        except BaseException:
            with suppress(OSError):
                beside.unlink()
            raise
        _make_durable(path.parent)
    except OSError as error:
        raise StorageError(f"The vault's key could not be written to {path}: {error.strerror}.") from error


def remove_keys(path: Path) -> None:
    """Takes the file away. Raises StorageError."""
    try:
        path.unlink(missing_ok=True)
        _make_durable(path.parent)
    except OSError as error:
        raise StorageError(f"The vault's old key file {path} could not be removed: {error.strerror}.") from error


def _must_be_ours_alone(path: Path, facts: os.stat_result) -> None:
    mode = stat.S_IMODE(facts.st_mode)
    if not stat.S_ISREG(facts.st_mode):
        raise WrongVaultKey(f"{path} is no plain file, so the vault's key is not read from it.", "Move it away.")
    if facts.st_uid != os.geteuid():
        raise WrongVaultKey(
            f"The key file {path} belongs to user {facts.st_uid}, but you are user {os.geteuid()}.",
            f"If it is yours, run `sudo chown {os.geteuid()} {quote(str(path))}`, then `pointsman restart`.",
        )
    if mode & 0o077:
        raise WrongVaultKey(
            f"The key file {path} is open to other users (mode {mode:04o}), so it is not used.",
            f"Run `chmod 600 {quote(str(path))}`; then, since others may have read it, `pointsman vault rotate`.",
        )


def _make_durable(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unreadable(path: Path, error: OSError) -> WrongVaultKey:
    return WrongVaultKey(
        f"The key file {path} can't be read: {error.strerror}.", "Mend that, then ask `pointsman vault status` again."
    )
