"""Plugins that do what no plugin should."""

from __future__ import annotations

import sys
from typing import Any

from pointsman_sample import shout


class Half:
    """A dialect that lacks most of what one has."""

    Quirks = shout.Quirks
    request = staticmethod(shout.request)


class Crumbling:
    """A dialect that raises where the name of the model says so."""

    Quirks = shout.Quirks
    error = staticmethod(shout.error)
    models = staticmethod(shout.models)

    @staticmethod
    def request(provider: Any, model: str, conversation: Any) -> Any:
        """Raises for some, ends the process for others, and gives nonsense to the rest."""
        if model == "raises":
            raise ValueError(f"no: {conversation.messages}")
        if model == "exits":
            sys.exit(3)
        return "nonsense" if model == "nonsense" else shout.request(provider, model, conversation)

    @staticmethod
    def reader(provider: Any) -> Any:
        """One that can't read."""
        return _Blind()

    @staticmethod
    def models_request(provider: Any, page: str | None = None) -> Any:
        """Never gives one."""
        raise KeyError(provider.id)


class _Blind:
    linger = None

    def feed(self, chunk: bytes) -> Any:
        return 1 / 0

    def close(self) -> Any:
        return []


async def authorise(request: Any, provider: Any, variable: Any) -> Any:
    """Tears the request up."""
    raise RuntimeError(f"torn: {request.headers}")


class Stumbling:
    """A middleware that falls over everything."""

    async def before_request(self, request: Any) -> Any:
        """Gives back what was not asked for."""
        return {"conversation": request.conversation}

    async def on_event(self, event: Any, chat: Any) -> None:
        """Never comes to this, because it is off by then, or ends the process."""
        sys.exit(4)

    async def on_stop(self) -> None:
        """Raises at the very end."""
        raise SystemExit(5)
