"""What a provider's own list says of a model: windows, capabilities and prices, under the names that many give them.

It is read by its shape, and what can't be read is as if it were not there. Must never know a provider by name.
Sources: what OpenRouter, Mistral, Groq, Together, Fireworks, Hugging Face, GitHub, Poe and vLLM say of `GET /models`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec

from pointsman.core.catalogue import Provider
from pointsman.core.models import Model
from pointsman.core.pricing import MILLION, Price

T = TypeVar("T")
CONTEXT = (
    "context_length",
    "context_window",
    "max_context_length",
    "context_size",
    "max_model_len",
    "max_input_tokens",
    "n_ctx_train",
)
OUTPUT = ("max_completion_tokens", "max_output_tokens", "max_tokens")
INSIDE = ("top_provider", "limits", "context_window", "meta", "metadata")
"""Objects in which some keep their numbers."""
WORDS = {
    "tools": "tools",
    "tool-calling": "tools",
    "function_calling": "tools",
    "function-calling": "tools",
    "supports_tools": "tools",
    "image": "images",
    "images": "images",
    "vision": "images",
    "supports_image_input": "images",
    "file": "files",
    "pdf": "files",
    "document": "files",
    "reasoning": "reasoning",
    "thinking": "reasoning",
    "include_reasoning": "reasoning",
    "structured_outputs": "json",
    "supports_structured_output": "json",
    "response_format": "json",
    "caching": "caching",
}
"""Our names of capabilities for theirs, wherever they are said."""
ORDER = tuple(dict.fromkeys(WORDS.values()))
WHOLE = {
    "supported_parameters": ("tools",),
    "input_modalities": ("images", "files"),
    "supported_input_modalities": ("images", "files"),
}
"""Lists that name all there is: what is not in one, of these, a model has not got."""
BY_TOKEN = ("prompt", "completion", "input_cache_read", "input_cache_write")
BY_MILLION = ("input", "output", "cached_input", "cache_write")


def listed(provider: Provider, item: dict[str, Any]) -> Model | None:
    """A model as the provider lists it; None for what has no id."""
    id = item.get("id") or item.get("slug")
    if not isinstance(id, str) or not id:
        return None
    name = item.get("name") or item.get("display_name")
    return Model(
        model=f"{provider.id}:{id}",
        provider=provider.id,
        id=id,
        name=name if isinstance(name, str) else id,
        capabilities=(able := capabilities(item)),
        lacks=lacks(item, able),
        source="live",
        context_window=_count(item, CONTEXT),
        max_output_tokens=_count(item, OUTPUT),
        price=price(item.get("pricing"), provider.id),
    )


def fitting(items: Sequence[Any], kind: type[T]) -> list[T]:
    """The entries of a list that are of that shape: one that is not must not cost the others.

    Raises msgspec.ValidationError where none of them is.
    """
    found, wrong = [], None
    for item in items:
        try:
            found.append(msgspec.convert(item, kind))
        except msgspec.ValidationError as error:
            wrong = error
    if wrong is not None and not found:
        raise wrong
    return found


def capabilities(item: dict[str, Any]) -> tuple[str, ...]:
    """What a model can do, in our words and in our order."""
    said = {WORDS[word] for word in _said(item) if word in WORDS}
    return tuple(name for name in ORDER if name in said)


def lacks(item: dict[str, Any], able: Sequence[str]) -> tuple[str, ...]:
    """What a model can't do, by a list of all that it can or by a plain no; `able` is what it can."""
    said = {
        name
        for place in _places(item)
        for whole, names in WHOLE.items()
        if any(_words(place.get(whole)))
        for name in names
    }
    denied = (place.get("capabilities") for place in _places(item))
    said |= {WORDS[word] for place in (*denied, _supports(item)) for word in _words(place, False) if word in WORDS}
    return tuple(name for name in ORDER if name in said and name not in able)


def price(pricing: Any, source: str) -> Price | None:
    """A price by the token (`prompt`, `completion`) or by the million (`input`, `output`), in US dollars.

    A price below 0 means that it varies: then nobody knows.
    """
    if not isinstance(pricing, dict):
        return None
    for names, factor in ((BY_TOKEN, MILLION), (BY_MILLION, 1)):
        into, out, cached, written = (_rate(pricing.get(name), factor) for name in names)
        if into is not None and out is not None:
            return Price(into, out, source, cached, written)
    return None


def _said(item: dict[str, Any]) -> Iterator[str]:
    """The words in which a list says what a model can do."""
    for place in _places(item):
        for name in (*WHOLE, "capabilities"):
            yield from _words(place.get(name))
    yield from _words(_supports(item))
    routes = item.get("providers")
    for route in routes if isinstance(routes, list) else ():
        yield from _words(route)


def _places(item: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    architecture = item.get("architecture")
    return item, architecture if isinstance(architecture, dict) else {}


def _supports(item: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name.startswith("supports_")}


def _words(said: Any, holds: bool = True) -> Iterable[str]:
    """Those that stand in a list, or for which an object says that it `holds`, or does not."""
    if isinstance(said, list):
        return (word for word in said if isinstance(word, str) and holds)
    return (word for word, found in said.items() if found is holds) if isinstance(said, dict) else ()


def _count(item: dict[str, Any], names: tuple[str, ...]) -> int | None:
    for place in (item, *(item.get(name) for name in INSIDE)):
        if isinstance(place, dict):
            for name in names:
                value = place.get(name)
                if isinstance(value, int) and not isinstance(value, bool) and value > 0:
                    return value
    return None


def _rate(said: Any, factor: int) -> float | None:
    try:
        rate = float(said) if isinstance(said, str | int | float) else -1.0
    except (ValueError, OverflowError):
        return None
    return round(rate * factor, 9) if 0 <= rate < MILLION else None
