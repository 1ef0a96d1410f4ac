"""What every rule is given to judge by, and what it answers.

Knows nothing about any one rule.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from location.rules.absences import Absences
from location.rules.coverage import Coverage
from location.rules.crossings import Crossings
from location.rules.held import GRACE_S
from location.rules.machine_places import MachinePlaces
from location.rules.rest import Rests
from location.zones import probability_inside
from scene.messages import XY, Position, Severity


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moment:
    """All that is known at one instant of the positions' time."""

    at_ns: int
    local: datetime
    """The same in the mine's time zone."""
    people: tuple[Position, ...]
    down: frozenset[int]
    """Tracks that carry a man-down alarm."""
    machines: MachinePlaces
    coverage: Coverage
    rests: Rests
    crossings: Crossings
    absences: Absences
    _inside: dict[tuple[Position, tuple[XY, ...]], float] = field(default_factory=dict)

    def inside(self, person: Position, polygon_m: tuple[XY, ...]) -> float:
        """Tell P(inside), computed once per person and area however many rules ask."""
        key = person, polygon_m
        if key not in self._inside:
            self._inside[key] = probability_inside(
                person.xyz_m[:2], person.covariance_m2, polygon_m
            )
        return self._inside[key]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a rule says of one person, or zone, at one instant."""

    raises: bool
    clears: bool
    probability: float
    what: str
    """For the evidence, e.g. `0.45 m high, 0.1 m/s`."""
    doubtful: bool = False
    """Whatever the probability: at most `possibly`."""
    anew: bool = False
    """What has held until now was another occasion: its time starts anew."""
    after_s: float | None = None
    """Instead of the rule's own delay."""
    before_s: float = 0.0
    """So long it had held before anybody could count."""


NEITHER = Judgement(raises=False, clears=False, probability=0.0, what="")
"""No evidence either way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule in force: what is watched, for how long, and what becomes of it unseen."""

    kind: str
    """A row of `scene.alarms.ALARMS`."""
    judge: Callable[[Position, Moment], Judgement]
    raise_after_s: float
    clear_after_s: float
    gone_after_s: float | None
    """Clears so long after the person was last known; none never does."""
    severity: Severity
    zone: str | None = None
    """The zone or gate that it is about."""
    whom: Callable[[Moment], Sequence[Position]] | None = None
    """Whom it judges instead of everybody: a zone (track 0), people who are missing."""
    forgotten_after_s: float = GRACE_S
    """So long a time that runs outlives not being known; if longer, whoever appears on the spot
    carries it on."""

    @property
    def key(self) -> tuple[str, str | None]:
        """Its name, the same after a change of limits."""
        return self.kind, self.zone
