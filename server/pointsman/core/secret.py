"""Holds a secret so that it can't be shown by accident.

Must never know where a secret comes from or goes to; only the functions of `edge` listed in docs/security.md reveal
one.
"""

from __future__ import annotations

SHOWN = 8
"""Characters of a secret that a mask shows at most; never more than half of them."""


class Secret:
    """A string that prints, formats and compares without showing itself, and that no encoder accepts."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself. Called in `edge` alone, on the way into a request or into a sealed store."""
        return self._value

    def mask(self) -> str:
        """What people may see of it: at most its first eight characters, never more than half."""
        return self._value[: min(SHOWN, len(self._value) // 2)] + "…"

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a Secret is never pickled or copied out of the process")
