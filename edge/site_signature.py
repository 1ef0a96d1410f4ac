"""A signed site file: nobody but whoever has the key changes what is an alarm.

Knows nothing about what is in the file. `site.yaml.sig` beside it holds the Ed25519 signature (RFC
8032, base64) over a fixed prefix and the file's bytes. Signed is this one file: the rig file and
the model have their own marks (a rig's id, a model's manifest).
"""

import base64
import binascii
from pathlib import Path

from cryptography.exceptions import InvalidSignature

from delivery.signing import read_private_key, read_public_keys
from edge.certificates.safe_files import write_file
from scene.errors import SiteError, why_unreadable

DOMAIN = b"lamproom/site-file/1\0"
"""So that no signature made for something else fits a site file."""
LARGEST_BYTES = 4_000_000


def signature_of(site_file: Path) -> Path:
    """Say where the signature of a site file is.

    >>> signature_of(Path("mine/site.yaml")).name
    'site.yaml.sig'
    """
    return site_file.with_name(f"{site_file.name}.sig")


def sign_site(site_file: Path, key_file: Path) -> Path:
    """Write the signature of a site file as it is now; gives its path.

    Raises `SigningError` for the key, `SiteError` for the file, and `CertificateError` where the
    signature can't be written.
    """
    key = read_private_key(key_file)
    signature = key.sign(DOMAIN + _bytes_of(site_file))
    place = signature_of(site_file)
    write_file(place, base64.b64encode(signature) + b"\n")
    return place


def read_site_text(site_file: Path, trusted_key: Path | None) -> str:
    """Read a site file; with a key, only one that bears the right signature.

    What was checked is what is given back. Raises `SiteError`, and `SigningError` for the key.
    """
    content = _bytes_of(site_file)
    if trusted_key is not None:
        _check(site_file, content, trusted_key)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SiteError(f"{site_file}: can't be read: {why_unreadable(error)}") from None


def _check(site_file: Path, content: bytes, trusted_key: Path) -> None:
    keys = read_public_keys(trusted_key)
    place = signature_of(site_file)
    again = f"sign it again with `lamproom sign {site_file} --key FILE`"
    try:
        signature = base64.b64decode(place.read_bytes().strip(), validate=True)
    except FileNotFoundError:
        raise SiteError(f"{site_file}: is not signed, there is no {place}: {again}") from None
    except OSError as error:
        raise SiteError(f"{place}: can't be read: {error.strerror}") from None
    except binascii.Error:
        raise SiteError(f"{place}: is no signature, or cut off: {again}") from None
    for key in keys:
        try:
            key.verify(signature, DOMAIN + content)
        except InvalidSignature:
            continue
        return
    raise SiteError(
        f"{site_file}: is not what was signed, or was signed with another key than {trusted_key}; "
        f"find out who changed it, then {again}"
    )


def _bytes_of(site_file: Path) -> bytes:
    try:
        with site_file.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
    except FileNotFoundError:
        raise SiteError(f"{site_file}: there is no such site file") from None
    except OSError as error:
        raise SiteError(f"{site_file}: can't be read: {why_unreadable(error)}") from None
    if len(content) > LARGEST_BYTES:
        raise SiteError(f"{site_file}: is larger than {LARGEST_BYTES:,} bytes: not a site file")
    return content
