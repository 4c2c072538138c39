"""What to tell when a provider has no credential that could be used: what is missing, and where it would be looked for.

Must never show a credential, nor look for one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pointsman.core.catalogue import Provider
from pointsman.core.errors import (
    CredentialError,
    MissingKey,
    MissingSetting,
    ProgramMissing,
    SessionExpired,
    SignInNeeded,
    VaultError,
    WrongOrigin,
)
from pointsman.core.http import origin, spoken
from pointsman.core.program import program_of
from pointsman.core.sources import FromAccount, FromVariable
from pointsman.core.stored import Record
from pointsman.core.variables import KEY, prefix


def missing(
    provider: Provider, records: Sequence[Record], trouble: VaultError | None, damaged: Sequence[str] = ()
) -> CredentialError:
    """The error; `records` are what is stored for the provider, `damaged` the labels of what is left out of that, and
    `trouble` is why nothing of it can be opened.
    """
    if provider.missing:
        return _unsaid(provider)
    if provider.temporary:
        return SessionExpired(f"The temporary key for {provider.title} has just ended.", provider=provider.id)
    scheme, there = provider.auth.scheme, origin(provider.base_url)
    kind = {"oauth": "oauth", "bearer": "key", "header": "key"}.get(scheme)
    elsewhere = [record for record in records if record.kind == kind and record.origin != there]
    if elsewhere:
        return _for_another_place(provider, elsewhere, there)
    if kind == "key" and provider.written_for not in {None, there} and _is_written(provider):
        return _written_for_another_place(provider, there)
    if trouble is not None and kind:
        text = f"{provider.title} has no {'account' if kind == 'oauth' else 'key'} here but what may be stored."
        return type(trouble)(f"{text} {trouble.message}", trouble.advice, provider=provider.id)
    return _damaged(provider, damaged) if damaged and kind else _MISSING.get(scheme, _no_key)(provider)


def key_variables(provider: Provider) -> tuple[str, ...]:
    """The variables that may hold a key of a provider whose configuration names none."""
    return provider.auth.variables or (prefix(provider.id) + KEY,)


def _is_written(provider: Provider) -> bool:
    return any(not isinstance(source, FromVariable | FromAccount) for source in provider.sources)


def _for_another_place(provider: Provider, records: Sequence[Record], there: str) -> CredentialError:
    places = " and ".join(dict.fromkeys(spoken(record.origin) for record in records))
    if records[0].kind == "oauth":
        text = f"The account of {provider.title} signed in for {places}, and the base URL is now {spoken(there)}."
        again = f"`pointsman login {provider.id}`"
    else:
        text = f"The stored key of {provider.title} was entered for {places}, and the base URL is now {spoken(there)}."
        again = f"`pointsman keys add {provider.id}`"
    advice = f"It is not sent there. If you trust that address, {again} makes one for it; else correct the base URL."
    return WrongOrigin(text, advice, provider=provider.id)


def _damaged(provider: Provider, labels: Sequence[str]) -> CredentialError:
    again = "pointsman login" if provider.auth.scheme == "oauth" else "pointsman keys add"
    names = " and ".join(map(repr, labels))
    text = f"What is stored for {provider.title} as {names} is damaged, or was changed by somebody, and does not open."
    advice = f"Enter it anew: `{again} {provider.id}`. `pointsman vault discard` removes what is left of it."
    return VaultError(text, advice, provider=provider.id)


def _written_for_another_place(provider: Provider, there: str) -> CredentialError:
    home = f"for {spoken(provider.written_for)}" if provider.written_for else "beside no address"
    text = f"The key of {provider.title} stands in your files {home}, and the environment leads to {spoken(there)}."
    advice = (
        f"It is not sent there. If you trust that address, set it as `base_url` under [providers.{provider.id}] in "
        "pointsman.toml, or give the key in the environment, too; else leave the variable with the address out."
    )
    return WrongOrigin(text, advice, provider=provider.id)


def _no_key(provider: Provider) -> CredentialError:
    sources = [source.name for source in provider.sources if isinstance(source, FromVariable)]
    names = " or ".join(sources or key_variables(provider))
    advice = f"{_set(names).rstrip('.')}; or run `pointsman keys add {provider.id}`."
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
    text = f"{provider.title} wants a sign-in, and nobody has signed in yet."
    if provider.auth.oauth is not None:
        return SignInNeeded(text, f"Run `pointsman login {provider.id}`.", provider=provider.id)
    text = f"{provider.title} wants a sign-in, and nothing says how: it has no `auth.oauth`."
    advice = f'Use a key instead (`auth.scheme = "bearer"` under [providers.{provider.id}]), or another provider.'
    return SignInNeeded(text, advice, provider=provider.id)


def _no_program(provider: Provider) -> CredentialError:
    """The program is not there; the dialect's quirk `install` says what to do."""
    text = f"{provider.title} is asked by `{program_of(provider.base_url)}`, and this connection's PATH has none."
    return ProgramMissing(text, str(provider.quirks.get("install", "")) or None, provider=provider.id)


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
    "program": _no_program,
}
