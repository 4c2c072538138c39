"""Ids of tool calls where a provider is choosy about them: which characters, how many, each there once.

Others give ids with any characters, or begin anew in each answer. Must never know a dialect.
"""

from __future__ import annotations

import re
from hashlib import sha256


class CallIds:
    """Hands out the ids to send, in the order of the conversation; `changed` has those that differ from ours.

    `unfit` matches a character that can't stand in an id; `longest` is how many there may be.
    """

    def __init__(self, unfit: str, longest: int) -> None:
        self._unfit = re.compile(unfit)
        self._longest = longest
        self._taken: set[str] = set()
        self._waiting: dict[str, list[str]] = {}
        self.changed: dict[str, str] = {}

    def of_call(self, id: str) -> str:
        """The id to send for a call; the results of that id are its own, in order."""
        sent = self._fitting(id)
        number = 1
        while sent in self._taken:
            number += 1
            sent = self._fitting(id, f"_{number}")
        self._taken.add(sent)
        self._waiting.setdefault(id, []).append(sent)
        return self._noted(id, sent)

    def of_result(self, id: str) -> str:
        """The id of the call that this is the result of."""
        waiting = self._waiting.get(id)
        return self._noted(id, waiting.pop(0) if waiting else self._fitting(id))

    def _fitting(self, id: str, end: str = "") -> str:
        return (self._unfit.sub("_", id) or "call")[: self._longest - len(end)] + end

    def _noted(self, id: str, sent: str) -> str:
        if sent != id:
            self.changed[id] = sent
        return sent


class HashedCallIds(CallIds):
    """Ids of exactly so many letters and digits; one that is not so becomes a hash, the same each time."""

    def __init__(self, length: int) -> None:
        super().__init__("[^a-zA-Z0-9]", length)

    def _fitting(self, id: str, end: str = "") -> str:
        if not end and len(id) == self._longest and not self._unfit.search(id):
            return id
        return sha256((id + end).encode("utf-8", "replace")).hexdigest()[: self._longest]
