"""The way to a provider through the network: whose certificates count, and through which proxy.

Must never read a file, nor know how a connection is made.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from ipaddress import ip_address, ip_network
from typing import Annotated as Says
from urllib.parse import unquote, urlsplit

from msgspec import Meta, Struct

from pointsman.core.secret import Secret

DIRECT = "direct"
"""Stands for no proxy at all, also where the environment names one."""
PROXY = "the URL of an http or https proxy, or `direct` for none; its name and password may stand in it"
FROM_ROOT = "Expected a path from the root, or from `~/`"


class Tls(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Certificates for TLS. Paths begin with `/` or `~/`; a file that changes counts from the next connection on."""

    ca: Says[
        str | None, Meta(description="a PEM file, or a folder of them, whose certificates are trusted as well")
    ] = None
    certificate: Says[
        str | None, Meta(description="a PEM file with the certificate that proves who you are, and those up to its CA")
    ] = None
    key: Says[
        str | None, Meta(description="the PEM file with its key, where that is not in the certificate's file")
    ] = None

    @property
    def mistake(self) -> tuple[str, str] | None:
        """The field that can't be right, and what is wrong with it."""
        for name, path in (("ca", self.ca), ("certificate", self.certificate), ("key", self.key)):
            if path is not None and not _is_from_root(path):
                return name, FROM_ROOT
        if self.key is not None and self.certificate is None:
            return "key", "A key is of no use without its `certificate`"
        return None


class Network(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The way to all providers. Only your own pointsman.toml may say it; what the environment of the daemon says
    (`HTTPS_PROXY`, `NO_PROXY`, `SSL_CERT_FILE`) holds where this says nothing."""

    ca: Says[
        str | None,
        Meta(description="a PEM file, or a folder of them, whose certificates are trusted besides the system's"),
    ] = None
    proxy: Says[str | None, Meta(description=f"{PROXY}. This machine's own addresses are reached without")] = None
    no_proxy: Says[
        tuple[str, ...],
        Meta(description="hosts to reach without: a name (and all below it), an address or a network, `*` for all"),
    ] = ()

    @property
    def mistake(self) -> tuple[str, str] | None:
        """The field that can't be right, and what is wrong with it."""
        if self.ca is not None and not _is_from_root(self.ca):
            return "ca", FROM_ROOT
        if self.proxy is not None and (wrong := proxy_mistake(self.proxy)):
            return "proxy", wrong
        return None


class Egress(Struct, frozen=True, omit_defaults=True):
    """The way that a request takes. `own_proxy` is its provider's, `proxy` everybody's; None leaves it to the
    environment. `ca`, `certificate` and `key` are paths."""

    own_proxy: str | None = None
    proxy: str | None = None
    no_proxy: tuple[str, ...] = ()
    ca: tuple[str, ...] = ()
    certificate: str | None = None
    key: str | None = None

    def proxy_for(self, url: str) -> str | None:
        """The proxy for a URL, `DIRECT` for none, None where the environment decides. Raises ValueError for no URL."""
        if self.own_proxy is not None:
            return self.own_proxy
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port or {"https": 443}.get(parts.scheme, 80)
        if any(_fits(pattern.strip().lower(), host, port) for pattern in self.no_proxy):
            return DIRECT
        if self.proxy is not None and _is_this_machine(host):
            return DIRECT
        return self.proxy


ORDINARY = Egress()
"""The way that the environment and the system say."""
NO_FILES = Tls()


def egress(network: Network, proxy: str | None = None, tls: Tls = NO_FILES) -> Egress:
    """The way to a provider with a proxy and certificates of its own."""
    ca = tuple(dict.fromkeys(path for path in (network.ca, tls.ca) if path is not None))
    return Egress(proxy, network.proxy, network.no_proxy, ca, tls.certificate, tls.key)


def proxy_mistake(proxy: str) -> str | None:
    """What is wrong with a proxy, without a word of it: there may be a password in it."""
    if proxy == DIRECT:
        return None
    try:
        parts = urlsplit(proxy)
        right = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        right = False
    return None if right else f"Expected `http://HOST:PORT`, `https://HOST:PORT` or `{DIRECT}`"


def proxy_secrets(proxy: str | None) -> Iterator[Secret]:
    """What nobody may read of a proxy's URL, in each way that it could be spelled."""
    try:
        named = urlsplit(proxy or "").netloc.rpartition("@")[0]
    except ValueError:
        return
    if named:
        user, _, password = named.partition(":")
        plain = f"{unquote(user)}:{unquote(password)}"
        for value in (named, plain, b64encode(plain.encode()).decode(), password or user, unquote(password or user)):
            yield Secret(value)


def without_secrets(proxy: str | None) -> str | None:
    """The URL of a proxy as people may see it."""
    before, at, behind = (proxy or "").rpartition("@")
    return f"{before.partition('//')[0]}//…@{behind}" if at else proxy


def named(table: Tls | Network) -> Sequence[tuple[str, str]]:
    """The files that are named: the field, and the path."""
    paths = ((name, getattr(table, name, None)) for name in ("ca", "certificate", "key"))
    return [(name, path) for name, path in paths if path]


def _is_from_root(path: str) -> bool:
    return path.startswith(("/", "~/"))


def _fits(pattern: str, host: str, port: int) -> bool:
    """Whether a host is one of those that an entry of `no_proxy` means."""
    if pattern == "*":
        return True
    name, colon, only = pattern.rpartition(":")
    if colon and only.isdecimal() and (name.startswith("[") or ":" not in name):
        if int(only) != port:
            return False
        pattern = name
    name = pattern.removeprefix("*").strip("[].")
    if name == host or (name and host.endswith(f".{name}")):
        return True
    try:
        return ip_address(host) in ip_network(name, strict=False)
    except ValueError:
        return False


def _is_this_machine(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
