"""Which credentials a provider may be asked with, for one connection. Must never know how one is put on a request.

All that is looked up comes from the connection's own environment, never from the daemon's.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Mapping
from types import MappingProxyType

from pointsman.core.bounded import Bounded
from pointsman.core.catalogue import Provider
from pointsman.core.environment import Environment
from pointsman.core.errors import CredentialError, MissingKey, MissingSetting, SignInNeeded
from pointsman.core.plugin import Authorise
from pointsman.core.secret import Secret
from pointsman.edge.aws import AwsKeys, AwsProfile
from pointsman.edge.credential import Credential
from pointsman.edge.gcp import GoogleAccount
from pointsman.edge.plugin_way import PluginWay

FROM_ENVIRONMENT = "env:"
MOST_KEPT = 64
"""Profiles, and accounts, that are remembered: what connections name may be anything."""
Given = Mapping[str, Secret]
"""Keys that came with one chat, by provider: for it alone, and only for the providers that it names."""
NONE_GIVEN: Given = MappingProxyType({})


class Credentials:
    """Finds credentials and takes turns among several."""

    def __init__(self, schemes: Mapping[str, Authorise] = MappingProxyType({})) -> None:
        self._schemes = schemes
        self._turns: defaultdict[str, itertools.count[int]] = defaultdict(itertools.count)
        self._profiles: Bounded[tuple[str, ...], AwsProfile] = Bounded(MOST_KEPT)
        self._accounts: Bounded[str, GoogleAccount] = Bounded(MOST_KEPT)

    def all(self, provider: Provider, environment: Environment, given: Given = NONE_GIVEN) -> list[Credential]:
        """Every credential that the chat, the configuration and the connection's environment give, in order."""
        scheme = provider.auth.scheme
        if scheme in self._schemes:
            return self._by_plugin(self._schemes[scheme], provider, environment)
        if provider.id in given and scheme != "none":
            return [Credential(given[provider.id])]
        if scheme in KEYLESS:
            return []
        keys = [Credential(key) for key in _keys(provider, environment)]
        ways: dict[str, Callable[[Environment], list[Credential]]] = {"aws": self._aws, "gcp": self._google}
        return keys or (ways[scheme](environment) if scheme in ways else [])

    def usable(self, provider: Provider, environment: Environment, given: Given = NONE_GIVEN) -> bool:
        """Whether the provider can be asked at all."""
        if provider.missing:
            return False
        return provider.auth.scheme in KEY_NOT_NEEDED or bool(self.all(provider, environment, given))

    def in_turn(self, provider: Provider, environment: Environment, given: Given = NONE_GIVEN) -> list[Credential]:
        """The credentials to try, beginning with the next one's turn. Raises CredentialError when there are none."""
        if not self.usable(provider, environment, given):
            raise self.missing(provider)
        found = self.all(provider, environment, given)
        if not found:
            return [Credential()]
        start = next(self._turns[provider.id]) % len(found)
        return found[start:] + found[:start]

    def missing(self, provider: Provider) -> CredentialError:
        """The error that says what is missing for this provider, and where it would be looked for."""
        if provider.missing:
            return _unsaid(provider)
        return _MISSING.get(provider.auth.scheme, _no_key)(provider)

    def _aws(self, environment: Environment) -> list[Credential]:
        """Keys of the environment, else a profile of the shared files: in the order that AWS's own tools look."""
        id, secret = environment.setting("AWS_ACCESS_KEY_ID"), environment.secret("AWS_SECRET_ACCESS_KEY")
        if id and secret:
            return [Credential(way=AwsKeys(id, secret, environment.secret("AWS_SESSION_TOKEN")))]
        name = environment.setting("AWS_PROFILE") or environment.setting("AWS_DEFAULT_PROFILE") or "default"
        files = (
            _path(environment, "AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials"),
            _path(environment, "AWS_CONFIG_FILE", ".aws/config"),
            f"{_home(environment)}/.aws",
        )
        if (profile := self._profiles.get((name, *files))) is None:
            profile = self._profiles[name, *files] = AwsProfile(name, *files)
        return [Credential(way=profile)] if profile.is_there() else []

    def _by_plugin(self, by: Authorise, provider: Provider, environment: Environment) -> list[Credential]:
        """A plugin's way, with those variables that `auth.env` names; nothing if it names some and none is set."""
        named = provider.auth.variables
        found = [(name, secret) for name in named if (secret := environment.secret(name))]
        return [Credential(way=PluginWay(by, tuple(found)))] if found or not named else []

    def _google(self, environment: Environment) -> list[Credential]:
        folder = _path(environment, "CLOUDSDK_CONFIG", ".config/gcloud")
        file = _path(environment, "GOOGLE_APPLICATION_CREDENTIALS", f"{folder}/application_default_credentials.json")
        if (account := self._accounts.get(file)) is None:
            account = self._accounts[file] = GoogleAccount(file)
        return [Credential(way=account)] if account.is_there() else []


KEY_NOT_NEEDED: set[str] = {"none", "optional-key"}
KEYLESS: set[str] = {"none", "oauth", "passthrough"}
"""Schemes for which no key is looked up."""


def _keys(provider: Provider, environment: Environment) -> list[Secret]:
    """Every key that the configuration and this connection's environment give, without repeats, in order."""
    if provider.keys:
        found = [_read(source, environment) for source in provider.keys]
        return list(dict.fromkeys(key for key in found if key is not None))
    return list(dict.fromkeys(key for name in _variables(provider) for key in environment.numbered(name)))


def _read(source: str, environment: Environment) -> Secret | None:
    if source.startswith(FROM_ENVIRONMENT):
        return environment.secret(source.removeprefix(FROM_ENVIRONMENT))
    return Secret(source) if source else None


def _variables(provider: Provider) -> tuple[str, ...]:
    return provider.auth.variables or (f"{provider.id.upper().replace('-', '_')}_API_KEY",)


def _path(environment: Environment, name: str, otherwise: str) -> str:
    """A file that a variable names, else one in the home of the connection; a relative one is nobody's."""
    home, named = _home(environment), environment.setting(name)
    if named is None:
        return otherwise if otherwise.startswith("/") else f"{home}/{otherwise}"
    if named.startswith("~/"):
        return home + named[1:]
    return named if named.startswith("/") else f"/nonexistent/{named}"


def _home(environment: Environment) -> str:
    return (environment.setting("HOME") or "/nonexistent").rstrip("/")


def _no_key(provider: Provider) -> CredentialError:
    sources = [source.removeprefix(FROM_ENVIRONMENT) for source in provider.keys if source.startswith(FROM_ENVIRONMENT)]
    advice = _set(" or ".join(sources or _variables(provider)))
    if provider.links.keys:
        advice += f" Keys are made at {provider.links.keys}."
    return MissingKey(f"{provider.title} has no key for this connection.", advice, provider=provider.id)


def _no_aws(provider: Provider) -> CredentialError:
    ways = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE with a profile of ~/.aws"
    alone = [f", or {name} alone" for name in provider.auth.variables]
    text = f"{provider.title} has no AWS credentials for this connection."
    return MissingKey(text, _set(ways + "".join(alone)), provider=provider.id)


def _no_google(provider: Provider) -> CredentialError:
    advice = (
        "Run `gcloud auth application-default login`, or name a service account's key file by "
        "GOOGLE_APPLICATION_CREDENTIALS (from the root) in the environment that your editor starts from."
    )
    return MissingKey(f"{provider.title} has no Google credentials for this connection.", advice, provider=provider.id)


def _no_sign_in(provider: Provider) -> CredentialError:
    text = f"{provider.title} wants a sign-in, and this version of Pointsman has none for it yet."
    advice = f'Use a key instead (`auth.scheme = "bearer"` under [providers.{provider.id}]), or another provider.'
    return SignInNeeded(text, advice, provider=provider.id)


def _not_given(provider: Provider) -> CredentialError:
    text = f"{provider.title} is asked with the key that comes with each chat, and with this one came none."
    advice = f"Let the client put it into the chat's `credentials`, under {provider.id!r}."
    return MissingKey(text, advice, provider=provider.id)


def _unsaid(provider: Provider) -> CredentialError:
    """What to do about parts of the address that nobody has said."""
    names = provider.missing
    text = (
        f"{provider.title} can't be asked: its {' and its '.join(names)} {'is' if len(names) == 1 else 'are'} unknown."
    )
    named = [" or ".join(provider.parameters[name].variables) for name in names if provider.parameters[name].variables]
    keys = " and ".join(f"`parameters.{name}.value`" for name in names)
    inside = f"et {keys} under [providers.{provider.id}] in pointsman.toml."
    advice = f"{_set(' and '.join(named)).rstrip('.')}; or s{inside}" if named else f"S{inside}"
    return MissingSetting(text, advice, provider=provider.id)


def _set(names: str) -> str:
    return f"Set {names} in the environment that your editor starts from, and start the editor again."


_MISSING: dict[str, Callable[[Provider], CredentialError]] = {
    "aws": _no_aws,
    "gcp": _no_google,
    "oauth": _no_sign_in,
    "passthrough": _not_given,
}
