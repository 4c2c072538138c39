"""The docs name only what exists: functions, files, commands, codes of errors. Run by `make check`."""

from __future__ import annotations

import importlib
import re
import tomllib
from pathlib import Path

import pytest

from pointsman.cli.main import cli
from pointsman.core.catalogue import SCHEMES
from pointsman.core.configuration import parse
from pointsman.core.layers import Layer
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
        if "language-server" in block or "[project" in block:
            continue  # another program's own file
        tomllib.loads(block)
        shout = importlib.import_module("tests.plugins.sample_plugin.pointsman_sample.shout")
        problems = parse(
            [*shipped(), Layer(page, block)], QUIRKS | {"shout": shout.Quirks}, SCHEMES | {"stamp"}
        ).problems
        assert not problems, f"{page} shows a configuration that is wrong: {problems}"


def test_the_page_about_plugins_shows_what_works() -> None:
    """What it shows is from the sample package, which is installed and used in `tests/daemon/test_plugins.py`."""
    sample = ROOT / "tests" / "plugins" / "sample_plugin"
    whole = "\n".join(path.read_text() for path in sorted(sample.glob("pointsman_sample/*.py")))
    blocks = re.findall(r"```python\n(.*?)```", text("docs/plugins.md"), re.DOTALL)
    assert len(blocks) == 3
    assert [block for block in blocks if block not in whole] == []
    (named,) = [
        block for block in re.findall(r"```toml\n(.*?)```", text("docs/plugins.md"), re.DOTALL) if "[proj" in block
    ]
    mine = tomllib.loads((sample / "pyproject.toml").read_text())["project"]["entry-points"]
    for group, entries in tomllib.loads(named)["project"]["entry-points"].items():
        assert entries.items() <= mine[group].items()


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
