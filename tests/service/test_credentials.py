"""Which keys a provider is asked with: those of this connection alone, in turn, and where one would be looked for."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from pointsman.core.catalogue import Auth, Links, Provider, Scheme
from pointsman.core.environment import Environment
from pointsman.core.errors import MissingKey, MissingSetting, SignInNeeded
from pointsman.core.parameters import Parameter
from pointsman.core.secret import Secret
from pointsman.edge.aws import AwsKeys, AwsProfile
from pointsman.edge.gcp import GoogleAccount
from pointsman.service.credentials import MOST_KEPT, Credentials


def acme(auth: Auth | None = None, **more: Any) -> Provider:
    return Provider(id="acme-x", name="Acme", base_url="http://h", auth=auth or Auth("bearer", "ACME_KEY"), **more)


@pytest.mark.parametrize(
    ("provider", "variables", "keys"),
    [
        (acme(), {"ACME_KEY": "a"}, ["a"]),
        (acme(), {"ACME_KEY": "a", "ACME_KEY_1": "b", "ACME_KEY_2": "a"}, ["a", "b"]),
        (acme(), {"ACME_X_API_KEY": "a"}, []),
        (acme(), {}, []),
        (acme(Auth("bearer")), {"ACME_X_API_KEY": "a"}, ["a"]),
        (acme(Auth("header", ("A", "B"))), {"B_1": "b", "A": "a"}, ["a", "b"]),
        (acme(Auth("none", "ACME_KEY")), {"ACME_KEY": "a"}, []),
        (acme(Auth("optional-key", "ACME_KEY")), {"ACME_KEY": "a"}, ["a"]),
        (acme(keys=("env:ONE", "env:TWO")), {"ONE": "1", "TWO": "2", "ACME_KEY": "a"}, ["1", "2"]),
        (acme(keys=("env:ONE", "env:TWO")), {"TWO": "2"}, ["2"]),
        (acme(keys=("env:ONE", "env:ONE", "plain", "plain")), {"ONE": "1", "ONE_1": "x"}, ["1", "plain"]),
        (acme(keys=("env:ONE",)), {"ACME_KEY": "a"}, []),
        (acme(keys=("", "env:")), {"ACME_KEY": "a"}, []),
        (acme(keys=("env:ONE",), api_key="plain"), {"ONE": "1"}, ["plain", "1"]),
        (acme(keys=("!OAUTH",)), {"ACME_KEY": "a", "ACME_KEY_1": "!OAUTH"}, ["a"]),
    ],
)
def test_the_keys_of_a_connection(provider: Provider, variables: dict[str, str], keys: list[str]) -> None:
    environment = Environment(variables)
    found = Credentials().all(provider, environment)
    assert [credential.key.reveal() for credential in found if credential.key] == keys
    assert all(credential.way is None for credential in found)
    free = provider.auth.scheme in {"none", "optional-key"}
    assert Credentials().usable(provider, environment) == (bool(keys) or free)


def turns(credentials: Credentials, provider: Provider, **variables: str) -> list[str | None]:
    found = credentials.in_turn(provider, Environment(variables))
    return [credential.key.reveal() if credential.key else None for credential in found]


def test_keys_take_turns() -> None:
    credentials, provider = Credentials(), acme(keys=("a", "b", "c"))
    assert [turns(credentials, provider) for _ in range(4)] == [list("abc"), list("bca"), list("cab"), list("abc")]
    assert turns(credentials, Provider(id="other", base_url="http://h", keys=("x", "y"))) == ["x", "y"]


def test_a_key_is_known_by_its_mask() -> None:
    (credential,) = Credentials().in_turn(acme(), Environment({"ACME_KEY": "sk-0123456789abcdef"}))
    assert credential.account == "sk-01234…"
    assert "0123456789" not in repr(credential)


def test_a_key_that_the_configuration_does_not_say_any_more_is_forgotten() -> None:
    credentials, connection = Credentials(), Environment()
    changed, gone = acme(keys=("not-a-key-of-one",)), structs.replace(acme(keys=("not-a-key-of-two",)), id="gone")
    former = [
        weakref.ref(found.key) for each in (changed, gone) for found in credentials.all(each, connection) if found.key
    ]
    assert all(secret() for secret in former)
    changed, gone = acme(keys=("not-a-key-of-now",)), acme()
    assert [found.key for found in credentials.all(changed, connection)] == [Secret("not-a-key-of-now")]
    assert [secret() for secret in former] == [None, None]


def test_keys_that_look_alike_are_told_apart() -> None:
    """By their names where these differ; the same key twice is one key."""
    alike = [f"fake-key-not-real-{letter}" for letter in "abc"]
    named = acme(Auth(scheme="bearer"), keys=("env:ONE", alike[1], alike[2], "env:TWO", "other-fake-key-000"))
    variables = Environment({"ONE": alike[0], "TWO": alike[2]})
    seen = [each.account for each in Credentials().all(named, variables)]
    assert seen == ["fake-key… (ONE)", "fake-key… (2)", "fake-key… (3)", "other-fa…"]
    numbered = acme(Auth(scheme="bearer", env="KEY"))
    variables = Environment({"KEY_1": alike[0], "KEY_2": alike[1]})
    assert [each.account for each in Credentials().all(numbered, variables)] == [
        "fake-key… (KEY_1)",
        "fake-key… (KEY_2)",
    ]


def test_where_none_is_needed_there_is_none() -> None:
    for scheme in ("none", "optional-key"):
        (credential,) = Credentials().in_turn(acme(Auth(scheme, "ACME_KEY")), Environment())
        assert (credential.key, credential.account) == (None, None)


@pytest.mark.parametrize(
    ("provider", "words"),
    [
        (acme(), ["Set ACME_KEY in"]),
        (acme(Auth("bearer", ("A", "B"))), ["Set A or B in"]),
        (acme(Auth("bearer")), ["Set ACME_X_API_KEY in"]),
        (acme(keys=("env:ONE", "env:TWO")), ["Set ONE or TWO in"]),
        (acme(links=Links(keys="https://acme.example/keys")), ["Set ACME_KEY in", "https://acme.example/keys"]),
    ],
)
def test_a_missing_key_is_told_with_where_it_would_be_looked_for(provider: Provider, words: list[str]) -> None:
    with pytest.raises(MissingKey, match="Acme has no key") as missing:
        Credentials().in_turn(provider, Environment({"OTHER": "x"}))
    assert missing.value.provider == "acme-x"
    for word in words:
        assert word in missing.value.advice


# Clouds


def cloud(scheme: Scheme, env: str | tuple[str, ...] = "CLOUD_KEY") -> Provider:
    return acme(Auth(scheme, env), parameters={"region": Parameter(default="eu-1")})


class Homes:
    """A home of the connection, and one of the daemon, which nobody may look into."""

    def __init__(self, folder: Path) -> None:
        self.own, self.foreign = folder / "own", folder / "foreign"

    def write(self, name: str, text: str = "[default]\n[work]\n") -> str:
        """Writes a file into the connection's home."""
        path = self.own / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)

    def environment(self, **variables: str) -> Environment:
        return Environment({"HOME": str(self.own), **variables})


@pytest.fixture
def homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Homes:
    homes = Homes(tmp_path)
    for name in (".aws/credentials", ".config/gcloud/application_default_credentials.json"):
        path = homes.foreign / name
        path.parent.mkdir(parents=True)
        path.write_text("[default]\n")
    path = homes.foreign / ".aws/credentials"
    monkeypatch.setenv("HOME", str(homes.foreign))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "CLOUD_KEY", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.setenv(name, str(path))
    return homes


AWS_KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "not-a-real-secret"}
SESSION = {"AWS_SESSION_TOKEN": "t", "AWS_PROFILE": "work"}


def test_aws_keys_of_the_environment(homes: Homes) -> None:
    homes.write(".aws/credentials")
    (found,) = Credentials().all(cloud("aws"), homes.environment(**AWS_KEYS, **SESSION))
    assert found.way == AwsKeys("AKIDEXAMPLE", Secret("not-a-real-secret"), Secret("t"))
    assert found.account == "AKIDE…"
    assert "not-a-real" not in repr(found)


def test_a_bearer_key_of_aws_comes_first(homes: Homes) -> None:
    found = Credentials().all(cloud("aws"), homes.environment(**AWS_KEYS, CLOUD_KEY="not-a-key"))
    assert [credential.key for credential in found] == [Secret("not-a-key")]


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({}, "default"),
        ({"AWS_PROFILE": "work"}, "work"),
        ({"AWS_DEFAULT_PROFILE": "work"}, "work"),
        ({"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE"}, "default"),
        ({"AWS_SECRET_ACCESS_KEY": "not-a-real-secret"}, "default"),
        ({"AWS_PROFILE": "other"}, None),
    ],
)
def test_a_profile_of_the_connection_s_home(homes: Homes, variables: dict[str, str], name: str | None) -> None:
    path = homes.write(".aws/credentials")
    credentials, environment = Credentials(), homes.environment(**variables)
    found = [credential.way for credential in credentials.all(cloud("aws"), environment)]
    assert credentials.usable(cloud("aws"), environment) == bool(name)
    if name is None:
        assert found == []
        return
    (way,) = found
    assert isinstance(way, AwsProfile)
    folder = str(homes.own / ".aws")
    assert (way.name, way.credentials_file, way.config_file, way.folder) == (name, path, f"{folder}/config", folder)
    assert credentials.all(cloud("aws"), environment)[0].way is way, "what it keeps is kept"


def test_files_of_aws_that_variables_name(homes: Homes) -> None:
    path = homes.write("elsewhere/config", "[profile work]\n")
    for named in (path, "~/elsewhere/config"):
        environment = homes.environment(AWS_CONFIG_FILE=named, AWS_PROFILE="work")
        (found,) = Credentials().all(cloud("aws"), environment)
        assert isinstance(found.way, AwsProfile)
        assert found.way.config_file == path


@pytest.mark.parametrize(
    ("variables", "file"),
    [
        ({}, ".config/gcloud/application_default_credentials.json"),
        ({"CLOUDSDK_CONFIG": "~/gcloud"}, "gcloud/application_default_credentials.json"),
        ({"GOOGLE_APPLICATION_CREDENTIALS": "~/robot.json"}, "robot.json"),
    ],
)
def test_the_account_of_google(homes: Homes, variables: dict[str, str], file: str) -> None:
    credentials, environment = Credentials(), homes.environment(**variables)
    assert not credentials.usable(cloud("gcp"), environment)
    path = homes.write(file, "{}")
    (found,) = credentials.all(cloud("gcp"), environment)
    assert isinstance(found.way, GoogleAccount)
    assert found.way.file == path
    assert found.account is None, "the file has not been read"
    assert credentials.all(cloud("gcp"), environment)[0].way is found.way, "what it keeps is kept"


@pytest.mark.parametrize("scheme", ["aws", "gcp"])
@pytest.mark.parametrize(
    "variables", [{}, {"GOOGLE_APPLICATION_CREDENTIALS": "robot.json", "AWS_SHARED_CREDENTIALS_FILE": "c", "HOME": ""}]
)
def test_nothing_of_the_daemon_s_own_is_taken(
    homes: Homes, monkeypatch: pytest.MonkeyPatch, scheme: Scheme, variables: dict[str, str]
) -> None:
    monkeypatch.chdir(homes.foreign)
    for name in ("robot.json", "c"):
        (homes.foreign / name).write_text("[default]\n")
    assert Credentials().all(cloud(scheme), homes.environment(**variables)) == []
    assert Credentials().all(cloud(scheme), Environment()) == []


@pytest.mark.parametrize(
    ("provider", "kind", "words"),
    [
        (cloud("aws"), MissingKey, ["Set AWS_ACCESS_KEY_ID and", "AWS_PROFILE", "or CLOUD_KEY alone"]),
        (cloud("gcp"), MissingKey, ["gcloud auth application-default login", "GOOGLE_APPLICATION_CREDENTIALS"]),
        (cloud("oauth"), SignInNeeded, ["nothing says how", "`auth.oauth`", "another provider"]),
        (cloud("passthrough"), MissingKey, ["comes with each chat", "`credentials`, under 'acme-x'"]),
    ],
)
def test_what_is_missing_is_told(homes: Homes, provider: Provider, kind: type[Exception], words: list[str]) -> None:
    environment = homes.environment(CLOUD_KEY="") if provider.auth.scheme in {"aws", "gcp"} else Environment()
    with pytest.raises(kind) as missing:
        Credentials().in_turn(provider, environment)
    for word in words:
        assert word in str(missing.value)


@pytest.mark.parametrize(
    ("parameters", "text", "advice"),
    [
        (
            {"place": Parameter(env=("A", "B"))},
            "Acme can't be asked: its place is unknown.",
            "Set A or B in the environment that your editor starts from, and start the editor again; or set "
            "`parameters.place.value` under [providers.acme-x] in pointsman.toml.",
        ),
        (
            {"place": Parameter(env="A"), "project": Parameter(env="P")},
            "Acme can't be asked: its place and its project are unknown.",
            "Set A and P in the environment that your editor starts from, and start the editor again; or set "
            "`parameters.place.value` and `parameters.project.value` under [providers.acme-x] in pointsman.toml.",
        ),
        (
            {"place": Parameter()},
            "Acme can't be asked: its place is unknown.",
            "Set `parameters.place.value` under [providers.acme-x] in pointsman.toml.",
        ),
    ],
)
def test_a_part_of_the_address_that_nobody_has_said(parameters: dict[str, Parameter], text: str, advice: str) -> None:
    url = "http://" + ".".join(f"{{{name}}}" for name in parameters)
    provider = Provider(id="acme-x", name="Acme", base_url=url, auth=Auth("none"), parameters=parameters)
    credentials = Credentials()
    assert not credentials.usable(provider, Environment())
    with pytest.raises(MissingSetting) as missing:
        credentials.in_turn(provider, Environment())
    assert (missing.value.message, missing.value.advice) == (text, advice)
    assert missing.value.provider == "acme-x"


# Keys that come with a chat


@pytest.mark.parametrize("scheme", ["passthrough", "bearer", "header", "optional-key", "aws", "gcp", "oauth"])
def test_a_key_that_comes_with_a_chat_is_the_only_one(scheme: Scheme) -> None:
    environment, given = Environment({"CLOUD_KEY": "configured"}), {"acme-x": Secret("not-a-real-key")}
    credentials = Credentials()
    (found,) = credentials.in_turn(cloud(scheme), environment, given)
    assert (found.key, found.account) == (Secret("not-a-real-key"), "not-a-r…")
    assert credentials.usable(cloud(scheme), environment, given)
    others = credentials.all(cloud(scheme), environment, {"other": Secret("not-a-real-key")})
    assert all(credential.key != Secret("not-a-real-key") for credential in others)


def test_a_provider_without_keys_gets_none() -> None:
    (found,) = Credentials().in_turn(acme(Auth("none")), Environment(), {"acme-x": Secret("not-a-real-key")})
    assert found.key is None


def test_what_connections_name_is_not_remembered_for_ever(homes: Homes) -> None:
    credentials = Credentials()
    for n in range(MOST_KEPT + 3):
        credentials.all(cloud("aws"), homes.environment(AWS_PROFILE=f"p{n}"))
        credentials.all(cloud("gcp"), homes.environment(GOOGLE_APPLICATION_CREDENTIALS=f"/none/{n}"))
    assert (len(credentials._profiles), len(credentials._accounts)) == (MOST_KEPT, MOST_KEPT)
