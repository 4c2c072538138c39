"""The environment of one connection's process: kept as secrets, in memory, for that connection alone.

Must never be stored, logged or shown, nor reach another connection.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pointsman.core.secret import Secret


class Environment:
    """Variables by name; a key comes out as `Secret`, and only what is asked for as a setting comes out as text."""

    __slots__ = ("__weakref__", "_values")

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._values = dict(values or {})

    def __iter__(self) -> Iterator[str]:
        """The names of all variables that are set to something."""
        return (name for name, value in self._values.items() if value)

    def setting(self, name: str) -> str | None:
        """One variable that is no secret, None when it is not set or empty."""
        return self._values.get(name) or None

    def secret(self, name: str) -> Secret | None:
        """One variable that is a secret, None when it is not set or empty."""
        value = self._values.get(name)
        return Secret(value) if value else None

    def numbered(self, name: str) -> list[Secret]:
        """A variable and its numbered kin (`NAME`, `NAME_1`, `NAME_2`, … up to the first gap), without repeats."""
        found = [self.secret(name)]
        number = 1
        while more := self.secret(f"{name}_{number}"):
            found.append(more)
            number += 1
        return list(dict.fromkeys(secret for secret in found if secret is not None))

    def __repr__(self) -> str:
        return f"Environment({len(self._values)} variables)"
