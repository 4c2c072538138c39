"""A way to be known that belongs to a program: it is signed in by itself, and gets no more than it needs to run.

Must never hand a program a key, nor a variable that would lead it to another account or place than its own sign-in
does: the few that it gets are named here, and what else it gets its provider's definition says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import msgspec

from pointsman.core.catalogue import Provider
from pointsman.core.environment import Environment
from pointsman.core.http import Request
from pointsman.core.program import FROM_CONNECTION, Run
from pointsman.core.secret import Secret
from pointsman.edge.credential import Fetch

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
PASSED_ON = (
    *("HOME", "PATH", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_MESSAGES", "LC_TIME", "TZ"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS"),
    *PROXIES,
    *(name.upper() for name in PROXIES),
)
"""The variables of a connection that a program gets, as far as they are set."""


@dataclass(frozen=True)
class ProgramWay:
    """A program's own sign-in (a `Way`), in the home of one connection."""

    environment: Environment = field(repr=False)
    account: None = None
    signs: bool = True

    @property
    def secrets(self) -> Sequence[Secret]:
        """Proxies: their addresses may hold a password, and programs quote them."""
        names = [name for proxy in PROXIES[:-1] for name in (proxy, proxy.upper())]
        return tuple(Secret(url) for name in names if "@" in (url := self.environment.setting(name) or ""))

    async def authorise(self, request: Request, provider: Provider, fetch: Fetch) -> Request:
        """The run with the environment of this connection, as far as it is the program's business."""
        run = msgspec.json.decode(request.body, type=Run)
        given = passed_on(self.environment)
        for name, value in run.environment.items():
            if not value.startswith(FROM_CONNECTION):
                given[name] = value
            elif own := self.environment.setting(value.removeprefix(FROM_CONNECTION)):
                given[name] = own
        run = msgspec.structs.replace(run, environment=given)
        return replace(request, body=msgspec.json.encode(run))


def passed_on(environment: Environment) -> dict[str, str]:
    """What every program gets of a connection's environment."""
    return {name: value for name in PASSED_ON if (value := environment.setting(name))} | {"TERM": "dumb"}
