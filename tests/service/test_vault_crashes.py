"""The vault on a disk that fills up or may not be written, and in a process that is killed while it changes its key."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pointsman.core.errors import StorageError
from pointsman.edge.master_key import FILE
from tests.rights import NOBODY, without_rights
from tests.service.vault_kit import ALL, TYPED, filled, living
from tests.service.vault_rotator import KILLS

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _no_desktop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)


def told(way: str, folder: Path) -> list[dict[str, Any]]:
    """What the other process has said."""
    command = [sys.executable, "-m", "tests.service.vault_rotator", way, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=55, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_rotation_that_is_killed_leaves_the_old_or_the_new_whole(tmp_path: Path) -> None:
    found = told("crashes", tmp_path)
    assert len(found) == KILLS
    secrets = sorted({secret.reveal() for record in ALL for secret in record.secrets})
    for each in found:
        assert (each["state"], each["records"], each["damaged"], each["secrets"]) == ("open", 60, 0, secrets), each
    assert {each["rotated"] for each in found} == {False, True}, "the kills must fall before and behind the transaction"


def test_a_full_disk_refuses_and_harms_nothing(tmp_path: Path) -> None:
    begun, full, changed, rotated, after = told("limited", tmp_path)
    assert begun["begun"] is True
    assert FILE not in begun["files"]
    assert full["seen"] == full["count"] > 10
    assert (changed["changed"], rotated) == (True, {"rotated": True, "still": full["count"]})
    assert after == {"state": "open", "found": [*(f"r{number}" for number in range(full["count"])), "last"]}


async def test_a_folder_that_is_read_only_refuses_a_new_key_and_harms_nothing(tmp_path: Path, shared: Path) -> None:
    await filled(tmp_path)  # imports all while it may
    if os.geteuid() == 0:
        os.chown(shared, NOBODY, NOBODY)
    with without_rights():
        await filled(shared)
        async with living(shared) as kit:
            name = kit.vault.status.key
            shared.chmod(0o555)
            with pytest.raises(StorageError, match="could not be written") as refused:
                await kit.vault.rotate(None)
            assert "permissions" in refused.value.advice
            assert (kit.vault.all(), kit.vault.status.key) == (list(ALL), name)
            shared.chmod(0o755)
        async with living(shared) as kit:
            assert (kit.vault.all(), kit.vault.status.key) == (list(ALL), name)


async def test_a_new_vault_in_a_folder_that_is_read_only_is_refused(tmp_path: Path, shared: Path) -> None:
    await filled(tmp_path)
    if os.geteuid() == 0:
        os.chown(shared, NOBODY, NOBODY)
    with without_rights():
        async with living(shared) as kit:
            shared.chmod(0o555)
            with pytest.raises(StorageError, match=str(shared / FILE)):
                await kit.vault.put(TYPED)
            assert kit.vault.all() == []
            shared.chmod(0o755)
            await kit.vault.put(replace(TYPED, label="now it may"))
            assert len(kit.vault.all()) == 1
