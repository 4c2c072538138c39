"""Keys of people: what there is of them from every source, and those that are stored: added, moved, taken away.

Must never show one, nor store one for another origin than the one that it was entered for.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, count
from typing import Any

from pointsman.core.catalogue import Catalogue, Provider
from pointsman.core.environment import Environment
from pointsman.core.errors import CredentialError, KeyUnreadable, UnknownCredential
from pointsman.core.http import origin, spoken
from pointsman.core.secret import Secret
from pointsman.core.sources import ACCOUNT, FILE, VARIABLE, Plain, sources
from pointsman.core.stored import Record, check_label
from pointsman.edge.credential import Credential
from pointsman.edge.sources import KeyFile, fault
from pointsman.edge.transport import Transports
from pointsman.service.audit import Audit
from pointsman.service.clock import now
from pointsman.service.configuration import Configuration
from pointsman.service.credentials import STORABLE, Credentials, Known, signed_out
from pointsman.service.missing import missing
from pointsman.service.testing import Trial, Wanted, test
from pointsman.service.vault import Vault
from pointsman.wire import Wires

NOT_USED = Credential()
FIRST = "key"
"""What a key is called that nobody has given a name; the next ones have a number behind it."""


@dataclass(frozen=True)
class Listed:
    """One key or account of a provider: what people may see of it, and why it is not used, or what is amiss with it."""

    provider: str
    known: Known
    account: str | None
    why: str | None = None
    record: Record | None = None
    trial: Trial | None = None


@dataclass(frozen=True)
class Keys:
    """All that is done with keys but sending them."""

    vault: Vault
    audit: Audit
    credentials: Credentials
    configuration: Configuration
    transports: Transports
    wires: Wires

    async def add(
        self, provider: Provider, key: str, label: str | None, environment: Environment, *, tried: bool, client: str
    ) -> tuple[Record, Trial | None]:
        """Stores a key for the origin of the provider's base URL, once it was tried; under a label that is there, in
        place of the key that it had.

        Raises CredentialError, StorageError, BadRequest for a label that can be none, or what the trial has found
        wrong; then nothing is stored.
        """
        _check_storable(provider)
        check_label(label)
        secret, trial = _checked(key), None
        if tried:
            tools = self.credentials, self.transports
            trial = await test(provider, provider, environment, tools, Wanted(secret), self.wires)
            if trial.error:
                trial.error.message = f"The key was not stored: {trial.error.message}"
                trial.error.advice += " To store it untried, use `--no-test` (in a client: `test: false`)."
                raise trial.error
        return await self._put(provider.id, origin(provider.base_url), secret, label, client), trial

    async def remove(self, provider: str, label: str | None, client: str) -> Record:
        """Removes a stored key. Raises UnknownCredential, StorageError, VaultError."""
        if self.vault.trouble is not None:
            raise self.vault.trouble.with_traceback(None)  # one error for all who ask: it would grow with each
        records = [record for record in self.vault.of(provider) if record.kind == "key"]
        found = [record for record in records if label in {None, record.label}]
        labels = ", ".join(repr(record.label) for record in records)
        if not records:
            raise UnknownCredential(f"No key of {provider!r} is stored.")
        if not found:
            raise UnknownCredential(f"No key of {provider!r} is called {label!r}.", f"There are: {labels}.")
        if len(found) > 1:
            raise UnknownCredential(f"{provider!r} has {len(found)} stored keys.", f"Say which one: {labels}.")
        await self.vault.remove(found[0].id)
        self.audit.note("removed", provider, found[0].label, client)
        return found[0]

    async def adopt(self, catalogue: Catalogue, id: str, client: str) -> list[Record]:
        """Moves a provider's keys that stand in the user's file into the vault: first stored durably, then taken out.

        `catalogue` is what the files say, without anybody's environment: they are stored for the origin that it names.
        Raises ConfigError, CredentialError, StorageError, VaultError; a key is never in neither place.
        """
        table, revision = self.configuration.provider(id)
        keys = table.get("keys", [])
        written = [table.get("api_key"), *_texts(keys)]
        plain = [_checked(each) for each in dict.fromkeys(written) if isinstance(each, str) and _is_plain(each)]
        provider = catalogue.providers.get(id)
        if not plain or provider is None:
            raise _nothing_to_adopt(catalogue, id, self.configuration.file)
        _check_storable(provider)
        records = [await self._put(id, origin(provider.base_url), key, None, client) for key in plain]
        rest = [each for each in keys if not _is_plain(each)]
        values: dict[str, Any] = {"keys": rest or None} if "keys" in table else {}
        if _is_plain(table.get("api_key")):
            values["api_key"] = None
        await self.configuration.change(["providers", id], values, revision)
        return records

    async def list(
        self, providers: Iterable[Provider], environment: Environment, only: str | None = None, *, tried: bool = False
    ) -> list[Listed]:
        """Every key and account there is for a connection, and those that are stored for a provider that is not there.

        With `tried`, each that may be used is tried.
        """
        found: list[Listed] = []
        there = {provider.id: provider for provider in providers}
        for provider in there.values():
            if only in {None, provider.id}:
                for known in self.credentials.known(provider, environment):
                    found.append(await self._listed(provider, known, environment, tried=tried))
        for record in self.vault.all():
            if record.provider not in there and only in {None, record.provider}:
                known = Known("stored" if record.kind == "key" else "account", record.label, NOT_USED, record.origin)
                why = "No provider of this name is configured here."
                found.append(Listed(record.provider, known, record.account, why, record))
        return found

    async def _listed(self, provider: Provider, known: Known, environment: Environment, *, tried: bool) -> Listed:
        way, why, trial = known.credential.way, None if known.usable else _why_not(provider, known), None
        if known.usable and known.kind == "file":
            assert isinstance(way, KeyFile)
            try:
                await way.key()
                why = way.trouble
            except KeyUnreadable as error:
                why, known = error.message, replace(known, usable=False)
        if known.usable and (ended := signed_out([known.credential])):
            known = replace(known, usable=False)
            why = f"It has to sign in again (`pointsman login {provider.id}`): {ended}."
        if known.usable and tried:
            wanted = Wanted(credential=known.credential)
            tools = self.credentials, self.transports
            trial = await test(provider, provider, environment, tools, wanted, self.wires)
        return Listed(provider.id, known, known.credential.account, why, known.credential.record, trial)

    async def _put(self, provider: str, place: str, key: Secret, label: str | None, client: str) -> Record:
        """Stores a key under its label; one that is there already, for the same place, stays as it is."""
        there: list[Record] = []

        def made() -> Record:
            taken = {record.label: record for record in self.vault.of(provider)}
            for same in taken.values():
                if same.holds == key and same.origin == place and label in {None, same.label}:
                    there.append(same)
                    return same
            before = taken.get(label) if label is not None else None
            if before is not None and before.kind != "key":
                raise CredentialError(f"{label!r} is an account of {provider}, not a key.", "Choose another label.")
            if before is not None:
                return replace(before, holds=key, origin=place, added_at=now())
            return Record(str(uuid.uuid4()), provider, place, label or _free(taken), key, now())

        record = await self.vault.add(made)
        if not there:
            self.audit.note("added", provider, record.label, client)
        return record


def _check_storable(provider: Provider) -> None:
    """Raises CredentialError for a provider that takes no key which could be stored."""
    if provider.missing:
        raise missing(provider, (), None)
    if (scheme := provider.auth.scheme) in STORABLE:
        return
    what, advice = _NOT_STORED.get(scheme, ("is asked in a plugin's way", "That plugin says where its keys belong."))
    raise CredentialError(f"{provider.title} {what}.", advice.format(provider.id), provider=provider.id)


_NOT_STORED = {
    "none": ("takes no key", "There is nothing to store."),
    "passthrough": (
        "is asked with the key that comes with each chat, and none is ever stored for it",
        "Let the client put it into the chat's `credentials`; or give the provider another `auth.scheme`.",
    ),
    "oauth": ("is asked by a signed-in account, not with a key", "Run `pointsman login {}`."),
    "aws": ("is asked with AWS credentials", "They stay in the environment, or in ~/.aws."),
    "program": ("is asked by its own program, which signs in by itself", "docs/plans.md says how. Nothing is stored."),
    "gcp": ("is asked with Google's credentials", "Run `gcloud auth application-default login`."),
}


def _checked(key: str) -> Secret:
    """A key as it may be stored. Raises CredentialError for what can be none; never shows it."""
    text = key.strip()
    if not text:
        raise CredentialError("That is no key: it is empty.", "Nothing was stored. Enter it again.")
    if text == ACCOUNT or text.startswith((VARIABLE, FILE)):
        raise CredentialError(
            "That is no key, but says where one comes from.",
            "Put it into `keys` of the provider in pointsman.toml; or enter the key itself.",
        )
    if why := fault(text):
        raise CredentialError(f"That is no key: {why}.", "Nothing was stored. Copy it anew, and enter it again.")
    return Secret(text)


def _why_not(provider: Provider, known: Known) -> str:
    if provider.auth.scheme == "passthrough":
        return "It is never used: the provider takes the key that comes with each chat."
    if known.kind in {"stored", "account"} and (known.kind == "account") != (provider.auth.scheme == "oauth"):
        return f"It is not used: the provider's scheme is `{provider.auth.scheme}`."
    if provider.missing:
        return f"The provider's {' and '.join(provider.missing)} is unknown."
    home = f"It is for {spoken(known.origin)}" if known.origin else "It stands beside no address"
    return f"{home}, and goes nowhere else; the provider is asked at {spoken(origin(provider.base_url))}."


def _nothing_to_adopt(catalogue: Catalogue, id: str, file: str) -> UnknownCredential:
    text = f"No key of {id!r} stands in plain text in {file}."
    places = {catalogue.origins.get(f"providers.{id}.{name}") for name in ("keys", "api_key")} - {None, file}
    if id in catalogue.providers and places:
        return UnknownCredential(
            f"{text} It has `keys` in {' and '.join(sorted(filter(None, places)))}.",
            f"What stands there is moved by hand: `pointsman keys add {id}`, and then take it out of that file.",
        )
    return UnknownCredential(text, "There is nothing to move; `pointsman keys` lists what there is.")


def _free(taken: Collection[str]) -> str:
    names = chain([FIRST], (f"{FIRST} {number}" for number in count(2)))
    return next(name for name in names if name not in taken)


def _is_plain(written: object) -> bool:
    return isinstance(written, str) and any(isinstance(source, Plain) for source in sources([written]))


def _texts(keys: object) -> Iterator[str]:
    """What a list of sources says as text; programs are none."""
    return (each for each in keys if isinstance(each, str)) if isinstance(keys, list) else iter(())
