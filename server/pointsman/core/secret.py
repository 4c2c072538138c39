"""Holds a secret so that it can't be shown by accident, and takes secrets out of words that are on their way out.

Must never know where a secret comes from or goes to; only the functions of `edge` listed in docs/security.md reveal
one.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from typing import Any, Self
from weakref import WeakValueDictionary

SHOWN = 8
"""Characters of a secret that a mask shows at most; never more than half of them."""
SHORTEST = 8
"""Characters from which on a secret is looked for in other words: a shorter one stands in many by chance."""
KEY_LIKE = re.compile(r"(?i)\b(?:(?:sk|pk|gsk|xai|key|rk)-|gsk_)[\w-]{8,}|\bAIza[\w-]{20,}|\bbearer\s+\S+")

ENCODED = re.compile(r"%(?:25)*[0-9A-Fa-f]{2}")
"""A byte as a URL says it; one that was put into another URL has its own percent sign encoded."""
PIECE = re.compile(rf"{ENCODED.pattern}|(?s:.)")
RUN = re.compile(r"[A-Za-z0-9_+/-]{10,}")
"""What may be base64 of a secret: of eight bytes, no fewer letters than these are sure, wherever it begins."""
STANDARD = str.maketrans("-_", "+/")
"""From base64's letters for URLs to the usual ones."""


class Secret:
    """A string that prints, formats and compares without showing itself, and that no encoder accepts.

    Equal ones are one object, so that all that are alive can be found: `hide` looks for them.
    """

    __slots__ = ("__weakref__", "_forms", "_value")
    _value: str
    _forms: tuple[str, tuple[str, ...]] | None

    def __new__(cls, value: str) -> Self:
        """The one of that value."""
        if (known := _alive.get(value)) is None:
            known = super().__new__(cls)
            known._value, known._forms = value, None
            _alive[value] = known
        return known  # type: ignore[return-value]  # nothing is derived from it

    def reveal(self) -> str:
        """The secret itself. Called in `edge` alone, on the way into a request or into a sealed store."""
        return self._value

    def mask(self) -> str:
        """What people may see of it: at most its first eight characters, never more than half."""
        return self._value[: min(SHOWN, len(self._value) // 2)] + "…"

    def forms(self) -> tuple[str, tuple[str, ...]]:
        """How it reads once percent-decoded; and what stands in the base64 of any text that holds it, one for each of
        the three places where it may begin there, none for a short one.
        """
        if self._forms is None:
            whole = self._value.encode("utf-8", "surrogatepass") if len(self._value) >= SHORTEST else b""
            self._forms = _read(self._value)[1], tuple(_inside(whole, at) for at in range(3)) if whole else ()
        return self._forms

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
    for secret in sorted(standing_in(text, secrets), key=lambda each: len(each._value), reverse=True):  # one in another
        text = _masked(text, secret)
    return text


def standing_in(text: str, secrets: Iterable[Secret] | None = None) -> list[Secret]:
    """The secrets that stand in a text: of those given, else of all that are alive.

    They may stand there as they are, percent-encoded in whole or in part, or in base64, also with a user's name.
    """
    _, plain = _read(text)
    runs, found = RUN.findall(plain), []
    letters, longest = " ".join(runs).translate(STANDARD), max(map(len, runs), default=0)
    for secret in alive() if secrets is None else secrets:
        value, size = secret._value, len(secret._value)
        if SHORTEST <= size <= len(text) and (
            value in text
            or (plain is not text and secret.forms()[0] in plain)
            or (size * 4 // 3 - 1 <= longest and any(each in letters for each in secret.forms()[1]))
        ):
            found.append(secret)
    return found


def hide_whole_or_cut(text: str, secret: Secret) -> str:
    """The text with a mask for one secret, however short, and also where it ends in the middle: quotes are cut."""
    if not secret:
        return text
    text, mask, (own, _) = _masked(text, secret), secret.mask(), secret.forms()
    pieces, plain = _read(text)
    for size in range(min(len(own) - 1, len(plain)), len(mask) - 1, -1):
        if plain.endswith(own[:size]):
            return "".join(pieces[:-size]) + mask
    return text


def _masked(text: str, secret: Secret) -> str:
    text, (own, in_base64) = text.replace(secret._value, secret.mask()), secret.forms()
    for form in (own, *in_base64):
        pieces, plain = _read(text)
        parts, at, kept = (plain.translate(STANDARD) if form in in_base64 else plain).split(form), 0, list[str]()
        for part in parts:
            kept.append("".join(pieces[at : at + len(part)]))
            at += len(part) + len(form)
        text = secret.mask().join(kept)
    return text


def _read(text: str) -> tuple[Sequence[str], str]:
    """The text as it reads once percent-decoded, and what each of its characters was; those beyond ASCII stay bytes."""
    if ENCODED.search(text) is None:
        return text, text
    pieces = PIECE.findall(text)
    return pieces, "".join(each if len(each) == 1 else chr(int(each[-2:], 16)) for each in pieces)


def _inside(whole: bytes, before: int) -> str:
    """What base64 makes of these bytes behind so many others, without letters that depend on what is around."""
    made = b64encode(bytes(before) + whole).decode()
    return made[-(-before * 8 // 6) : (before + len(whole)) * 8 // 6]


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
