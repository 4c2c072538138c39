"""Says hello on a fresh connection, reads exactly one answer and judges it.

Must never read beyond that answer, nor know how the connection came about.
"""

from __future__ import annotations

from pointsman.endpoint.plain_json import decode, encode
from pointsman.endpoint.values import PROTOCOL, TYPE_CHECKING, VERSION, EndpointError

if TYPE_CHECKING:
    import _socket
    from collections.abc import Mapping

ANSWER_LIMIT = 1 << 20
"""Bytes of an answer; a daemon's takes a hundred."""

HEADER_LIMIT = 1024
"""Bytes of the header before it."""


def hello_frame(environment: Mapping[str, str], cwd: str) -> bytes:
    """The frame that says hello; variables that are not UTF-8 are left out, since JSON can't carry them."""
    params = {
        "version": VERSION,
        "protocol": PROTOCOL,
        "cwd": cwd.encode(errors="replace").decode(),
        "environment": {name: value for name, value in environment.items() if _is_unicode(name) and _is_unicode(value)},
    }
    body = encode({"jsonrpc": "2.0", "id": 0, "method": "pointsman/hello", "params": params}).encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def greet(sock: _socket.socket, frame: bytes) -> dict[str, object] | None:
    """Sends the greeting and returns the daemon's answer; None if the daemon was just leaving.

    Raises TimeoutError for silence, ValueError for an answer that is none, and EndpointError for a refusal.
    """
    try:
        sock.sendall(frame)
        text = _read_frame(sock)
    except ConnectionError:
        return None
    if text is None:
        return None
    match decode(text):
        case {"error": {"data": {"code": "ShuttingDown"}}}:
            return None
        case {"error": {"data": {"code": str(code), "message": str(message), "advice": str(advice)}}}:
            raise EndpointError(code, message, advice)
        case {"error": {"message": str(message)}}:
            raise EndpointError(
                "DaemonUnreachable", f"The daemon refused us, saying: {message}", "Run `pointsman restart`."
            )
        case {"id": 0, "result": {"version": str(version), "protocol": int(protocol)} as hello}:
            if protocol != PROTOCOL:
                raise _protocol_skew(version, protocol)
            return dict(hello)
    raise ValueError("the answer is not one to a greeting")


def skew(client: str, daemon: str) -> str | None:
    """One sentence saying which of two versions is older and what to run; None if they are the same."""
    if client == daemon:
        return None
    if _numbers(daemon) < _numbers(client):
        return f"The daemon ({daemon}) is older than this pointsman ({client}): run `pointsman restart`."
    if _numbers(client) < _numbers(daemon):
        return f"This pointsman ({client}) is older than the daemon ({daemon}): upgrade this pointsman."
    return f"The daemon ({daemon}) is another build than this pointsman ({client}): run `pointsman restart`."


def _read_frame(sock: _socket.socket) -> str | None:
    """The body of one frame; None if the connection ends before it is whole."""
    header = b""
    while not header.endswith(b"\r\n\r\n"):
        byte = sock.recv(1)  # one by one: what follows the answer belongs to the editor
        if not byte:
            return None
        header += byte
        if len(header) > HEADER_LIMIT:
            raise ValueError("the header does not end")
    missing = _content_length(header)
    body = bytearray()
    while missing:
        chunk = sock.recv(missing)
        if not chunk:
            return None
        body += chunk
        missing -= len(chunk)
    return body.decode()


def _content_length(header: bytes) -> int:
    for line in header.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            length = int(value)
            if length <= ANSWER_LIMIT:
                return length
    raise ValueError("the header names no length, or a senseless one")


def _protocol_skew(version: str, protocol: int) -> EndpointError:
    if protocol < PROTOCOL:
        return EndpointError(
            "VersionSkew",
            f"The daemon (version {version}, protocol {protocol}) is older than this pointsman "
            f"(version {VERSION}, protocol {PROTOCOL}) and does not understand it.",
            "Run `pointsman restart`.",
        )
    return EndpointError(
        "VersionSkew",
        f"This pointsman (version {VERSION}, protocol {PROTOCOL}) is older than the daemon "
        f"(version {version}, protocol {protocol}) and does not understand it.",
        "Upgrade this pointsman, or have the editor run the newer one.",
    )


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _numbers(version: str) -> list[int]:
    """The leading number of each dotted part, without zeros at the end, so that 1.10 > 1.9 and 1.0 = 1."""
    numbers = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        numbers.append(int(digits or 0))
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return numbers
