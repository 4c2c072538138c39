"""Signing in and out as an editor sees it, against an OAuth server that others wrote."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.counterparts.oidc import Browser, Oidc
from tests.daemon.client import Editor, Message, Refused, Request, text_of
from tests.living import Home

OPENS = {"window": {"showDocument": {"support": True}}}


async def begun(editor: Editor, **more: Any) -> tuple[Request, Message]:
    """A sign-in that waits for its person: the request, and the page that the editor is told."""
    editor.forget()
    request = editor.begin("pointsman/signIn", {"provider": "corp", **more})
    return request, await editor.told("pointsman/signInCode")


async def signed_in(editor: Editor, login: str = "alice", **more: Any) -> Message:
    """A whole sign-in by a browser."""
    request, code = await begun(editor, **more)
    page = await asyncio.to_thread(Browser(login).sign_in, code["url"])
    assert page.status == 200, page
    account: Message = await request.answer()
    return account


def visit(url: str) -> tuple[int, str]:
    """What a browser is shown at an address."""
    try:
        answer = urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=10)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        return answer.status, answer.read().decode()


async def test_one_client_signs_in_and_the_other_chats_at_once(home: Home, oidc: Oidc) -> None:
    home.configure(oidc.definition(more={"account_claim": ["https://api.example.test/auth", "team"]}))
    editor, other = await home.connect(), await home.connect()
    with pytest.raises(Refused) as refused:
        await other.chat("corp").answer()
    assert refused.value.code == "SignInNeeded"
    account = await signed_in(editor)
    assert (account["account"], account["state"]) == ("alice@example.test", "ready")
    await other.told("pointsman/providersChanged", lambda told: "corp" in told["changed"])
    (listed,) = (await other.call("pointsman/listAccounts"))["accounts"]
    assert listed == account
    assert text_of(await other.chat("corp").answer()) == "hello alice"
    await other.kill()
    back = await home.connect()
    assert text_of(await back.chat("corp").answer()) == "hello alice"


async def test_a_sign_in_outlives_the_daemon(home: Home, oidc: Oidc) -> None:
    home.configure(oidc.definition())
    await signed_in(await home.connect())
    await home.leave()
    await home.end()
    editor = await home.connect()
    assert text_of(await editor.chat("corp").answer()) == "hello alice"
    assert not any(b"eyJ" in file.read_bytes() for file in home.data.iterdir() if file.is_file())


async def test_a_new_sign_in_lifts_what_was_held_against_the_former(home: Home, oidc: Oidc) -> None:
    oidc.set(access=1)
    home.configure(oidc.definition().replace("default_model", "max_retries = 0\ndefault_model"))
    editor = await home.connect()
    await signed_in(editor)
    oidc.set(fail=1, retryAfter=3600, access=3600)
    await asyncio.sleep(1)
    for said in ("could not be renewed", "cooling until"):
        with pytest.raises(Refused, match=said) as refused:
            await editor.chat("corp").answer()
        assert 250 < refused.value.data["retryAfter"] <= 300, "of a token endpoint, no longer wait is taken"
    await signed_in(editor)
    assert len((await editor.call("pointsman/listAccounts"))["accounts"]) == 1
    assert text_of(await editor.chat("corp").answer()) == "hello alice"


async def test_an_editor_that_can_opens_the_page_itself(home: Home, oidc: Oidc) -> None:
    home.configure(oidc.definition())
    editor = await home.connect(capabilities=OPENS)
    request = editor.begin("pointsman/signIn", {"provider": "corp"})
    asked = await editor.asked("window/showDocument")
    assert asked["params"]["external"] is True
    editor.answer(asked["id"], {"success": True})
    page = await asyncio.to_thread(Browser().sign_in, asked["params"]["uri"])
    assert "You are signed in" in page.text
    assert "alice@example.test" in page.text
    await request.answer()
    assert not editor.notifications("pointsman/signInCode")


async def test_a_stock_editor_signs_in_by_a_command(home: Home, oidc: Oidc) -> None:
    home.configure(oidc.definition())
    editor = await home.connect(stock=True)
    assert await editor.call("workspace/executeCommand", {"command": "pointsman.signIn", "arguments": ["corp"]}) is None
    shown = await editor.told("window/showMessage", lambda told: "http" in told["message"])
    await asyncio.to_thread(Browser().sign_in, shown["message"].split()[-1])
    await editor.told("window/showMessage", lambda told: "alice@example.test" in told["message"])
    await editor.call("workspace/executeCommand", {"command": "pointsman.listAccounts"})
    await editor.call("workspace/executeCommand", {"command": "pointsman.signOut", "arguments": ["corp"]})
    assert (await editor.call("pointsman/listAccounts"))["accounts"] == []


async def test_a_visit_with_another_state_ends_nothing(home: Home, oidc: Oidc) -> None:
    home.configure(oidc.definition())
    editor = await home.connect()
    request, code = await begun(editor)
    redirect = parse_qs(urlsplit(code["url"]).query)["redirect_uri"][0]
    forged = urlencode({"code": "<script>x</script>", "state": "<b>another</b>"})
    status, page = await asyncio.to_thread(visit, f"{redirect}?{forged}")
    assert (status, "script" in page, "another</b>" in page) == (400, False, False)
    assert "still waits" in page
    assert (await asyncio.to_thread(visit, redirect.replace("/callback", "/other")))[0] == 404
    assert not oidc.asked("/oauth/token")
    await asyncio.to_thread(Browser().sign_in, code["url"])
    await request.answer()
    with pytest.raises(urllib.error.URLError):
        await asyncio.to_thread(visit, redirect)


async def test_who_declines_is_told_so_on_both_sides(home: Home, oidc: Oidc) -> None:
    home.configure(oidc.definition())
    editor = await home.connect()
    request, code = await begun(editor)
    page = await asyncio.to_thread(Browser().decline, code["url"])
    assert (page.status, "declined" in page.text, "The sign-in did not work" in page.text) == (400, True, True)
    with pytest.raises(Refused) as refused:
        await request.answer()
    assert (refused.value.code, "declined" in refused.value.message) == ("SignInFailed", True)


async def test_a_code_that_the_server_does_not_take(home: Home, oidc: Oidc) -> None:
    home.configure(oidc.definition())
    editor = await home.connect()
    request, code = await begun(editor)
    query = parse_qs(urlsplit(code["url"]).query)
    wrong = urlencode({"code": "not-a-code", "state": query["state"][0], "iss": oidc.origin})
    status, page = await asyncio.to_thread(visit, f"{query['redirect_uri'][0]}?{wrong}")
    assert (status, "invalid_grant" in page, "not-a-code" in page) == (400, True, False)
    with pytest.raises(Refused, match="invalid_grant"):
        await request.answer()


async def test_a_redirect_from_another_issuer_is_refused(home: Home, oidc: Oidc) -> None:
    home.configure(oidc.definition())
    editor = await home.connect()
    request, code = await begun(editor)
    query = parse_qs(urlsplit(code["url"]).query)
    mixed = urlencode({"code": "c", "state": query["state"][0], "iss": "https://evil.example"})
    await asyncio.to_thread(visit, f"{query['redirect_uri'][0]}?{mixed}")
    with pytest.raises(Refused, match="another place"):
        await request.answer()
    assert not oidc.asked("/oauth/token")


async def test_a_sign_in_that_is_cancelled_listens_no_more(home: Home, oidc: Oidc) -> None:
    home.configure(oidc.definition())
    editor = await home.connect()
    request, code = await begun(editor)
    request.cancel()
    with pytest.raises(Refused):
        await request.answer()
    redirect = parse_qs(urlsplit(code["url"]).query)["redirect_uri"][0]
    with pytest.raises(urllib.error.URLError):
        await asyncio.to_thread(visit, redirect)


async def test_a_sign_in_that_is_begun_anew_ends_the_one_before(home: Home, oidc: Oidc) -> None:
    home.configure(oidc.definition())
    editor = await home.connect()
    first, _ = await begun(editor)
    assert await signed_in(editor)
    with pytest.raises(Refused, match="begun anew"):
        await first.answer()


async def test_nobody_finishes_a_sign_in(home: Home, oidc: Oidc) -> None:
    home.configure(oidc.definition())
    await home.serve("pointsman.service.login.WITHIN = 0.2")
    editor = await home.connect()
    request, _ = await begun(editor)
    with pytest.raises(Refused, match="Nobody finished"):
        await request.answer()


async def test_a_device_signs_in(home: Home, oidc: Oidc) -> None:
    home.configure(oidc.definition())
    editor = await home.connect()
    request, code = await begun(editor, flow="device")
    assert code["url"] == f"{oidc.origin}/device"
    assert code["userCode"] in code["complete"]
    assert code["expiresAt"].endswith("Z")
    await asyncio.to_thread(Browser("bob").enter_code, code["complete"])
    assert (await request.answer())["account"] == "bob@example.test"
    assert text_of(await editor.chat("corp").answer()) == "hello bob"


@pytest.mark.parametrize(("allow", "words"), [(False, "declined"), (None, "good")])
async def test_a_device_whose_code_comes_to_nothing(home: Home, oidc: Oidc, allow: bool | None, words: str) -> None:
    home.configure(oidc.definition())
    oidc.set(device=3)
    editor = await home.connect()
    request, code = await begun(editor, flow="device")
    if allow is not None:
        await asyncio.to_thread(Browser().enter_code, code["complete"], allow=allow)
    with pytest.raises(Refused, match=words) as refused:
        await request.answer()
    assert refused.value.code == "SignInFailed"


async def test_several_accounts_and_the_same_one_again(home: Home, oidc: Oidc) -> None:
    home.configure(oidc.definition())
    editor = await home.connect()
    first = await signed_in(editor)
    assert (await signed_in(editor, "bob", label="work"))["account"] == "work"
    again = await signed_in(editor)
    assert (again["id"], again["account"]) == (first["id"], "alice@example.test")
    accounts = (await editor.call("pointsman/listAccounts", {"provider": "corp"}))["accounts"]
    assert [account["account"] for account in accounts] == ["alice@example.test", "work"]
    with pytest.raises(Refused, match="2 accounts") as refused:
        await editor.call("pointsman/signOut", {"provider": "corp"})
    assert refused.value.code == "UnknownCredential"
    with pytest.raises(Refused, match="No account"):
        await editor.call("pointsman/signOut", {"provider": "corp", "account": "nobody"})


async def test_two_people_of_one_account_are_two(home: Home, oidc: Oidc) -> None:
    home.configure(oidc.definition(more={"account_claim": ["https://api.example.test/auth", "team"]}))
    editor = await home.connect()
    first, second = await signed_in(editor), await signed_in(editor, "bob")
    assert first["id"] != second["id"]
    assert (await signed_in(editor))["id"] == first["id"]


async def test_signing_out_ends_the_tokens_at_the_provider(home: Home, oidc: Oidc) -> None:
    home.configure(oidc.definition())
    editor, other = await home.connect(), await home.connect()
    await signed_in(editor)
    done = await editor.call("pointsman/signOut", {"provider": "corp"})
    assert done == {"provider": "corp", "account": "alice@example.test", "revoked": True}
    assert [entry["status"] for entry in oidc.asked("/oauth/revoke")] == [200]
    await other.told("pointsman/providersChanged", lambda told: "corp" in told["changed"])
    with pytest.raises(Refused) as refused:
        await other.chat("corp").answer()
    assert refused.value.code == "SignInNeeded"


async def test_signing_out_where_the_provider_can_not_be_reached(home: Home, oidc: Oidc) -> None:
    home.configure(oidc.definition())
    editor = await home.connect()
    await signed_in(editor)
    home.configure(oidc.definition(more={"revoke_url": f"{oidc.origin}/nowhere"}))
    await editor.call("pointsman/reloadConfig")
    done = await editor.call("pointsman/signOut", {"provider": "corp"})
    assert (done["revoked"], done["error"]["code"]) == (False, "BadReply")
    assert (await editor.call("pointsman/listAccounts"))["accounts"] == []


async def test_tokens_go_to_no_other_address(home: Home, oidc: Oidc) -> None:
    home.configure(oidc.definition())
    editor = await home.connect()
    await signed_in(editor)
    home.configure(oidc.definition().replace(oidc.base_url, "http://127.0.0.1:9/v1"))
    await editor.call("pointsman/reloadConfig")
    (account,) = (await editor.call("pointsman/listAccounts"))["accounts"]
    assert account["state"] == "wrongOrigin"
    with pytest.raises(Refused) as refused:
        await editor.chat("corp").answer()
    assert refused.value.code == "WrongOrigin"


async def test_a_provider_without_a_sign_in_says_so(home: Home) -> None:
    editor = await home.connect()
    with pytest.raises(Refused, match="no sign-in"):
        await editor.call("pointsman/signIn", {"provider": "echo"})
    with pytest.raises(Refused, match="by its own program") as refused:
        await editor.call("pointsman/signIn", {"provider": "claude-code-max"})
    assert "`claude login`" in refused.value.data["advice"]


async def test_an_account_that_is_refused_asks_every_editor(home: Home, oidc: Oidc) -> None:
    home.configure(oidc.definition())
    oidc.set(access=2)
    editor, other = await home.connect(), await home.connect(stock=True)
    await signed_in(editor)
    oidc.set(fail=1000, status=400, error="invalid_grant")
    with pytest.raises(Refused) as refused:
        async with asyncio.timeout(20):
            while await editor.chat("corp").answer():
                pass
    assert refused.value.code == "SignInNeeded"
    asked = [await each.asked("window/showMessageRequest") for each in (editor, other)]
    assert [action["title"] for action in asked[0]["params"]["actions"]] == ["Sign in"]
    (account,) = (await editor.call("pointsman/listAccounts"))["accounts"]
    assert account["state"] == "signInNeeded"
    (key,) = (await editor.call("pointsman/listKeys"))["keys"]
    assert (key["usable"], "pointsman login corp" in key["note"]) == (False, True)
    await editor.call("pointsman/switchModel", {"model": "corp", "scope": "global"})
    current = await editor.call("pointsman/currentModel")
    assert (current["state"], "pointsman login corp" in current["why"]) == ("unavailable", True)
    other.answer(asked[1]["id"], {"title": "Sign in"})
    oidc.set(access=3600, fail=0)
    shown = await other.told("window/showMessage", lambda told: "http" in told["message"])
    await asyncio.to_thread(Browser().sign_in, shown["message"].split()[-1])
    await editor.told("pointsman/providersChanged", lambda told: "corp" in told["changed"])
    (account,) = (await editor.call("pointsman/listAccounts"))["accounts"]
    assert account["state"] == "ready"
    assert (await editor.call("pointsman/currentModel"))["state"] == "available"
    assert (await editor.call("pointsman/listKeys"))["keys"][0]["usable"]
    assert text_of(await editor.chat("corp").answer()) == "hello alice"


async def test_no_token_is_said_anywhere(home: Home, oidc: Oidc) -> None:
    home.configure(oidc.definition())
    editor = await home.connect()
    await signed_in(editor)
    await editor.chat("corp").answer()
    await editor.call("pointsman/signOut", {"provider": "corp"})
    shown = json.dumps([editor.heard, await home.whole_log()])
    shown += "".join(file.read_bytes().decode("latin-1") for file in home.data.iterdir() if file.is_file())
    assert oidc.issued
    assert not [token for token in oidc.issued if token in shown]


async def test_ports_that_are_taken(home: Home, oidc: Oidc) -> None:
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        home.configure(oidc.definition(more={"redirect_ports": [port]}))
        editor = await home.connect()
        with pytest.raises(Refused, match=str(port)) as refused:
            await editor.call("pointsman/signIn", {"provider": "corp"})
    assert "--device" in refused.value.data["advice"]


@pytest.mark.parametrize("host", ["localhost", "[::1]"])
async def test_where_a_redirect_may_lead(home: Home, oidc: Oidc, host: str) -> None:
    path = "/auth/callback" if host == "localhost" else "/callback"
    home.configure(oidc.definition(more={"redirect_host": host, "redirect_path": path}))
    editor = await home.connect()
    assert (await signed_in(editor))["account"] == "alice@example.test"


def test_the_page_needs_nothing_from_elsewhere() -> None:
    page = (Path(__file__).parents[2] / "server/pointsman/edge/landing.html").read_text()
    assert not [word for word in ("http:", "https:", "<script", "src=", "@import", "url(") if word in page]


async def test_many_sign_ins_at_once_leave_one(home: Home, oidc: Oidc) -> None:
    home.configure(oidc.definition())
    editor = await home.connect()
    request, _ = await begun(editor)
    others = [editor.begin("pointsman/signIn", {"provider": "corp"}) for _ in range(5)]
    for each in (request, *others[:-1]):
        with pytest.raises(Refused, match="begun anew"):
            await asyncio.wait_for(each.answer(), 20)
    others[-1].cancel()
    with pytest.raises(Refused):
        await others[-1].answer()


async def test_a_sign_in_under_a_label_that_nobody_could_read(home: Home, oidc: Oidc) -> None:
    home.configure(oidc.definition())
    editor = await home.connect()
    with pytest.raises(Refused) as refused:
        await editor.call("pointsman/signIn", {"provider": "corp", "label": "a\x1b[2J"})
    assert refused.value.code == "BadRequest"
