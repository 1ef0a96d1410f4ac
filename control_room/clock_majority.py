"""Which time most clocks go by, so that one that is wrong is told of and not all the others.

Knows nothing about MQTT or alarms. Each gateway has a vote, and so has this control room.
"""

from collections.abc import Sequence
from dataclasses import dataclass

OFF_S = 5.0
"""A clock is wrong from here on. Certificates, recordings and evidence need no better."""
AGREE_S = 2.0
"""Clocks within so much of each other go by one time: the way of a message takes some of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Majority:
    """The time by which most gateways go, as seen from this control room."""

    off_s: float
    """By how many seconds it is behind this control room's clock; 0 while that is theirs, or while
    no time has most gateways."""
    gateways: int
    """So many go by it, of `heard`."""
    ours: int
    """So many go by this control room's clock."""
    heard: int
    ours_is_off: bool
    """Whether as many go by another time as by ours, this control room counted in, or more."""

    @property
    def is_sure(self) -> bool:
        """Whether they are more than those that go by ours, this control room counted in."""
        return self.gateways > self.ours + 1


def majority(off_s: Sequence[float], *, doubted: bool = False) -> Majority:
    """Find what time most go by; `off_s` is by how much each gateway is behind our clock.

    Two clocks that differ say nothing about which is wrong, so a lone gateway outvotes nobody. Our
    clock, once `doubted`, stays so until it agrees again, or one voice more is for it.

    >>> majority([3600.0, 3600.2, 3599.9]).ours_is_off
    True
    >>> majority([3600.0]).ours_is_off
    False
    """
    ours = sum(abs(one) <= AGREE_S for one in off_s)
    first, most = _densest(sorted(off_s))
    middle_s = first[len(first) // 2] if first else 0.0
    enough = 1 if doubted else 2
    outvoted = most >= enough and most + doubted > ours and 2 * most >= len(off_s)
    by_another = outvoted and abs(middle_s) > AGREE_S
    return Majority(
        off_s=middle_s if by_another else 0.0,
        gateways=most if by_another else ours,
        ours=ours,
        heard=len(off_s),
        ours_is_off=by_another and abs(middle_s) > (AGREE_S if doubted else OFF_S),
    )


def _densest(ordered: Sequence[float]) -> tuple[Sequence[float], int]:
    """Give the most clocks that go by one time, the nearest to ours of several, and how many."""
    best: Sequence[float] = ()
    start = 0
    for end, one in enumerate(ordered):
        while one - ordered[start] > AGREE_S:
            start += 1
        here = ordered[start : end + 1]
        if len(here) > len(best) or (
            len(here) == len(best) and abs(here[len(here) // 2]) < abs(best[len(best) // 2])
        ):
            best = here
    return best, len(best)
