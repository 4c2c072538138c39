"""Money, through the whole daemon: what a thousand chats cost, to the cent; what a spent budget does; what is kept."""

from __future__ import annotations

import asyncio
import json
import random
import re
from decimal import Decimal
from typing import Any

import pytest

from tests.counterparts.scripts import Reply
from tests.counterparts.upstream import Upstream
from tests.daemon.client import Editor, Message, Refused, text_of
from tests.daemon.saving import by_renaming
from tests.living import Home, provider

PAID = "/paid/chat/completions"
SSE = {"content-type": "text/event-stream"}
PRICES = "prices.m = { input = 3.0, output = 15.0, cached_input = 0.3, cache_write = 3.75, reasoning = 20.0 }"
RATES = {"plain": "3.0", "cached": "0.3", "written": "3.75", "spoken": "15.0", "thought": "20.0"}
MANY = 1000
AT_ONCE = 40


def answer(usage: Message | None, text: str = "Fine.") -> Reply:
    """A streamed answer, with the usage that its provider reports."""
    chunks: list[Message] = [{"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}]
    chunks += [{"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}]
    chunks += [{"choices": [], "usage": usage}] if usage else []
    body = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
    return Reply(body.encode(), headers=SSE)


def usage(into: int, out: int, cached: int = 0, written: int = 0, thought: int = 0, **more: Any) -> Message:
    return {
        "prompt_tokens": into,
        "completion_tokens": out,
        "total_tokens": into + out,
        "prompt_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
        "completion_tokens_details": {"reasoning_tokens": thought},
        **more,
    }


def paid(upstream: Upstream, *lines: str, id: str = "paid") -> str:
    return provider(
        id, upstream.base_url.replace("/v1", f"/{id}"), 'auth = { scheme = "none" }', "max_retries = 0", *lines
    )


def free(upstream: Upstream) -> str:
    return provider("free", upstream.base_url, 'auth = { scheme = "none" }', 'kind = "local"')


async def asked(editor: Editor, **params: Any) -> Message:
    found: Message = await editor.call("pointsman/usage", {"by": "provider", **params})
    return found


async def only(editor: Editor, **params: Any) -> Message:
    (total,) = (await asked(editor, **params))["totals"]
    return dict(total)


def by_hand(reported: Message) -> Decimal:
    """What a chat costs, in exact arithmetic, from what the provider reports."""
    if "cost" in reported:
        return Decimal(str(reported["cost"]))
    details, thought = reported["prompt_tokens_details"], reported["completion_tokens_details"]["reasoning_tokens"]
    counts = {
        "cached": details["cached_tokens"],
        "written": details["cache_write_tokens"],
        "plain": reported["prompt_tokens"] - details["cached_tokens"] - details["cache_write_tokens"],
        "thought": thought,
        "spoken": reported["completion_tokens"] - thought,
    }
    return sum((Decimal(RATES[kind]) * count for kind, count in counts.items()), Decimal(0)) / 1_000_000


def made_up(count: int) -> list[Message]:
    dice, found = random.Random(6), []
    for number in range(count):
        into, out = dice.randrange(1000, 90_000), dice.randrange(1, 4000)
        cached, written = dice.randrange(into // 2), dice.randrange(into // 4)
        cost = {"cost": round(dice.random() / 10, 6)} if number % 10 == 0 else {}
        found.append(usage(into, out, cached, written, dice.randrange(out), **cost))
    return found


@pytest.mark.timeout(120)
async def test_a_thousand_chats_to_the_cent(home: Home, upstream: Upstream) -> None:
    home.configure(paid(upstream, PRICES) + free(upstream))
    reported = made_up(MANY)
    upstream.script(PAID, *map(answer, reported))
    editors = [await home.connect(client=name) for name in ("vscode", "neovim")]
    for start in range(0, MANY, AT_ONCE):
        chats = [editors[number % 2].chat("paid:m", stream=False) for number in range(start, start + AT_ONCE)]
        await asyncio.gather(*(chat.answer(30) for chat in chats))
    stalled = [editors[0].chat("free:drip:1000:0.05") for _ in range(5)]
    for chat in stalled:
        await chat.seen("text")
        chat.cancel()
    assert {(await chat.answer())["stopReason"] for chat in stalled} == {"cancelled"}

    by_provider = {total["name"]: total for total in (await asked(editors[0]))["totals"]}
    total = by_provider["paid"]
    cents = Decimal("0.01")
    exact = sum(map(by_hand, reported), Decimal(0))
    assert Decimal(str(total["usd"])).quantize(cents) == exact.quantize(cents)
    assert abs(Decimal(str(total["usd"])) - exact) < Decimal("0.000001")
    assert total["chats"] == MANY
    assert total["inputTokens"] == sum(each["prompt_tokens"] for each in reported)
    assert total["outputTokens"] == sum(each["completion_tokens"] for each in reported)
    details = [each["prompt_tokens_details"] for each in reported]
    assert total["cachedInputTokens"] == sum(each["cached_tokens"] for each in details)
    assert total["cacheWriteTokens"] == sum(each["cache_write_tokens"] for each in details)
    thought = sum(each["completion_tokens_details"]["reasoning_tokens"] for each in reported)
    assert total["reasoningTokens"] == thought
    assert not {"unpriced", "estimated", "cancelled"} & total.keys()
    cancelled = by_provider["free"]
    assert (cancelled["chats"], cancelled["cancelled"], cancelled["estimated"], cancelled["usd"]) == (5, 5, 5, 0.0)
    clients = {each["name"]: each["chats"] for each in (await asked(editors[0], by="client"))["totals"]}
    assert clients == {"vscode": MANY // 2 + 5, "neovim": MANY // 2}

    before = await asked(editors[0])
    await home.leave()
    await home.end()
    after = await asked(await home.connect())
    assert (after["totals"], after["grand"]) == (before["totals"], before["grand"]), "a restart keeps all"


async def test_who_pays_what(home: Home, upstream: Upstream) -> None:
    plan = provider(
        "plan", upstream.base_url.replace("/v1", "/plan"), 'auth = { scheme = "none" }', 'kind = "plan-based"'
    )
    other = paid(upstream, id="other")
    home.configure(paid(upstream, 'models = ["m"]', PRICES) + other + plan + free(upstream))
    for path in (PAID, "/other/chat/completions", "/plan/chat/completions"):
        upstream.script(path, answer(usage(1_000_000, 1000, cost=9.0) if "plan" in path else usage(1_000_000, 1000)))
    editor = await home.connect()
    listed = (await editor.call("pointsman/listModels", {"provider": "paid", "refresh": True}))["models"]
    assert [each["price"]["source"] for each in listed if each["id"] == "m"] == ["configuration"]
    for model in ("paid:m", "other:m", "plan:m", "free:count:3"):
        await editor.chat(model).answer()
    result = await asked(editor, against="paid:m")
    found = {total["name"]: total for total in result["totals"]}
    assert found["paid"]["usd"] == pytest.approx(3.015)
    assert (found["other"]["usd"], found["other"]["unpriced"]) == (0.0, 1), "an unknown price is no price of nothing"
    assert (found["plan"]["usd"], found["plan"]["plan"]) == (0.0, 1), "whatever the same would have cost elsewhere"
    assert (found["free"]["usd"], found["free"].get("unpriced")) == (0.0, None)
    assert [found[name]["againstUsd"] for name in ("paid", "other", "plan")] == [pytest.approx(3.015)] * 3
    assert (result["against"], result["againstPrice"]["source"]) == ("paid:m", "configuration")
    with pytest.raises(Refused) as caught:
        await asked(editor, against="other:m")
    assert (caught.value.code, "[providers.other.prices]" in caught.value.data["advice"]) == ("UnknownModel", True)
    with pytest.raises(Refused) as caught:
        await asked(editor, since="soon")
    assert "Say `7d`" in caught.value.message
    assert (await asked(editor, since="2020-01-01", until="2020-12-31"))["totals"] == []
    limited = await asked(editor, limit=1)
    assert ([total["name"] for total in limited["totals"]], limited["leftOut"]) == (["paid"], 3)
    assert limited["grand"]["chats"] == 4


async def test_what_came_to_nothing_is_counted_and_marked(home: Home, upstream: Upstream) -> None:
    home.configure(
        paid(upstream, PRICES, "timeout.first_event = 20")
        + provider("up", upstream.base_url)
        + provider("gone", "http://127.0.0.1:9/v1")
        + '[chains]\nlast = ["broken:m", "paid:m"]\n'
        + paid(upstream, PRICES, id="broken")
    )
    broken = f"data: {json.dumps({'choices': [], 'usage': usage(1_000_000, 0)})}\n\n"
    failure = f"data: {json.dumps({'error': {'message': 'out of order', 'code': 500}})}\n\n"
    upstream.script("/broken/chat/completions", Reply((broken + failure).encode(), headers=SSE))
    upstream.script(PAID, answer(usage(1000, 1000)))
    editor = await home.connect()
    for model in ("up:status:400", "up:cut:3", "gone:m"):
        if model == "up:cut:3":
            assert (await editor.chat(model).answer())["stopReason"] == "interrupted"
            continue
        with pytest.raises(Refused):
            await editor.chat(model).answer()
    waiting = editor.chat("up:stall")
    await asyncio.to_thread(upstream.request, 2)
    waiting.cancel()
    await waiting.answer()
    assert text_of(await editor.chat("chain:last").answer()) == "Fine."
    chats = (await editor.call("pointsman/exportUsage", {}))["chats"]
    assert [(each["provider"], each["outcome"], each.get("usd")) for each in chats] == [
        ("up", "error", 0.0),  # refused: nobody pays for that
        ("up", "interrupted", None),
        ("up", "cancelled", None),
        ("paid", "end", pytest.approx(3.018)),
    ], "who was not reached has cost nothing"
    assert chats[-1]["failedUsd"] == pytest.approx(3.0), "what a failed attempt cost before the answer"
    assert chats[-1]["attempts"] == 2
    assert (chats[2]["exact"], chats[2]["outputTokens"]) == (False, 0)
    assert chats[2]["inputTokens"] > 0
    assert chats[0]["inputTokens"] == 0
    total = (await asked(editor))["grand"]
    assert (total["chats"], total["cancelled"], total["unpriced"]) == (4, 3, 2)


BUDGET = """
[budgets]
all = { day = 5, when_reached = "%s" }
[chains]
work = ["paid:m", "free:count:2"]
"""


async def spend(home: Home, upstream: Upstream, action: str) -> tuple[Editor, Editor]:
    """Two editors, in a workspace and in none, after the budget of the day is spent."""
    home.configure(paid(upstream, PRICES) + free(upstream) + BUDGET % action)
    upstream.script(PAID, answer(usage(1_400_000, 0)), answer(usage(300_000, 0)))
    editor, other = await home.connect(), await home.connect(workspace=home.folder)
    await editor.chat("chain:work").answer()
    warned = await editor.told("window/showMessage")
    assert warned["message"].startswith("The budget of all providers for this day is spent to 84% ($4.20 of $5.00).")
    assert warned["type"] == 2
    assert await other.told("window/showMessage") == warned
    result = await editor.chat("chain:work").answer()
    assert (result["provider"], result["cost"]["usd"]) == ("paid", pytest.approx(0.9))
    await editor.told("window/showMessage", lambda told: "is spent ($5.10 of $5.00)" in told["message"])
    return editor, other


async def test_a_spent_budget_moves_chats_to_the_next_model(home: Home, upstream: Upstream) -> None:
    editor, _ = await spend(home, upstream, "next")
    words = "the budget of all providers for this day is spent ($5.10 of $5.00)"
    result = await editor.chat("chain:work").answer()
    assert (result["provider"], text_of(result)) == ("free", "0 1 ")
    skipped, answered = result["attempts"]
    assert (skipped["provider"], skipped["outcome"], skipped["reason"]) == ("paid", "skipped", words)
    assert answered["provider"] == "free"
    explained = await editor.call("pointsman/explainRoute", {"model": "chain:work"})
    assert explained["skipped"] == [{"model": "m", "provider": "paid", "reason": words}]
    assert [target["provider"] for target in explained["targets"]] == ["free"]
    with pytest.raises(Refused) as caught:
        await editor.chat("paid:m").answer()
    assert caught.value.code == "BudgetReached"


async def test_a_spent_budget_refuses_what_would_cost(home: Home, upstream: Upstream) -> None:
    editor, other = await spend(home, upstream, "refuse")
    for one in (editor, other):
        with pytest.raises(Refused) as caught:
            await one.chat("chain:work").answer()
        assert caught.value.code == "BudgetReached"
        assert caught.value.data["resetsAt"] > "2026"
        assert "[budgets]" in caught.value.data["advice"]
    assert text_of(await editor.chat("free:count:2").answer()) == "0 1 ", "what costs nothing goes on"
    explained = await editor.call("pointsman/explainRoute", {"model": "chain:work"})
    assert explained["targets"] == []
    assert [way["provider"] for way in explained["skipped"]] == ["paid", "free"]
    status = await editor.status()
    (budget,) = status["budgets"]
    assert (budget["about"], budget["reached"], budget["spent"]) == ("all", True, pytest.approx(5.1))
    await home.leave()
    await home.end()
    editor = await home.connect()
    with pytest.raises(Refused) as caught:
        await editor.chat("chain:work").answer()
    assert caught.value.code == "BudgetReached", "a restart does not forget"
    await by_renaming(home.file, paid(upstream, PRICES) + free(upstream) + (BUDGET % "refuse").replace("5", "50"))
    async with asyncio.timeout(10):
        while (await editor.call("pointsman/explainRoute", {"model": "chain:work"}))["targets"] == []:
            pass
    assert (await editor.chat("chain:work").answer())["provider"] == "paid", "a raised budget holds at once"


async def test_a_project_says_nothing_about_budgets(home: Home, upstream: Upstream) -> None:
    home.configure(paid(upstream, PRICES))
    (home.workspace / ".pointsman.toml").write_text("[budgets]\nall = { day = 0.01 }\n[ledger]\nrecord = false\n")
    await asyncio.to_thread(home.run, "trust", "--yes")
    upstream.script(PAID, answer(usage(1_000_000, 0)))
    editor = await home.connect()
    for _ in range(2):
        assert (await editor.chat("paid:m").answer())["provider"] == "paid"
    assert "budgets" not in await asked(editor)


async def test_a_workspace_has_a_budget_of_its_own(home: Home, upstream: Upstream) -> None:
    home.configure(f'{paid(upstream, PRICES)}[budgets.workspaces]\n"{home.workspace}" = {{ month = 1 }}\n')
    upstream.script(PAID, answer(usage(1_000_000, 0)))
    editor, elsewhere = await home.connect(), await home.connect(workspace=home.folder)
    for _ in range(2):
        await elsewhere.chat("paid:m").answer()
    await editor.chat("paid:m").answer()
    with pytest.raises(Refused) as caught:
        await editor.chat("paid:m").answer()
    assert str(home.workspace) in caught.value.message
    await elsewhere.chat("paid:m").answer()
    assert elsewhere.notifications("window/showMessage") == [], "it is none of their business"
    assert {total["name"]: total["chats"] for total in (await asked(editor, by="workspace"))["totals"]} == {
        str(home.folder): 3,
        str(home.workspace): 1,
    }


async def test_a_budget_of_a_folder_holds_whichever_way_leads_there(home: Home, upstream: Upstream) -> None:
    link = home.folder / "link"
    link.symlink_to(home.workspace)
    home.configure(f'{paid(upstream, PRICES)}[budgets.workspaces]\n"{link}/" = {{ month = 1 }}\n')
    upstream.script(PAID, answer(usage(1_000_000, 0)))
    editors = [await home.connect(), await home.connect(workspace=link)]
    await editors[0].chat("paid:m").answer()
    for editor in editors:
        told = await editor.told("window/showMessage")
        assert told["message"].startswith(f"The budget of {home.workspace} for this month is spent ($3.00 of $1.00).")
        with pytest.raises(Refused) as caught:
            await editor.chat("paid:m").answer()
        assert caught.value.code == "BudgetReached"


async def test_a_budget_that_is_lowered_below_what_is_spent_is_told_at_once(home: Home, upstream: Upstream) -> None:
    before = paid(upstream, PRICES) + "[budgets]\nall.day = 50\n"
    home.configure(before)
    upstream.script(PAID, answer(usage(1_000_000, 0)))
    editor = await home.connect()
    await editor.chat("paid:m").answer()
    await by_renaming(home.file, before.replace("50", "2"))
    told = await editor.told("window/showMessage")
    assert told["message"].startswith("The budget of all providers for this day is spent ($3.00 of $2.00). Until ")
    await by_renaming(home.file, before.replace("50", "2") + "all.month = 100\n")
    async with asyncio.timeout(10):
        while len((await asked(editor))["budgets"]) != 2:
            pass
    assert len(editor.notifications("window/showMessage")) == 1


async def test_nothing_is_recorded(home: Home, upstream: Upstream) -> None:
    home.configure(paid(upstream, PRICES) + "[ledger]\nrecord = false\n[budgets]\nall.day = 1\n")
    upstream.script(PAID, answer(usage(1_000_000, 0), "canary-of-an-answer"))
    editor = await home.connect()
    chat = editor.chat("paid:m", "canary-of-a-question")
    await chat.answer()
    with pytest.raises(Refused) as caught:
        await editor.chat("paid:m").answer()
    assert caught.value.code == "BudgetReached"
    result = await asked(editor)
    assert (result["totals"], result["recording"], result["budgets"][0]["spent"]) == ([], False, 3.0)
    await home.leave()
    await home.end()
    kept = b"".join(path.read_bytes() for path in home.data.glob("state.db*"))
    assert not [word for word in (chat.chat_id, str(home.workspace), "canary") if word.encode() in kept]


async def test_no_word_and_no_key_is_written_down(home: Home, upstream: Upstream) -> None:
    keyed = provider("paid", upstream.base_url.replace("/v1", "/paid"), 'keys = ["env:PAID_KEYS"]', PRICES)
    home.configure(keyed)
    home.environment["PAID_KEYS"] = "canary-key-4471-of-nobody"
    upstream.script(PAID, answer(usage(10, 10), "canary-of-an-answer"))
    editor = await home.connect()
    await editor.chat("paid:m", "canary-of-a-question").answer()
    (total,) = (await asked(editor, by="account"))["totals"]
    assert re.fullmatch(r"paid canary-k…", total["name"]), "people see a mask"
    await home.leave()
    await home.end()
    kept = b"".join(path.read_bytes() for path in home.data.glob("state.db*"))
    assert b"paid" in kept
    assert b"canary" not in kept
    again = await asked(await home.connect(), by="account")
    assert re.fullmatch(r"paid [0-9a-f]{16}", again["totals"][0]["name"]), "and a name that says nothing later"


async def test_pages_of_the_export_lose_nothing(home: Home, upstream: Upstream) -> None:
    home.configure(paid(upstream, PRICES))
    upstream.script(PAID, answer(usage(1000, 1000)))
    editor = await home.connect()
    ids = []
    for _ in range(7):
        chat = editor.chat("paid:m")
        await chat.answer()
        ids.append(chat.chat_id)
    found: list[str] = []
    after: int | None = 0
    while after is not None:
        page = await editor.call("pointsman/exportUsage", {"after": after, "limit": 3})
        found += [each["chatId"] for each in page["chats"]]
        after = page.get("next")
    assert found == ids
