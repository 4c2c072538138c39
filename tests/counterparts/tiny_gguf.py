"""Writes a GGUF file of a tiny LLaMA with random weights, for llama.cpp's server to load.

Needs the standard library alone; the layout is that of GGUF's specification, version 3 (ggml, docs/gguf.md).
It must never know who serves the file.
"""

import random
import struct
from array import array
from collections.abc import Mapping
from pathlib import Path

NAME = "tiny-random"

_WIDTH, _HEADS, _LAYERS, _INNER, _CONTEXT = 64, 4, 2, 128, 8192
_ALIGNMENT = 32
_NORMAL, _CONTROL, _USER_DEFINED = 1, 3, 4  # llama.cpp's kinds of tokens

# So that not every token is one byte; the last three take two, three and four bytes in UTF-8.
_WORDS = [" the", " a", " of", " and", " to", "ing", "er", "on", "in", "re", " hello", "é", "日", "👍"]
_CONTROLS = ["<|begin|>", "<|end|>", "<|im_start|>", "<|im_end|>"]
_MARKS = ["<think>", "</think>", "<tool_call>", "</tool_call>"]

_TURN = "{{- '<|im_start|>' + %s + '\\n' + %s + '<|im_end|>\\n' }}"
_THOUGHT = "{%- if m.reasoning_content %}{{- '<think>\\n' + m.reasoning_content + '\\n</think>\\n\\n' }}{%- endif %}"
_CALLS = (
    "{%- for call in m.tool_calls or [] %}"
    "{{- '<tool_call>\\n' + (call.function | tojson) + '\\n</tool_call>' }}"
    "{%- endfor %}"
)
_RESULT = _TURN % ("'user'", "'<tool_response>' + m.content + '</tool_response>'")
_TEMPLATE = "".join(
    [
        "{%- if tools %}" + _TURN % ("'system'", "'Functions: ' + (tools | tojson)") + "{%- endif %}",
        "{%- for m in messages %}",
        "{%- if m.role == 'tool' %}" + _RESULT,
        "{%- elif m.role == 'assistant' %}{{- '<|im_start|>assistant\\n' }}",
        _THOUGHT + "{{- m.content or '' }}" + _CALLS + "{{- '<|im_end|>\\n' }}",
        "{%- else %}" + _TURN % ("m.role", "m.content") + "{%- endif %}",
        "{%- endfor %}",
        "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}@OPENING{%- endif %}",
    ]
)


def write(path: Path, *, seed: int = 7, thinks: bool = False, bias: Mapping[str, float] | None = None) -> None:
    """Write the model to `path`; the same arguments give the same bytes.

    thinks: each answer begins inside `<think>`, as some reasoning models have it.
    bias: makes a token likelier, e.g. `{"<tool_call>": 4.0}`: random weights seldom choose one by themselves.
    """
    tokens, kinds, merges = _vocabulary()
    template = _TEMPLATE.replace("@OPENING", "{{- '<think>\\n' }}" if thinks else "")
    facts = [
        _fact("general.architecture", "llama"),
        _fact("general.name", NAME),
        _fact("llama.context_length", _CONTEXT),
        _fact("llama.embedding_length", _WIDTH),
        _fact("llama.block_count", _LAYERS),
        _fact("llama.feed_forward_length", _INNER),
        _fact("llama.attention.head_count", _HEADS),
        _fact("llama.attention.layer_norm_rms_epsilon", 1e-5),
        _fact("llama.rope.dimension_count", _WIDTH // _HEADS),
        _fact("llama.vocab_size", len(tokens)),
        _fact("tokenizer.ggml.model", "gpt2"),
        _fact("tokenizer.ggml.pre", "gpt-2"),
        _fact("tokenizer.ggml.tokens", tokens),
        _fact("tokenizer.ggml.token_type", kinds),
        _fact("tokenizer.ggml.merges", merges),
        _fact("tokenizer.ggml.bos_token_id", tokens.index("<|begin|>")),
        _fact("tokenizer.ggml.eos_token_id", tokens.index("<|im_end|>")),
        _fact("tokenizer.ggml.add_bos_token", False),
        _fact("tokenizer.chat_template", template),
    ]
    tensors = _tensors(random.Random(seed), tokens, bias or {})
    head = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(facts)) + b"".join(facts)
    offset = 0
    for name, (shape, values) in tensors.items():
        head += _text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, offset)
        offset += len(_padded(values.tobytes()))
    path.write_bytes(_padded(head) + b"".join(_padded(values.tobytes()) for _, values in tensors.values()))


def _vocabulary() -> tuple[list[str], list[int], list[str]]:
    """The tokens, the kind of each, and the merges of a byte-level BPE tokenizer."""
    letters = _letters()
    tokens, merges = list(letters), list[str]()
    for word in _WORDS:
        left, *rest = [letters[byte] for byte in word.encode()]
        for right in rest:
            if f"{left} {right}" not in merges:
                merges.append(f"{left} {right}")
            left += right
            if left not in tokens:
                tokens.append(left)
    kinds = [_NORMAL] * len(tokens) + [_CONTROL] * len(_CONTROLS) + [_USER_DEFINED] * len(_MARKS)
    return tokens + _CONTROLS + _MARKS, kinds, merges


def _letters() -> list[str]:
    """GPT-2's printable letter of each byte: itself where it prints, else one from U+0100 on."""
    prints = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = (byte for byte in range(256) if byte not in prints)
    spare = {byte: 0x100 + n for n, byte in enumerate(others)}
    return [chr(spare.get(byte, byte)) for byte in range(256)]


_Tensor = tuple[tuple[int, ...], "array[float]"]
"""A shape, the fastest dimension first, and the numbers."""


def _tensors(rng: random.Random, tokens: list[str], bias: Mapping[str, float]) -> dict[str, _Tensor]:
    """The weights by name.

    Dimension 0 of the hidden state is a constant that carries the bias: embeddings set it, layers spare it.
    """

    def noise(rows: int, columns: int, scale: float) -> "array[float]":
        return array("f", (rng.gauss(0.0, scale) for _ in range(rows * columns)))

    def matrix(rows: int, columns: int, scale: float) -> _Tensor:
        return (columns, rows), noise(rows, columns, scale)

    def sparing_the_constant(columns: int) -> _Tensor:
        return (columns, _WIDTH), array("f", [0.0] * columns) + noise(_WIDTH - 1, columns, 0.1)

    ones: _Tensor = ((_WIDTH,), array("f", [1.0] * _WIDTH))
    embedding, output = noise(len(tokens), _WIDTH, 1.0), noise(len(tokens), _WIDTH, 0.15)
    for n, token in enumerate(tokens):
        embedding[n * _WIDTH] = 4.0
        output[n * _WIDTH] = bias.get(token, 0.0)
    tensors: dict[str, _Tensor] = {"token_embd.weight": ((_WIDTH, len(tokens)), embedding)}
    for layer in (f"blk.{n}" for n in range(_LAYERS)):
        tensors[f"{layer}.attn_norm.weight"] = tensors[f"{layer}.ffn_norm.weight"] = ones
        for name in ("attn_q", "attn_k", "attn_v"):
            tensors[f"{layer}.{name}.weight"] = matrix(_WIDTH, _WIDTH, 0.2)
        tensors[f"{layer}.attn_output.weight"] = sparing_the_constant(_WIDTH)
        tensors[f"{layer}.ffn_gate.weight"] = matrix(_INNER, _WIDTH, 0.2)
        tensors[f"{layer}.ffn_up.weight"] = matrix(_INNER, _WIDTH, 0.2)
        tensors[f"{layer}.ffn_down.weight"] = sparing_the_constant(_INNER)
    return tensors | {"output_norm.weight": ones, "output.weight": ((_WIDTH, len(tokens)), output)}


_Value = str | bool | int | float | list[str] | list[int]
"""Numbers alone are unsigned; those in a list are signed, as the kinds of tokens have to be."""


def _fact(key: str, value: _Value) -> bytes:
    kind, body = _encoded(value)
    return _text(key) + struct.pack("<I", kind) + body


def _encoded(value: _Value) -> tuple[int, bytes]:
    """GGUF's number of the value's type, and the value."""
    if isinstance(value, str):
        return 8, _text(value)
    if isinstance(value, bool):
        return 7, struct.pack("<?", value)
    if isinstance(value, int):
        return 4, struct.pack("<I", value)
    if isinstance(value, float):
        return 6, struct.pack("<f", value)
    items = [(5, struct.pack("<i", item)) if isinstance(item, int) else (8, _text(item)) for item in value]
    return 9, struct.pack("<IQ", items[0][0], len(items)) + b"".join(body for _, body in items)


def _text(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % _ALIGNMENT)
