"""Keys from every source go through a session in which everything goes wrong, and are then looked for everywhere."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
from base64 import b64encode
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from pointsman.edge.master_key import VARIABLE
from tests.counterparts import leaky
from tests.counterparts.oidc import Browser, Oidc
from tests.counterparts.scripts import Reply
from tests.counterparts.upstream import Upstream
from tests.daemon.canaries import SOURCES, Canary, answers, canaries, files, heard, leaks, script, unasked, watching
from tests.daemon.client import Editor, Refused, frame, request
from tests.living import Home

ENDS = 20.0
CALLS = [
    "listProviders",
    "listModels",
    "listKeys",
    "listAccounts",
    "listSessions",
    "listChats",
    "currentModel",
    "getConfig",
    "status",
    "vaultStatus",
    "audit",
    "reloadConfig",
]
COMMANDS = (
    "doctor",
    "status",
    "config check",
    "config show",
    "keys list",
    "accounts",
    "audit",
    "providers list",
    "log",
)


async def whatever(work: Any) -> Any:
    """What a request gives, or the error that it is refused with: both are looked at later."""
    with suppress(Refused, TimeoutError):
        return await work


async def begun(home: Home, upstream: Upstream, birds: list[Canary], *more: str) -> dict[str, str]:
    """A daemon at DEBUG with a provider for each canary; gives the variables of who connects."""
    home.environment["POINTSMAN_LOG_LEVEL"] = "DEBUG"
    home.may_complain = True
    for bird in birds:
        bird.put_in_place()
    home.configure("".join(bird.definition(upstream.base_url) for bird in birds))
    await home.serve(*more)
    return {name: value for bird in birds for name, value in bird.fill(bird.source.variables).items()}


async def through_everything(editor: Editor, upstream: Upstream, bird: Canary) -> None:
    """Chats and tests of one provider, each of which fails in another way, and the last of which may succeed."""
    count = script(upstream, bird)
    if bird.source.prepare:
        await bird.source.prepare(editor, bird.name, bird.key)
    with_chat, with_test = bird.fill(bird.source.with_chat), bird.fill(bird.source.with_test)
    for number in range(count + 1):
        await whatever(editor.chat(f"{bird.name}:m", f"question {number}", **with_chat).answer(ENDS))
    script(upstream, bird)
    for _ in range(count):
        await whatever(editor.call("pointsman/testProvider", {"provider": bird.name, **with_test}))
    await whatever(editor.call("pointsman/testProvider", {"provider": bird.name, "say": True, **with_test}, ENDS))
    await whatever(editor.call("pointsman/listModels", {"provider": bird.name, "refresh": True}))
    for params in ({"provider": bird.name}, {"provider": bird.name, "test": True}):
        for method in ("getProvider", "listKeys"):
            await whatever(editor.call(f"pointsman/{method}", params))
    await whatever(editor.call("pointsman/explainRoute", {"model": f"{bird.name}:m"}))


async def to_wrong_places(editor: Editor, upstream: Upstream, bird: Canary) -> None:
    """The key itself, typed, for addresses where nobody is, or not the right one."""
    port = upstream.base_url.split(":")[2].split("/")[0]
    for url in (
        f"https://127.0.0.1:{port}/v1",
        "http://127.0.0.1:1/v1",
        "http://nonexistent.invalid/v1",
        f"http://127.0.0.1:{port}/v1?key={bird.key}",
        f"http://127.0.0.1:{port}/{bird.key}/v1",
        f"http://me:{bird.key}@127.0.0.1:{port}/v1",
        f"nonsense://{bird.key}",
    ):
        params = {"provider": bird.name, "key": bird.key, "baseUrl": url}
        await whatever(editor.call("pointsman/testProvider", params))


async def out_of_order(editor: Editor, bird: Canary) -> None:
    """Requests that are none of ours, or not as they should be, with the key in every part of them."""
    key = bird.key
    for method, params in (
        (f"pointsman/{key}", {}),
        ("unknown/method", {"key": key}),
        ("pointsman/chat", {"messages": [key], "model": key}),
        ("pointsman/chat", {"messages": [{"role": key, "content": key}]}),
        ("pointsman/chat", {"messages": [{"role": "user", "content": "x"}], "model": f"{key}:m"}),
        ("pointsman/chat", {"chatId": key, "messages": key}),
        ("pointsman/switchModel", {"model": key, "scope": key}),
        ("pointsman/getProvider", {"provider": key}),
        ("pointsman/activateSession", {"token": key}),
        ("pointsman/createSession", {"provider": key, "credentials": key}),
        ("pointsman/setKey", {"provider": key, "key": key}),
        ("pointsman/setKey", {"provider": bird.name, "key": [key]}),
        ("pointsman/setProvider", {"provider": bird.name, "values": {"wire": key}}),
        ("pointsman/setProvider", {"provider": bird.name, "values": {"base_url": key}, "test": False}),
        ("pointsman/setProvider", {"provider": bird.name, "values": {"proxy": f"socks5://me:{key}@h"}, "test": False}),
        ("pointsman/setProvider", {"provider": bird.name, "values": {"tls": {"ca": key}}, "test": False}),
        ("pointsman/setAlias", {"alias": "a", "model": key}),
        ("pointsman/importVault", {"content": key, "passphrase": key}),
        ("workspace/executeCommand", {"command": key, "arguments": [key]}),
        ("workspace/executeCommand", {"command": "pointsman.chat", "arguments": [{"key": key}]}),
    ):
        await whatever(editor.call(method, params))
    editor.notify("textDocument/didOpen", {"key": key})
    editor.notify(f"$/{key}", key)
    editor.send(frame(json.dumps({"jsonrpc": "2.0", "id": 999_001, "method": key, "params": key}).encode()))
    editor.send(frame(f'{{"jsonrpc": "2.0", "id": 999_002, "key": "{key}"'.encode()))
    editor.send(frame(json.dumps([{"jsonrpc": "2.0", "key": key}]).encode()))
    await whatever(editor.call("pointsman/status"))


async def broken_connections(home: Home, bird: Canary) -> list[Editor]:
    """Connections that begin with something else than they should."""
    hello = {"version": [bird.key], "cwd": {"k": bird.key}, "environment": {"KEY": [bird.key]}}
    came = []
    for first in (
        f"Authorization: Bearer {bird.key}\r\n\r\n".encode(),
        f"Content-Length: {bird.key}\r\n\r\n".encode(),
        f"GET /?key={bird.key} HTTP/1.1\r\n\r\n".encode(),
        request(1, "pointsman/hello", hello),
        request(2, "initialize", {"processId": bird.key}),
    ):
        editor = await home.knock(greet=False)
        editor.send(first)
        await editor.hung_up()
        came.append(editor)
    return came


MISTAKES = (
    'wire = "{key}"',
    'auth = {{ scheme = "{key}" }}',
    'kind = "{key}"',
    'timeout = "{key}"',
    'keys = "{key}"',
    'proxy = "{key}"',
    'proxy = "socks5://me:{key}@127.0.0.1:1"',
    'tls = {{ ca = "{key}" }}',
    'tls = {{ certificate = "/nonexistent/file" }}',
    'headers = ["{key}"]',
    'quirks = {{ x = "{key}" }}',
    'keys = ["{key}"',
)


async def mistakes_around(home: Home, editor: Editor, upstream: Upstream, bird: Canary) -> None:
    """The user's file with mistakes beside the key, each told to everybody, and then as it was."""
    good = home.file.read_text()
    for mistake in MISTAKES:
        lines = mistake.format(key=bird.key)
        home.configure(
            f'{good}\n[providers.wrong]\nbase_url = "{upstream.base_url}"\napi_key = "{bird.key}"\n{lines}\n'
        )
        await whatever(editor.call("pointsman/reloadConfig"))
    named = f'[aliases]\na = "{bird.key}"\n[chains]\nc = ["{bird.key}:m", "{bird.name}:m"]'
    home.configure(f'default = "{bird.key}"\nfallback = "{bird.key}"\n{named}\n{good}')
    await whatever(editor.call("pointsman/reloadConfig"))
    for name in ("a", "chain:c", None):
        await whatever(editor.call("pointsman/explainRoute", {"model": name}))
        await whatever(editor.chat(name, "question").answer(ENDS))
    for method in CALLS:
        await whatever(editor.call(f"pointsman/{method}"))
    home.configure(good)
    await whatever(editor.call("pointsman/reloadConfig"))


async def test_no_canary_is_found_anywhere_it_does_not_belong(home: Home, upstream: Upstream, tmp_path: Path) -> None:
    folder = leaky.install(tmp_path / "packages")
    birds = canaries(home.folder)
    home.environment[VARIABLE] = b64encode(os.urandom(32)).decode()
    passphrase = f"canary of a passphrase {os.urandom(12).hex()}"
    sealing = [
        *unasked(home.folder, {"the vault's key": home.environment[VARIABLE]}, "the environment of"),  # it came there
        *unasked(home.folder, {"a passphrase": passphrase}),
    ]
    places: dict[str, bytes] = {}
    with watching(home) as seen:
        variables = await begun(home, upstream, birds, f"sys.path[:0] = [{folder!r}]")
        editor = await home.connect(variables=variables)
        other = await home.connect(variables=variables, stock=True)
        for bird in birds:
            await through_everything(editor, upstream, bird)
        for bird in birds[:1] + birds[-1:]:
            await to_wrong_places(editor, upstream, bird)
            await out_of_order(editor, bird)
            await out_of_order(other, bird)
        plain = next(bird for bird in birds if bird.name == "plain")
        await mistakes_around(home, editor, upstream, plain)
        came = await broken_connections(home, birds[0])
        for method in CALLS:
            await whatever(editor.call(f"pointsman/{method}"))
        exported = await editor.call("pointsman/exportVault", {"passphrase": passphrase}, ENDS)
        assert exported["records"] == 1, "what `setKey` stored"
        for command in COMMANDS:
            done = await asyncio.to_thread(home.run, *command.split(), within=60, **variables)
            places |= {f"output of {command}": f"{done.stdout}{done.stderr}".encode()}
        asked = {request.path.split("/")[1] for request in upstream.requests if bird_of(birds, request)}
        assert asked >= SOURCES.keys() - {"proxy", "plugin", "failing-command"}, "each has been sent where it belongs"
        await home.leave()
        await home.end(within=30)
    (program,) = home._programs
    assert program.stdout
    places |= (
        {"stdout and stderr of the daemon": program.stdout.read()} | seen | heard(editor, other, *came) | files(home)
    )
    assert b"printed: canary-p" in places["stdout and stderr of the daemon"], "the plugin did print"
    log = next(content for where, content in places.items() if where.endswith("daemon.log"))
    for said in (b"logged: canary-p", b"in a thread: canary-p", b"in a task: canary-p", b"as it went: canary-p"):
        assert said in log, "the plugin's words are there, without the key"
    found = leaks([*birds, *sealing], places)
    assert not found, "\n".join(found)


async def test_no_token_of_an_account_is_found_anywhere(home: Home, upstream: Upstream, oidc: Oidc) -> None:
    home.environment["POINTSMAN_LOG_LEVEL"] = "DEBUG"
    home.may_complain = True
    place = upstream.base_url
    home.configure(oidc.definition().replace(f'base_url = "{oidc.base_url}"', f'base_url = "{place}"\nmax_retries = 0'))
    places: dict[str, bytes] = {}
    with watching(home) as seen:
        await home.serve()
        editor, other = await home.connect(), await home.connect(stock=True)
        asked = editor.begin("pointsman/signIn", {"provider": "corp"})
        code = await editor.told("pointsman/signInCode")
        page = await asyncio.to_thread(Browser().sign_in, code["url"])
        places |= {"the page that a sign-in ends on": page.text.encode()}
        await asked.answer(ENDS)
        for token in oidc.issued:
            scripted = answers(token)
            upstream.script("/v1/chat/completions", *scripted)
            upstream.script("/v1/models", *[reply for reply in scripted if reply.cut is None])
            for _ in scripted:
                await whatever(editor.chat("corp:m").answer(ENDS))
                await whatever(editor.call("pointsman/testProvider", {"provider": "corp"}, ENDS))
            await whatever(editor.call("pointsman/listModels", {"provider": "corp", "refresh": True}))
        for method in CALLS:
            await whatever(editor.call(f"pointsman/{method}"))
        exported = await editor.call("pointsman/exportVault", {"passphrase": "a passphrase of the tests"}, ENDS)
        assert exported["accounts"] == 1
        for command in COMMANDS:
            done = await asyncio.to_thread(home.run, *command.split(), within=60)
            places |= {f"output of {command}": f"{done.stdout}{done.stderr}".encode()}
        await whatever(editor.call("pointsman/signOut", {"provider": "corp"}, ENDS))
        assert any("Bearer" in (request.header("authorization") or "") for request in upstream.requests)
        await home.leave()
        await home.end(within=30)
    birds = unasked(home.folder, {f"token {number}": token for number, token in enumerate(oidc.issued)})
    assert len(birds) >= 3, "an access token, a refresh token and an id token at least"
    (program,) = home._programs
    assert program.stdout
    places |= {"stdout and stderr of the daemon": program.stdout.read()} | seen | heard(editor, other) | files(home)
    found = leaks(birds, places)
    assert not found, "\n".join(found)


def bird_of(birds: list[Canary], request: Any) -> bool:
    """Whether a request carries the canary of its provider."""
    name = request.path.split("/")[1]
    return any(bird.name == name and bird.key in str(request.headers) for bird in birds)


def test_the_search_finds_what_it_looks_for(tmp_path: Path) -> None:
    birds = [Canary("plain", SOURCES["plain"], tmp_path), Canary("variable", SOURCES["variable"], tmp_path)]
    for bird in birds:
        assert leaks(birds, {"log": b"x" + bird.key.encode() + b"y"})
        assert leaks(birds, {"log": bird.key[-12:].encode()}), "its end, too"
        assert not leaks(birds, {"log": bird.key[:8].encode()}), "a mask is none"
    assert not leaks(birds, {"a/pointsman.toml": birds[0].key.encode()})
    assert leaks(birds, {"a/pointsman.toml": birds[1].key.encode()})


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGQUIT])
async def test_a_crash_leaves_nothing_behind(home: Home, upstream: Upstream, number: signal.Signals) -> None:
    birds = [bird for bird in canaries(home.folder) if bird.name in {"variable", "stored", "session", "chat"}]
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    before, ignored = resource.getrlimit(resource.RLIMIT_CORE), signal.getsignal(number) is signal.SIG_IGN
    resource.setrlimit(resource.RLIMIT_CORE, (most, most))
    if ignored:  # as a shell has it for what it runs in the background, and a child would go on with that
        signal.signal(number, signal.SIG_DFL)
    try:
        variables = await begun(home, upstream, birds)
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)
        if ignored:
            signal.signal(number, signal.SIG_IGN)
    editor = await home.connect(variables=variables)
    for bird in birds:
        upstream.script(f"/{bird.name}/chat/completions", Reply(b"data: [DONE]\n\n"))
        if bird.source.prepare:
            await bird.source.prepare(editor, bird.name, bird.key)
        await whatever(editor.chat(f"{bird.name}:m", **bird.fill(bird.source.with_chat)).answer())
    pid = home.pid
    cores = [path for folder in (Path("/"), home.workspace) for path in folder.glob("core*") if path.is_file()]
    await home.leave()
    await home.end(number)
    after = [path for folder in (Path("/"), home.workspace) for path in folder.glob("core*") if path.is_file()]
    assert set(after) == set(cores), f"no core file of {pid}"
    (program,) = home._programs
    assert program.stdout
    places = {"stdout and stderr of the daemon": program.stdout.read()} | heard(editor) | files(home)
    assert leaks(birds, places) == []
