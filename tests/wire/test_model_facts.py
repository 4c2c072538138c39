"""What lists of models say besides names, in the forms of many providers."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pointsman.core.catalogue import Provider
from pointsman.core.pricing import Price
from pointsman.wire import openai_models
from pointsman.wire.model_facts import CONTEXT, INSIDE, OUTPUT, WORDS, listed, price
from tests.each import each

UP = Provider(id="up", base_url="https://up.example/v1")


@each(
    ("item", "window", "output", "capabilities", "priced"),
    [
        (
            # https://openrouter.ai/docs/api/api-reference/models/get-models
            {
                "id": "anthropic/claude",
                "context_length": 200000,
                "architecture": {"input_modalities": ["text", "image", "file"], "output_modalities": ["text"]},
                "top_provider": {"context_length": 199999, "max_completion_tokens": 64000, "is_moderated": True},
                "pricing": {
                    "prompt": "0.000003",
                    "completion": "0.000015",
                    "input_cache_read": "0.0000003",
                    "input_cache_write": "0.00000375",
                    "image": "0.0048",
                },
                "supported_parameters": ["tools", "reasoning", "structured_outputs", "temperature"],
            },
            200000,
            64000,
            ("tools", "images", "files", "reasoning", "json"),
            Price(3.0, 15.0, "up", 0.3, 3.75),
        ),
        (
            # https://docs.mistral.ai/api/#tag/models
            {
                "id": "mistral-large",
                "max_context_length": 131072,
                "capabilities": {"completion_chat": True, "function_calling": True, "vision": False},
            },
            131072,
            None,
            ("tools",),
            None,
        ),
        # https://console.groq.com/docs/api-reference#models
        ({"id": "llama", "context_window": 8192, "max_completion_tokens": 4096}, 8192, 4096, (), None),
        (
            # https://docs.together.ai/reference/models-1
            {"id": "m", "context_length": 32768, "pricing": {"input": 0.3, "output": 0.6, "base": 0, "hourly": 0}},
            32768,
            None,
            (),
            Price(0.3, 0.6, "up"),
        ),
        (
            # https://docs.github.com/en/rest/models/catalog
            {
                "id": "openai/gpt",
                "capabilities": ["streaming", "tool-calling"],
                "limits": {"max_input_tokens": 1000, "max_output_tokens": 100},
                "supported_input_modalities": ["text", "image"],
            },
            1000,
            100,
            ("tools", "images"),
            None,
        ),
        (
            # https://huggingface.co/docs/inference-providers/hub-api
            {"id": "m", "providers": [{"supports_tools": True, "pricing": {"input": 1}}, {"status": "live"}, 3]},
            None,
            None,
            ("tools",),
            None,
        ),
        # https://creator.poe.com/api-reference/listModels
        (
            {"id": "Claude", "context_window": {"context_length": 200, "max_output_tokens": 20}, "pricing": None},
            200,
            20,
            (),
            None,
        ),
        # https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html
        ({"id": "m", "max_model_len": 4096}, 4096, None, (), None),
        ({"id": "m", "meta": {"n_ctx_train": 4096}, "supports_image_input": True}, 4096, None, ("images",), None),
        ({"id": "m", "context_length": 0, "max_tokens": True, "meta": "1", "providers": {}}, None, None, (), None),
        ({"id": "m", "capabilities": "tools", "supported_parameters": [3]}, None, None, (), None),
    ],
)  # fmt: skip
def test_what_a_list_says(
    item: dict[str, Any], window: int | None, output: int | None, capabilities: tuple[str, ...], priced: Price | None
) -> None:
    (model,) = openai_models.models(UP, json.dumps({"data": [item]}).encode()).models
    assert (model.context_window, model.max_output_tokens) == (window, output)
    assert (model.capabilities, model.price) == (capabilities, priced)
    assert (model.model, model.source) == (f"up:{item['id']}", "live")


@each(
    ("item", "lacks"),
    [
        ({}, ()),
        ({"input_modalities": ["text"]}, ("images", "files")),
        ({"architecture": {"input_modalities": ["text", "image"]}}, ("files",)),
        ({"supported_input_modalities": ["text", "image", "file"]}, ()),
        ({"supported_parameters": ["max_tokens", "temperature"]}, ("tools",)),
        ({"supported_parameters": ["tools"]}, ()),
        ({"supported_parameters": [], "input_modalities": "text", "capabilities": ["completion"]}, ()),
        ({"supported_parameters": ["seed"], "capabilities": {"function_calling": True, "vision": False}}, ("images",)),
        ({"supports_tools": False, "supports_image_input": None, "supports_seed": False}, ("tools",)),
    ],
)
def test_what_a_list_says_that_a_model_has_not_got(item: dict[str, Any], lacks: tuple[str, ...]) -> None:
    model = listed(UP, {"id": "m"} | item)
    assert model is not None
    assert model.lacks == lacks


@each(
    "pricing",
    [
        None, 3, {}, {"prompt": "1"}, {"prompt": "-1", "completion": "-1"}, {"prompt": "x", "completion": "1"},
        {"prompt": None, "completion": None}, {"input": 10**7, "output": 1}, {"input": float("nan"), "output": 1},
        {"prompt": "1e9", "completion": "0"}, {"input": 10**400, "output": 1},
    ],
)  # fmt: skip
def test_what_is_no_price_is_unknown(pricing: Any) -> None:
    assert price(pricing, "up") is None


def test_free_is_a_price() -> None:
    assert price({"prompt": "0", "completion": "0"}, "up") == Price(0.0, 0.0, "up")


@each("item", [{}, {"id": 3}, {"id": ""}, {"id": None}])
def test_what_has_no_id_is_left_out(item: dict[str, Any]) -> None:
    assert listed(UP, item) is None


def test_where_there_is_no_list_none_is_asked_for() -> None:
    assert openai_models.models_request(UP) is not None
    assert openai_models.models_request(replace(UP, model_list="none")) is None


def test_a_name_for_people() -> None:
    for item, name in (({"name": "N"}, "N"), ({"display_name": "D"}, "D"), ({"name": None}, "i"), ({"name": 3}, "i")):
        model = listed(UP, {"id": "i", **item})
        assert model is not None
        assert model.name == name


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.sampled_from(sorted(WORDS)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*WORDS, *CONTEXT, "prompt"]), inner),
    max_leaves=8,
)
FIELDS = [*CONTEXT, *OUTPUT, *INSIDE, "name", "pricing", "architecture", "capabilities", "providers", "supports_tools"]


@given(st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_nothing_in_a_list_is_a_mistake_of_ours(item: dict[str, Any]) -> None:
    assert listed(UP, {**item, "id": "m"}) is not None
