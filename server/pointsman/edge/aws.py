"""AWS credentials: keys of the environment, or a profile of the shared files; and the signature that they make.

The only file that imports botocore, and only when a request has to be signed, in a thread: that takes a quarter of a
second. Must never read the environment or the home of the daemon for a connection that brought its own.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pointsman.core.catalogue import Provider
from pointsman.core.errors import MissingExtra, PointsmanError, SignInNeeded, TimedOut
from pointsman.core.http import Request
from pointsman.core.secret import Secret
from pointsman.edge.credential import Fetch
from pointsman.edge.files import LARGEST, Stamp, read_regular, stamp
from pointsman.edge.in_thread import InThread

if TYPE_CHECKING:
    from botocore.credentials import Credentials

SERVICE = "bedrock"
"""The name that a request is signed for."""
PROGRAM = "custom-process"
"""What botocore calls a profile's `credential_process`."""
WITHIN = 20.0
"""Seconds that credentials may take: a profile may have to ask AWS for a session first."""


@dataclass(frozen=True)
class AwsKeys:
    """An access key with its secret, and the token of the session if they are those of one."""

    access_key: str
    secret_key: Secret
    session_token: Secret | None = None
    signs: ClassVar[bool] = True

    @property
    def account(self) -> str:
        """The beginning of the access key."""
        return Secret(self.access_key).mask()

    @property
    def secrets(self) -> Sequence[Secret]:
        """What must never be read in an error."""
        return (self.secret_key, *([self.session_token] if self.session_token else []))

    async def authorise(self, request: Request, provider: Provider, fetch: Fetch) -> Request:
        """The request, signed. Raises MissingExtra."""
        return await asyncio.to_thread(_signed, request, provider.region or "", self)


@dataclass(eq=False)
class AwsProfile:
    """A profile of the shared files of AWS, read anew when they change; a session of it is kept while it lasts.

    `folder` is the connection's `.aws`, where AWS's own command line keeps the sign-ins.
    """

    name: str
    credentials_file: str
    config_file: str
    folder: str
    signs: ClassVar[bool] = True
    _found: AwsKeys | None = field(default=None, repr=False)
    _source: Credentials | None = field(default=None, repr=False)
    _read_at: Sequence[Stamp | None] = field(default=(), repr=False)
    _looked_at: tuple[Sequence[Stamp | None], bool] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self._look_up = InThread[AwsKeys]()

    @property
    def account(self) -> str:
        """The beginning of its access key, once that is known; until then, of its name."""
        return self._found.account if self._found else Secret(self.name).mask()

    @property
    def secrets(self) -> Sequence[Secret]:
        """What must never be read in an error."""
        return self._found.secrets if self._found else ()

    def is_there(self) -> bool:
        """Whether one of the files has a section of that name."""
        now = self._stamps()
        if self._looked_at is None or self._looked_at[0] != now:
            own = re.compile(rf"^\s*\[\s*(profile\s+)?[\"']?{re.escape(self.name)}[\"']?\s*\]", re.MULTILINE)
            found = any(own.search(_text(path)) for path in (self.credentials_file, self.config_file))
            self._looked_at = now, found
        return self._looked_at[1]

    async def authorise(self, request: Request, provider: Provider, fetch: Fetch) -> Request:
        """The request, signed. Raises MissingExtra, SignInNeeded or TimedOut."""
        region = provider.region or ""
        try:
            async with asyncio.timeout(WITHIN):
                keys = await self._look_up.run(partial(self._keys, region))
        except TimeoutError:
            text = f"The AWS profile {self.name!r} gave no credentials within {WITHIN:g} seconds."
            raise TimedOut(text, "Try `aws sts get-caller-identity` with it; then ask again.") from None
        return await keys.authorise(request, provider, fetch)

    def _keys(self, region: str) -> AwsKeys:
        """The keys that are valid now. In a thread: botocore reads files, runs programs and asks AWS."""
        _botocore()
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            now = self._stamps()
            if self._source is None or now != self._read_at:
                self._source, self._read_at = self._load(region), now
            frozen = self._source and self._source.get_frozen_credentials()
        except PointsmanError:
            raise
        except (BotoCoreError, ClientError, OSError) as error:
            if getattr(error, "kwargs", {}).get("provider") == PROGRAM:  # it would quote what the program said
                raise self._unusable("the program of its `credential_process` failed") from None
            raise self._unusable(str(error)) from error
        except Exception as error:  # botocore lets out what it meets, and that may quote a key
            raise self._unusable(f"what it describes can't be read ({type(error).__name__})") from None
        if not frozen or not frozen.access_key or not frozen.secret_key:
            raise self._unusable("there are no credentials in it")
        token = Secret(frozen.token) if frozen.token else None
        self._found = AwsKeys(frozen.access_key, Secret(frozen.secret_key), token)
        return self._found

    def _stamps(self) -> Sequence[Stamp | None]:
        return [stamp(path) for path in (self.credentials_file, self.config_file)]

    def _load(self, region: str) -> Credentials | None:
        """All that the files can describe: keys, a program, a sign-in, a role that another profile may take on.

        Put together here, because what botocore puts together itself looks into the daemon's environment, and asks the
        machine or the terminal.
        """
        from botocore.credentials import AssumeRoleProvider, CredentialResolver, ProfileProviderBuilder
        from botocore.session import Session
        from botocore.utils import JSONFileCache

        session = Session(profile=self.name)
        for name, value in (("credentials_file", self.credentials_file), ("config_file", self.config_file)):
            session.set_config_variable(name, value)
        session.set_config_variable("region", region)
        sessions: dict[str, object] = {}
        kept = {f"{kind}_token_cache": JSONFileCache(f"{self.folder}/{kind}/cache") for kind in ("sso", "login")}
        builder = ProfileProviderBuilder(session, sessions, region, **kept)
        role = AssumeRoleProvider(
            load_config=lambda: session.full_config,
            client_creator=partial(session.create_client, region_name=region),
            cache=sessions,
            profile_name=self.name,
            prompter=self._no_code,
            profile_provider_builder=builder,
        )
        resolver = CredentialResolver([role, *builder.providers(self.name, disable_env_vars=True)])
        found: Credentials | None = resolver.load_credentials()
        return found

    def _no_code(self, _: str) -> str:
        raise self._unusable("it wants the code of a second factor, and nobody can be asked for it here")

    def _unusable(self, reason: str) -> SignInNeeded:
        text = f"The AWS profile {self.name!r} can't be used: {reason.rstrip('.')}."
        advice = f"Sign in with `aws sso login --profile {self.name}` or correct the profile in {self.config_file}"
        return SignInNeeded(text, f"{advice} or {self.credentials_file}.")


def _text(path: str) -> str:
    try:
        return read_regular(Path(path), LARGEST).decode("utf-8", "replace")
    except (OSError, ValueError):
        return ""


def _signed(request: Request, region: str, keys: AwsKeys) -> Request:
    """The request with a signature of version 4, over its path as it is, its body and all its headers."""
    _botocore()
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import ReadOnlyCredentials

    token = keys.session_token.reveal() if keys.session_token else None
    signing = AWSRequest(request.method, request.url, headers=dict(request.headers), data=request.body)
    SigV4Auth(ReadOnlyCredentials(keys.access_key, keys.secret_key.reveal(), token), SERVICE, region).add_auth(signing)
    return replace(request, headers={name: _plain(value) for name, value in signing.headers.items()})


def _plain(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _botocore() -> None:
    try:
        import botocore  # noqa: F401 - whether it is there
    except ImportError as error:
        raise MissingExtra(
            "To sign requests for AWS, Pointsman needs botocore, which is not installed beside it.",
            "Run `pip install 'pointsman[aws]'` where Pointsman is installed, then `pointsman restart`.",
        ) from error
