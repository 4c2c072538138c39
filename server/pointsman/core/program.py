"""A run of a program as a value: what a request of a dialect holds whose provider is a program on this machine.

Must never know how a program is started, nor which one it is. What comes from people goes into `input` and `files`
only: a command line is short, and everybody on the machine can read it.
"""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from msgspec import Struct

SCHEME = "program"
"""The scheme of base URLs that name a program: `program://NAME`, looked for in the PATH, or `program:///PATH/OF/IT`."""
FROM_CONNECTION = "env:"
"""How a value in `environment` begins that stands for a variable of the connection: of that name, if it is set."""


class Run(Struct, frozen=True):
    """One run. An argument `{NAME}` stands for the path of the file of that name in `files`.

    `environment` is all that the program gets. `whole` says that its output is short, and is told together with how it
    ended. `install` is what to do where the program is not there.
    """

    program: str
    arguments: tuple[str, ...] = ()
    input: str = ""
    files: dict[str, str] = {}
    environment: dict[str, str] = {}
    whole: bool = False
    install: str = ""


def program_of(base_url: str) -> str:
    """The program that a base URL names: its name, or its path."""
    parts = urlsplit(base_url)
    return unquote(f"{parts.netloc}{parts.path}")
