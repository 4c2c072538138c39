"""A model as it is listed to clients, what else is known of it, and a page of a list.

Must never know where a list came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import Struct
from msgspec.structs import replace

from pointsman.core.pricing import Price
from pointsman.core.secret import Secret, standing_in


class Model(Struct, frozen=True, rename="camel", omit_defaults=True):
    """One model. `model` is the name to switch to, `id` the provider's own; windows are in tokens.

    `source` says who names it: `config` (the provider's definition), or `live` (the provider's own list).
    `listedAt` is when the provider listed it, RFC 3339 in UTC: so old is what the provider says of it.
    `contextSource` says who else told the context window, `price.source` who told the price.
    `capabilities` are named as a provider's `features`; none are named where nobody says. `lacks` are those of which
    its provider says that it has not got them.
    """

    model: str
    provider: str
    id: str
    name: str
    capabilities: tuple[str, ...]
    source: str
    context_window: int | None = None
    max_output_tokens: int | None = None
    price: Price | None = None
    context_source: str | None = None
    listed_at: str | None = None
    lacks: tuple[str, ...] = ()


class Facts(Struct, frozen=True, omit_defaults=True):
    """What somebody else than the provider says of one of its models; `source` is who."""

    source: str
    context_window: int | None = None
    price: Price | None = None


@dataclass(frozen=True)
class ModelPage:
    """A part of a provider's list; `next` asks for the one that follows, in the dialect's own terms."""

    models: Sequence[Model]
    next: str | None = None


def without_secrets(models: Sequence[Model], secrets: Sequence[Secret]) -> list[Model]:
    """Those models in whose id or name none of these secrets stands: a server may say back what it was sent.

    The rest is left out, not masked: a mask is the name of no model. What is entered where no key is needed may well be
    in a name (`lm-studio`, of LM Studio's `lm-studio/qwen`), so a secret that may be a word is not looked for.
    """
    secrets = [secret for secret in secrets if not secret.may_be_a_word]
    texts = [f"{model.id}\n{model.name}" for model in models]
    if not standing_in("\n".join(texts), secrets):
        return list(models)
    return [model for model, text in zip(models, texts, strict=True) if not standing_in(text, secrets)]


def completed(model: Model, live: Model | None, facts: Facts | None, priced: bool) -> Model:
    """A model with what its provider says of it, and then with what others say; `priced`: whether it costs money."""
    if live is not None:
        model = replace(
            model,
            capabilities=live.capabilities,
            lacks=live.lacks,
            context_window=live.context_window,
            max_output_tokens=live.max_output_tokens,
            price=live.price,
            listed_at=live.listed_at,
        )
    if facts is not None and model.context_window is None and facts.context_window is not None:
        model = replace(model, context_window=facts.context_window, context_source=facts.source)
    if not priced:
        return replace(model, price=None) if model.price else model
    return replace(model, price=facts.price) if facts is not None and model.price is None else model
