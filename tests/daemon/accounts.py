"""Accounts that have signed in at the fixture `oidc`, put into a home's vault before its daemon begins."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from pointsman.core.http import origin
from pointsman.core.secret import Secret
from pointsman.core.stored import Record, Tokens
from pointsman.edge.master_key import FILE, VARIABLE, MasterKeys
from pointsman.edge.sealed_store import SealedStore
from pointsman.edge.store import Store
from pointsman.service.audit import Audit
from pointsman.service.vault import Vault
from tests.counterparts.oidc import CLIENT, SCOPES, Browser, Oidc
from tests.living import Home

VAULT_KEY = base64.b64encode(b"not-a-real-key".ljust(32, b".")).decode()
_REDIRECT = "http://127.0.0.1:9/callback"


def granted(oidc: Oidc, login: str = "alice") -> Tokens:
    """The tokens of somebody who signs in."""
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {"response_type": "code", "client_id": CLIENT, "redirect_uri": _REDIRECT, "scope": " ".join(SCOPES)}
    asked |= {"code_challenge": challenge, "code_challenge_method": "S256", "state": "any", "prompt": "consent"}
    page = Browser(login).sign_in(f"{oidc.origin}/oauth/authorize?{urlencode(asked)}", until=_REDIRECT)
    code = parse_qs(urlsplit(page.url).query)["code"][0]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": _REDIRECT, "client_id": CLIENT}
    now, answer = time.time(), post(f"{oidc.origin}/oauth/token", form | {"code_verifier": verifier})
    expires = now + answer["expires_in"]
    access, refresh = Secret(answer["access_token"]), Secret(answer["refresh_token"])
    return Tokens(access, refresh, expires_at=expires, obtained_at=now, token_origin=origin(oidc.origin))


def over(tokens: Tokens) -> Tokens:
    """The same as somebody sees them who believes that the access token has ended."""
    return replace(tokens, obtained_at=time.time() - 7200, expires_at=time.time() - 3600)


def post(url: str, form: Mapping[str, str]) -> Any:
    """What an endpoint answers to a form."""
    with urllib.request.urlopen(urllib.request.Request(url, urlencode(form).encode()), timeout=10) as answer:
        return json.load(answer)


def still_holds(oidc: Oidc, tokens: Tokens) -> bool:
    """Whether the server still takes a refresh token: its family has not been ended."""
    assert tokens.refresh
    form = {"token": tokens.refresh.reveal(), "token_type_hint": "refresh_token", "client_id": CLIENT}
    active: bool = post(f"{oidc.origin}/oauth/introspect", form)["active"]
    return active


def is_let_in(oidc: Oidc, tokens: Tokens) -> bool:
    """Whether the access token is good: it would not be any more if its family had been ended."""
    headers = {"authorization": f"Bearer {tokens.access.reveal()}"}
    try:
        urllib.request.urlopen(urllib.request.Request(f"{oidc.base_url}/models", headers=headers), timeout=10).close()
    except urllib.error.HTTPError:
        return False
    return True


def vault_of(home: Home) -> tuple[Store, Vault]:
    """The vault of a home whose daemon does not run."""
    home.environment[VARIABLE] = VAULT_KEY
    Path(home.places.store).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    store = Store(Path(home.places.store))
    sealed = SealedStore(store.database)
    return store, Vault(sealed, MasterKeys(home.data / FILE, Secret(VAULT_KEY)), Audit(sealed))


async def keep(home: Home, oidc: Oidc, *accounts: Mapping[str, Tokens]) -> None:
    """Puts an account for each provider into the vault; with more than one mapping, further accounts of theirs."""
    store, vault = vault_of(home)
    for number, each in enumerate(accounts):
        for provider, tokens in each.items():
            id, label = f"{provider}-{number}", f"account {number}"
            await vault.put(Record(id, provider, origin(oidc.base_url), label, tokens, "2026-01-01T00:00:00Z"))
    await vault.close()
    await store.close()


async def kept(home: Home) -> dict[str, Tokens]:
    """What the vault holds for each provider. All of it has to be whole."""
    store, vault = vault_of(home)
    await vault.open()
    status = vault.status
    assert status.trouble is None
    assert not status.damaged
    found = {record.provider: record.holds for record in vault.all() if isinstance(record.holds, Tokens)}
    await vault.close()
    await store.close()
    return found


def without(definition: str, *names: str) -> str:
    """A definition without these lines."""
    return "".join(line for line in definition.splitlines(keepends=True) if line.partition(" =")[0] not in names)
