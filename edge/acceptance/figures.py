"""What an acceptance test measured, clip or walk alike: plain figures, no verdicts.

Knows nothing about limits. None is always "not measured", never "nothing wrong".
"""

import math
from dataclasses import dataclass
from typing import Literal

from scene.html_page import Both
from scene.messages import XY

WITHIN_M = 2.0
"""Who is told further off than this is somebody else: missed here, false there."""
WORST: tuple[str, ...] = ("lost", "stalled", "frozen", "dark", "obscured", "moved", "ok")
"""The states of cameras, the worst first."""
Z_95 = 1.959964
"""Standard normal quantile: 95 % lie within."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Some of many, and between what the true share lies with 95 % certainty."""

    count: int
    of: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """The share that was counted."""
        return self.count / self.of


def share_of(count: int, of: int, independent: float | None = None) -> Share | None:
    """Count a share with its Wilson score interval (Wilson, 1927); none where there were none.

    `independent` is how many of them tell something of their own, where neighbours tell the same.

    >>> share_of(0, 2).high > 0.6
    True
    >>> round(share_of(5, 100).low, 4), round(share_of(5, 100).high, 4)
    (0.0215, 0.1118)
    """
    if of <= 0:
        return None
    n, p = max(1.0, independent if independent is not None else float(of)), count / of
    middle = (p + Z_95**2 / (2 * n)) / (1 + Z_95**2 / n)
    half = Z_95 / (1 + Z_95**2 / n) * math.sqrt(p * (1 - p) / n + Z_95**2 / (4 * n**2))
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    # Rounding must not part an end from a share that lies right on it.
    return Share(count=count, of=of, low=min(low, p), high=max(high, p))


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """A place whose coordinates are known: of a walk a station, of a clip a stretch of roadway."""

    name: str
    where: Both
    true_xy_m: XY
    told_xy_m: XY | None
    """The middle of the places that were told; none where nobody was told."""
    looks: int
    """At so many instants somebody was there and told."""
    seen_share: float | None
    """At which share of the instants; none where nobody was there."""
    median_m: float | None
    p95_m: float | None
    cameras: tuple[str, ...] = ()
    """Those that saw somebody there."""
    delay_s: float | None = None
    """From a picture to the positions told of it: what 95 % were within."""
    note: Both | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFigures:
    """Something of which an alarm was due."""

    kind: str
    """Of the alarm."""
    what: Both
    at_s: float
    """When it began, from the test's start."""
    configured_s: float
    """After how long an alarm may sound."""
    raised: bool
    delay_s: float | None
    """Beyond `configured_s`; none where it was not raised."""
    apart_m: float | None = None
    """How far off its place was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FalseAlarm:
    """An alarm of nothing."""

    kind: str
    at_s: float
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """By how much a camera and a neighbour miss each other in their overlap."""

    other: str
    px: float
    deg: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """How far a camera looks beside where the rig has it look, by one kind of evidence."""

    deg: float
    px: float
    looks: int
    """How many pieces say so: points, boxes, or neighbours."""
    sigma_deg: float = 0.0
    """How far off this may itself be."""
    unsure_deg: float | None = None
    """How unsure it is (one sigma) about the axis that is known least; none: not told."""

    @property
    def most_deg(self) -> float | None:
        """How far the camera may be turned: what is told, and how unsure that is."""
        return None if self.unsure_deg is None else self.deg + self.unsure_deg


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraFigures:
    """One camera: its health, and how far it looks beside where the rig has it look."""

    name: str
    state: str
    """The worst that was said of it; empty where nothing was said that could be judged."""
    detail: str
    expected: str = ""
    """What the truth says was done to it: while that went on, what it does to a camera speaks
    against nobody."""
    survey: Turn | None = None
    """By the survey points of the site file; none where there are too few."""
    people: Turn | None = None
    """By where it shows people whose places are known; none where it showed too few."""
    turn: Turn | None = None
    """By people and neighbours' pictures together, all cameras at once; of a walk none."""
    overlaps: tuple[Miss, ...] = ()
    still: bool | None = None
    """Whether the gateway finds that it hangs as it did when it was calibrated; none: it can't
    tell, or was not asked."""
    alone_m: float | None = None
    """Median error of people whom it alone saw."""
    alone_looks: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageFigures:
    """For how much of the test each metre of roadway was seen by a healthy camera."""

    from_m: int
    seen: tuple[int, ...]
    """Per metre from `from_m` on, at how many looks a healthy camera saw it."""
    looks: tuple[int, ...]
    """Per metre, at how many looks it counts whether one did: not while the test itself keeps the
    camera from seeing that would have."""

    def within(self, wanted_m: tuple[float, float]) -> list[tuple[int, float | None]]:
        """List (metre, share of its looks seen) of the metres of a stretch.

        What was not told of was seen at none; a metre without a look that counts has no share.
        """
        first, last = math.floor(wanted_m[0] + 1e-6), math.ceil(wanted_m[1] - 1e-6)
        told = zip(self.seen, self.looks, strict=True)
        shares = {
            self.from_m + index: seen / looks if looks else None
            for index, (seen, looks) in enumerate(told)
        }
        return [(metre, shares.get(metre, 0.0)) for metre in range(first, last)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """All that one test measured."""

    mode: Literal["clip", "walk"]
    seconds: float
    missed_people: Share | None
    false_people: Share | None
    events: tuple[EventFigures, ...]
    false_alarms: tuple[FalseAlarm, ...] | None
    stations: tuple[Station, ...]
    cameras: tuple[CameraFigures, ...]
    coverage: CoverageFigures | None
    position_delay_s: float | None
    """From a picture to the positions told of it, what 95 % were within; of a clip never."""
    clock_skew_s: float | None
    skew_of: Both
    """Between which clocks."""
    missed_where: tuple[Both, ...] = ()
    """When and where people were missed..."""
    false_where: tuple[Both, ...] = ()
    """... or told where nobody was, the longest first."""
    rig_doubt: str = ""
    """Why the rig file may not be this site's; empty where nothing speaks against it."""
    unread: Share | None = None
    """Labelled frames of which the clip has no picture; none of a walk."""
    untried: tuple[Both, ...] = ()
    """Expected alarms that nothing was done for in time, and why: neither raised nor missed."""
    untested: tuple[Both, ...] = ()
    """What this test says nothing about."""
    standing: tuple[Both, ...] = ()
    """Alarms that stood already when the test began."""
    troubles: tuple[Both, ...] = ()
    """What the gateway said is wrong with itself, or was seen to be."""
    differs: tuple[Both, ...] | None = None
    """In what the gateway differs from the files given; none: this command was the gateway."""
    uncompared: tuple[Both, ...] = ()
    """Of which of the files given nobody could tell whether the gateway runs them."""
