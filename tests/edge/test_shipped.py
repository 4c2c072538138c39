"""The definitions that come with Pointsman, and the examples in docs/examples: data, and each of it sound."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest

from pointsman.core.catalogue import Catalogue, Kind
from pointsman.core.chat import Conversation, Message, Options, Tool, ToolCallPart, ToolResultPart
from pointsman.core.configuration import parse
from pointsman.core.layers import Layer
from pointsman.core.routing import resolve
from pointsman.edge.files import definitions, layer, shipped
from pointsman.service.testing import QUESTION
from pointsman.wire import QUIRKS, WIRES

ROOT = Path(__file__).parent.parent.parent
SERVER = ROOT / "server" / "pointsman"
EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*.toml"))
CATALOGUE = parse(shipped(), QUIRKS)
IDS = sorted(tomllib.loads(each.text)["id"] for each in shipped())

EXPECTED = {
    *("openai", "anthropic", "gemini", "vertex", "vertex-anthropic", "azure", "bedrock", "openrouter", "xai"),
    *("qwen-direct", "deepseek", "groq", "mistral", "cohere", "together", "fireworks", "cerebras", "moonshot", "zai"),
    *("perplexity", "nvidia", "huggingface", "github-models", "poe", "ollama", "ollama-cloud", "lmstudio"),
    *("llamacpp", "vllm", "jan", "echo", "openai-responses", "claude-code-max"),
}
SHARED: dict[str, set[str]] = {"OPENAI_API_KEY": {"openai", "openai-responses"}}
"""Variables that more than one provider is meant to read a key from."""

FAMILIES = ("kimi", "deepseek", "cogito", "qwen", "ministral", "nemotron", "gemma", "glm", "devstral")
"""The models that only one provider serves for who has no other keys."""

LITERALS = {
    "core/well_formed.py": {"echo": "the scheme of its URLs, as an address may have it"},
    "edge/transport.py": {"echo": "the scheme of its URLs, which has a transport of its own"},
    "wire/__init__.py": dict.fromkeys(("echo", "openai-responses"), "the dialect of that name"),
    "wire/echo.py": {"echo": "a model of that name, in the table of paces"},
    "edge/aws.py": {"bedrock": "the service that a signature is for (SigV4), whoever is asked"},
}
"""The only strings in the code that equal a provider's id, by file, and why none of them asks who the provider is."""

HARMLESS = {
    r"https?://\S+": "the address of a source",
    r"\b(openai-chat|openai-responses|anthropic-messages|gemini-generate|ollama-chat|bedrock-converse)\b": "a dialect",
    r"\bclick\.echo\b": "click's way to print",
    r"\btogether\b": "the word",
    r"\b(gemini-(\[|\d)|deepseek-[rv])|\banthropic\.claude-": "a family of models, in a pattern",
    r"\banthropic-version\b|\bpublishers/anthropic\b|\bvertex-(2023|\"\))": "what the API itself writes",
    r"\becho:(?!echo)|\bopenai/codex\b|\bxai\|": "a URL's scheme, a repository, the beginning of a key",
}
"""What `grep -w` takes for a provider's id and is none."""
WORDS = LITERALS | {
    "wire/__init__.py": {"echo": "the dialect of that name"},
    "cli/demo.py": {"echo": "what is shown offline; `pointsman demo` uses it as a person would, by its name"},
}
"""All else that it finds in the server, by file, and why it stands there."""


# What comes with Pointsman


def test_they_are_all_there_and_sound() -> None:
    assert CATALOGUE.problems == ()
    assert set(IDS) == CATALOGUE.providers.keys()
    assert set(IDS) >= EXPECTED


def test_each_file_is_named_after_its_provider() -> None:
    for each in shipped():
        assert each.origin == f"shipped:{tomllib.loads(each.text)['id']}.toml"


@pytest.mark.parametrize("id", IDS)
def test_each_says_what_people_need(id: str) -> None:
    provider = CATALOGUE.providers[id]
    assert not provider.configured_by_user
    assert provider.title != id, "it has a name for people"
    assert provider.kind in set(get_args(Kind)) - {"custom"}
    assert provider.wire in WIRES
    assert provider.features, "what it can do is said"
    assert provider.links.docs or provider.wire == "echo"
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]*", id), "TOML and the names of variables take it without quotes"


@pytest.mark.parametrize("id", IDS)
def test_each_is_reached_safely(id: str) -> None:
    provider = CATALOGUE.providers[id]
    if provider.auth.scheme == "program":
        assert provider.base_url.startswith("program://")
    elif provider.kind != "local":
        assert provider.base_url.startswith("https://") or provider.base_url.startswith("{"), "or the user says it all"
        assert provider.auth.scheme not in {"none", "optional-key"}
    for page in (provider.links.docs, provider.links.keys, provider.links.status):
        assert page is None or re.fullmatch(r"https://[\w.-]+(/\S*)?", page)


@pytest.mark.parametrize("id", IDS)
def test_each_names_where_its_key_is(id: str) -> None:
    provider = CATALOGUE.providers[id]
    if provider.auth.scheme not in {"none", "oauth", "passthrough", "gcp", "program"}:
        assert provider.auth.variables
    assert all(re.fullmatch(r"[A-Z][A-Z0-9_]*", name) for name in provider.auth.variables)


@pytest.mark.parametrize("id", IDS)
def test_the_models_that_it_names_can_be_asked_for(id: str) -> None:
    provider = CATALOGUE.providers[id]
    for name in provider.names:
        (target,) = resolve(CATALOGUE, f"{id}:{name}").targets
        assert (target.provider, target.model) == (id, provider.model(name))
        assert target.model not in provider.aliases, "a short name leads to a model, not to another short name"
    if provider.default_model:
        (target,) = resolve(CATALOGUE, id).targets
        assert target.model == provider.model(provider.default_model)


def test_nobody_s_variable_is_another_s() -> None:
    owners: dict[str, set[str]] = {}
    for id, provider in CATALOGUE.providers.items():
        for name in provider.auth.variables:
            owners.setdefault(name, set()).add(id)
    assert {name: ids for name, ids in owners.items() if len(ids) > 1} == SHARED


def test_no_two_local_servers_are_the_same() -> None:
    local = [provider.base_url for provider in CATALOGUE.providers.values() if provider.kind == "local"]
    assert len(set(local)) == len(local)


SHORT_NAMES = {
    "openrouter": {
        "claude-sonnet-4": "anthropic/claude-sonnet-4",
        "gpt-4": "openai/gpt-4",
        "gemini-2.5-pro": "google/gemini-2.5-pro-preview",
        "qwen3-32b": "qwen/qwen3-32b:free",
        "free": "openrouter/free",
    },
    "openai": {"gpt-4": "gpt-4", "gpt-4-turbo": "gpt-4-turbo"},
    "gemini": {"gemini-1.5-pro": "gemini-1.5-pro"},
    "qwen-direct": {"qwen3-32b": "qwen3-32b-instruct"},
    "ollama": {"llama3.1": "llama3.1", "qwen3-coder": "qwen3-coder"},
    "lmstudio": {"local-model": "local-model"},
    "claude-code-max": {"claude-sonnet-4": "claude-sonnet-4"},
}


@pytest.mark.parametrize("id", SHORT_NAMES)
def test_the_short_names_are_those_that_people_know(id: str) -> None:
    provider = CATALOGUE.providers[id]
    assert {name: provider.model(name) for name in SHORT_NAMES[id]} == SHORT_NAMES[id]
    assert SHORT_NAMES[id].keys() <= provider.names


# What their models refuse, and how they want it

SAMPLING = {"temperature", "frequencyPenalty"}
REFUSED: list[tuple[str, str, set[str]]] = [
    ("openai", "gpt-4.1", {"reasoningEffort"}),
    ("openai", "gpt-5-mini", SAMPLING | {"stop"}),
    ("openai", "gpt-5.4", {"stop"}),
    ("openai", "o3", SAMPLING | {"stop", "parallelToolCalls"}),
    ("azure", "o3", SAMPLING | {"stop", "parallelToolCalls"}),
    ("openai-responses", "gpt-5.4", {"frequencyPenalty", "stop"}),
    ("chatgpt", "gpt-5.5", {"temperature", "frequencyPenalty", "stop"}),
    ("moonshot", "kimi-k2.6", {"temperature"}),
    ("moonshot", "kimi-k2-thinking", set()),
    ("xai", "grok-4", {"frequencyPenalty", "stop", "reasoningEffort"}),
    ("xai", "grok-code-fast-1", {"reasoningEffort"}),
    ("xai", "grok-3-mini", {"frequencyPenalty", "stop"}),
    ("qwen-direct", "qwen3-max", {"reasoningEffort"}),
    ("zai", "glm-5", {"reasoningEffort"}),
    ("mistral", "mistral-large-latest", set()),
]
ALL = Options(temperature=0.5, frequency_penalty=0.5, stop=("x",), reasoning_effort="low", parallel_tool_calls=False)


@pytest.mark.parametrize(("id", "model", "refused"), REFUSED)
def test_what_a_model_refuses_is_not_sent(id: str, model: str, refused: set[str]) -> None:
    provider = CATALOGUE.providers[id]
    asked = Conversation(QUESTION.messages, tools=(Tool("f", {}),), options=ALL)
    _, notices = WIRES[provider.wire].request(provider, model, asked)
    assert {notice.about for notice in notices} == refused


@pytest.mark.parametrize(
    ("id", "said"),
    [
        ("mistral", {"random_seed": 7}),
        ("deepseek", {"seed": 7, "stream_options": {"include_usage": True}}),
        ("moonshot", {"seed": 7}),
    ],
)
def test_how_some_want_it(id: str, said: dict[str, object]) -> None:
    provider = CATALOGUE.providers[id]
    turns = (Message("assistant", (ToolCallPart("call_1", "f", {}),)), Message("tool", (ToolResultPart("call_1", ""),)))
    asked = Conversation((*QUESTION.messages, *turns), options=Options(seed=7))
    request, _ = WIRES[provider.wire].request(provider, "m", asked)
    body = json.loads(request.body)
    assert body | said == body
    assert ("stream_options" in body, "reasoning_content" in body["messages"][-2]) == (id != "mistral",) * 2
    assert (body["messages"][-1]["tool_call_id"] == "call_1") == (id != "mistral")


# The examples


def example(file: Path) -> Catalogue:
    found = layer(file)
    assert found
    return parse([*shipped(), found], QUIRKS)


def test_there_is_one_for_each_way_to_begin() -> None:
    names = {"several-providers", "anthropic-alone", "bedrock", "vertex", "azure", "local-only", "chains"}
    assert {file.stem for file in EXAMPLES} == names


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_an_example_is_right(file: Path) -> None:
    catalogue = example(file)
    assert catalogue.problems == ()
    assert catalogue.default
    for name in (catalogue.default, *catalogue.aliases, *(f"chain:{name}" for name in catalogue.chains)):
        for target in resolve(catalogue, name).targets:
            provider = catalogue.providers[target.provider]
            assert provider.configured_by_user, f"{name} leads to {target.provider}, which the example leaves out"
            assert not provider.missing, f"the example does not say {provider.missing} of {target.provider}"


def test_the_chains_are_those_that_people_know() -> None:
    catalogue = example(ROOT / "docs" / "examples" / "chains.toml")
    found = {name: [str(t) for t in resolve(catalogue, f"chain:{name}").targets] for name in catalogue.chains}
    assert found == {
        "coding": [
            "claude-code-max:claude-sonnet-4",
            "openrouter:anthropic/claude-sonnet-4",
            "openai:gpt-4",
            "ollama:qwen3-coder",
        ],
        "chat": ["openrouter:qwen/qwen3-32b:free", "ollama:llama3.1", "lmstudio:local-model"],
        "free-first": ["openrouter:openrouter/free", "ollama-cloud:gpt-oss:120b"],
    }
    assert [len(catalogue.providers[id].keys) for id in ("openrouter", "ollama-cloud")] == [3, 2]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_leads_to_the_one_that_serves_it(family: str) -> None:
    route = resolve(CATALOGUE, f"{family}-9:1t")
    assert [str(target) for target in route.targets] == [f"ollama-cloud:{family}-9:1t"]
    assert route.rule == f"{family}* is a pattern of ollama-cloud"
    patterned = [provider.id for provider in CATALOGUE.providers.values() if provider.patterns]
    assert patterned == ["ollama-cloud"]
    assert len(CATALOGUE.providers["ollama-cloud"].patterns) == len(FAMILIES)


def test_nobody_is_led_to_the_one_that_only_repeats() -> None:
    assert [provider.id for provider in CATALOGUE.providers.values() if not provider.stands_in] == ["echo"]


def test_what_is_to_stay_on_this_machine_stays_there() -> None:
    catalogue = example(ROOT / "docs" / "examples" / "local-only.toml")
    own = [provider for provider in catalogue.providers.values() if provider.configured_by_user]
    assert {provider.kind for provider in own} == {"local"}


def test_the_files_of_a_folder_are_found(tmp_path: Path) -> None:
    for name in ("b.toml", "a.toml", ".c.toml", "d.toml~", "e.json"):
        (tmp_path / name).touch()
    assert definitions(tmp_path) == [tmp_path / "a.toml", tmp_path / "b.toml"]
    assert definitions(tmp_path / "none") == definitions(tmp_path / "a.toml") == []
    found = layer(tmp_path / "a.toml", "dropped")
    assert found
    assert found.id == "a"


# No code knows a provider


def literals(tree: ast.AST) -> set[str]:
    """Every string in a file that is a value, and not a word about it."""
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    found = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in docs)
    return {node.value for node in found if isinstance(node.value, str)}


def test_no_code_names_a_provider() -> None:
    named = {
        str(file.relative_to(SERVER)): literals(ast.parse(file.read_text("utf-8"))) & set(IDS)
        for file in sorted(SERVER.rglob("*.py"))
    }
    assert {file: ids for file, ids in named.items() if ids} == {file: set(ids) for file, ids in LITERALS.items()}


def test_the_look_at_the_code_sees_what_it_should() -> None:
    code = 'def f(provider):\n    """echo"""\n    return provider.id == "groq" or provider in {"xai"} or f"{x}zai"\n'
    assert literals(ast.parse(code)) & {"echo", "groq", "xai", "zai"} == {"groq", "xai", "zai"}


def words(text: str) -> set[str]:
    """The ids that `grep -w` finds, besides what is harmless."""
    for pattern in HARMLESS:
        text = re.sub(pattern, "", text)
    return {id for id in IDS if re.search(rf"(?<!\w){re.escape(id)}(?!\w)", text)}


def test_grep_finds_no_provider() -> None:
    named = {str(file.relative_to(SERVER)): words(file.read_text("utf-8")) for file in sorted(SERVER.rglob("*.py"))}
    assert {file: ids for file, ids in named.items() if ids} == {file: set(ids) for file, ids in WORDS.items()}
    assert words("# as groq does, at https://xai.example/zai: openai-chat, together") == {"groq"}


# A provider that nobody has heard of

UNKNOWN = """\
[providers.corp]
name = "Corp gateway"
kind = "universal-gateway"
wire = "openai-chat"
base_url = "https://llm.corp.example/v1"
auth = { scheme = "header", header = "x-corp-key", env = "CORP_LLM_KEY" }
headers = { "X-Team" = "blue" }
default_model = "large"
models = ["large", "small"]
aliases = { big = "large" }
quirks = { max_tokens_field = "max_completion_tokens" }
health_check = "whoami"
limits = { requests_per_minute = 30, rolling = 225, window_hours = 5, weekly = 800 }
"""


def test_an_unknown_one_takes_fifteen_lines() -> None:
    catalogue = parse([*shipped(), Layer("pointsman.toml", UNKNOWN)], QUIRKS)
    assert UNKNOWN.count("\n") <= 15
    assert catalogue.problems == ()
    corp = catalogue.providers["corp"]
    assert corp.health_url == "https://llm.corp.example/v1/whoami"
    assert (corp.limits.rolling, corp.limits.window_hours) == (225, 5)
    request, notices = WIRES[corp.wire].request(corp, corp.model("big"), QUESTION)
    assert (request.url, request.headers["X-Team"], list(notices)) == (corp.url("chat/completions"), "blue", [])
