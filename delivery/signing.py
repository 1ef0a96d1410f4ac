"""Ed25519 signatures on messages: a broker can carry them, but not make, change or redirect them.

Knows nothing about MQTT or who may say what. What is signed is a fixed prefix, the topic, and the
message's bytes up to the signature, which is its last field. Algorithm: RFC 8032; key files, which
are read here and nowhere else: PEM, PKCS #8 (private) and SubjectPublicKeyInfo (public, RFC 8410).
"""

import base64
import re
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from scene.errors import LamproomError, WireError

DOMAIN = b"lamproom/signed-message/1\0"
"""So that no signature made for something else fits a message."""
MAX_KEY_BYTES = 100_000
_TAIL = re.compile(rb',"signature":"([A-Za-z0-9+/]{86}==)"\}\Z')
_PUBLIC = re.compile(rb"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----", re.DOTALL)
_MAKE = "`lamproom certs` makes one"


class SigningError(LamproomError):
    """A key file can't be used; names the file and what to do."""


class RefusedError(WireError):
    """A message is not from whom it says it is, or is played again."""

    def __init__(self, text: str, *, replayed: bool = False) -> None:
        super().__init__(text)
        self.replayed = replayed
        """Whether the signature is right, and only the message is an old one."""


class Signer:
    """Signs with one private key."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @classmethod
    def from_file(cls, path: Path) -> "Signer":
        """Read a private key; raises `SigningError`."""
        return cls(read_private_key(path))

    def sign(self, topic: str, payload: bytes) -> bytes:
        """Give the message (a JSON object) with its signature for this topic."""
        if not payload.endswith(b"}"):
            raise ValueError("only a JSON object can be signed")
        body = payload[:-1]
        signature = base64.b64encode(self._key.sign(_signed(topic, body)))
        return body + b',"signature":"' + signature + b'"}'

    def public_key(self) -> "PublicKey":
        """Give the key that others check the signatures with."""
        return PublicKey(self._key.public_key())


class PublicKey:
    """Checks signatures of one signer."""

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key
        self.id = key.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
        """The key itself, as text."""

    def fits(self, topic: str, payload: bytes) -> bool:
        """Tell whether the message was signed for this topic by the holder of the key."""
        found = _TAIL.search(payload)
        if found is None:
            return False
        try:
            self._key.verify(base64.b64decode(found[1]), _signed(topic, payload[: found.start()]))
        except InvalidSignature:
            return False
        return True


def is_signed(payload: bytes) -> bool:
    """Tell whether a message carries a signature, right or wrong."""
    return _TAIL.search(payload[-120:]) is not None


def read_private_key(path: Path) -> Ed25519PrivateKey:
    """Read a private key that nobody else on this computer can use; raises `SigningError`."""
    data = _bytes_of(path)
    if path.stat().st_mode & 0o007:
        raise SigningError(
            f"{path}: everybody on this computer can use this private key; say "
            f"`chmod o= {path}`, and if others could read it make a new one"
        )
    if b"PUBLIC KEY" in data and b"PRIVATE KEY" not in data:
        raise SigningError(f"{path}: is a public key; give the private one, {_MAKE}")
    try:
        key = load_pem_private_key(data, password=None)
    except TypeError:
        raise SigningError(
            f"{path}: the key is locked with a password, and nobody is there to type it; "
            f"give one without, {_MAKE}"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise SigningError(f"{path}: is no private key in PEM; {_MAKE}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise SigningError(f"{path}: is a key of another kind than Ed25519; {_MAKE}")
    return key


def public_keys_of(path: Path) -> tuple[PublicKey, ...]:
    """Read a file of one or more public keys, PEM after PEM; raises `SigningError`."""
    return tuple(PublicKey(key) for key in read_public_keys(path))


def read_public_keys(path: Path) -> tuple[Ed25519PublicKey, ...]:
    """Read a file of one or more public keys: two count while one replaces the other.

    Raises `SigningError`.
    """
    data = _bytes_of(path)
    if b"PRIVATE KEY" in data:
        raise SigningError(
            f"{path}: is a private key, which nobody but its owner may have; put the public one "
            "(.pub) there, and make a new pair"
        )
    found = _PUBLIC.findall(data)
    if not found:
        raise SigningError(f"{path}: is no public key in PEM; {_MAKE}")
    keys = []
    for pem in found:
        try:
            key = load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm):
            raise SigningError(f"{path}: is no public key in PEM, or is damaged") from None
        if not isinstance(key, Ed25519PublicKey):
            raise SigningError(f"{path}: is a key of another kind than Ed25519; {_MAKE}")
        keys.append(key)
    return tuple(keys)


def _signed(topic: str, body: bytes) -> bytes:
    """Put together what is signed; a topic holds no 0 byte, so that nothing can be shifted."""
    return DOMAIN + topic.encode() + b"\0" + body


def _bytes_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_KEY_BYTES + 1)
    except FileNotFoundError:
        raise SigningError(f"{path}: there is no such key file; {_MAKE}") from None
    except OSError as error:
        raise SigningError(f"{path}: the key file can't be read: {error.strerror}") from None
    if len(data) > MAX_KEY_BYTES:
        raise SigningError(f"{path}: is too long for a key file")
    return data
