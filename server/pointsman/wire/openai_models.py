"""The list of models as OpenAI gives it at `/models`, and most who copied its API.

Must never know which dialect the models are spoken to in. Source: https://platform.openai.com/docs/api-reference/models
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from pointsman.core.catalogue import Provider
from pointsman.core.errors import UNREADABLE, BadReply
from pointsman.core.http import Request
from pointsman.core.models import ModelPage
from pointsman.wire.model_facts import fitting, listed


class _ModelList(Struct):
    """Most say `data`; some say `models`, and of those that aren't meant to be chosen that they are hidden."""

    data: list[Any] | None = None
    models: list[Any] | None = None


def models_request(provider: Provider, page: str | None = None) -> Request | None:
    """A GET of `/models`, which gives all of them at once; None where there is no such list."""
    if provider.model_list == "none":
        return None
    return Request("GET", provider.url("models"), {"accept": "application/json", **provider.headers})


def models(provider: Provider, body: bytes) -> ModelPage:
    """The provider's own list, which some give without an object round it. Raises BadReply when it is not one."""
    try:
        found = msgspec.json.decode(body, type=_ModelList | list[Any])
        items = (found.data if found.data is not None else found.models) if isinstance(found, _ModelList) else found
        if items is None:
            raise msgspec.ValidationError("it has no `data`")
        items = fitting(items, dict[str, Any])
    except UNREADABLE as error:
        text = f"{provider.title} gave a list of models that can't be read ({error})."
        raise BadReply(text, provider=provider.id) from None
    return ModelPage([model for item in items if _is_shown(item) and (model := listed(provider, item))])


def _is_shown(item: dict[str, Any]) -> bool:
    return bool(item.get("visibility", "list") == "list")
