"""Characters that a server has cut in two."""

from __future__ import annotations

import json

from pointsman.core.catalogue import Provider
from pointsman.core.chat import TextDelta
from pointsman.wire import WIRES
from pointsman.wire.halves import Halves
from tests.each import each

CUT = {
    "over two events": ((rb'"a\ud83d"', rb'"\ude00b"'), "a😀b"),
    "with others between": ((rb'"\uD83D"', rb'"x"', rb'"\uDE00"'), "x😀"),
    "several": ((rb'"\ud83d\ude00\ud83d"', rb'"\ude01"'), "😀😁"),
    "never completed": ((rb'"a\ud83d"', rb'"b"'), "ab"),
    "without a beginning": ((rb'"\ude00b"',), "\ufffdb"),
    "whole": ((rb'"\ud83d\ude00"',), "😀"),
    "only written of": ((rb'"\\ud83d"', rb'"\\\\ude00"'), r"\ud83d\\ude00"),
    "after a backslash": ((rb'"\\\ud83d"', rb'"\ude00"'), "\\😀"),
}


@each("case", CUT)
def test_what_was_cut_is_whole_again(case: str) -> None:
    events, text = CUT[case]
    halves = Halves()
    assert "".join(json.loads(halves.mend(event)) for event in events) == text


SAID = {
    "openai-chat": b'data: {"choices":[{"delta":{"content":"%s"}}]}\n\n',
    "openai-responses": b'data: {"type":"response.output_text.delta","delta":"%s"}\n\n',
    "anthropic-messages": (
        b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%s"}}\n\n'
    ),
    "gemini-generate": b'data: {"candidates":[{"content":{"parts":[{"text":"%s"}]}}]}\n\n',
    "ollama-chat": b'{"message":{"content":"%s"}}\n',
}


@each("wire", SAID)
def test_each_dialect_of_text_reads_it_whole(wire: str) -> None:
    reader = WIRES[wire].reader(Provider(id="p", base_url="https://p.example"))
    said = [reading for half in (rb"a\ud83d", rb"\ude00b") for reading in reader.feed(SAID[wire] % half)]
    assert "".join(reading.text for reading in said if isinstance(reading, TextDelta)) == "a😀b"
    assert len(said) == 2
