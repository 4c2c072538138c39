"""Reference (b), as a process: the relay that one writes in an afternoon, with httpx and Starlette under uvicorn.

It passes on what comes as it comes, and looks at nothing; its pool has no limit, or it would stop at 100 streams.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route


def application(base_url: str) -> Starlette:
    """Relays to the provider at `base_url`."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    upstream = httpx.AsyncClient(base_url=base_url, timeout=httpx.Timeout(None), limits=limits)

    async def chat(request: Request) -> Response:
        body = await request.body()

        async def answer() -> AsyncGenerator[bytes]:
            async with upstream.stream("POST", "/chat/completions", content=body) as response:
                async for piece in response.aiter_raw():
                    yield piece

        return StreamingResponse(answer(), media_type="text/event-stream")

    async def models(request: Request) -> Response:
        response = await upstream.get("/models")
        return Response(response.content, response.status_code)

    @asynccontextmanager
    async def life(_: Starlette) -> AsyncGenerator[None]:
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), lambda: signal.raise_signal(signal.SIGTERM))
        yield
        await upstream.aclose()

    routes = [Route("/v1/chat/completions", chat, methods=["POST"]), Route("/v1/models", models)]
    return Starlette(routes=routes, lifespan=life)


def main(path: str, port: int) -> None:
    """Serves on the unix socket at `path` until standard input ends."""
    uvicorn.run(application(f"http://127.0.0.1:{port}/v1"), uds=path, log_level="error", access_log=False, backlog=2048)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
