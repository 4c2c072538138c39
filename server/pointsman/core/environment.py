"""The environment of one connection's process: kept as secrets, in memory, for that connection alone.

Must never be stored, logged or shown, nor reach another connection.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pointsman.core.secret import Secret

NAMES_A_SECRET = re.compile(r"(?:^|_)(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD)(?:_\d+)?$", re.IGNORECASE)


class Environment:
    """Variables by name; a key comes out as `Secret`, and only what is asked for as a setting comes out as text.

    What is a secret by its name, or was asked for as one, stays a secret for as long as the connection lives.
    """

    __slots__ = ("__weakref__", "_numbered", "_secrets", "_values")

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._values = dict(values or {})
        self._secrets: dict[str, Secret] = {}
        self._numbered: dict[str, tuple[tuple[str, Secret], ...]] = {}
        for name in self:
            if NAMES_A_SECRET.search(name):
                self.secret(name)

    def __iter__(self) -> Iterator[str]:
        """The names of all variables that are set to something."""
        return (name for name, value in self._values.items() if value)

    def setting(self, name: str) -> str | None:
        """One variable that is no secret, None when it is not set or empty."""
        return self._values.get(name) or None

    def secret(self, name: str) -> Secret | None:
        """One variable that is a secret, None when it is not set or empty."""
        if (known := self._secrets.get(name)) is None and (value := self._values.get(name)):
            known = self._secrets[name] = Secret(value)
        return known

    def numbered(self, name: str) -> tuple[tuple[str, Secret], ...]:
        """A variable and its numbered kin (`NAME`, `NAME_1`, `NAME_2`, … up to the first gap), each with its name."""
        if (known := self._numbered.get(name)) is None:
            known = self._numbered[name] = tuple(self._look_for(name))
        return known

    def _look_for(self, name: str) -> Iterator[tuple[str, Secret]]:
        if first := self.secret(name):
            yield name, first
        number = 1
        while more := self.secret(f"{name}_{number}"):
            yield f"{name}_{number}", more
            number += 1

    def for_program(self, *without: str) -> dict[str, str]:
        """All of it but some, for a program that runs on behalf of this connection."""
        return {name: value for name, value in self._values.items() if name not in without}

    def __repr__(self) -> str:
        return f"Environment({len(self._values)} variables)"
