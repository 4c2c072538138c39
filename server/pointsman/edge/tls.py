"""The certificates and the key that configuration names, on their way from their files into TLS.

Must never say what stands in a key's file, nor wait at a terminal for the password of one.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from pointsman.core.errors import BadCertificate
from pointsman.core.network import Egress
from pointsman.edge.files import LARGEST, Stamp, read_regular, stamp

SUFFIXES = {".pem", ".crt", ".cer"}
"""Files of a folder that are read."""
BEGIN = b"-----BEGIN "
Files = tuple[tuple[str, Stamp | None], ...]
"""The files of a way, and the state in which each was found."""


def files(egress: Egress) -> Files:
    """Which files a way needs, as they are now; whoever has used them in another state has to read them again."""
    named = [path for path in (*egress.ca, egress.certificate, egress.key) if path is not None]
    found = [each for path in named for each in (place(path), *_inside(place(path)))]
    return tuple((str(path), stamp(str(path))) for path in found)


def equip(context: ssl.SSLContext, egress: Egress) -> None:
    """Lets connections trust what the way trusts, and prove who they are. Slow: for a thread. Raises BadCertificate."""
    for path in egress.ca:
        _trust(context, path)
    if egress.certificate is not None:
        _prove(context, egress.certificate, egress.key)


def fault(name: str, path: str) -> str | None:
    """What is wrong with the file that a setting (`ca`, `certificate`, `key`) names, as far as can be seen at once."""
    try:
        if name != "ca":
            read_regular(place(path), 1)
        elif not any(_certificates(each) for each in _inside(place(path)) or [place(path)]):
            return f"there is no certificate in {path}"
    except OSError as error:
        return f"{path} can't be read: {error.strerror or error}"
    return None


def place(path: str) -> Path:
    """Where a path leads; `~` is the home of the daemon."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - pathlib's raises where there is no home


def _inside(path: Path) -> list[Path]:
    try:
        return sorted(each for each in path.iterdir() if each.suffix.lower() in SUFFIXES)
    except OSError:  # a file, or nothing
        return []


def _certificates(path: Path) -> bytes:
    """What a file holds, if that can be a certificate."""
    held = read_regular(path, LARGEST)
    return held if BEGIN + b"CERTIFICATE" in held or BEGIN + b"TRUSTED" in held or held[:1] == b"\x30" else b""


def _trust(context: ssl.SSLContext, path: str) -> None:
    advice = f"Correct the path in `ca`, or put the CA's certificate there as PEM: {path}"
    if (wrong := fault("ca", path)) is not None:
        raise BadCertificate(f"TLS can't be set up: {wrong}.", advice)
    for each in _inside(place(path)) or [place(path)]:
        held = _certificates(each)
        try:
            if held:
                context.load_verify_locations(cadata=held.decode("ascii", "ignore") if BEGIN in held else held)
        except (ssl.SSLError, ValueError) as error:
            raise BadCertificate(
                f"TLS can't be set up: {each} holds a certificate that can't be read.", advice
            ) from error


def _prove(context: ssl.SSLContext, certificate: str, key: str | None) -> None:
    keyed = certificate if key is None else key
    for name, path in (("certificate", certificate), ("key", keyed)):
        if (wrong := fault(name, path)) is not None:
            raise BadCertificate(f"TLS can't be set up: {wrong}.", f"Correct the path in `tls.{name}`: {path}")
    try:
        context.load_cert_chain(place(certificate), place(keyed), password=_no_password)
    except _Locked:
        text = (
            f"TLS can't be set up: the key in {keyed} is sealed with a password, and nobody can be asked for it here."
        )
        raise BadCertificate(text, "Keep it without one in a file that only you can read (`openssl pkey`).") from None
    except (ssl.SSLError, OSError, ValueError) as error:
        if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
            text = f"TLS can't be set up: the key in {keyed} does not belong to the certificate in {certificate}."
            raise BadCertificate(
                text, "Name the two that belong together in `tls.certificate` and `tls.key`."
            ) from None
        text = f"TLS can't be set up: {certificate} and {keyed} hold no certificate and key in PEM that can be used."
        raise BadCertificate(text, "Put both there as PEM, the certificate before those of its CA.") from None


class _Locked(Exception):
    """A key wants a password."""


def _no_password() -> str:
    raise _Locked
