"""Draws docs/pictures/cli-*.svg: real commands in a real terminal. Run it as `python -m tests.pictures`.

Must never show a path of the machine that it runs on, nor name a font that would have to be fetched.
"""

from __future__ import annotations

import io
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from tests.cli.shell import Shell
from tests.living import Home

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
FORMAT = re.sub(r"\s*@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
COLUMNS = 112
CONFIGURATION = """\
[aliases]
quick = "echo:echo"

[chains]
coding = ["openrouter:claude-sonnet-4", "ollama:qwen3-coder"]

[providers.openrouter]
timeout = { first_event = 60 }
"""
Typed = tuple[str, str]
"""What a command asks, and what is typed then."""
SCENES: Mapping[str, Sequence[tuple[tuple[str, ...], Sequence[Typed]]]] = {
    "chat": [(("chat", "-m", "quick", "What is a pointsman?"), ())],
    "use": [(("use",), [("Enter leaves it as it is: ", "slow\n"), ("Enter takes echo:slow: ", "\n")])],
    "providers": [(("providers",), ())],
    "config": [
        (("config", "show", "providers.openrouter"), ()),
        (("config", "check"), ()),
    ],
}
"""By picture: its commands, each with what is typed."""


def main() -> None:
    """Draws them all."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home", TZ="UTC")
        shell = Shell(home)
        shell.configure(CONFIGURATION)
        try:
            for name, commands in SCENES.items():
                text = "\n".join(_played(shell, words, typed) for words, typed in commands)
                _draw(name, text.replace(str(home.folder), "~").replace("\r\n", "\n"))
        finally:
            home.close()


def _played(shell: Shell, words: tuple[str, ...], typed: Sequence[Typed]) -> str:
    """What a terminal shows of a command, from the prompt on."""
    terminal = shell.terminal(*words, columns=COLUMNS, OPENROUTER_API_KEY="not-a-key")
    for asked, keys in typed:
        terminal.shows(asked)
        terminal.types(keys)
    terminal.ends()
    spoken = " ".join(f'"{word}"' if " " in word else word for word in words)
    return f"\x1b[1m$ pointsman {spoken}\x1b[0m\n{terminal.seen}"


def _draw(name: str, text: str) -> None:
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), highlight=False)
    console.print(Text.from_ansi(text))
    drawn = console.export_svg(title="pointsman", code_format=FORMAT, unique_id=f"cli-{name}")
    (PICTURES / f"cli-{name}.svg").write_text("\n".join(line.rstrip() for line in drawn.splitlines()) + "\n")


if __name__ == "__main__":
    main()
