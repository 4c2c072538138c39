"""The same chat, window, moment and file in every example. Must never say anything of a method."""

from __future__ import annotations

CHAT = "1f0c9d2e-6a54-4c1b-9a3e-5b7c2d8e4f10"
WINDOW = "6f1e2ab09c"
AT = "2026-03-14T09:26:53.589Z"
REVISION = "9e107d9d372bb682"
FILE = "/home/me/.config/pointsman/pointsman.toml"
MODEL = "anthropic/claude-sonnet-4"
