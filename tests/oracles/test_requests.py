"""The official SDKs as judges: for the same conversation, the daemon sends the whole request that they send.

Both ask one server over TLS, the daemon by its shipped definitions, and every byte of a head counts, the key as well.
What may differ stands in tables, with the reason, and has to differ.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pointsman.core.chat import Conversation, Options, ReasoningPart, ToolCallPart
from tests.counterparts import upstream as scripted
from tests.counterparts.certificates import Authority
from tests.counterparts.scripts import Reply
from tests.counterparts.upstream import Request, Upstream
from tests.daemon.client import Editor, Refused
from tests.living import Home
from tests.oracles.asked import CITY, NO_KEY, WEATHER, conversation, origin
from tests.oracles.senders import AWS_KEYS, LISTERS, SENDERS

MODEL_OF_BEDROCK = "us.anthropic.claude-sonnet-4-20250514-v1:0"
OPENAI = conversation(
    Options(max_output_tokens=500, reasoning_effort="low"),
    ToolCallPart("call_1", "get_weather", CITY),
    detail="low",
    strict=True,
    tool_choice="auto",
)
CLAUDE = conversation(
    Options(max_output_tokens=2000, reasoning_effort="low"),
    ReasoningPart("hm", "c2ln"),
    ToolCallPart("toolu_1", "get_weather", CITY),
)
CONVERSE = conversation(
    Options(max_output_tokens=2000, reasoning_effort="low"),
    ReasoningPart("hm", "c2ln"),
    ReasoningPart("", None, {"redactedContent": base64.b64encode(b"secret").decode()}),
    ToolCallPart("t1", "get_weather", CITY),
    tool_choice="auto",
    failed=True,
    cache=True,
)
GEMINI = conversation(
    Options(max_output_tokens=500, reasoning_effort="minimal"),
    ToolCallPart("call_1", "get_weather", CITY, signature="c2ln"),
)
OLLAMA = conversation(
    Options(max_output_tokens=500, reasoning_effort="medium"), ToolCallPart("call_1", "get_weather", CITY)
)

CONFIGURED = """
[providers.openai]
base_url = "{start}/v1"
[providers.openai-responses]
base_url = "{start}/v1"
[providers.azure]
parameters.endpoint.value = "{start}"
[providers.azure-deployment]
base_url = "{start}/openai/deployments/gpt-5"
api_version = "2024-10-21"
auth = {{ scheme = "header", header = "api-key", env = "AZURE_OPENAI_API_KEY" }}
quirks = {{ max_tokens_field = "max_completion_tokens" }}
[providers.azure-entra]
base_url = "{start}/openai/deployments/gpt-5"
api_version = "2024-10-21"
auth = {{ scheme = "bearer", env = "ENTRA_TOKEN" }}
quirks = {{ max_tokens_field = "max_completion_tokens" }}
[providers.openrouter]
base_url = "{start}/api/v1"
headers = {{ HTTP-Referer = "https://x", X-Title = "t" }}
[providers.anthropic]
base_url = "{start}/v1"
api_version = "2026-10-21"
[providers.vertex-anthropic]
base_url = "{start}/v1/projects/p/locations/l"
api_version = "2026-10-21"
[providers.gemini]
base_url = "{start}/v1beta"
[providers.vertex]
base_url = "{start}/v1/projects/p/locations/l/publishers/google"
[providers.ollama]
base_url = "{start}"
[providers.ollama-cloud]
base_url = "{start}"
[providers.bedrock]
base_url = "{start}"
"""
GOOGLE = {"GOOGLE_APPLICATION_CREDENTIALS": "{home}/google.json"}
AWS = {name.upper(): value for name, value in AWS_KEYS.items()}

WHO = {
    "accept": "The SDKs take anything, or any JSON, and are sent a stream all the same; we say what is to come.",
    "connection": "HTTP/1.1 keeps a connection without being told to (RFC 9112 §9.3).",
    "user-agent": "It is not the SDK that asks.",
}
STAINLESS = WHO | {"x-stainless-*": "What the SDK tells of itself."}
SPELLED = {"content-length": "The same JSON takes more bytes: it has blanks, escapes or other names."}
GENAI = WHO | SPELLED | {"x-goog-api-client": "What the SDK tells of itself."}
BOTO = (
    SPELLED
    | {name: WHO[name] for name in ("accept", "user-agent")}
    | {
        "accept-encoding": "An answer may be packed; a stream of AWS never is.",
        "amz-sdk-invocation-id": "What the SDK tells of itself.",
        "amz-sdk-request": "The same: which attempt this is.",
    }
)
KEY_OF_AZURE = (
    "Azure takes a key both ways; its docs name `api-key` (learn.microsoft.com/azure/ai-foundry/openai/reference)."
)
KEY_OF_ANTHROPIC = "The docs' own requests have the key in `x-api-key`; the SDK sends it as a bearer's since 2.0."


def documented(value: Any) -> Any:
    """Gemini's SDK spells some names in snake case and base64 as in URLs; here they are as documented.

    Either is taken: https://protobuf.dev/programming-guides/json/
    """
    if isinstance(value, list):
        return [documented(each) for each in value]
    if not isinstance(value, dict):
        return value
    renamed = {CAMEL.get(name, name): documented(inner) for name, inner in value.items()}
    if "mimeType" in renamed and "data" in renamed:
        renamed["data"] = renamed["data"].replace("-", "+").replace("_", "/")
    return renamed


CAMEL = {
    "mime_type": "mimeType",
    "parameters_json_schema": "parametersJsonSchema",
    "include_thoughts": "includeThoughts",
    "thinking_budget": "thinkingBudget",
}


def with_what_is_dropped(body: Any) -> Any:
    """Ollama's SDK drops from its arguments what it does not know, and what is empty; ids tell results apart."""
    body["tools"][0]["function"]["parameters"] = WEATHER
    body["messages"][2]["content"] = ""
    body["messages"][2]["tool_calls"][0]["id"] = body["messages"][3]["tool_call_id"] = "call_1"
    return body


@dataclass(frozen=True)
class Case:
    """One way to ask. `differs` are the headers that do, and why; `same` makes of the SDK's JSON what it means.

    `left_out` is what the daemon tells that it could not carry.
    """

    model: str
    said: Conversation
    variables: Mapping[str, str]
    differs: Mapping[str, str]
    same: Callable[[Any], Any] = lambda body: body
    left_out: Sequence[str] = ()


NOT_OLLAMA = ("reasoningEffort", "image")  # this model's effort has no degrees; nor has an image a media type
CASES = {
    "openai": Case("openai:gpt-5", OPENAI, {"OPENAI_API_KEY": NO_KEY}, STAINLESS),
    "openai-responses": Case("openai-responses:gpt-5", OPENAI, {"OPENAI_API_KEY": NO_KEY}, STAINLESS),
    "azure": Case(
        "azure:gpt-5",
        OPENAI,
        {"AZURE_OPENAI_API_KEY": NO_KEY},
        STAINLESS | dict.fromkeys(["api-key", "authorization"], KEY_OF_AZURE),
    ),
    "azure-deployment": Case("azure-deployment:gpt-5", OPENAI, {"AZURE_OPENAI_API_KEY": NO_KEY}, STAINLESS),
    "azure-entra": Case("azure-entra:gpt-5", OPENAI, {"ENTRA_TOKEN": NO_KEY}, STAINLESS),
    "openrouter": Case("openrouter:openai/gpt-5", OPENAI, {"OPENROUTER_API_KEY": NO_KEY}, STAINLESS),
    "anthropic": Case(
        "anthropic:claude-sonnet-4-5",
        CLAUDE,
        {"ANTHROPIC_API_KEY": NO_KEY},
        STAINLESS | dict.fromkeys(["x-api-key", "authorization"], KEY_OF_ANTHROPIC),
    ),
    "vertex-anthropic": Case("vertex-anthropic:claude-sonnet-4-5", CLAUDE, GOOGLE, STAINLESS),
    "gemini": Case("gemini:gemini-2.5-pro", GEMINI, {"GEMINI_API_KEY": NO_KEY}, GENAI, documented),
    "vertex": Case("vertex:gemini-2.5-pro", GEMINI, GOOGLE, GENAI, documented),
    "ollama": Case("ollama:qwen3", OLLAMA, {}, WHO | SPELLED, with_what_is_dropped, NOT_OLLAMA),
    "ollama-cloud": Case(
        "ollama-cloud:qwen3", OLLAMA, {"OLLAMA_API_KEY": NO_KEY}, WHO | SPELLED, with_what_is_dropped, NOT_OLLAMA
    ),
    "bedrock": Case(
        f"bedrock:{MODEL_OF_BEDROCK}",
        CONVERSE,
        AWS,
        BOTO | {"authorization": "We sign `accept`, too."},
    ),
    "bedrock-bearer": Case(f"bedrock:{MODEL_OF_BEDROCK}", CONVERSE, {"AWS_BEARER_TOKEN_BEDROCK": NO_KEY}, BOTO),
}
MOMENTS = {"x-amz-date"}
"""Headers that differ when the clock has moved on."""


@dataclass(frozen=True)
class Asking:
    """The daemon and the server that it asks, which are there for all tests of this file."""

    home: Home
    server: Upstream
    certificate: Path

    @property
    def start(self) -> str:
        return origin(self.server.base_url)


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    folder = tmp_path_factory.mktemp("requests")
    authority = Authority(folder / "ca")
    with scripted.serving(authority.server()) as server:
        token = {"access_token": NO_KEY, "expires_in": 3600, "token_type": "Bearer"}
        server.script("/token", Reply(json.dumps(token).encode()))
        home = Home(folder / "home")
        home.environment["SSL_CERT_FILE"] = str(authority.file)
        home.configure(CONFIGURED.format(start=origin(server.base_url)))
        service_account(home.folder / "google.json", f"{origin(server.base_url)}/token")
        try:
            home.start()
            yield Asking(home, server, authority.file)
        finally:
            home.close()


def service_account(file: Path, token_uri: str) -> None:
    """Writes the file of an account of Google's, whose tokens come from the server of the tests."""
    key = rsa.generate_private_key(65537, 2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    info = {"type": "service_account", "client_email": "robot@p.example", "private_key_id": "1"}
    file.write_text(json.dumps({**info, "private_key": private, "token_uri": token_uri}))


@pytest.fixture
def trusted(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDKs, which run in this process, trust the server."""
    for name in ("SSL_CERT_FILE", "AWS_CA_BUNDLE"):
        monkeypatch.setenv(name, str(asking.certificate))


@asynccontextmanager
async def connected(asking: Asking, case: Case) -> AsyncIterator[Editor]:
    """An editor with the variables of a case."""
    home = asking.home
    try:
        yield await home.connect(
            variables={name: value.format(home=home.folder) for name, value in case.variables.items()}
        )
    finally:
        await home.leave()


async def asked_by_daemon(asking: Asking, case: Case) -> Request:
    """What the daemon sends when an editor says the conversation."""
    said = {
        "messages": case.said.messages,
        "system": case.said.system,
        "tools": case.said.tools,
        "toolChoice": case.said.tool_choice,
        "options": case.said.options,
    }
    async with connected(asking, case) as editor:
        chat = editor.chat(case.model, **msgspec.to_builtins(said))
        with pytest.raises(Refused):
            await chat.answer()
        assert {notice["about"] for notice in chat.all("notice")} == set(case.left_out)
    return posted(asking.server)


def posted(server: Upstream) -> Request:
    """The last chat that has come in. A daemon asks for models and tokens besides."""
    return [each for each in server.requests if each.method == "POST" and each.path != "/token"][-1]


def headers(request: Request) -> dict[str, str]:
    """The headers, each SDK's words about itself as one."""
    named = {"x-stainless-*" if name.startswith("x-stainless-") else name: value for name, value in request.headers}
    return {name: value for name, value in named.items() if name not in MOMENTS}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("name", CASES)
async def test_the_daemon_sends_what_the_official_sdk_sends(
    asking: Asking, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = CASES[name]
    if name == "bedrock-bearer":
        monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", NO_KEY)
    ours = await asked_by_daemon(asking, case)
    SENDERS[name](asking.start)
    theirs = posted(asking.server)
    assert ours is not theirs
    assert (ours.method, ours.target) == (theirs.method, theirs.target)
    assert ours.json == case.same(theirs.json)
    mine, yours = headers(ours), headers(theirs)
    assert {name for name in mine | yours if mine.get(name) != yours.get(name)} == set(case.differs)
    assert all(request.header("content-length") == str(len(request.body)) for request in (ours, theirs))
    assert any(NO_KEY in value for value in mine.values()) or name in {"ollama", "bedrock"}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("trusted")
async def test_what_is_signed(asking: Asking) -> None:
    """Whether a signature is right is looked at in `tests/edge/test_aws.py`."""
    ours = await asked_by_daemon(asking, CASES["bedrock"])
    SENDERS["bedrock"](asking.start)
    mine, yours = (signed(request) for request in (ours, posted(asking.server)))
    assert mine == yours | {"SignedHeaders": f"accept;{yours['SignedHeaders']}"}


def signed(request: Request) -> dict[str, str]:
    """For what a signature is, besides the day and the signature itself."""
    scheme, _, fields = (request.header("authorization") or "").partition(" ")
    said = dict(part.split("=", 1) for part in fields.split(", "))
    key, day, *place = said.pop("Credential").split("/")
    assert (request.header("x-amz-date") or "").startswith(day)
    assert len(said.pop("Signature")) == 64
    return {"scheme": scheme, "key": key, "place": "/".join(place), **said}


A_CLAUDE = {"type": "model", "id": "claude-a", "display_name": "A", "created_at": "2026-01-01T00:00:00Z"}
LISTS: dict[str, tuple[str, list[Any], set[str]]] = {
    "openai": ("/v1/models", [{"data": []}], {"x-stainless-*"}),
    "anthropic": (
        "/v1/models",
        [{"data": [A_CLAUDE], "has_more": True, "last_id": "claude-a"}, {"data": [], "has_more": False}],
        {"x-stainless-*", "x-api-key", "authorization"},
    ),
    "gemini": (
        "/v1beta/models",
        [{"models": [{"name": "models/a"}], "nextPageToken": "more"}, {"models": [{"name": "models/b"}]}],
        {"x-goog-api-client", "accept", "content-type"},
    ),
    "ollama": ("/api/tags", [{"models": []}], {"content-type"}),
}
"""By provider: the path, its pages, and the headers that differ besides those that always do. Why they differ stands
above; `content-type` does where an SDK sends it with a request that has no content."""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("name", LISTERS)
async def test_the_daemon_asks_for_models_as_the_official_sdk_does(asking: Asking, name: str) -> None:
    path, pages, differs = LISTS[name]
    replies = [Reply(json.dumps(page).encode()) for page in pages]
    asking.server.script(path, *replies)
    asking.server.requests.clear()
    async with connected(asking, CASES[name]) as editor:
        await editor.call("pointsman/listModels", {"provider": name, "refresh": True})
    ours = [each for each in asking.server.requests if each.path == path]
    asking.server.script(path, *replies)
    asking.server.requests.clear()
    LISTERS[name](asking.start)
    assert len(ours) == len(pages)
    theirs = [
        each for each in asking.server.requests if each.path == path
    ]  # a list may be made fresh behind the scenes
    for mine, yours in zip(ours, theirs, strict=True):
        assert (mine.method, in_order(mine.target)) == (yours.method, in_order(yours.target))
        one, other = headers(mine), headers(yours)
        found = {name for name in one | other if one.get(name) != other.get(name)}
        assert found == differs | {"connection", "user-agent"}


def in_order(target: str) -> tuple[str, list[str]]:
    """A path and what stands in its query, in whatever order it does."""
    path, _, query = target.partition("?")
    return path, sorted(query.split("&"))
