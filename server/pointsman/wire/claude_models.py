"""Which of Claude's models refuse what those before them took, by their names, whoever serves them.

Must never know a dialect. Source: https://platform.claude.com/docs/en/about-claude/models and its pages on what is new
in each model.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

BETWEEN_TOOLS = ("*claude-sonnet-5[-.][5-9]*",)
"""Models that think no less than between tools, which is a setting of its own."""
ALWAYS_THINK = ("*claude-fable-*", "*claude-mythos-*", "*claude-opus-5[-.][5-9]*")
"""Models whose thinking can't be turned off."""
CHOOSE_THEMSELVES = ("*claude-fable-5[-.][15-9]*", "*claude-opus-5[-.][5-9]*", *BETWEEN_TOOLS)
"""Models that can't be made to call a tool, even where they do not think."""
PREFILLED = ("*claude-[23]*", "*claude-*-4", "*claude-*-4[-@]20*", "*claude-*-4[-.][015]", "*claude-*-4[-.][015][-@]*")
"""Models that go on with an answer that has begun already; those after them refuse it."""
SHORT = ("*claude-opus-4", "*claude-opus-4[-@]20*", "*claude-opus-4[-.][01]", "*claude-opus-4[-.][01][-@]*")
"""Models that think, and give no more than `SHORT_LIMIT` tokens."""
SHORT_LIMIT = 32000


def is_among(model: str, patterns: Sequence[str]) -> bool:
    """Whether a model fits one of the patterns."""
    return any(fnmatchcase(model.lower(), pattern) for pattern in patterns)


def goes_on(model: str) -> bool:
    """Whether a model goes on with an answer that has begun, as all do that are not Claude's."""
    return "claude" not in model.lower() or is_among(model, PREFILLED)
