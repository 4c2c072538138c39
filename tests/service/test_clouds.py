"""The clouds that come with Pointsman: where each is asked for what a connection's variables say."""

from __future__ import annotations

import pytest

from pointsman.core.catalogue import Provider
from pointsman.core.chat import Conversation, Message
from pointsman.core.configuration import build
from pointsman.core.environment import Environment
from pointsman.core.layers import read
from pointsman.core.variables import overlay
from pointsman.edge.files import shipped
from pointsman.wire import QUIRKS, WIRES

HELLO = Conversation((Message("user", "Hello!"),))
GOOGLE = "aiplatform.googleapis.com/v1/projects/p/locations"


def provider(id: str, variables: dict[str, str]) -> Provider:
    """A shipped provider, as a connection with these variables sees it."""
    reading = read(shipped())
    said = overlay(Environment(variables), reading.providers, reading.owned_variables, reading.parameter_variables)
    found = build(reading, QUIRKS, said)
    assert found.problems == ()
    return found.providers[id]


@pytest.mark.parametrize(
    ("id", "variables", "url"),
    [
        ("bedrock", {}, "https://bedrock-runtime.us-east-1.amazonaws.com/model/m%3A0/converse-stream"),
        (
            "bedrock",
            {"AWS_REGION": "eu-west-3", "AWS_DEFAULT_REGION": "x"},
            "https://bedrock-runtime.eu-west-3.amazonaws.com/model/m%3A0/converse-stream",
        ),
        ("vertex", {}, f"https://{GOOGLE}/global/publishers/google/models/m%3A0:streamGenerateContent?alt=sse"),
        (
            "vertex",
            {"GOOGLE_CLOUD_LOCATION": "europe-west4"},
            f"https://europe-west4-{GOOGLE}/europe-west4/publishers/google/models/m%3A0:streamGenerateContent?alt=sse",
        ),
        (
            "vertex-anthropic",
            {"CLOUD_ML_REGION": "eu"},
            "https://aiplatform.eu.rep.googleapis.com/v1/projects/p/locations/eu"
            "/publishers/anthropic/models/m%3A0:streamRawPredict",
        ),
        (
            "vertex-anthropic",
            {"GOOGLE_CLOUD_LOCATION": "us-east5", "ANTHROPIC_VERTEX_PROJECT_ID": "q"},
            "https://us-east5-aiplatform.googleapis.com/v1/projects/q/locations/us-east5"
            "/publishers/anthropic/models/m%3A0:streamRawPredict",
        ),
        (
            "azure",
            {"AZURE_OPENAI_ENDPOINT": "https://r.openai.azure.com/"},
            "https://r.openai.azure.com/openai/v1/chat/completions",
        ),
    ],
)
def test_where_a_cloud_is_asked(id: str, variables: dict[str, str], url: str) -> None:
    found = provider(id, {"GOOGLE_CLOUD_PROJECT": "p"} | variables)
    assert found.missing == ()
    request, _ = WIRES[found.wire].request(found, "m:0", HELLO)
    assert request.url == url


@pytest.mark.parametrize(
    ("id", "missing"),
    [("bedrock", ()), ("vertex", ("project",)), ("vertex-anthropic", ("project",)), ("azure", ("endpoint",))],
)
def test_what_has_to_be_said_for_a_cloud(id: str, missing: tuple[str, ...]) -> None:
    found = provider(id, {})
    assert found.missing == missing
    assert all(found.parameters[name].variables and found.parameters[name].description for name in missing)
