"""Where the vault's key is found and put: the environment, the keyring of a desktop, a file; and what can be wrong."""

from __future__ import annotations

import base64
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pointsman.core.errors import PointsmanError, StorageError, VaultLocked, WrongVaultKey
from pointsman.core.secret import Secret
from pointsman.edge import master_key
from pointsman.edge.key_file import read_keys, remove_keys, write_keys
from pointsman.edge.master_key import VARIABLE, Held, MasterKeys, key_given
from pointsman.edge.seal import Key
from tests.counterparts.desktop_keyring import LEAVES_ITS_SOCKET, DesktopKeyring

ONE, TWO, THREE = (Key(bytes([number]) * 32) for number in (1, 2, 3))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "vault.key"


@pytest.fixture(autouse=True)
def _folder(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.parent.mkdir()
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)


def given(*keys: Key) -> Secret:
    return Secret(",".join(key.text() for key in keys))


async def found(keys: MasterKeys, *names: str, hint: str = "") -> list[tuple[str, Key]]:
    return [(held.source, held.key) async for held in keys.candidates(names, hint)]


# The variable


async def test_the_variable_may_hold_the_new_and_the_old(file: Path) -> None:
    keys = MasterKeys(file, given(ONE, TWO))
    assert await found(keys) == [("environment", ONE), ("environment", TWO)]
    assert not keys.problems


@pytest.mark.parametrize("value", ["", "short", "x" * 44, "ab" * 31, f"{ONE.text()},", "é" * 64])
async def test_a_variable_that_is_no_key_is_told_and_the_others_are_looked_at(file: Path, value: str) -> None:
    write_keys(file, [TWO])
    keys = MasterKeys(file, Secret(value))
    assert await found(keys) == [("file", TWO)]
    assert "32 bytes" in keys.problems["environment"].message
    assert value not in str(keys.problems["environment"]) or not value
    with pytest.raises(WrongVaultKey, match="32 bytes"):
        await keys.begin(None)


async def test_it_is_taken_out_of_the_environment() -> None:
    environment = {VARIABLE: "a", "HOME": "/"}
    taken = key_given(environment)
    assert taken is not None
    assert (taken.reveal(), environment) == ("a", {"HOME": "/"})
    assert key_given(environment) is None


async def test_a_new_vault_takes_the_variable_before_all_else(file: Path, desktop: DesktopKeyring) -> None:
    held = await MasterKeys(file, given(ONE)).begin(None)
    assert (held.source, held.key) == ("environment", ONE)
    assert not file.exists()
    assert not desktop.items


async def test_rotation_takes_the_first_of_the_variable_and_never_goes_back(file: Path) -> None:
    keys = MasterKeys(file, given(ONE, TWO))
    assert (await keys.begin(Held(TWO, "environment", ""))).key == ONE
    with pytest.raises(WrongVaultKey, match="no new one") as refused:
        await keys.begin(Held(ONE, "environment", ""))
    assert "new,old" in refused.value.advice


async def test_a_variable_that_is_not_in_use_is_remarked(file: Path) -> None:
    held = Held(TWO, "file", "")
    assert MasterKeys(file, None).remark(held) == ""
    assert MasterKeys(file, given(TWO)).remark(held) == ""
    assert "rotate" in MasterKeys(file, given(ONE, TWO)).remark(held)
    assert "no key" in MasterKeys(file, Secret("nonsense")).remark(held)


# The file


async def test_without_a_desktop_a_new_key_goes_into_a_private_file(file: Path) -> None:
    keys = MasterKeys(file, None)
    held = await keys.begin(None)
    assert (held.source, held.where) == ("file", str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [entry.name for entry in file.parent.iterdir()] == ["vault.key"]
    assert await found(keys) == [("file", held.key)]
    assert not keys.problems


async def test_a_new_vault_keeps_the_key_of_the_one_before(file: Path) -> None:
    write_keys(file, [ONE])
    assert (await MasterKeys(file, None).begin(None)).key == ONE


async def test_rotation_keeps_the_old_key_in_the_file_until_it_is_forgotten(file: Path) -> None:
    keys = MasterKeys(file, None)
    old = await keys.begin(None)
    new = await keys.begin(old)
    assert await found(keys) == [("file", new.key), ("file", old.key)]
    await keys.forget(old)
    assert await found(keys) == [("file", new.key)]
    await keys.forget(new)
    assert not file.exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o622, 0o644])
async def test_a_file_that_others_may_open_is_refused_and_left_alone(file: Path, mode: int) -> None:
    write_keys(file, [ONE])
    file.chmod(mode)
    keys = MasterKeys(file, None)
    assert await found(keys) == []
    assert f"chmod 600 {file}" in keys.why("file", []).advice
    with pytest.raises(WrongVaultKey, match="open to other users"):
        await keys.begin(None)
    assert stat.S_IMODE(file.stat().st_mode) == mode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_refused(file: Path) -> None:
    write_keys(file, [ONE])
    os.chown(file, 65534, 65534)
    with pytest.raises(WrongVaultKey, match="belongs to user 65534"):
        read_keys(file)


@pytest.mark.parametrize("text", ["", "# only this\n", "nonsense\n", "\0" * 100, "A" * 10_000])
def test_a_file_without_a_key_is_told(file: Path, text: str) -> None:
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(WrongVaultKey, match="holds no key") as told:
        read_keys(file)
    assert "remove the file; `pointsman vault discard`" in told.value.advice


@pytest.mark.parametrize("kind", ["folder", "pipe", "link"])
def test_what_is_no_plain_file_is_refused_at_once(file: Path, kind: str) -> None:
    if kind == "folder":
        file.mkdir()
    elif kind == "pipe":
        os.mkfifo(file, 0o600)
    else:
        write_keys(file.with_name("real"), [ONE])
        file.symlink_to("real")
    with pytest.raises(WrongVaultKey):
        read_keys(file)


def test_a_key_is_read_however_it_was_written_down(file: Path) -> None:
    value = bytes(range(224, 256))
    for text in (
        value.hex(),
        value.hex().upper(),
        base64.b64encode(value).decode(),
        base64.urlsafe_b64encode(value).decode().rstrip("="),
    ):
        file.write_text(f"# a comment\n\n  {text}\r\n")
        file.chmod(0o600)
        assert read_keys(file) == [Key(value)]


def test_a_file_that_can_not_be_written_stays_as_it_was(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_keys(file, [ONE])

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        write_keys(file, [TWO, ONE])
    with pytest.raises(StorageError):
        remove_keys(file.with_name("absent"))
    assert read_keys(file) == [ONE]
    assert [entry.name for entry in file.parent.iterdir()] == ["vault.key"]


def test_it_is_on_disk_before_it_takes_the_place_of_the_old(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    sync, put = os.fsync, Path.replace

    def synced(number: int) -> None:
        steps.append("folder" if stat.S_ISDIR(os.fstat(number).st_mode) else "file")
        sync(number)

    def replaced(self: Path, target: Path) -> Path:
        steps.append("replace")
        return put(self, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", replaced)
    write_keys(file, [ONE])
    assert steps == ["file", "replace", "folder"]


# The keyring


async def test_a_desktop_keeps_the_key_under_its_own_name(file: Path, desktop: DesktopKeyring) -> None:
    keys = MasterKeys(file, None)
    old = await keys.begin(None)
    new = await keys.begin(old)
    assert (old.source, new.source, file.exists()) == ("keyring", "keyring", False)
    assert [attributes["username"] for attributes, _ in desktop.items.values()] == [old.key.name, new.key.name]
    assert await found(keys, old.key.name) == [("keyring", old.key)]
    assert await found(keys, new.key.name, old.key.name) == [("keyring", key) for key in _by_name(old.key, new.key)]
    await keys.forget(old)
    assert await found(keys, old.key.name, new.key.name) == [("keyring", new.key)]


def _by_name(*keys: Key) -> list[Key]:
    return sorted(keys, key=lambda key: key.name)


@LEAVES_ITS_SOCKET
async def test_a_locked_keyring_is_no_lost_key(file: Path, desktop: DesktopKeyring) -> None:
    keys = MasterKeys(file, None)
    held = await keys.begin(None)
    desktop.state = "locked"
    assert await found(keys, held.key.name, hint="keyring") == []
    assert isinstance(keys.why("keyring", []), VaultLocked)
    desktop.unlock()
    assert await found(keys, held.key.name, hint="keyring") == [("keyring", held.key)]


@LEAVES_ITS_SOCKET
async def test_a_keyring_that_asks_its_owner_is_waited_for_a_moment_only(
    file: Path, desktop: DesktopKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = MasterKeys(file, None)
    held = await keys.begin(None)
    monkeypatch.setattr(master_key, "WITHIN", 0.3)
    desktop.state = "silent"
    for _ in range(3):
        assert await found(keys, held.key.name) == []
        assert "not answered" in keys.why("keyring", []).message
    assert desktop.prompts == 1, "whoever asks again waits for the prompt that is open"
    monkeypatch.setattr(master_key, "WITHIN", 3.0)
    desktop.unlock()
    assert await found(keys, held.key.name) == [("keyring", held.key)]


async def test_a_desktop_that_has_gone_is_no_lost_key(file: Path, desktop: DesktopKeyring) -> None:
    keys = MasterKeys(file, None)
    held = await keys.begin(None)
    await desktop.stop()
    assert await found(keys, held.key.name, hint="keyring") == []
    why = keys.why("keyring", [])
    assert isinstance(why, VaultLocked)
    assert "can be reached" in why.message


@LEAVES_ITS_SOCKET
async def test_a_new_vault_does_not_wait_for_a_locked_keyring(file: Path, desktop: DesktopKeyring) -> None:
    desktop.state = "locked"
    keys = MasterKeys(file, None)
    assert (await keys.begin(None)).source == "file"
    assert "locked" in keys.problems["keyring"].message


async def test_rotation_moves_the_key_from_the_file_into_the_keyring(file: Path, desktop: DesktopKeyring) -> None:
    write_keys(file, [ONE])
    keys = MasterKeys(file, None)
    old = Held(ONE, "file", str(file))
    assert (await keys.begin(old)).source == "keyring"
    await keys.forget(old)
    assert not file.exists()


async def test_the_keyring_is_not_touched_where_the_file_is_known_to_fit(file: Path, desktop: DesktopKeyring) -> None:
    write_keys(file, [ONE])
    async for held in MasterKeys(file, None).candidates([ONE.name], "file"):
        assert held.key == ONE
        break
    assert desktop.asked == 0


def test_no_other_backend_is_ever_taken(file: Path) -> None:
    """Neither one that an installed package, a variable nor a configuration file of keyring's names."""
    code = (
        "import os, sys; os.environ['PYTHON_KEYRING_BACKEND'] = 'keyring.backends.null.Keyring'; "
        "from pointsman.edge import master_key; found = master_key._backend(); "
        "assert found is None, found; assert 'keyring.backends.chainer' not in sys.modules; "
        "assert 'keyring.backends.null' not in sys.modules"
    )
    environment = {"HOME": str(file.parent), "PATH": "/usr/bin:/bin"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, timeout=20)


# Why nothing fits


@pytest.mark.parametrize(
    ("hint", "looked_at", "says"),
    [
        ("file", [], "vault.key, and is not there any more"),
        ("keyring", [], "in your keyring, and is not there any more"),
        ("environment", [], f"in the variable {VARIABLE}, and is not there any more"),
        ("file", ["/x/vault.key"], "/x/vault.key is not the one of this vault"),
    ],
)
def test_a_lost_and_a_wrong_key_are_told_apart(file: Path, hint: str, looked_at: list[str], says: str) -> None:
    why = MasterKeys(file, None).why(hint, looked_at)
    assert isinstance(why, WrongVaultKey)
    assert says in why.message
    assert "kept as it is" in why.advice
    assert isinstance(why, PointsmanError)


def test_a_file_that_is_full_loses_no_key(file: Path) -> None:
    many = [Key((number + 1).to_bytes(32)) for number in range(200)]
    write_keys(file, [*many, ONE])
    assert read_keys(file) == [*many, ONE], "the one in use stands behind those of changes that failed"
    with pytest.raises(StorageError, match="is full"):
        write_keys(file, [*many * 10, ONE])
    assert read_keys(file)[-1] == ONE
    with file.open("a") as more:
        more.write("#" * 70_000)
    with pytest.raises(WrongVaultKey, match="more than 64 KiB"):
        read_keys(file)
