"""A middleware that keeps a diary of chats, without a word of what was said, and asks every model to be brief."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import msgspec

from pointsman.core.chat import Event
from pointsman.core.plugin import ChatInfo, RequestInfo
from pointsman.core.receipt import ChatResult


class Diary:
    """One line of JSON for whatever happens."""

    def __init__(self) -> None:
        self._file = Path(os.environ["POINTSMAN_HOME"]) / "diary.jsonl"

    async def on_start(self) -> None:
        """Begins a new page."""
        self._write(hook="on_start")

    async def before_request(self, request: RequestInfo) -> RequestInfo:
        """Asks for brevity, and tells the provider which chat this is."""
        self._write(hook="before_request", chat=request.chat.chat_id, to=f"{request.provider}:{request.model}")
        conversation = msgspec.structs.replace(request.conversation, system="Be brief.")
        return replace(request, conversation=conversation, headers={"x-chat": request.chat.chat_id})

    async def on_event(self, event: Event, chat: ChatInfo) -> None:
        """Notes what kind of event there was."""
        self._write(hook="on_event", chat=chat.chat_id, event=type(event).__name__)

    async def after_chat(self, result: ChatResult | None, chat: ChatInfo) -> None:
        """Notes how it ended; a chat that failed has no result."""
        self._write(hook="after_chat", chat=chat.chat_id, reason=result.stop_reason if result else "error")

    async def on_stop(self) -> None:
        """Closes the book."""
        self._write(hook="on_stop")

    def _write(self, **what: str) -> None:
        with self._file.open("a") as file:
            file.write(json.dumps(what) + "\n")
