"""What the user writes down about money: what models cost, and what is kept of chats. Must never know a chat."""

from __future__ import annotations

from typing import Annotated as Says

from msgspec import Meta, Struct

MOST_DOLLARS = 1e9
"""US dollars that anything here may come to: whoever says more is wrong, and no sum of what is less is infinite."""
Dollars = Says[float, Meta(ge=0, le=MOST_DOLLARS)]


class WrittenPrice(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a model costs, in US dollars a million tokens. What is left out costs as much as input, and reasoning as
    much as output."""

    input: Says[Dollars, Meta(description="a million tokens of input")]
    output: Says[Dollars, Meta(description="a million tokens of output")]
    cached_input: Says[Dollars | None, Meta(description="a million tokens read from the provider's cache")] = None
    cache_write: Says[Dollars | None, Meta(description="a million tokens written into it")] = None
    reasoning: Says[Dollars | None, Meta(description="a million tokens of reasoning")] = None
    request: Says[Dollars | None, Meta(description="each request, beside its tokens")] = None


class Recording(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is kept of chats on disk: never a prompt nor an answer (docs/usage.md)."""

    record: Says[bool, Meta(description="whether anything is written down; without it, budgets count in memory")] = True
    workspaces: Says[bool, Meta(description="whether the folders that chats were begun in are written down")] = True
    keep_days: Says[int, Meta(ge=1, le=36_500, description="how many days it is kept")] = 400
