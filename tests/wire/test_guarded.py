"""A dialect of a plugin behind its wall: it fits or it is refused, and what it raises comes out as our error."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from msgspec import Struct

from pointsman.core.catalogue import Provider
from pointsman.core.chat import Conversation, ErrorSeen, Message, StopSeen, TextDelta
from pointsman.core.errors import BadRequest, Overloaded, PluginFailed
from pointsman.core.http import Head, Request
from pointsman.core.models import ModelPage
from pointsman.wire import echo
from pointsman.wire.guarded import Guarded, Misfit, fault
from tests.each import each

PROVIDER = Provider(id="p", base_url="http://h")
ASKED = Conversation((Message("user", "Hello!"),))


class Loose(Struct):
    """Quirks that take any name."""


class Demanding(Struct, forbid_unknown_fields=True):
    """Quirks that can't be left out."""

    mark: str


class Log:
    """What was reported."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    def __call__(self, doing: str, error: BaseException) -> PluginFailed:
        self.said.append((doing, type(error).__name__))
        return PluginFailed(f"It failed in {doing}.")


def dialect(**changes: Any) -> Any:
    """The built-in dialect with some of it changed; None takes it away."""
    whole = {name: getattr(echo, name) for name in ("Quirks", "request", "reader", "error", "models_request", "models")}
    return SimpleNamespace(**{name: value for name, value in (whole | changes).items() if value is not None})


def raising(error: BaseException) -> Any:
    def call(*_: Any) -> Any:
        raise error

    return call


def giving(value: Any) -> Any:
    return lambda *_: value


@each(
    ("wire", "reason"),
    [
        (echo, None),
        (dialect(), None),
        (dialect(request=None), "it has no function `request`"),
        (dialect(models=7), "it has no function `models`"),
        (dialect(Quirks=None), "it has no `Quirks`"),
        (dialect(Quirks=dict), "it has no `Quirks`"),
        (dialect(Quirks=Loose), "does not refuse unknown names"),
        (dialect(Quirks=Demanding), "can't be left out: Object missing required field `mark`"),
    ],
)
def test_what_is_a_dialect(wire: Any, reason: str | None) -> None:
    found = fault(wire)
    assert found == reason if reason is None else reason in (found or "")


def test_a_dialect_behind_the_wall_does_what_it_did() -> None:
    log = Log()
    page, request = ModelPage(()), Request("GET", "http://h/models")
    wall = Guarded(dialect(models_request=giving(request), models=giving(page)), log)
    assert wall.Quirks is echo.Quirks
    assert wall.request(PROVIDER, "m", ASKED) == (echo.request(PROVIDER, "m", ASKED)[0], [])
    assert wall.models_request(PROVIDER) is request
    assert Guarded(dialect(), log).models_request(PROVIDER) is None
    assert wall.models(PROVIDER, b"") is page
    assert wall.error(PROVIDER, Head(500), b"").code == "BadReply"
    reader = wall.reader(PROVIDER)
    assert reader.linger is None
    assert reader.feed(b'{"text":"hi"}\n{"stop":"end"}\n') == [TextDelta("hi"), StopSeen("end")]
    assert reader.close() == []
    assert {reader.linger} == {0.0}
    assert log.said == []


BAD = [ValueError("hi"), SystemExit(3), KeyboardInterrupt()]


@each("error", BAD)
@each("name", ["request", "reader", "models_request", "models"])
def test_what_it_raises_is_reported_and_comes_out_as_ours(name: str, error: BaseException) -> None:
    log = Log()
    wall = Guarded(dialect(**{name: raising(error)}), log)
    given = {"request": (PROVIDER, "m", ASKED), "models": (PROVIDER, b"")}.get(name, (PROVIDER,))
    with pytest.raises(PluginFailed):
        getattr(wall, name)(*given)
    assert log.said == [(name, type(error).__name__)]


@each(
    ("name", "value"),
    [
        ("request", None),
        ("request", ("no request", ())),
        ("request", (Request("GET", "http://h"), ["no notice"])),
        ("models_request", "no request"),
        ("models", []),
    ],
)
def test_what_it_gives_back_must_fit(name: str, value: Any) -> None:
    log = Log()
    wall = Guarded(dialect(**{name: giving(value)}), log)
    given = {"request": (PROVIDER, "m", ASKED), "models": (PROVIDER, b"")}.get(name, (PROVIDER,))
    with pytest.raises(PluginFailed):
        getattr(wall, name)(*given)
    ((doing, _),) = log.said
    assert doing == name


def test_errors_of_ours_come_out_as_they_are() -> None:
    log, ours = Log(), BadRequest("This can't be sent.")
    with pytest.raises(BadRequest) as caught:
        Guarded(dialect(request=raising(ours)), log).request(PROVIDER, "m", ASKED)
    assert caught.value is ours
    assert log.said == []


@each("given", [raising(ValueError()), giving("no error")])
def test_an_error_that_can_not_be_read_is_still_an_error(given: Any) -> None:
    wall = Guarded(dialect(error=given), Log())
    assert isinstance(wall.error(PROVIDER, Head(500), b""), PluginFailed)
    over = Overloaded("Try later.")
    assert Guarded(dialect(error=giving(over)), Log()).error(PROVIDER, Head(500), b"") is over


class Bad:
    """A reader that raises, or gives back what it must not."""

    def __init__(self, given: Any) -> None:
        self.feed = self.close = given
        self._given = given

    @property
    def linger(self) -> Any:
        """The same."""
        return self._given()


@each("given", [raising(ValueError()), giving(None), giving("text"), giving([1])])
def test_a_reader_raises_nothing(given: Any) -> None:
    log = Log()
    reader = Guarded(dialect(reader=giving(Bad(given))), log).reader(PROVIDER)
    for readings in (reader.feed(b"x"), reader.close()):
        (seen,) = readings
        assert isinstance(seen, ErrorSeen)
        assert isinstance(seen.error, PluginFailed)
    assert [doing for doing, _ in log.said] == ["feed", "close"]


def test_how_long_to_linger_must_be_a_number() -> None:
    log = Log()
    reader = Guarded(dialect(reader=giving(Bad(giving("long")))), log).reader(PROVIDER)
    assert reader.linger is None
    assert log.said == [("linger", "ValueError")]


def test_a_misfit_says_what_was_given() -> None:
    said: list[str] = []

    def report(_: str, error: BaseException) -> PluginFailed:
        assert isinstance(error, Misfit)
        said.append(str(error))
        return PluginFailed("")

    with pytest.raises(PluginFailed):
        Guarded(dialect(models=giving([])), report).models(PROVIDER, b"")
    assert said == ["it gave back list"]
