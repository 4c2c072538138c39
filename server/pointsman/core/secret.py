"""Holds a secret so that it can't be shown by accident, and takes secrets out of words that are on their way out.

Must never know where a secret comes from or goes to; only the functions of `edge` listed in docs/security.md reveal
one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Self
from weakref import WeakValueDictionary

SHOWN = 8
"""Characters of a secret that a mask shows at most; never more than half of them."""
SHORTEST = 8
"""Characters from which on a secret is looked for in other words: a shorter one stands in many by chance."""
KEY_LIKE = re.compile(r"(?i)\b(?:(?:sk|pk|gsk|xai|key|rk)-|gsk_)[\w-]{8,}|\bAIza[\w-]{20,}|\bbearer\s+\S+")


class Secret:
    """A string that prints, formats and compares without showing itself, and that no encoder accepts.

    Equal ones are one object, so that all that are alive can be found: `hide` looks for them.
    """

    __slots__ = ("__weakref__", "_value")
    _value: str

    def __new__(cls, value: str) -> Self:
        """The one of that value."""
        if (known := _alive.get(value)) is None:
            known = super().__new__(cls)
            known._value = value
            _alive[value] = known
        return known  # type: ignore[return-value]  # nothing is derived from it

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


_alive: WeakValueDictionary[str, Secret] = WeakValueDictionary()
"""Those that somebody still holds; the only state of a module's own here, and gone with them."""


def alive() -> list[Secret]:
    """Every secret that somebody holds now."""
    found = (reference() for reference in _alive.valuerefs())  # a list of its own: safe from any thread
    return [secret for secret in found if secret is not None]


def hide(text: str, secrets: Iterable[Secret] | None = None) -> str:
    """The text with a mask for each secret that stands in it: of those given, else of all that are alive."""
    found = [secret for secret in (alive() if secrets is None else secrets) if secret._value in text]
    for secret in sorted(found, key=lambda each: len(each._value), reverse=True):  # one may hold another
        if len(secret._value) >= SHORTEST:
            text = text.replace(secret._value, secret.mask())
    return text


def hide_key_like(text: str, secrets: Iterable[Secret] | None = None) -> str:
    """The same, and with a mask for whatever looks like a key, whosever it is."""
    return KEY_LIKE.sub(lambda found: found[0][:4] + "…", hide(text, secrets))


def hide_within(value: Any) -> Any:
    """Plain values with `hide` done to all of their texts: those of lists and of tables, their names too."""
    match value:
        case str():
            return hide(value)
        case dict():
            return {hide_within(name): hide_within(each) for name, each in value.items()}
        case list() | tuple():
            return [hide_within(each) for each in value]
    return value
