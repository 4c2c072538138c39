"""The state on disk: what was confirmed is there, whatever happens; what can't be written is told and harms nothing."""

from __future__ import annotations

import asyncio
import itertools
import random
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from pointsman.core.errors import StorageError
from pointsman.core.selection import Author, Choice
from pointsman.edge import database, database_file
from pointsman.edge import store as module
from pointsman.edge.database_file import damage
from pointsman.edge.store import SCHEMA, Store
from tests.edge.store_writer import numbered
from tests.rights import without_rights

WRITER = Path(__file__).with_name("store_writer.py")
ONE = Choice("global", "", "p:m", 1, Author("Neovim", "w1"), "2026-11-20T10:00:00.000Z")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


def write(path: Path, *choices: Choice) -> None:
    """The whole life of a store that puts some choices."""

    async def live() -> None:
        store = Store(path)
        try:
            for choice in choices:
                await store.put_choice(choice)
        finally:
            await store.close()

    asyncio.run(live())


def stored(path: Path) -> list[Choice]:
    """What a store finds when it is opened."""

    async def live() -> list[Choice]:
        store = Store(path)
        choices = store.choices()
        await store.close()
        return choices

    return asyncio.run(live())


def ask(path: Path, query: str) -> list[tuple[object, ...]]:
    """What another connection sees, or changes."""
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(query).fetchall()


# What was confirmed is there


async def test_a_new_state_is_empty_and_private(path: Path) -> None:
    store = Store(path)
    assert store.choices() == []
    await store.put_choice(ONE)
    assert {file.name for file in path.parent.iterdir()} == {"state.db", "state.db-wal", "state.db-shm"}
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    await store.close()


@pytest.mark.parametrize(
    "choice",
    [
        ONE,
        Choice("workspace", "/home/é 日/x", None, 2, Author("pointsman"), "2026-11-20T10:00:00Z"),
        Choice("window", "w'1\"", "chain:x", 2**40, Author("", None), ""),
    ],
)
def test_a_choice_comes_back_as_it_was(path: Path, choice: Choice) -> None:
    write(path, choice)
    assert stored(path) == [choice]


async def test_of_a_temporary_choice_only_the_number_is_kept(path: Path) -> None:
    store = Store(path)
    assert store.revision() == 0
    await store.put_choice(ONE)
    await store.put_choice(replace(ONE, revision=7, temporary=True))
    assert store.choices() == [ONE]
    assert store.revision() == 7
    await store.close()


async def test_it_is_on_disk_before_it_is_confirmed(path: Path) -> None:
    store = Store(path)
    for number in range(1, 20):
        await store.put_choice(numbered(number))
        assert ask(path, "SELECT count(*) FROM choices") == [(number,)]
    await store.close()


def test_choices_come_in_the_order_of_their_revisions(path: Path) -> None:
    write(path, numbered(3), numbered(1), numbered(7), numbered(2))
    assert [choice.revision for choice in stored(path)] == [1, 2, 3, 7]


def test_a_scope_has_one_choice(path: Path) -> None:
    later = Choice("global", "", None, 2, Author("VS Code"), "later")
    write(path, ONE, numbered(9), later)
    assert stored(path) == [later, numbered(9)]


async def test_many_at_once_are_all_there(path: Path) -> None:
    store = Store(path)
    await asyncio.gather(*(store.put_choice(numbered(n)) for n in range(500)))
    assert store.choices() == [numbered(n) for n in range(500)]
    await store.close()


def trust(path: str, writer: sqlite3.Connection) -> None:
    writer.execute("INSERT INTO trusted VALUES (?, '')", (path,))


async def test_what_nobody_waits_for_is_written_soon(path: Path) -> None:
    store, done, loop = Store(path), asyncio.Event(), asyncio.get_running_loop()

    def work(writer: sqlite3.Connection) -> None:
        trust("/one", writer)
        loop.call_soon_threadsafe(done.set)

    store.database.post(work)
    await asyncio.wait_for(done.wait(), 10)
    await store.close()
    assert ask(path, "SELECT path FROM trusted") == [("/one",)]


@pytest.mark.parametrize("ends", [False, True])
async def test_it_is_written_with_what_somebody_waits_for(
    path: Path, monkeypatch: pytest.MonkeyPatch, ends: bool
) -> None:
    monkeypatch.setattr(database, "FLUSH_DELAY", 60.0)
    store = Store(path)
    for number in range(3):
        store.database.post(partial(trust, f"/{number}"))
    if not ends:
        before = await store.database.write(lambda _: ask(path, "SELECT path FROM trusted"))
        assert before == [], "it is the same transaction: nobody else sees the first of it yet"
        assert len(ask(path, "SELECT path FROM trusted")) == 3
        store.database.post(partial(trust, "/more"))
    await store.close()
    assert len(ask(path, "SELECT path FROM trusted")) == (3 if ends else 4)


async def test_one_that_no_longer_waits_disturbs_nobody(path: Path) -> None:
    store = Store(path)
    impatient = asyncio.get_running_loop().create_task(store.put_choice(numbered(1)))
    await asyncio.sleep(0)
    impatient.cancel()
    await store.put_choice(numbered(2))
    assert store.choices() == [numbered(1), numbered(2)]
    await store.close()


async def test_what_waits_is_written_before_the_end(path: Path) -> None:
    store = Store(path)
    await asyncio.gather(*(store.put_choice(numbered(n)) for n in range(50)), store.close())
    assert len(ask(path, "SELECT 1 FROM choices")) == 50


def test_windows_that_never_came_back_are_forgotten(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STALE_WINDOWS", 3)

    def window(number: int) -> Choice:
        return Choice("window", f"w{number}", "p:m", number, Author("Neovim"), "")

    write(path, ONE, *map(window, range(2, 7)), numbered(7))
    assert stored(path) == [ONE, window(4), window(5), window(6), numbered(7)]


def test_a_process_that_is_killed_loses_nothing_that_was_confirmed(path: Path) -> None:
    with subprocess.Popen([sys.executable, WRITER, "endless", path], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        seen = [int(writer.stdout.readline()) for _ in range(300)]
        writer.kill()
        seen += [int(line) for line in writer.stdout if line.endswith(b"\n")]
    choices = stored(path)
    assert choices[: len(seen)] == [numbered(n) for n in seen]
    assert len(choices) <= len(seen) + 1
    assert not list(path.parent.glob("*.damaged*"))


# What can't be written


def test_a_full_disk_refuses_and_harms_nothing(path: Path) -> None:
    writer = subprocess.run([sys.executable, WRITER, "limited", path], capture_output=True, check=True, timeout=30)
    confirmed = [int(line) for line in writer.stdout.split()]
    assert confirmed[-1] == 10**6
    assert len(confirmed) > 3
    assert stored(path) == [numbered(n) for n in confirmed]


@pytest.mark.parametrize("there_already", [False, True])
def test_a_folder_that_is_read_only_refuses_and_harms_nothing(shared: Path, there_already: bool) -> None:
    path = shared / "state.db"
    if there_already:
        write(path, ONE)
        path.chmod(0o444)
    shared.chmod(0o555)
    with without_rights(), pytest.raises(StorageError, match=str(path)) as refused:
        write(path, numbered(2))
    assert "permission" in refused.value.advice
    shared.chmod(0o755)
    if there_already:
        path.chmod(0o600)
    assert stored(path) == ([ONE] if there_already else [])


def test_where_no_file_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "state.db", tmp_path / "folder", tmp_path / "absent" / "state.db"):
        with pytest.raises(StorageError, match=str(path)):
            Store(path)
    assert list((tmp_path / "folder").iterdir()) == []


async def test_a_choice_that_can_not_be_stored_costs_only_itself(path: Path) -> None:
    store = Store(path)
    with pytest.raises(StorageError, match="could not be written"):
        await store.put_choice(Choice("window", "\ud800", "p:m", 1, Author("x"), ""))
    with pytest.raises(StorageError):
        await store.put_choice(numbered(2**70))
    await store.put_choice(ONE)
    assert store.choices() == [ONE]
    await store.close()


async def test_a_table_that_was_taken_away_is_told(path: Path) -> None:
    store = Store(path)
    ask(path, "DROP TABLE choices")
    with pytest.raises(StorageError, match="no such table"):
        await store.put_choice(ONE)
    await store.close()


# What was there before


def check_set_aside(path: Path) -> None:
    """A damaged state lies beside the new one, as it was."""
    damaged = path.read_bytes()
    write(path, ONE)
    assert stored(path) == [ONE]
    assert path.with_suffix(".damaged").read_bytes() == damaged


@pytest.mark.parametrize("content", [b"not a database at all " * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_state_is_set_aside(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    check_set_aside(path)


def test_damage_further_in_is_found_at_the_start(path: Path) -> None:
    write(path, *map(numbered, range(1000)))
    content = bytearray(path.read_bytes())
    content[3 * 4096 : 5 * 4096] = b"\xff" * (2 * 4096)
    path.write_bytes(content)
    check_set_aside(path)


SAMPLE = random.Random(20).sample(range(4096), 120)
"""Places in the first page, where SQLite keeps how the file and each table were made, and where they lie."""


def flipped_and_opened(path: Path, sound: bytes, place: int, mask: int) -> Path | None:
    """Where a state is set aside that has one byte changed; what is in use then is whole, and takes choices."""
    for old in path.parent.glob("state.*"):
        old.unlink()
    path.write_bytes(sound[:place] + bytes([sound[place] ^ mask]) + sound[place + 1 :])
    damaged = path.read_bytes()

    async def live() -> Path | None:
        store = Store(path)
        try:
            store.choices(), store.revision(), store.trusted(), store.model_lists()
            await store.put_choice(numbered(9))
            assert [row[0] for row in store.database.read("SELECT name FROM vault")] == ["contents"], place
            assert len(store.database.read("SELECT * FROM sealed")) == 3, place
        finally:
            await store.close()
        return store.database.set_aside

    if aside := asyncio.run(live()):
        assert aside.read_bytes() == damaged
    return aside


def state_with_records(path: Path) -> bytes:
    write(path, ONE)
    ask(path, "INSERT INTO vault VALUES ('contents', 'k', 's', x'00', x'01')")
    row = "'p', 'key', 1, 'https://x', 'label', '2026', 'k', x'00', x'01')"
    for number in (1, 2, 3):
        ask(path, f"INSERT INTO sealed VALUES ({number}, 'r{number}', {row}")  # noqa: S608
    ask(path, "PRAGMA wal_checkpoint(TRUNCATE)")
    return path.read_bytes()


def test_whichever_byte_of_the_first_page_is_flipped_what_is_stored_is_kept(path: Path) -> None:
    sound = state_with_records(path)
    masks = itertools.cycle((0xFF, 0x80, 0x01))
    aside = [flipped_and_opened(path, sound, place, mask) for place, mask in zip(SAMPLE, masks, strict=False)]
    assert len(SAMPLE) / 2 < len([each for each in aside if each]) < len(SAMPLE), "most of them matter, but not all"


@pytest.mark.parametrize("place", [18, 19, 47, 60, 63], ids=["writer", "reader", "format", "version", "version's last"])
@pytest.mark.parametrize("mask", [0xFF, 0x40, 0x01])
def test_a_flipped_number_of_the_header_locks_nobody_out(path: Path, place: int, mask: int) -> None:
    flipped_and_opened(path, state_with_records(path), place, mask)


@pytest.mark.parametrize("place", [18, 19, 60, 105])
def test_what_a_kill_has_left_in_the_log_is_kept_as_well(path: Path, place: int) -> None:
    state_with_records(path)
    with closing(sqlite3.connect(path)) as connection:  # what is copied while it is open is what a kill leaves
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        with connection:
            connection.execute(
                "INSERT INTO sealed VALUES (4, 'r4', 'p', 'key', 1, 'https://x', 'label', '2026', 'k', x'00', x'01')"
            )
        main, logged = path.read_bytes(), path.with_name("state.db-wal").read_bytes()
    assert logged
    path.write_bytes(main[:place] + bytes([main[place] ^ 0x40]) + main[place + 1 :])
    path.with_name("state.db-wal").write_bytes(logged)
    path.with_name("state.db-shm").unlink(missing_ok=True)

    async def live() -> None:
        store = Store(path)
        assert [row[0] for row in store.database.read("SELECT id FROM sealed ORDER BY id")] == ["r1", "r2", "r3", "r4"]
        await store.close()

    asyncio.run(live())


def test_a_rescue_that_can_not_be_written_gives_nothing_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = state_with_records(path)
    path.write_bytes(sound[:18] + b"\xff" + sound[19:])
    damaged = path.read_bytes()

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(database_file, "_rescue", full)
        with pytest.raises(StorageError, match="can't be taken over: database or disk is full"):
            Store(path)
    assert path.read_bytes() == damaged
    assert not list(path.parent.glob("state.damaged*"))
    assert flipped_and_opened(path, sound, 18, 0xFF)


def test_the_tables_that_can_be_read_are_kept_when_those_beside_them_were_made_by_another_version(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE of_old (x)")  # so that every table lies elsewhere than in a new state
    sound = state_with_records(path)
    place = sound.index(b"CREATE TABLE trusted") + len("CREATE TAB")
    assert flipped_and_opened(path, sound, place, 0xFF)


def test_words_of_sqlite_that_are_no_text_are_told_all_the_same(path: Path) -> None:
    write(path, ONE)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        broken = b"CREATE T\xb3BLE trusted (path TEXT PRIMARY KEY, hash TEXT NOT NULL) STRICT, WITHOUT ROWID"
        connection.execute("UPDATE sqlite_master SET sql = CAST(? AS TEXT) WHERE name = 'trusted'", (broken,))
    found = damage(path, SCHEMA)
    assert found is not None
    assert "trusted" in found


def test_looking_for_damage_changes_nothing(path: Path) -> None:
    write(path, ONE)
    assert damage(path, SCHEMA) is None
    path.write_bytes(b"not a database\0" * 100)
    assert damage(path, SCHEMA)
    path.unlink()
    with pytest.raises(StorageError):
        damage(path, SCHEMA)
    assert list(path.parent.iterdir()) == []


def test_an_empty_file_is_a_new_state(path: Path) -> None:
    path.touch()
    write(path, ONE)
    assert stored(path) == [ONE]


def test_the_state_of_a_newer_version_is_left_alone(path: Path) -> None:
    write(path, ONE)
    ask(path, "CREATE TABLE later (x)")
    ask(path, f"PRAGMA user_version = {len(SCHEMA) + 1}")
    content = path.read_bytes()
    with pytest.raises(StorageError, match="newer Pointsman") as refused:
        Store(path)
    assert "Upgrade" in refused.value.advice
    assert path.read_bytes() == content
    assert not list(path.parent.glob("*.damaged*"))


def test_an_older_state_is_brought_up_to_date(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(path, ONE)
    monkeypatch.setattr(module, "SCHEMA", (*SCHEMA, "CREATE TABLE later (x)", "CREATE TABLE latest (x)"))
    assert stored(path) == [ONE]
    assert ask(path, "PRAGMA user_version") == [(len(SCHEMA) + 2,)]


async def test_the_state_of_the_first_version_goes_on_counting(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(module, "SCHEMA", SCHEMA[:1])
        await Store(path).close()
    ask(path, "INSERT INTO choices VALUES ('global', '', 'p:m', 9, 'Neovim', NULL, '')")
    store = Store(path)
    assert store.revision() == 9
    await store.close()


def test_bringing_up_to_date_is_all_or_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(path, ONE)
    with monkeypatch.context() as patch:
        patch.setattr(module, "SCHEMA", (*SCHEMA, "CREATE TABLE later (x)", "CREATE NONSENSE"))
        with pytest.raises(StorageError, match="syntax error"):
            Store(path)
    assert ask(path, "PRAGMA user_version") == [(len(SCHEMA),)]
    assert ask(path, "SELECT name FROM sqlite_master WHERE name = 'later'") == []
    assert stored(path) == [ONE]
