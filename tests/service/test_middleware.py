"""Middleware: what it may change, what happens when it fails, and that nobody waits for what only listens."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from pointsman.core.catalogue import Problem
from pointsman.core.chat import Conversation, Event, Finished, Message
from pointsman.core.errors import ContentRefused
from pointsman.core.plugin import ChatInfo, RequestInfo
from pointsman.core.receipt import ChatResult
from pointsman.service import middleware
from pointsman.service.chats import Chat
from pointsman.service.middleware import Middlewares
from pointsman.service.plugins import Plugin, Plugins
from tests.service.bench import Bench, Play, Scripted, delta, events, provider, refuses, says, told

FINE = ["one:m", "a", ("end", None)]


def using(*values: Any) -> tuple[Middlewares, Plugins, list[Problem]]:
    """The middleware that these objects are, and what people are told of them."""
    found = [Plugin("middleware", f"m{number}", "pkg", "1", value) for number, value in enumerate(values)]
    plugins, problems = Plugins(found), list[Problem]()
    plugins.on_problem = problems.append
    return Middlewares(plugins), plugins, problems


class Keeping:
    """Keeps all that it hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.results: list[ChatResult | None] = []

    async def on_event(self, event: Event, chat: ChatInfo) -> None:
        """Keeps it."""
        self.heard.append(f"{chat.chat_id} {type(event).__name__}")

    def after_chat(self, result: ChatResult | None, chat: ChatInfo) -> None:
        """Keeps it, and needs no `async` for that."""
        self.results.append(result)


class Changing:
    """Changes what is asked, and says who did so."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked: list[RequestInfo] = []

    async def before_request(self, request: RequestInfo) -> RequestInfo:
        """Adds its name to the system's words and to the headers."""
        self.asked.append(request)
        words = f"{request.conversation.system or ''}{self.name}"
        conversation = msgspec.structs.replace(request.conversation, system=words)
        return replace(request, conversation=conversation, headers={**request.headers, f"x-{self.name}": "1"})


class Raising:
    """Raises in every hook, or in those alone that are named."""

    def __init__(self, error: BaseException, *hooks: str, required: bool = False) -> None:
        self.required = required
        self.calls: list[str] = []
        for hook in hooks:
            setattr(self, hook, self._hook(hook, error))

    def _hook(self, name: str, error: BaseException) -> Any:
        async def hook(*_: Any) -> None:
            self.calls.append(name)
            raise error

        return hook


async def ended(chat: Chat, middlewares: Middlewares) -> list[Any]:
    """What was told in a chat, once its middleware has heard of it as well."""
    said = told(await events(chat))
    await middlewares._tasks.wait(5)
    return said


async def test_without_middleware_a_chat_has_no_companions() -> None:
    middlewares, _, _ = using()
    bench = Bench(Scripted(says("a")), provider("one"))
    assert middlewares.along(bench.begin("one:m")) is None


async def test_one_that_listens_hears_every_event_and_the_end() -> None:
    keeping = Keeping()
    middlewares, _, _ = using(keeping)
    bench = Bench(Scripted(says("a")), provider("one"))
    chat = bench.begin("one:m", middlewares=middlewares)
    assert await ended(chat, middlewares) == FINE
    assert keeping.heard == ["c1 Started", "c1 TextDelta", "c1 Finished"]
    assert keeping.results == [chat.result]


async def test_a_chat_that_fails_has_no_result_to_show() -> None:
    keeping = Keeping()
    middlewares, _, _ = using(keeping)
    await ended(Bench(Scripted(refuses(400)), provider("one")).begin("one:m", middlewares=middlewares), middlewares)
    assert keeping.results == [None]


async def test_a_request_passes_through_each_of_them_in_order() -> None:
    first, second = Changing("first"), Changing("second")
    middlewares, _, _ = using(first, object(), second)
    transport = Scripted(refuses(500), says("a"))
    chat = Bench(transport, provider("two"), provider("one")).begin("two:m", "one:m", middlewares=middlewares)
    await ended(chat, middlewares)
    assert [request.provider for request in first.asked] == ["two", "one"], "each attempt is asked about"
    sent = msgspec.json.decode(transport.requests[1].body)
    assert sent["messages"][0] == {"role": "system", "content": "firstsecond"}
    assert {"x-first", "x-second"} <= transport.requests[1].headers.keys()


FAULTS: dict[str, Any] = {
    "raises": Raising(ValueError("x"), "before_request", "on_event"),
    "raises when it hears": Raising(ValueError("x"), "on_event"),
    "raises at the end": Raising(ValueError("x"), "after_chat"),
    "ends the process": Raising(SystemExit(1), "before_request"),
    "cancels": Raising(asyncio.CancelledError(), "before_request"),
    "refuses to listen": Raising(ContentRefused("no"), "on_event"),
}


@pytest.mark.parametrize("case", FAULTS)
async def test_one_that_fails_costs_the_chat_nothing(case: str) -> None:
    middlewares, plugins, problems = using(FAULTS[case])
    bench = Bench(Scripted(says("a")), provider("one"))
    for number in range(middleware.MOST_FAILURES):
        assert not plugins.found[0].off
        chat = bench.begin("one:m", id=str(number), middlewares=middlewares)
        assert await ended(chat, middlewares) == FINE
    assert plugins.found[0].off, "after so many chats it is off for good"
    assert middlewares.along(bench.chats.get("0")) is None
    assert len(problems) <= 1, "people are told once"


async def test_one_that_failed_is_not_called_again_in_that_chat() -> None:
    raising = Raising(ValueError("x"), "before_request")
    middlewares, _, _ = using(raising)
    bench = Bench(Scripted(refuses(500), says("a")), provider("two"), provider("one"))
    await ended(bench.begin("two:m", "one:m", middlewares=middlewares), middlewares)
    assert raising.calls == ["before_request"]


async def test_one_that_takes_too_long_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(middleware, "HOOK_WITHIN", 0.01)
    over = asyncio.Event()

    class Stubborn:
        async def before_request(self, request: RequestInfo) -> None:
            while not over.is_set():
                try:
                    await over.wait()
                except asyncio.CancelledError:
                    continue

    middlewares, plugins, problems = using(Stubborn())
    try:
        chat = Bench(Scripted(says("a")), provider("one")).begin("one:m", middlewares=middlewares)
        assert await ended(chat, middlewares) == FINE
    finally:
        over.set()
    assert "took longer than 0.01 seconds" in problems[0].message
    await plugins._tasks.wait(5)


async def test_one_that_listens_slowly_delays_nobody() -> None:
    waiting, go_on = asyncio.Event(), asyncio.Event()

    class Slow(Keeping):
        async def on_event(self, event: Event, chat: ChatInfo) -> None:
            waiting.set()
            await go_on.wait()
            await super().on_event(event, chat)

    slow = Slow()
    middlewares, _, _ = using(slow)
    chat = Bench(Scripted(says("a")), provider("one")).begin("one:m", middlewares=middlewares)
    assert told(await events(chat)) == FINE
    await waiting.wait()
    assert slow.heard == []
    go_on.set()
    await middlewares._tasks.wait(5)
    assert len(slow.heard) == 3


async def test_one_that_is_required_lets_nothing_out_when_it_fails() -> None:
    raising = Raising(ValueError("x"), "before_request", required=True)
    middlewares, plugins, _ = using(raising)
    transport = Scripted(says("a"))
    for number in range(middleware.MOST_FAILURES + 1):
        chat = Bench(transport, provider("one")).begin("one:m", id=str(number), middlewares=middlewares)
        assert (await ended(chat, middlewares))[-1] == ("error", "PluginFailed")
    plugins.switch_off(plugins.found[0])
    chat = Bench(transport, provider("one")).begin("one:m", id="off", middlewares=middlewares)
    assert (await ended(chat, middlewares))[-1] == ("error", "PluginFailed")
    assert transport.requests == []


async def test_an_error_of_ours_is_a_refusal() -> None:
    middlewares, plugins, problems = using(Raising(ContentRefused("Not with this word."), "before_request"))
    transport = Scripted(says("a"))
    chat = Bench(transport, provider("one"), provider("two")).begin("one:m", "two:m", middlewares=middlewares)
    said = await ended(chat, middlewares)
    assert said == [
        ("one:m", "ContentRefused", "two:m"),
        ("two:m", "ContentRefused", None),
        ("error", "NoTargetLeft"),
    ]
    assert (transport.requests, plugins.found[0].off, problems) == ([], False, [])


async def test_what_is_given_back_must_fit() -> None:
    class Odd:
        async def before_request(self, request: RequestInfo) -> Any:
            return replace(request, conversation=Conversation((Message("tool", "x"),)))

    middlewares, _, problems = using(Odd())
    chat = Bench(Scripted(says("a")), provider("one")).begin("one:m", middlewares=middlewares)
    assert await ended(chat, middlewares) == FINE
    assert "gave back a conversation that nobody can answer" in problems[0].message


async def test_nothing_given_back_changes_nothing() -> None:
    class Looking:
        def before_request(self, request: RequestInfo) -> None:
            return None

    middlewares, _, problems = using(Looking())
    chat = Bench(Scripted(says("a")), provider("one")).begin("one:m", middlewares=middlewares)
    assert (await ended(chat, middlewares), problems) == (FINE, [])


async def test_starting_and_stopping() -> None:
    calls: list[str] = []

    class Fine:
        def on_start(self) -> None:
            calls.append("start")

        def on_stop(self) -> None:
            calls.append("stop")

    wrong = Raising(OSError("x"), "on_start", "on_stop")
    refusing = Raising(ContentRefused("Not here."), "on_start", "on_stop")
    last = Raising(OSError("x"), "on_stop")
    middlewares, plugins, problems = using(Fine(), wrong, refusing, last, Keeping())
    await middlewares.start()
    assert [plugin.off for plugin in plugins.found] == [False, True, True, False, False]
    await middlewares.stop()
    assert (calls, wrong.calls, refusing.calls, last.calls) == (
        ["start", "stop"],
        ["on_start"],
        ["on_start"],
        ["on_stop"],
    )
    assert [("would not start: Not here." in problem.message) for problem in problems] == [False, True, False]


async def test_what_still_listens_at_the_end_is_not_waited_for_long() -> None:
    keeping = Keeping()
    middlewares, _, _ = using(keeping)
    hang = asyncio.Event()
    bench = Bench(Scripted(Play((delta(content="a"), hang))), provider("one"))
    chat = bench.begin("one:m", middlewares=middlewares)
    await middlewares.stop(within=0.01)
    await bench.tasks.close()
    assert isinstance(chat.finished, Finished)
    assert keeping.results == []
