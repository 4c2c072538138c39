"""The daemon ends, whatever a plugin leaves running."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.daemon.client import Refused
from tests.living import Home

STUCK = """
import asyncio, threading

left = []


async def deaf():
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass


async def task(request, provider, variable):
    left.append(asyncio.create_task(deaf()))
    raise ValueError


async def thread(request, provider, variable):
    threading.Thread(target=threading.Event().wait).start()
    raise ValueError


async def pool(request, provider, variable):
    left.append(asyncio.get_running_loop().run_in_executor(None, threading.Event().wait))
    raise ValueError
"""


@pytest.mark.parametrize("what", ["task", "thread", "pool"])
async def test_what_does_not_end_is_left_behind(home: Home, tmp_path: Path, what: str) -> None:
    about = tmp_path / "stuck-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: stuck\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[pointsman.auth]\nstuck = stuck:{what}\n")
    (tmp_path / "stuck.py").write_text(STUCK)
    home.configure('[providers.p]\nbase_url = "http://127.0.0.1:9"\nauth = { scheme = "stuck" }\nmax_retries = 0\n')
    await home.serve(f"sys.path[:0] = [{str(tmp_path)!r}]")
    editor = await home.connect()
    with pytest.raises(Refused) as refused:
        await editor.chat("p:m").answer()
    assert refused.value.code == "PluginFailed"
    assert await home.end(within=10.0) > 1.9, "it was given time"
    told = any("left behind" in line["message"] for line in home.log())
    assert told == (what != "thread"), "a thread is waited for when the log is closed already"
    home.start()
