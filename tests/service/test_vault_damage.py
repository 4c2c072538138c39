"""What the vault can't open is told, left out and kept: damaged records, and a key that is lost, wrong or locked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pointsman.core.errors import VaultLocked, WrongVaultKey
from pointsman.core.secret import Secret
from pointsman.edge.master_key import FILE
from pointsman.edge.seal import Key
from tests.counterparts.desktop_keyring import LEAVES_ITS_SOCKET, DesktopKeyring
from tests.service.vault_kit import ALL, HOME, SIGNED_IN, TYPED, change, filled, living

KEY, OTHER = Key(b"k" * 32), Key(b"o" * 32)


@pytest.fixture(autouse=True)
def _no_desktop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)


# Damage

COLUMNS = ("number", "id", "provider", "kind", "version", "origin", "label", "added_at", "key", "nonce", "box")


@pytest.mark.parametrize("column", COLUMNS)
async def test_one_flipped_bit_costs_that_record_alone(tmp_path: Path, column: str) -> None:
    await filled(tmp_path)
    ((value,),) = change(tmp_path, f"SELECT {column} FROM sealed WHERE number = 1")  # noqa: S608
    flipped = value ^ 4 if isinstance(value, int) else _flipped(value)
    change(tmp_path, f"UPDATE sealed SET {column} = ? WHERE number = 1", flipped)  # noqa: S608
    rows = change(tmp_path, "SELECT * FROM sealed")
    async with living(tmp_path) as kit:
        status = kit.vault.status
        if column == "key":  # only a hint where to look for the key
            assert (kit.vault.all(), status.damaged) == (list(ALL), ())
            return
        assert kit.vault.all() == [HOME, SIGNED_IN]
        (damaged,) = status.damaged
        assert "damaged" in damaged.reason
        assert (status.state, status.records, kit.vault.trouble) == ("open", 2, None)
        await kit.vault.put(replace(HOME, label="the others go on"))
    assert set(change(tmp_path, "SELECT * FROM sealed")) - set(rows) == set(
        change(tmp_path, "SELECT * FROM sealed WHERE id = 'r2'")
    ), "nothing else was changed, and nothing deleted"


def _flipped(value: str | bytes) -> str | bytes:
    if isinstance(value, str):
        return chr(ord(value[0]) ^ 1) + value[1:]
    return bytes([value[0] ^ 1]) + value[1:]


async def test_swapped_records_are_told(tmp_path: Path) -> None:
    await filled(tmp_path)
    ((one,), (two,)) = change(tmp_path, "SELECT box FROM sealed WHERE number < 3 ORDER BY number")
    change(tmp_path, "UPDATE sealed SET box = ? WHERE number = 1", two)
    change(tmp_path, "UPDATE sealed SET box = ? WHERE number = 2", one)
    async with living(tmp_path) as kit:
        assert kit.vault.all() == [SIGNED_IN]
        assert {(each.id, each.label) for each in kit.vault.status.damaged} == {("r1", "work"), ("r2", "home")}


async def test_whole_rows_that_changed_their_names_are_told(tmp_path: Path) -> None:
    await filled(tmp_path)
    change(tmp_path, "UPDATE sealed SET id = 'x' WHERE id = 'r1'")
    change(tmp_path, "UPDATE sealed SET id = 'r1', label = 'work' WHERE id = 'r2'")
    change(tmp_path, "UPDATE sealed SET id = 'r2', label = 'home' WHERE id = 'x'")
    async with living(tmp_path) as kit:
        assert kit.vault.all() == [SIGNED_IN]
        assert len(kit.vault.status.damaged) == 2


def put_back(folder: Path, row: tuple[object, ...]) -> None:
    change(folder, f"INSERT OR REPLACE INTO sealed VALUES ({', '.join('?' * len(row))})", *row)  # noqa: S608


async def test_an_older_record_that_was_put_back_is_told(tmp_path: Path) -> None:
    await filled(tmp_path)
    (old,) = change(tmp_path, "SELECT * FROM sealed WHERE id = 'r1'")
    async with living(tmp_path) as kit:
        await kit.vault.put(replace(TYPED, holds=Secret("sk-fake-newer")))
    put_back(tmp_path, old)
    for _ in range(2):  # it stays so through changes of others, too
        async with living(tmp_path) as kit:
            assert kit.vault.of("corp")[0].id == "r2"
            (damaged,) = kit.vault.status.damaged
            assert (damaged.id, damaged.reason) == ("r1", "It is an older one that was put back.")
            await kit.vault.put(HOME)


async def test_a_removed_record_that_was_put_back_is_told(tmp_path: Path) -> None:
    await filled(tmp_path)
    (old,) = change(tmp_path, "SELECT * FROM sealed WHERE id = 'r1'")
    async with living(tmp_path) as kit:
        await kit.vault.remove("r1")
    put_back(tmp_path, old)
    async with living(tmp_path) as kit:
        assert kit.vault.all() == [HOME, SIGNED_IN]
        assert kit.vault.status.damaged[0].reason == "It was put back after it had been removed."


async def test_a_record_that_was_taken_away_is_told(tmp_path: Path) -> None:
    await filled(tmp_path)
    change(tmp_path, "DELETE FROM sealed WHERE id = 'r1'")
    async with living(tmp_path) as kit:
        assert kit.vault.all() == [HOME, SIGNED_IN]
        assert [(each.id, each.reason) for each in kit.vault.status.damaged] == [
            ("r1", "It was taken out of the file.")
        ]
        await kit.vault.put(HOME)
        assert await kit.vault.discard(None) == 1
        assert kit.vault.status.damaged == ()
    async with living(tmp_path) as kit:
        assert kit.vault.status.damaged == ()


@pytest.mark.parametrize(
    "statement", ["UPDATE vault SET box = x'00'", "DELETE FROM vault", "UPDATE vault SET nonce = x''"]
)
async def test_a_damaged_list_of_contents_costs_no_record(tmp_path: Path, statement: str) -> None:
    await filled(tmp_path)
    change(tmp_path, statement)
    async with living(tmp_path) as kit:
        assert kit.vault.all() == list(ALL)
        assert "list of contents is damaged" in " ".join(kit.vault.status.notes)
        await kit.vault.put(HOME)
        assert kit.vault.status.notes == ()
    async with living(tmp_path) as kit:
        assert (len(kit.vault.all()), kit.vault.status.notes) == (3, ())


async def test_the_names_of_the_key_may_be_damaged_everywhere(tmp_path: Path) -> None:
    await filled(tmp_path)
    change(tmp_path, "UPDATE vault SET key = 'x', source = 'nowhere'")
    change(tmp_path, "UPDATE sealed SET key = ''")
    async with living(tmp_path) as kit:
        assert kit.vault.all() == list(ALL)


async def test_a_damaged_record_is_mended_by_entering_it_anew_or_discarded(tmp_path: Path) -> None:
    await filled(tmp_path)
    change(tmp_path, "UPDATE sealed SET origin = 'https://evil.example:443' WHERE number < 3")
    async with living(tmp_path) as kit:
        assert len(kit.vault.status.damaged) == 2
        await kit.vault.put(TYPED)
        assert [each.id for each in kit.vault.status.damaged] == ["r2"]
        assert await kit.vault.discard("tests") == 1
        assert {each.id for each in kit.vault.all()} == {"r1", "r3"}
        (noted,) = await kit.audit.last(1)
        assert (noted.event, noted.account, noted.client) == ("removed", "home", "tests")
    async with living(tmp_path) as kit:
        assert (len(kit.vault.all()), kit.vault.status.damaged) == (2, ())


# The key


async def test_a_lost_key_is_told_and_nothing_is_touched(tmp_path: Path) -> None:
    await filled(tmp_path)
    key = tmp_path / FILE
    key.rename(tmp_path / "away")
    rows = change(tmp_path, "SELECT * FROM sealed")
    async with living(tmp_path) as kit:
        assert (kit.vault.all(), kit.vault.status.state, kit.vault.status.records) == ([], "wrongKey", 3)
        assert str(key) in str(kit.vault.trouble)
        for refused in (
            kit.vault.put(replace(TYPED, id="r9")),
            kit.vault.remove("r1"),
            kit.vault.rotate(None),
            kit.vault.exported(Secret("p"), None),
            kit.vault.discard(None),
        ):
            with pytest.raises(WrongVaultKey, match="is not there any more") as told:
                await refused
            assert "Put the right key back" in told.value.advice
        assert not key.exists(), "no new key was begun"
        (tmp_path / "away").rename(key)
        await kit.vault.open()
        assert (kit.vault.all(), kit.vault.trouble) == (list(ALL), None)
        assert kit.changed == ["corp", "chat"]
    assert change(tmp_path, "SELECT * FROM sealed") == rows


@pytest.mark.parametrize("given", [False, True])
async def test_a_wrong_key_is_told_and_nothing_is_touched(tmp_path: Path, given: bool) -> None:
    await filled(tmp_path)
    right = (tmp_path / FILE).read_text()
    (tmp_path / FILE).write_text("" if given else OTHER.text())
    rows = change(tmp_path, "SELECT * FROM sealed")
    async with living(tmp_path, OTHER.text() if given else None) as kit:
        assert isinstance(kit.vault.trouble, WrongVaultKey)
        assert OTHER.text() not in str(kit.vault.trouble)
        with pytest.raises(WrongVaultKey, match="Nothing was changed"):
            await kit.vault.put(replace(TYPED, id="r9"))
    (tmp_path / FILE).write_text(right)
    async with living(tmp_path) as kit:
        assert kit.vault.all() == list(ALL)
    assert change(tmp_path, "SELECT * FROM sealed") == rows


async def test_a_lost_key_can_be_given_up(tmp_path: Path) -> None:
    await filled(tmp_path)
    (tmp_path / FILE).unlink()
    async with living(tmp_path) as kit:
        assert await kit.vault.discard("tests", all=True) == 3
        new = await kit.vault.put(replace(TYPED, id="r9"))
        assert kit.vault.all() == [new]
    async with living(tmp_path) as kit:
        assert kit.vault.all() == [new]


async def test_a_key_of_the_environment_seals_and_is_wanted_again(tmp_path: Path) -> None:
    async with living(tmp_path, KEY.text()) as kit:
        await kit.vault.put(TYPED)
        assert kit.vault.status.source == "environment"
    assert not (tmp_path / FILE).exists()
    async with living(tmp_path) as kit:
        assert "POINTSMAN_VAULT_KEY, and is not there any more" in str(kit.vault.trouble)
    async with living(tmp_path, KEY.text()) as kit:
        assert kit.vault.all() == [TYPED]
        with pytest.raises(WrongVaultKey, match="no new one"):
            await kit.vault.rotate(None)
    async with living(tmp_path, f"{OTHER.text()},{KEY.text()}") as kit:
        assert "rotate" in " ".join(kit.vault.status.notes)
        await kit.vault.rotate(None)
        assert kit.vault.status.notes == ()
    async with living(tmp_path, OTHER.text()) as kit:
        assert kit.vault.all() == [TYPED]
    async with living(tmp_path, KEY.text()) as kit:
        assert isinstance(kit.vault.trouble, WrongVaultKey)


@LEAVES_ITS_SOCKET
async def test_a_locked_keyring_keeps_the_vault_shut_until_it_is_unlocked(
    tmp_path: Path, desktop: DesktopKeyring
) -> None:
    await filled(tmp_path)
    assert not (tmp_path / FILE).exists()
    desktop.state = "locked"
    async with living(tmp_path) as kit:
        assert (kit.vault.all(), kit.vault.status.state) == ([], "locked")
        for refused in (kit.vault.put(replace(TYPED, id="r9")), kit.vault.discard(None, all=True)):
            with pytest.raises(VaultLocked):
                await refused
        desktop.unlock()
        await kit.vault.put(replace(TYPED, id="r9"))
        assert len(kit.vault.all()) == 4
        assert kit.vault.status.source == "keyring"


async def test_a_lost_keyring_is_told(tmp_path: Path, desktop: DesktopKeyring) -> None:
    await filled(tmp_path)
    desktop.items.clear()
    async with living(tmp_path) as kit:
        assert isinstance(kit.vault.trouble, WrongVaultKey)
        assert "your keyring" in kit.vault.trouble.message


async def test_the_name_of_the_key_is_found_wherever_one_is_left(tmp_path: Path, desktop: DesktopKeyring) -> None:
    await filled(tmp_path)
    change(tmp_path, "UPDATE vault SET key = 'x'")
    change(tmp_path, "UPDATE sealed SET key = 'y' WHERE number < 3")
    async with living(tmp_path) as kit:
        assert kit.vault.all() == list(ALL)
