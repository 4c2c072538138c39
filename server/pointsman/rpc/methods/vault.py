"""Methods about the vault and the audit. None of them ever gives a secret in the clear."""

from __future__ import annotations

from typing import Literal

from pointsman.core.secret import Secret
from pointsman.core.stored import Record
from pointsman.rpc.table import Context, method
from pointsman.rpc.types import Nothing
from pointsman.rpc.vault_types import (
    AuditEvent,
    AuditParams,
    AuditResult,
    DamagedRecord,
    DiscardVaultParams,
    DiscardVaultResult,
    ExportVaultParams,
    ExportVaultResult,
    ImportedRecord,
    ImportVaultParams,
    ImportVaultResult,
    VaultStatusResult,
)


@method
async def vault_status(ctx: Context, params: Nothing) -> VaultStatusResult:
    """Tells which key the stored credentials are sealed with, where that lies, and which of them are damaged.

    A vault that could not be opened is tried once more: its keyring may have been unlocked.
    """
    return await _status(ctx)


@method
async def rotate_vault(ctx: Context, params: Nothing) -> VaultStatusResult:
    """Makes a new key and seals every stored credential with it, all or none.

    The new key goes into the first place that takes one: `POINTSMAN_VAULT_KEY`, the keyring, a file.
    """
    await ctx.app.vault.rotate(ctx.client.name)
    return await _status(ctx)


@method
async def export_vault(ctx: Context, params: ExportVaultParams) -> ExportVaultResult:
    """Gives all stored credentials as the text of a file for another machine, sealed by a passphrase.

    A token of an account should live on one machine alone: many providers end both when two use it.
    """
    vault = ctx.app.vault
    content, records = await vault.exported(Secret(params.passphrase), ctx.client.name)
    return ExportVaultResult(
        content=content,
        records=len(records),
        accounts=sum(record.kind == "oauth" for record in records),
        left_out=len(vault.status.damaged),
    )


@method
async def import_vault(ctx: Context, params: ImportVaultParams) -> ImportVaultResult:
    """Takes in the credentials of an exported file, all or none. One that is stored here and differs is replaced."""
    found = await ctx.app.vault.imported(params.content, Secret(params.passphrase), ctx.client.name)
    return ImportVaultResult(
        [
            *(_imported(record, "added") for record in found.added),
            *(_imported(record, "replaced") for record in found.replaced),
            *(_imported(record, "thereAlready") for record in found.there_already),
        ]
    )


@method
async def discard_vault(ctx: Context, params: DiscardVaultParams) -> DiscardVaultResult:
    """Removes for good what nobody can open: the damaged credentials, or with `all` every one, where the key is lost.

    A vault whose keyring is only locked is left alone.
    """
    return DiscardVaultResult(await ctx.app.vault.discard(ctx.client.name, all=params.all))


@method
async def audit(ctx: Context, params: AuditParams) -> AuditResult:
    """Lists what has happened to stored credentials, the newest first, and which client did it.

    Events are `added` `usedFirst` `refreshed` `refused` `signedIn` `signedOut` `rotated` `exported` `imported`
    `removed`; the last 10,000 are kept.
    """
    found = await ctx.app.audit.last(params.limit, params.provider)
    return AuditResult(
        [AuditEvent(each.at, each.event, each.provider, each.account, each.client, each.detail) for each in found]
    )


async def _status(ctx: Context) -> VaultStatusResult:
    app = ctx.app
    await app.vault.open()
    status = app.vault.status
    return VaultStatusResult(
        state=status.state,
        records=status.records,
        file=str(app.where.store),
        damaged=[DamagedRecord(each.id, each.provider, each.label, each.reason) for each in status.damaged],
        notes=list(status.notes),
        source=status.source,
        where=status.where or None,
        key=status.key or None,
        error=status.trouble.data() if status.trouble else None,
    )


def _imported(record: Record, outcome: Literal["added", "replaced", "thereAlready"]) -> ImportedRecord:
    return ImportedRecord(record.provider, record.label, record.kind, record.origin, outcome)
