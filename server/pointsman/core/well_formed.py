"""What names, and a provider's address and headers, may be made of, so that each can be sent and none can hide.

Must never quote a value: what was written wrongly may hold a key. Each function gives what is wrong and what to do as
one message that `mistakes.misfit` takes apart, or None.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from pointsman.core.mistakes import HINT
from pointsman.core.routing import CHAIN

HTTP = {"http", "https"}
SPOKEN = HTTP | {"program", "echo"}
"""The schemes of addresses that anything here can ask."""
ABSOLUTE = "Expected an absolute http(s) URL"
LARGEST_PORT = 65535
LONGEST = 200
"""Characters of a short name, or of a chain's."""
_PORT = re.compile(r":(\d+)$")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")
"""A name and a value of a header (RFC 9110 §5.1, §5.5), without what the RFC keeps only for the sake of old servers."""


def wrong_id(id: str) -> str | None:
    """What is wrong with a provider's name."""
    if _is_word(id):
        return None
    text = "A provider's name has at least one letter or digit, no colon, and beside them only `-`, `_` and `.`"
    return f"{text}{HINT}Give it another name; `name` may say whatever people should read."


def wrong_chain(name: str) -> str | None:
    """What is wrong with the name of a chain."""
    if len(name) > LONGEST:
        return f"The name of a chain has {LONGEST} characters at most{HINT}Choose a shorter one."
    if _is_word(name):
        return None
    text = "The name of a chain has at least one letter or digit, and beside them only `-`, `_` and `.`"
    return f"{text}{HINT}Choose another."


def wrong_alias(name: str) -> str | None:
    """What is wrong with a short name for a model."""
    if not name.strip() or name != name.strip():
        return f"A short name must have letters, and no blanks around them{HINT}Choose another."
    if len(name) > LONGEST:
        return f"A short name has {LONGEST} characters at most{HINT}Choose a shorter one."
    if not name.isprintable():
        return f"A short name has no signs that nobody can see or type{HINT}Choose another."
    if f"{name}:".startswith(CHAIN):
        return f"`chain:` begins the name of a chain, so no short name can{HINT}Choose another."
    return None


def _is_word(name: str) -> bool:
    """Letters and digits of any script, and what may stand beside them."""
    return all(sign.isalnum() or sign in "-_." for sign in name) and any(map(str.isalnum, name))


def wrong_url(url: str) -> str | None:
    """What is wrong with a base URL, all parts of which are known."""
    try:
        parts = urlsplit(url)
        if (port := _PORT.search(parts.netloc)) and int(port[1]) > LARGEST_PORT:
            return f"{port[1]} is no port: they end at {LARGEST_PORT}{HINT}Correct what stands behind the colon."
        _ = parts.port  # raises for one that is no number
    except ValueError:
        return ABSOLUTE
    return _wrong_in(url, parts) if "://" in url and (parts.scheme not in HTTP or parts.hostname) else ABSOLUTE


def _wrong_in(url: str, parts: SplitResult) -> str | None:
    """What is wrong with a URL that is whole."""
    if parts.scheme not in SPOKEN:
        return f"{ABSOLUTE}, and nothing here speaks `{parts.scheme}`{HINT}Begin it with https://, or with http://."
    if "@" in parts.netloc:
        return f"A name or a password belongs into `auth` or `keys`, not here{HINT}Leave out what ends in the `@`."
    if parts.scheme in HTTP and ("?" in url or "#" in url):
        text = "No query and no fragment can stand here: the paths of requests come behind it"
        return (
            f"{text}{HINT}Leave out what begins with `?` or `#`: a version has its place in `api_version`, a key in "
            "`keys`, and what else the server wants in `headers`."
        )
    return None


def wrong_header(headers: Mapping[str, str]) -> str | None:
    """What is wrong with the first of the headers that HTTP can't carry."""
    for name, value in headers.items():
        if not _HEADER.fullmatch(name):
            return f"{name!r} can't be the name of a header{HINT}Take letters, digits and `-`, as in `X-Team`."
        if not _VALUE.fullmatch(value):
            text = f"The value of {name!r} has a sign that HTTP can't carry: a line's end, or none of ASCII"
            return f"{text}{HINT}Leave that sign out."
    return None
