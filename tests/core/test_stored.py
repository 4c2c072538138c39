"""What a stored credential shows of itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pointsman.core.errors import BadRequest
from pointsman.core.secret import Secret
from pointsman.core.stored import Record, Tokens, check_label
from tests.each import each

KEY, ACCESS, REFRESH = Secret("not-a-real-key"), Secret("not-a-real-access"), Secret("not-a-real-refresh")


def tokens(refresh: Secret | None) -> Tokens:
    return Tokens(ACCESS, refresh, None, 0.0, "https://auth.example:443")


@each(
    ("holds", "kind", "account", "secrets"),
    [
        (KEY, "key", "not-a-r…", (KEY,)),
        (tokens(None), "oauth", "work", (ACCESS,)),
        (tokens(REFRESH), "oauth", "work", (ACCESS, REFRESH)),
    ],
)
def test_what_it_holds(holds: Secret | Tokens, kind: str, account: str, secrets: tuple[Secret, ...]) -> None:
    record = Record("id", "acme", "https://acme.example:443", "work", holds, "2026-11-21T00:00:00Z")
    assert (record.kind, record.account, record.secrets) == (kind, account, secrets)
    assert "not-a-real" not in repr(record)


def test_when_an_account_needs_a_new_sign_in() -> None:
    def ended(holds: Secret | Tokens, now: float = 9.0) -> str | None:
        return Record("id", "acme", "https://acme.example:443", "work", holds, "2026-11-21T00:00:00Z").ended(now)

    ending = replace(tokens(None), expires_at=9.0)
    assert ended(KEY) is ended(tokens(None)) is ended(tokens(REFRESH)) is ended(ending, 8.9) is None
    assert ended(replace(ending, refresh=REFRESH)) is None
    assert ended(replace(tokens(REFRESH), refused="it was ended")) == "it was ended"
    assert "has expired" in (ended(ending) or "")


@each("label", [None, "work", "at home (2)", "me@corp.example", "für später", "仕事"])
def test_what_a_label_may_be(label: str | None) -> None:
    check_label(label)


@each("label", ["", " ", "work ", "work\n", "a\x1b[2Jb", "a\tb", "a\u202eb", "a\u200bb"])
def test_what_no_label_may_be(label: str) -> None:
    with pytest.raises(BadRequest):
        check_label(label)
