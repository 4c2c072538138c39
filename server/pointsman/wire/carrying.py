"""What every dialect needs to carry a conversation over: whose opaque parts may go back, and what is told.

Must never know a dialect.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Literal, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from pointsman.core.catalogue import Provider
from pointsman.core.chat import (
    Conversation,
    FilePart,
    ImagePart,
    Message,
    Notice,
    Options,
    ReasoningPart,
    ToolCallPart,
)

Attached = TypeVar("Attached", ImagePart, FilePart)
OptionName = Literal[
    "temperature",
    "topP",
    "maxOutputTokens",
    "stop",
    "seed",
    "reasoningEffort",
    "responseFormat",
    "topK",
    "frequencyPenalty",
    "presencePenalty",
    "parallelToolCalls",
]
"""The options of a chat by their names on the wire, as a provider's definition may list them."""


def belongs_to(message: Message, provider: Provider) -> bool:
    """Whether what is opaque in a message may go to this provider: it made it, or nobody says who did."""
    return message.provider is None or message.provider == provider.id


def is_sealed(part: ReasoningPart | ToolCallPart) -> bool:
    """Whether a part holds something that only its provider understands."""
    return part.signature is not None or (isinstance(part, ReasoningPart) and part.opaque is not None)


def options_left_out(conversation: Conversation, carried: Collection[str], dialect: str) -> list[Notice]:
    """A notice for each option (by its name on the wire) that was given and is not carried."""
    return [
        Notice(name, f"{dialect} has no `{name}`; it was left out.")
        for name in conversation.options.given
        if name not in carried
    ]


def without_refused(
    conversation: Conversation, model: str, refuses: Mapping[str, Sequence[OptionName]]
) -> tuple[Conversation, list[Notice]]:
    """The conversation without the options that a model refuses, and a notice for each.

    `refuses` names options by patterns of models (`o3*`), as a quirk gives them.
    """
    refused = {name for pattern, names in refuses.items() if fnmatchcase(model, pattern) for name in names}
    left_out = [name for name in conversation.options.given if name in refused]
    fields = dict(zip(Options.__struct_encode_fields__, Options.__struct_fields__, strict=True))
    options = msgspec.structs.replace(conversation.options, **{fields[name]: UNSET for name in left_out})
    notices = [Notice(name, f"{model} takes no `{name}`; it was left out.") for name in left_out]
    return msgspec.structs.replace(conversation, options=options), notices


def unused_form(conversation: Conversation) -> list[Notice]:
    """A notice where a form of the answer brings a schema or a name that its type has no use for."""
    form = conversation.options.response_format
    if isinstance(form, UnsetType) or form.type == "jsonSchema" or (form.schema is None and form.name is None):
        return []
    text = f"An answer of the type `{form.type}` has no schema and no name; they were left out."
    return [Notice("responseFormat", text)]


def unsent(part: ImagePart | FilePart, *sent: str) -> list[Notice]:
    """A notice where an image or a file says more of itself than the fields that were sent."""
    others = [name for name in ("mediaType", "data", "url", "name", "detail") if name not in sent]
    said = msgspec.to_builtins(part)
    if not (left_out := [f"`{name}`" for name in others if name in said]):
        return []
    kind = "image" if isinstance(part, ImagePart) else "file"
    how = "URL" if "url" in sent else "data"
    return [
        Notice(kind, f"The {kind} was sent by its {how}; what was said beside it was left out: {', '.join(left_out)}.")
    ]


def once(notices: Iterable[Notice]) -> list[Notice]:
    """Notices without repeats, in order."""
    return list(dict.fromkeys(notices))


def data_url(media_type: str, data: str | None) -> str:
    """Base64 data as a URL (RFC 2397)."""
    return f"data:{media_type};base64,{data or ''}"


def unpacked(part: Attached) -> Attached:
    """An image or a file whose `url` is a `data:` URL of base64, which nobody can fetch, with its data instead."""
    if part.data is not None or part.url is None or not part.url.startswith("data:"):
        return part
    head, _, data = part.url.removeprefix("data:").partition(",")
    if not head.endswith(";base64"):
        return part
    media_type = head.partition(";")[0] or part.media_type
    return msgspec.structs.replace(part, media_type=media_type, data=data, url=None)
