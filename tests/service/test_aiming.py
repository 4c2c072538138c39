"""Whom a chat asks, given what happened before: keys in turn, the last resort, waits that are kept, seams."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from pointsman.core import attempts
from pointsman.core.chat import AttemptFailed, Conversation, Event, ImagePart, Message, Notice, TextPart, Usage
from pointsman.core.errors import InvalidKey, NoTargetLeft, Overloaded, PointsmanError, QuotaExhausted, RateLimited
from pointsman.core.models import Model
from pointsman.core.routing import Plan, Route, Target
from pointsman.core.secret import Secret
from pointsman.core.turns import GO_ON
from pointsman.edge.credential import Credential
from pointsman.service.chats import Chat
from pointsman.service.health import Asked
from pointsman.service.models import Models
from pointsman.service.reasons import Reasons
from tests.service.bench import (
    HELLO,
    STOP,
    Bench,
    Play,
    Scripted,
    delta,
    events,
    outcomes,
    provider,
    refuses,
    says,
    sse,
    told,
)

BUSY = Overloaded("Full.")
CHAIN = ("one", "two", "three", "four")


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(attempts, "LONGEST_WAIT", 0.002)


def planned(bench: Bench, *ids: str, on_break: Any = "stop", conversation: Conversation = HELLO) -> Plan:
    """The plan for a chain of the model `m` of these providers."""
    targets = tuple(Target(id, "m") for id in ids)
    reasons = Reasons(bench.credentials, bench.health, bench.models, bench.catalogue, bench.environment)
    return reasons.last_resort(reasons.plan(Route("chain:x", targets, "chain x", on_break=on_break), conversation))


def begin(bench: Bench, *ids: str, on_break: Any = "stop", conversation: Conversation = HELLO) -> Chat:
    """A chat that is under way along that plan."""
    plan = planned(bench, *ids, on_break=on_break, conversation=conversation)
    return bench.drive(plan, conversation, id=f"c{len(bench.chats)}")


def hold(bench: Bench, id: str, error: PointsmanError, key: str | None = None, times: int = 3) -> None:
    """What happened before, so often."""
    account = bench.health.account(Credential(Secret(key) if key else None))
    for _ in range(times):
        bench.health.failed(Asked(bench.catalogue.providers[id], account, "m"), error)


async def ended(chat: Chat) -> list[Any]:
    return told(await events(chat))


def hosts(bench: Bench) -> list[str]:
    return [request.url.split("/")[2].partition(".")[0] for request in bench.transport.requests]


# Keys


async def test_a_key_that_is_out_is_passed_over_and_the_others_take_turns() -> None:
    bench = Bench(Scripted(says("a")), provider("one", "k1", "k2", "k3"))
    hold(bench, "one", RateLimited("Slow.", retry_after=60), "k2")
    for _ in range(4):
        await ended(begin(bench, "one"))
    assert sorted(map(str, bench.transport.keys)) == ["k1", "k1", "k3", "k3"]


async def test_a_refused_key_is_not_asked_by_the_next_chat() -> None:
    bench = Bench(Scripted(refuses(401), says("a")), provider("one", "k1", "k2"))
    for _ in range(3):
        await ended(begin(bench, "one"))
    assert bench.transport.keys == ["k1", "k2", "k2", "k2"]


async def test_all_keys_out_lead_to_the_next_provider_with_the_reason_in_the_result() -> None:
    bench = Bench(Scripted(says("a")), provider("one", "k1", "k2"), provider("two"))
    for key in ("k1", "k2"):
        hold(bench, "one", RateLimited("Slow.", retry_after=60), key)
    chat = begin(bench, "one", "two")
    assert await ended(chat) == ["two:m", "a", ("end", None)]
    assert outcomes(chat) == [("one", "skipped", None), ("two", "answered", None)]
    assert chat.result is not None
    assert "each of 2 keys is out, the first: cooling until" in (chat.result.attempts[0].reason or "")


async def test_a_key_whose_window_is_empty_lets_the_others_go_first() -> None:
    last = Play((delta(content="a") + STOP,), 200, {"x-limit-remaining": "0", "x-limit-reset": "60s"})
    bench = Bench(Scripted(last, says("a")), provider("one", "k1", "k2"))
    for _ in range(3):
        await ended(begin(bench, "one"))
    assert bench.transport.keys == ["k1", "k2", "k2"]
    bench = Bench(Scripted(last), provider("one", "k1"))
    for _ in range(3):
        assert await ended(begin(bench, "one")) == ["one:m", "a", ("end", None)], "it is asked all the same"


# The last resort


async def test_our_own_caution_leaves_nobody_without_an_answer() -> None:
    bench = Bench(Scripted(says("a")), provider("one"))
    hold(bench, "one", BUSY)
    chat = begin(bench, "one")
    assert await ended(chat) == ["one:m", "a", ("end", None)]
    assert bench.health.marked(bench.catalogue.providers["one"]) is False


async def test_who_is_alone_fails_with_its_own_error_also_when_it_was_held_back() -> None:
    bench = Bench(Scripted(refuses(401)), provider("one", "k"))
    for _ in range(2):
        assert (await ended(begin(bench, "one")))[-1] == ("error", "InvalidKey")


async def test_of_several_that_are_held_back_the_one_that_is_free_soonest_is_asked() -> None:
    bench = Bench(Scripted(refuses(500), says("a")), *(provider(id, "k", max_retries=2) for id in CHAIN))
    hold(bench, "one", InvalidKey("No.", status_code=401), "k", 1)  # a minute
    hold(bench, "two", QuotaExhausted("Spent."), "k", 1)  # ten seconds
    hold(bench, "three", BUSY, "k")  # half a minute
    hold(bench, "four", RateLimited("Slow.", retry_after=50), "k", 1)
    plan = planned(bench, *CHAIN)
    assert [target.provider for target in plan.targets] == ["two", "three", "one"], "what is told is what is done"
    assert [target.provider for target, _ in plan.skipped] == ["four"]
    assert (plan.order or "").startswith("nobody else is left, so who is held back is asked all the same: two:m (quota")
    chat = begin(bench, *CHAIN)
    assert await ended(chat) == [("two:m", "Overloaded", "three:m"), "three:m", "a", ("end", None)]
    assert hosts(bench) == ["two", "three"]


async def test_each_of_those_that_are_held_back_is_asked_once_and_the_last_as_often_as_ever() -> None:
    bench = Bench(Scripted(refuses(500)), *(provider(id, "k", max_retries=2) for id in CHAIN))
    for id in CHAIN[:3]:
        hold(bench, id, BUSY, "k")
    hold(bench, "four", RateLimited("Slow.", retry_after=50), "k", 1)
    chat = begin(bench, *CHAIN)
    await ended(chat)
    assert hosts(bench) == ["one", "two", "three", "three", "three"]
    assert isinstance(chat.error, NoTargetLeft)
    assert [cause.code for cause in chat.error.causes] == ["Overloaded"] * 5 + ["NoTargetLeft"]
    assert "None of 5 attempts got an answer; the last one: three says: no. Not asked: four:m (cooling until" in (
        chat.error.message
    )
    bench.transport.plays = [refuses(400)]
    chat = begin(bench, "one", "four")
    await ended(chat)
    assert chat.error is not None
    assert chat.error.message.startswith("Nobody answered: one says: no. Not asked: four:m (cooling until")
    assert chat.error.retry_after == pytest.approx(50, abs=1)
    assert chat.error.resets_at is not None


async def test_whoever_is_well_again_is_found_behind_those_that_are_not() -> None:
    """Two breakers are open, and the second is well: the first must not be the only one that is ever asked."""
    bench = Bench(Scripted(refuses(503), says("a")), provider("one"), provider("two"))
    for id in ("one", "two"):
        hold(bench, id, BUSY)
    assert await ended(begin(bench, "one", "two")) == [("one:m", "Overloaded", "two:m"), "two:m", "a", ("end", None)]
    bench = Bench(Scripted(refuses(503), refuses(503), says("a")), *(provider(id) for id in CHAIN))
    for id in ("two", "three"):
        hold(bench, id, BUSY)
    assert (await ended(begin(bench, "one", "two", "three")))[-3:] == ["three:m", "a", ("end", None)]


async def test_a_quota_whose_date_is_known_is_left_alone_between_its_probes() -> None:
    bench = Bench(Scripted(says("a")), provider("one", "k"))
    hold(bench, "one", QuotaExhausted("Spent.", retry_after=2 * 86400), "k", 1)
    assert planned(bench, "one").targets == ()
    chat = begin(bench, "one")
    assert await ended(chat) == [("error", "NoTargetLeft")]
    assert bench.transport.requests == []
    assert chat.error is not None
    assert chat.error.retry_after == pytest.approx(2 * 86400, abs=1)
    assert "quota spent, resets" in chat.error.message


@pytest.mark.parametrize(("status", "body"), [(429, "no"), (429, "insufficient_quota"), (401, "no"), (503, "no")])
@pytest.mark.parametrize("asked", ["30", "7200", "172800"])
async def test_no_request_is_sent_again_before_the_time_that_was_asked_for(status: int, body: str, asked: str) -> None:
    refusal = Play((json.dumps({"error": {"message": "no", "code": body}}).encode(),), status, {"retry-after": asked})
    bench = Bench(Scripted(refusal, says("a")), provider("one", "k", max_retries=2))
    for _ in range(3):
        chat = begin(bench, "one")
        await ended(chat)
        assert chat.error is not None
        assert chat.error.retry_after == pytest.approx(float(asked), abs=1)
    assert len(bench.transport.requests) == 1


async def test_a_wait_is_taken_only_where_nobody_else_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "IMPATIENCE", 0.1)
    loading = Play((b'{"error": "loading", "estimated_time": 0.2}',), 503)
    bench = Bench(Scripted(loading, says("a")), provider("one", max_retries=1), provider("two"))
    assert await ended(begin(bench, "one", "two")) == [("one:m", "Overloaded", "two:m"), "two:m", "a", ("end", None)]
    plays = [loading, refuses(500), says("a")]
    bench = Bench(Scripted(*plays), provider("one", max_retries=1), provider("two"))
    seen = await ended(begin(bench, "one", "two"))
    assert seen[1:] == [("two:m", "Overloaded", "one:m"), "one:m", "a", ("end", None)], "and then it is waited for"
    bench = Bench(Scripted(loading, says("a")), provider("one", max_retries=1))
    assert await ended(begin(bench, "one")) == [("one:m", "Overloaded", "one:m"), "one:m", "a", ("end", None)]


async def test_a_key_that_only_has_to_wait_is_asked_again_behind_one_that_is_refused() -> None:
    plays = [refuses(401), refuses(429, retry_after="0.05"), refuses(401), says("a")]
    bench = Bench(Scripted(*plays), provider("one", "k1", "k2", "k3", max_retries=1))
    assert (await ended(begin(bench, "one")))[-1] == ("end", None)
    assert bench.transport.keys == ["k1", "k2", "k3", "k2"]


async def test_who_is_unfit_is_asked_where_the_others_must_not_be() -> None:
    picture = Conversation((Message("user", (ImagePart(media_type="image/png", data="AAAA"),)),))
    bench = Bench(Scripted(says("a")), provider("one"), provider("blind", features=["tools"]))
    hold(bench, "one", RateLimited("Slow.", retry_after=60), times=1)
    plan = planned(bench, "one", "blind", conversation=picture)
    assert (plan.targets, plan.held) == ((Target("blind", "m"),), (Target("one", "m"),))
    assert [target.provider for target, _ in plan.skipped] == ["one"]


async def test_who_was_held_back_is_asked_when_all_others_have_failed() -> None:
    bench = Bench(Scripted(refuses(500), says("a")), provider("one"), provider("two"))
    hold(bench, "one", BUSY)
    chat = begin(bench, "one", "two")
    assert await ended(chat) == [("two:m", "Overloaded", "one:m"), "one:m", "a", ("end", None)]


async def test_a_wait_that_a_provider_asked_for_is_kept_by_who_comes_later() -> None:
    bench = Bench(Scripted(says("a")), provider("one"))
    hold(bench, "one", RateLimited("Slow.", retry_after=0.2), times=1)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    assert await ended(begin(bench, "one")) == ["one:m", "a", ("end", None)]
    assert loop.time() - begun >= 0.19


async def test_a_wait_that_is_too_long_ends_the_chat_with_all_that_is_known() -> None:
    bench = Bench(Scripted(says("a")), provider("one"), provider("two"))
    hold(bench, "one", RateLimited("Slow.", retry_after=60), times=1)
    hold(bench, "two", RateLimited("Slow.", retry_after=30), times=1)
    chat = begin(bench, "one", "two")
    assert await ended(chat) == [("error", "NoTargetLeft")]
    assert bench.transport.requests == []
    assert chat.error is not None
    assert chat.error.message.startswith("No target of chain:x may be asked now: one:m (cooling until")
    assert chat.error.retry_after == pytest.approx(30, abs=1)
    assert "Ask again at" in chat.error.advice


async def test_the_soonest_of_those_that_are_over_their_limit_is_asked_again() -> None:
    plays = [refuses(429, retry_after="0.05"), refuses(429, retry_after="60"), says("a")]
    bench = Bench(Scripted(*plays), provider("one", max_retries=1), provider("two", max_retries=1))
    assert await ended(begin(bench, "one", "two")) == [
        ("one:m", "RateLimited", "two:m"),
        ("two:m", "RateLimited", "one:m"),
        "one:m",
        "a",
        ("end", None),
    ]


async def test_of_several_keys_the_one_that_is_free_first_is_asked_again() -> None:
    plays = [refuses(429, retry_after="0.05"), refuses(429, retry_after="60"), says("a")]
    bench = Bench(Scripted(*plays), provider("one", "k1", "k2", max_retries=1))
    await ended(begin(bench, "one"))
    assert bench.transport.keys == ["k1", "k2", "k1"]


async def test_what_another_chat_was_told_meanwhile_holds_for_who_was_about_to_ask() -> None:
    busy = Play((b"{}",), 429, {"retry-after": "60"})
    bench = Bench(Scripted(refuses(503), busy, says("a")), provider("one", "k1", "k2", max_retries=1), provider("two"))
    first = begin(bench, "one", "two")
    await bench.transport.asked.wait()
    for key in ("k1", "k2"):
        hold(bench, "one", RateLimited("Slow.", retry_after=60), key, 1)
    bench.transport.plays = [says("a")]
    seen = await ended(first)
    assert seen[-3:] == ["two:m", "a", ("end", None)]
    assert hosts(bench) == ["one", "two"]


async def test_a_key_that_has_gone_leaves_the_others() -> None:
    bench = Bench(Scripted(refuses(500), says("a")), provider("one"), provider("two", "env:GONE"), provider("three"))
    targets = tuple(Target(id, "m") for id in ("one", "two", "three"))
    chat = bench.drive(Plan(Route("chain:x", targets, "chain x"), targets, ()))
    assert await ended(chat) == [("one:m", "Overloaded", "three:m"), "three:m", "a", ("end", None)]
    assert ("two", "skipped", None) in outcomes(chat)


# Too long, and broken


async def test_what_is_too_long_goes_where_it_may_fit_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    windows = {"one": 8000, "small": 4000, "unknown": None, "large": 200_000}

    def facts(_: Models, provider: Any, id: str) -> Model:
        return Model(f"{provider.id}:{id}", provider.id, id, id, (), "config", windows[provider.id])

    monkeypatch.setattr(Models, "facts", facts)
    long = Play((b'{"error": {"message": "too long", "code": "context_length_exceeded"}}',), 400)
    bench = Bench(Scripted(long, says("a")), *(provider(id) for id in windows))
    chat = begin(bench, *windows)
    assert await ended(chat) == [("one:m", "ContextTooLong", "large:m"), "large:m", "a", ("end", None)]
    assert outcomes(chat)[1:] == [("small", "skipped", None), ("large", "answered", None)]
    bench = Bench(Scripted(long, long, says("a")), *(provider(id) for id in windows))
    seen = await ended(begin(bench, *windows))
    assert [each for each in seen if isinstance(each, str)] == ["unknown:m", "a"], "after the larger one"
    bench = Bench(Scripted(long, says("a")), *(provider(id) for id in ("one", "small")))
    assert (await ended(begin(bench, "one", "small")))[-1] == ("error", "NoTargetLeft")
    assert len(bench.transport.requests) == 1


def texts(seen: list[Event]) -> str:
    return "".join(event.text for event in seen if event.__class__.__name__ == "TextDelta")  # type: ignore[union-attr]


BREAK = Play((delta(content="The sky "), sse({"error": {"message": "m", "code": 502}})))


async def test_a_chain_may_have_the_next_target_go_on_from_the_text_so_far() -> None:
    usage = sse({"usage": {"prompt_tokens": 30, "completion_tokens": 4}})
    end = Play((delta(content="is blue."), STOP + usage))
    bench = Bench(Scripted(BREAK, end), provider("one"), provider("two"))
    chat = begin(bench, "one", "two", on_break="continue")
    seen = await events(chat)
    assert texts(seen) == "The sky is blue."
    kinds = [type(event).__name__ for event in seen]
    assert kinds[:5] == ["Started", "TextDelta", "AttemptFailed", "Notice", "TextDelta"]
    assert kinds.count("Started") == kinds.count("Finished") == 1
    (notice,) = [event for event in seen if isinstance(event, Notice)]
    assert notice == Notice("continued", "one:m broke off here. two:m goes on from this point.")
    result = chat.result
    assert result is not None
    assert (result.stop_reason, result.provider) == ("end", "one")
    assert result.message == Message("assistant", (TextPart("The sky is blue."),))
    assert outcomes(chat) == [("one", "failed", "Overloaded"), ("two", "answered", None)]
    assert result.usage.output_tokens == 4 + 2
    assert not result.usage.exact
    asked = bench.transport.requests[1].body.decode()
    assert '"The sky "' in asked
    assert GO_ON in asked


async def test_who_goes_on_may_fail_too_and_what_was_said_stands() -> None:
    plays = [BREAK, refuses(503), refuses(401)]
    bench = Bench(Scripted(*plays), provider("one"), provider("two"), provider("three"))
    chat = begin(bench, "one", "two", "three", on_break="continue")
    seen = await ended(chat)
    assert seen[-1] == ("interrupted", "InvalidKey", "three:m")
    assert ("one:m", "Overloaded", "two:m") in seen
    assert chat.result is not None
    assert chat.result.message.parts == (TextPart("The sky "),)


async def test_an_answer_that_calls_a_tool_is_not_gone_on_with() -> None:
    call = delta(tool_calls=[{"index": 0, "id": "i", "function": {"name": "n", "arguments": "{"}}])
    broken = Play((call, sse({"error": {"message": "m", "code": 502}})))
    bench = Bench(Scripted(broken, says("b")), provider("one"), provider("two"))
    chat = begin(bench, "one", "two", on_break="continue")
    assert (await ended(chat))[-1] == ("interrupted", "Overloaded", "one:m", "two:m")
    assert not [event for event in await events(chat) if isinstance(event, AttemptFailed)]


async def test_a_broken_answer_that_would_break_anywhere_names_nobody_who_could_go_on() -> None:
    broken = Play((delta(content="a"), sse({"error": {"message": "m", "code": 400}})))
    bench = Bench(Scripted(broken, says("b")), provider("one"), provider("two"))
    for on_break in ("stop", "continue"):
        chat = begin(bench, "one", "two", on_break=on_break)
        assert (await ended(chat))[-1] == ("interrupted", "BadRequest")
        bench.transport.plays = [broken]


async def test_the_tokens_of_both_parts_are_added_up() -> None:
    first = sse({"usage": {"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 5}}})
    broken = Play((delta(content="a"), first, sse({"error": {"message": "m", "code": 502}})))
    second = sse({"usage": {"prompt_tokens": 20, "completion_tokens": 3}})
    bench = Bench(Scripted(broken, Play((delta(content="b"), STOP + second))), provider("one"), provider("two"))
    chat = begin(bench, "one", "two", on_break="continue")
    await events(chat)
    assert chat.result is not None
    assert chat.result.usage == Usage(30, 5, exact=True, cached_input_tokens=5)


async def test_who_was_left_out_is_named_where_nobody_answered() -> None:
    one, other = Target("one", "m"), Target("other", "m")
    bench = Bench(Scripted(refuses(400, "Bad.")), provider("one"), provider("other"))
    route = Route("chain:x", (other, one), "chain x", lost=((Target("gone", "m"), "There is no provider 'gone'."),))
    chat = bench.drive(Plan(route, (one,), ((other, "Other has no key."),)))
    await ended(chat)
    assert isinstance(chat.error, NoTargetLeft)
    assert [cause.code for cause in chat.error.causes] == ["BadRequest", "NoTargetLeft", "NoTargetLeft"]
    assert chat.error.message == (
        "Nobody answered: one says: Bad. Not asked: gone:m (There is no provider 'gone'); other:m (Other has no key)."
    )


@pytest.mark.parametrize("first", [refuses(503), refuses(429, retry_after="0.01")])
async def test_a_key_is_shown_once_its_file_was_read(first: Play, tmp_path: Path) -> None:
    spent = Play((b'{"error": {"code": "insufficient_quota", "message": "Spent."}}',), 429)
    file, said = tmp_path / "key", list[str]()
    file.write_text("not-a-key-of-acme\n")
    file.chmod(0o600)
    bench = Bench(Scripted(first, says("a"), spent), provider("p", f"file:{file}", max_retries=1))
    bench.health.on_quota = lambda news: said.append(news.text)
    mask = Secret("not-a-key-of-acme").mask()
    answered = bench.begin("p:m")
    await events(answered)
    assert answered.result
    assert [(each.outcome, each.account) for each in answered.result.attempts] == [("failed", mask), ("answered", mask)]
    await events(bench.begin("p:m", id="c2"))
    assert f"The quota of p ({mask}) is spent." in said[0]
