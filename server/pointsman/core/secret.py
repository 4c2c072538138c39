"""Holds a secret so that it can't be shown by accident, and takes secrets out of words that are on their way out.

Must never know where a secret comes from or goes to; only the functions of `edge` listed in docs/security.md reveal
one.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, Self
from weakref import WeakValueDictionary

SHOWN = 8
"""Characters of a secret that a mask shows at most; never more than half of them."""
SHORTEST = 8
"""Characters from which on a secret is looked for in other words: a shorter one stands in many by chance."""
SHORTEST_KEY = 16
"""Characters from which on a secret is no word, whatever it is made of; a shorter one is none if it has a digit."""
KEY_LIKE = re.compile(r"(?i)\b(?:(?:sk|pk|gsk|xai|key|rk)-|gsk_)[\w-]{8,}|\bAIza[\w-]{20,}|\bbearer\s+\S+")

ENCODED = re.compile(r"%(?:25)*[0-9A-Fa-f]{2}")
"""A byte as a URL says it; one that was put into another URL has its own percent sign encoded."""
PIECE = re.compile(rf"{ENCODED.pattern}|(?s:.)")
RUN = re.compile(r"[A-Za-z0-9_+/-]{10,}")
"""What may be base64 of a secret: of eight bytes, no fewer letters than these are sure, wherever it begins."""
STANDARD = str.maketrans("-_", "+/")
"""From base64's letters for URLs to the usual ones."""
_Span = tuple[int, int, str]
"""From where to where in a text a secret stands, and its mask."""


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

    @property
    def may_be_a_word(self) -> bool:
        """Whether it may be a placeholder, such as `lm-studio` or `no-key`, and stand elsewhere by chance.

        A key is drawn by lot: it is long, or almost always has a digit. A placeholder is a word or two.
        """
        return len(self._value) < SHORTEST_KEY and not any(each.isdigit() for each in self._value)

    def forms(self) -> tuple[str, tuple[str, ...]]:
        """How it reads once percent-decoded, unless that is too short to be looked for; and what stands in the base64
        of any text that holds it, one for each of the three places where it may begin there, none for a short one.
        """
        if self._forms is None:
            whole = self._value.encode("utf-8", "surrogatepass") if len(self._value) >= SHORTEST else b""
            plain = _decoded(self._value)
            own = plain if len(plain) >= SHORTEST else self._value
            self._forms = own, tuple(_inside(whole, at) for at in range(3)) if whole else ()
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
    read = _Read(text)
    return read.masked(span for secret in read.held(secrets) for span in read.whole(secret))


def standing_in(text: str, secrets: Iterable[Secret] | None = None) -> list[Secret]:
    """The secrets that stand in a text: of those given, else of all that are alive.

    They may stand there as they are, percent-encoded in whole or in part, or in base64, also with a user's name.
    """
    return _Read(text).held(secrets)


def hide_whole_or_cut(text: str, secret: Secret) -> str:
    """The text with a mask for one secret, however short, and also where it ends in the middle: quotes are cut."""
    if not secret:
        return text
    read = _Read(text)
    return read.masked([*read.whole(secret), *read.cut(secret)])


class _Read:
    """A text that was read once, for all the secrets that may stand in it.

    `plain` is how it reads once percent-decoded (what is beyond ASCII stays bytes); `letters` the same with base64's
    usual letters.
    """

    def __init__(self, text: str) -> None:
        self.text = self.plain = text
        self._places: Sequence[int] = range(len(text) + 1)
        if ENCODED.search(text):
            pieces = PIECE.findall(text)
            self.plain = "".join(each if len(each) == 1 else chr(int(each[-2:], 16)) for each in pieces)
            self._places = list(accumulate(map(len, pieces), initial=0))
        self.letters = self.plain.translate(STANDARD)

    def held(self, secrets: Iterable[Secret] | None) -> list[Secret]:
        """The secrets that stand in it: of those given, else of all that are alive."""
        runs, found = RUN.findall(self.plain), []
        letters, longest = " ".join(runs).translate(STANDARD), max(map(len, runs), default=0)
        for secret in alive() if secrets is None else secrets:
            value, size = secret._value, len(secret._value)
            if size >= SHORTEST and (
                value in self.text
                or ((self.plain is not self.text or "%" in value) and secret.forms()[0] in self.plain)
                or (size * 4 // 3 - 1 <= longest and any(each in letters for each in secret.forms()[1]))
            ):
                found.append(secret)
        return found

    def whole(self, secret: Secret) -> Iterator[_Span]:
        """Where one secret stands, in any form."""
        for words, form, _ in self._ways(secret):
            at = words.find(form)
            while at >= 0:
                yield self._span(words, at, at + len(form), secret)
                at = words.find(form, at + len(form))

    def cut(self, secret: Secret) -> Iterator[_Span]:
        """Where the text ends in the middle of one secret, and what is there says more of it than its mask."""
        for words, form, least in self._ways(secret):
            for end in (len(words), words.rfind("%", -2)):  # also within an encoded byte
                sizes = range(min(len(form) - 1, end), least - 1, -1)
                if size := next((size for size in sizes if words.endswith(form[:size], 0, end)), 0):
                    yield self._span(words, end - size, len(words), secret)

    def masked(self, spans: Iterable[_Span]) -> str:
        """The text with a mask for each of these; of those that overlap nothing is left but the mask of the first."""
        kept, at = list[str](), 0
        for start, end, mask in sorted(spans, key=lambda span: (span[0], -span[1])):
            if start >= at:
                kept += self.text[at:start], mask
            at = max(at, end)
        return "".join(kept) + self.text[at:]

    def _ways(self, secret: Secret) -> Iterator[tuple[str, str, int]]:
        """What to look for in which words, and how much of its beginning says more than the mask does."""
        (own, in_base64), least = secret.forms(), len(secret.mask())
        yield self.text, secret._value, least
        if self.plain is not self.text or "%" in secret._value:
            yield self.plain, own, least
        for each in in_base64:
            yield self.letters, each, least * 8 // 6

    def _span(self, words: str, start: int, end: int, secret: Secret) -> _Span:
        places = range(len(words) + 1) if words is self.text else self._places
        return places[start], places[end], secret.mask()


def _decoded(text: str) -> str:
    return ENCODED.sub(lambda found: chr(int(found[0][-2:], 16)), text)


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
