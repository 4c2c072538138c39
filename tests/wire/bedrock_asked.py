"""What the tests of requests to Bedrock share: a provider, models, and what is asked of them."""

from __future__ import annotations

import json
from typing import Any

from pointsman.core.catalogue import Provider
from pointsman.core.chat import Conversation, Message, Notice
from pointsman.wire import bedrock_converse

NOVA, CLAUDE = "amazon.nova-micro-v1:0", "us.anthropic.claude-sonnet-4-20250514-v1:0"
NEWER, NEWEST = "anthropic.claude-opus-4-6-v1", "global.anthropic.claude-sonnet-5"
BETWEEN, ALWAYS = "eu.anthropic.claude-sonnet-5-5", "anthropic.claude-opus-5-5-v1:0"
LLAMA = "us.meta.llama4-scout-17b-instruct-v1:0"


def acme(**more: Any) -> Provider:
    return Provider(id="acme", name="Acme", wire="bedrock-converse", base_url="https://acme.example", **more)


def asked(
    conversation: Conversation, model: str = CLAUDE, provider: Provider | None = None
) -> tuple[dict[str, Any], list[Notice]]:
    request, notices = bedrock_converse.request(provider or acme(), model, conversation)
    return json.loads(request.body), list(notices)


HELLO = Conversation((Message("user", "Hello!"),))
HELLO_JSON = {"role": "user", "content": [{"text": "Hello!"}]}
ASKED, ANSWERED = Message("user", "q"), Message("assistant", "a")
CACHE = {"cachePoint": {"type": "default"}}
