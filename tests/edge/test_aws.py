"""A request for AWS is signed as AWS checks it: what arrives on the wire is checked by the rules that AWS publishes.

The check is our own, and is itself checked against an example of AWS.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import sys
import threading
import traceback
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
import pytest_asyncio

from pointsman.core.catalogue import Auth, Provider
from pointsman.core.errors import MissingExtra, PointsmanError, SignInNeeded, TimedOut
from pointsman.core.http import Head, Request
from pointsman.core.parameters import Parameter
from pointsman.core.secret import Secret
from pointsman.edge import aws
from pointsman.edge.aws import AwsKeys, AwsProfile
from pointsman.edge.http import HttpTransport
from tests.counterparts.scripts import Reply
from tests.counterparts.upstream import Request as Seen
from tests.counterparts.upstream import Upstream

TARGET = "/model/us.anthropic.x%3A0/converse-stream"
BODY = b'{"messages": []}'
SECRET = "not-a-real-secret-EXAMPLEKEY"  # noqa: S105 - it says so
KEYS = AwsKeys("AKIDEXAMPLE", Secret(SECRET))
BEDROCK = Provider(id="b", base_url="http://h", auth=Auth("aws"), parameters={"region": Parameter(default="eu-west-3")})


async def nothing(request: Request, connect: float) -> tuple[Head, bytes]:
    raise AssertionError("nothing has to be asked")


def signature(
    method: str, target: str, headers: dict[str, str], body: bytes, scope: str, date: str, secret: str
) -> str:
    """What the signature has to be (AWS, "Create a signed AWS API request"): the path is encoded once more."""
    path, _, query = target.partition("?")
    said = "".join(f"{name}:{' '.join(value.split())}\n" for name, value in sorted(headers.items()))
    names, content = ";".join(sorted(headers)), hashlib.sha256(body).hexdigest()
    canonical = "\n".join([method, quote(path, safe="/-_.~"), query, said, names, content])
    to_sign = "\n".join(["AWS4-HMAC-SHA256", date, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, to_sign.encode(), "sha256").hex()


def test_the_check_itself_agrees_with_an_example_of_aws() -> None:
    """`get-vanilla` of AWS's Signature Version 4 test suite, with the keys that AWS invented for it."""
    headers = {"host": "example.amazonaws.com", "x-amz-date": "20150830T123600Z"}
    scope, secret = "20150830/us-east-1/service/aws4_request", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
    wanted = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    assert signature("GET", "/", headers, b"", scope, headers["x-amz-date"], secret) == wanted


def check(seen: Seen, secret: str, region: str = "eu-west-3") -> str:
    """Checks a request as AWS does; gives the access key that it names."""
    said = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=(\w+)/(\d{8}/([a-z0-9-]+)/(\w+)/aws4_request), "
        r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})",
        seen.header("authorization") or "",
    )
    assert said
    names = said[5].split(";")
    assert {"host", "x-amz-date", "content-type"} <= set(names)
    assert ("x-amz-security-token" in names) == (seen.header("x-amz-security-token") is not None)
    assert (said[3], said[4]) == (region, "bedrock")
    headers = {name: seen.header(name) or "" for name in names}
    date = headers["x-amz-date"]
    assert signature(seen.method, seen.target, headers, seen.body, said[2], date, secret) == said[6]
    return said[1]


@pytest_asyncio.fixture
async def transport(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[HttpTransport]:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    transport = HttpTransport()
    yield transport
    await transport.close()


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The process has credentials of its own, which are nobody's: whoever reads them signs with a wrong key."""
    foreign = tmp_path / "foreign"
    foreign.write_text("[default]\naws_access_key_id = FOREIGN\naws_secret_access_key = x\n[work]\nregion = foreign\n")
    monkeypatch.setenv("HOME", str(tmp_path / "home of the daemon"))
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "FOREIGN"),
        ("AWS_SECRET_ACCESS_KEY", "x"),
        ("AWS_SHARED_CREDENTIALS_FILE", str(foreign)),
        ("AWS_CONFIG_FILE", str(foreign)),
        ("AWS_PROFILE", "foreign"),
        ("AWS_REGION", "foreign-1"),
        ("AWS_DEFAULT_REGION", "foreign-1"),
    ):
        monkeypatch.setenv(name, value)


def asked(upstream: Upstream, target: str = TARGET, body: bytes = BODY, method: str = "POST") -> Request:
    headers = {"content-type": "application/json", "x-team": "  blue   sky "}
    return Request(method, upstream.base_url.removesuffix("/v1") + target, headers, body)


async def arrived(
    transport: HttpTransport, upstream: Upstream, way: AwsKeys | AwsProfile, request: Request | None = None
) -> Seen:
    """What arrives of a request that was signed."""
    request = await way.authorise(request or asked(upstream), BEDROCK, nothing)
    upstream.script(urlsplit(request.url).path, Reply(b"{}"))
    async with transport.stream(request, 2.0) as response:
        assert response.head.status == 200
    return upstream.requests[-1]


# Keys


@pytest.mark.parametrize(
    ("target", "body", "method"),
    [
        (TARGET, BODY, "POST"),
        ("/model/arn%3Aaws%3Abedrock%3Aeu-west-3%3A000000000000%3Aprofile%2Fx/converse", BODY, "POST"),
        ("/model/plain/converse", bytes(range(256)) * 1000, "POST"),
        ("/foundation-models?byOutputModality=TEXT", b"", "GET"),
    ],
)
async def test_what_arrives_is_what_was_signed(
    transport: HttpTransport, upstream: Upstream, target: str, body: bytes, method: str
) -> None:
    seen = await arrived(transport, upstream, KEYS, asked(upstream, target, body, method))
    assert (seen.target, seen.body, seen.method) == (target, body, method)
    assert check(seen, SECRET) == "AKIDEXAMPLE"
    assert seen.header("x-amz-security-token") is None


async def test_the_token_of_a_session_goes_along_and_is_signed(transport: HttpTransport, upstream: Upstream) -> None:
    keys = AwsKeys("ASIDEXAMPLE", Secret(SECRET), Secret("not-a-real-session-token"))
    seen = await arrived(transport, upstream, keys)
    assert check(seen, SECRET) == "ASIDEXAMPLE"
    assert seen.header("x-amz-security-token") == "not-a-real-session-token"


async def test_the_check_sees_a_wrong_key(transport: HttpTransport, upstream: Upstream) -> None:
    with pytest.raises(AssertionError):
        check(await arrived(transport, upstream, KEYS), "another secret")


def test_keys_show_nothing_but_a_mask() -> None:
    keys = AwsKeys("AKIDEXAMPLE0123456789", Secret(SECRET), Secret("not-a-real-session-token"))
    assert keys.account == "AKIDEXAM…"
    assert AwsKeys("AKID", Secret(SECRET)).account == "AK…"
    assert "not-a-real" not in repr(keys)
    assert [secret.reveal() for secret in keys.secrets] == [SECRET, "not-a-real-session-token"]


# Profiles


class Home:
    """A home with files of AWS."""

    def __init__(self, folder: Path) -> None:
        self.credentials, self.config = folder / "credentials", folder / "config"

    def profile(self, name: str = "work") -> AwsProfile:
        return AwsProfile(name, str(self.credentials), str(self.config), str(self.config.parent))

    def keys(self, id: str, secret: str = SECRET, name: str = "work") -> None:
        """Writes keys into the file for them; the time of the file moves on, however fast the test is."""
        text = f"[{name}]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"
        before = self.credentials.stat().st_mtime_ns if self.credentials.exists() else 0
        self.credentials.write_text(text)
        os.utime(self.credentials, ns=(before + 10**9, before + 10**9))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    folder = tmp_path / ".aws"
    folder.mkdir()
    return Home(folder)


async def test_a_profile_of_the_connection_is_used_and_read_anew_when_it_changes(
    home: Home, transport: HttpTransport, upstream: Upstream
) -> None:
    home.keys("AKIDFIRST")
    profile = home.profile()
    assert profile.account == "wo…"
    assert not profile.secrets
    assert check(await arrived(transport, upstream, profile), SECRET) == "AKIDFIRST"
    assert profile.account == "AKID…"
    assert [secret.reveal() for secret in profile.secrets] == [SECRET]
    home.keys("AKIDSECOND", "another-secret")
    assert check(await arrived(transport, upstream, profile), "another-secret") == "AKIDSECOND"
    assert "secret" not in repr(profile).replace("shared", "")


async def test_a_profile_may_run_a_program(home: Home, transport: HttpTransport, upstream: Upstream) -> None:
    said = f'{{"Version": 1, "AccessKeyId": "AKIDPROGRAM", "SecretAccessKey": "{SECRET}", "SessionToken": "t"}}'
    program = home.config.with_name("program.py")
    program.write_text(f"print({said!r})")
    home.config.write_text(f"[profile work]\ncredential_process = {sys.executable} {program}\n")
    assert check(await arrived(transport, upstream, home.profile()), SECRET) == "AKIDPROGRAM"


async def test_a_profile_may_take_on_a_role(home: Home, transport: HttpTransport, upstream: Upstream) -> None:
    """The session that AWS gives for it is kept while it lasts, and signs."""
    home.keys("AKIDBASE", name="base")
    place = upstream.base_url.removesuffix("/v1")
    role = "role_arn = arn:aws:iam::000000000000:role/x\nsource_profile = base"
    home.config.write_text(f"[profile work]\n{role}\nendpoint_url = {place}\n")
    upstream.script("/", Reply(ROLE.encode()))
    profile = home.profile()
    for _ in range(2):
        seen = await arrived(transport, upstream, profile)
        assert check(seen, SECRET) == "ASIDROLE"
        assert seen.header("x-amz-security-token") == "not-a-real-token"
    assert [request.path for request in upstream.requests].count("/") == 1
    asked_first = upstream.request(0)
    assert b"Action=AssumeRole" in asked_first.body
    assert "Credential=AKIDBASE/" in (asked_first.header("authorization") or "")


ROLE = f"""\
<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
<AssumedRoleUser><Arn>arn:aws:sts::000000000000:assumed-role/x/y</Arn><AssumedRoleId>A:y</AssumedRoleId></AssumedRoleUser>
<Credentials><AccessKeyId>ASIDROLE</AccessKeyId><SecretAccessKey>{SECRET}</SecretAccessKey>
<SessionToken>not-a-real-token</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration></Credentials>
</AssumeRoleResult></AssumeRoleResponse>"""


@pytest.mark.parametrize(
    ("credentials", "config", "there"),
    [
        ("[work]\n", "", True),
        (" [ work ]\n", "", True),
        ("", "[profile work]\n", True),
        ("", '[profile "work"]\n', True),
        ("", "[default]\n[profile workshop]\n", False),
        ("# [work]\n", "", False),
        (None, None, False),
    ],
)
def test_whether_a_profile_is_there(home: Home, credentials: str | None, config: str | None, there: bool) -> None:
    for path, text in ((home.credentials, credentials), (home.config, config)):
        if text is not None:
            path.write_text(text)
    profile = home.profile()
    assert profile.is_there() is there
    assert profile.is_there() is there
    home.keys("AKIDLATER")
    assert profile.is_there()


@pytest.mark.parametrize(
    ("credentials", "config", "reason"),
    [
        ("", "", "no credentials in it"),
        ("[work]\n", "", "no credentials in it"),
        ("[work]\naws_access_key_id = AKIDONLY\n", "", "Partial credentials"),
        ("[work]\naws_access_key_id\n", "", "nable to parse config file"),
        ("", "[profile work]\nsso_session = none\nsso_account_id = 1\nsso_role_name = r\n", "sso"),
        ("", "[profile work]\nrole_arn = arn:x\ncredential_source = Ec2InstanceMetadata\n", "no source provider"),
        ("", "[profile work]\nrole_arn = arn:x\ncredential_source = Environment\n", "no source provider"),
        (
            "[base]\naws_access_key_id = AKIDBASE\naws_secret_access_key = x\n",
            "[profile work]\nrole_arn = arn:aws:iam::000000000000:role/x\nsource_profile = base\nmfa_serial = m\n",
            "the code of a second factor",
        ),
    ],
)
async def test_a_profile_that_can_t_be_used_is_told(home: Home, credentials: str, config: str, reason: str) -> None:
    home.credentials.write_text(credentials)
    home.config.write_text(config)
    with pytest.raises(SignInNeeded, match="The AWS profile 'work' can't be used") as told:
        await home.profile().authorise(Request("GET", "http://h/"), BEDROCK, nothing)
    assert reason in told.value.message
    assert "aws sso login --profile work" in told.value.advice
    assert str(home.credentials) in told.value.advice


async def test_a_profile_that_takes_too_long_is_given_up(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """And it is not begun a second time while the first still hangs."""
    monkeypatch.setattr(aws, "WITHIN", 0.01)
    profile, may_end, begun = home.profile(), threading.Event(), list[str]()

    def hang(region: str) -> AwsKeys:
        begun.append(region)
        may_end.wait()
        return KEYS

    monkeypatch.setattr(profile, "_keys", hang)
    for _ in range(3):
        with pytest.raises(TimedOut, match=r"'work' gave no credentials within 0\.01 seconds"):
            await profile.authorise(Request("GET", "http://h/"), BEDROCK, nothing)
    assert begun == ["eu-west-3"]
    monkeypatch.setattr(aws, "WITHIN", 20.0)
    may_end.set()
    request = await profile.authorise(Request("GET", "http://h/"), BEDROCK, nothing)
    assert "AKIDEXAMPLE" in request.headers["Authorization"]


@pytest.mark.parametrize("way", [KEYS, AwsProfile("work", "/none", "/none", "/none")])
async def test_without_the_extra_it_is_told_how_to_install_it(
    way: AwsKeys | AwsProfile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "botocore", None)
    with pytest.raises(PointsmanError, match="botocore, which is not installed") as told:
        await way.authorise(Request("GET", "http://h/"), BEDROCK, nothing)
    assert isinstance(told.value, MissingExtra)
    assert "pip install 'pointsman[aws]'" in told.value.advice


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("import sys; sys.exit('not-a-real-password')", "the program of its `credential_process` failed"),
        ("print('not-a-real-password')", "JSONDecodeError"),
        (
            'print(\'{"Version": 1, "AccessKeyId": "A", "SecretAccessKey": "s", "SessionToken": "t", \''
            '\'"Expiration": "not-a-real-password"}\')',
            "can't be used",
        ),
    ],
)
async def test_what_a_program_says_is_never_quoted(home: Home, program: str, reason: str) -> None:
    file = home.config.with_name("program.py")
    file.write_text(program)
    home.config.write_text(f"[profile work]\ncredential_process = {sys.executable} {file}\n")
    with pytest.raises(SignInNeeded, match="The AWS profile 'work' can't be used") as told:
        await home.profile().authorise(Request("GET", "http://h/"), BEDROCK, nothing)
    assert reason in told.value.message
    shown = "".join(traceback.format_exception(told.value))
    assert "not-a-real-password" not in shown.replace(str(file), "")


def test_a_pipe_or_a_device_is_no_file_of_profiles(home: Home) -> None:
    os.mkfifo(home.credentials)
    profile = AwsProfile("work", str(home.credentials), "/dev/zero", "/none")
    assert not profile.is_there()
    assert not AwsProfile("work", "a\0b", "/none", "/none").is_there()
