"""The systemd user service. Must never install anything by itself."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path


def unit() -> str:
    """The text of a unit of `Type=notify` that runs this Pointsman; the comment in it says where to put it."""
    script = shutil.which("pointsman", path=str(Path(sys.executable).parent)) or shutil.which("pointsman")
    command = [script] if script else [sys.executable, "-m", "pointsman"]
    return f"""\
# Save as ~/.config/systemd/user/pointsman.service, then run:
#   systemctl --user daemon-reload && systemctl --user enable --now pointsman
# A daemon that stays should not end itself: put `idle_exit = "never"` under `[daemon]` in pointsman.toml.
[Unit]
Description=Pointsman, one daemon for the language models of all your editors

[Service]
Type=notify
ExecStart={shlex.join([*command, "daemon"])}
Restart=on-failure
RestartSec=2
TimeoutStopSec=30
NoNewPrivileges=true

[Install]
WantedBy=default.target
"""
