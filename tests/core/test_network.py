"""The way through the network, as configuration says it: which proxy for which host, and what can't be right."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core.catalogue import Catalogue, Provider, named_files
from pointsman.core.configuration import parse
from pointsman.core.layers import Layer
from pointsman.core.network import (
    DIRECT,
    Egress,
    Network,
    Tls,
    egress,
    named,
    proxy_mistake,
    proxy_secrets,
    without_secrets,
)
from pointsman.core.secret import alive
from tests.each import each

PROXY = "http://proxy.test:3128"


class Quirks(msgspec.Struct, forbid_unknown_fields=True):
    """A dialect without any."""


def read(text: str, kind: Any = "user") -> Catalogue:
    return parse([Layer("pointsman.toml", text, kind)], {"openai-chat": Quirks})


@each(
    ("pattern", "url", "fits"),
    [
        ("*", "https://anything.test/", True),
        ("corp.test", "https://corp.test/v1", True),
        ("corp.test", "https://llm.corp.test/v1", True),
        ("corp.test", "https://notcorp.test/v1", False),
        (".corp.test", "https://llm.corp.test/v1", True),
        ("*.corp.test", "https://llm.corp.test/v1", True),
        (" CORP.test ", "https://llm.Corp.Test./v1", True),
        ("corp.test:8443", "https://corp.test:8443/v1", True),
        ("corp.test:8443", "https://corp.test/v1", False),
        ("corp.test:443", "https://corp.test/v1", True),
        ("corp.test:80", "http://corp.test/v1", True),
        ("10.1.2.3", "http://10.1.2.3/v1", True),
        ("10.0.0.0/8", "http://10.1.2.3:9/v1", True),
        ("10.0.0.0/8", "http://11.1.2.3/v1", False),
        ("10.1.2.3/8", "http://10.9.9.9/v1", True),
        ("fd00::/8", "http://[fd00::1]/v1", True),
        ("[fd00::1]", "http://[fd00::1]:80/v1", True),
        ("[fd00::1]:80", "http://[fd00::1]/v1", True),
        ("10.0.0.0/8", "http://ten.test/v1", False),
        ("", "http://corp.test/v1", False),
        (".", "http://corp.test/v1", False),
    ],
)
def test_hosts_that_are_reached_without(pattern: str, url: str, fits: bool) -> None:
    assert Egress(proxy=PROXY, no_proxy=(pattern,)).proxy_for(url) == (DIRECT if fits else PROXY)
    assert Egress(no_proxy=(pattern,)).proxy_for(url) == (DIRECT if fits else None)


@each(
    ("way", "expected"),
    [
        (Egress(), None),
        (Egress(proxy=PROXY), PROXY),
        (Egress(proxy=DIRECT), DIRECT),
        (Egress(own_proxy=DIRECT, proxy=PROXY), DIRECT),
        (Egress(own_proxy="http://own.test", proxy=PROXY, no_proxy=("*",)), "http://own.test"),
    ],
)
def test_the_proxy_of_a_way(way: Egress, expected: str | None) -> None:
    assert way.proxy_for("https://llm.test/v1") == expected


@each("host", ["localhost", "ollama.localhost", "127.0.0.1:11434", "127.9.9.9", "[::1]:1"])
def test_this_machine_is_reached_without_a_proxy_for_all(host: str) -> None:
    assert Egress(proxy=PROXY).proxy_for(f"http://{host}/v1") == DIRECT
    assert Egress(own_proxy=PROXY).proxy_for(f"http://{host}/v1") == PROXY
    assert Egress().proxy_for(f"http://{host}/v1") is None


def test_a_way_is_made_of_what_counts_for_all_and_what_is_a_providers_own() -> None:
    network = Network(ca="/all.pem", proxy=PROXY, no_proxy=("a",))
    made = egress(network, "http://own.test", Tls(ca="/own.pem", certificate="/me.pem", key="/me.key"))
    assert made == Egress("http://own.test", PROXY, ("a",), ("/all.pem", "/own.pem"), "/me.pem", "/me.key")
    assert egress(network, tls=Tls(ca="/all.pem")).ca == ("/all.pem",)
    assert egress(Network()) == Egress()


@each(
    "proxy", ["socks5://h:1", "h:3128", "//h", "http://", "http://h:0", "http://h:99999", "http://[::1", "ftp://h", ""]
)
def test_a_proxy_that_is_none(proxy: str) -> None:
    assert proxy_mistake(proxy) == "Expected `http://HOST:PORT`, `https://HOST:PORT` or `direct`"


@each("proxy", [PROXY, "https://h", "http://me:secret@h:1", "http://[::1]:1", DIRECT])
def test_a_proxy_that_is_one(proxy: str) -> None:
    assert proxy_mistake(proxy) is None


@each(
    ("proxy", "secrets"),
    [
        (None, []),
        (PROXY, []),
        ("http://[::1", []),
        (
            "http://me:pass%40word@h:1",
            ["me:pass%40word", "me:pass@word", "bWU6cGFzc0B3b3Jk", "pass%40word", "pass@word"],
        ),
        ("http://a-token@h", ["a-token", "a-token:", "YS10b2tlbjo=", "a-token", "a-token"]),
    ],
)
def test_the_secrets_of_a_proxy(proxy: str | None, secrets: list[str]) -> None:
    assert [secret.reveal() for secret in proxy_secrets(proxy)] == secrets


@each(
    ("proxy", "shown"),
    [
        (None, None),
        (PROXY, PROXY),
        ("http://me:p@h:1/x", "http://…@h:1/x"),
        ("http://a@b:p@h:1", "http://…@h:1"),
        ("me:p@h", "me:p//…@h"),
    ],
)
def test_a_proxy_is_shown_without_who_asks(proxy: str | None, shown: str | None) -> None:
    assert without_secrets(proxy) == shown


@given(st.text())
def test_whatever_is_written_there_breaks_nothing(text: str) -> None:
    proxy_mistake(text)
    list(proxy_secrets(text))
    assert f"x{text}@" not in (without_secrets(f"http://x{text}@h") or "") or "@" in text


# As it stands in the file


FILE = """
[network]
ca = "/etc/corp.pem"
proxy = "http://me:canary-of-a-proxy@proxy.test:3128"
no_proxy = ["corp.test"]

[providers.corp]
base_url = "https://llm.corp.test/v1"
proxy = "direct"
tls = { ca = "~/cas", certificate = "/me.pem", key = "/me.key" }
"""


def test_what_the_file_says_of_the_network() -> None:
    catalogue = read(FILE)
    assert catalogue.problems == ()
    assert catalogue.network.proxy == "http://me:canary-of-a-proxy@proxy.test:3128"
    made = catalogue.providers["corp"].egress
    assert made == Egress(
        DIRECT, catalogue.network.proxy, ("corp.test",), ("/etc/corp.pem", "~/cas"), "/me.pem", "/me.key"
    )
    assert list(named_files(catalogue, "pointsman.toml")) == [
        ("network.ca", "ca", "/etc/corp.pem"),
        ("providers.corp.tls.ca", "ca", "~/cas"),
        ("providers.corp.tls.certificate", "certificate", "/me.pem"),
        ("providers.corp.tls.key", "key", "/me.key"),
    ]
    assert list(named_files(catalogue, "elsewhere")) == []
    assert named(catalogue.network) == [("ca", "/etc/corp.pem")]


@each(
    ("line", "words"),
    [
        ('ca = "corp.pem"', "`network.ca`: Expected a path from the root, or from `~/`."),
        ('proxy = "socks5://me:canary-of-a-proxy@h"', "`network.proxy`: Expected `http://HOST:PORT`"),
        ('no_proxy = "a"', "Expected a list, got text."),
        ("proxy = 3128", "Expected text, got a whole number."),
        ('prox = "http://h"', "unknown field `prox`"),
    ],
)
def test_a_mistake_about_the_network_is_told_with_its_line(line: str, words: str) -> None:
    catalogue = read(f"# a file\n[network]\n{line}\n\n[daemon]\ndrain = 3.0\n")
    (problem,) = catalogue.problems
    assert words in problem.message
    assert "canary" not in f"{problem.message}{problem.hint}"
    assert problem.line == 3
    assert (catalogue.network, catalogue.daemon.drain) == (Network(), 3.0)


def test_what_is_right_beside_a_mistake_stays_in_force() -> None:
    catalogue = read('[network]\nproxy = "nonsense"\nca = "/right.pem"\n')
    assert len(catalogue.problems) == 1
    assert catalogue.network == Network(ca="/right.pem")


@each(
    ("line", "words"),
    [
        ('proxy = "canary-of-a-proxy"', "`proxy`: Expected `http://HOST:PORT`"),
        ('tls = { ca = "corp.pem" }', "`tls.ca`: Expected a path from the root"),
        ('tls = { certificate = "me.pem" }', "`tls.certificate`: Expected a path"),
        ('tls = { certificate = "/me.pem", key = "me" }', "`tls.key`: Expected a path"),
        ('tls = { key = "/me.key" }', "`tls.key`: A key is of no use without its `certificate`"),
        ("tls = { verify = false }", "unknown field `verify`"),
    ],
)
def test_a_mistake_about_a_providers_own_way(line: str, words: str) -> None:
    (problem,) = read(f'[providers.corp]\nbase_url = "https://corp.test"\n{line}\n').problems
    assert words in problem.message
    assert "canary" not in f"{problem.message}{problem.hint}"
    assert problem.line == 3


def test_a_project_says_nothing_of_the_network() -> None:
    catalogue = read(FILE, "project")
    assert {problem.message.split("`")[1] for problem in catalogue.problems} == {"network", "providers"}
    assert catalogue.network == Network()
    assert catalogue.providers == {}


def test_a_dropped_definition_says_nothing_of_the_way_to_all() -> None:
    catalogue = read(FILE, "dropped")
    assert catalogue.network == Network()
    assert catalogue.providers["corp"].egress.certificate == "/me.pem"


def test_nobody_says_it_in_the_name_of_the_way_to_all() -> None:
    catalogue = read('[providers.corp]\nbase_url = "https://corp.test"\nnetwork = { proxy = "http://h" }\n')
    assert catalogue.providers["corp"].network == Network()


def test_secrets_of_a_catalogue_are_known_while_it_lives() -> None:
    catalogue = read(FILE)
    assert "canary-of-a-proxy" in [secret.reveal() for secret in catalogue.secrets]
    assert "canary-of-a-proxy" in [secret.reveal() for secret in alive()]


def test_a_provider_takes_the_ordinary_way() -> None:
    assert Provider(id="x", base_url="https://x.test").egress == Egress()
