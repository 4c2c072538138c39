"""Who is connected: windows that are nobody else's, who is told, and who is hung up on; and tasks that are not lost."""

from __future__ import annotations

import asyncio
import gc
import logging
import re
import weakref

import pytest

from pointsman.core.environment import Environment
from pointsman.core.selection import Author, Place
from pointsman.service.clients import Client, Clients
from pointsman.service.clock import now
from pointsman.service.tasks import Tasks
from tests.service.bench import Ear, heard, join


def greeted(clients: Clients) -> Client:
    """A connection that has said hello, and no more."""
    return clients.join("0", "/", Environment(), Ear())


async def test_a_client_gets_the_window_it_asks_for() -> None:
    clients = Clients()
    client = greeted(clients)
    assert clients.assign_window(client, "w1")
    assert (client.window, client.gave_window) == ("w1", True)
    assert client.place == Place("w1", None)
    assert client.author == Author("unknown client", "w1")


async def test_a_window_that_is_live_elsewhere_is_not_given_again() -> None:
    clients = Clients()
    first, second = greeted(clients), greeted(clients)
    clients.assign_window(first, "w1")
    assert not clients.assign_window(second, "w1")
    assert second.window not in {None, "w1"}
    clients.leave(first)
    third = greeted(clients)
    assert clients.assign_window(third, "w1")
    assert third.window == "w1"


async def test_who_asks_for_no_window_gets_one_and_has_no_wish_denied() -> None:
    clients = Clients()
    greeted(clients)
    one, two = greeted(clients), greeted(clients)
    assert clients.assign_window(one, None)
    assert clients.assign_window(two, None)
    assert one.window
    assert two.window
    assert one.window != two.window
    assert not one.gave_window
    assert one.author == Author("unknown client", None)


async def test_connections_are_numbered_and_counted() -> None:
    clients = Clients()
    one, two = greeted(clients), greeted(clients)
    assert two.number > one.number
    assert (len(clients), list(clients)) == (2, [one, two])
    clients.leave(one)
    clients.leave(one)
    assert list(clients) == [two]
    assert greeted(clients).number > two.number


async def test_each_is_told_its_own_and_who_is_not_ready_is_not_told() -> None:
    clients = Clients()
    one, two, unready = join(clients), join(clients), greeted(clients)
    clients.tell_all(lambda client: client.number if client is not two else None)
    assert (heard(one), heard(two), heard(unready)) == ([one.number], [], [])


async def test_one_that_leaves_while_all_are_told_harms_nobody() -> None:
    clients = Clients()
    one, two = join(clients), join(clients)

    def make(client: Client) -> int:
        clients.leave(one)
        return client.number

    clients.tell_all(make)
    assert heard(two) == [two.number]


async def test_closing_hangs_up_on_all_and_waits_for_them() -> None:
    clients = Clients()
    one, two = join(clients), join(clients)
    closing = asyncio.get_running_loop().create_task(clients.close(60))
    await asyncio.sleep(0)
    assert all(isinstance(client.line, Ear) and client.line.hung_up for client in (one, two))
    clients.leave(one)
    for _ in range(10):
        await asyncio.sleep(0)
    assert not closing.done()
    clients.leave(two)
    await asyncio.wait_for(closing, 10)


async def test_closing_does_not_wait_for_ever() -> None:
    clients = Clients()
    join(clients)
    await asyncio.wait_for(clients.close(0.01), 10)
    await asyncio.wait_for(Clients().close(60), 10)


def test_the_time_of_day_as_the_protocol_writes_it() -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", now())


# Tasks


async def test_tasks_are_waited_for_and_then_cancelled() -> None:
    tasks, done, never = Tasks(), asyncio.Event(), asyncio.Event()
    quick, slow = tasks.spawn(done.wait(), "quick"), tasks.spawn(never.wait(), "slow")
    done.set()
    await tasks.wait(0.02)
    assert (quick.done(), slow.done()) == (True, False)
    await tasks.close()
    assert slow.cancelled()
    await tasks.wait(10)
    await tasks.close()


async def test_a_task_that_has_ended_is_let_go() -> None:
    tasks = Tasks()
    ended = weakref.ref(tasks.spawn(asyncio.sleep(0), "short"))
    await tasks.wait(10)
    await asyncio.sleep(0)
    gc.collect()
    assert ended() is None


async def test_what_a_task_raises_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        raise KeyError("lost")

    tasks = Tasks()
    with caplog.at_level(logging.ERROR):
        tasks.spawn(work(), "the work")
        await tasks.wait(10)
        await asyncio.sleep(0)
    assert "task the work failed" in caplog.text
    assert "KeyError" in caplog.text
