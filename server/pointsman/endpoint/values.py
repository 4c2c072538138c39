"""Holds what every file of this package speaks in: the versions, the one error, and cheap frozen values.

Must never touch the world, nor import anything.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own costs 8 ms; every checker knows the bare name
if TYPE_CHECKING:
    from typing import dataclass_transform
else:

    def dataclass_transform(**_):
        return lambda decorated: decorated


VERSION = "0.1.0"
"""The version of this Pointsman, client and daemon alike."""

PROTOCOL = 1
"""The version of what is spoken on the socket; it changes only when an older side would misunderstand."""


class EndpointError(Exception):
    """No daemon could be reached, held, started or stopped. `code` is stable; the rest is for people."""

    def __init__(self, code: str, message: str, advice: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.message} {self.advice}".rstrip()


@dataclass_transform(frozen_default=True)
class Value:
    """A frozen value, equal by content: a dataclass without the 12 ms that importing dataclasses takes."""

    def __init__(self, *values: object, **named: object) -> None:
        fields = type(self).__annotations__
        self.__dict__.update(zip(fields, values, strict=False), **named)
        if len(values) > len(fields) or self.__dict__.keys() != fields.keys():
            raise TypeError(f"{type(self).__name__} takes exactly: {', '.join(fields)}")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash(tuple(self.__dict__.values()))

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.__dict__.items())
        return f"{type(self).__name__}({fields})"
