"""Which credentials a provider may be asked with, for one connection. Must never know how one is put on a request.

All that is looked up comes from the connection's own environment, from the files, or from the vault; never from the
daemon's environment. What is stored goes to the origin that it was entered for; what is written in a file goes to the
origin that the files name; what a connection's environment holds goes where that connection wants it.
"""

from __future__ import annotations

import itertools
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal, Protocol
from weakref import WeakKeyDictionary

from pointsman.core.bounded import Bounded
from pointsman.core.catalogue import Provider
from pointsman.core.environment import Environment
from pointsman.core.errors import CredentialError, VaultError
from pointsman.core.http import origin
from pointsman.core.plugin import Authorise
from pointsman.core.program import program_of
from pointsman.core.secret import Secret
from pointsman.core.sources import ACCOUNT, FromAccount, FromFile, FromVariable, Looked, Plain
from pointsman.core.stored import Record
from pointsman.edge.account_way import AccountWay, Keeper
from pointsman.edge.aws import AwsKeys, AwsProfile
from pointsman.edge.credential import Credential
from pointsman.edge.gcp import GoogleAccount
from pointsman.edge.plugin_way import PluginWay
from pointsman.edge.program import find
from pointsman.edge.program_way import ProgramWay, passed_on
from pointsman.edge.sources import LookedUp, fault, looked_up
from pointsman.service.audit import Audit
from pointsman.service.missing import key_variables, missing
from pointsman.service.trials import Trials

MOST_KEPT = 64
"""Profiles, and accounts, that are remembered: what connections name may be anything."""
Given = Mapping[str, Secret]
"""Keys that came with one chat, by provider: for it alone, and only for the providers that it names."""
NONE_GIVEN: Given = MappingProxyType({})
KEY_NOT_NEEDED: set[str] = {"none", "optional-key"}
KEYLESS: set[str] = {"none", "oauth", "passthrough", "program"}
"""Schemes for which no key is looked up."""
STORABLE: set[str] = {"optional-key", "bearer", "header"}
"""Schemes whose keys may be stored."""
Kind = Literal["variable", "file", "command", "configuration", "stored", "account"]


class Stored(Protocol):
    """What is stored of credentials: the vault."""

    trouble: VaultError | None

    def of(self, provider: str) -> list[Record]:
        """A provider's records, in the order added."""
        ...

    def damaged(self, provider: str) -> list[str]:
        """The labels of a provider's records that are left out."""
        ...


class _NothingStored:
    trouble: VaultError | None = None

    def of(self, provider: str) -> list[Record]:
        return []

    def damaged(self, provider: str) -> list[str]:
        return []


@dataclass(frozen=True)
class Known:
    """A key or an account that there is for a provider, whether or not it may be used.

    `name` is that of the variable, the file, the program or the record. `origin` is the only place that it may be shown
    to, None where it goes along with its connection; `usable` is whether that is where the provider would be asked.
    """

    kind: Kind
    name: str
    credential: Credential
    origin: str | None = None
    usable: bool = False


@dataclass(frozen=True)
class _Said:
    """What is known of a definition's keys without a look at what is stored."""

    of: Provider
    known: tuple[Known, ...]


class Credentials:
    """Finds credentials and takes turns among several."""

    def __init__(
        self,
        schemes: Mapping[str, Authorise] = MappingProxyType({}),
        trials: Trials | None = None,
        stored: Stored | None = None,
        keeper: Keeper | None = None,
        audit: Audit | None = None,
    ) -> None:
        """`keeper` keeps the tokens of stored accounts."""
        self._schemes, self._trials = schemes, trials
        self._stored = stored or _NothingStored()
        self._keeper, self._audit = keeper, audit
        self._used: set[tuple[str, str]] = set()
        self._refused: set[tuple[str, str]] = set()
        self._turns: defaultdict[str, itertools.count[int]] = defaultdict(itertools.count)
        self._profiles: Bounded[tuple[str, ...], AwsProfile] = Bounded(MOST_KEPT)
        self._accounts: Bounded[str, GoogleAccount] = Bounded(MOST_KEPT)
        self._lookups: WeakKeyDictionary[Environment, dict[Looked, LookedUp]] = WeakKeyDictionary()
        self._definitions: WeakKeyDictionary[Environment, dict[str, _Said]] = WeakKeyDictionary()

    def all(self, provider: Provider, environment: Environment, given: Given = NONE_GIVEN) -> list[Credential]:
        """Every credential that may be used for this provider and this connection, in order."""
        scheme = provider.auth.scheme
        if provider.temporary:
            key = given.get(provider.id) or (self._trials.key(provider) if self._trials else None)
            return [Credential(key, temporary=True)] if key else []
        if scheme in self._schemes:
            return self._by_plugin(self._schemes[scheme], provider, environment)
        if scheme == "program":
            there = find(program_of(provider.base_url), passed_on(environment))
            return [Credential(way=ProgramWay(environment))] if there else []
        if provider.id in given and scheme != "none":
            return [Credential(given[provider.id])]
        found: dict[object, Credential] = {}
        for known in self.known(provider, environment):
            if known.usable:
                found.setdefault(known.credential.key or known.credential.way, known.credential)
        return list(found.values()) or self._of_cloud(scheme, environment)

    def known(self, provider: Provider, environment: Environment) -> Sequence[Known]:
        """Every key and account of every source, also those that must not be used where the provider is now."""
        scheme, there = provider.auth.scheme, "" if provider.missing else origin(provider.base_url)
        configured = () if scheme in KEYLESS else self._configured(provider, environment, there)
        if not (records := self._stored.of(provider.id)):
            return configured
        found = list(configured)
        for record in records:
            if isinstance(record.holds, Secret):
                usable = scheme in STORABLE and record.origin == there
                credential = Credential(record.holds, record=record)
                found.append(Known("stored", record.label, credential, record.origin, usable))
            elif self._keeper is not None:
                usable = scheme == "oauth" and record.origin == there
                credential = Credential(way=AccountWay(record.id, record, self._keeper), record=record)
                found.append(Known("account", record.label, credential, record.origin, usable))
        return _told_apart(found)

    def entered_for(self, provider: Provider, environment: Environment) -> list[Credential]:
        """What is stored for the very origin that this provider has, wherever it was asked until now."""
        kept = {"stored", "account"} if not provider.temporary else set()
        return [each.credential for each in self.known(provider, environment) if each.usable and each.kind in kept]

    def usable(self, provider: Provider, environment: Environment, given: Given = NONE_GIVEN) -> bool:
        """Whether the provider can be asked at all."""
        if provider.missing:
            return False
        free = provider.auth.scheme in KEY_NOT_NEEDED and not provider.temporary
        return free or bool(self.all(provider, environment, given))

    def in_turn(
        self,
        provider: Provider,
        environment: Environment,
        given: Given = NONE_GIVEN,
        lets: Callable[[Credential], bool] = lambda _: True,
    ) -> list[Credential]:
        """The credentials to try, beginning with the next one's turn: of those that `lets` lets be asked, maybe none.

        Raises CredentialError when there are none at all.
        """
        if not self.usable(provider, environment, given):
            raise self.missing(provider)
        found = [each for each in self.all(provider, environment, given) or [Credential()] if lets(each)]
        if len(found) < 2:
            return found
        start = next(self._turns[provider.id]) % len(found)
        return found[start:] + found[:start]

    def used(self, credential: Credential, client: str, *, refused: bool) -> None:
        """What is stored was shown to its provider: noted the first time, and when it is refused, once until it is
        taken again.
        """
        record = credential.record
        if record is None or self._audit is None:
            return
        this = record.id, record.added_at
        if this not in self._used:
            self._used.add(this)
            self._audit.note_first(record.provider, record.label, client)
        if not refused:
            self._refused.discard(this)
        elif this not in self._refused:
            self._refused.add(this)
            self._audit.note("refused", record.provider, record.label, client)

    def stored(self, provider: str) -> bool:
        """Whether the user has entered a key for a provider, or signed in to it."""
        return bool(self._stored.of(provider))

    def missing(self, provider: Provider) -> CredentialError:
        """The error that says what is missing for this provider, and where it would be looked for."""
        stored = self._stored
        return missing(provider, stored.of(provider.id), stored.trouble, stored.damaged(provider.id))

    def _configured(self, provider: Provider, environment: Environment, there: str) -> Sequence[Known]:
        """What the configuration and the variables say: put together once for a definition and a connection."""
        kept = self._definitions.setdefault(environment, {})
        said = kept.get(provider.id)
        if said is None or said.of is not provider:
            if said is not None:
                kept.clear()  # the configuration was read again: no key that it does not say any more is kept here
            known = tuple(_told_apart(list(self._said(provider, environment, there))))
            said = kept[provider.id] = _Said(provider, known)
        return said.known

    def _said(self, provider: Provider, environment: Environment, there: str) -> Iterator[Known]:
        """The keys that the configuration names, or those of the variables if it names none."""
        sources = [source for source in provider.sources if not isinstance(source, FromAccount)]
        for source in sources:
            if isinstance(source, FromVariable):
                yield from _of_variables([(source.name, environment.secret(source.name))])
            else:
                home = provider.written_for
                yield self._written(source, environment, there if home is None else home, home in {None, there})
        if all(written in {None, ACCOUNT} for written in (provider.api_key, *provider.keys)):
            for name in key_variables(provider):
                yield from _of_variables(environment.numbered(name))

    def _written(self, source: Looked | Plain, environment: Environment, home: str, usable: bool) -> Known:
        """A key that a file of the user's says, or says where to find."""
        if isinstance(source, Plain):
            return Known("configuration", "", Credential(source.key), home, usable)
        lookups = self._lookups.setdefault(environment, {})
        if (way := lookups.get(source)) is None:
            way = lookups[source] = looked_up(source, environment)
        if isinstance(source, FromFile):
            return Known("file", source.path, Credential(way=way), home, usable)
        return Known("command", source.command[0], Credential(way=way), home, usable)

    def _of_cloud(self, scheme: str, environment: Environment) -> list[Credential]:
        """What the tools of a cloud would use themselves."""
        if scheme == "aws":
            return self._aws(environment)
        return self._google(environment) if scheme == "gcp" else []

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


def _told_apart(found: list[Known]) -> list[Known]:
    """The same, but keys that look alike to people are called by their names, or else numbered."""
    if len(found) < 2:
        return found
    alike: defaultdict[str, dict[Secret, str]] = defaultdict(dict)
    for known in found:
        if (key := known.credential.key) is not None:
            names = alike[key.mask()]
            names.setdefault(key, known.name if known.name not in names.values() else "")
    called = {
        key: name or str(number)
        for names in alike.values()
        for number, (key, name) in enumerate(names.items(), 1)
        if len(names) > 1
    }
    return [
        replace(known, credential=replace(known.credential, called=called[key]))
        if (key := known.credential.key) in called
        else known
        for known in found
    ]


def signed_out(found: Iterable[Credential]) -> str | None:
    """Why nothing of this can be used before somebody signs in anew; None where anything can."""
    ended = [each.record.ended(time.time()) if each.record else None for each in found]
    return ended[0] if ended and all(ended) else None


def given(keys: Mapping[str, str]) -> Given:
    """The keys that came with a request, as they can be sent; an empty one was not given. Raises CredentialError."""
    found = {provider: text for provider, key in keys.items() if (text := key.strip())}
    for provider, text in found.items():
        if why := fault(text):
            advice = "Copy it again, without anything around it."
            raise CredentialError(f"What came for {provider!r} is no key: {why}.", advice, provider=provider)
    return {provider: Secret(text) for provider, text in found.items()}


def _of_variables(found: Iterable[tuple[str, Secret | None]]) -> Iterator[Known]:
    for name, secret in found:
        if secret is not None and secret != ASKS_FOR_ACCOUNT:
            yield Known("variable", name, Credential(secret), usable=True)


ASKS_FOR_ACCOUNT = Secret(ACCOUNT)
"""What a variable says instead of a key where an account is wanted."""


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
