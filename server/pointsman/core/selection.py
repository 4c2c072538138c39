"""Which choice of a model holds, and why. Must never know where choices are kept or who is told.

The narrowest scope that is set wins: window, workspace, project default, global, user default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from msgspec import Struct

Scope = Literal["window", "workspace", "global"]
Decider = Literal["window", "workspace", "project", "global", "default", "fallback", "none"]
State = Literal["available", "unconfigured", "unavailable", "unset"]
SCOPES: tuple[Scope, ...] = ("window", "workspace", "global")
TITLES: Mapping[Decider, str] = {
    "window": "this window's choice",
    "workspace": "this workspace's choice",
    "project": "the default of this project's file",
    "global": "the global choice",
    "default": "the default of pointsman.toml",
    "fallback": "the first configured provider",
    "none": "nothing",
}


class Author(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Who made a choice: the client's name, and its window where it has one."""

    client: str
    window_id: str | None = None


class Selection(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A choice as clients see it.

    `model` is the choice as it was made (an alias stays an alias), null when nothing is chosen; `target` is what it
    leads to now, as `provider:model`. `revision` counts all changes of all choices. `why` says what decides, and
    what that hides.
    """

    model: str | None
    scope: Decider
    revision: int
    state: State
    why: str
    display_name: str
    provider: str | None = None
    target: str | None = None
    changed_by: Author | None = None
    changed_at: str | None = None
    temporary: bool = False


@dataclass(frozen=True)
class Place:
    """Where a connection stands: its window and its workspace (a real path), each null where it has none."""

    window: str | None = None
    workspace: str | None = None

    def key(self, scope: Scope) -> str | None:
        """The name of this connection's place in a scope, null when it has none there."""
        return {"window": self.window, "workspace": self.workspace, "global": ""}[scope]


@dataclass(frozen=True)
class Choice:
    """One change: a model chosen at a scope, or that scope cleared (`model` is null)."""

    scope: Scope
    key: str
    model: str | None
    revision: int
    author: Author
    at: str
    temporary: bool = False


Choices = Mapping[tuple[Scope, str], Choice]


def applying(choices: Choices, place: Place) -> list[Choice]:
    """The choices that are set for a place, the one that decides first."""
    found = []
    for scope in SCOPES:
        key = place.key(scope)
        choice = choices.get((scope, key)) if key is not None else None
        if choice is not None and choice.model is not None:
            found.append(choice)
    return found


def revision_at(choices: Choices, place: Place, scope: Scope) -> int:
    """The number of the last change at a scope of this place; 0 when it was never touched."""
    choice = choices.get((scope, place.key(scope) or ""))
    return choice.revision if choice else 0


def explain(decider: Decider, choice: Choice | None, hidden: list[Choice]) -> str:
    """One sentence for people: what decides, who chose it and when, and what it hides."""
    text = f"Decided by {TITLES[decider]}"
    if choice is not None:
        text += f", made by {choice.author.client} at {choice.at}"
    if hidden:
        text += "; it hides " + " and ".join(f"{TITLES[c.scope]} ({c.model})" for c in hidden)
    return text + "."
