"""A certificate authority of the tests' own, and what it signs: for servers on loopback and for their clients."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, in one file and in two."""

    both: Path
    certificate: Path
    key: Path
    sealed_key: Path


class Authority:
    """Signs certificates, which it puts into a folder together with its own, `ca.pem`."""

    def __init__(self, folder: Path, name: str = "Tests") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._key = folder, ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        usage = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        own = (
            _builder(self._name, self._name, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.file = folder / "ca.pem"
        self.file.write_bytes(own.public_bytes(Encoding.PEM))
        self.der = own.public_bytes(Encoding.DER)

    def pair(self, name: str) -> Pair:
        """A certificate for a name, for localhost and for 127.0.0.1."""
        key = ec.generate_private_key(ec.SECP256R1())
        known = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
        made = (
            _builder(_name(name), self._name, key)
            .add_extension(known, critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )
        certificate, private = made.public_bytes(Encoding.PEM), _pem(key)
        files = {
            "both": certificate + private,
            "certificate": certificate,
            "key": private,
            "sealed": _pem(key, b"a-password-of-the-tests"),
        }
        paths = {}
        for kind, content in files.items():
            paths[kind] = self._folder / f"{name}-{kind}"
            paths[kind].write_bytes(content)
        return Pair(paths["both"], paths["certificate"], paths["key"], paths["sealed"])

    def server(self, clients: Authority | None = None) -> ssl.SSLContext:
        """What a server on loopback speaks TLS with; an authority that is given says which clients it lets in."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.pair("server").both)
        if clients:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(clients.file)
        return context


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    begin = datetime.now(UTC) - timedelta(hours=1)
    number = x509.random_serial_number()
    return x509.CertificateBuilder(issuer, subject, key.public_key(), number, begin, begin + timedelta(days=2))


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _pem(key: ec.EllipticCurvePrivateKey, password: bytes | None = None) -> bytes:
    sealed = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealed)


@contextmanager
def turning_away(context: ssl.SSLContext) -> Iterator[int]:
    """A server that shakes hands, tells as TLS wants why it does not like a client, and hangs up; gives its port.

    Python's own asyncio hangs up without that word, which no server in use does.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    _turn_away(listening.accept()[0], context)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def _turn_away(taken: socket.socket, context: ssl.SSLContext) -> None:
    taken.settimeout(10)
    with context.wrap_socket(taken, server_side=True, do_handshake_on_connect=False) as secure:
        with suppress(ssl.SSLError):
            secure.do_handshake()
        plain = socket.socket(fileno=secure.detach())
    with plain, suppress(OSError):  # what it still sends is read, or the system would take our word back
        plain.shutdown(socket.SHUT_WR)
        while plain.recv(65536):
            pass
