"""Signatures on the audit's heads: a head that bears one was the control room's, on any paper.

Knows nothing about entries or databases. Signed is the line of the heads' file, with the key that
signs messages; no topic of a message is named as `TOPIC` is, so that neither passes for the other.
"""

import json
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise

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
    numbers: frozenset[int]
    """Of which entries."""
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
    numbers = frozenset(one.head.number for one in good)
    return Signed(count=len(good), last=last, numbers=numbers, faults=tuple(faults))


def unproven(numbers: Set[int], known: int, entries: int) -> list[str]:
    """Tell which entries have no signed head of their own; a sentence each.

    `numbers` are those that have one, `known` the highest of which somebody has the head from
    elsewhere. A signed head does not vouch for entries before it that have none: the control room
    signs what it finds them to be, and somebody may have written them anew before that. Those after
    the last one may have just been written; where there is no signed head at all, they count.
    """
    borders = [known, *sorted(number for number in numbers if number > known)]
    if not numbers:
        borders.append(entries + 1)
    found = []
    for before, after in pairwise(borders):
        if after - before > 1:
            which = f"entries before {after} have"
            if after - before == 2:
                which = f"entry {after - 1} has"
            elif before > 0:
                which = f"entries {before + 1} to {after - 1} have"
            found.append(
                f"{which} no signed head, so nobody vouches for that; give --head with the one of "
                f"entry {after - 1} or a later one, from where you keep them"
            )
    return found


def _payload(line: str) -> bytes:
    return json.dumps({"head": line}).encode()
