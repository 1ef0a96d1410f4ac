"""TLS to a broker: which certificates are used, and in plain words why one is not taken.

Knows nothing about MQTT. Files are read for every connection anew, so that a renewed certificate
counts from the next one on. At least TLS 1.2; the broker's name is always checked.
"""

import contextlib
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from scene.errors import BrokerError
from scene.site import BrokerConfig

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

WARN_BEFORE = timedelta(days=30)
"""So long before its end our certificate is said to be about to expire."""

_RENEW = "ask for a new one (`lamproom certs renew`)"
_BROKER_SAYS = {
    "CERTIFICATE_REQUIRED": "wants a certificate and got none",
    "CERTIFICATE_REVOKED": "says that the certificate was revoked",
    "CERTIFICATE_EXPIRED": "says that the certificate has expired",
    "UNKNOWN_CA": "does not know the authority that the certificate comes from",
    "BAD_CERTIFICATE": "does not take the certificate",
    "UNSUPPORTED_CERTIFICATE": "does not take a certificate of this kind",
    "CERTIFICATE_UNKNOWN": "does not take the certificate",
    "HANDSHAKE_FAILURE": "does not take the certificate, or wants one",
    "ACCESS_DENIED": "lets the certificate's owner not in",
    "DECRYPT_ERROR": "finds that certificate and key don't fit together",
}
"""OpenSSL's names of alerts that the other side has sent (RFC 8446, 6.2), in our words."""
_EXPIRED, _NOT_YET, _SELF_SIGNED, _SELF_SIGNED_CHAIN = 10, 9, 18, 19
_NO_ISSUER, _NO_ISSUER_HERE, _NO_FIRST, _WRONG_PURPOSE = 2, 20, 21, 26
_WRONG_NAME, _WRONG_ADDRESS = 62, 64


class TellingSocket(ssl.SSLSocket):
    """A socket that tells why the other side hung up.

    With TLS 1.3 a broker refuses our certificate after our side is done. By then we have begun to
    write, the write fails, and nobody reads the alert that has come with the reason.
    """

    def send(self, data: "ReadableBuffer", flags: int = 0) -> int:
        """Send; raises the other side's alert where there is one, else what `send` raises."""
        try:
            return super().send(data, flags)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except OSError:
            with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
                super().recv(1)
            raise

    def do_handshake(self, block: bool = False) -> None:
        """Shake hands; closes the socket when that fails, for paho forgets it then."""
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


def tls_context(broker: BrokerConfig) -> ssl.SSLContext:
    """Read the files that a broker is spoken to with; raises `BrokerError` that names one."""
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if broker.ca_file is not None:
        # Nobody else's word counts then: not that of the many authorities that a system trusts.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        _load("ca_file", [broker.ca_file], lambda: context.load_verify_locations(broker.ca_file))
    context.sslsocket_class = TellingSocket
    certificate, key = broker.certificate_file, broker.key_file
    if certificate is not None and key is not None:
        _check_secret(key)
        # Without a password at hand OpenSSL would ask for one on the terminal, and hang.
        _load(
            "certificate_file, key_file",
            [certificate, key],
            lambda: context.load_cert_chain(certificate, key, password=lambda: b""),
        )
    return context


def soon_expired(broker: BrokerConfig, now: datetime | None = None) -> str:
    """Say that our certificate, or the authority's, does not count yet, or not for long any more.

    Empty when all is well.
    """
    now = now or datetime.now(UTC)
    said = []
    for field in ("certificate_file", "ca_file"):
        path = getattr(broker, field)
        dates = None if path is None else _dates_of(path)
        if dates is None:
            continue
        since, until = dates
        if now < since:
            said.append(
                f"broker.{field}: {path} counts only from {since:%Y-%m-%d} on: is this machine's "
                "clock right?"
            )
        if now > until - WARN_BEFORE:
            when = f"has expired on {until:%Y-%m-%d}"
            if now < until:
                when = f"expires in {(until - now).days} days, on {until:%Y-%m-%d}"
            said.append(f"broker.{field}: {path} {when}: {_RENEW}")
    return "; ".join(said)


def why_refused(error: OSError | str, broker: BrokerConfig) -> str:
    """Say in one line why TLS failed, which file it is about, and what to do.

    `error` is what our side raised, or the text of what came from the other side.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return _broker_not_trusted(error, broker)
    if isinstance(error, ConnectionResetError | ssl.SSLEOFError):
        return "it hangs up when TLS begins: does it speak TLS on this port? Mend broker.url"
    text = str(error)
    for name, meaning in _BROKER_SAYS.items():
        if f"ALERT_{name}" in text.upper().replace(" ", "_"):
            return f"the broker {meaning}: {_own(broker)}"
    if "WRONG_VERSION_NUMBER" in text or "RECORD_LAYER_FAILURE" in text:
        return "it does not speak TLS on this port: mend the port, or say mqtt:// if that is meant"
    if "PROTOCOL_VERSION" in text or "UNSUPPORTED_PROTOCOL" in text:
        return "it speaks only TLS older than 1.2, which is not safe: renew the broker"
    return text or type(error).__name__


def hung_up(broker: BrokerConfig) -> str:
    """Say what it may mean that a broker hangs up after TLS and before it answers."""
    return (
        "the broker hangs up without a word, so it is not ready yet, or it may not take the "
        f"certificate: {_own(broker)}"
    )


def _own(broker: BrokerConfig) -> str:
    if broker.certificate_file is None:
        return "give broker.certificate_file and broker.key_file (`lamproom certs` makes them)"
    expired = soon_expired(broker)
    if expired:
        return expired
    return (
        f"broker.certificate_file: {broker.certificate_file}: ask whoever keeps the site's "
        "certificates for one that counts (`lamproom certs list`)"
    )


def _broker_not_trusted(error: ssl.SSLCertVerificationError, broker: BrokerConfig) -> str:
    code = error.verify_code
    if code == _EXPIRED:
        return (
            "the broker's certificate has expired (or this machine's clock, "
            f"{datetime.now(UTC):%Y-%m-%d} UTC, is wrong): renew it on the broker"
        )
    if code == _NOT_YET:
        return (
            "the broker's certificate does not count yet: this machine's clock says "
            f"{datetime.now(UTC):%Y-%m-%d} UTC; set it"
        )
    if code in (_WRONG_NAME, _WRONG_ADDRESS):
        return (
            f"the broker's certificate is for other names: {error.verify_message}; mend the "
            "address in broker.url, or make the broker's certificate with this name, too"
        )
    if code in (_SELF_SIGNED, _SELF_SIGNED_CHAIN, _NO_ISSUER, _NO_ISSUER_HERE, _NO_FIRST, 7):
        known = f"broker.ca_file: {broker.ca_file}" if broker.ca_file else "this machine's own list"
        return (
            f"the broker's certificate does not come from an authority that we trust ({known}): "
            "give the site's ca.pem as broker.ca_file, or find out who answers there"
        )
    if code == _WRONG_PURPOSE:
        return "the broker shows a certificate that is not a broker's: find out who answers there"
    return f"the broker's certificate is not taken: {error.verify_message}"


def _check_secret(key: Path) -> None:
    with contextlib.suppress(OSError):  # a file that is not there is said by whoever reads it
        if key.stat().st_mode & 0o007:
            raise BrokerError(
                f"broker.key_file: {key}: everybody on this computer can use this key: say "
                f"`chmod o= {key}`, and if others could read it get a new one"
            )


def _load(field: str, paths: list[Path], load: Callable[[], None]) -> None:
    for path in paths:
        try:
            path.open("rb").close()
        except OSError as error:
            raise BrokerError(f"broker.{field}: {path} can't be read: {error.strerror}") from None
    named = " and ".join(str(path) for path in paths)
    try:
        load()
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise BrokerError(
                f"broker.{field}: {named} don't belong together: give the key that the "
                "certificate was made with"
            ) from None
        raise BrokerError(
            f"broker.{field}: {named}: not PEM, or cut off, or a key with a password: "
            "take the files that `lamproom certs` made"
        ) from None
    except OSError as error:
        raise BrokerError(f"broker.{field}: {named} can't be read: {error.strerror}") from None


def _dates_of(path: Path) -> tuple[datetime, datetime] | None:
    """Tell from when to when a certificate counts; none where it can't be read."""
    from cryptography import x509  # slow to import, and only who has a certificate needs it

    try:
        found = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):  # said when it is used
        return None
    return found.not_valid_before_utc, found.not_valid_after_utc
