"""What tests of the Messages API say again and again: a provider, its models, blocks and turns, and what is asked."""

from __future__ import annotations

import json
from typing import Any

from pointsman.core.catalogue import Provider
from pointsman.core.chat import Conversation, Message, Notice
from pointsman.wire import anthropic_messages

OLD, MIDDLE, NEW = "claude-sonnet-4-5-20250929", "claude-opus-4-6", "claude-opus-5"
"""A model that thinks within a budget, one that takes sampling but adapts its thoughts, and one that does neither."""


def acme(base_url: str = "https://acme.example/v1", **more: Any) -> Provider:
    return Provider(id="acme", name="Acme", wire="anthropic-messages", base_url=base_url, **more)


def asked(
    conversation: Conversation, model: str = OLD, provider: Provider | None = None
) -> tuple[dict[str, Any], list[Notice]]:
    request, notices = anthropic_messages.request(provider or acme(), model, conversation)
    return json.loads(request.body), list(notices)


def words(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


HELLO = Conversation((Message("user", "Hello!"),))
HELLO_JSON = user(words("Hello!"))


def url(kind: str, address: str) -> dict[str, Any]:
    return {"type": kind, "source": {"type": "url", "url": address}}


def image(media_type: str, data: str) -> dict[str, Any]:
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}


def document(text: str) -> dict[str, Any]:
    return {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": text}}
