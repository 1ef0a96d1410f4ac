"""When somebody new counts as a person: how much must be seen of them, and where.

Knows nothing about cameras, matching or how people move.

Detectors take rocks, timber and pipes for bodies, now and then. Such boxes score little, mostly in
one camera, and go again. But somebody whom a detector half knows is missed in many pictures, too:
what was seen of them before they were missed is kept for some seconds, and adds up. So what is
left out is what flickers; no place is held to be clutter for good. A ghost is a nuisance, somebody
left out may die.
"""

from collections import deque
from math import hypot

from location.limits import TrackerLimits
from location.person import Person
from scene.arrays import Floats

WEAK_S = 1.0
"""Who scores little must be seen for so long, all looks together..."""
FORGOTTEN = 0.07
"""... less this share of the time in between, in which nobody was seen."""
LONGEST_LOOK_S = 0.25
"""A look at somebody new speaks for no longer than this, however long its camera takes."""
NEAR_M, WALK_M_S = 0.5, 1.5
"""Who begins no further off than the former, and as one walks, may be who was seen before."""


class Newcomers:
    """Decides on newcomers, by themselves and by who was seen or lost before."""

    def __init__(self, limits: TrackerLimits) -> None:
        self._limits = limits
        self._lost: deque[tuple[int, float, float]] = deque(maxlen=100)
        """Where and when people were given up, within sight of a camera."""
        self._unsure: deque[Person] = deque(maxlen=100)
        """Who was not seen any more before it was clear that it was somebody."""

    def gone(self, person: Person, now_ns: int) -> None:
        """Note that nobody has seen one for too long."""
        if person.track:
            x, y = person.motion.mean[:2].tolist()
            self._lost.append((now_ns, x, y))
        else:
            self._unsure.append(person)

    def begun(self, person: Person) -> None:
        """Let one who begins go on from looks that nobody came of, if they may be the same.

        Where three cameras look, what but one of them sees now and then is nobody.
        """
        if person.covering >= 3:
            return
        before = max((_left(one, person) for one in self._unsure), default=(0.0, 0))
        person.looked_s += before[0]
        person.sure_hits += before[1]

    def was_lost(self, xy_m: Floats, now_ns: int) -> bool:
        """Tell whether somebody known was lost near a place (2,) lately."""
        since_ns = now_ns - round(self._limits.lost_s * 1e9)
        x, y = xy_m.tolist()
        return any(
            at_ns >= since_ns and hypot(x - lost_x, y - lost_y) <= self._limits.lost_m
            for at_ns, lost_x, lost_y in self._lost
        )

    def is_person(self, person: Person, now_ns: int) -> bool:
        """Tell whether what was seen of somebody new is enough."""
        agreed = person.share >= (0.3 if person.covering >= 3 else 0.5)
        if agreed and self._is_clear(person, now_ns):
            return True
        # One camera of two that misses a single picture never makes half of all looks again.
        return (agreed or person.covering < 3) and self._stays(person)

    def _is_clear(self, person: Person, now_ns: int) -> bool:
        """Tell whether these very looks leave no doubt, however few."""
        limits = self._limits
        found_again = self.was_lost(person.motion.mean[:2], now_ns)
        if not found_again and (self._is_weak(person) or person.sure_hits < 2):
            return False
        needed = limits.confirm_hits - (1 if person.joint_hits > 1 else 0)
        if person.strong_hits < 2:
            needed = max(needed, limits.confirm_cut_hits)
        if person.sure_hits < 2:
            needed = max(needed, limits.confirm_vague_hits)
        return person.hits >= needed

    def _is_weak(self, person: Person) -> bool:
        """Tell whether one camera alone is sure, and not by much."""
        looks, total = person.scores
        little = total < looks * (self._limits.high_score + self._limits.weak_score)
        return little and len(person.sure_cameras) < 2

    def _stays(self, person: Person) -> bool:
        """Tell whether somebody is seen for long, if perhaps by halves."""
        return person.sure_hits > 1 and person.looked_s > WEAK_S - 0.01


def _left(earlier: Person, person: Person) -> tuple[float, int]:
    """Tell what is left of looks at one who went: for so long, and so many of a high score."""
    (x, y), (x0, y0) = person.motion.mean[:2].tolist(), earlier.motion.mean[:2].tolist()
    gap_s = max(0, person.born_at_ns - earlier.seen_at_ns) / 1e9
    left_s = earlier.looked_s - FORGOTTEN * gap_s
    if left_s <= 0 or hypot(x - x0, y - y0) > NEAR_M + WALK_M_S * gap_s:
        return 0.0, 0
    return left_s, earlier.sure_hits
