"""A temporary session as a value: how long it lasts, for whom it holds, and what it makes of a catalogue."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from pointsman.core.catalogue import Catalogue, Provider, TemporaryKey
from pointsman.core.network import Tls
from pointsman.core.secret import Secret
from pointsman.core.selection import Place, Scope
from pointsman.core.session import Moment, Reason, Session, Then, fronted, holding, words
from tests.each import each

HERE = Place("w-1", "/home/me/project")
CORP = Provider(
    id="corp",
    base_url="https://corp.example/v1",
    headers={"X-Team": "blue", "X-Version": "1"},
    tls=Tls("/ca.pem", "/mine.pem", "/mine.key"),
)
OTHER = Provider(id="other", base_url="https://other.example")
CATALOGUE = Catalogue(
    {"corp": CORP, "other": OTHER},
    aliases={"a": "corp:m"},
    origins={"providers.corp.headers.X-Team": "pointsman.toml", "providers.corp.headers.X-Version": "shipped:corp"},
)


def session(
    id: str = "s", seconds: float = 60.0, at: tuple[Scope, str] | None = ("global", ""), **more: str
) -> Session:
    values = {"provider": "corp", "title": "Corp", "origin": "https://corp.example:443"} | more
    begun = Moment(1000.0, 10.0)
    key = Secret(f"not-a-real-key-{id}")
    return Session(id, key=key, begun=begun, seconds=seconds, expires_at="then", author="tests", at=at, **values)


@each(
    ("now", "left"),
    [
        (Moment(1000.0, 10.0), 60.0),
        (Moment(1020.0, 30.0), 40.0),
        (Moment(1060.0, 70.0), 0.0),
        (Moment(2000.0, 950.0), 0.0),
        (Moment(1050.0, 12.0), 10.0),  # the machine has slept
        (Moment(4000.0, 12.0), 0.0),
        (Moment(100.0, 50.0), 20.0),  # somebody has set the clock back
        (Moment(100.0, 70.0), 0.0),
    ],
)
def test_it_ends_by_whichever_clock_says_so_first(now: Moment, left: float) -> None:
    assert session().left(now) == left


@given(st.floats(0, 1e6), st.floats(-1e6, 1e6), st.floats(1, 1e5))
def test_no_clock_makes_it_longer(steady: float, wall: float, seconds: float) -> None:
    left = session(seconds=seconds).left(Moment(1000 + wall, 10 + steady))
    assert 0 <= left <= seconds
    assert left <= max(seconds - steady, 0) + 1e-6


@each(
    ("active", "place", "holds"),
    [
        ({}, HERE, None),
        ({"g": ("global", "")}, HERE, "g"),
        ({"g": ("global", "")}, Place(), "g"),
        ({"g": ("global", ""), "w": ("window", "w-1")}, HERE, "w"),
        ({"w": ("window", "w-1"), "g": ("global", "")}, HERE, "w"),
        ({"w": ("window", "w-2"), "g": ("global", "")}, HERE, "g"),
        ({"w": ("window", "w-2")}, HERE, None),
        ({"f": ("workspace", "/home/me/project"), "g": ("global", "")}, HERE, "f"),
        ({"f": ("workspace", "/home/me/project"), "w": ("window", "w-1")}, HERE, "w"),
        ({"f": ("workspace", "/home/me/project")}, Place("w-1"), None),
        ({"s": None}, HERE, None),
    ],
)
def test_the_narrowest_scope_wins(active: dict[str, tuple[Scope, str] | None], place: Place, holds: str | None) -> None:
    found = holding([session(id, at=at) for id, at in active.items()], place, CATALOGUE)
    assert {id: each.id for id, each in found.items()} == ({"corp": holds} if holds else {})


def test_each_provider_has_its_own() -> None:
    both = [session("a"), session("b", provider="other", origin="https://other.example:443")]
    assert {id: each.id for id, each in holding(both, HERE, CATALOGUE).items()} == {"corp": "a", "other": "b"}


def test_a_provider_that_has_gone_has_none() -> None:
    assert holding([session(provider="gone")], HERE, CATALOGUE) == {}


def test_where_its_key_must_not_go_it_does_not_hold() -> None:
    moved = Catalogue({"corp": Provider(id="corp", base_url="https://corp.example:8443/v1")})
    narrow, wide = session("n", at=("window", "w-1")), session("g", origin="https://corp.example:8443")
    assert holding([narrow, wide], HERE, moved) == {"corp": wide}
    assert holding([narrow, wide], HERE, CATALOGUE) == {"corp": narrow}


def test_without_any_the_catalogue_is_itself() -> None:
    assert fronted(CATALOGUE, {}) is CATALOGUE


def test_a_provider_behind_one_is_marked_and_shows_no_key() -> None:
    front = fronted(CATALOGUE, {"corp": session()})
    corp = front.providers["corp"]
    assert corp.temporary == TemporaryKey("s", "not-a-re…", "then")
    assert corp.configured_by_user
    assert (corp.base_url, corp.headers) == (CORP.base_url, CORP.headers)
    assert front.providers["other"] is OTHER
    assert (front.aliases, front.origins) == (CATALOGUE.aliases, CATALOGUE.origins)
    assert "not-a-real-key" not in repr(front) + repr(session())


@each(
    ("base_url", "origin", "headers", "tls"),
    [
        ("https://corp.example/v2", "https://corp.example:443", {"X-Team": "blue", "X-Version": "1"}, CORP.tls),
        ("https://new.example/v2", "https://new.example:443", {"X-Version": "1"}, Tls("/ca.pem")),
    ],
)
def test_at_another_origin_nothing_says_who_asks_but_its_key(
    base_url: str, origin: str, headers: dict[str, str], tls: Tls
) -> None:
    template = structs.replace(CORP, template="https://{host}")
    held = session(base_url=base_url, origin=origin)
    assert held.belongs_to(CORP)
    corp = fronted(replace(CATALOGUE, providers={"corp": template}), {"corp": held}).providers["corp"]
    assert (corp.base_url, corp.headers, corp.tls, corp.template) == (base_url, headers, tls, "")


@each(
    ("reason", "by", "then", "seconds", "text"),
    [
        ("expired", None, "usual", 1800, "has ended after 30 minutes; the usual key is used again."),
        ("expired", None, "none", 60, "has ended after 1 minute; there is no other key for it here."),
        ("expired", None, "another", 90, "has ended after 1.5 minutes; another temporary key is used now."),
        ("expired", None, "keyless", 1, "has ended after 1 second; it is asked without a key again."),
        ("expired", None, "unaffected", 1.2, "has ended after 1.2 seconds; nothing changes here."),
        ("expired", None, "usual", 86400, "has ended after 1440 minutes; the usual key is used again."),
        ("cleared", "vscode", "usual", 60, "was ended by vscode; the usual key is used again."),
        ("cleared", "you", "unaffected", 60, "was ended by you; nothing changes here."),
    ],
)
def test_its_end_in_words(reason: Reason, by: str | None, then: Then, seconds: float, text: str) -> None:
    assert words(session(seconds=seconds), reason, by, then) == f"The temporary key for Corp {text}"
