"""The fixture `llama`: llama.cpp's own HTTP server, as a real local model server, with a tiny random model.

Its words mean nothing; its streams, counts and errors are real, and so is how it sees that a client has gone.
"""

import re
import sys
import urllib.request
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.counterparts import program, tiny_gguf


@dataclass(frozen=True)
class Llama:
    """A llama.cpp server that runs now; two chats at a time, each of up to 8192 tokens."""

    base_url: str
    model: str
    pid: int
    log: Path

    def busy(self) -> int:
        """How many chats it is computing now; 0 once it has noticed that the last client has gone."""
        with urllib.request.urlopen(self.base_url.removesuffix("/v1") + "/metrics", timeout=5) as answer:
            found = re.search(r"^llamacpp:requests_processing (\d+)$", answer.read().decode(), re.MULTILINE)
        assert found, "llama.cpp no longer tells requests_processing in /metrics"
        return int(found[1])


@contextmanager
def serving(folder: Path, *, thinks: bool = False, bias: Mapping[str, float] | None = None) -> Generator[Llama]:
    """Make a model in `folder`, with the options of `tiny_gguf.write`, and serve it until the block ends."""
    model = folder / f"{tiny_gguf.NAME}.gguf"
    tiny_gguf.write(model, thinks=thinks, bias=bias)
    command = [sys.executable, "-m", "tests.counterparts.llama_server", str(model)]
    with program.running(command, folder / "llama.log") as server:
        yield Llama(f"{server.origin}/v1", tiny_gguf.NAME, server.pid, server.log)


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Generator[Llama]:
    """llama.cpp's server with a model that answers at random, mostly up to the chat's `max_tokens`."""
    with serving(tmp_path_factory.mktemp("llama")) as server:
        yield server
