"""What a person at a terminal types where a client sends a request. Must never import anything: it costs a start."""

from __future__ import annotations

COMMANDS = {
    "`pointsman/listProviders`": "`pointsman providers`",
    "`pointsman/listModels`": "`pointsman models`",
    "`pointsman/currentModel`": "`pointsman use`",
    "`pointsman/switchModel`": "`pointsman use`",
    "`pointsman/getProvider`": "`pointsman config show`",
    "`pointsman/createSession`": "`pointsman try`",
    "`pointsman/listSessions`": "`pointsman sessions`",
    "`pointsman/clearSession`": "`pointsman sessions end`",
    "`pointsman/setKey`": "`pointsman keys add`",
    "`pointsman/removeKey`": "`pointsman keys remove`",
    "`pointsman/listKeys`": "`pointsman keys`",
    "`pointsman/adoptKey`": "`pointsman keys adopt`",
    "`pointsman/signIn`": "`pointsman login`",
    "`pointsman/signOut`": "`pointsman logout`",
    "`pointsman/listAccounts`": "`pointsman accounts`",
    "`pointsman/listChats`": "`pointsman chats`",
    "`pointsman/attachChat`": "`pointsman chats attach`",
}
"""The command by the method, both as they stand in a sentence of advice."""
