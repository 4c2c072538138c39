"""The vault: what was put is there again, here and on another machine; a change is whole or not at all."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from pointsman.core.errors import (
    BadRequest,
    CredentialError,
    StorageError,
    UnknownCredential,
    VaultError,
    WrongVaultKey,
)
from pointsman.core.secret import Secret
from pointsman.core.stored import Record
from pointsman.edge import portable, seal
from pointsman.edge.master_key import FILE, MasterKeys
from pointsman.edge.sealed_store import SealedStore
from pointsman.service import vault as vault_module
from tests.counterparts.desktop_keyring import DesktopKeyring
from tests.service.vault_kit import ALL, HOME, SIGNED_IN, TOKENS, TYPED, change, filled, living


@pytest.fixture(autouse=True)
def _no_desktop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """A passphrase that costs next to nothing."""
    monkeypatch.setattr(portable, "SCRYPT_N", 2)
    monkeypatch.setattr(seal.key_of_passphrase, "__defaults__", (2,))


# Every day


async def test_what_was_put_is_there_again_in_its_order(tmp_path: Path) -> None:
    await filled(tmp_path)
    async with living(tmp_path) as kit:
        assert kit.vault.all() == list(ALL)
        assert kit.vault.of("corp") == [TYPED, HOME]
        assert (kit.vault.get("r3"), kit.vault.get("r9"), kit.vault.of("none")) == (SIGNED_IN, None, [])
        assert kit.changed == ["corp", "chat"]
        status = kit.vault.status
        assert (status.state, status.records, status.damaged, status.notes) == ("open", 3, (), ())
        assert (status.source, status.where) == ("file", str(tmp_path / FILE))


async def test_an_empty_vault_looks_for_no_key(tmp_path: Path) -> None:
    async with living(tmp_path) as kit:
        assert (kit.vault.status.state, kit.vault.all(), kit.vault.trouble) == ("empty", [], None)
    assert not (tmp_path / FILE).exists()


async def test_what_somebody_else_has_changed_is_not_written_over(tmp_path: Path) -> None:
    await filled(tmp_path)
    async with living(tmp_path) as kit:
        again = await kit.vault.put(SIGNED_IN)
        with pytest.raises(UnknownCredential, match="changed meanwhile"):
            await kit.vault.put(SIGNED_IN, if_same=True)
        assert (await kit.vault.put(again, if_same=True)).version == again.version + 1


async def test_a_renewed_token_is_no_news_and_a_refused_one_is(tmp_path: Path) -> None:
    await filled(tmp_path)
    async with living(tmp_path) as kit:
        kit.changed.clear()
        await kit.vault.put(replace(SIGNED_IN, holds=replace(TOKENS, access=Secret("fake-access-two"))))
        assert kit.changed == []
        await kit.vault.put(replace(SIGNED_IN, holds=replace(TOKENS, refused="revoked")))
        await kit.vault.put(replace(TYPED, holds=Secret("sk-fake-new")))
        assert kit.changed == [SIGNED_IN.provider, TYPED.provider]


async def test_what_a_person_enters_is_told_and_no_renewed_token(tmp_path: Path) -> None:
    await filled(tmp_path)
    async with living(tmp_path) as kit:
        entered: list[Record] = []
        kit.vault.entered = entered.append
        await kit.vault.put(replace(SIGNED_IN, holds=replace(TOKENS, access=Secret("fake-access-two"))), if_same=True)
        await kit.vault.add(lambda: TYPED)
        assert entered == [], "it is there already"
        again = replace(SIGNED_IN, holds=replace(TOKENS, access=Secret("fake-access-three")))
        kept = await kit.vault.add(lambda: again)
        content, _ = await kit.vault.exported(Secret("a passphrase"), None)
        await kit.vault.remove("r1")
        await kit.vault.imported(content, Secret("a passphrase"), None)
        assert [record.id for record in entered] == [kept.id, "r1"]


async def test_a_change_counts_and_keeps_its_place(tmp_path: Path) -> None:
    await filled(tmp_path)
    async with living(tmp_path) as kit:
        kit.changed.clear()
        new = await kit.vault.put(replace(TYPED, holds=Secret("sk-fake-new")))
        newer = await kit.vault.put(replace(TYPED, label="renamed", version=77))
        assert (new.version, newer.version) == (2, 3)
        assert kit.changed == ["corp", "corp"]
    async with living(tmp_path) as kit:
        assert kit.vault.of("corp") == [newer, HOME]


async def test_what_was_removed_stays_removed(tmp_path: Path) -> None:
    await filled(tmp_path)
    async with living(tmp_path) as kit:
        kit.changed.clear()
        await kit.vault.remove("r1")
        await kit.vault.remove("r1")
        await kit.vault.remove("never there")
        assert (kit.vault.of("corp"), kit.changed) == ([HOME], ["corp"])
        with pytest.raises(UnknownCredential, match="removed meanwhile"):
            await kit.vault.put(replace(TYPED, holds=Secret("a token that came too late")))
    async with living(tmp_path) as kit:
        assert kit.vault.all() == [HOME, SIGNED_IN]


async def test_a_vault_that_was_emptied_goes_on_with_its_key(tmp_path: Path) -> None:
    await filled(tmp_path, TYPED)
    async with living(tmp_path) as kit:
        await kit.vault.remove("r1")
    key = (tmp_path / FILE).read_text()
    await filled(tmp_path, HOME)
    assert (tmp_path / FILE).read_text() == key
    (tmp_path / FILE).unlink()
    async with living(tmp_path) as kit:
        assert isinstance(kit.vault.trouble, WrongVaultKey)
        assert await kit.vault.discard(None, all=True) == 1
    (tmp_path / FILE).unlink()
    await filled(tmp_path, replace(TYPED, id="r9"))  # nothing was stored: a lost key has lost nothing


async def test_whoever_asked_may_leave_meanwhile(tmp_path: Path) -> None:
    async with living(tmp_path) as kit:
        task = asyncio.get_running_loop().create_task(kit.vault.put(TYPED))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await kit.vault.put(HOME)
        assert kit.vault.all() == [TYPED, HOME]
    async with living(tmp_path) as kit:
        assert kit.vault.all() == [TYPED, HOME]


async def test_many_at_once_are_all_there(tmp_path: Path) -> None:
    async with living(tmp_path) as kit:
        records = [replace(TYPED, id=f"r{number}", label=f"l{number}") for number in range(50)]
        await asyncio.gather(*map(kit.vault.put, records))
        await asyncio.gather(*(kit.vault.put(replace(record, holds=TOKENS)) for record in records))
        assert {record.version for record in kit.vault.all()} == {2}
    async with living(tmp_path) as kit:
        assert [record.id for record in kit.vault.all()] == [record.id for record in records]


async def test_nothing_secret_lies_in_the_folder_in_the_clear(tmp_path: Path) -> None:
    async with living(tmp_path) as kit:
        for record in ALL:
            await kit.vault.put(record)
        await kit.vault.rotate("tests")
        await kit.audit.last(5)
        content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    content += b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"me@corp.example" in content
    for secret in (secret for record in ALL for secret in record.secrets):
        assert secret.reveal()[:8].encode() not in content


# Rotation


async def test_rotation_seals_all_with_another_key(tmp_path: Path) -> None:
    await filled(tmp_path)
    old = (tmp_path / FILE).read_text()
    before = change(tmp_path, "SELECT box FROM sealed")
    async with living(tmp_path) as kit:
        name = kit.vault.status.key
        await kit.vault.rotate("tests")
        assert kit.vault.status.key != name
        assert kit.vault.all() == list(ALL)
        assert [(each.event, each.client) for each in await kit.audit.last(9)] == [("rotated", "tests")]
    assert not set(before) & set(change(tmp_path, "SELECT box FROM sealed"))
    async with living(tmp_path) as kit:
        assert kit.vault.all() == list(ALL)
    assert old.splitlines()[-1] not in (tmp_path / FILE).read_text()
    (tmp_path / FILE).write_text(old)
    async with living(tmp_path) as kit:
        assert isinstance(kit.vault.trouble, WrongVaultKey)


async def test_rotation_leaves_what_is_damaged_as_it_is(tmp_path: Path) -> None:
    await filled(tmp_path)
    change(tmp_path, "UPDATE sealed SET label = 'x' WHERE number = 1")
    (row,) = change(tmp_path, "SELECT * FROM sealed WHERE number = 1")
    async with living(tmp_path) as kit:
        await kit.vault.rotate(None)
    assert change(tmp_path, "SELECT * FROM sealed WHERE number = 1") == [row]
    async with living(tmp_path) as kit:
        assert kit.vault.all() == [HOME, SIGNED_IN]
        assert len(kit.vault.status.damaged) == 1


async def test_there_is_nothing_to_rotate_in_an_empty_vault(tmp_path: Path) -> None:
    async with living(tmp_path) as kit:
        await kit.vault.rotate(None)
        assert kit.vault.status.state == "empty"
    assert not (tmp_path / FILE).exists()


class Stop(Exception):
    """A test interrupts here, as a crash would."""


@pytest.mark.parametrize("on_desktop", [False, True])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", ["begin", "put", "forget", "shed"])
async def test_rotation_may_be_interrupted_at_each_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, desktop: DesktopKeyring, step: str, after: bool, on_desktop: bool
) -> None:
    if not on_desktop:
        monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS")
    await filled(tmp_path)
    where = MasterKeys if step in {"begin", "forget"} else SealedStore
    original = getattr(where, step)

    async def interrupted(*arguments: object) -> object:
        if after:
            await original(*arguments)
        raise Stop

    monkeypatch.setattr(where, step, interrupted)
    async with living(tmp_path) as kit:
        name = kit.vault.status.key
        with pytest.raises(Stop):
            await kit.vault.rotate(None)
    monkeypatch.undo()
    if on_desktop:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", desktop.address)
    else:
        monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    committed = step in {"forget", "shed"} or (step == "put" and after)
    async with living(tmp_path) as kit:
        assert kit.vault.all() == list(ALL)
        assert (kit.vault.status.key != name) is committed
        await kit.vault.rotate(None)
        assert kit.vault.all() == list(ALL)
    async with living(tmp_path) as kit:
        assert kit.vault.all() == list(ALL)


@pytest.mark.parametrize("step", ["forget", "shed"])
async def test_what_is_left_of_the_old_key_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    await filled(tmp_path)

    async def refused(*_: object) -> None:
        raise StorageError("No.")

    monkeypatch.setattr(MasterKeys if step == "forget" else SealedStore, step, refused)
    async with living(tmp_path) as kit:
        await kit.vault.rotate(None)
        assert "seals nothing any more" in " ".join(kit.vault.status.notes)
        assert kit.vault.all() == list(ALL)


async def test_a_change_that_can_not_be_written_changes_nothing(tmp_path: Path) -> None:
    await filled(tmp_path)
    change(tmp_path, "CREATE TRIGGER t BEFORE INSERT ON vault BEGIN SELECT RAISE(ABORT, 'no room'); END")
    async with living(tmp_path) as kit:
        kit.changed.clear()
        name = kit.vault.status.key
        for refused in (kit.vault.put(replace(TYPED, label="x")), kit.vault.remove("r1"), kit.vault.rotate(None)):
            with pytest.raises(StorageError, match="no room"):
                await refused
        assert (kit.vault.all(), kit.changed, kit.vault.status.key) == (list(ALL), [], name)
    async with living(tmp_path) as kit:
        assert (kit.vault.all(), kit.vault.status.key) == (list(ALL), name)
    change(tmp_path, "DROP TRIGGER t")
    async with living(tmp_path) as kit:
        await kit.vault.rotate(None)
        assert kit.vault.all() == list(ALL)


# To another machine


@pytest.fixture
def there(tmp_path: Path) -> Path:
    folder = tmp_path / "there"
    folder.mkdir()
    return folder


@pytest.mark.usefixtures("cheap")
async def test_an_export_is_taken_in_elsewhere(tmp_path: Path, there: Path) -> None:
    await filled(tmp_path)
    async with living(tmp_path) as kit:
        text, records = await kit.vault.exported(Secret("p"), "tests")
        assert records == list(ALL)
        assert {(each.event, each.account) for each in await kit.audit.last(9)} == {
            ("exported", record.label) for record in ALL
        }
    async with living(there) as kit:
        found = await kit.vault.imported(text, Secret("p"), "tests")
        assert (found.added, found.replaced, found.there_already) == (list(ALL), [], [])
        assert kit.changed == ["corp", "chat"]
        again = await kit.vault.imported(text, Secret("p"), None)
        assert (again.added, again.replaced, again.there_already) == ([], [], list(ALL))
        assert [each.event for each in await kit.audit.last(9)] == ["imported"] * 3
    async with living(there) as kit:
        assert kit.vault.all() == list(ALL)


@pytest.mark.usefixtures("cheap")
async def test_an_import_replaces_keeps_and_renames(tmp_path: Path, there: Path) -> None:
    await filled(tmp_path)
    async with living(tmp_path) as kit:
        text, _ = await kit.vault.exported(Secret("p"), None)
    typed_here_too = replace(HOME, id="h1", label="mine")
    same_label = replace(TYPED, id="h2", holds=Secret("sk-fake-another"))
    stale = replace(SIGNED_IN, holds=replace(TOKENS, access=Secret("stale")))
    await filled(there, typed_here_too, same_label, stale)
    async with living(there) as kit:
        found = await kit.vault.imported(text, Secret("p"), None)
        assert [record.id for record in found.there_already] == ["r2"]
        assert [record.id for record in found.replaced] == ["r3"]
        assert [(record.id, record.label) for record in found.added] == [("r1", "work (2)")]
        assert _seen(kit.vault.all()) == {
            "h1": (typed_here_too.holds, 1),
            "h2": (same_label.holds, 1),
            "r1": (TYPED.holds, 1),
            "r3": (TOKENS, 2),
        }


def _seen(records: list[Record]) -> dict[str, object]:
    return {record.id: (record.holds, record.version) for record in records}


@pytest.mark.usefixtures("cheap")
async def test_a_damaged_record_is_mended_by_an_import(tmp_path: Path) -> None:
    await filled(tmp_path)
    async with living(tmp_path) as kit:
        text, _ = await kit.vault.exported(Secret("p"), None)
    change(tmp_path, "UPDATE sealed SET box = x'00' WHERE number = 1")
    async with living(tmp_path) as kit:
        found = await kit.vault.imported(text, Secret("p"), None)
        assert ([record.id for record in found.replaced], len(found.there_already)) == (["r1"], 2)
        assert kit.vault.status.damaged == ()
        assert [record.id for record in kit.vault.all()][-1] == "r1"
    async with living(tmp_path) as kit:
        assert [record.id for record in kit.vault.all()] == ["r1", "r2", "r3"]


@pytest.mark.usefixtures("cheap")
async def test_an_import_takes_back_no_tokens_that_were_renewed_since(tmp_path: Path) -> None:
    await filled(tmp_path)
    async with living(tmp_path) as kit:
        text, _ = await kit.vault.exported(Secret("p"), None)
        later = replace(TOKENS, access=Secret("fake-later"), obtained_at=TOKENS.obtained_at + 1)
        await kit.vault.put(replace(SIGNED_IN, holds=later))
        found = await kit.vault.imported(text, Secret("p"), None)
        assert (len(found.there_already), found.replaced, found.added) == (3, [], [])
        assert kit.vault.get("r3") == replace(SIGNED_IN, holds=later, version=2)


@pytest.mark.usefixtures("cheap")
async def test_a_wrong_passphrase_changes_nothing(tmp_path: Path, there: Path) -> None:
    await filled(tmp_path)
    async with living(tmp_path) as kit:
        text, _ = await kit.vault.exported(Secret("right"), None)
    async with living(there) as kit:
        with pytest.raises(VaultError, match="passphrase does not open"):
            await kit.vault.imported(text, Secret("wrong"), None)
        with pytest.raises(BadRequest):
            await kit.vault.imported(text[:-9], Secret("right"), None)
        assert kit.vault.status.state == "empty"
    assert not (there / FILE).exists()


async def test_only_one_passphrase_is_worked_on_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    busy, most, leave = 0, 0, threading.Event()

    def slow(text: str, passphrase: Secret) -> list[Record]:
        nonlocal busy, most
        busy, most = busy + 1, max(most, busy + 1)
        leave.wait(5)
        busy -= 1
        return []

    monkeypatch.setattr(vault_module, "opened", slow)
    async with living(tmp_path) as kit, asyncio.TaskGroup() as group:
        asked = [group.create_task(kit.vault.imported("", Secret("p"), None)) for _ in range(5)]
        await asyncio.sleep(0)
        asked[0].cancel()  # who asked has left, the work has not ended
        asked[1].cancel()
        await asyncio.wait(asked[:2])
        leave.set()
    assert (busy, most) == (0, 1)


async def test_what_is_made_of_what_is_there_is_made_one_at_a_time(tmp_path: Path) -> None:
    async with living(tmp_path) as kit:

        def made() -> Record:
            number = len(kit.vault.of("corp"))
            return replace(TYPED, id=f"id{number}", label=f"key {number}")

        await asyncio.gather(*(kit.vault.add(made) for _ in range(5)))
        assert [record.label for record in kit.vault.of("corp")] == [f"key {number}" for number in range(5)]
        same = kit.vault.of("corp")[0]
        assert await kit.vault.add(lambda: same) == same, "and its version stays, too"


async def test_a_vault_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await filled(tmp_path)
    monkeypatch.setattr(vault_module, "MOST", 2)
    async with living(tmp_path) as kit:
        with pytest.raises(CredentialError, match="more than 2 credentials"):
            await kit.vault.put(replace(TYPED, id="r4", label="one more"))
        await kit.vault.put(replace(TYPED, label="what is there may change"))
        await kit.vault.remove("r1")
        await kit.vault.remove("r2")
        await kit.vault.put(replace(TYPED, id="r4"))
