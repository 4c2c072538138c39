"""When an account's token is used and when it is renewed; and that no rotated refresh token is ever sent twice."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.core.oauth import OAuth
from pointsman.core.refresh import (
    AFTER,
    FIRST,
    HARDEST,
    IN_ALL,
    LONGEST_ASKED,
    LONGEST_REST,
    REST,
    SOFTEST,
    SURE,
    TABLE,
    TRIES,
    Access,
    Do,
    Effort,
    Outcome,
    Standing,
    again,
    begun,
    refused,
    rest,
    settled,
    standing,
    worth,
)
from pointsman.core.secret import Secret
from pointsman.core.stored import Tokens
from tests.each import each

NOW = 1_000_000.0
PLAIN = OAuth(client_id="c", token_url="https://auth.example/token")  # noqa: S106 - an address
FOREVER = OAuth(client_id="c", token_url=PLAIN.token_url, rotates=False)
GRACE = OAuth(client_id="c", token_url=PLAIN.token_url, grace=30)
ASKABLE = OAuth(client_id="c", token_url=PLAIN.token_url, introspect_url="https://auth.example/ask")
ASTRAY = OAuth(client_id="c", token_url=PLAIN.token_url, introspect_url="https://other.example/ask")


def tokens(lifetime: float | None = 3600.0, obtained: float = NOW, begun_at: float | None = None) -> Tokens:
    return Tokens(
        access=Secret("not-a-real-access-token"),
        refresh=Secret("not-a-real-refresh-token"),
        expires_at=None if lifetime is None else obtained + lifetime,
        obtained_at=obtained,
        token_origin="https://auth.example:443",  # noqa: S106 - an address
        refresh_begun_at=begun_at,
    )


def test_the_tables_have_a_row_for_all_that_can_happen() -> None:
    assert set(TABLE) == set(get_args(Access))
    assert all(set(row) == set(get_args(Standing)) for row in TABLE.values())
    assert set(FIRST) == set(get_args(Standing))
    assert set(AFTER) == set(get_args(Outcome))
    assert set(FIRST.values()) | set(AFTER.values()) == set(get_args(Do))


@each(("access", "standing"), [*product(get_args(Access), get_args(Standing))])
def test_only_a_token_that_is_over_keeps_anybody_out(access: Access, standing: Standing) -> None:
    assert (TABLE[access][standing] == "sign in") == (access == "spent" and standing == "gone")
    assert (TABLE[access][standing] == "wait") <= (access in {"closing", "spent"})


@each(
    ("lifetime", "after", "meaning"),
    [
        (3600, 0, "holds"),
        (3600, 3600 - SOFTEST - 1, "holds"),
        (3600, 3600 - SOFTEST, "ageing"),
        (3600, 3600 - HARDEST - 1, "ageing"),
        (3600, 3600 - HARDEST, "closing"),
        (3600, 3599.9, "closing"),
        (3600, 3600, "spent"),
        (3600, 30 * 86400, "spent"),
        (4, 0, "holds"),
        (60, 39, "holds"),
        (60, 40, "ageing"),
        (60, 53, "ageing"),
        (60, 54, "closing"),
        (4, 2.6, "holds"),
        (4, 2.7, "ageing"),
        (4, 2.9, "ageing"),
        (4, 3, "closing"),
        (4, 4, "spent"),
        (2, 1.3, "holds"),
        (2, 1.4, "ageing"),
        (2, 1.5, "closing"),
        (3600, -0.1, "closing"),
        (3600, -86400, "closing"),
        (0, 0, "spent"),
        (None, 0, "holds"),
        (None, 10 * 365 * 86400, "holds"),
        (None, -86400, "holds"),
    ],
)
def test_what_a_token_is_worth(lifetime: float | None, after: float, meaning: Access) -> None:
    assert worth(tokens(lifetime), NOW + after) == meaning


@each(
    ("lifetime", "after", "meaning"),
    [
        (3600, 0, "holds"),
        (3600, 9.9, "holds"),
        (3600, 10, "spent"),
        (3600, -1, "spent"),
        (4, 0.3, "holds"),
        (4, 0.5, "spent"),
        (None, 9.9, "holds"),
        (None, 10, "spent"),
        (0, 0, "spent"),
    ],
)
def test_a_token_that_is_turned_down_is_spent_unless_it_is_new(
    lifetime: float | None, after: float, meaning: Access
) -> None:
    assert worth(tokens(lifetime), NOW + after, refused=True) == meaning


@each(
    ("oauth", "begun_at", "meaning"),
    [
        (PLAIN, None, "ready"),
        (PLAIN, NOW - 1, "lost"),
        (PLAIN, NOW + 1, "lost"),
        (FOREVER, NOW - 1, "again"),
        (FOREVER, NOW - 1e6, "again"),
        (GRACE, NOW, "again"),
        (GRACE, NOW - 29, "again"),
        (GRACE, NOW - 30, "lost"),
        (GRACE, NOW + 1, "lost"),
        (ASKABLE, NOW - 1, "ask"),
        (ASTRAY, NOW - 1, "lost"),
    ],
)
def test_how_a_refresh_token_stands(oauth: OAuth, begun_at: float | None, meaning: Standing) -> None:
    assert standing(tokens(begun_at=begun_at), oauth, NOW) == meaning
    assert standing(replace(tokens(begun_at=begun_at), refresh=None), oauth, NOW) == "gone"
    assert standing(refused(tokens(begun_at=begun_at), "because"), oauth, NOW) == "gone"


def test_the_first_doubt_counts() -> None:
    sure, doubted = tokens(), tokens(begun_at=NOW - 5)
    assert begun(sure, NOW).refresh_begun_at == NOW
    assert begun(doubted, NOW).refresh_begun_at == NOW - 5
    assert settled(sure, "overloaded") == sure
    assert settled(doubted, "overloaded") == doubted
    assert settled(doubted, "still holds") == sure


def test_a_refusal_deletes_nothing() -> None:
    before = tokens(begun_at=NOW)
    after = refused(before, "invalid_grant")
    assert (after.access, after.refresh, after.refused) == (before.access, before.refresh, "invalid_grant")
    assert after.refresh_begun_at is None


@each(
    ("outcome", "effort", "asked", "wait"),
    [
        ("overloaded", Effort(1, 0.1), None, 0.5),
        ("overloaded", Effort(2, 0.1), None, 1.0),
        ("overloaded", Effort(2, 0.1), 3.0, 3.0),
        ("overloaded", Effort(1, 0.1), LONGEST_ASKED, LONGEST_ASKED),
        ("overloaded", Effort(1, 0.1), LONGEST_ASKED + 1, None),
        ("overloaded", Effort(TRIES, 0.1), None, None),
        ("not sent", Effort(1, IN_ALL - 1.6), None, 0.5),
        ("not sent", Effort(1, IN_ALL - 1.4), None, None),
        ("unanswered", Effort(1, 20.0), None, 0.5),
        ("still holds", Effort(1, 0.1), None, 0.0),
    ],
)
def test_a_refresh_is_bounded(outcome: Outcome, effort: Effort, asked: float | None, wait: float | None) -> None:
    assert again(outcome, "again", effort, asked) == wait
    assert effort.left == IN_ALL - effort.seconds


def test_jitter_only_shortens() -> None:
    assert again("overloaded", "ready", Effort(1), None, 0.0) == 0.25
    assert again("overloaded", "ready", Effort(1), 2.0, 0.0) == 2.0


@each("stands", ["ask", "lost", "gone"])
def test_what_is_not_sent_again_is_not_waited_for(stands: Standing) -> None:
    assert again("unanswered", stands, Effort(TRIES, IN_ALL), 1e9) == 0.0


@each(("asked", "seconds"), [(None, REST), (0.0, REST), (7.0, 7.0), (1e9, LONGEST_REST)])
def test_an_endpoint_that_failed_is_left_alone_for_a_while(asked: float | None, seconds: float) -> None:
    assert rest(asked) == seconds


# A provider that rotates, and whatever can go wrong on the way there and back.

BEFORE: dict[str, Outcome | None] = {
    "refused": "refused",
    "declined": "declined",
    "overloaded": "overloaded",
    "not sent": "not sent",
    "lost before": "unanswered",
    "killed before": None,
}
AFTERWARDS: dict[str, Outcome | None] = {"ok": "ok", "lost after": "unanswered", "killed after": None}
FATES = [*BEFORE, *AFTERWARDS]


@dataclass
class World:
    """A provider with one refresh token that holds, and what it has seen of ours."""

    oauth: OAuth
    held: Tokens  # what is durable
    now: float = NOW
    generation: int = 0
    rotated_at: float | None = None
    reused: bool = False

    def send(self, fate: str) -> Outcome | None:
        """One try; None when the daemon is killed in it."""
        assert self.held.refresh
        assert self.held.refresh_begun_at is not None
        if fate not in {"ok", "lost after", "killed after"}:
            return BEFORE[fate]
        own = int(self.held.refresh.reveal().split("-")[-1])
        if own != self.generation:
            in_grace = self.rotated_at is not None and self.now - self.rotated_at < self.oauth.grace
            self.reused |= not in_grace
            if not in_grace:
                return "refused"
        elif self.oauth.rotates:
            self.generation, self.rotated_at = own + 1, self.now
        return AFTERWARDS[fate]

    def renew(self, fates: list[str], told: list[bool | None]) -> None:
        """One refresh with all its tries, as the daemon does it, until it ends or the daemon is killed."""
        tries = 0
        for _ in range(20):
            match FIRST[standing(self.held, self.oauth, self.now)]:
                case "send":
                    before, self.held = self.held, begun(self.held, self.now)
                    outcome = self.send(fates.pop() if fates else "ok")
                    tries += 1
                    if outcome is None:
                        return
                case "ask":
                    assert self.held.refresh
                    before, answer = self.held, told.pop() if told else True
                    holds = answer and self.held.refresh.reveal().endswith(f"-{self.generation}")
                    outcome = "can't tell" if answer is None else "still holds" if holds else "holds no more"
                case do:
                    self.held = refused(self.held, "lost") if do == "refuse" else self.held
                    return
            if outcome in SURE:
                self.held = settled(before, outcome)
            match AFTER[outcome]:
                case "keep":
                    new = Secret(f"not-a-real-refresh-{self.generation}")
                    self.held = replace(self.held, refresh=new, refresh_begun_at=None, obtained_at=self.now)
                    return
                case "refuse":
                    self.held = refused(self.held, "refused")
                    return
                case "give up":
                    return
            wait = again(outcome, standing(self.held, self.oauth, self.now), Effort(tries))
            if wait is None:
                return
            self.now += wait
        raise AssertionError("a refresh goes on for ever")


RENEWALS = st.lists(
    st.tuples(
        st.lists(st.sampled_from(FATES), max_size=4),
        st.lists(st.sampled_from((True, False, None)), max_size=3),
        st.floats(0, 100),
    ),
    max_size=12,
)


@settings(max_examples=500)
@given(st.sampled_from((PLAIN, FOREVER, GRACE, ASKABLE, ASTRAY)), RENEWALS)
def test_no_rotated_refresh_token_is_sent_twice(
    oauth: OAuth, renewals: list[tuple[list[str], list[bool | None], float]]
) -> None:
    world = World(oauth, replace(tokens(), refresh=Secret("not-a-real-refresh-0")))
    for fates, told, pause in renewals:
        world.renew(list(fates), list(told))
        world.now += pause
        assert not world.reused
        assert world.held.refresh is not None


def test_the_world_of_this_test_notices_a_second_time() -> None:
    world = World(PLAIN, replace(tokens(), refresh=Secret("not-a-real-refresh-0")))
    world.renew(["lost after"], [])
    assert (world.generation, world.held.refused) == (1, "lost")
    world.held = begun(tokens(), NOW)
    world.held = replace(world.held, refresh=Secret("not-a-real-refresh-0"))
    assert world.send("ok") == "refused"
    assert world.reused
