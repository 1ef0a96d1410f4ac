"""Rules over people's positions: raises and clears alarms, each cause once.

Knows nothing about cameras, MQTT or clocks: time is what the positions say. The same sequence of
positions gives the same messages, ids included.

What happens when a person with an alarm is not seen any more is in its rule's row: `gone_after_s`.
Somebody down who disappears (covered by dust, by rescuers, or just no longer found) keeps the
alarm, for good if need be; only being seen upright clears it. Whoever appears next to the place
and fits the rule carries the alarm on instead of raising another. A helper who stands there does
not clear it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import hypot, sqrt

from location.man_down import SLOW_M_S, probability_lower, speed_m_s
from location.zones import probability_inside
from scene.alarms import ALARMS
from scene.messages import Anomaly, Certainty, Position, Positions, Severity
from scene.site import ManDownLimits, Site, ZoneConfig, ZoneLimits

FRESH_S = 1.0
"""Predictions further from the last look than this are no evidence either way."""
GRACE_S = 0.5
"""A condition that breaks for no longer than this counts as unbroken."""
MAX_STEP_S = 1.0
"""So much dwell, at most, is counted between two positions messages."""
SAME_PLACE_M = 1.5
"""Who fits a rule so near to where its alarm's person was lost is the same person."""
NEW_S = 3.0
"""Whoever has been known for longer than this is not somebody lost and found again."""
RESTART_S = 5.0
"""Positions older than the last ones by more than this mean that time starts anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a rule says of one person at one instant."""

    raises: bool
    clears: bool
    probability: float
    what: str
    """For the evidence, e.g. `0.45 m high, 0.1 m/s`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One row: what is watched, for how long, and what becomes of it unseen."""

    kind: str
    """A row of `scene.alarms.ALARMS`."""
    judge: Callable[[Position], Judgement]
    raise_after_s: float
    clear_after_s: float
    gone_after_s: float | None
    """Clears so long after the person was last known; none never does."""
    severity: Severity
    zone: str | None = None


def man_down(limits: ManDownLimits, person: Position) -> Judgement:
    """Judge whether a person is down: low and slow."""
    speed = speed_m_s(person)
    return Judgement(
        raises=person.height_m < limits.height_m and speed < SLOW_M_S,
        clears=person.height_m > limits.up_height_m,
        probability=probability_lower(person, limits.height_m),
        what=f"{person.height_m:.2f} m high, moving at {speed:.1f} m/s",
    )


def restricted_zone(limits: ZoneLimits, zone: ZoneConfig, person: Position) -> Judgement:
    """Judge whether a person is inside a zone."""
    inside = probability_inside(person.xyz_m[:2], person.covariance_m2, zone.polygon_m)
    return Judgement(
        raises=inside > limits.enter_probability,
        clears=inside < limits.leave_probability,
        probability=inside,
        what=f"{inside:.0%} likely inside {zone.name}",
    )


def rules(site: Site) -> tuple[Rule, ...]:
    """List the rules in force; a new kind of alarm is a new row."""
    zone, down = site.limits.zone, site.limits.man_down
    return (
        Rule(
            kind="man_down",
            judge=partial(man_down, down),
            raise_after_s=down.after_s,
            clear_after_s=down.up_after_s,
            gone_after_s=None,
            severity=ALARMS["man_down"].severity,
        ),
        *(
            Rule(
                kind="restricted_zone",
                judge=partial(restricted_zone, zone, area),
                raise_after_s=zone.enter_after_s,
                clear_after_s=zone.leave_after_s,
                gone_after_s=30.0,
                severity=area.severity,
                zone=area.name,
            )
            for area in site.zones
            if area.kind == "restricted"
        ),
    )


@dataclass(slots=True)
class _Held:
    """For how long a condition has held, short breaks forgiven."""

    held_s: float = 0.0
    broken_s: float = 0.0
    since: bool = False

    def step(self, holds: bool, step_s: float) -> float:
        if holds:
            self.held_s += step_s if self.since else 0.0
            self.broken_s, self.since = 0.0, True
        elif self.since:
            self.broken_s += step_s
            if self.broken_s > GRACE_S:
                self.held_s, self.broken_s, self.since = 0.0, 0.0, False
        return self.held_s if self.since else -1.0


@dataclass(slots=True)
class _Case:
    """One rule and one person: timers, and the alarm while there is one."""

    rule: Rule
    rising: _Held
    falling: _Held
    last: Position
    known_at_ns: int
    """When the person was last among the positions."""
    alarm: Anomaly | None = None


class Watch:
    """Judges every positions message by the site's rules."""

    def __init__(self, site: Site) -> None:
        self._rules = rules(site)
        self._cases: dict[tuple[int, int], _Case] = {}
        """By rule's number and track."""
        self._now_ns: int | None = None
        self._first_ns: dict[int, int] = {}
        """When each track of the last message was first known."""

    def update(self, positions: Positions) -> tuple[Anomaly, ...]:
        """Take in the positions of one instant; give only alarms that were raised or cleared now.

        Messages not newer than the last one are ignored, unless time starts anew
        (`RESTART_S` back): then dwell is counted afresh, and active alarms stay.
        """
        now_ns = positions.captured_at_ns
        if self._now_ns is not None and now_ns <= self._now_ns:
            if self._now_ns - now_ns <= RESTART_S * 1e9:
                return ()
            self._restart(now_ns)
        before_ns = now_ns if self._now_ns is None else self._now_ns
        step_s = min((now_ns - before_ns) / 1e9, MAX_STEP_S)
        self._now_ns = now_ns
        people = sorted(positions.people, key=lambda person: person.track)
        self._first_ns = {
            person.track: self._first_ns.get(person.track, now_ns) for person in people
        }
        changes: list[Anomaly] = []
        for number, rule in enumerate(self._rules):
            for person in people:
                changes += self._judge(number, rule, person, now_ns, step_s)
        changes += self._forget(now_ns)
        return tuple(changes)

    def active(self) -> tuple[Anomaly, ...]:
        """List the active alarms, oldest first, each with the track that carries it now."""
        found = [case.alarm for case in self._cases.values() if case.alarm is not None]
        return tuple(sorted(found, key=lambda alarm: (alarm.raised_at_ns, alarm.id)))

    def _judge(
        self, number: int, rule: Rule, person: Position, now_ns: int, step_s: float
    ) -> list[Anomaly]:
        judged = rule.judge(person)
        case = self._cases.get((number, person.track))
        if case is None:
            if not judged.raises:
                return []
            case = self._carried_on(number, person) or _Case(rule, _Held(), _Held(), person, now_ns)
            self._cases[number, person.track] = case
        case.known_at_ns = now_ns
        if (now_ns - person.seen_at_ns) / 1e9 > FRESH_S:
            return []
        case.last = person
        raised_s = case.rising.step(judged.raises, step_s)
        cleared_s = case.falling.step(judged.clears, step_s)
        if case.alarm is None:
            if judged.raises and raised_s >= rule.raise_after_s:
                case.alarm = _raised(rule, person, judged, now_ns, raised_s)
                case.falling = _Held()
                return [case.alarm]
            if raised_s < 0:
                del self._cases[number, person.track]
            return []
        if judged.clears and cleared_s >= rule.clear_after_s:
            del self._cases[number, person.track]
            return [_cleared(case.alarm, person, now_ns, judged.probability, judged.what)]
        return []

    def _carried_on(self, number: int, person: Position) -> _Case | None:
        """Find the case of somebody lost near here, whom this person then is."""
        assert self._now_ns is not None
        if (self._now_ns - self._first_ns[person.track]) / 1e9 > NEW_S:
            return None
        found: list[tuple[float, int]] = []
        for (other, track), case in self._cases.items():
            gone = track not in self._first_ns or self._unseen(case)
            if other == number and case.alarm is not None and gone:
                apart = hypot(
                    case.last.xyz_m[0] - person.xyz_m[0], case.last.xyz_m[1] - person.xyz_m[1]
                )
                if apart <= SAME_PLACE_M:
                    found.append((apart, track))
        if not found:
            return None
        case = self._cases.pop((number, min(found)[1]))
        assert case.alarm is not None
        case.alarm = replace(case.alarm, track=person.track)
        case.rising, case.falling = _Held(), _Held()
        return case

    def _unseen(self, case: _Case) -> bool:
        """Tell whether a case's person is known but has not been seen for a while."""
        assert self._now_ns is not None
        return (self._now_ns - case.last.seen_at_ns) / 1e9 > FRESH_S

    def _forget(self, now_ns: int) -> list[Anomaly]:
        """Drop the cases of people who are gone, and clear what their rule lets clear."""
        changes: list[Anomaly] = []
        for key, case in list(self._cases.items()):
            if key[1] in self._first_ns:
                continue
            if case.alarm is None:
                if (now_ns - case.known_at_ns) / 1e9 > GRACE_S:
                    del self._cases[key]
                continue
            limit = case.rule.gone_after_s
            if limit is not None and (now_ns - case.known_at_ns) / 1e9 >= limit:
                del self._cases[key]
                what = f"not seen for {limit:.0f} s, last at {_place(case.last)}"
                changes.append(_cleared(case.alarm, case.last, now_ns, 0.0, what))
        return changes

    def _restart(self, now_ns: int) -> None:
        self._cases = {key: case for key, case in self._cases.items() if case.alarm is not None}
        for case in self._cases.values():
            case.rising, case.falling = _Held(), _Held()
            case.known_at_ns = now_ns
            case.last = replace(case.last, seen_at_ns=min(case.last.seen_at_ns, now_ns))
        self._now_ns, self._first_ns = None, {}


def _raised(rule: Rule, person: Position, judged: Judgement, now_ns: int, held_s: float) -> Anomaly:
    parts: Sequence[str] = [rule.kind, *([rule.zone] if rule.zone else []), str(person.track)]
    return Anomaly(
        id="-".join([*parts, str(now_ns // 1_000_000)]),
        kind=rule.kind,
        severity=rule.severity,
        state="active",
        captured_at_ns=now_ns,
        raised_at_ns=now_ns,
        probability=round(judged.probability, 3),
        certainty=_certainty(judged.probability, person),
        track=person.track,
        zone=rule.zone,
        xyz_m=_rounded(person),
        evidence=f"Person {person.track}: {judged.what} for {held_s:.1f} s, at {_place(person)}.",
    )


def _cleared(
    alarm: Anomaly, person: Position, now_ns: int, probability: float, what: str
) -> Anomaly:
    return replace(
        alarm,
        state="cleared",
        captured_at_ns=now_ns,
        probability=round(probability, 3),
        certainty=_certainty(1 - probability, person),
        xyz_m=_rounded(person),
        evidence=f"Person {alarm.track}: {what}, at {_place(person)}."
        if "last at" not in what
        else f"Person {alarm.track}: {what}.",
    )


def _certainty(probability: float, person: Position) -> Certainty:
    return "certainly" if probability >= 0.9 and person.certainty == "certainly" else "possibly"


def _rounded(person: Position) -> tuple[float, float, float]:
    x, y, z = person.xyz_m
    return round(x, 3), round(y, 3), round(z, 3)


def _place(person: Position) -> str:
    (a, b), (_, d) = person.covariance_m2
    sigma = sqrt(max((a + d) / 2 + hypot((a - d) / 2, b), 0.0))
    return f"x {person.xyz_m[0]:.1f} m, y {person.xyz_m[1]:.1f} m ± {sigma:.1f} m"
