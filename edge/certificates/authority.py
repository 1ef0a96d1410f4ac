"""A site's certificate authority: makes keys, issues certificates and takes them back.

Knows nothing about brokers or machines. Keys are on the curve P-256; certificates follow RFC 5280:
a client's can't be used by a server, nor a server's by a client (extended key usage; a cluster's
node is both), and a server's says under which names and addresses it may be reached (subject
alternative name). Each has its own number in its subject, too (serialNumber, X.520), for brokers
that know no lists of revoked certificates and let in whoever is named.
"""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edge.certificates.register import SERVERS, Entry
from edge.certificates.safe_files import (
    SECRET,
    make_secret_folder,
    read_file,
    refuse_to_overwrite,
    write_file,
)
from scene.errors import CertificateError

AUTHORITY_YEARS = 20
EARLIER = timedelta(days=1)
"""Certificates count from a day before they are made: clocks underground may be behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A certificate and its key, both PEM."""

    certificate: bytes
    key: bytes


class Authority:
    """One site's authority, in a folder that should be on a machine without a network."""

    def __init__(self, folder: Path) -> None:
        """Read key and certificate; raises `CertificateError`."""
        self.key_file, self.certificate_file = folder / "ca.key", folder / "ca.pem"
        if not self.certificate_file.exists():
            raise CertificateError(
                f"{self.certificate_file}: there is no such authority yet; "
                "make it with `lamproom certs init SITE`"
            )
        self.certificate_pem = read_file(self.certificate_file, "the site's certificate")
        self.certificate = read_certificate(self.certificate_file)
        key = _key_of(self.key_file)
        if key.public_key() != self.certificate.public_key():
            raise CertificateError(
                f"{self.key_file}: is not the key of {self.certificate_file}; take both from one "
                "back-up"
            )
        self._key = key
        self._revocations_file = folder / "crl.pem"

    @property
    def site(self) -> str:
        """The site's name."""
        return name_in(self.certificate.subject, NameOID.ORGANIZATION_NAME)

    @property
    def until(self) -> datetime:
        """When it ends, and with it everything that it issued."""
        return self.certificate.not_valid_after_utc

    def issue(self, entry: Entry, public: ec.EllipticCurvePublicKey) -> bytes:
        """Give the certificate (PEM) that an entry of the register describes."""
        usage = []
        if entry.role in SERVERS:
            usage.append(ExtendedKeyUsageOID.SERVER_AUTH)
        if entry.role != "broker":
            usage.append(ExtendedKeyUsageOID.CLIENT_AUTH)
        subject = _subject(self.site, entry.name, f"{entry.serial:x}")
        builder = (
            _builder(subject, self.certificate.subject, public, entry)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usage), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
        )
        if entry.role in SERVERS:
            hosts = [host_name(host) for host in entry.hosts]
            if entry.role == "node":  # NATS knows its neighbours by names only
                hosts += [x509.DNSName(host) for host in entry.hosts if _is_address(host)]
            builder = builder.add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        return _pem(builder.sign(self._key, hashes.SHA256()))

    def revocations(self, entries: tuple[Entry, ...], now: datetime) -> bytes:
        """Give the list (PEM) of certificates that were taken back.

        It counts until the authority's own end: a broker whose list has run out lets nobody in,
        and a site must not fall silent because nobody wrote a list in time. For the same reason it
        counts from a day before. Each is later than the one before, by a second at least: of two
        lists OpenSSL takes the later one, and keeps the former where both are of one second.
        """
        revoked = [entry for entry in entries if entry.revoked is not None]
        before = self._last_revocations()
        since = now - EARLIER
        if before is not None:
            if {found.serial_number for found in before} == {entry.serial for entry in revoked}:
                return before.public_bytes(serialization.Encoding.PEM)
            since = max(since, before.last_update_utc + timedelta(seconds=1))
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(since)
            .next_update(self.until)
            .add_extension(x509.CRLNumber(int(since.timestamp())), critical=False)
            # Two authorities of one site have one name: this tells whose list it is.
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
        )
        for entry in revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(entry.serial)
                .revocation_date(entry.revoked or now)
                .build()
            )
        made = builder.sign(self._key, hashes.SHA256())
        pem = made.public_bytes(serialization.Encoding.PEM)
        write_file(self._revocations_file, pem)
        return pem

    def _last_revocations(self) -> x509.CertificateRevocationList | None:
        if not self._revocations_file.exists():
            return None
        try:
            return x509.load_pem_x509_crl(read_file(self._revocations_file, "revoked certificates"))
        except ValueError:
            raise CertificateError(
                f"{self._revocations_file}: is not a list of revoked certificates; take it from "
                "your back-up"
            ) from None


def make_authority(folder: Path, site: str, now: datetime, *, replace: bool) -> Authority:
    """Make a site's authority; raises `CertificateError` where there is one, unless `replace`."""
    key_file, certificate_file = folder / "ca.key", folder / "ca.pem"
    if not replace:
        refuse_to_overwrite(key_file, certificate_file)
    make_secret_folder(folder)
    key = new_key()
    entry = Entry(
        name="authority",
        role="broker",
        serial=x509.random_serial_number(),
        since=now - EARLIER,
        until=now + timedelta(days=365 * AUTHORITY_YEARS),
    )
    subject = _subject(site, entry.name)
    certificate = (
        _builder(subject, subject, key.public_key(), entry)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    write_file(key_file, key_pem(key), SECRET)
    write_file(certificate_file, _pem(certificate))
    return Authority(folder)


def new_key() -> ec.EllipticCurvePrivateKey:
    """Make a key."""
    return ec.generate_private_key(ec.SECP256R1())


def new_serial() -> int:
    """Make a number that no other certificate has."""
    return x509.random_serial_number()


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Write a key as PKCS8 PEM without a password: a gateway starts when nobody is there."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def read_certificate(path: Path) -> x509.Certificate:
    """Read the first certificate of a PEM file; raises `CertificateError`."""
    try:
        return x509.load_pem_x509_certificate(read_file(path, "a certificate"))
    except ValueError:
        raise CertificateError(f"{path}: is not a certificate (PEM)") from None


def public_key_of(certificate: x509.Certificate, path: Path) -> ec.EllipticCurvePublicKey:
    """Give the key that a certificate is for; raises `CertificateError` for a foreign kind."""
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise CertificateError(f"{path}: was not issued by `lamproom certs`")
    return key


def host_name(host: str) -> x509.GeneralName:
    """Read a host as an address or a name; raises `CertificateError` for neither.

    >>> host_name("10.0.0.5")
    <IPAddress(value=10.0.0.5)>
    """
    if _is_address(host):
        return x509.IPAddress(ipaddress.ip_address(host))
    good = host.isascii() and host.replace("-", "").replace(".", "").isalnum()
    if not good or host.startswith((".", "-")) or len(host) > 253:
        raise CertificateError(f"{host}: give a host's name or address, without a port")
    return x509.DNSName(host)


def name_in(name: x509.Name, field: x509.ObjectIdentifier) -> str:
    """Give one field of a name; empty where it has none."""
    return next((str(found.value) for found in name.get_attributes_for_oid(field)), "")


def utc_now() -> datetime:
    """Give this machine's time to the second, as certificates say it."""
    return datetime.now(UTC).replace(microsecond=0)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _subject(site: str, name: str, number: str = "") -> x509.Name:
    named = [
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, site),
        x509.NameAttribute(NameOID.COMMON_NAME, name),
    ]
    if number:
        named.append(x509.NameAttribute(NameOID.SERIAL_NUMBER, number))
    return x509.Name(named)


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, entry: Entry
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(entry.serial)
        .not_valid_before(entry.since)
        .not_valid_after(entry.until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _key_of(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(read_file(path, "the authority's key"), None)
    except (ValueError, TypeError):
        raise CertificateError(f"{path}: is not a key (PKCS8 PEM without a password)") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CertificateError(f"{path}: was not made by `lamproom certs`")
    return key


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
