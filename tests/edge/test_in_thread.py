"""Work in a thread: one at a time, for everybody who wants it, and in nobody's way."""

from __future__ import annotations

import asyncio
import threading

import pytest

from pointsman.edge.in_thread import InThread


async def test_it_is_done_once_for_all_who_wait() -> None:
    may_end, begun, one = threading.Event(), list[threading.Thread](), InThread[int]()

    def work() -> int:
        begun.append(threading.current_thread())
        may_end.wait()
        return len(begun)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one.run(work)) for _ in range(3)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        may_end.set()
    assert [task.result() for task in tasks[1:]] == [1, 1]
    assert await one.run(work) == 2
    assert all(thread.daemon for thread in begun), "none keeps the process"


async def test_what_it_raises_comes_out() -> None:
    with pytest.raises(ZeroDivisionError):
        await InThread[float]().run(lambda: 1 / 0)


def test_it_may_outlive_its_loop() -> None:
    may_end, ended, one = threading.Event(), threading.Event(), InThread[None]()

    def work() -> None:
        may_end.wait()
        ended.set()

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await one.run(work)

    asyncio.run(give_up())
    may_end.set()
    assert ended.wait(5)
