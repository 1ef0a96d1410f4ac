"""Where machines are now, and the zones that move with them.

Knows nothing about people. A machine whose place is not known is nowhere: never guessed.
"""

from dataclasses import dataclass
from math import cos, sin

from scene.messages import XY, MachinePlace, Machines
from scene.zones import ZoneConfig

STEP_S = (0.2, 5.0)
"""Two places so far apart in time tell how fast a machine goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Course:
    place: MachinePlace
    velocity_m_s: XY = (0.0, 0.0)


class MachinePlaces:
    """The newest place of every machine."""

    def __init__(self) -> None:
        self._courses: dict[str, _Course] = {}
        self._now_ns = 0

    def hear(self, machines: Machines) -> None:
        """Take in places; of each machine the newest counts.

        One from a clock that was ahead gives way to the next that is not.
        """
        for place in machines.machines:
            before = self._courses.get(place.machine)
            if (
                before is None
                or place.at_ns > before.place.at_ns
                or place.at_ns <= self._now_ns < before.place.at_ns
            ):
                self._courses[place.machine] = _course(before, place)

    def look_at(self, now_ns: int) -> None:
        """Say what time it is by the positions."""
        self._now_ns = now_ns

    def at_rest(self, zone: ZoneConfig, age_s: float) -> bool:
        """Tell whether a zone follows a machine that is known to be at rest."""
        place = self._known(zone, age_s)
        return place is not None and not place.place.running

    def polygon_m(self, zone: ZoneConfig, age_s: float) -> tuple[XY, ...] | None:
        """Give a zone's corners now, mine metres; none while its machine's place is not known.

        Between two places the machine goes on as fast as it went: a place may be 1.5 s old.
        """
        if zone.follows is None:
            return zone.polygon_m
        course = self._known(zone, age_s)
        if course is None:
            return None
        place, (vx, vy) = course.place, course.velocity_m_s
        since_s = (self._now_ns - place.at_ns) / 1e9
        x0, y0 = place.xy_m[0] + since_s * vx, place.xy_m[1] + since_s * vy
        c, s = cos(place.heading_rad), sin(place.heading_rad)
        return tuple((x0 + c * x - s * y, y0 + s * x + c * y) for x, y in zone.polygon_m)

    def trouble(self, zone: ZoneConfig, age_s: float) -> str:
        """Say why a zone is nowhere; empty where it is somewhere."""
        if zone.follows is None or self._known(zone, age_s) is not None:
            return ""
        course = self._courses.get(zone.follows)
        if course is None:
            why = f"nobody has told where {zone.follows} is"
        else:
            old_s = (self._now_ns - course.place.at_ns) / 1e9
            when = f"{old_s:.0f} s old" if old_s >= 0 else f"{-old_s:.0f} s ahead of the pictures"
            why = f"the place of {zone.follows} is {when}"
        return f"zone {zone.name} is nowhere: {why}; who comes too near is not told"

    def _known(self, zone: ZoneConfig, age_s: float) -> _Course | None:
        course = self._courses.get(zone.follows or "")
        if course is None or abs(self._now_ns - course.place.at_ns) > age_s * 1e9:
            return None
        return course


def _course(before: _Course | None, place: MachinePlace) -> _Course:
    if before is None or not place.running:
        return _Course(place=place)
    step_s = (place.at_ns - before.place.at_ns) / 1e9
    if not STEP_S[0] <= step_s <= STEP_S[1]:
        return _Course(place=place)
    (x0, y0), (x1, y1) = before.place.xy_m, place.xy_m
    return _Course(place=place, velocity_m_s=((x1 - x0) / step_s, (y1 - y0) / step_s))
