"""The list of models as OpenAI gives it, as others do, and where there is none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import structs

from pointsman.core.catalogue import Provider
from pointsman.core.errors import BadReply
from pointsman.wire import openai_responses
from pointsman.wire.openai_models import models, models_request
from tests.each import each

ACME = Provider(id="acme", base_url="https://acme.example/v1", headers={"X-Team": "blue"})
LISTED = [{"id": "big", "name": "Big", "context_length": 8000}, {"id": "small", "context_window": 4000}]


@each("body", [{"object": "list", "data": LISTED}, LISTED])
def test_a_list_is_read_however_it_is_wrapped(body: object) -> None:
    found = models(ACME, json.dumps(body).encode())
    assert [(model.model, model.name, model.context_window) for model in found.models] == [
        ("acme:big", "Big", 8000),
        ("acme:small", "small", 4000),
    ]
    assert found.next is None


@each("body", [b"", b"<html>", b"{}", b'{"models": 1}', b'["big"]', b'{"data": [1]}'])
def test_what_is_no_list_is_told(body: bytes) -> None:
    with pytest.raises(BadReply, match="can't be read"):
        models(ACME, body)


def test_an_entry_that_is_no_model_costs_no_other() -> None:
    found = models(ACME, json.dumps({"data": ["odd", LISTED[0], 3, {"id": 4}, None, LISTED[1]]}).encode())
    assert [model.id for model in found.models] == ["big", "small"]
    assert models(ACME, b'{"data": []}').models == []


def test_a_list_under_another_name_leaves_out_what_is_hidden() -> None:
    shown = {"slug": "big", "display_name": "Big", "visibility": "list"}
    found = models(ACME, json.dumps({"models": [shown, {"slug": "internal", "visibility": "hide"}]}).encode())
    assert [(model.model, model.name) for model in found.models] == [("acme:big", "Big")]


def test_where_there_is_no_list_none_is_asked_for() -> None:
    request = models_request(ACME)
    assert request
    assert (request.url, request.headers["X-Team"]) == ("https://acme.example/v1/models", "blue")
    bare = Provider(id="acme", base_url="https://acme.example/v1", model_list="none")
    assert models_request(bare) is None
    public = Provider(id="acme", base_url="https://acme.example/v1", model_list="public")
    assert models_request(public)


def test_another_dialect_of_the_family_has_the_same_list() -> None:
    request = openai_responses.models_request(ACME)
    assert request is not None
    assert (request.method, request.url) == ("GET", "https://acme.example/v1/models")
    page = openai_responses.models(ACME, b'{"data": [{"id": "big"}]}')
    assert [model.model for model in page.models] == ["acme:big"]


@each(
    ("more", "url"),
    [
        ({}, "https://acme.example/v1/models"),
        ({"quirks": {"models_query": {"v": "0 1"}}}, "https://acme.example/v1/models?v=0+1"),
        (
            {"quirks": {"models_query": {"v": "1"}}, "api_version": "2"},
            "https://acme.example/v1/models?api-version=2&v=1",
        ),
    ],
)
def test_how_that_list_is_asked_for(more: dict[str, Any], url: str) -> None:
    provider = structs.replace(ACME, wire="openai-responses", **more)
    request = openai_responses.models_request(provider)
    assert request is not None
    assert request.url == url
    assert openai_responses.models_request(structs.replace(provider, model_list="none")) is None
