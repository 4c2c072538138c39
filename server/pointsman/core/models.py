"""A model as it is listed to clients. Must never know where the list came from."""

from __future__ import annotations

from msgspec import Struct


class Model(Struct, frozen=True, rename="camel", omit_defaults=True):
    """One model. `model` is the name to switch to, `id` the provider's own; windows are in tokens.

    `source` says who names it: `config` (the provider's definition), or `live` (the provider's own list).
    """

    model: str
    provider: str
    id: str
    name: str
    capabilities: tuple[str, ...]
    source: str
    context_window: int | None = None
    max_output_tokens: int | None = None
