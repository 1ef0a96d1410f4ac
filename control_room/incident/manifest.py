"""The list of an export's files with their hashes, and the signature over it.

Knows nothing about where files lie. Hashes are SHA-256; `manifest.sig` is one line: a mark, the
public key and the manifest's hash in hexadecimal, and an Ed25519 signature (RFC 8032, base64) over
`DOMAIN` and that hash as text. So whichever of the two files is altered can be told. Without a key
`manifest.sha256` has the hash alone, as `sha256sum` writes it: that finds accidents, no forgery.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import ConfigDict, TypeAdapter, ValidationError

from control_room.incident.error import IncidentError
from control_room.incident.names import CHECKSUM, MANIFEST, MOST_FILES, SIGNATURE, is_plain

SCHEMA = "lamproom/incident/1"
DOMAIN = b"lamproom/incident/1\0"
"""So that no signature made for something else fits a manifest."""
MOST_BYTES = 8_000_000
_LINE = re.compile(rb"lamproom/incident/1 ([0-9a-f]{64}) ([0-9a-f]{64}) ([A-Za-z0-9+/]{86}==)\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One file of an export."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    path: str
    bytes: int
    sha256: str


_LISTED = TypeAdapter(list[Listed])


def written(about: dict[str, Any], files: Sequence[Listed]) -> bytes:
    """Write a manifest: what it is about, and the files."""
    told = {"schema": SCHEMA, **about, "files": [asdict(one) for one in files]}
    return json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def read(data: bytes) -> tuple[dict[str, Any], tuple[Listed, ...]]:
    """Read a manifest; raises `IncidentError` for one that no export has, whoever signed it."""
    try:
        told = json.loads(data, object_pairs_hook=_once)
        if not isinstance(told, dict) or told.get("schema") != SCHEMA:
            raise IncidentError(f"{MANIFEST}: is none of an export ({SCHEMA})")
        files = _LISTED.validate_json(json.dumps(told.get("files")), strict=True)
    except (ValueError, RecursionError, ValidationError):
        raise IncidentError(f"{MANIFEST}: is damaged: it can't be read") from None
    names = [one.path for one in files]
    bad = next((name for name in names if not is_plain(name)), None)
    if bad is not None:
        raise IncidentError(
            f"{MANIFEST}: names {bad[:80]!a}, a file that no export has; it was made by "
            "somebody who wants more of your disk than the export"
        )
    if len(set(names)) != len(names) or len(names) > MOST_FILES:
        raise IncidentError(f"{MANIFEST}: names a file twice, or too many files")
    own = {MANIFEST, SIGNATURE, CHECKSUM} & set(names)
    if own or any(one.bytes < 0 or not re.fullmatch("[0-9a-f]{64}", one.sha256) for one in files):
        raise IncidentError(f"{MANIFEST}: lists itself, or has sizes or hashes that are none")
    return told, tuple(files)


def seal(manifest: bytes, key: Ed25519PrivateKey | None) -> tuple[str, bytes]:
    """Give name and content of the file that vouches for a manifest."""
    digest = hashlib.sha256(manifest).hexdigest()
    if key is None:
        return CHECKSUM, f"{digest}  {MANIFEST}\n".encode()
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
    signature = base64.b64encode(key.sign(DOMAIN + digest.encode())).decode()
    return SIGNATURE, f"{SCHEMA} {public} {digest} {signature}\n".encode()


def signer_of(manifest: bytes, signature: bytes) -> str:
    """Tell the key (hexadecimal) that signed a manifest; raises `IncidentError` naming the file."""
    found = _LINE.fullmatch(signature)
    if found is None:
        raise IncidentError(f"{SIGNATURE}: CHANGED: it is no signature")
    key, digest, coded = found.groups()
    raw = base64.b64decode(coded)
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key.decode())).verify(raw, DOMAIN + digest)
    except (InvalidSignature, ValueError):
        raise IncidentError(f"{SIGNATURE}: CHANGED: its signature is wrong") from None
    if base64.b64encode(raw) != coded:  # the last letter has bits that say nothing
        raise IncidentError(f"{SIGNATURE}: CHANGED: its signature is written oddly")
    if hashlib.sha256(manifest).hexdigest().encode() != digest:
        raise IncidentError(f"{MANIFEST}: CHANGED: it is not what was signed")
    return key.decode()


def check_sum(manifest: bytes, checksum: bytes) -> None:
    """Raise `IncidentError` where a manifest is not the one that was summed up."""
    if seal(manifest, None)[1] != checksum:
        raise IncidentError(f"{MANIFEST} or {CHECKSUM}: CHANGED: they don't belong together")


def short(key: str) -> str:
    """Give as much of a key as is compared by eye.

    >>> short("0123456789abcdef" * 4)
    '01234567 89abcdef'
    """
    return f"{key[:8]} {key[8:16]}"


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    listed = list(pairs)
    found = dict(listed)
    if len(found) != len(listed):
        raise ValueError("a name twice")
    return found
