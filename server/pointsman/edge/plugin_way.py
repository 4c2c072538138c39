"""A way to authenticate that another package brings, as a credential.

Must never hand it a variable that the provider's `auth.env` does not name, nor let the request go to another place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from pointsman.core.catalogue import Provider
from pointsman.core.errors import CredentialError
from pointsman.core.http import Request, origin
from pointsman.core.plugin import Authorise
from pointsman.core.secret import Secret
from pointsman.edge.credential import Fetch


@dataclass(frozen=True)
class PluginWay:
    """One plugin's way (a `Way`), with the variables of one connection that it may see."""

    by: Authorise
    variables: tuple[tuple[str, Secret], ...] = field(repr=False)
    signs: ClassVar[bool] = False

    @property
    def account(self) -> str | None:
        """The mask of the first variable."""
        return self.variables[0][1].mask() if self.variables else None

    @property
    def secrets(self) -> Sequence[Secret]:
        """All that the plugin may have seen."""
        return tuple(secret for _, secret in self.variables)

    @property
    def distinct(self) -> str:
        """The variables that it sees."""
        return "\n".join(f"{name}={secret.reveal()}" for name, secret in self.variables)

    async def authorise(self, request: Request, provider: Provider, fetch: Fetch) -> Request:
        """The request as the plugin gives it back. Raises PluginFailed, CredentialError, or what it raises of ours."""
        answer = await self.by(request, provider, self._variable)
        if origin(answer.url) != origin(request.url):
            text = f"The way to authenticate {provider.auth.scheme!r} would send the request to another place."
            raise CredentialError(text, "Correct the provider's `base_url` instead.", provider=provider.id)
        return answer

    def _variable(self, name: str) -> str | None:
        secret = dict(self.variables).get(name)
        return secret.reveal() if secret else None
