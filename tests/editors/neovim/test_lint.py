"""What Neovim itself says of the plugin's files, by the version that is tested."""

from __future__ import annotations

import subprocess

from tests.editors.neovim.kit import PLUGIN, binary


def neovim_runs(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs one of the plugin's scripts."""
    command = [str(binary()), "--clean", "-l", str(PLUGIN / "scripts" / script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_every_function_of_neovim_that_is_named_is_there() -> None:
    done = neovim_runs("api_check.lua", str(PLUGIN))
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_help_is_fresh() -> None:
    done = neovim_runs("make_doc.lua", "--check")
    assert done.returncode == 0, done.stderr
