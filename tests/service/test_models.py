"""The models of each provider: those of its definition, and those that it lists itself when it is asked."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import cast

import pytest

from pointsman.core.environment import Environment
from pointsman.core.errors import ConnectFailed
from pointsman.edge.store import Store
from pointsman.edge.transport import Transports
from pointsman.service import models as module
from pointsman.service.credentials import Credentials
from pointsman.service.models import Models
from tests.service.bench import HANG, NoLists, Play, Scripted, catalogue, provider, refuses

SHIPPED = 'id = "shipped"\nbase_url = "http://shipped.example"\nmodels = ["s"]\nauth = { scheme = "none" }\n'
ECHO = 'id = "echo"\nwire = "echo"\nbase_url = "echo://localhost"\ndefault_model = "echo"\nauth = { scheme = "none" }\n'
ACME = provider("acme", models=["m", "n"], aliases={"short": "org/long"})
OTHER = provider("other", "sk-0123456789", models=["o"])


def lists(*ids: str) -> Play:
    return Play((json.dumps({"data": [{"id": id} for id in ids]}).encode(),))


class Asked:
    """Models over a scripted transport."""

    def __init__(self, *texts: str, plays: list[Play | Exception]) -> None:
        self.transport = Scripted(*plays)
        self.catalogue = catalogue("\n".join(texts), SHIPPED, ECHO)
        self.models = Models(Credentials(), Transports({"http": self.transport}), cast("Store", NoLists()))

    async def list(self, provider: str | None = None, refresh: bool = False) -> tuple[list[str], list[str]]:
        """Names to switch to, and the codes of what failed."""
        named = self.catalogue.providers[provider] if provider else None
        found, failures = await self.models.listed(self.catalogue, Environment(), named, refresh)
        assert all(failure.provider for failure in failures)
        return [model.model for model in found], [failure.code for failure in failures]


async def test_names_of_the_definition_come_first_then_those_of_the_provider() -> None:
    asked = Asked(ACME, plays=[lists("n", "org/long", "x")])
    names, failures = await asked.list("acme")
    assert names == ["acme:short", "acme:m", "acme:n", "acme:org/long", "acme:x"]
    assert failures == []
    found, _ = await asked.models.listed(asked.catalogue, Environment(), asked.catalogue.providers["acme"], False)
    assert [(model.id, model.source) for model in found][:2] == [("org/long", "config"), ("m", "config")]
    assert (found[-1].id, found[-1].source) == ("x", "live")


async def test_only_providers_of_the_user_are_asked_unasked() -> None:
    asked = Asked(ACME, OTHER, plays=[lists("x")])
    names, _ = await asked.list()
    assert {"shipped:s", "echo:echo", "acme:x", "other:x"} <= set(names)
    assert [request.url for request in asked.transport.requests] == [
        "http://acme.example/v1/models",
        "http://other.example/v1/models",
    ]
    await asked.list("shipped")
    assert asked.transport.requests[-1].url == "http://shipped.example/models"
    assert await asked.list("echo") == (["echo:echo"], [])


async def test_a_list_is_asked_for_once_and_again_on_demand() -> None:
    asked = Asked(ACME, plays=[lists("x"), lists("y")])
    assert "acme:x" in (await asked.list())[0]
    assert asked.models.known(asked.catalogue)["acme"] == {"x"}
    assert "acme:x" in (await asked.list("acme"))[0]
    assert len(asked.transport.requests) == 1
    names, _ = await asked.list("acme", refresh=True)
    assert "acme:y" in names
    assert "acme:x" not in names
    assert asked.models.known(asked.catalogue)["acme"] == {"y"}


async def test_a_provider_is_asked_with_its_key() -> None:
    asked = Asked(OTHER, plays=[lists("x")])
    await asked.list("other")
    assert asked.transport.keys == ["sk-0123456789"]
    missing = Asked(provider("keyed", "env:K"), plays=[lists("x")])
    assert await missing.list("keyed") == (["keyed:m"], ["MissingKey"])
    assert missing.transport.requests == []


async def test_what_a_provider_is_shown_and_lists_itself_is_kept_nowhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = provider("other", "sk-0123456789+/", models=["o"], headers={"authorization": "Bearer a-fake-token-4"})
    asked = Asked(table, plays=[lists("x", "sk-0123456789+/", "y/sk-0123456789%2B%2f", "of-a-fake-token-4")])
    store = Store(tmp_path / "state.db")
    asked.models = Models(Credentials(), Transports({"http": asked.transport}), store)
    assert await asked.list("other") == (["other:o", "other:m", "other:x"], [])
    (kept,) = store.model_lists()
    assert [model["id"] for model in json.loads(kept[3])] == ["x"]
    await store.close()
    assert "3 models are left out" in caplog.text


@pytest.mark.parametrize(
    ("play", "code"),
    [
        (refuses(401), "InvalidKey"),
        (refuses(503), "Overloaded"),
        (Play((b"<html>",)), "BadReply"),
        (Play((b'{"data": 3}',)), "BadReply"),
        (ConnectFailed("no line"), "ConnectFailed"),
        (Play((ConnectFailed("no line"),)), "ConnectFailed"),
    ],
)
async def test_what_fails_costs_only_the_list(play: Play | Exception, code: str) -> None:
    asked = Asked(ACME, plays=[play, lists("x")])
    names, failures = await asked.list("acme")
    assert (names, failures) == (["acme:short", "acme:m", "acme:n"], [code])
    assert "acme:x" in (await asked.list("acme"))[0], "it is asked again"


async def test_a_list_that_was_there_outlives_a_failure() -> None:
    asked = Asked(ACME, plays=[lists("x"), refuses(503)])
    await asked.list("acme")
    names, failures = await asked.list("acme", refresh=True)
    assert "acme:x" in names
    assert failures == ["Overloaded"]


async def test_one_provider_s_failure_is_not_another_s() -> None:
    asked = Asked(ACME, OTHER, plays=[refuses(503), lists("x")])
    names, failures = await asked.list()
    assert failures == ["Overloaded"]
    assert "other:x" in names


async def test_a_provider_that_is_silent_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIST_WITHIN", 0.02)
    asked = Asked(ACME, plays=[Play((HANG,))])
    assert await asyncio.wait_for(asked.list("acme"), 5) == (["acme:short", "acme:m", "acme:n"], ["TimedOut"])
    assert asked.transport.left == [0]


async def test_a_key_that_a_provider_quotes_is_taken_out() -> None:
    asked = Asked(OTHER, plays=[refuses(401, "Wrong: sk-0123456789")])
    _, (failure,) = await asked.models.listed(asked.catalogue, Environment(), asked.catalogue.providers["other"], False)
    assert "0123" not in failure.message


async def test_a_mistake_of_ours_costs_one_provider_its_list_alone() -> None:
    asked = Asked(ACME, OTHER, plays=[RuntimeError("odd"), lists("x")])
    names, failures = await asked.list()
    assert failures == ["InternalError"]
    assert "other:x" in names


async def test_what_is_put_together_does_not_grow_for_ever() -> None:
    asked = Asked(*(provider(f"p{n}") for n in range(module.MOST_MERGED + 3)), plays=[lists("x")])
    await asked.list()
    assert len(asked.models._merged) == module.MOST_MERGED
