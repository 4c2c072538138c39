"""Files of configuration on disk: read as they are, or told why not, and replaced at once or not at all."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pointsman.core.configuration import Layer
from pointsman.core.errors import StorageError
from pointsman.edge.files import LARGEST, layer, shipped
from pointsman.edge.toml_edit import replace_file

NOWHERE = "/proc/pointsman-tests"
"""A folder in which nobody can make a file, root included."""


def test_a_file_is_read_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_bytes("a = 'é'\r\n".encode())
    assert layer(file) == Layer(str(file), "a = 'é'\r\n")
    assert layer(file, "project") == Layer(str(file), "a = 'é'\r\n", "project")


@pytest.mark.parametrize("path", ["missing.toml", "no-folder/a.toml", "file/a.toml"])
def test_a_file_that_is_not_there_is_none(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").write_text("")
    assert layer(tmp_path / path) is None


def test_what_can_not_be_read_says_why(tmp_path: Path) -> None:
    folder, latin, big, circle = (tmp_path / name for name in ("folder", "latin", "big", "circle"))
    folder.mkdir()
    latin.write_bytes("# fine\n# \xe9 ist kein UTF-8\n".encode("latin-1"))
    big.write_bytes(b"#" * (LARGEST + 1))
    circle.symlink_to(circle)
    for file, words in ((folder, "directory"), (latin, "line 2 is not in UTF-8"), (big, "1 MiB"), (circle, "symbolic")):
        found = layer(file)
        assert found is not None
        assert found.text == ""
        assert words in (found.unreadable or "")


def test_what_comes_with_pointsman_can_be_read() -> None:
    found = shipped()
    assert all(each.kind == "shipped" and not each.unreadable and each.text for each in found)
    assert {"shipped:ollama.toml", "shipped:openrouter.toml"} <= {each.origin for each in found}


# Replacing one


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


@pytest.mark.parametrize("file", ["a.toml", "folder/a.toml"])
def test_where_nothing_can_be_written_that_is_told(file: str) -> None:
    with pytest.raises(StorageError, match="could not be written") as caught:
        replace_file(Path(NOWHERE, file), "new")
    assert "permissions" in caught.value.advice


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text("old")
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StorageError, match="Permission denied"):
            replace_file(file, "new")
    finally:
        tmp_path.chmod(0o700)
    assert file.read_text() == "old"


def test_whoever_reads_sees_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    """A process that does nothing but replace it is killed again and again, in the middle of whatever it does."""
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
    for _ in range(5):
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as writer:
            assert writer.stdout
            assert writer.stdout.readline()
            for _ in range(50):
                assert file.read_text() in texts
            writer.send_signal(signal.SIGKILL)
        assert file.read_text() in texts
