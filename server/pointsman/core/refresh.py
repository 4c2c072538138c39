"""When an account's token is used, when it is renewed, and when only a new sign-in helps: the decisions, as tables.

Must never know a clock, a store or a request. Times are Unix seconds, as in `Tokens`.

A refresh token that rotates is worth one refresh: who sends it a second time is taken for a thief, and the provider
ends the whole sign-in (RFC 9700 §4.14.2). So what counts is not whether an answer came, but whether it is *sure* that
none was given: that is the standing of the refresh token.

    standing   the refresh token …
    --------   --------------------------------------------------------------------------------------------
    ready      may be sent
    again      was sent, no answer came, and it may be sent once more: it does not rotate, or has its grace
    ask        was sent, no answer came; the provider can be asked whether it still holds (RFC 7662)
    lost       was sent, no answer came, and nobody can say what has become of it
    gone       there is none, or the provider has refused it

What a chat does, by what its access token is worth (`TABLE`):

    access       ready    again    ask      lost     gone
    -------      ------   ------   ------   ------   -------
    holds        use      ahead    use      use      use
    ageing       ahead    ahead    ahead    ahead    use
    closing      wait     wait     wait     wait     use
    spent        wait     wait     wait     wait     sign in

`ahead` uses the token and renews it behind the chat's back. A chat that waits in vain still uses a token that is not
`spent`. What follows on each outcome of an attempt says `AFTER`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from pointsman.core.http import origin
from pointsman.core.oauth import OAuth
from pointsman.core.stored import Tokens

Access = Literal["holds", "ageing", "closing", "spent"]
Standing = Literal["ready", "again", "ask", "lost", "gone"]
Move = Literal["use", "ahead", "wait", "sign in"]
Outcome = Literal[
    "ok", "refused", "declined", "overloaded", "not sent", "unanswered", "still holds", "holds no more", "can't tell"
]
Do = Literal["send", "ask", "keep", "refuse", "look again", "give up"]

SOFT, SOFTEST = 1 / 3, 300.0
"""A token is renewed ahead in the last third of its life, in the last five minutes of a long one."""
HARD, HARDEST = 1 / 10, 30.0
"""In its last tenth, or its last half a minute, it may be over before the provider looks at it: it is waited for."""
WHOLE, MOST = 1.0, 1 / 4
"""That is a second at least, since many providers count in whole ones; but no more than a quarter of a short life."""
NEW = 10.0
"""Seconds, or a tenth of its life, for which a token is new."""

TRIES = 3
"""How often one refresh is sent at most."""
FIRST_WAIT = 0.5
"""Seconds until the second try; twice that until the third."""
LONGEST_ASKED = 10.0
"""A token endpoint that asks for a longer wait than so many seconds is not waited for; the chat is told."""
IN_ALL = 30.0
"""Seconds that one refresh may take with all its tries and waits."""
LEAST = 1.0
"""A try for which fewer seconds are left than this is not begun."""
REST, LONGEST_REST = 1.0, 300.0
"""Seconds for which a token endpoint that failed is left alone: what it asks for counts between the two, for whoever
is told of it as well, since a new sign-in may help at once.
"""

LOST = "the answer to its last refresh never arrived, and a refresh token can't be sent a second time"
"""Why an account must sign in again whose refresh nobody answered."""
UNUSABLE = "its last refresh was answered with no token that can be used ({}), and can't be sent a second time"
"""The same where something was answered that brings nothing, and may have used the refresh token up."""
ENDED = "its refresh token was used up by a refresh that brought no new one"
"""Why an account must sign in again of which the provider says, when asked, that it holds no more."""

TABLE: dict[Access, dict[Standing, Move]] = {
    "holds": {"ready": "use", "again": "ahead", "ask": "use", "lost": "use", "gone": "use"},
    "ageing": {"ready": "ahead", "again": "ahead", "ask": "ahead", "lost": "ahead", "gone": "use"},
    "closing": {"ready": "wait", "again": "wait", "ask": "wait", "lost": "wait", "gone": "use"},
    "spent": {"ready": "wait", "again": "wait", "ask": "wait", "lost": "wait", "gone": "sign in"},
}

FIRST: dict[Standing, Do] = {"ready": "send", "again": "send", "ask": "ask", "lost": "refuse", "gone": "give up"}
"""What a refresh does next, by the standing at that moment; looked at anew before each try."""

AFTER: dict[Outcome, Do] = {
    "ok": "keep",
    "refused": "refuse",
    "declined": "give up",
    "overloaded": "look again",
    "not sent": "look again",
    "unanswered": "look again",
    "still holds": "look again",
    "holds no more": "refuse",
    "can't tell": "give up",
}
"""What follows on an outcome. `look again` is bounded by `again`, and leads back to `FIRST`.

`refused` is about the refresh token itself, `declined` about anything else in the request; `not sent` surely did not
arrive, `unanswered` may have.
"""

SURE: frozenset[Outcome] = frozenset({"declined", "overloaded", "not sent", "still holds"})
"""Outcomes that say that this try used nothing up."""


def worth(tokens: Tokens, now: float, *, refused: bool = False) -> Access:
    """What the access token is worth now. `refused`: the provider has just turned it down (401).

    One that is turned down when it is new is so for another reason than its age, and the next would be, too. A token
    from the future was obtained before somebody set the clock back: how old it is, nobody knows.
    """
    life = float("inf") if tokens.expires_at is None else tokens.expires_at - tokens.obtained_at
    if refused and not 0 <= now - tokens.obtained_at < min(HARD * life, NEW):
        return "spent"
    if tokens.expires_at is None:
        return "holds"
    left = tokens.expires_at - now
    if left <= 0:
        return "spent"
    if tokens.obtained_at > now or left <= min(max(HARD * life, WHOLE), MOST * life, HARDEST):
        return "closing"
    return "ageing" if left <= min(SOFT * life, SOFTEST) else "holds"


def standing(tokens: Tokens, oauth: OAuth, now: float) -> Standing:
    """What may be done with the refresh token now."""
    if tokens.refresh is None or tokens.refused is not None:
        return "gone"
    since = tokens.refresh_begun_at
    if since is None:
        return "ready"
    if not oauth.rotates or 0 <= now - since < oauth.grace:
        return "again"
    asked = oauth.introspect_url
    return "ask" if asked is not None and origin(asked) == tokens.token_origin else "lost"


def begun(tokens: Tokens, now: float) -> Tokens:
    """The account as it must be durable before its refresh token goes out. The first doubt counts, not the last."""
    return tokens if tokens.refresh_begun_at is not None else replace(tokens, refresh_begun_at=now)


def settled(before: Tokens, outcome: Outcome) -> Tokens:
    """The account after a try that used nothing up, from what it was before that try.

    A doubt that was there before stays, unless the provider has said that the token still holds.
    """
    return replace(before, refresh_begun_at=None) if outcome == "still holds" else before


def refused(tokens: Tokens, why: str) -> Tokens:
    """The account when only a new sign-in helps. Nothing of it is deleted."""
    return replace(tokens, refused=why, refresh_begun_at=None)


@dataclass(frozen=True)
class Effort:
    """How much one refresh has taken so far: tries that were sent, and seconds."""

    tries: int = 0
    seconds: float = 0.0

    @property
    def left(self) -> float:
        """Seconds that the next try may take."""
        return IN_ALL - self.seconds


def again(
    outcome: Outcome, stands: Standing, effort: Effort, asked: float | None = None, jitter: float = 1.0
) -> float | None:
    """Seconds until one looks again, None to give up: too many tries, too long a wait, or no time left.

    Only what would be sent once more is waited for. `asked` is what the endpoint wants to be waited for; `jitter` (0 to
    1) scales the backoff.
    """
    if outcome == "still holds" or FIRST[stands] != "send":
        return 0.0
    backoff: float = FIRST_WAIT * 2 ** (effort.tries - 1) * (0.5 + jitter / 2)
    wait = max(backoff, asked or 0.0)
    given_up = effort.tries >= TRIES or (asked or 0.0) > LONGEST_ASKED or wait + LEAST > effort.left
    return None if given_up else wait


def rest(asked: float | None) -> float:
    """Seconds for which a token endpoint is left alone after a refresh that was given up."""
    return min(max(asked or 0.0, REST), LONGEST_REST)
