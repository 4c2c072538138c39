"""Configuration from disk: a file that can't be read is told, not raised."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pointsman.core.configuration import parse
from pointsman.core.layers import Layer
from pointsman.edge import files
from pointsman.edge.files import layer, real_path
from pointsman.wire import QUIRKS


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", ""),
        ("# é\n".encode(), "# é\n"),
        (b"\xef\xbb\xbfx = 1", "x = 1"),
        ("a = 'é'\r\n".encode(), "a = 'é'\r\n"),
    ],
)
def test_a_file_is_one_layer(tmp_path: Path, content: bytes, text: str) -> None:
    path = tmp_path / "pointsman.toml"
    path.write_bytes(content)
    assert layer(path) == Layer(str(path), text)
    assert layer(path, "project") == Layer(str(path), text, "project")


@pytest.mark.parametrize("path", ["pointsman.toml", "no-folder/pointsman.toml", "file/pointsman.toml"])
def test_no_file_is_no_layer(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").touch()
    assert layer(tmp_path / path) is None


def check_unreadable(path: Path, reason: str) -> None:
    found = layer(path)
    assert found is not None
    assert (found.origin, found.text, found.unreadable) == (str(path), "", reason)
    (problem,) = parse([found], QUIRKS).problems
    assert reason in problem.message


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    check_unreadable(tmp_path, "Is a directory")


def test_a_loop_of_links_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    check_unreadable(tmp_path / "a", "Too many levels of symbolic links")


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    """Read like one it would never end; and it may lie in a folder that somebody else made."""
    os.mkfifo(tmp_path / "pipe")
    check_unreadable(tmp_path / "pipe", "it is no plain file")


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/ptmx", "/dev/tty"])
def test_a_device_is_no_file(tmp_path: Path, device: str) -> None:
    (tmp_path / "link").symlink_to(device)
    assert "unreadable=''" not in repr(found := layer(tmp_path / "link"))
    assert found is not None
    assert found.unreadable


def test_what_is_not_in_utf_8_is_told_with_its_line(tmp_path: Path) -> None:
    """Else the odd letters would be lost in the file itself, once something is put into it."""
    path = tmp_path / "pointsman.toml"
    path.write_bytes("# fine\n# das hei\xdft nicht UTF-8\n".encode("latin-1"))
    check_unreadable(path, "line 2 is not in UTF-8")


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LARGEST", 10)
    path = tmp_path / "pointsman.toml"
    path.write_text("# 34567890")
    assert layer(path) == Layer(str(path), "# 34567890")
    path.write_text("# 345678901")
    check_unreadable(path, "it has more than 1 MiB")


def test_where_a_path_really_leads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "round").symlink_to("round")
    real = str(tmp_path / "real")
    for path in (real, f"{real}/", f"{tmp_path}//real/.", f"{tmp_path}/link/", "~/link", "~/none/../real"):
        assert real_path(path) == real, path
    assert real_path(f"{tmp_path}/none/") == f"{tmp_path}/none"
    assert real_path("~/") == real_path("~") == str(tmp_path)
    assert real_path("/") == "/"
    assert real_path(f"{tmp_path}/round/x") == f"{tmp_path}/round/x"
    assert real_path(f"/{'x' * 5000}") == f"/{'x' * 5000}"
    assert real_path("/a\0b/") == "/a\0b/", "what can be no path leads nowhere else"
    assert real_path("~nobody/x").endswith("/~nobody/x"), "only one's own home is meant by `~`"
