"""Signatures on the audit's heads: a head that bears one was the control room's, on any paper.

Knows nothing about entries or databases. Signed is the line of the heads' file, with the key that
signs messages; no topic of a message is named as `TOPIC` is, so that neither passes for the other.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from control_room.heads_file import KeptHead
from delivery.signing import PublicKey, Signer

TOPIC = "audit-head"
_BEFORE, _AFTER = b',"signature":"', b'"}'

Sign = Callable[[str], str]
"""Gives the signature, in base64, of a line without one."""


def signs_with(signer: Signer) -> Sign:
    """Give what signs lines."""

    def sign(line: str) -> str:
        signed = signer.sign(TOPIC, _payload(line))
        return signed.rpartition(_BEFORE)[2].removesuffix(_AFTER).decode()

    return sign


def is_of(key: PublicKey, kept: KeptHead) -> bool:
    """Tell whether a head was signed, as it stands, by the holder of the key."""
    body = _payload(kept.line).removesuffix(b"}")
    return key.fits(TOPIC, body + _BEFORE + kept.signature.encode() + _AFTER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """What the signatures of some heads tell."""

    count: int
    """How many are signed with one of the keys."""
    last: KeptHead | None
    """That of the highest entry."""
    faults: tuple[str, ...]


def check_signed(kept: Sequence[KeptHead], keys: Sequence[PublicKey]) -> Signed:
    """Look at heads in the order in which they were kept; a sentence for each fault.

    Heads from before the control room had a key bear no signature; after one that does, all must.
    """
    good, faults = list[KeptHead](), list[str]()
    for one in kept:
        if not one.signature:
            if good:
                faults.append(f"the head of entry {one.head.number} is not signed: it was put in")
        elif any(is_of(key, one) for key in keys):
            good.append(one)
        else:
            faults.append(
                f"the head of entry {one.head.number} is not signed with that key: it was changed, "
                "or another control room's"
            )
    if kept and not good and not faults:
        faults.append(
            "no head is signed: the control room had no --signing-key, or all were put in"
        )
    last = max(good, key=lambda one: one.head.number, default=None)
    return Signed(count=len(good), last=last, faults=tuple(faults))


def _payload(line: str) -> bytes:
    return json.dumps({"head": line}).encode()
