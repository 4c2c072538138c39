"""What goes along with each chat: middleware of other packages, called at its hooks (docs/plugins.md).

Must never delay an event: what only listens reads the chat's log behind a cursor of its own, as an editor does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import msgspec

from pointsman.core.chat import Conversation, Event
from pointsman.core.errors import PluginFailed, PointsmanError
from pointsman.core.plugin import ChatInfo, RequestInfo, fault
from pointsman.service.chats import Chat
from pointsman.service.plugins import Plugin, Plugins
from pointsman.service.tasks import Tasks
from pointsman.wire.guarded import Misfit

HOOK_WITHIN = 2.0
"""Seconds that a hook has for one call."""
LAST_WORDS = 10.0
"""Seconds that a middleware has for all that is left, once its chat has ended."""
MOST_FAILURES = 3
"""Chats that a middleware may fail in; from then on it is off until the daemon starts again."""

_decode = msgspec.json.Decoder(Event).decode


class Middlewares:
    """All middleware that is in use."""

    def __init__(self, plugins: Plugins) -> None:
        self._plugins = plugins
        self._tasks = Tasks()
        self._failures: dict[Plugin, int] = {}
        self._started: list[Plugin] = []

    async def start(self) -> None:
        """Calls `on_start` of each, all at once. One that fails in it is off for good."""
        await asyncio.gather(*(self._start(plugin) for plugin in self._plugins.middleware))

    def along(self, chat: Chat) -> Companions | None:
        """The middleware that goes along with a chat; None when there is none, and then a chat costs nothing more."""
        active = [plugin for plugin in self._plugins.middleware if not plugin.off or _is_required(plugin)]
        if not active:
            return None
        companions = Companions(chat, active, self)
        for plugin in active:
            if hasattr(plugin.value, "on_event") or hasattr(plugin.value, "after_chat"):
                self._tasks.spawn(companions.listen(plugin), f"middleware {plugin.name}")
        return companions

    async def stop(self, within: float = LAST_WORDS) -> None:
        """Lets what listens hear the end, then calls `on_stop` of each that was started."""
        await self._tasks.wait(within)
        await self._tasks.close()
        await asyncio.gather(*(self._stop(plugin) for plugin in self._started))

    async def call(self, plugin: Plugin, hook: str, *given: Any, within: float | None = None) -> Any:
        """What a hook gives. Raises PluginFailed, or what it raises of ours."""
        limit = HOOK_WITHIN if within is None else within
        return await self._plugins.call(plugin, hook, getattr(plugin.value, hook), *given, within=limit)

    def misfit(self, plugin: Plugin, hook: str, reason: str) -> PluginFailed:
        """Notes that a hook gave back what it must not."""
        return self._plugins.failed(plugin, hook, Misfit(reason))

    def failed_in_a_chat(self, plugin: Plugin) -> None:
        """Counts a chat in which a middleware failed."""
        self._failures[plugin] = self._failures.get(plugin, 0) + 1
        if self._failures[plugin] == MOST_FAILURES:
            self._plugins.switch_off(plugin)

    async def _start(self, plugin: Plugin) -> None:
        try:
            if hasattr(plugin.value, "on_start"):
                await self.call(plugin, "on_start")
        except PluginFailed:
            self._plugins.switch_off(plugin)
        except PointsmanError as error:
            self._plugins.refuse(plugin, f"it would not start: {error.message}")
        else:
            self._started.append(plugin)

    async def _stop(self, plugin: Plugin) -> None:
        if hasattr(plugin.value, "on_stop"):
            await asyncio.gather(self.call(plugin, "on_stop"), return_exceptions=True)


class Companions:
    """The middleware of one chat. One that fails is off for the rest of it, unless it is `required`."""

    def __init__(self, chat: Chat, active: Sequence[Plugin], middlewares: Middlewares) -> None:
        self._chat, self._active, self._middlewares = chat, active, middlewares
        self._info = ChatInfo(chat.id, chat.spec, chat.conversation_id)
        self._failed: set[Plugin] = set()

    async def before_request(self, provider: str, model: str, conversation: Conversation) -> RequestInfo:
        """The request as each of them wants it, one after the other.

        Raises PluginFailed if one that is `required` fails, and any error of ours that one raises: a refusal.
        """
        info = RequestInfo(self._info, provider, model, conversation)
        for plugin in self._active:
            if plugin not in self._failed and hasattr(plugin.value, "before_request"):
                info = await self._asked(plugin, info)
        return info

    async def listen(self, plugin: Plugin) -> None:
        """Lets one hear every event, and then what became of the chat."""
        try:
            await self._tell(plugin)
        except PointsmanError:  # it has been noted; an error of ours refuses nothing here
            self._give_up(plugin)

    async def _asked(self, plugin: Plugin, info: RequestInfo) -> RequestInfo:
        try:
            if plugin.off:
                raise PluginFailed(f"{plugin.title} must see every request, and is off. {plugin.problem}")
            after = await self._middlewares.call(plugin, "before_request", info)
            if after is None:
                return info
            if reason := fault(info, after):
                raise self._middlewares.misfit(plugin, "before_request", f"it {reason}")
        except PluginFailed:
            if _is_required(plugin):
                raise
            self._give_up(plugin)
            return info
        answer: RequestInfo = after
        return replace(answer, headers=dict(answer.headers))

    async def _tell(self, plugin: Plugin) -> None:
        loop, until = asyncio.get_running_loop(), None

        def left() -> float:
            """Seconds that the next call has."""
            nonlocal until
            if self._chat.finished and until is None:
                until = loop.time() + LAST_WORDS
            return HOOK_WITHIN if until is None else max(0.0, min(HOOK_WITHIN, until - loop.time()))

        hears = hasattr(plugin.value, "on_event")
        async with aclosing(self._chat.read(-1)) as batches:
            async for _, events in batches:
                for encoded in events if hears else ():
                    if plugin in self._failed:
                        return
                    await self._middlewares.call(plugin, "on_event", _decode(encoded), self._info, within=left())
        if plugin not in self._failed and hasattr(plugin.value, "after_chat"):
            result = None if self._chat.error else self._chat.result
            await self._middlewares.call(plugin, "after_chat", result, self._info, within=left())

    def _give_up(self, plugin: Plugin) -> None:
        if plugin not in self._failed:
            self._failed.add(plugin)
            self._middlewares.failed_in_a_chat(plugin)


def _is_required(plugin: Plugin) -> bool:
    """Whether no request may go out without it."""
    return getattr(plugin.value, "required", False) is True
