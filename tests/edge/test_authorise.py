"""A key goes onto the request where the provider's scheme wants it, and out of what a provider says about it."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace

import pytest

from pointsman.core.catalogue import Auth, Provider
from pointsman.core.errors import CredentialError, InvalidKey
from pointsman.core.http import Head, Request
from pointsman.core.parameters import Parameter
from pointsman.core.secret import Secret
from pointsman.edge.authorise import authorise, redact
from pointsman.edge.aws import AwsKeys
from pointsman.edge.credential import Credential, Fetch

KEY = Secret("sk-0123456789")
PLAIN = Request("POST", "https://h/", {"x-team": "blue"}, b"body")


def acme(auth: Auth) -> Provider:
    return Provider(id="acme", name="Acme", base_url="https://h", auth=auth, parameters={"region": Parameter("eu-1")})


async def nothing(request: Request, connect: float) -> tuple[Head, bytes]:
    raise AssertionError("nothing has to be asked")


@pytest.mark.parametrize(
    ("auth", "key", "headers"),
    [
        (Auth("bearer"), KEY, {"authorization": "Bearer sk-0123456789"}),
        (Auth("optional-key"), KEY, {"authorization": "Bearer sk-0123456789"}),
        (Auth("passthrough"), KEY, {"authorization": "Bearer sk-0123456789"}),
        (Auth("gcp"), KEY, {"authorization": "Bearer sk-0123456789"}),
        (Auth("aws"), KEY, {"authorization": "Bearer sk-0123456789"}),
        (Auth("header"), KEY, {"x-api-key": "sk-0123456789"}),
        (Auth("header", header="api-key"), KEY, {"api-key": "sk-0123456789"}),
        (Auth("bearer"), None, {}),
        (Auth("none"), None, {}),
    ],
)
async def test_where_the_key_goes(auth: Auth, key: Secret | None, headers: dict[str, str]) -> None:
    request = await authorise(PLAIN, acme(auth), Credential(key), nothing)
    assert request == Request("POST", "https://h/", {"x-team": "blue", **headers}, b"body")
    assert PLAIN.headers == {"x-team": "blue"}
    assert "0123" not in repr(request)


async def test_a_key_of_aws_never_goes_in_the_clear() -> None:
    with pytest.raises(CredentialError, match="https alone, and its base URL begins with http://") as refused:
        await authorise(replace(PLAIN, url="http://h/"), acme(Auth("aws")), Credential(KEY), nothing)
    assert refused.value.provider == "acme"
    assert "0123" not in str(refused.value)


async def test_a_way_makes_its_own_proof() -> None:
    way = AwsKeys("AKIDEXAMPLE0123", Secret("not-a-real-secret"))
    request = await authorise(PLAIN, acme(Auth("aws")), Credential(way=way), nothing)
    assert request.headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE0123/")
    assert (request.url, request.body, request.headers["x-team"]) == ("https://h/", b"body", "blue")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Incorrect key: sk-0123456789.", "Incorrect key: sk-012…."),
        ("sk-0123456789sk-0123456789", "sk-012…sk-012…"),
        ("Nothing of it.", "Nothing of it."),
        ("The end is cut: sk-01234567", "The end is cut: sk-012…"),
        ("The end is cut: sk%2D01234567", "The end is cut: sk-012…"),
        ("Not for /v1/sk%2d0123456789/x", "Not for /v1/sk-012…/x"),
        ("Not for " + b64encode(b"me:sk-0123456789").decode(), "Not for bWU6sk-012…Q=="),
    ],
)
def test_a_key_is_taken_out_of_what_a_provider_says(said: str, told: str) -> None:
    error = redact(InvalidKey(said), Credential(KEY))
    assert error.message == told
    assert error.data().message == told
    assert "0123" not in str(error)


def test_the_secrets_of_a_way_are_taken_out_too() -> None:
    way = AwsKeys("AKIDEXAMPLE0123", Secret("not-a-real-secret"), Secret("not-a-real-token"))
    error = redact(InvalidKey("x-amz-security-token:not-a-real-token, not-a-real-secret"), Credential(way=way))
    assert error.message == "x-amz-security-token:not-a-re…, not-a-re…"


@pytest.mark.parametrize("credential", [None, Credential()])
def test_without_a_key_nothing_is_taken_out(credential: Credential | None) -> None:
    assert redact(InvalidKey("sk-nobodys-key"), credential).message == "sk-nobodys-key"


class Token:
    """A way that sends a token, as Google's."""

    account, secrets, signs = None, (), False

    async def authorise(self, request: Request, provider: Provider, fetch: Fetch) -> Request:
        return replace(request, headers={"authorization": "Bearer t"})


async def test_a_token_of_google_never_goes_in_the_clear() -> None:
    sent = await authorise(PLAIN, acme(Auth("gcp")), Credential(way=Token()), nothing)
    assert sent.headers == {"authorization": "Bearer t"}
    for credential in (Credential(way=Token()), Credential(KEY)):
        with pytest.raises(CredentialError, match="https alone"):
            await authorise(replace(PLAIN, url="http://h/"), acme(Auth("gcp")), credential, nothing)


def test_a_key_is_taken_out_of_the_advice_too() -> None:
    error = redact(InvalidKey("No.", "Look at sk-0123456789 again."), Credential(KEY))
    assert error.advice == "Look at sk-012… again."
