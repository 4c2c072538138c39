"""The docs name only what exists: functions, files, commands, codes of errors. Run by `make check`."""

from __future__ import annotations

import importlib
import re
import tomllib
from pathlib import Path

import pytest

from pointsman.cli.main import cli
from pointsman.core.configuration import Layer, parse
from pointsman.edge.files import shipped
from pointsman.wire import QUIRKS

ROOT = Path(__file__).parent.parent
FLOORS = "cli|core|daemon|edge|endpoint|entry|forwarder|rpc|service|wire"
PAGES = ["README.md", "CHANGELOG.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES)
def test_functions_exist(page: str) -> None:
    for name in re.findall(rf"`((?:{FLOORS})(?:\.(?!sock|lock|log)\w+)+)`", text(page)):
        assert exists(f"pointsman.{name}"), f"{page} names {name}, which is not there"


@pytest.mark.parametrize("page", PAGES)
def test_files_exist(page: str) -> None:
    folder = (ROOT / page).parent
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", text(page))
    for link in links:
        assert (folder / link).exists(), f"{page} links to {link}, which is not there"
    for path in re.findall(rf"`((?:server/pointsman/)?(?:{FLOORS}|tests|docs|clients)/[\w./-]+\.\w+)`", text(page)):
        places = (ROOT / path, ROOT / "server" / "pointsman" / path)
        assert any(place.exists() for place in places), f"{page} names {path}, which is not there"


@pytest.mark.parametrize("page", PAGES)
def test_commands_exist(page: str) -> None:
    for name in re.findall(r"(?:^|/|\s)pointsman ([a-z]+)\b", code(page), re.MULTILINE):
        assert name in cli.commands, f"{page} tells people to run `pointsman {name}`, which is not there"
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for name in re.findall(r"\bmake ([a-z]+)", code(page)):
        assert name in targets, f"{page} tells people to run `make {name}`, which is not there"


@pytest.mark.parametrize("page", PAGES)
def test_configuration_reads(page: str) -> None:
    for block in re.findall(r"```toml\n(.*?)```", text(page), re.DOTALL):
        if "language-server" in block:
            continue  # an editor's own file
        tomllib.loads(block)
        problems = parse([*shipped(), Layer(page, block)], QUIRKS).problems
        assert not problems, f"{page} shows a configuration that is wrong: {problems}"


def text(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


def code(page: str) -> str:
    """What a page shows as code: blocks, and spans in its lines."""
    found = re.findall(r"```sh\n(.*?)```|`([^`\n]+)`", text(page), re.DOTALL)
    return "\n".join(block or span for block, span in found)


def exists(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False
