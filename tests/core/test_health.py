"""Health: what is held against whom, for how long, and that nothing is left alone for ever."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from pointsman.core.errors import (
    BadReply,
    BadRequest,
    ConfigError,
    ConnectFailed,
    Interrupted,
    InvalidKey,
    ModelNotFound,
    NotAllowed,
    Overloaded,
    PluginFailed,
    PointsmanError,
    QuotaExhausted,
    RateLimited,
    TimedOut,
)
from pointsman.core.health import (
    BLAME,
    LONGEST_FLOOR,
    LONGEST_WINDOW,
    NOBODY,
    PROBE,
    REFUSED,
    SET_BACK,
    Mark,
    Subject,
    emptied,
    failed,
    floor,
    free_from,
    obstacle,
    probed,
    released,
    sound,
    subject,
    subjects,
    verdict,
    wanted,
    words,
)
from tests.each import each

NOW = 1_790_000_000.0
WHO = ("p", "a", "m")
SLOW = BLAME[RateLimited][1]
ALL_OF_IT: dict[type[PointsmanError], Subject] = {
    QuotaExhausted: ("p", "a", ""),
    RateLimited: ("p", "a", "m"),
    ConnectFailed: ("p", "", ""),
    Overloaded: ("p", "", "m"),
    BadReply: ("p", "", "m"),
    Interrupted: ("p", "", "m"),
    TimedOut: ("p", "", "m"),
}


def after(error: PointsmanError, times: int = 1, now: float = NOW, jitter: float = 0.0) -> Mark:
    """The mark after the same failure so many times at one moment."""
    found = subject(error, *WHO)
    assert found is not None
    mark: Mark | None = None
    for _ in range(times):
        mark = failed(mark, error, found[1], now, jitter)
    assert mark is not None
    return mark


@each(("kind", "held_against"), ALL_OF_IT.items())
def test_a_failure_is_held_against_what_it_says_something_about(
    kind: type[PointsmanError], held_against: Subject
) -> None:
    found = subject(kind("It failed."), *WHO)
    assert found is not None
    assert found[0] == held_against
    assert held_against in subjects(*WHO)


def test_a_refused_key_is_out_for_all_models_and_a_refused_model_for_itself() -> None:
    assert subject(InvalidKey("No.", status_code=401), *WHO)[0] == ("p", "a", "")  # type: ignore[index]
    assert subject(InvalidKey("No.", status_code=403), *WHO)[0] == ("p", "a", "m")  # type: ignore[index]
    assert subject(NotAllowed("No.", status_code=403), *WHO)[0] == ("p", "a", "m")  # type: ignore[index]
    assert subject(InvalidKey("No.", status_code=401), "p", NOBODY, "m")[0] == ("p", NOBODY, "m")  # type: ignore[index]


@each("kind", [Overloaded, ConnectFailed, BadReply, InvalidKey])
def test_what_concerns_the_account_alone_is_held_against_it(kind: type[PointsmanError]) -> None:
    error = kind("Its token could not be renewed.")
    error.of_account = True
    assert subject(error, *WHO) == (("p", "a", ""), subject(kind("It failed."), *WHO)[1])  # type: ignore[index]
    assert subject(error, "p", NOBODY, "m") == subject(kind("It failed."), "p", NOBODY, "m")


@each("kind", [BadRequest, ModelNotFound, PluginFailed, ConfigError])
def test_what_says_nothing_about_who_was_asked_is_held_against_nobody(kind: type[PointsmanError]) -> None:
    assert subject(kind("It failed."), *WHO) is None


def test_trouble_counts_three_times_in_a_row() -> None:
    assert [verdict(after(Overloaded("Full."), times), NOW) for times in (1, 2, 3)] == ["free", "free", "blocked"]
    mixed = failed(after(Overloaded("Full."), 2), TimedOut("Slow."), subject(TimedOut("Slow."), *WHO)[1], NOW)  # type: ignore[index]
    assert (mixed.failures, verdict(mixed, NOW)) == (1, "free")


def test_a_wait_that_was_asked_for_is_kept_to_the_second_and_no_longer() -> None:
    mark = after(RateLimited("Slow down.", retry_after=30), 5)
    assert verdict(mark, NOW + 29.99) == "blocked"
    assert verdict(mark, NOW + 30) == "free"
    assert free_from(mark, NOW) == NOW + 30


def test_a_spent_quota_is_tried_early_whatever_date_was_told() -> None:
    error = QuotaExhausted("Spent.", retry_after=2 * 86400)
    assert probes(error, 9) == [10, 20, 40, 80, 160, 320, 640, 1280, 1800]
    assert probes(QuotaExhausted("Spent.", resets_at=rfc3339(NOW + 25)), 2) == [10, 15], "the date is the latest"


def rfc3339(at: float) -> str:
    """A time as errors tell it."""
    return datetime.fromtimestamp(at, UTC).isoformat()


@each("kind", [*ALL_OF_IT, InvalidKey])
@each("seconds", [0.5, 5, 41, 1800, 3600])
def test_a_wait_that_was_asked_for_is_a_floor_whatever_else_was_said(
    kind: type[PointsmanError], seconds: float
) -> None:
    mark = after(kind("No.", retry_after=seconds, status_code=401))
    assert [verdict(mark, NOW + at) for at in (0, seconds - 0.01)] == ["blocked", "blocked"]
    assert (floor(mark, NOW), wanted(mark, NOW)) == (NOW + seconds, NOW + seconds)
    doubt = kind in {QuotaExhausted, InvalidKey}
    assert verdict(mark, NOW + seconds) == ("probe" if doubt else "free")
    assert (floor(mark, NOW + seconds), wanted(mark, NOW + seconds)) == (None, None)


DAY, TWO_DAYS = 86400, 2 * 86400


@each(
    ("error", "until", "told", "ceiling"),
    [
        (RateLimited("Slow.", retry_after=7200), 7200, True, None),
        (Overloaded("Full.", retry_after=DAY), DAY, True, None),
        (Overloaded("Full.", retry_after=DAY + 1), 10, False, DAY + 1),
        (RateLimited("Slow.", retry_after=TWO_DAYS), 10, False, TWO_DAYS),
        (InvalidKey("No.", retry_after=TWO_DAYS), 10, False, TWO_DAYS),
        (QuotaExhausted("Spent.", retry_after=3601), 10, False, 3601),
        (QuotaExhausted("Spent.", retry_after=18, resets_at=rfc3339(NOW + DAY)), 18, True, DAY),
        (QuotaExhausted("Spent.", retry_after=18, resets_at=rfc3339(NOW + 18)), 18, True, None),
        (QuotaExhausted("Spent.", retry_after=7200, resets_at=rfc3339(NOW + DAY)), 10, False, DAY),
        (QuotaExhausted("Spent.", resets_at=rfc3339(NOW + 18)), 10, False, 18),
        (QuotaExhausted("Spent.", resets_at=rfc3339(NOW + 8)), 8, False, 8),
        (QuotaExhausted("Spent.", resets_at="tomorrow"), 10, False, None),
        (RateLimited("Slow.", resets_at=rfc3339(NOW + 18)), 18, True, None),
        (RateLimited("Slow.", resets_at=rfc3339(NOW - 18)), 1, False, None),
        (RateLimited("Slow.", retry_after=0), 1, False, None),
    ],
)
def test_a_wait_is_a_floor_and_a_date_or_what_is_too_far_away_a_ceiling(
    error: PointsmanError, until: float, told: bool, ceiling: float | None
) -> None:
    mark = after(error)
    at = None if ceiling is None else NOW + ceiling
    assert (mark.until - NOW, mark.told, mark.ceiling) == (until, told, at)
    assert wanted(mark, NOW) == (mark.until if told else at)
    assert wanted(mark, NOW + (until if told else ceiling or 0)) is None


def test_what_comes_later_does_not_undercut_a_floor_and_tells_a_date() -> None:
    spent, policy = QuotaExhausted("Spent."), BLAME[QuotaExhausted][1]
    dated = failed(after(spent), QuotaExhausted("Spent.", retry_after=7200), policy, NOW + 1)
    assert (dated.until, dated.ceiling, dated.failures) == (NOW + 10, NOW + 7201, 1)
    assert failed(dated, spent, policy, NOW + 2) == dated
    slow = after(RateLimited("Slow.", retry_after=30))
    over = failed(slow, QuotaExhausted("Spent.", retry_after=86400), policy, NOW + 1)
    assert (over.code, over.until, over.told) == ("QuotaExhausted", NOW + 30, True)
    refused = failed(slow, InvalidKey("No."), REFUSED, NOW + 1)
    assert refused == slow, "it was asked before that was known"
    quick = failed(after(RateLimited("Slow.")), spent, policy, NOW)
    assert (quick.code, quick.until) == ("QuotaExhausted", NOW + 10)


def test_a_quota_for_a_day_may_be_that_of_one_model() -> None:
    spent = QuotaExhausted("Spent.")
    assert subject(spent, *WHO)[0] == ("p", "a", "")  # type: ignore[index]
    spent.of_model = True
    assert subject(spent, *WHO)[0] == ("p", "a", "m")  # type: ignore[index]


def probes(error: PointsmanError, times: int) -> list[float]:
    """Seconds until it is asked again, each time it fails again when it is asked."""
    waits, mark, now, policy = list[float](), None, NOW, subject(error, *WHO)[1]  # type: ignore[index]
    for _ in range(times):
        mark = failed(mark, error, policy, now)
        waits.append(mark.until - now)
        now = mark.until
    return waits


def test_of_many_that_fail_at_once_one_counts() -> None:
    error, early = QuotaExhausted("Spent."), after(QuotaExhausted("Spent."))
    assert after(error, 200) == early
    asking = probed(early, NOW + 1)
    again = failed(asking, error, subject(error, *WHO)[1], NOW + 1)  # type: ignore[index]
    assert again == early, "it was asked all the same, and may be again"
    told = failed(after(RateLimited("Slow.")), RateLimited("Slow.", retry_after=30), SLOW, NOW)
    assert (told.until, told.told) == (NOW + 30, True), "what a provider says is heard at any time"
    assert failed(told, RateLimited("Slow.", retry_after=5), SLOW, NOW + 1).until == NOW + 30
    assert failed(told, RateLimited("Slow."), SLOW, NOW + 1).until == NOW + 30


def test_what_the_provider_wants_is_a_floor_and_what_we_think_is_none() -> None:
    told = after(RateLimited("Slow down.", retry_after=30))
    assert [floor(told, NOW), floor(told, NOW + 30), floor(None, NOW)] == [NOW + 30, None, None]
    assert floor(after(QuotaExhausted("Spent.", retry_after=7200)), NOW) is None
    assert wanted(after(QuotaExhausted("Spent.", retry_after=7200)), NOW) == NOW + 7200
    assert wanted(after(QuotaExhausted("Spent.")), NOW) is None
    assert wanted(after(Overloaded("Full.")), NOW) is None
    assert wanted(None, NOW) is None
    for back in (SET_BACK + 1, 2 * LONGEST_FLOOR):
        assert floor(told, NOW - back) is None, "of a clock that was set back"
        assert wanted(told, NOW - back) is None


FIRST = after(Overloaded("Full."), 3)
SAID = {
    "cooling until 30 (RateLimited)": (after(RateLimited("Slow.", retry_after=30)), 0),
    "cooling until 1 (RateLimited)": (after(RateLimited("Slow.")), 0),
    "cooling until 9 (Overloaded)": (after(Overloaded("Full.", retry_after=9)), 0),
    "breaker open until 30 (Overloaded)": (FIRST, 0),
    "breaker open (Overloaded), it may be asked now": (FIRST, 30),
    "breaker open (Overloaded), another chat asks it now, the next may at 150": (probed(FIRST, NOW + 30), 30),
    "quota spent, tried again at 10": (after(QuotaExhausted("Spent.")), 0),
    "quota spent, tried again at 18": (after(QuotaExhausted("Spent.", retry_after=18)), 0),
    "quota spent, resets 7200, tried again at 10": (after(QuotaExhausted("Spent.", retry_after=7200)), 0),
    "quota spent, it may be asked now": (after(QuotaExhausted("Spent.", retry_after=200)), 201),
    "not allowed for this account, tried again at 60": (after(NotAllowed("No.", status_code=403)), 0),
    "key refused, tried again at 60": (after(InvalidKey("No.", status_code=401)), 0),
}


@each("said", SAID)
def test_a_reason_in_words(said: str) -> None:
    mark, later = SAID[said]
    assert words(mark, NOW + later, lambda at: f"{at - NOW:g}") == said


def test_a_clock_that_was_set_back_leaves_nothing_for_later() -> None:
    mark = after(RateLimited("Slow.", retry_after=30))
    asking = probed(FIRST, NOW + 31)
    marks = {("p", "a", "m"): mark, ("p", "", "m"): asking}
    assert sound(marks, NOW + 31) == marks
    assert sound(marks, NOW - 100) == {("p", "a", "m"): mark, ("p", "", "m"): released(asking)}
    assert sound(marks, NOW - SET_BACK - 1) == {}


def test_a_date_far_away_is_no_floor() -> None:
    mark = after(RateLimited("Slow down.", retry_after=LONGEST_FLOOR + 1))
    assert (mark.until, mark.ceiling) == (NOW + 10, NOW + LONGEST_FLOOR + 1), "nor hammered"
    for error in (RateLimited, Overloaded, InvalidKey):
        assert probes(error("No.", retry_after=2 * 86400, status_code=401), 3) == [10, 20, 40]


def test_an_empty_window_is_no_wait_that_was_asked_for() -> None:
    mark = emptied(NOW, 6)
    assert [verdict(mark, NOW + seconds) for seconds in (0, 5.9, 6)] == ["blocked", "blocked", "probe"]
    assert floor(mark, NOW) is None
    assert emptied(NOW, 1e6).until == NOW + LONGEST_WINDOW


def test_jitter_only_shortens() -> None:
    assert after(Overloaded("Full."), 3, jitter=1.0).until == NOW + 24


def test_one_chat_asks_for_all_and_not_for_ever() -> None:
    mark = after(Overloaded("Full."), 3)
    late = NOW + 30
    assert verdict(mark, late) == "probe"
    asking = probed(mark, late)
    assert verdict(asking, late) == "blocked"
    assert free_from(asking, late) == late + PROBE
    assert verdict(asking, late + PROBE) == "probe"


@each("back", [3_700.0, 86_400.0])
def test_a_clock_that_was_set_back_blocks_nobody(back: float) -> None:
    mark = probed(after(QuotaExhausted("Spent.")), NOW)
    assert verdict(mark, NOW - back) == "probe"


def test_the_longest_obstacle_is_told() -> None:
    limited, spent = after(RateLimited("Slow.", retry_after=5)), after(QuotaExhausted("Spent."))
    marks = {("p", "a", "m"): limited, ("p", "a", ""): spent, ("p", "", ""): after(ConnectFailed("Gone."))}
    assert obstacle(marks, *WHO, NOW) == (("p", "a", ""), spent)
    marks["p", "a", "m"] = after(RateLimited("Slow.", retry_after=50))
    assert obstacle(marks, *WHO, NOW) == (("p", "a", "m"), marks["p", "a", "m"])
    assert obstacle(marks, *WHO, NOW + 50) is None
    assert obstacle({("p", "a", ""): spent, ("p", "a", "m"): limited}, *WHO, NOW) == (("p", "a", ""), spent)


ERRORS = st.sampled_from([*ALL_OF_IT, InvalidKey]).flatmap(
    lambda kind: st.builds(
        kind,
        st.just("It failed."),
        status_code=st.sampled_from([401, 403, None]),
        retry_after=st.none() | st.floats(0, 10 * 86400),
        resets_at=st.none() | st.floats(-86400, 10 * 86400).map(lambda seconds: rfc3339(NOW + seconds)),
    )
)


class Life(RuleBasedStateMachine):
    """Two accounts of one model are asked whenever they may be, and fail or answer."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.marks: dict[Subject, Mark] = {}
        self.blocked_since: dict[str, float] = {}

    @rule(account=st.sampled_from("ab"), error=st.none() | ERRORS)
    def ask(self, account: str, error: PointsmanError | None) -> None:
        """Asks if nothing is in the way; an error sets a mark, an answer clears all."""
        who = ("p", account, "m")
        if obstacle(self.marks, *who, self.now):
            return
        for key in subjects(*who):
            if key in self.marks and verdict(self.marks[key], self.now) == "probe":
                self.marks[key] = probed(self.marks[key], self.now)
        if error is None:
            for key in subjects(*who):
                self.marks.pop(key, None)
        elif found := subject(error, *who):
            self.marks[found[0]] = failed(self.marks.get(found[0]), error, found[1], self.now)

    @rule(seconds=st.floats(0, 7200))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds

    @precondition(lambda self: self.now > NOW - 86400)
    @rule(seconds=st.floats(0, 86400))
    def set_back(self, seconds: float) -> None:
        """Somebody sets the clock back."""
        self.now -= seconds
        self.marks = sound(self.marks, self.now)

    @invariant()
    def everybody_is_asked_again(self) -> None:
        """Within the longest wait there is, whatever has happened."""
        for account in "ab":
            moments = [self.now, self.now + PROBE, self.now + LONGEST_FLOOR, self.now + LONGEST_FLOOR + PROBE]
            assert None in [obstacle(self.marks, "p", account, "m", moment) for moment in moments]


@pytest.mark.hypothesis
def test_everybody_is_asked_again() -> None:
    run_state_machine_as_test(Life, settings=settings(max_examples=60, deadline=None))
