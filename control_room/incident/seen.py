"""Which metres of the roadway nobody's camera saw at an instant, and which nobody knows about.

Knows nothing about pictures. Without a fresh heartbeat nothing is known, and that is no "seen".
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import floor

from control_room.incident.gather import Gathered
from scene.landmarks import floor_of
from scene.messages import GatewayHealth, SiteDescription
from scene.topics import SILENT_AFTER_S

MOST_METRES = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was seen at an instant."""

    beat: GatewayHealth | None
    """The last heartbeat before; none where it is too old."""
    metres: range
    """The roadway's metres of chainage, each by where it starts; empty where nobody knows them."""
    beyond: int = 0
    """How many more metres the roadway has, of which nothing is told here."""

    def sees(self, metre: int) -> bool:
        """Tell whether a healthy camera surely saw the metre of chainage that begins there."""
        if self.beat is None:
            return False
        index = metre - floor(self.beat.coverage_from_x_m)
        return 0 <= index < len(self.beat.coverage) and self.beat.coverage[index] > 0

    @property
    def blind_m(self) -> list[tuple[int, int]]:
        """List stretches of chainage that no healthy camera saw: first metre, and where it ends."""
        stretches = list[tuple[int, int]]()
        for metre in self.metres:
            if self.sees(metre):
                continue
            if stretches and stretches[-1][1] == metre:
                stretches[-1] = (stretches[-1][0], metre + 1)
            else:
                stretches.append((metre, metre + 1))
        return stretches

    @property
    def is_whole(self) -> bool:
        """Tell whether all of a known roadway was seen."""
        known = self.beat is not None and self.beat.coverage and self.metres
        return bool(known) and not self.beyond and not self.blind_m

    @property
    def in_words(self) -> str:
        """Say it in a line, in English and Chinese."""
        if self.beat is None:
            return "COVERAGE UNKNOWN 覆盖情况不明: no heartbeat recorded 无心跳记录"
        wrong = [f"{one.name} {one.state}" for one in self.beat.cameras if one.state != "ok"]
        also = "; cameras 摄像机: " + ", ".join(wrong) if wrong else ""
        if self.beyond:
            also = f"; {self.beyond} m beyond not told 其后 {self.beyond} 米未说明{also}"
        if not self.beat.coverage or not self.metres:
            return f"COVERAGE UNKNOWN 覆盖情况不明: not told 未说明{also}"
        blind = self.blind_m
        if not blind:
            return f"all {len(self.metres)} m seen 全部可见{also}"
        stretches = ", ".join(f"{begins}-{ends}" for begins, ends in blind)
        return f"NOT SEEN (hatched) 看不到（斜线）: {stretches} m{also}"


class Coverage:
    """Tells what was seen when."""

    def __init__(self, found: Gathered) -> None:
        self._beats: Sequence[GatewayHealth] = [one.body for one in found.health]
        self._at_ns = [one.captured_at_ns for one in self._beats]

    def at(self, at_ns: int, site: SiteDescription) -> Seen:
        """Tell what was seen at an instant of a site's roadway."""
        index = bisect_right(self._at_ns, at_ns) - 1
        fresh = index >= 0 and at_ns - self._at_ns[index] <= SILENT_AFTER_S * 1e9
        beat = self._beats[index] if fresh else None
        metres = _metres(site, beat)
        told = metres[:MOST_METRES]
        return Seen(beat=beat, metres=told, beyond=len(metres) - len(told))


def _metres(site: SiteDescription, beat: GatewayHealth | None) -> range:
    roadway = floor_of(site)
    metres = range(0) if roadway is None else roadway.metres
    if not metres and beat is not None:
        first = floor(beat.coverage_from_x_m)
        metres = range(first, first + len(beat.coverage))
    return metres
