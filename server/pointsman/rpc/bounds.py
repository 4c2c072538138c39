"""What docs/protocol.md leaves open for the code: bounds from where they are enforced, and messages as they are made.

Must never promise what the daemon does not do, nor know the words around it.
"""

from __future__ import annotations

import msgspec

from pointsman.core.errors import UnknownModel
from pointsman.rpc import examples, replies
from pointsman.rpc.examples import block, reply, request
from pointsman.rpc.framing import LARGEST_BODY, frame
from pointsman.rpc.render import pretty
from pointsman.rpc.session import MOST_OPEN, OUTPUT_BOUND, PATIENCE
from pointsman.service.app import DETACH
from pointsman.service.chats import KEPT_FOR, LONGEST_CHAT, LONGEST_NOTIFICATION, MOST_KEPT
from pointsman.service.silence import HEARTBEAT

KIB, MIB = 2**10, 2**20

BOUNDS = {
    "largest body": f"{LARGEST_BODY // MIB} MiB",
    "most open requests": f"{MOST_OPEN}",
    "output bound": f"{OUTPUT_BOUND // KIB} KiB",
    "patience": f"{PATIENCE:g} seconds",
    "longest notification": f"{LONGEST_NOTIFICATION // KIB} KiB",
    "heartbeat": f"{HEARTBEAT:g} seconds",
    "detach": f"{DETACH:g}",
    "longest chat": f"{LONGEST_CHAT // MIB} MiB",
    "kept for": f"{KEPT_FOR / 60:g} minutes",
    "most kept": f"{MOST_KEPT // MIB} MiB",
}
"""By their places in the page."""


def messages() -> dict[str, str]:
    """A message as it passes, how a connection begins, and how a request fails, by their places in the page."""
    message = pretty(request("pointsman/currentModel", {})).encode()
    greeting = examples.OPENING["initialize"]
    failure = UnknownModel("No model is called 'sonet'.", "Did you mean sonnet?")
    problem = msgspec.to_builtins(replies.problem_of(failure))
    return {
        "a frame": frame(message).decode().replace("\r\n", "\\r\\n\n"),
        "initialize": f"{block(request('initialize', greeting.params))}\n\n{block(reply(greeting.result))}",
        "an error": block({"jsonrpc": "2.0", "id": 1, "error": problem}),
    }
