"""Every error that Pointsman tells anyone, in one tree. Must never know how an error is carried or shown.

    PointsmanError
    ├── InternalError             a mistake of ours
    ├── ConfigError               a configuration file can't be used as it stands
    │   └── ConfigConflict        it was changed by somebody else meanwhile
    ├── StorageError              the state could not be read or made durable
    ├── SelectionConflict         the choice was changed by somebody else meanwhile
    ├── ShuttingDown              the daemon is leaving and takes no new chats
    ├── TooManyRequests           one connection has too many requests open
    ├── PluginFailed              a plugin raised, took too long, or gave back what it must not
    ├── RouteError                no way leads to an answer
    │   ├── UnknownProvider · UnknownModel · UnknownChain      each names the nearest valid names
    │   ├── BudgetReached         what may be spent is spent
    │   ├── NoModelChosen         nothing is chosen, and nothing configured could be taken instead
    │   └── NoTargetLeft          every target failed; `causes` says how
    ├── CredentialError
    │   ├── MissingKey            the provider wants a key and none is configured
    │   ├── MissingSetting        nobody has said a part of the provider's address: a region, a project, an endpoint
    │   ├── MissingExtra          what this way to be known to a provider needs is not installed
    │   ├── ProgramMissing        the program that a provider is asked by is not installed
    │   ├── SignInNeeded          the account behind a profile or a sign-in must sign in (again)
    │   ├── SignInFailed          a sign-in was begun and came to nothing
    │   ├── KeyUnreadable         a file or a program that should give the key gives none
    │   ├── WrongOrigin           what is stored was entered for another place than the one that would be asked
    │   ├── UnknownCredential     nothing of that name is stored
    │   ├── UnknownSession        no temporary session of that token is known
    │   │   └── SessionExpired    its time is over
    │   └── VaultError            what is stored can't be opened
    │       └── VaultLocked · WrongVaultKey
    ├── ProviderError             a provider answered, and the answer is an error
    │   ├── InvalidKey · NotAllowed · RateLimited · QuotaExhausted · Overloaded · ModelNotFound
    │   └── BadRequest · ContextTooLong · ContentRefused · Interrupted · BadReply
    ├── ChatGone · ChatInUse
    └── TransportError            the provider could not be reached, or went silent
        └── ConnectFailed · TimedOut · BadCertificate

Each class says by `remedies` what can help the chat, the best first: the same request again, another key, another
target. The class name is the stable `code` on the wire.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from pointsman.core.secret import hide

Remedy = Literal["retry", "key", "target"]

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""All that msgspec raises for bytes that are not the JSON that was asked for."""


class ErrorData(msgspec.Struct, rename="camel", omit_defaults=True, frozen=True):
    """What a client learns of an error: `data` of a JSON-RPC error, and `error` of an event.

    `code` is stable; `message` says what happened and `advice` what to do next, both for people. `retryAfter` is in
    seconds; `resetsAt` is RFC 3339 in UTC. `limit` is how much a provider allows in its window, `remaining` what it
    says is left of that.
    """

    code: str
    message: str
    advice: str
    retryable: bool
    retry_after: float | None = None
    provider: str | None = None
    status_code: int | None = None
    limit: int | None = None
    remaining: int | None = None
    resets_at: str | None = None
    causes: tuple[ErrorData, ...] = ()


class PointsmanError(Exception):
    """What no other code says. `message` tells what happened, `advice` what to do next; people see both as they are."""

    remedies: ClassVar[tuple[Remedy, ...]] = ()
    default_advice: ClassVar[str] = "If this comes back, run `pointsman doctor` and look into the log it names."

    def __init__(
        self,
        message: str,
        advice: str | None = None,
        *,
        provider: str | None = None,
        status_code: int | None = None,
        retry_after: float | None = None,
        resets_at: str | None = None,
        causes: tuple[PointsmanError, ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice or self.default_advice
        self.provider = provider
        self.status_code = status_code
        self.retry_after = retry_after
        self.resets_at = resets_at
        self.causes = causes
        self.limit: int | None = None
        self.remaining: int | None = None
        self.of_model = False
        """Whether a quota may be that of the model alone, as one for a day or a week often is."""
        self.of_account = False
        """Whether the account alone is concerned: its token could not be renewed, and the provider was not asked."""

    @property
    def code(self) -> str:
        """The stable name on the wire."""
        return type(self).__name__

    @property
    def final(self) -> bool:
        """Whether the same request will fail for as long as nobody changes anything."""
        comes_back = self.retry_after is not None or self.resets_at is not None
        return not (self.remedies or comes_back) and all(cause.final for cause in self.causes)

    def data(self) -> ErrorData:
        """This error as clients see it: no secret that is known stands in it, whoever was quoted."""
        return ErrorData(
            code=self.code,
            message=hide(self.message),
            advice=hide(self.advice),
            retryable=not self.final,
            retry_after=self.retry_after,
            provider=self.provider,
            status_code=self.status_code,
            limit=self.limit,
            remaining=self.remaining,
            resets_at=self.resets_at,
            causes=tuple(cause.data() for cause in self.causes),
        )

    def __str__(self) -> str:
        return f"{self.message} {self.advice}"


class InternalError(PointsmanError):
    """Something went wrong inside Pointsman; its log says what."""

    default_advice = "Try again; `pointsman doctor` says where the log is, should it come back."


class ConfigError(PointsmanError):
    """A configuration file can't be used as it stands."""

    default_advice = "Mend the file and save it: it is read again at once. `pointsman config check` looks at it."


class ConfigConflict(ConfigError):
    """The configuration file was changed by somebody else since the caller looked."""

    default_advice = "Look at it again with `pointsman/getProvider`, and change it again if you still want to."


class StorageError(PointsmanError):
    """The state could not be read or made durable; what was asked for has not happened."""

    default_advice = (
        "Make room on the disk or mend the folder's permissions, then try again; `pointsman doctor` looks closer."
    )


class SelectionConflict(PointsmanError):
    """Somebody else changed the choice since the caller looked."""

    default_advice = "Ask `pointsman/currentModel` what holds now, and switch again if you still want to."


class ShuttingDown(PointsmanError):
    """The daemon is leaving: it lets running chats finish and takes no new ones."""

    default_advice = "Connect again in a moment; a new daemon starts by itself."


class TooManyRequests(PointsmanError):
    """One connection has more requests open than the daemon keeps for it."""

    default_advice = "Wait for some of the open requests to be answered, or cancel them."


class PluginFailed(PointsmanError):
    """A plugin raised, took too long, or gave back what it must not; `pointsman status` names its package."""

    remedies: ClassVar[tuple[Remedy, ...]] = ("target",)
    default_advice = "Update the package of the plugin, tell its author, or uninstall it; then `pointsman restart`."


class RouteError(PointsmanError):
    """No way leads to an answer."""

    default_advice = "See what there is with `pointsman/listProviders` and `pointsman/listModels`."


class UnknownProvider(RouteError):
    """No provider of that name is configured."""


class UnknownModel(RouteError):
    """No model, alias or provider of that name is known."""


class UnknownChain(RouteError):
    """No chain of that name is configured."""


class NoModelChosen(RouteError):
    """Nothing is chosen, and there is nothing configured that could be taken instead."""

    default_advice = (
        'Choose a model with `pointsman/switchModel`, or put `default = "provider:model"` into pointsman.toml.'
    )


class BudgetReached(RouteError):
    """What may be spent is spent, and whoever could answer would cost more. `resetsAt` is when a new period begins, and
    is absent for a budget of $0.
    """

    default_advice = "Raise the budget under [budgets] in pointsman.toml, or use a model that costs nothing."


class NoTargetLeft(RouteError):
    """Every target was tried or skipped; `causes` says what each one answered."""


class CredentialError(PointsmanError):
    """A credential is missing or can't be used."""

    remedies: ClassVar[tuple[Remedy, ...]] = ("target",)


class MissingKey(CredentialError):
    """The provider wants a key and none is configured for this connection."""

    default_advice = "Set the variable that the provider's definition names, and start the editor again."


class MissingSetting(CredentialError):
    """A part of the provider's address is said nowhere: a region, a project, an endpoint."""

    default_advice = "Set the variable that the provider's definition names, and start the editor again."


class MissingExtra(CredentialError):
    """What this way to be known to a provider needs is not installed: an extra of the package."""

    default_advice = "Install Pointsman with the extra that the message names, then run `pointsman restart`."


class ProgramMissing(CredentialError):
    """The program that a provider is asked by is not installed, or not where this connection's PATH leads."""

    default_advice = "Install it, or name it by its whole path in the provider's `base_url`: `program:///path/to/it`."


class SignInNeeded(CredentialError):
    """An account can't be used as it is: its sign-in has ended, or what is kept of it can't be read."""

    remedies: ClassVar[tuple[Remedy, ...]] = ("key", "target")
    default_advice = "Sign in again with the tool that you signed in with, then ask again."


class SignInFailed(CredentialError):
    """A sign-in was begun and came to nothing: refused, cancelled, or never finished."""

    default_advice = "Begin the sign-in again; nothing has changed."


class KeyUnreadable(CredentialError):
    """The file or the program that a provider's key should come from gives none."""

    remedies: ClassVar[tuple[Remedy, ...]] = ("key", "target")
    default_advice = "Mend that, or name another source for the key; `pointsman keys` lists all there are."


class WrongOrigin(CredentialError):
    """What is stored for this provider was entered for another origin, and is never sent elsewhere."""

    default_advice = "Enter the key anew for this address, if it is the right one; else correct `base_url`."


class UnknownCredential(CredentialError):
    """Nothing of that name is stored."""

    default_advice = "See what is stored with `pointsman keys` and `pointsman accounts`."


class UnknownSession(CredentialError):
    """No temporary session of that token is known: it was ended, or the daemon has been restarted since."""

    default_advice = "Begin a new one with `pointsman/createSession`."


class SessionExpired(UnknownSession):
    """The time of a temporary session is over; what was configured before holds again."""


class VaultError(CredentialError):
    """What is stored can't be opened. It is all still there."""

    default_advice = "`pointsman vault status` says which key it is sealed with, and where that was looked for."


class VaultLocked(VaultError):
    """The key of the vault can't be had now: the keyring is locked or does not answer."""

    default_advice = "Unlock your keyring (signing in to the desktop usually does), then try again."


class WrongVaultKey(VaultError):
    """The key that was found is not the one that the vault is sealed with, or none was found at all."""


class ProviderError(PointsmanError):
    """A provider answered, and the answer is an error."""

    remedies: ClassVar[tuple[Remedy, ...]] = ("target",)
    default_advice = "Try again, or switch to another model."


class InvalidKey(ProviderError):
    """The provider refused the key (HTTP 401, 403)."""

    remedies: ClassVar[tuple[Remedy, ...]] = ("key", "target")
    default_advice = (
        "Check the key in the provider's console and the place it is configured, or switch to another provider."
    )


class NotAllowed(ProviderError):
    """The provider took the key, and does not let its account do this: use that model, or ask from here (HTTP 403)."""

    remedies: ClassVar[tuple[Remedy, ...]] = ("key", "target")
    default_advice = (
        "See in the provider's console which models the account may use, and from where; or switch to another model."
    )


class RateLimited(ProviderError):
    """Too many requests for now (HTTP 429); `retryAfter` says for how long, where the provider does. Or it was never
    sent, since a limit of your own is reached and too many wait already (docs/limits.md)."""

    remedies: ClassVar[tuple[Remedy, ...]] = ("key", "target", "retry")
    default_advice = "Wait a little, or switch to another model."


class QuotaExhausted(ProviderError):
    """The account's quota or credit is spent (HTTP 402, or 429 that says so). It is not `retryable` where no time is
    told at which it comes back: then only money helps, or somebody else."""

    remedies: ClassVar[tuple[Remedy, ...]] = ("key", "target")
    default_advice = "Add credit in the provider's console, or switch to another provider."

    @property
    def final(self) -> bool:
        """A spent credit or a limit of one's own on spending does not come back by itself."""
        return self.retry_after is None and self.resets_at is None


class Overloaded(ProviderError):
    """The provider has trouble of its own (HTTP 408, 409, 5xx)."""

    remedies: ClassVar[tuple[Remedy, ...]] = ("retry", "target")
    default_advice = "Try again in a moment, or switch to another provider; its status page may say more."


class ModelNotFound(ProviderError):
    """The provider doesn't know the model, or doesn't give it to this account."""

    default_advice = "List what it has with `pointsman/listModels`, and check that your account may use the model."


class BadRequest(ProviderError):
    """The provider refused the request itself; sending it elsewhere would not help."""

    remedies: ClassVar[tuple[Remedy, ...]] = ()
    default_advice = "Change what the message says is wrong, then ask again."


class ContextTooLong(BadRequest):
    """The conversation is longer than the model's context window."""

    default_advice = "Shorten the conversation, or switch to a model with a larger context window."


class ContentRefused(BadRequest):
    """The provider's content filter refused the request."""

    default_advice = "Rephrase the request, or switch to another model."


class Interrupted(ProviderError):
    """The stream broke off before the provider said that the answer was complete."""

    remedies: ClassVar[tuple[Remedy, ...]] = ("retry", "target")
    default_advice = "Ask again, or go on with another model."


class BadReply(ProviderError):
    """What came back is not what the provider's dialect allows."""

    default_advice = "Check that the base URL is the one for this `wire`, then try again."


class ChatGone(PointsmanError):
    """No chat of that id is kept (any more)."""

    default_advice = "See `pointsman/listChats` for those that are; finished chats are kept for ten minutes."


class ChatInUse(PointsmanError):
    """A chat of that id exists already."""

    default_advice = "To follow the chat that has this id, use `pointsman/attachChat`; for a new one, make a new UUID."


class TransportError(PointsmanError):
    """The provider could not be reached, or went silent."""

    remedies: ClassVar[tuple[Remedy, ...]] = ("retry", "target")
    default_advice = "Check the network and the provider's base URL, then try again."
    unsent = False
    """Whether nothing of the request can have reached the provider, so that it is surely as if it had not been sent."""


class ConnectFailed(TransportError):
    """No connection to the provider: name not found, refused, or unreachable."""


class TimedOut(TransportError):
    """The provider stayed silent for longer than the configured limit."""

    default_advice = "Try again, or raise the provider's `timeout` in pointsman.toml if it is known to be slow."


class BadCertificate(TransportError):
    """TLS could not be verified."""

    remedies: ClassVar[tuple[Remedy, ...]] = ("target",)
    default_advice = (
        "If a company proxy inspects TLS, add its CA certificate to the system's trust store, or name its file as `ca` "
        "under [network] in pointsman.toml."
    )
