"""Changes the user's pointsman.toml for them: tested, written at once, only the intended lines.

Must never overwrite what somebody else has written meanwhile, nor save what would not be read.
"""

from __future__ import annotations

import asyncio
import hashlib
import tomllib
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from msgspec import Struct

from pointsman.core.catalogue import SCHEMES, Problem
from pointsman.core.configuration import parse
from pointsman.core.errors import ConfigConflict, ConfigError
from pointsman.core.layers import Layer
from pointsman.edge.files import FOLDER, definitions, layer, shipped
from pointsman.edge.toml_edit import edited, replace_file
from pointsman.wire import QUIRKS


class Configuration:
    """The user's file. `reload` puts a change into force; a change is in force when its method returns."""

    def __init__(
        self,
        file: Path,
        reload: Callable[[], Awaitable[None]],
        quirks: Mapping[str, type[Struct]] = QUIRKS,
        schemes: Set[str] = SCHEMES,
    ) -> None:
        self._file, self._reload = file, reload
        self._quirks, self._schemes = quirks, schemes
        self._one_at_a_time = asyncio.Lock()

    def revision(self) -> str:
        """What tells one state of the file from another."""
        return _revision(self._text())

    @property
    def file(self) -> str:
        """Where the file is."""
        return str(self._file)

    def provider(self, id: str) -> tuple[Mapping[str, Any], str]:
        """What the file itself says of a provider, and its revision. Raises ConfigError when it can't be read."""
        text = self._text()
        try:
            table = tomllib.loads(text).get("providers", {}).get(id, {})
        except (ValueError, RecursionError, AttributeError) as error:
            raise ConfigError(f"{self._file} is not valid TOML: {error}.") from error
        return table if isinstance(table, Mapping) else {}, _revision(text)

    async def change(self, path: Sequence[str], values: Mapping[str, Any] | None, if_revision: str | None) -> str:
        """Sets values in the table at `path` (None removes a value, or the table); gives the new revision.

        Raises ConfigError when the result would be wrong, ConfigConflict when the file changed meanwhile, StorageError.
        """
        async with self._one_at_a_time:
            text = self._text()
            if if_revision is not None and if_revision != _revision(text):
                raise ConfigConflict(f"{self._file} has changed since you looked at it.")
            new = await asyncio.to_thread(edited, text, path, values)
            self._check(text, new)
            if self._text() != text:
                raise ConfigConflict(f"{self._file} was changed by somebody else at the same moment.")
            if new != text:
                await asyncio.to_thread(replace_file, self._file, new)
                await self._reload()
            return _revision(new)

    def _check(self, old: str, new: str) -> None:
        """Refuses a text that has a mistake which the old one did not have."""
        known = {problem.message for problem in self._problems(old)}
        for problem in self._problems(new):
            if problem.message not in known:
                raise ConfigError(f"That can't be saved: {problem.message}", problem.hint)

    def _problems(self, text: str) -> Sequence[Problem]:
        dropped = (layer(path, "dropped") for path in definitions(self._file.parent / FOLDER))
        below = [*shipped(), *(each for each in dropped if each is not None)]
        return parse([*below, Layer(str(self._file), text)], self._quirks, self._schemes).problems

    def _text(self) -> str:
        found = layer(self._file)
        if found and found.unreadable:
            raise ConfigError(f"{self._file} can't be read: {found.unreadable}.", "Make it a readable file first.")
        return found.text if found else ""


def _revision(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
