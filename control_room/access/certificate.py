"""The page's own TLS certificate: read, and read again when it has been renewed.

Knows nothing about HTTP. At least TLS 1.2.
"""

import os
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from control_room.access.roles import AccessError

WARN_BEFORE = timedelta(days=30)


class Certificate:
    """A certificate with its key, and what TLS is served with."""

    def __init__(self, certificate: Path, key: Path, say: Callable[[str], None]) -> None:
        """Read both; raises `AccessError` that names the file."""
        self._files, self._say, self._trouble = (certificate, key), say, ""
        self._looked = self._look()
        self.context = _context(*self._files)
        self._warn()

    def first_name(self) -> str:
        """Give the first host that it is made out to, as browsers must type it; else empty."""
        try:
            made = x509.load_pem_x509_certificate(self._files[0].read_bytes())
            names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except (OSError, ValueError, x509.ExtensionNotFound):
            return ""
        hosts = [one for one in names if isinstance(one, x509.DNSName | x509.IPAddress)]
        name = str(hosts[0].value) if hosts else ""
        return "" if name.startswith("*") else name

    def read_again(self) -> None:
        """Take a renewed certificate for whoever connects from now on; one that is no good, not."""
        looked = self._look()
        if looked == self._looked:
            return
        try:
            _context(*self._files)  # first apart: half a new pair must not spoil what works
            self.context.load_cert_chain(*self._files, password=_no_password)
        except (AccessError, OSError) as error:
            if str(error) != self._trouble:
                self._trouble = str(error)
                self._say(f"{error}; the former certificate stays in use")
            return
        self._looked, self._trouble = looked, ""
        self._say(f"{self._files[0]}: the renewed certificate is in use")
        self._warn()

    def _look(self) -> list[tuple[int, int, int] | None]:
        return [_stat(file) for file in self._files]

    def _warn(self) -> None:
        file = self._files[0]
        until = x509.load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc
        if until - datetime.now(UTC) < WARN_BEFORE:
            self._say(f"{file}: the page's certificate ends on {until:%Y-%m-%d}; renew it")


def _context(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    for option, file in (("--tls-certificate", certificate), ("--tls-key", key)):
        try:
            file.read_bytes()
        except OSError as error:
            raise AccessError(f"{option} {file}: can't be read: {error.strerror}") from None
    try:
        x509.load_pem_x509_certificates(certificate.read_bytes())
        context.load_cert_chain(certificate, key, password=_no_password)
    except (ssl.SSLError, ValueError) as error:
        raise AccessError(_why_not(certificate, key, error)) from None
    return context


def _why_not(certificate: Path, key: Path, error: Exception) -> str:
    """Tell why the two can't be used; OpenSSL's own words don't."""
    try:
        theirs = x509.load_pem_x509_certificates(certificate.read_bytes())[0].public_key()
    except (OSError, ValueError):
        return f"--tls-certificate {certificate}: is no certificate; PEM is expected"
    try:
        ours = load_pem_private_key(key.read_bytes(), None).public_key()
    except TypeError:
        return f"--tls-key {key}: has a password; one without is expected"
    except (OSError, ValueError, UnsupportedAlgorithm):
        return f"--tls-key {key}: is no private key; PEM is expected, no password"
    if ours != theirs:
        return f"--tls-key {key}: does not belong to the certificate {certificate}"
    return f"--tls-certificate {certificate}, --tls-key {key}: can't be used: {error}"


def _no_password() -> str:
    """Nobody is there to type one."""
    return ""


def _stat(file: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
