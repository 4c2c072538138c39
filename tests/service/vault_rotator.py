"""A process whose children change the key of a vault and are killed in the middle of it, for `test_vault_crashes.py`.

A child is forked once all is imported, so that fifty of them take no longer than one. Prints a line of JSON a kill.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import select
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

from pointsman.core.errors import StorageError
from pointsman.core.secret import Secret
from tests.service.vault_kit import ALL, TYPED, filled, living

KILLS = 50


def killed(folder: Path, delay: float | None) -> float:
    """Rotates in a child that is killed so many seconds after its beginning; without a delay it may finish.

    Gives the seconds until it ended.
    """
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        asyncio.run(_rotate(folder, theirs))
        os._exit(0)
    os.close(theirs)
    assert os.read(ours, 1) == b"g"
    began = time.monotonic()
    handle = os.pidfd_open(child)
    over, _, _ = select.select([handle], [], [], delay)
    if not over:
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(handle)
    os.close(ours)
    return time.monotonic() - began


async def _rotate(folder: Path, ready: int) -> None:
    async with living(folder) as kit:
        os.write(ready, b"g")
        await kit.vault.rotate(None)


def crashes(folder: Path) -> None:
    """Kills at fifty moments, spread over a rotation, and looks each time what is left."""
    asyncio.run(
        filled(folder, *(replace(record, id=f"{record.id}-{n}", label=f"{n}") for record in ALL for n in range(20)))
    )
    whole = max(killed(folder, None) for _ in range(3))
    for number in range(KILLS):
        before = asyncio.run(_seen(folder))
        killed(folder, whole * 1.2 * number / KILLS)
        after = asyncio.run(_seen(folder))
        _say(rotated=before["key"] != after["key"], **after)


async def _seen(folder: Path) -> dict[str, object]:
    async with living(folder) as kit:
        status = kit.vault.status
        secrets = sorted({secret.reveal() for record in kit.vault.all() for secret in record.secrets})
        return {
            "state": status.state,
            "key": status.key,
            "records": status.records,
            "damaged": len(status.damaged),
            "secrets": secrets,
        }


def _files(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


async def limited(folder: Path) -> None:
    """Puts records until the disk is full, tries what else could be tried then, and goes on once there is room."""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with living(folder) as kit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, most))
        _say(begun=await _refused(kit.vault.put(TYPED)), files=_files(folder))
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, most))
        count = 0
        while not await _refused(kit.vault.put(replace(TYPED, id=f"r{count}", holds=Secret("sk-fake" * 100)))):
            count += 1
        seen = [record.id for record in kit.vault.all()]
        _say(count=count, seen=len(seen))
        _say(changed=await _refused(kit.vault.put(replace(TYPED, id="r0", holds=Secret("x" * 2000)))))
        _say(rotated=await _refused(kit.vault.rotate(None)), still=len(kit.vault.all()))
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        await kit.vault.rotate(None)
        await kit.vault.put(replace(TYPED, id="last"))
    async with living(folder) as kit:
        _say(found=[record.id for record in kit.vault.all()], state=kit.vault.status.state)


async def _refused(work: object) -> bool:
    try:
        await work  # type: ignore[misc]
    except StorageError as error:
        sys.stderr.write(f"refused: {error}\n")
        return True
    return False


def _say(**what: object) -> None:
    print(json.dumps(what), flush=True)  # noqa: T201 - this is what it is for


if __name__ == "__main__":
    way, path = sys.argv[1:]
    if way == "crashes":
        crashes(Path(path))
    else:
        asyncio.run(limited(Path(path)))
