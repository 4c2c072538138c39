"""Requests and heads as values: whom a credential belongs to, and how long a provider asks to wait."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.http import Request, again, origin, retry_after, shown, spoken
from tests.each import each

DATE = "Wed, 21 Oct 2026 07:28:00 GMT"


@each(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "33, 44, 5"}, 44.0),
        ({"retry-after": "33, soon"}, None),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "²"}, None),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "1500", "retry-after": "7"}, 1.5),
        ({"retry-after-ms": "", "retry-after": "7"}, 7.0),
        ({"retry-after-ms": "-5"}, None),
        ({"retry-after-ms": "x", "retry-after": "7"}, 7.0),
        ({"retry-after-ms": "0.5"}, 0.0005),
        ({"retry-after": "6m0s"}, 360.0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "2026-10-21T07:29:00Z", "date": DATE}, 60.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:30:00 GMT", "date": DATE}, 120.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:00:00 GMT", "date": DATE}, 0.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:30:00 -0000", "date": DATE}, 120.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:30:00 GMT", "date": "today"}, None),
        ({"retry-after": "Wed, 21 Oct 2026 07:30:00 GMT"}, None),
    ],
)
def test_how_long_a_response_asks_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_when_a_request_may_be_sent_again_is_also_a_time() -> None:
    asked = again({"retry-after": "90", "date": DATE})
    assert asked is not None
    assert asked.time == "2026-10-21T07:29:30Z"
    asked = again({"retry-after": "Wed, 21 Oct 2026 07:30:00 GMT"})
    assert asked is not None
    assert (asked.seconds, asked.time) == (None, "2026-10-21T07:30:00Z")
    assert again({}) is None


@given(
    st.dictionaries(
        st.sampled_from(["retry-after", "retry-after-ms", "date"]),
        st.text(max_size=30) | st.from_regex(r"[A-Z][a-z]{2}, \d{1,3} [A-Z][a-z]{2} \d{1,5} [\d:]{1,9} .{0,6}"),
    )
)
def test_no_header_whatever_it_says_is_a_mistake(headers: dict[str, str]) -> None:
    seconds = retry_after(headers)
    assert seconds is None or seconds >= 0


@each(
    ("url", "expected"),
    [
        ("https://api.example.com/v1", "https://api.example.com:443"),
        ("https://api.example.com:443/other?q#f", "https://api.example.com:443"),
        ("HTTPS://API.Example.Com", "https://api.example.com:443"),
        ("https://user:word@api.example.com/v1", "https://api.example.com:443"),
        ("http://localhost:11434", "http://localhost:11434"),
        ("http://localhost", "http://localhost:80"),
        ("http://[::1]:8080/v1", "http://[::1]:8080"),
        ("echo://localhost", "echo://localhost"),
    ],
)
def test_the_origin_of_a_url(url: str, expected: str) -> None:
    assert origin(url) == expected


def test_a_request_shows_neither_headers_nor_body() -> None:
    shown = repr(Request("POST", "http://h/", {"authorization": "Bearer sk-secret"}, b"private words"))
    assert shown == "Request(method='POST', url='http://h/')"


@each(
    ("origin", "words"),
    [
        ("https://api.example.com:443", "https://api.example.com"),
        ("http://api.example.com:80", "http://api.example.com"),
        ("http://api.example.com:443", "http://api.example.com:443"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("echo://localhost", "echo://localhost"),
    ],
)
def test_an_origin_as_people_write_it(origin: str, words: str) -> None:
    assert spoken(origin) == words


@each(
    ("url", "expected"),
    [
        ("https://h:1/v1/x", "https://h:1/v1/x"),
        ("https://me:key@h:1/v1?key=k#f", "https://h:1/v1"),
        ("https://h?key=k", "https://h"),
        ("https://h#k", "https://h"),
        ("https://me@you@h/a@b", "https://h/a@b"),
        ("/v1/x?key=k", "/v1/x"),
        ("//me:key@h/v1", "//h/v1"),
        ("", ""),
    ],
)
def test_a_url_is_shown_without_what_may_be_a_key(url: str, expected: str) -> None:
    assert shown(url) == expected
