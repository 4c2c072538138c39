"""Writes and reads the little JSON of a greeting and a lock without importing `json`, which takes 7 ms.

Must never know what the JSON means.
"""

from __future__ import annotations

_ESCAPES = {code: f"\\u{code:04x}" for code in (*range(0x20), ord('"'), ord("\\"))}


def encode(value: object) -> str:
    """JSON text of dicts, strings and integers; anything else has no business here and raises TypeError."""
    match value:
        case dict():
            return "{" + ",".join(f"{encode(str(name))}:{encode(item)}" for name, item in value.items()) + "}"
        case str():
            return f'"{value.translate(_ESCAPES)}"'
        case int() if not isinstance(value, bool):
            return str(value)
    raise TypeError(f"{type(value).__name__} is not written here")


def decode(text: str) -> object:
    """The value of any JSON text; raises ValueError for anything else.

    The C scanner below `json` is asked first. Nobody promised it to us: it may be absent, want more rules, or
    count on `json` for its errors. So whatever comes of it but a clean result is left to `json` itself.
    """
    try:
        return _scan(text)
    except Exception:
        import json

        try:
            value: object = json.loads(text)
        except RecursionError as problem:
            raise ValueError("nested too deeply") from problem
        return value


def _scan(text: str) -> object:
    from _json import make_scanner

    value: object
    value, end = make_scanner(_Rules)(text, 0)  # type: ignore[arg-type]
    if text[end:].strip(" \t\r\n"):
        raise ValueError("there is more than one value")
    return value


class _Rules:
    """What `json.JSONDecoder` tells its scanner."""

    strict = True
    object_hook = object_pairs_hook = array_hook = None
    parse_float, parse_int, parse_constant = float, int, float
