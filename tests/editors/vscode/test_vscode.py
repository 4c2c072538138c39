"""The extension in a real VS Code, as issue by issue a person would try it. The pictures are left in `shots/`.

All of it is installed by the first test from Debian and npm; `POINTSMAN_VSCODE_BUILD` names a folder that has it.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.counterparts.aimock import AImock
from tests.counterparts.llama import serving
from tests.counterparts.oidc import Oidc
from tests.counterparts.scripts import error, models
from tests.counterparts.upstream import Upstream
from tests.editors.neovim.kit import Neovim, binary
from tests.editors.vscode.kit import CLIENT, Built, Play
from tests.living import Home, provider

pytestmark = pytest.mark.timeout(900)

_NO_KEY = 'auth = { scheme = "none" }'
NEVER_ENDING = dict.fromkeys(["<|im_end|>", "<|end|>", "<|begin|>", "<|im_start|>", "<tool_call>"], -50.0)
"""What a model of random weights has to be kept from, so that there is something to stop."""


def test_without_a_daemon_the_model_is_shown_within_5_seconds_and_the_offline_one_answers(play: Play) -> None:
    seen = play("first")
    assert seen["shown"] < 5000, "milliseconds from activation to what the status bar says, with a daemon's start"
    assert seen["chosen"] == "echo · Echo (offline)"
    assert seen["answered"], seen["text"]
    assert len(seen["own"]) == 3
    assert 0 < min(seen["own"]) <= 100, (
        "milliseconds to load and to activate; what the machine does besides is not ours"
    )


def test_the_bundle_is_small(built: Built) -> None:
    assert sum(file.stat().st_size for file in (CLIENT / "dist").glob("*.js")) <= 500_000
    assert len(list(built.extensions.glob("pointsman.pointsman-*"))) == 1


def test_a_choice_here_is_seen_everywhere_and_one_elsewhere_is_seen_here_within_200_ms(
    play: Play, home: Home, aimock: AImock, tmp_path: Path
) -> None:
    many = json.dumps([f"model-{number}" for number in range(2000)])
    home.configure(_mock(aimock) + provider("many", aimock.base_url, _NO_KEY, f"models = {many}"))
    at = str(tmp_path / "n.sock")
    neovim = Neovim(home, "neovim", ["--listen", at])
    try:
        neovim.connect()
        seen = play("switch", neighbour=True, neovim=str(binary()), neovimAt=at, within=200)
    finally:
        neovim.quit()
    assert seen["heardBySecond"] == "Echo (offline) · slow"
    assert max(seen["rounds"][-1]["shown"]) < 200, seen["rounds"]
    assert seen["byNeovim"] < 1000, "with the start of a program that tells Neovim"
    assert "slow" in seen["neovim"][0]
    assert "any" in seen["neovim"][1]
    assert seen["model"] == "Pointsman (current)"
    assert seen["asked"] == ["echo:echo", "mock:any"], "who answered in VS Code's chat"


def _mock(aimock: AImock) -> str:
    able = 'features = ["streaming", "tools", "images"]\ndefault_model = "any"\nmodels = ["any"]\nmax_retries = 0'
    return provider("mock", aimock.base_url, _NO_KEY, able)


def test_vs_codes_own_chat_streams_calls_a_tool_is_cancelled_and_says_why_it_failed(
    play: Play, home: Home, aimock: AImock, upstream: Upstream, tmp_path: Path
) -> None:
    with serving(tmp_path, bias=NEVER_ENDING) as llama:
        tiny = f'default_model = "{llama.model}"\nfeatures = ["streaming", "tools"]'
        home.configure(
            _mock(aimock)
            + provider("tiny", llama.base_url, _NO_KEY, tiny)
            + provider("dripping", upstream.base_url, _NO_KEY, 'features = ["streaming", "tools"]')
        )
        seen = play("chat-view", neighbour=True, llama=llama.base_url, llamaModel=llama.model)
    assert "This is aimock" in seen["hello"]
    assert seen["pieces"] > 3, "it came in pieces"
    assert "18 °C in Paris" in seen["weather"]
    for said in (seen["refused"], seen["limited"]):
        assert "mock" in said.lower(), "it says who refused"
        assert "processTicks" not in said and ".js:" not in said, "no stack for a person"
    assert any('"data:image/png;base64,iVBOR' in json.dumps(entry["body"]) for entry in aimock.journal())
    assert seen["ended"]["reason"] == "cancelled"
    asked = [number for number, request in enumerate(upstream.requests) if b"count for me" in request.body]
    closed = upstream.closed_at(asked[-1]) + time.time() - time.monotonic()
    assert 0 < closed - seen["stopped"] / 1000 < 2, "the provider's connection was closed when the chat was stopped"
    assert seen["cancelled"] < 2000, "llama.cpp stopped computing"
    assert seen["upstream"]["reason"] == "cancelled"


def test_an_answer_a_choice_a_sign_in_and_a_key_on_trial_survive_a_reload(play: Play, home: Home, oidc: Oidc) -> None:
    home.configure(oidc.definition())
    seen = play("reload")
    before, after = seen["before"], seen["after"]
    assert seen["running"] == "running", "it went on, and was not only read again"
    assert after["chatId"] == before["chatId"]
    assert after["windowId"] == before["windowId"]
    assert seen["words"] == 48, "nothing is missing, nothing comes twice"
    assert seen["text"].count("word7 ") == 2, "once in the title, once in the answer"
    assert after["reason"] == "end"
    assert [session["id"] for session in after["sessions"]] == [session["id"] for session in before["sessions"]] != []
    assert [session["scope"] for session in after["sessions"]] == ["window"]
    assert "in effect here" in seen["sections"]
    assert [(account["provider"], account["state"]) for account in after["accounts"]] == [("corp", "ready")]
    assert "🔐" in seen["card"]


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


@pytest.mark.parametrize("flow", ["browser", "auto"])
def test_the_extensions_button_signs_in_by_browser_and_in_a_remote_window_by_a_code(
    play: Play, home: Home, oidc: Oidc, flow: str
) -> None:
    home.configure(oidc.definition())
    seen = play("sign-in", flow=flow)
    assert seen["account"]["provider"] == "corp"
    assert seen["account"]["state"] == "ready"
    assert bool(seen.get("code")) == (flow == "auto")
    assert bool(oidc.asked("/oauth/device")) == (flow == "auto"), "which way it asked for"
    assert seen["reply"]["provider"] == "corp", "the token is good for a chat"
    assert seen["after"] == []
    assert "Signed out of Corp (alice" in seen["signedOut"]
    assert not _tokens_in(seen, oidc)


def _tokens_in(seen: dict[str, Any], oidc: Oidc) -> list[str]:
    return [token for token in oidc.issued if token in str(seen)]


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


def test_a_key_is_refused_typed_again_and_used_and_another_is_tried(play: Play, home: Home, upstream: Upstream) -> None:
    lines = ['auth = { scheme = "bearer", env = "SHOP_KEY" }', 'default_model = "count:3"', 'models = ["count:3"]']
    prices = 'prices."count:3" = { input = 1000.0, output = 2000.0 }'
    home.configure(provider("shop", upstream.base_url, 'name = "Shop"', *lines, prices))
    upstream.script("/v1/models", error(401, "That key is not one of ours"), models())
    seen = play("keys")
    assert "That key is not one of ours" in seen["refused"]
    assert "Enter Again" in seen["refused"]
    assert "The key for Shop" in seen["saved"]
    assert "0 1 2" in seen["answer"]
    assert "$0.009" in seen["answer"], "3 tokens in at $1,000 a million, 3 out at $2,000"
    assert "Cost by day" in seen["usage"]
    assert "count:3" in seen["usage"]
    assert "1 chat, $0.009." in seen["usage"]
    assert "1 key" in seen["providers"]
    assert "asks OpenRouter" in seen["tried"]
    assert seen["sessions"] == 1
    assert "Explain Route" in seen["unknown"] or "Choose a Model" in seen["unknown"], "what helps stands below it"
    assert seen["files"] is None, "VS Code has written no key into any file"
    assert not {"sk-wrong-0000", "sk-right-1111"} & set(str(seen).split()), "nor shown one"


def test_a_mistake_in_the_configuration_stands_on_its_line(play: Play) -> None:
    seen = play("configuration")
    assert "Did you mean `aliases`?" in seen["said"]
    assert "[Ln 7" in seen["said"]


@pytest.mark.parametrize("theme", ["Default Light Modern", "Default High Contrast"])
def test_without_a_mouse_and_without_sight(play: Play, theme: str) -> None:
    seen = play("barriers", theme=theme)
    assert seen["labels"] == [
        "Pointsman: No model is chosen. Choose one.",
        "Pointsman: slow · Echo (offline). Switch model.",
    ]
    assert all(seen["buttons"]), "each button of the list has a name"
    assert all(row and "$(" not in row for row in seen["rows"])
    assert seen["violations"] == []
    assert seen["outline"][0] == "Echo (offline) · slow"
    assert seen["order"][:3] == ["Switch model", "Open configuration", "Show log"]
    assert seen["order"][3] == seen["order"][4] == "Test connection: Echo (offline)", "the focus stays"
    assert seen["tested"].startswith("It works")
    assert len(seen["walkthrough"]) >= 4
