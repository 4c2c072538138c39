"""The vault of a running daemon: what is wrong with it is told, costs nobody else anything, and never the data."""

from __future__ import annotations

import asyncio
import json
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pointsman.core.secret import Secret
from pointsman.edge.master_key import FILE
from pointsman.edge.portable import packed
from tests.counterparts.desktop_keyring import LEAVES_ITS_SOCKET, DesktopKeyring
from tests.counterparts.upstream import Upstream
from tests.daemon.client import Refused, text_of
from tests.living import Home, provider
from tests.service.vault_kit import ALL, HOME, TYPED, change, filled

CORP = 'auth = { scheme = "bearer", env = "CORP_LLM_KEY" }'
PASSPHRASE = "correct-horse-of-a-test"  # noqa: S105 - it opens nothing


@pytest.fixture(autouse=True)
def _no_desktop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)


async def stored(home: Home) -> None:
    """Fills the vault before the daemon comes."""
    home.data.mkdir(mode=0o700, exist_ok=True)
    await filled(home.data)


async def run(home: Home, *words: str) -> tuple[int, str, str]:
    """A command's exit status and what it has said, while this process serves it a keyring."""
    done = await asyncio.to_thread(home.run, *words)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


async def status(home: Home) -> Any:
    code, out, _ = await run(home, "vault", "status", "--json")
    found = json.loads(out)
    assert code == (1 if "error" in found or found["damaged"] else 0)
    return found


def keys_in(folder: Path) -> list[str]:
    return [line for line in (folder / FILE).read_text().splitlines() if not line.startswith("#")]


# All is well


async def test_the_status_tells_where_the_key_lies_and_never_the_key(home: Home) -> None:
    await stored(home)
    code, out, err = await run(home, "vault", "status")
    assert (code, err) == (0, "")
    assert "3 credentials sealed with the key" in out
    assert str(home.data / FILE) in out
    assert not any(key in out for key in keys_in(home.data))
    code, out, _ = await run(home, "doctor")
    assert (code, "3 stored credentials are sealed with the key in" in out) == (0, True)


def test_a_daemon_without_stored_credentials_knows_neither_cipher_nor_keyring(tmp_path: Path) -> None:
    code = f"""
import asyncio, sys
from pointsman.endpoint import places
from pointsman.service.app import build

async def main():
    app = build(places({{"POINTSMAN_HOME": {str(tmp_path)!r}}}))
    await app.vault.open()
    await app.close()

asyncio.run(main())
print(sorted({{"cryptography", "keyring", "jeepney"}} & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == "[]\n"


async def test_rotation_is_seen_by_all_and_audited(home: Home) -> None:
    await stored(home)
    one, two = await home.connect(client="one"), await home.connect(client="two")
    before = await one.call("pointsman/vaultStatus")
    after = await one.call("pointsman/rotateVault")
    assert before["key"] != after["key"]
    assert await two.call("pointsman/vaultStatus") == after
    (noted,) = (await two.call("pointsman/audit"))["events"]
    assert (noted["event"], noted["client"]) == ("rotated", "one")
    code, out, _ = await run(home, "audit")
    assert (code, out.split("\t")[1:5]) == (0, ["rotated", "", "", "one"])
    await home.end()
    assert (await status(home))["records"] == 3
    code, _, err = await run(home, "audit", "nobody")
    assert (code, "Nothing has happened" in err) == (0, True)


async def test_everybody_can_ask_for_the_status(home: Home) -> None:
    await stored(home)
    change(home.data, "UPDATE sealed SET label = 'x' WHERE id = 'r1'")
    editor = await home.connect(stock=True)
    await editor.call("workspace/executeCommand", {"command": "pointsman.vaultStatus"})
    told = await editor.told("window/showMessage")
    assert "2 credentials" in told["message"]
    assert "corp x: It was damaged" in told["message"]


# What can't be opened


async def test_a_damaged_record_is_told_and_left_out(home: Home) -> None:
    await stored(home)
    change(home.data, "UPDATE sealed SET origin = 'https://evil.example:443' WHERE id = 'r1'")
    found = await status(home)
    assert (found["state"], found["records"]) == ("open", 2)
    assert [(each["id"], each["label"]) for each in found["damaged"]] == [("r1", "work")]
    code, out, err = await run(home, "vault", "status")
    assert code == 1
    assert "corp work: It was damaged" in err
    assert "vault discard" in err
    _, out, _ = await run(home, "doctor")
    assert "'corp work' is left out" in out
    code, out, _ = await run(home, "vault", "discard", "--yes")
    assert (code, out) == (0, "1 credential removed.\n")
    assert (await status(home))["damaged"] == []
    assert any("left out" in line["message"] for line in await home.whole_log())


async def test_nothing_is_discarded_without_a_word(home: Home) -> None:
    await stored(home)
    change(home.data, "UPDATE sealed SET origin = 'x' WHERE id = 'r1'")
    code, _, err = await run(home, "vault", "discard")
    assert (code, "add `--yes`" in err) == (2, True)
    assert len(change(home.data, "SELECT 1 FROM sealed")) == 3


async def test_with_a_lost_key_the_daemon_lives_and_keeps_the_data(home: Home, upstream: Upstream) -> None:
    await stored(home)
    (home.data / FILE).rename(home.folder / "away")
    rows = change(home.data, "SELECT * FROM sealed")
    home.configure(provider("corp", upstream.base_url, CORP))
    editor = await home.connect(variables={"CORP_LLM_KEY": "sk-fake-of-the-environment"})
    assert text_of(await editor.chat("corp:count:1").answer())
    assert upstream.request(0).header("authorization") == "Bearer sk-fake-of-the-environment"
    found = await status(home)
    assert (found["state"], found["records"], found["error"]["code"]) == ("wrongKey", 3, "WrongVaultKey")
    assert str(home.data / FILE) in found["error"]["message"]
    for method, params in (("rotateVault", {}), ("exportVault", {"passphrase": "p"}), ("discardVault", {})):
        with pytest.raises(Refused) as refused:
            await editor.call(f"pointsman/{method}", params)
        assert refused.value.code == "WrongVaultKey"
    assert (await run(home, "doctor"))[0] == 1
    (home.folder / "away").rename(home.data / FILE)
    assert (await status(home))["state"] == "open"
    assert change(home.data, "SELECT * FROM sealed") == rows


async def test_a_key_file_that_others_may_read_is_refused_with_the_remedy(home: Home) -> None:
    await stored(home)
    key = home.data / FILE
    key.chmod(0o644)
    code, _, err = await run(home, "vault", "status")
    assert code == 1
    assert f"chmod 600 {key}" in err
    key.chmod(0o600)
    assert (await status(home))["state"] == "open"


async def test_a_lost_key_is_given_up_only_by_its_owner(home: Home) -> None:
    await stored(home)
    (home.data / FILE).unlink()
    code, out, _ = await run(home, "vault", "discard", "--yes")
    assert (code, out) == (0, "3 credentials removed.\n")
    assert (await status(home))["state"] == "open"
    _, out, _ = await run(home, "audit")
    assert out.count("removed") == 3 * 1


async def test_a_key_of_the_environment_is_for_the_daemon(home: Home) -> None:
    home.environment["POINTSMAN_VAULT_KEY"] = "ab" * 32
    editor = await home.connect()
    assert (await editor.call("pointsman/vaultStatus"))["state"] == "empty"
    await imported(home, editor)
    assert (await status(home))["source"] == "environment"
    await home.leave()
    await home.end()
    home.environment["POINTSMAN_VAULT_KEY"] = f"{'cd' * 32},{'ab' * 32}"
    _, _, err = await run(home, "vault", "status")
    assert "pointsman vault rotate" in err
    code, out, err = await run(home, "vault", "rotate")
    assert (code, err, "the variable POINTSMAN_VAULT_KEY" in out) == (0, "", True)
    await home.end()
    home.environment["POINTSMAN_VAULT_KEY"] = "cd" * 32
    assert (await status(home))["records"] == 3
    assert not (home.data / FILE).exists()


@LEAVES_ITS_SOCKET
async def test_a_locked_keyring_holds_nobody_up_and_opens_once_unlocked(
    home: Home, desktop_keyring: DesktopKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", desktop_keyring.address)
    await stored(home)
    assert not (home.data / FILE).exists()
    home.environment["DBUS_SESSION_BUS_ADDRESS"] = desktop_keyring.address
    desktop_keyring.state = "silent"
    home.configure('[providers.corp]\nbase_url = "http://127.0.0.1:9/v1"\n')
    await home.serve("pointsman.edge.master_key.WITHIN = 0.5")
    editor = await home.connect()
    assert (await editor.call("pointsman/vaultStatus"))["state"] == "locked"
    code, _, err = await run(home, "vault", "status")
    assert (code, "Unlock your keyring" in err) == (1, True)
    assert desktop_keyring.prompts == 1, "the owner is asked once, however often the daemon is"
    desktop_keyring.unlock()
    await editor.told("pointsman/providersChanged", lambda told: told["changed"] == ["corp"])
    assert (await editor.call("pointsman/vaultStatus"))["source"] == "keyring"
    desktop_keyring.state = "locked"
    assert (await editor.call("pointsman/vaultStatus"))["state"] == "open"
    await home.leave()
    await home.end()
    assert (await status(home))["state"] == "locked"


# To another machine


async def imported(home: Home, editor: Any) -> Any:
    """Takes into this home what another machine has exported."""
    content = await asyncio.to_thread(packed, ALL, Secret(PASSPHRASE))
    return await editor.call("pointsman/importVault", {"content": content, "passphrase": PASSPHRASE})


async def test_export_and_import_by_the_command_line(home: Home, tmp_path: Path) -> None:
    await stored(home)
    words, file = tmp_path / "words", tmp_path / "keys.json"
    words.write_text(f"{PASSPHRASE}\nsecond line\n")
    code, out, err = await run(home, "vault", "export", str(file), "--passphrase-file", str(words))
    assert (code, out) == (0, f"3 credentials written to {file}.\n")
    assert "one machine only" in err
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not any(secret.reveal() in file.read_text() for record in ALL for secret in record.secrets)
    code, _, err = await run(home, "vault", "export", str(file), "--passphrase-file", str(words))
    assert (code, "is there already" in err) == (1, True)
    await home.leave()
    await home.end()
    there = Home(tmp_path / "there")
    try:
        there.data.mkdir(mode=0o700)
        await filled(there.data, replace(TYPED, holds=HOME.holds))
        code, out, err = await run(there, "vault", "import", str(file), "--passphrase-file", str(words))
        assert code == 0
        assert [line.split("\t")[:3] for line in out.splitlines()] == [
            ["added", "chat", "me@corp.example"],
            ["replaced", "corp", "work"],
            ["there already", "corp", "home"],
        ]
        assert err == "2 credentials taken in.\n"
        (tmp_path / "words").write_text("wrong passphrase")
        code, _, err = await run(there, "vault", "import", str(file), "--passphrase-file", str(words))
        assert (code, "does not open this file" in err) == (1, True)
        code, _, err = await run(there, "vault", "import", str(file))
        assert (code, "--passphrase-file" in err) == (2, True)
        for name in (str(tmp_path), str(tmp_path / "absent"), str(words)):
            code, _, err = await run(there, "vault", "import", name, "--passphrase-file", str(words))
            assert code in {1, 2}, err
    finally:
        there.close()


async def test_an_import_is_told_to_every_editor(home: Home) -> None:
    home.configure('[providers.corp]\nbase_url = "http://127.0.0.1:9/v1"\n')
    one, two = await home.connect(), await home.connect()
    result = await imported(home, one)
    assert {each["outcome"] for each in result["records"]} == {"added"}
    for editor in (one, two):
        await editor.told("pointsman/providersChanged", lambda told: told["changed"] == ["corp"])
    await home.leave()
    log = await home.whole_log()
    for secret in (*(secret.reveal() for record in ALL for secret in record.secrets), PASSPHRASE):
        assert secret not in json.dumps(log)
