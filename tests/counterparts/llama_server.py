"""The program behind the fixture `llama`: llama.cpp's HTTP server, which the xllamacpp wheel carries.

Takes a GGUF file as its argument, prints its address, serves until SIGTERM. It must know nothing of pytest.
"""

import signal
import sys

import xllamacpp

from tests.counterparts import tiny_gguf

_CHATS_AT_ONCE = 2
_TOKENS_A_CHAT = 8192


def main(model: str) -> None:
    """Serve `model` on a free port of 127.0.0.1."""
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # before the server's threads begin: they inherit the mask
    options = xllamacpp.CommonParams()
    options.model.path = model
    options.model_alias = {tiny_gguf.NAME}
    options.hostnames, options.port = ["127.0.0.1"], 0
    options.n_parallel, options.n_ctx = _CHATS_AT_ONCE, _CHATS_AT_ONCE * _TOKENS_A_CHAT
    options.cpuparams.n_threads = options.cpuparams_batch.n_threads = 1
    options.use_jinja, options.warmup = True, False
    options.endpoint_metrics = options.endpoint_slots = True
    server = xllamacpp.Server(options)
    sys.stdout.write(f"listening on {server.listening_address}\n")
    sys.stdout.flush()
    signal.sigwait(ends)


if __name__ == "__main__":
    main(sys.argv[1])
