"""Holds the console script `pointsman`: it sends `connect` to the forwarder and all else to the command line.

Must never import anything before it knows which of the two is wanted: an editor waits for the first.
"""

from __future__ import annotations

import sys


def main() -> int:
    """Runs what the arguments ask for and returns the exit status."""
    if sys.argv[1:] == ["connect"]:
        from pointsman.forwarder import main as relay

        return relay()
    from pointsman.cli.main import main as command_line

    return command_line()
