"""When somebody new counts as a person: how much must be seen of them, and where.

Knows nothing about cameras, matching or how people move.

Detectors take rocks, timber and pipes for bodies, now and then and always at the same places. Such
boxes score little, mostly in one camera, stand still, and go again.
"""

from collections import deque

import numpy as np

from location.limits import TrackerLimits
from location.person import Person
from scene.arrays import Floats

WEAK_S = 1.0
"""Who scores little must also have been seen for so long: one thing's looks in a row are alike."""
STILL_M = 0.5
"""Who has not come further than this has stood still; so near to each other places are one."""
CLUTTER_S = 600.0
"""So long it is remembered where something was taken for somebody..."""
STAYS_S, WITHIN_S = 5.0, 10.0
"""... and who is seen there for the former within the latter is somebody all the same."""


class Newcomers:
    """Decides on newcomers, by themselves and by who was lost and what was wrong before."""

    def __init__(self, limits: TrackerLimits) -> None:
        self._limits = limits
        self._lost: deque[tuple[int, float, float]] = deque(maxlen=100)
        """Where and when people were given up, within sight of a camera."""
        self._clutter: deque[tuple[int, float, float]] = deque(maxlen=100)
        """Where and when somebody seemed to stand, and was not seen any more."""
        self._stood_s: deque[float] = deque(maxlen=100)
        """For how long, one by one."""

    def gone(self, person: Person, now_ns: int) -> None:
        """Note that nobody has seen one for too long."""
        x, y = person.motion.mean[:2].tolist()
        if person.track:
            self._lost.append((now_ns, x, y))
        elif person.hits > 1 and self._is_weak(person) and not _walked(person):
            self._clutter.append((now_ns, x, y))
            self._stood_s.append(_seen_s(person))

    def was_lost(self, xy_m: Floats, now_ns: int) -> bool:
        """Tell whether somebody known was lost near a place (2,) lately."""
        return bool(_near(self._lost, xy_m, self._limits.lost_m, now_ns, self._limits.lost_s))

    def is_person(self, person: Person, now_ns: int) -> bool:
        """Tell whether what was seen of somebody new is enough."""
        limits = self._limits
        needed = limits.confirm_hits - (1 if person.joint_hits > 1 else 0)
        if person.strong_hits < 2:
            needed = max(needed, limits.confirm_cut_hits)
        found_again = self.was_lost(person.motion.mean[:2], now_ns)
        if person.sure_hits < 2:
            if not found_again:
                return False
            needed = max(needed, limits.confirm_vague_hits)
        elif (
            person.joint_hits < 2
            and self._is_weak(person)
            and not found_again
            and not self._stays(person, now_ns)
        ):
            needed = max(needed, limits.confirm_weak_hits)
            if self._is_clutter(person, now_ns):
                return False
        agreed = person.share >= (0.3 if person.covering >= 3 else 0.5)
        return person.hits >= needed and agreed

    def _is_weak(self, person: Person) -> bool:
        looks, total = person.scores
        return total < looks * (self._limits.high_score + self._limits.weak_score)

    def _stays(self, person: Person, now_ns: int) -> bool:
        """Tell whether this place has shown somebody for most of the last seconds."""
        lately = _near(self._clutter, person.motion.mean[:2], STILL_M, now_ns, WITHIN_S)
        return _seen_s(person) + sum(self._stood_s[index] for index in lately) >= STAYS_S

    def _is_clutter(self, person: Person, now_ns: int) -> bool:
        """Tell whether one is new, or stands still where something like this was nobody before."""
        if _seen_s(person) < WEAK_S:
            return True
        place = person.motion.mean[:2]
        before = _near(self._clutter, place, STILL_M, now_ns, CLUTTER_S)
        return bool(before) and not _walked(person)


def _seen_s(person: Person) -> float:
    return (person.seen_at_ns - person.born_at_ns) / 1e9


def _walked(person: Person) -> bool:
    x, y = person.motion.mean[:2].tolist()
    _, x0, y0 = person.trail[0] if person.trail else (0, x, y)
    return bool(np.hypot(x - x0, y - y0) > STILL_M)


def _near(
    spots: deque[tuple[int, float, float]], xy_m: Floats, within_m: float, now_ns: int, for_s: float
) -> list[int]:
    """Give the indices of spots near a place (2,) that are not older than `for_s`."""
    since_ns = now_ns - round(for_s * 1e9)
    return [
        index
        for index, (at_ns, x, y) in enumerate(spots)
        if at_ns >= since_ns and np.hypot(xy_m[0] - x, xy_m[1] - y) <= within_m
    ]
