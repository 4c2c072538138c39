"""What the user writes down about money: what models cost, and what is kept of chats. Must never know a chat."""

from __future__ import annotations

from typing import Annotated as Says

from msgspec import Meta, Struct

Rate = Says[float, Meta(ge=0)]


class WrittenPrice(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a model costs, in US dollars a million tokens. What is left out costs as much as input, and reasoning as
    much as output."""

    input: Says[Rate, Meta(description="a million tokens of input")]
    output: Says[Rate, Meta(description="a million tokens of output")]
    cached_input: Says[Rate | None, Meta(description="a million tokens read from the provider's cache")] = None
    cache_write: Says[Rate | None, Meta(description="a million tokens written into it")] = None
    reasoning: Says[Rate | None, Meta(description="a million tokens of reasoning")] = None
    request: Says[Rate | None, Meta(description="each request, beside its tokens")] = None


class Recording(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is kept of chats on disk: never a prompt nor an answer (docs/usage.md)."""

    record: Says[bool, Meta(description="whether anything is written down; without it, budgets count in memory")] = True
    workspaces: Says[bool, Meta(description="whether the folders that chats were begun in are written down")] = True
    keep_days: Says[int, Meta(ge=1, le=36_500, description="how many days it is kept")] = 400
