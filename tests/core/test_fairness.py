"""The gate: limits are kept at every moment, nobody waits behind a greedy client, and nobody is forgotten."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.core.fairness import MINUTE, Gate, Limit, Standing, Ticket
from tests.each import each


def gate(waiting: str, limit: Limit) -> tuple[Gate, list[Ticket]]:
    """A gate before which the clients of these letters wait, each letter one ticket."""
    found = Gate({"all": limit})
    tickets = [Ticket(number, client, ("all", f"client:{client}")) for number, client in enumerate(waiting)]
    for ticket in tickets:
        found.enter(ticket)
    return found, tickets


def served(gate: Gate, now: float = 0.0) -> str:
    """The clients that go at one moment, each ending at once."""
    order = ""
    while ticket := gate.next(now):
        order += ticket.client
        gate.end(ticket)
    return order


def test_clients_take_turns() -> None:
    assert served(gate("aaaabb", Limit(concurrency=1))[0]) == "ababaa"


def test_places_are_told_in_the_order_in_which_they_go() -> None:
    waiting, tickets = gate("aaab", Limit(concurrency=1))
    told = waiting.standings(0.0)
    assert [told[ticket.number].place for ticket in tickets] == [1, 3, 4, 2]
    assert len(waiting) == 4


def test_a_place_is_counted_among_those_that_wait_for_the_same() -> None:
    waiting = Gate({"provider": Limit(concurrency=1)})
    for number, provider in enumerate("xxyyy"):
        waiting.enter(Ticket(number, f"client of {provider}", (f"provider:{provider}", "all")))
    while waiting.next(0.0):
        pass
    assert waiting.standings(0.0) == {
        1: Standing("provider:x", 1, 0.0),
        3: Standing("provider:y", 1, 0.0),
        4: Standing("provider:y", 2, 0.0),
    }


def test_a_client_whose_first_is_held_up_is_served_by_its_next() -> None:
    """Its oldest waits for a provider that is full; that is no reason to let all of another's go first."""
    waiting = Gate({"provider": Limit(concurrency=1)})
    for number, (client, provider) in enumerate([("a", "x"), ("a", "x"), ("a", "y"), *[("b", "y")] * 3]):
        waiting.enter(Ticket(number, client, (f"provider:{provider}",)))
    first, second = waiting.next(0.0), waiting.next(0.0)
    assert first and second
    assert (first.number, second.number) == (0, 3)
    assert waiting.next(0.0) is None
    assert waiting.standings(0.0)[2].place == 1
    waiting.end(second)
    then = waiting.next(0.0)
    assert then
    assert then.number == 2


def test_what_keeps_it_longest_is_told() -> None:
    """One at once, and three a minute: who is fifth knows that a whole minute has to pass."""
    waiting = Gate({"provider": Limit(concurrency=1), "all": Limit(per_minute=3)})
    for number in range(8):
        waiting.enter(Ticket(number, "a", ("provider:x", "all")))
    assert waiting.next(10.0)
    told = waiting.standings(30.0)
    assert [told[number] for number in (1, 2)] == [Standing("provider:x", place, 0.0) for place in (1, 2)]
    assert told[3] == Standing("all", 3, 10.0 + MINUTE - 30.0)
    assert [told[number].wait for number in (4, 5, 6, 7)] == [60.0, 60.0, 100.0, 120.0]


def test_a_minute_may_be_shorter() -> None:
    waiting = Gate({"all": Limit(per_minute=1)}, minute=0.5)
    for number in range(3):
        waiting.enter(Ticket(number, "a", ("all",)))
    assert waiting.next(7.0)
    assert (waiting.next(7.4), waiting.wait(7.4)) == (None, 7.5 - 7.4)
    assert [standing.wait for standing in waiting.standings(7.5).values()] == [0.0, 0.5]
    assert waiting.next(7.5)


def test_each_client_has_a_minute_of_its_own() -> None:
    waiting = Gate({"client": Limit(per_minute=2), "client:b": Limit(per_minute=3)})
    for number, client in enumerate("aaaabbbb"):
        waiting.enter(Ticket(number, client, (f"client:{client}",)))
    assert served(waiting, 0.0) == "ababb"
    assert served(waiting, MINUTE) == "aba"
    assert waiting.limited("all", "client:c")
    assert not waiting.limited("all", "provider:x")


def test_sixty_a_minute_for_each_window_and_six_hundred_in_all() -> None:
    """The figures of the example: one window alone gets its sixty; twelve share the six hundred."""
    waiting = Gate({"client": Limit(per_minute=60), "all": Limit(per_minute=600)})
    for number, client in enumerate("a" * 130 + "".join("bcdefghijkl" * 60)):
        waiting.enter(Ticket(number, client, ("all", f"client:{client}")))
    first = Counter(served(waiting, 100.0))
    assert first.total() == 600
    assert set(first.values()) == {50}
    assert waiting.wait(100.5) == 59.5
    assert max(standing.wait for standing in waiting.standings(100.5).values()) == 119.5
    assert served(waiting, 159.9) == ""
    second = Counter(served(waiting, 160.0))
    assert second == {"a": 60} | dict.fromkeys("bcdefghijkl", 10)
    assert served(waiting, 220.0) == "a" * 20


@each("before", [Limit(), Limit(concurrency=1), Limit(per_minute=9)])
def test_limits_may_change_meanwhile(before: Limit) -> None:
    waiting, _ = gate("aaaaaa", before)
    first = waiting.next(0.0)
    assert first
    waiting.limits = {"all": Limit(concurrency=3, per_minute=2)}
    went = [waiting.next(1.0) for _ in range(3)]
    counted = before.per_minute is not None
    assert [each is not None for each in went] == [True, not counted, False], (
        "what began without a limit is not counted"
    )
    waiting.limits = {}
    assert served(waiting, 1.0) == "a" * (4 if counted else 3)
    waiting.end(first)


def test_those_who_are_gone_are_forgotten() -> None:
    """Each command of the command line is a client of its own; a daemon lives for months."""
    waiting = Gate({"client": Limit(per_minute=5), "all": Limit(concurrency=1)})
    for number in range(1000):
        for more in range(2):
            waiting.enter(Ticket(2 * number + more, f"c{number}", (f"client:{number}", "all")))
        assert served(waiting, number * MINUTE / 2) == f"c{number}" * 2
    kept = [len(kept) for kept in vars(waiting).values() if isinstance(kept, dict)]
    assert max(kept) <= 3, kept


def test_only_so_many_at_once() -> None:
    waiting, _ = gate("aab", Limit(concurrency=2))
    first, second = waiting.next(0.0), waiting.next(0.0)
    assert first and second
    assert (first.client, second.client) == ("a", "b")
    assert waiting.next(0.0) is None
    assert waiting.wait(0.0) is None, "only an end lets the third go"
    waiting.end(first)
    assert waiting.next(0.0)


def test_only_so_many_a_minute() -> None:
    waiting, _ = gate("abc", Limit(per_minute=2))
    assert served(waiting, 10.0) == "ab"
    assert waiting.wait(30.0) == 40.0
    assert not waiting.may_go(Ticket(9, "d", ("all",)), 30.0)
    assert waiting.may_go(Ticket(9, "d", ("another",)), 30.0)
    assert served(waiting, 30.0) == ""
    assert served(waiting, 10.0 + MINUTE) == "c"


def test_who_gives_up_is_not_waited_for() -> None:
    waiting, tickets = gate("ab", Limit(concurrency=1))
    waiting.leave(tickets[0])
    waiting.leave(tickets[0])
    assert len(waiting) == 1
    assert served(waiting) == "b"
    assert waiting.wait(0.0) is None


def test_a_full_provider_does_not_hold_up_another() -> None:
    waiting = Gate({"provider:slow": Limit(concurrency=1)})
    for number, provider in enumerate(("slow", "slow", "quick")):
        waiting.enter(Ticket(number, "a", (f"provider:{provider}",)))
    went = [waiting.next(0.0), waiting.next(0.0), waiting.next(0.0)]
    assert [ticket.number if ticket else None for ticket in went] == [0, 2, None]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xy")), max_size=30),
    st.integers(1, 4),
    st.integers(1, 6),
    st.lists(st.integers(0, 5)),
)
def test_all_go_in_the_end_and_no_limit_is_passed(
    wanted: list[tuple[str, str]], at_once: int, a_minute: int, ends: list[int]
) -> None:
    gate = Gate({"all": Limit(concurrency=at_once), "provider:x": Limit(per_minute=a_minute)})
    for number, (client, provider) in enumerate(wanted):
        gate.enter(Ticket(number, client, ("all", f"provider:{provider}")))
    now, running, done, begun = 0.0, [], 0, Counter[int]()
    dice = iter(ends)
    while done < len(wanted):
        while ticket := gate.next(now):
            running.append(ticket)
            begun[int(now // MINUTE)] += "provider:x" in ticket.scopes
        assert len(running) <= at_once
        if running:
            gate.end(running.pop(next(dice, 0) % len(running)))
            done += 1
        else:
            wait = gate.wait(now)
            assert wait is not None and wait > 0, "somebody must be able to go some day"
            now += wait
    assert len(gate) == 0
