"""The command `chat`: puts a question together, asks it, and has the answer shown.

Must never go on by itself when nobody waits any more: what is not read costs money all the same.
"""

from __future__ import annotations

import base64
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from pointsman.cli.answer import STATUS, AnswerPrinter
from pointsman.cli.client import CallFailed, Client
from pointsman.cli.examples import WithExamples
from pointsman.cli.parameters import as_json, complete_model
from pointsman.cli.terminal import is_terminal, note, print_json
from pointsman.cli.trace import trace_lines

KINDS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}
"""How a file of each kind of image begins; WebP has its name behind the length."""
LARGEST = 20 * 2**20
"""Bytes of an image: no provider takes more."""


@click.command(cls=WithExamples)
@click.argument("words", nargs=-1, metavar="[WORDS]...", help="What to ask; `-` stands for standard input.")
@click.option("--model", "-m", metavar="SPEC", shell_complete=complete_model, help="Who answers this once.")
@click.option("--system", "-s", metavar="TEXT", help="Instructions for the model.")
@click.option(
    "--image", "images", multiple=True, type=click.Path(exists=True, dir_okay=False), help="Show it a picture, too."
)
@click.option("--no-stream", is_flag=True, help="Print the answer at once, when it is complete.")
@click.option("--trace", is_flag=True, help="Show where the time went.")
@as_json
def chat(
    words: tuple[str, ...],
    model: str | None,
    system: str | None,
    images: tuple[str, ...],
    no_stream: bool,
    trace: bool,
    as_json: bool,
) -> int:
    """Ask a model, and print its answer as it comes.

    Without words, the question is what stands on standard input. The answer goes to standard output; who answers,
    notices and the receipt go to standard error. Ctrl-C cancels, and prints the receipt; once more, and it leaves.
    """
    pictures = [_image(Path(name)) for name in images]
    question = _question(words)
    content = [{"type": "text", "text": question}, *pictures] if pictures else question
    params = {"messages": [{"role": "user", "content": content}], "stream": not (no_stream or as_json)}
    params |= {name: value for name, value in (("model", model), ("system", system)) if value is not None}
    params |= {"trace": True} if trace else {}
    with Client() as client:
        return follow(client, "pointsman/chat", params, as_json=as_json)


def follow(client: Client, method: str, params: dict[str, Any], *, as_json: bool) -> int:
    """Asks for a chat and shows it until it ends; gives the exit status. Raises CallFailed."""
    if as_json:
        result = client.call(method, params, cancellable=True)
        print_json(result)
        return STATUS.get(result["stopReason"], 0)
    printer = AnswerPrinter()
    try:
        result = client.call(method, params, printer.hear, cancellable=True)
    except CallFailed as error:
        printer.close()
        _show_trace(error.data)
        raise
    status = printer.finish(result, streamed=params.get("stream", True))
    _show_trace(result)
    return status


def _show_trace(end: Mapping[str, Any]) -> None:
    for line in trace_lines(end["trace"]) if "trace" in end else ():
        note(line, dim=True)


def _question(words: Sequence[str]) -> str:
    """The words, with standard input in place of `-`. Standard input is read only if it is asked for."""
    given = _standard_input() if not words or "-" in words else ""
    said = " ".join(f"\n\n{given}\n\n" if word == "-" else word for word in words) if words else given
    if not said.strip():
        raise click.UsageError("There is nothing to ask. Say it behind `chat`, or on standard input.")
    return said


def _standard_input() -> str:
    if sys.stdin is None:
        return ""
    if is_terminal(sys.stdin):
        note("Type your question, then press Ctrl-D on a line of its own.", dim=True)
    return sys.stdin.buffer.read().decode("utf-8", "replace")


def _image(path: Path) -> dict[str, str]:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise click.UsageError(f"{path} can't be read: {error.strerror}.") from None
    if len(data) > LARGEST:
        raise click.UsageError(f"{path} is larger than {LARGEST // 2**20} MiB. Scale it down first.")
    kind = next((kind for start, kind in KINDS.items() if data.startswith(start)), None)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        kind = "image/webp"
    if kind is None:
        raise click.UsageError(f"{path} is no PNG, JPEG, GIF or WebP. Convert it first.")
    return {"type": "image", "mediaType": kind, "data": base64.b64encode(data).decode()}
