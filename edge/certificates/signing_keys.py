"""Ed25519 key pairs for signed messages and signed site files, and the folder of trusted ones.

Knows nothing about what is signed. Keys are PKCS8 PEM without a password, public ones
SubjectPublicKeyInfo PEM.
"""

import re
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from edge.certificates.safe_files import SECRET, read_file, refuse_to_overwrite, write_file
from scene.errors import CertificateError

_PUBLIC = re.compile(rb"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----", re.DOTALL)


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


def read_signing_key(path: Path) -> Ed25519PrivateKey:
    """Read a key to sign with; raises `CertificateError`."""
    try:
        key = serialization.load_pem_private_key(read_file(path, "a signing key"), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise CertificateError(
            f"{path}: is not an Ed25519 signing key (PKCS8 PEM without a password); "
            "`lamproom certs signer` makes one"
        )
    return key


def read_public_keys(path: Path) -> tuple[Ed25519PublicKey, ...]:
    """Read one or more keys to check signatures with: two count while one replaces the other.

    Raises `CertificateError`.
    """
    keys: list[Ed25519PublicKey] = []
    for pem in _PUBLIC.findall(read_file(path, "a public signing key")):
        try:
            key = serialization.load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, Ed25519PublicKey):
            keys.clear()
            break
        keys.append(key)
    if not keys:
        raise CertificateError(
            f"{path}: is not an Ed25519 public key (SubjectPublicKeyInfo PEM); "
            "`lamproom certs signer` makes one"
        )
    return tuple(keys)
