"""A file of configuration is replaced at once or not at all, where it really lies."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pointsman.core.errors import StorageError
from pointsman.edge.toml_edit import replace_file
from tests.rights import without_rights


def test_a_new_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "new" / "folder" / "a.toml"
    replace_file(file, "é\r\n")
    assert file.read_bytes() == "é\r\n".encode()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_the_mode_stays(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text("old")
    file.chmod(0o640)
    replace_file(file, "new")
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("new", 0o640)


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    target, middle, link = tmp_path / "dotfiles" / "a.toml", tmp_path / "middle", tmp_path / "link"
    target.write_text("old")
    middle.symlink_to(target)
    link.symlink_to("middle")
    replace_file(link, "new")
    assert (target.read_text(), target.is_symlink()) == ("new", False)
    assert (link.readlink(), middle.readlink()) == (Path("middle"), target)
    assert [file.name for file in target.parent.iterdir()] == ["a.toml"], "nothing is left beside it"


def test_a_link_that_leads_nowhere_yet(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "dotfiles" / "a.toml")
    replace_file(link, "new")
    assert link.is_symlink()
    assert (tmp_path / "dotfiles" / "a.toml").read_text() == "new"


@pytest.fixture
def read_only(shared: Path) -> Iterator[Path]:
    """A folder that holds an old file and takes no new one."""
    (shared / "a.toml").write_text("old")
    shared.chmod(0o555)
    with without_rights():
        yield shared


@pytest.mark.parametrize("file", ["a.toml", "new.toml", "new/a.toml"])
def test_where_nothing_can_be_written_that_is_told(read_only: Path, file: str) -> None:
    with pytest.raises(StorageError, match=f"{read_only}/{file} could not be written: Permission denied") as caught:
        replace_file(read_only / file, "new")
    assert "permissions" in caught.value.advice
    assert [(each.name, each.read_text()) for each in read_only.iterdir()] == [("a.toml", "old")]


def test_whoever_reads_sees_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    """A process that does nothing but replace it is killed, in the middle of whatever it does."""
    file = tmp_path / "a.toml"
    texts = {letter * 200_000 for letter in "ab"}
    code = f"""if True:
        from pathlib import Path
        from pointsman.edge.toml_edit import replace_file
        print("begun", flush=True)
        while True:
            for letter in "ab":
                replace_file(Path({str(file)!r}), letter * 200_000)
    """
    file.write_text("a" * 200_000)
    for _ in range(2):
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as writer:
            assert writer.stdout
            assert writer.stdout.readline()
            for _ in range(50):
                assert file.read_text() in texts
            writer.send_signal(signal.SIGKILL)
        assert file.read_text() in texts
