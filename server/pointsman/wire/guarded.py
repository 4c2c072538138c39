"""A dialect that somebody else wrote, behind a wall: whatever it raises or gives back, its caller sees our errors.

Must never be put around a dialect of ours: those are tested, and need no wall.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from pointsman.core.catalogue import Provider
from pointsman.core.chat import Conversation, ErrorSeen, Notice, Reading
from pointsman.core.errors import PluginFailed, PointsmanError
from pointsman.core.http import Head, Request
from pointsman.core.models import ModelPage
from pointsman.wire import Reader

Report = Callable[[str, BaseException], PluginFailed]
"""Notes what a plugin did wrong, and while doing what; gives the error that says so."""

FUNCTIONS = ("request", "reader", "error", "models_request", "models")
T = TypeVar("T")


_READING: Any = Reading


class Misfit(Exception):
    """A plugin gave back what it must not. The text is ours: it holds nothing of a conversation."""


def fault(wire: object) -> str | None:
    """What keeps this from being a dialect; None when it fits `Wire`."""
    for name in FUNCTIONS:
        if not callable(getattr(wire, name, None)):
            return f"it has no function `{name}`"
    quirks = getattr(wire, "Quirks", None)
    if not isinstance(quirks, type) or not issubclass(quirks, Struct):
        return "it has no `Quirks`, a msgspec Struct"
    if not quirks.__struct_config__.forbid_unknown_fields:
        return "its `Quirks` does not refuse unknown names (`forbid_unknown_fields=True`)"
    try:
        msgspec.convert({}, quirks)
    except msgspec.ValidationError as error:
        return f"its `Quirks` can't be left out: {error}"
    return None


class Guarded:
    """A dialect that fits `Wire`, whatever is behind it."""

    def __init__(self, wire: Any, report: Report) -> None:
        self._wire, self._report = wire, report

    @property
    def Quirks(self) -> type[Struct]:
        """Those of the dialect behind."""
        quirks: type[Struct] = self._wire.Quirks
        return quirks

    def request(self, provider: Provider, model: str, conversation: Conversation) -> tuple[Request, Sequence[Notice]]:
        """Its request. Raises PluginFailed, or what it raises of ours."""

        def ask() -> tuple[Request, Sequence[Notice]]:
            request, notices = self._wire.request(provider, model, conversation)
            _check(request, Request)
            return request, [_check(notice, Notice) for notice in notices]

        return _kept(ask, "request", self._report)

    def reader(self, provider: Provider) -> Reader:
        """Its reader, behind a wall as well."""
        return _GuardedReader(_kept(lambda: self._wire.reader(provider), "reader", self._report), self._report)

    def error(self, provider: Provider, head: Head, body: bytes) -> PointsmanError:
        """What it makes of an error; never raises."""
        try:
            return _kept(lambda: _check(self._wire.error(provider, head, body), PointsmanError), "error", self._report)
        except PointsmanError as error:
            return error

    def models_request(self, provider: Provider, page: str | None = None) -> Request | None:
        """Its request for models. Raises PluginFailed, or what it raises of ours."""

        def ask() -> Request | None:
            request = self._wire.models_request(provider, page)
            return None if request is None else _check(request, Request)

        return _kept(ask, "models_request", self._report)

    def models(self, provider: Provider, body: bytes) -> ModelPage:
        """Its models. Raises PluginFailed, or what it raises of ours."""
        return _kept(lambda: _check(self._wire.models(provider, body), ModelPage), "models", self._report)


class _GuardedReader:
    def __init__(self, reader: Any, report: Report) -> None:
        self._reader, self._report = reader, report

    def feed(self, chunk: bytes) -> list[Reading]:
        return self._readings(lambda: self._reader.feed(chunk), "feed")

    @property
    def linger(self) -> float | None:
        try:
            return _kept(self._linger, "linger", self._report)
        except PointsmanError:
            return None

    def close(self) -> list[Reading]:
        return self._readings(self._reader.close, "close")

    def _linger(self) -> float | None:
        seconds = self._reader.linger
        return None if seconds is None else float(seconds)

    def _readings(self, read: Callable[[], Any], doing: str) -> list[Reading]:
        try:
            return _kept(lambda: [_check(reading, _READING) for reading in read()], doing, self._report)
        except PointsmanError as error:
            return [ErrorSeen(error)]


def _kept(call: Callable[[], T], doing: str, report: Report) -> T:
    """What a call gives; anything it raises that is not ours is reported, and comes out as PluginFailed."""
    try:
        return call()
    except PointsmanError:
        raise
    except BaseException as error:  # a plugin's `sys.exit` must not end the daemon; nothing of ours comes this way
        raise report(doing, error) from None


def _check(value: Any, kind: type[T]) -> T:
    """A value that is of the kind that it should be."""
    if not isinstance(value, kind):
        raise Misfit(f"it gave back {type(value).__name__}")
    return value
