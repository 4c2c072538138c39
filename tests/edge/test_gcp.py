"""Google's application default credentials: tokens for a service account or a person, got once, kept a while."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import traceback
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from pointsman.core.catalogue import Auth, Provider
from pointsman.core.errors import ConnectFailed, MissingExtra, Overloaded, PointsmanError, SignInNeeded, TimedOut
from pointsman.core.http import Head, Request
from pointsman.edge import gcp
from pointsman.edge.gcp import GoogleAccount
from pointsman.edge.transport import Transports, transports
from tests.counterparts.scripts import Reply
from tests.counterparts.upstream import Request as Seen
from tests.counterparts.upstream import Upstream

VERTEX = Provider(id="v", base_url="http://h", auth=Auth("gcp"))
PLAIN = Request("POST", "http://h/x", {"x-team": "blue"}, b"body")
PERSON = {
    "type": "authorized_user",
    "client_id": "not-a-client",
    "client_secret": "not-a-secret",
    "refresh_token": "not-a-refresh-token",
}


@cache
def key() -> rsa.RSAPrivateKey:
    """A key made for these tests, once."""
    return rsa.generate_private_key(65537, 2048)


@pytest_asyncio.fixture
async def out(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Transports]:
    """Our own HTTP; the process has credentials of its own, which are nobody's."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/foreign.json")
    monkeypatch.setenv("GOOGLE_CLOUD_QUOTA_PROJECT", "foreign")
    out = transports()
    yield out
    await out.close()


def service(upstream: Upstream, file: Path, name: str = "robot") -> GoogleAccount:
    """A service account whose tokens come from the scripted provider."""
    pem = key().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write(
        file,
        type="service_account",
        client_email=f"{name}@project.example",
        private_key=pem.decode(),
        private_key_id="1",
        token_uri=f"{upstream.base_url}/token",
    )
    return GoogleAccount(str(file))


def write(file: Path, **info: Any) -> None:
    """Writes a file of credentials; its time moves on, however fast the test is."""
    before = file.stat().st_mtime_ns if file.exists() else 0
    file.write_text(json.dumps(info))
    os.utime(file, ns=(before + 10**9, before + 10**9))


def token(value: str, lasts: int = 3600) -> Reply:
    answer = {"access_token": value, "expires_in": lasts, "token_type": "Bearer"}
    return Reply(json.dumps(answer).encode(), headers={"content-type": "application/json"})


def claims(seen: Seen) -> dict[str, Any]:
    """What the account claims, once its signature has been checked."""
    form = parse_qs(seen.body.decode())
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    head, payload, signature = form["assertion"][0].split(".")
    public = key().public_key()
    public.verify(_decoded(signature), f"{head}.{payload}".encode(), padding.PKCS1v15(), hashes.SHA256())
    said: dict[str, Any] = json.loads(_decoded(payload))
    return said


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


async def test_a_service_account_asks_for_a_token_once(out: Transports, upstream: Upstream, tmp_path: Path) -> None:
    upstream.script("/v1/token", token("not-a-real-token"))
    account = service(upstream, tmp_path / "robot.json")
    assert (account.account, account.secrets) == (None, ())
    found = await asyncio.gather(*(account.authorise(PLAIN, VERTEX, out.fetch) for _ in range(8)))
    found.append(await account.authorise(PLAIN, VERTEX, out.fetch))
    assert {request.headers["authorization"] for request in found} == {"Bearer not-a-real-token"}
    assert all(request.headers["x-team"] == "blue" and request.body == b"body" for request in found)
    (seen,) = upstream.requests
    said = claims(seen)
    assert (said["iss"], said["aud"]) == ("robot@project.example", "https://oauth2.googleapis.com/token")
    assert said["scope"] == "https://www.googleapis.com/auth/cloud-platform"
    assert account.account == "robot@pr…"
    assert [secret.reveal() for secret in account.secrets] == ["not-a-real-token"]
    assert "token" not in repr(account)


async def test_a_token_is_renewed_before_it_ends(out: Transports, upstream: Upstream, tmp_path: Path) -> None:
    upstream.script("/v1/token", token("first", lasts=100), token("second"))
    account = service(upstream, tmp_path / "robot.json")
    said = [(await account.authorise(PLAIN, VERTEX, out.fetch)).headers["authorization"] for _ in range(3)]
    assert said == ["Bearer first", "Bearer second", "Bearer second"]
    assert [secret.reveal() for secret in account.secrets] == ["second", "first"], "a request may still carry it"
    assert len(upstream.requests) == 2


async def test_a_changed_file_is_read_anew(out: Transports, upstream: Upstream, tmp_path: Path) -> None:
    upstream.script("/v1/token", token("first"), token("second"))
    file = tmp_path / "robot.json"
    account = service(upstream, file)
    assert account.is_there()
    await account.authorise(PLAIN, VERTEX, out.fetch)
    service(upstream, file, "other")
    request = await account.authorise(PLAIN, VERTEX, out.fetch)
    assert (request.headers["authorization"], account.account) == ("Bearer second", "other@pr…")
    assert [claims(seen)["iss"] for seen in upstream.requests] == ["robot@project.example", "other@project.example"]
    file.unlink()
    assert not account.is_there()
    with pytest.raises(SignInNeeded, match="no credentials"):
        await account.authorise(PLAIN, VERTEX, out.fetch)


class Google:
    """Google's own token endpoint, played."""

    def __init__(self, *answers: tuple[int, dict[str, Any]] | PointsmanError) -> None:
        self.answers, self.asked = list(answers), list[Request]()
        self.may_answer, self.was_asked = asyncio.Event(), asyncio.Event()
        self.may_answer.set()

    async def fetch(self, request: Request, connect: float) -> tuple[Head, bytes]:
        """Answers in turn; the last one stays."""
        self.asked.append(request)
        self.was_asked.set()
        await self.may_answer.wait()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, PointsmanError):
            raise answer
        return Head(answer[0], {"content-type": "application/json"}), json.dumps(answer[1]).encode()


GIVEN = (200, {"access_token": "not-a-real-token", "expires_in": 3600})


def person(tmp_path: Path, **more: str) -> GoogleAccount:
    write(tmp_path / "adc.json", **PERSON, **more)
    return GoogleAccount(str(tmp_path / "adc.json"))


async def test_a_person_s_sign_in_is_renewed_at_google(tmp_path: Path) -> None:
    google, account = Google(GIVEN), person(tmp_path, account="somebody@example.org", quota_project_id="payer")
    request = await account.authorise(PLAIN, VERTEX, google.fetch)
    assert request.headers["authorization"] == "Bearer not-a-real-token"
    assert request.headers["x-goog-user-project"] == "payer"
    assert account.account == "somebody…"
    (asked,) = google.asked
    assert (asked.method, asked.url) == ("POST", "https://oauth2.googleapis.com/token")
    form = parse_qs(asked.body.decode())
    assert (form["refresh_token"], form["grant_type"]) == (["not-a-refresh-token"], ["refresh_token"])


async def test_who_gives_up_waiting_does_not_cost_the_next_one_a_token(tmp_path: Path) -> None:
    google, account = Google(GIVEN), person(tmp_path)
    google.may_answer.clear()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(account.authorise(PLAIN, VERTEX, google.fetch))
        await google.was_asked.wait()
        second = group.create_task(account.authorise(PLAIN, VERTEX, google.fetch))
        first.cancel()
        google.may_answer.set()
    assert first.cancelled()
    assert second.result().headers["authorization"] == "Bearer not-a-real-token"
    assert len(google.asked) == 1


@pytest.mark.parametrize(
    ("answers", "kind", "words"),
    [
        ([(400, {"error": "invalid_grant", "error_description": "Token has been revoked."})], SignInNeeded, "revoked"),
        ([(401, {"error": "invalid_client"})], SignInNeeded, "invalid_client"),
        ([ConnectFailed("Nothing listens there.")], ConnectFailed, "Nothing listens there."),
        ([(503, {"error": "server_error"})], Overloaded, "Google gave no token"),
        ([(503, {"error": "server_error"}), GIVEN], None, ""),
    ],
)
async def test_what_google_answers_is_told(
    answers: list[Any], kind: type[PointsmanError] | None, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("google.auth._exponential_backoff.time.sleep", lambda _: None)
    google, account = Google(*answers), person(tmp_path)
    if kind is None:
        await account.authorise(PLAIN, VERTEX, google.fetch)
        return
    with pytest.raises(kind, match=words) as told:
        await account.authorise(PLAIN, VERTEX, google.fetch)
    assert "not-a-" not in str(told.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{not json", "holds no credentials"),
        ("[]", "of the type None"),
        ('{"type": "authorized_user"}', "holds no credentials"),
        ('{"type": "service_account", "client_email": "a", "token_uri": "b", "private_key": "c"}', "holds no creden"),
        ('{"type": "external_account"}', "of the type 'external_account'"),
        ("{}", "of the type None"),
    ],
)
async def test_a_file_that_can_t_be_used_is_told(text: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "adc.json"
    file.write_text(text)
    with pytest.raises(SignInNeeded, match=words) as told:
        await GoogleAccount(str(file)).authorise(PLAIN, VERTEX, Google(GIVEN).fetch)
    assert str(file) in told.value.message
    assert "gcloud auth application-default login" in told.value.advice


async def test_an_answer_that_never_comes_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gcp, "WITHIN", 0.05)
    google, account = Google(GIVEN), person(tmp_path)
    google.may_answer.clear()
    with pytest.raises(PointsmanError, match="no answer|within 0.05 seconds") as told:  # noqa: RUF043 - either clock
        await account.authorise(PLAIN, VERTEX, google.fetch)
    assert isinstance(told.value, (Overloaded, TimedOut))


async def test_without_the_extra_it_is_told_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.auth.exceptions", None)
    with pytest.raises(MissingExtra, match="google-auth, which is not installed") as told:
        await person(tmp_path).authorise(PLAIN, VERTEX, Google(GIVEN).fetch)
    assert "pip install 'pointsman[gcp]'" in told.value.advice


async def test_a_pipe_is_no_account(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "adc.json")
    with pytest.raises(SignInNeeded, match="holds no credentials"):
        await GoogleAccount(str(tmp_path / "adc.json")).authorise(PLAIN, VERTEX, Google(GIVEN).fetch)


async def test_whatever_google_auth_raises_is_told_without_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = person(tmp_path)

    def odd(_: GoogleAccount) -> None:
        raise RuntimeError("not-a-real-piece-of-a-key")

    monkeypatch.setattr(GoogleAccount, "_load", odd)
    with pytest.raises(SignInNeeded, match="holds no credentials") as told:
        await account.authorise(PLAIN, VERTEX, Google(GIVEN).fetch)
    assert "piece" not in "".join(traceback.format_exception(told.value))
