"""Which keys a provider may be asked with, for one connection. Must never know how a key is put on a request."""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass

from pointsman.core.catalogue import Provider
from pointsman.core.environment import Environment
from pointsman.core.errors import MissingKey
from pointsman.core.secret import Secret

FROM_ENVIRONMENT = "env:"


@dataclass(frozen=True)
class Credential:
    """One way to be known to a provider; `key` is null where none is needed. `account` is what people may see of it."""

    key: Secret | None
    account: str | None = None


class Credentials:
    """Finds keys and takes turns among several."""

    def __init__(self) -> None:
        self._turns: defaultdict[str, itertools.count[int]] = defaultdict(itertools.count)

    def keys(self, provider: Provider, environment: Environment) -> list[Secret]:
        """Every key that the configuration and this connection's environment give, without repeats, in order."""
        if provider.auth.scheme == "none":
            return []
        if provider.keys:
            found = [self._read(source, environment) for source in provider.keys]
            return list(dict.fromkeys(key for key in found if key is not None))
        names = provider.auth.variables or (f"{provider.id.upper().replace('-', '_')}_API_KEY",)
        return list(dict.fromkeys(key for name in names for key in environment.numbered(name)))

    def usable(self, provider: Provider, environment: Environment) -> bool:
        """Whether the provider can be asked at all."""
        return provider.auth.scheme in {"none", "optional-key"} or bool(self.keys(provider, environment))

    def in_turn(self, provider: Provider, environment: Environment) -> list[Credential]:
        """The credentials to try, beginning with the next one's turn. Raises MissingKey when there are none."""
        keys = self.keys(provider, environment)
        if not keys:
            if self.usable(provider, environment):
                return [Credential(None)]
            raise self.missing(provider)
        start = next(self._turns[provider.id]) % len(keys)
        return [Credential(key, key.mask()) for key in keys[start:] + keys[:start]]

    def missing(self, provider: Provider) -> MissingKey:
        """The error that says where a key for this provider would be looked for."""
        names = provider.auth.variables or (f"{provider.id.upper().replace('-', '_')}_API_KEY",)
        sources = [
            source.removeprefix(FROM_ENVIRONMENT) for source in provider.keys if source.startswith(FROM_ENVIRONMENT)
        ]
        wanted = " or ".join(sources or names)
        advice = f"Set {wanted} in the environment that your editor starts from, and start the editor again."
        if provider.links.keys:
            advice += f" Keys are made at {provider.links.keys}."
        return MissingKey(f"{provider.title} has no key for this connection.", advice, provider=provider.id)

    def _read(self, source: str, environment: Environment) -> Secret | None:
        if source.startswith(FROM_ENVIRONMENT):
            return environment.secret(source.removeprefix(FROM_ENVIRONMENT))
        return Secret(source) if source else None
