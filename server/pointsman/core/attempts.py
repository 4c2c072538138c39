"""The life of one chat as a table of transitions. Must never know a provider, a clock or a socket.

What can help after a failure is said by the error (`remedies`), what is left of it by `Life`, and what is done by
the table, which docs/routing.md shows:

    phase      happening        move
    ---------  ---------------  --------------------------------------------
    quiet      visible          emit, and speak from now on
    quiet      ended            finish
    quiet      retry            the same request again, after a wait
    quiet      key              the next key of the same provider
    quiet      target           the next target of the plan
    quiet      hopeless         fail
    speaking   visible          emit
    speaking   ended            finish
    speaking   continue         the next target goes on from the text so far, and the seam is told
    speaking   any failure      interrupt: nothing is spliced in silence after the first visible event
    seam       visible          emit, and speak from now on
    seam       ended            finish
    seam       retry, key, …    as when quiet: this target has said nothing yet
    seam       hopeless         interrupt: what was said before stands
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from pointsman.core.errors import ContextTooLong, PointsmanError, Remedy

Phase = Literal["quiet", "speaking", "seam"]
Happening = Literal["visible", "ended", "hopeless", "continue"] | Remedy
Move = Literal["emit", "finish", "retry", "key", "target", "continue", "fail", "interrupt"]

TABLE: dict[tuple[Phase, Happening], tuple[Phase, Move]] = {
    ("quiet", "visible"): ("speaking", "emit"),
    ("quiet", "ended"): ("quiet", "finish"),
    ("quiet", "retry"): ("quiet", "retry"),
    ("quiet", "key"): ("quiet", "key"),
    ("quiet", "target"): ("quiet", "target"),
    ("quiet", "hopeless"): ("quiet", "fail"),
    ("speaking", "visible"): ("speaking", "emit"),
    ("speaking", "ended"): ("speaking", "finish"),
    ("speaking", "continue"): ("seam", "continue"),
    ("speaking", "retry"): ("speaking", "interrupt"),
    ("speaking", "key"): ("speaking", "interrupt"),
    ("speaking", "target"): ("speaking", "interrupt"),
    ("speaking", "hopeless"): ("speaking", "interrupt"),
    ("seam", "visible"): ("speaking", "emit"),
    ("seam", "ended"): ("seam", "finish"),
    ("seam", "retry"): ("seam", "retry"),
    ("seam", "key"): ("seam", "key"),
    ("seam", "target"): ("seam", "target"),
    ("seam", "hopeless"): ("seam", "interrupt"),
}

FIRST_WAIT = 0.5
LONGEST_WAIT = 8.0
"""Seconds of backoff, doubling between the two: those of the official OpenAI SDK."""
PATIENCE = 20.0
"""A wait of more seconds than this that a provider asks for is too long for a person."""
IMPATIENCE = 2.0
"""The same while another target could be asked at once."""


@dataclass(frozen=True)
class Life:
    """Where one chat stands: how often the current key was tried, and how many keys and targets are left.

    `free`: one of the targets left could be asked at once. `roomier` are those of them that may take a longer
    conversation than the current one. `continues`: the next target may go on from what a broken one has said.
    """

    phase: Phase = "quiet"
    tries: int = 0
    retries: int = 2
    keys_left: int = 0
    targets_left: int = 0
    free: bool = False
    roomier: int = 0
    continues: bool = False


def step(life: Life, happening: Happening) -> tuple[Life, Move]:
    """The next state and what is to be done."""
    phase, move = TABLE[life.phase, happening]
    match move:
        case "retry":
            return replace(life, phase=phase, tries=life.tries + 1), move
        case "key":
            return replace(life, phase=phase, tries=0, keys_left=life.keys_left - 1), move
        case "target" | "continue":
            return replace(life, phase=phase, tries=0, targets_left=life.targets_left - 1), move
        case _:
            return replace(life, phase=phase), move


def judge(life: Life, error: PointsmanError, *, sent: bool = True) -> Happening:
    """What a failure means here: the first of the error's remedies that is still to be had, else `hopeless`.

    What could not even be sent is no word of a provider's about the request: another target may take it. What is too
    long for a model may go to one that is known to take more.
    """
    patience = IMPATIENCE if life.free else PATIENCE
    left: dict[Remedy, bool] = {
        "retry": life.tries < life.retries and (error.retry_after or 0.0) <= patience,
        "key": life.keys_left > 0,
        "target": life.targets_left > 0,
    }
    remedies: tuple[Remedy, ...] = error.remedies if sent else ("target",)
    if isinstance(error, ContextTooLong) and life.roomier:
        remedies = ("target",)
    if life.phase == "speaking" and life.continues and left["target"] and "target" in remedies:
        return "continue"
    return next((remedy for remedy in remedies if left[remedy]), "hopeless")


def wait(life: Life, error: PointsmanError, jitter: float) -> float:
    """Seconds until the request is sent again: a backoff scaled by `jitter` (0 to 1), never below what is asked."""
    backoff: float = min(FIRST_WAIT * 2**life.tries, LONGEST_WAIT)
    return max(backoff * (0.5 + jitter / 2), error.retry_after or 0.0)
