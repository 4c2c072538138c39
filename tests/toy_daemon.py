"""A daemon with a life and no work: it takes the lock, listens, answers the greeting and echoes the rest.

Must never know anything of the real one but `pointsman.endpoint`. Run as a program, it stands in for
`pointsman daemon --detach`; its arguments are the pipe to say `ready` on and the file to note each start in.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pointsman
from pointsman import endpoint

SERVER = Path(pointsman.__file__).parents[1]


def command(ready_fd: int, starts: Path) -> list[str]:
    """For `endpoint.daemon_command`. A started daemon inherits no PYTHONPATH, so it is put back here."""
    program = [sys.executable, str(Path(__file__).resolve()), str(ready_fd), str(starts)]
    return ["/usr/bin/env", f"PYTHONPATH={SERVER}", *program]


def frame(message: object) -> bytes:
    """A message in LSP framing."""
    body = json.dumps(message).encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def welcome(**changes: Any) -> bytes:
    """The daemon's answer to a greeting."""
    result = {"version": endpoint.VERSION, "protocol": endpoint.PROTOCOL, "pid": os.getpid()} | changes
    return frame({"jsonrpc": "2.0", "id": 0, "result": result})


def refusal(**data: str) -> bytes:
    """The daemon's answer when it won't."""
    error = {"code": -32000, "message": data.get("message", "no"), "data": data}
    return frame({"jsonrpc": "2.0", "id": 0, "error": error})


def read_greeting(peer: socket.socket) -> dict[str, Any]:
    """The message that a client sends first."""
    header = bytearray()
    while not header.endswith(b"\r\n\r\n"):
        header += _exactly(peer, 1)
    message: dict[str, Any] = json.loads(_exactly(peer, int(header.split(b":")[1])))
    return message


def run(code: str, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    """Another Python that can import Pointsman."""
    command = [sys.executable, "-c", code, *arguments]
    variables = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SERVER), **variables}
    return subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True)


def first_line(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def echo(peer: socket.socket) -> None:
    """Sends back all that comes, then closes."""
    with peer:
        while chunk := peer.recv(1 << 16):
            peer.sendall(chunk)


def main(ready_fd: int, starts: Path) -> None:
    """Detaches, serves until SIGTERM, and gives the lock up."""
    if os.fork():
        os._exit(0)
    os.setsid()
    with starts.open("a") as file:
        file.write(f"{os.getpid()}\n")
    places = endpoint.places(os.environ)
    lock = endpoint.Lock.take(places)
    listener = endpoint.listen(places)
    lock.publish(places.socket)
    os.write(ready_fd, b"ready\n")
    os.close(ready_fd)
    listener.setblocking(True)
    threading.Thread(target=_accept, args=(listener,), daemon=True).start()
    signal.sigwait({signal.SIGTERM})
    lock.release()


def _exactly(peer: socket.socket, count: int) -> bytes:
    heard = bytearray()
    while len(heard) < count:
        chunk = peer.recv(count - len(heard))
        if not chunk:
            raise EOFError("the client left in the middle of its greeting")
        heard += chunk
    return bytes(heard)


def _accept(listener: socket.socket) -> None:
    while True:
        peer, _ = listener.accept()
        threading.Thread(target=_serve, args=(peer,), daemon=True).start()


def _serve(peer: socket.socket) -> None:
    endpoint.check_peer(peer)
    read_greeting(peer)
    peer.sendall(welcome())
    echo(peer)


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    main(int(sys.argv[1]), Path(sys.argv[2]))
