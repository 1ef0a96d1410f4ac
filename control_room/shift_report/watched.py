"""How gateways and cameras were over the span: a lane each, from conditions, else from alarms.

Knows nothing about plots. While a gateway is silent nobody knows how its cameras are.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from control_room.shift_report.series import UNKNOWN, States
from control_room.shift_report.span import Span
from control_room.shift_report.told import GatewayTold, Stretch

OK, SILENT, DEGRADED = "ok", "silent", "degraded"
RANKS = (
    *(OK, UNKNOWN, DEGRADED, "other", "moved", "dark", "obscured", "frozen", "stalled", "lost"),
    SILENT,
)
OF_ALARM = {
    "camera_lost": "lost",
    "camera_stalled": "stalled",
    "camera_moved": "moved",
    "camera_obscured": "obscured",
    "camera_dark": "dark",
    "gateway_silent": SILENT,
    "degraded_inference": DEGRADED,
}
"""What an alarm says of its camera or gateway."""
MOST_LANES = 1500

LaneKey = tuple[str, str, str]
"""Site, gateway, camera; without a camera the gateway itself."""


@dataclass(slots=True, kw_only=True)
class Lane:
    """One gateway or camera."""

    key: LaneKey
    states: States
    by_alarm: bool = False
    """Whether some of it is known from alarms only."""

    def wrong_ns(self) -> int:
        """Tell for how long it was surely not well."""
        return self.states.covered_ns() - self.states.held_ns[OK]

    def was_wrong(self) -> bool:
        """Tell whether it was ever not well, as far as conditions or alarms tell."""
        return self.wrong_ns() > 0 or bool(set(self.states.worst()) - {OK, UNKNOWN})

    def wrong_times(self) -> int:
        """Tell how often something began to be wrong."""
        times = self.states.times
        return sum(times.values()) - times[OK] - times[UNKNOWN]

    def longest_wrong_ns(self) -> int:
        """Tell how long the longest time of one kind of wrong was."""
        longest = self.states.longest_ns
        return max((ns for state, ns in longest.items() if state not in (OK, UNKNOWN)), default=0)


@dataclass(slots=True, kw_only=True)
class Clockwork:
    """What else is known of a gateway: its clock, and what of its positions was lost on the way."""

    is_told: bool = False
    """Whether it ever said how it is while it spoke: else nothing is known of its clock."""
    clock_off_s: int = 0
    """The most by which it was slow (minus: fast)."""
    lost: float = 0.0
    """The largest share."""
    more_cameras: int = 0
    """The most of which a look did not write down how they were."""
    never_heard_ns: int = 0
    silent_ns: int = 0
    degraded: dict[str, None] = field(default_factory=dict)
    """Why detection was degraded, a few reasons."""


class Watched:
    """All lanes."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self.lanes: dict[LaneKey, Lane] = {}
        self.gateways: dict[tuple[str, str], Clockwork] = {}
        self.left_out = 0
        """So many lanes are too many."""

    def add_all(self, site: str, gateway: str, found: Iterable[Stretch[GatewayTold]]) -> None:
        """Take what was told of a gateway."""
        for one in found:
            self._note(self.gateways.setdefault((site, gateway), Clockwork()), one)
            told = one.told
            own = SILENT if told.silent else DEGRADED if told.degraded else OK
            own = own if told.told or told.silent else UNKNOWN
            self._add((site, gateway, ""), own, one)
            for camera, state in told.cameras.items():
                known = state if state in RANKS else "other"
                self._add((site, gateway, camera), UNKNOWN if told.silent else known, one)

    def hint(self, alarm: dict[str, Any], until_ns: int) -> None:
        """Take an alarm as the journal has it, which was active until then."""
        state = OF_ALARM.get(alarm["kind"])
        if state is None:
            return
        camera = (alarm["camera"] or "") if alarm["kind"].startswith("camera_") else ""
        lane = self._lane((alarm["site"], alarm["gateway"], camera))
        if lane is not None:
            lane.by_alarm = True
            lane.states.hint(state, alarm["raised_at_ns"], until_ns)

    def sorted_lanes(self) -> Iterator[Lane]:
        """Give all by name, each gateway before its cameras."""
        yield from (self.lanes[key] for key in sorted(self.lanes))

    def _add(self, key: LaneKey, state: str, one: Stretch[GatewayTold]) -> None:
        lane = self._lane(key)
        if lane is not None:
            lane.states.add(state, one.from_ns, one.until_ns)

    def _lane(self, key: LaneKey) -> Lane | None:
        if key not in self.lanes:
            if len(self.lanes) >= MOST_LANES:
                self.left_out += 1
                return None
            self.lanes[key] = Lane(key=key, states=States(self._span, RANKS))
        return self.lanes[key]

    @staticmethod
    def _note(known: Clockwork, one: Stretch[GatewayTold]) -> None:
        told = one.told
        known.is_told = known.is_told or (told.told and not told.silent)
        if abs(told.clock_off_s) > abs(known.clock_off_s):
            known.clock_off_s = told.clock_off_s
        known.lost = max(known.lost, told.lost)
        known.more_cameras = max(known.more_cameras, told.more_cameras)
        known.silent_ns += one.long_ns if told.silent else 0
        known.never_heard_ns += one.long_ns if told.never_heard else 0
        if told.degraded and len(known.degraded) < 5:
            known.degraded[told.degraded] = None
