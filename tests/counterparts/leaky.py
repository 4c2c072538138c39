"""A plugin that does with a key whatever no plugin should: prints it, logs it, raises it, in every corner."""

from __future__ import annotations

from pathlib import Path

_MODULE = """
import asyncio, logging, sys, threading, warnings

def fail(key):
    raise LookupError("in a thread: " + key)

class Unraisable:
    def __init__(self, key):
        self.key = key
    def __del__(self):
        raise OSError("as it went: " + self.key)

async def later(key):
    raise ArithmeticError("in a task: " + key)

async def authorise(request, provider, variable):
    key = variable(provider.auth.variables[0])
    print("printed:", key)
    print("to stderr:", [key], file=sys.stderr, flush=True)
    logging.getLogger("leaky").error("logged: %s", key, extra={"model": {"key": key}})
    logging.getLogger("leaky").debug("never: %s", key)
    warnings.warn("warned: " + key)
    thread = threading.Thread(target=fail, args=(key,))
    thread.start()
    thread.join()
    Unraisable(key)
    loop = asyncio.get_running_loop()
    loop.create_task(later(key))
    loop.call_soon(fail, key)
    try:
        fail(key)
    except LookupError:
        logging.getLogger("leaky").exception("caught: %r", {"k": key.encode()})
    raise RuntimeError("raised: " + key)
"""


def install(folder: Path) -> str:
    """Puts the plugin into a folder as a package installer would; gives the folder."""
    about = folder / "leaky-1.0.dist-info"
    about.mkdir(parents=True)
    (folder / "leaky.py").write_text(_MODULE)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: leaky\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[pointsman.auth]\nleaky = leaky:authorise\n")
    return str(folder)
