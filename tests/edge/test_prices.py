"""Prices from genai-prices: asked in a process of its own, by address and model, without the network."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pointsman.edge import prices
from pointsman.edge.prices import look_up

OPENAI, ANTHROPIC = "https://api.openai.com/v1", "https://api.anthropic.com"
OPENROUTER = "https://openrouter.ai/api/v1"


async def test_a_model_is_found_by_its_provider_s_address() -> None:
    found = await look_up({OPENAI: ["gpt-4o", "no-such-model"], ANTHROPIC: ["claude-sonnet-4-5-20250929"]})
    assert found is not None
    assert set(found[OPENAI]) == {"gpt-4o"}
    facts = found[OPENAI]["gpt-4o"]
    assert facts.context_window == 128_000
    assert facts.price is not None
    assert (facts.source, facts.price.source) == ("genai-prices", "genai-prices")
    assert 0 < facts.price.input_usd_per_million < facts.price.output_usd_per_million
    assert facts.price.edition
    assert facts.price.cached_input_usd_per_million is not None
    (claude,) = found[ANTHROPIC].values()
    assert claude.price is not None
    assert claude.price.cache_write_usd_per_million is not None
    assert [tier.above_input_tokens for tier in claude.price.tiers] == [200_000]
    assert claude.price.tiers[0].input_usd_per_million > claude.price.input_usd_per_million


async def test_a_price_for_each_request_and_one_for_reasoning() -> None:
    found = await look_up({"https://api.perplexity.ai": ["sonar"], OPENROUTER: ["perplexity/sonar-deep-research"]})
    assert found is not None
    sonar, research = (next(iter(models.values())).price for models in found.values())
    assert sonar
    assert sonar.usd_per_request
    assert 0 < sonar.usd_per_request < 1
    assert research
    assert research.reasoning_usd_per_million


async def test_an_address_that_it_does_not_know_has_no_prices() -> None:
    assert await look_up({"https://llm.corp.example/v1": ["gpt-4o"], "https://api.openai.example/v1": ["gpt-4o"]}) == {}


async def test_what_is_not_sold_by_the_token_has_no_price() -> None:
    found = await look_up({OPENAI: ["whisper-1", "tts-1"]})
    assert found is not None
    assert all(facts.price is None for facts in found.get(OPENAI, {}).values())


def test_it_asks_nobody_on_the_network() -> None:
    program = """
import sys
def hook(event, args):
    if event.startswith("socket."):
        print("ASKED", event, args)
sys.addaudithook(hook)
from pointsman.edge import prices
found = prices.known({"https://api.openai.com/v1": ["gpt-4o"]})
print("KNOWN", len(found))
"""
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "KNOWN 1\n"


def test_it_is_not_loaded_into_this_process() -> None:
    assert "genai_prices" not in sys.modules


@pytest.mark.parametrize("interpreter", ["/no/such/python", "/bin/false", "/bin/cat"])
async def test_what_can_t_be_looked_up_is_not_known(interpreter: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prices.sys, "executable", interpreter)  # type: ignore[attr-defined]
    assert await look_up({OPENAI: ["gpt-4o"]}) is None


async def test_it_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prices, "WITHIN", 0.0)
    assert await look_up({OPENAI: ["gpt-4o"]}) is None
