"""Make Ed25519 key pairs for signed messages and signed site files.

Knows nothing about what is signed. Keys are PKCS8 PEM without a password, public ones
SubjectPublicKeyInfo PEM; `delivery/signing.py` reads them.
"""

from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.certificates.safe_files import SECRET, refuse_to_overwrite, write_file


def make_signing_pair(key_file: Path, public_file: Path, *, replace: bool) -> bytes:
    """Make a key pair; gives the public key (PEM). Raises `CertificateError`."""
    if not replace:
        refuse_to_overwrite(key_file, public_file)
    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    write_file(key_file, secret, SECRET)
    write_file(public_file, public)
    return public
