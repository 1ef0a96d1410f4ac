"""Find whether anybody changed an export: every byte of every file, and who vouches for them.

Knows nothing about what the files say.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from control_room.incident.contents import Contents, open_contents
from control_room.incident.error import IncidentError
from control_room.incident.manifest import (
    MOST_BYTES,
    Listed,
    check_sum,
    read,
    short,
    signer_of,
)
from control_room.incident.names import CHECKSUM, MANIFEST, SIGNATURE
from delivery.signing import PublicKey
from scene.errors import printable


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was found."""

    faults: tuple[str, ...]
    """What was changed, is missing or was added: `FILE: CHANGED: …`."""
    doubts: tuple[str, ...]
    """Why nobody vouches for it, though it may be whole."""
    told: dict[str, Any]
    """The manifest; empty where it can't be believed."""
    files: int = 0
    signer: str = ""
    """The key (hexadecimal) that signed it; empty where none did."""


def verify(path: Path, trusted: Sequence[PublicKey]) -> Verdict:
    """Look at every byte of an export in a folder or a .zip.

    Raises `IncidentError` for what is no export at all; what was done to one is in the verdict.
    """
    with open_contents(path) as contents:
        if MANIFEST not in contents.sizes:
            raise IncidentError(f"{path}: is no export: {MANIFEST} is MISSING")
        try:
            return _verdict(contents, trusted)
        except IncidentError as error:
            return Verdict(faults=(str(error),), doubts=(), told={})


def _verdict(contents: Contents, trusted: Sequence[PublicKey]) -> Verdict:
    manifest = contents.read(MANIFEST, MOST_BYTES)
    signer, sealed_by = "", CHECKSUM
    if SIGNATURE in contents.sizes:
        signer, sealed_by = signer_of(manifest, contents.read(SIGNATURE, 1000)), SIGNATURE
    elif CHECKSUM in contents.sizes:
        check_sum(manifest, contents.read(CHECKSUM, 1000))
    else:
        raise IncidentError(f"{SIGNATURE}: MISSING: nothing vouches for {MANIFEST}")
    for name in (MANIFEST, sealed_by):
        contents.digest(name)  # of a .zip, its check sums are of these, too
    told, files = read(manifest)
    return Verdict(
        faults=tuple(_faults(contents, files, {MANIFEST, sealed_by})),
        doubts=tuple(_doubts(signer, trusted)),
        told=told,
        files=len(files),
        signer=signer,
    )


def _faults(contents: Contents, files: Sequence[Listed], own: set[str]) -> list[str]:
    found, left = list[str](), contents.sizes.keys() - own
    for one in files:
        if one.path not in contents.sizes:
            found.append(f"{one.path}: MISSING")
            continue
        left.discard(one.path)
        size = contents.sizes[one.path]
        if size != one.bytes:
            found.append(f"{one.path}: CHANGED: it has {size} bytes, and had {one.bytes}")
        else:
            found += _changed(contents, one)
    return found + [f"{printable(name)}: ADDED" for name in sorted(left)]


def _changed(contents: Contents, one: Listed) -> list[str]:
    try:
        same = contents.digest(one.path) == one.sha256
    except IncidentError as error:
        return [str(error)]
    return [] if same else [f"{one.path}: CHANGED"]


def _doubts(signer: str, trusted: Sequence[PublicKey]) -> list[str]:
    if not signer:
        return ["it is NOT SIGNED: whoever changes a file and its hash is not found"]
    if not trusted:
        return [
            f"it is signed with the key {short(signer)}, and nobody here says whose that is: give "
            "--trusted FILE, the public key of whom you believe"
        ]
    if signer not in {one.id for one in trusted}:
        return [
            f"it is signed with the key {short(signer)}, which is NONE OF THE TRUSTED: somebody "
            "else made it, or made it anew"
        ]
    return []
