"""What a person has to say in docs/protocol.md, with bounds from where they are enforced.

Must never promise what the daemon does not do today, nor list what can be drawn from the declarations.
"""

from __future__ import annotations

import msgspec

from pointsman.core.errors import UnknownModel
from pointsman.rpc import examples, replies
from pointsman.rpc.examples import block, reply, request
from pointsman.rpc.framing import LARGEST_BODY, frame
from pointsman.rpc.render import GENERATED, pretty
from pointsman.rpc.session import MOST_OPEN, OUTPUT_BOUND, PATIENCE
from pointsman.service.app import DETACH
from pointsman.service.chats import KEPT_FOR, LONGEST_CHAT, LONGEST_NOTIFICATION, MOST_KEPT
from pointsman.service.silence import HEARTBEAT

KIB, MIB = 2**10, 2**20

OPENING = f"""<!-- {GENERATED}. -->
# The protocol

For those who write a client of Pointsman: a plugin of an editor, or a script. One daemon for each user keeps
providers, models, keys and running chats; its clients talk to it in JSON-RPC 2.0, framed as in the Language
Server Protocol (LSP).

The same in other forms, from the same declaration: [a JSON Schema](protocol.schema.json), types for TypeScript in
`clients/vscode/src/protocol.ts`, and annotations for Lua in `clients/neovim/lua/pointsman/protocol.lua`."""


def one_way_in() -> str:
    """How a client gets to the daemon, and what a message looks like."""
    message = pretty(request("pointsman/currentModel", {})).encode()
    framed = frame(message).decode().replace("\r\n", "\\r\\n\n")
    return f"""## One way in

Run `pointsman connect` and speak over its standard input and output. It finds the daemon, starts one if there is
none, greets it, and from then on passes bytes. No client needs to know a socket, a lock, or how a daemon is
started. When no daemon can be had, it says why on standard error, in words for people, and ends with status 1.

The daemon looks for keys in the environment that `pointsman connect` was started with, for this connection alone.
It keeps that environment in memory while the connection lasts, and neither stores nor shows it.

Every message is one frame:

```text
{framed}
```

`Content-Length` counts bytes of UTF-8. A head with anything but `Content-Length` and `Content-Type` ends the
connection. A body above {LARGEST_BODY // MIB} MiB is passed over, and answered with an error whose id is null.
Batches are no part of this."""


def connection(number: int) -> str:
    """What is said in which order, and who may say it. `number` is the protocol's."""
    greeting = examples.OPENING["initialize"]
    return f"""## A connection from start to end

1. `initialize`, as in LSP, with `initializationOptions.pointsman` ([EditorOptions](#editoroptions)). The first
   workspace folder, else `rootUri`, is the workspace whose choices apply. `windowId` is random, and kept by the
   client through reloads: by it a window finds its choice of a model and its chats again.
2. The answer has `capabilities.experimental.pointsman` ([ServerOptions](#serveroptions)). This page is about
   protocol {number}; a client that meets another number should say so, and stop.
3. `initialized`. Mistakes in the configuration follow as [`pointsman/configProblem`](#pointsmanconfigproblem).
4. Requests, up to {MOST_OPEN} at once; they are answered in the order in which they get done. A request without
   parameters may leave `params` out.
5. `shutdown`, then `exit`. That ends this connection, as closing it does; the daemon and other clients' chats go on.

{block(request("initialize", greeting.params))}

{block(reply(greeting.result))}

Every client may call every method, and may follow or cancel every chat: only processes of one user reach the
daemon. `pointsman/hello` is what `pointsman connect` says, and nobody else. A client that gives no `pointsman`
options is served as a plain LSP editor: it is announced [commands](#commands), and what its user should know is
shown by `window/showMessage`."""


READING = """## Reading and writing messages

Names are camelCase. Times are RFC 3339 in UTC. A field that is not required is left out when it has no value; it
is null only where its type says so.

Pass over what you do not know: fields, notifications, and events and parts of a `type` that is new to you. An error
whose code is new to you still has a message and advice to show. In exchange, while the protocol's number stays,
nothing on this page is taken away, no parameter becomes required, and no result gets a value of a kind that is not
on this page; `make check` compares."""


def failing() -> str:
    """How a request fails."""
    failure = UnknownModel("No model is called 'sonet'.", "Did you mean sonnet?")
    problem = msgspec.to_builtins(replies.problem_of(failure))
    return f"""## Errors

Every request gets exactly one reply: a result, or an error like this one.

{block({"jsonrpc": "2.0", "id": 1, "error": problem})}

`data` is [ErrorData](#errordata). Its `message` says what happened and its `advice` what to do next: show both. Its
`code` is stable, and [listed below](#error-codes). `retryable` says whether the same request could succeed: after a
while, with another key, or with another model. That of a chat which nobody answered is a
[ChatFailure](#chatfailure): once it has begun, it also has the `attempts`, the `route` and the `trace` that a result
would have had.

A client that does not read is not waited for: when {OUTPUT_BOUND // KIB} KiB lie ready for it, the daemon stops
reading its requests, and after {PATIENCE:g} seconds of that it hangs up."""


def chat() -> str:
    """The contract of a chat."""
    return f"""## The contract of a chat

A chat is a log of [events](#chatevent), numbered 0, 1, 2, … Whoever follows it reads the log at their own pace, each
event once and in order.

- **Asking.** [`pointsman/chat`](#pointsmanchat) begins a chat and follows it. Events come as
  [`pointsman/chatEvents`](#pointsmanchatevents): those that have piled up in one notification, up to
  {LONGEST_NOTIFICATION // KIB} KiB of them. The reply comes after the last event. With `stream: false` there are
  no events, only the reply.
- **Names.** Make a new UUID for `chatId`, so that you can cancel the chat, or come back to it, before it is
  answered. An id that a running or kept chat has is refused with `ChatInUse`. `conversationId` is yours: others see
  it in the list of chats.
- **Failing early.** If the name leads nowhere, or no key is there, the request fails and there is no chat.
- **`started`** comes at most once, before anything visible: it names the provider that answers. *Visible* are `text`,
  `reasoning` and `toolCall`. Before it, `attemptFailed` may tell of keys, models and providers that were tried in
  vain.
- **No splice.** After the first visible event no other provider takes over. An answer that breaks off ends as
  `finished` with the reason `interrupted`; the reply is a result with what was received, what went wrong in `error`,
  and in `resume` the models that could go on.
- **`finished`** comes exactly once, and is the last event. With the reason `error` it carries the error, which is
  then also the reply to every request that waits for the chat.
- **`waiting`** comes every {HEARTBEAT:g} seconds in which the model is silent. With a `place` it comes before
  anything is sent, at once and every {HEARTBEAT:g} seconds: limits of the user's own keep the chat in a queue, and
  1 is the next. **`notice`** says what could not be
  carried over to the provider that answers: nothing is dropped in silence. **`usage`** counts so far; the last one
  holds.
- **Cancelling.** `$/cancelRequest` for `pointsman/chat`, or [`pointsman/cancelChat`](#pointsmancancelchat) from any
  client, ends the chat for all who follow it. The request to the provider is closed at once, and the reply is a
  *result* with the stop reason `cancelled`, what was received, and its usage. `$/cancelRequest` for
  `pointsman/attachChat` only stops following; that request fails with `RequestCancelled`.
- **Coming back.** A chat that nobody follows any more, since the editor was reloaded for instance, runs on for
  `detach` seconds: {DETACH:g}, if its client gave a `windowId`, else 0.
  [`pointsman/listChats`](#pointsmanlistchats) has its `chatId`, and
  [`pointsman/attachChat`](#pointsmanattachchat) with `after`, the number of the last event that you have seen, gives
  the rest. Follow a chat once on a connection: the notifications do not say which request they are for.
- **Bounds.** A chat above {LONGEST_CHAT // MIB} MiB is interrupted. A finished one is kept for
  {KEPT_FOR / 60:g} minutes, and all finished ones within {MOST_KEPT // MIB} MiB; after that it is `ChatGone`.
- **Counting.** `inputTokens` includes cached and cache-write tokens and `outputTokens` includes reasoning, for every
  provider, whatever it reports itself. `exact: false` marks an estimate. A cost that is unknown is absent, not 0.

`pointsman/chatsChanged` goes to every client, also to those that follow no chat, and keeps no step with the events."""


NOTIFICATIONS = """## Notifications

The daemon sends these unasked: events to those who follow the chat, what has changed to every client."""

COMMANDS = """## Commands

The same methods for an editor without a plugin, through LSP's `workspace/executeCommand`. An argument that is an
object stands for the method's parameters; plain ones are taken in the order given here, and the last may be left
out. `text` stands for `messages` with a single one of the user. The reply is the method's result; where the client
gave no `pointsman` options, a chat sends no events unless `stream` is true, and the result is also shown as a message.

A command that asks replies null at once, and then asks the person by `window/showMessageRequest`."""

CODES = """## Error codes

What `data.code` can be, and the number that JSON-RPC wants beside it. Where something can help, `retryable` is true,
and the daemon has already tried as far as it could. A spent credit is final: it does not come back by itself."""
