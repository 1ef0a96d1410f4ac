"""Rules over people's positions: raises and clears alarms, each cause once.

Knows nothing about cameras, MQTT or clocks: time is what the positions say. The same sequence of
positions gives the same messages, ids included.

Time is counted by looks, the instants at which cameras saw a person (`seen_at_ns`), so that a slow
detector delays alarms and never swallows them. A late look is judged where the person was seen.
Between looks a prediction counts for as long as looks have shown the same before it: one look
alone never raises what must hold for a while.

What happens when a person with an alarm is not seen any more is in its rule's row: `gone_after_s`.
Somebody down who disappears (covered by dust, by rescuers, or just no longer found) keeps the
alarm, for good if need be; only being seen upright clears it. Whoever appears next to the place
and fits the rule carries the alarm on instead of raising another. A helper who stands there does
not clear it. Alarms of an earlier run are taken back with `adopt` and go on the same way.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from math import hypot, sqrt
from statistics import median_low

from location.man_down import SLOW_M_S, height_age_s, probability_lower, speed_m_s
from location.zones import probability_inside
from scene.alarms import ALARMS
from scene.limits import ManDownLimits, ZoneLimits
from scene.messages import Anomaly, Certainty, Position, Positions, Severity
from scene.site import Site
from scene.wire import Message
from scene.zones import ZoneConfig

FRESH_S, FRESH_PERIODS, FRESH_MOST_S = 1.0, 2.5, 5.0
"""Predictions further from the last look than `FRESH_PERIODS` times between two looks, in these
bounds, are no evidence either way; nor does a longer gap between two looks count in full."""
LATE_S = 0.25
"""A look that comes later than this is judged where the person was seen; else where by now."""
GRACE_S = 0.5
"""A condition that breaks for no longer than this, or for one look, counts as unbroken."""
HEIGHT_UP_S, HEIGHT_DOWN_S = 1.0, 5.0
"""A height measured so long before the look is no sign of somebody up, or down."""
SAME_PLACE_M = 1.5
"""Who fits a rule so near to where its alarm's person was lost is the same person..."""
NEW_S = 3.0
"""... at once if known for no longer than this..."""
CARRIED_S = 120.0
"""... and else instead of a second alarm, if the one person lost there was lost so lately."""
RESTART_S = 5.0
"""Positions older than the last ones by more than this mean that time starts anew."""
S = 1_000_000_000


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
    """Judge whether a person is down: low and slow.

    A height that no look has shown for a while says nothing; being up needs the fresher one.
    """
    speed, age_s = speed_m_s(person), height_age_s(person)
    low = person.height_m < limits.height_m and age_s <= HEIGHT_DOWN_S
    return Judgement(
        raises=low and speed < SLOW_M_S,
        clears=person.height_m > limits.up_height_m and age_s <= HEIGHT_UP_S,
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
    """For how long a condition has held by looks, short breaks forgiven. Nanoseconds."""

    looked_ns: int = 0
    """Between looks that showed it."""
    waited_ns: int = 0
    """Since the last of them came, while predictions still show it."""
    broken_ns: int = 0
    breaks: int = 0
    """Looks since then that did not show it."""
    holds: bool = False
    """It has begun to hold."""

    @property
    def held_s(self) -> float:
        """Prediction counts no longer than what looks have shown."""
        return (self.looked_ns + min(self.waited_ns, self.looked_ns)) / S

    def look(self, shows: bool, step_ns: int) -> None:
        """Take a new look, so long after the last one."""
        if shows:
            if self.holds and (not self.breaks or step_ns <= GRACE_S * S):
                self.looked_ns += step_ns
            self.waited_ns, self.broken_ns, self.breaks, self.holds = 0, 0, 0, True
        elif self.holds:
            self.waited_ns, self.broken_ns = 0, self.broken_ns + step_ns
            self.breaks += 1
            if self.breaks > 1 and self.broken_ns > GRACE_S * S:
                self.looked_ns, self.broken_ns, self.breaks, self.holds = 0, 0, 0, False

    def wait(self, shows: bool, step_ns: int) -> None:
        """Take a prediction from the same look, so long after the last message."""
        if shows and self.holds and not self.breaks:
            self.waited_ns += step_ns


@dataclass(slots=True)
class _Case:
    """One rule and one person: timers, and the alarm while there is one."""

    rule: Rule
    last: Position
    """When the person was last judged."""
    known_at_ns: int
    """When the person was last among the positions."""
    rising: _Held
    falling: _Held
    looked_at_ns: int | None = None
    """The newest look that has been judged."""
    alarm: Anomaly | None = None


class Watch:
    """Judges every positions message by the site's rules."""

    def __init__(self, site: Site) -> None:
        self._rules = rules(site)
        self._cases: dict[tuple[int, int], _Case] = {}
        """By rule's number and track; a negative track is that of an adopted alarm."""
        self._now_ns: int | None = None
        self._first_ns: dict[int, int] = {}
        """When each track of the last message was first known."""
        self._looks_ns: deque[int] = deque(maxlen=8)
        """When anybody was last seen, as it advanced."""
        self._adopted: list[Anomaly] = []
        """Alarms to take back with the next message."""

    def adopt(self, alarms: Sequence[Anomaly]) -> None:
        """Take back active alarms about people that an earlier run raised; before any `update`.

        Their people count as lost where they were: whoever fits the rule there carries the alarm
        on. An alarm of a zone that the site no longer has is cleared with the next message.
        Alarms that no rule here raises, that are not active or have no place, are left out.
        """
        kinds = {rule.kind for rule in self._rules} | {"restricted_zone"}
        known = {alarm.id for alarm in self.active()}
        for alarm in sorted(alarms, key=lambda alarm: (alarm.raised_at_ns, alarm.id)):
            usable = alarm.state == "active" and alarm.xyz_m is not None and alarm.kind in kinds
            if usable and alarm.id not in known:
                known.add(alarm.id)
                self._adopted.append(alarm)

    def hear(self, message: Message) -> None:
        """Take in what others say: machines, operators' orders, the gateway's health."""

    def update(self, positions: Positions) -> tuple[Anomaly, ...]:
        """Take in the positions of one instant; give only what is new about alarms.

        That is: raised, cleared, or carried on by another person (`active` again with the new
        track and place). Messages not newer than the last one are ignored, unless time starts anew
        (`RESTART_S` back): then dwell is counted afresh, and active alarms stay.
        """
        now_ns = positions.captured_at_ns
        if self._now_ns is not None and now_ns <= self._now_ns:
            if self._now_ns - now_ns <= RESTART_S * S:
                return ()
            self._restart(now_ns)
        before_ns = now_ns if self._now_ns is None else self._now_ns
        step_ns = min(now_ns - before_ns, round(FRESH_S * S))
        self._now_ns = now_ns
        people = sorted(positions.people, key=lambda person: person.track)
        self._first_ns = {
            person.track: self._first_ns.get(person.track, now_ns) for person in people
        }
        self._note_look(people)
        changes = self._take_back(now_ns)
        for number in range(len(self._rules)):
            for person in people:
                changes += self._judge(number, person, now_ns, step_ns)
        changes += self._forget(now_ns)
        return tuple(changes)

    def active(self) -> tuple[Anomaly, ...]:
        """List the active alarms, oldest first, each with the track that carries it now."""
        found = [case.alarm for case in self._cases.values() if case.alarm is not None]
        return tuple(
            sorted([*found, *self._adopted], key=lambda alarm: (alarm.raised_at_ns, alarm.id))
        )

    @property
    def _fresh_ns(self) -> int:
        """Tell for how long a look holds: by the time that passes between two looks."""
        looks = list(self._looks_ns)
        gaps = [after - before for before, after in pairwise(looks)]
        wanted = FRESH_PERIODS * median_low(gaps) if gaps else 0.0
        return round(min(max(wanted, FRESH_S * S), FRESH_MOST_S * S))

    def _note_look(self, people: Sequence[Position]) -> None:
        newest_ns = max((person.seen_at_ns for person in people), default=None)
        if newest_ns is not None and (not self._looks_ns or newest_ns > self._looks_ns[-1]):
            self._looks_ns.append(newest_ns)

    def _judge(self, number: int, person: Position, now_ns: int, step_ns: int) -> list[Anomaly]:
        rule, key = self._rules[number], (number, person.track)
        case = self._cases.get(key)
        late = now_ns - person.seen_at_ns > LATE_S * S
        if late and (case is None or person.seen_at_ns != case.looked_at_ns):
            person = _at_look(person)
        judged = rule.judge(person)
        changes: list[Anomaly] = []
        if case is None:
            if not judged.raises:
                return []
            case = _Case(rule, person, now_ns, _Held(), _Held())
            if (now_ns - self._first_ns[person.track]) <= NEW_S * S:
                changes += self._carry_on(number, self._lost_near(number, person), case, person)
            self._cases[key] = case
        case.known_at_ns = now_ns
        if not self._count(case, person, judged, now_ns, step_ns):
            return changes
        case.last = person
        if case.alarm is None:
            if judged.raises and case.rising.held_s >= rule.raise_after_s:
                changes += self._raise(number, case, person, judged)
            elif not case.rising.holds:
                del self._cases[key]
        elif judged.clears and case.falling.held_s >= rule.clear_after_s:
            del self._cases[key]
            changes.append(_cleared(case.alarm, person, now_ns, judged.probability, judged.what))
        return changes

    def _count(
        self, case: _Case, person: Position, judged: Judgement, now_ns: int, step_ns: int
    ) -> bool:
        """Count a look or a prediction; tells whether it is evidence at all."""
        seen_at_ns, before_ns = person.seen_at_ns, case.looked_at_ns
        if before_ns is None or seen_at_ns > before_ns:
            if now_ns - seen_at_ns > FRESH_MOST_S * S:
                return False
            gap_ns = 0 if before_ns is None else min(seen_at_ns - before_ns, self._fresh_ns)
            case.looked_at_ns = seen_at_ns
            case.rising.look(judged.raises, gap_ns)
            case.falling.look(judged.clears, gap_ns)
            return True
        if now_ns - seen_at_ns > self._fresh_ns:
            return False
        case.rising.wait(judged.raises, step_ns)
        case.falling.wait(judged.clears, step_ns)
        return True

    def _raise(
        self, number: int, case: _Case, person: Position, judged: Judgement
    ) -> list[Anomaly]:
        """Raise an alarm, or carry on that of the one person who was lost here lately."""
        assert self._now_ns is not None
        lost = self._lost_near(number, person)
        if len(lost) == 1 and self._now_ns - self._cases[lost[0]].known_at_ns <= CARRIED_S * S:
            return self._carry_on(number, lost, case, person)
        held_s = case.rising.held_s
        case.alarm = _raised(case.rule, person, judged, self._now_ns, held_s)
        case.falling = _Held()
        return [case.alarm]

    def _lost_near(self, number: int, person: Position) -> list[tuple[int, int]]:
        """Find alarms of a rule whose people, now unseen, were last near here; nearest first."""
        found: list[tuple[float, tuple[int, int]]] = []
        for key, case in self._cases.items():
            gone = key[1] not in self._first_ns or self._unseen(case)
            if key[0] == number and case.alarm is not None and gone and key[1] != person.track:
                apart = hypot(
                    case.last.xyz_m[0] - person.xyz_m[0], case.last.xyz_m[1] - person.xyz_m[1]
                )
                if apart <= SAME_PLACE_M:
                    found.append((apart, key))
        return [key for _, key in sorted(found)]

    def _carry_on(
        self, number: int, lost: list[tuple[int, int]], case: _Case, person: Position
    ) -> list[Anomaly]:
        """Give the nearest of the lost alarms to a person's case, if there is any."""
        if not lost:
            return []
        assert self._now_ns is not None
        alarm = self._cases.pop(lost[0]).alarm
        assert alarm is not None
        case.alarm = _carried(alarm, person, self._now_ns)
        case.falling = _Held()
        return [case.alarm]

    def _unseen(self, case: _Case) -> bool:
        """Tell whether a case's person is known but has not been seen for a while."""
        assert self._now_ns is not None
        return self._now_ns - case.last.seen_at_ns > self._fresh_ns

    def _take_back(self, now_ns: int) -> list[Anomaly]:
        """Make cases of adopted alarms; clear those that no rule watches any more."""
        changes: list[Anomaly] = []
        for alarm in self._adopted:
            rule = next(
                (
                    (number, rule)
                    for number, rule in enumerate(self._rules)
                    if (rule.kind, rule.zone) == (alarm.kind, alarm.zone)
                ),
                None,
            )
            person = _lost_person(alarm)
            if rule is None:
                what = f"{alarm.zone} is no longer watched"
                changes.append(_cleared(alarm, person, now_ns, 0.0, what))
                continue
            track = min([0, *(track for _, track in self._cases)]) - 1
            self._cases[rule[0], track] = _Case(
                rule[1], person, now_ns, _Held(), _Held(), alarm=alarm
            )
        self._adopted = []
        return changes

    def _forget(self, now_ns: int) -> list[Anomaly]:
        """Drop the cases of people who are gone, and clear what their rule lets clear."""
        changes: list[Anomaly] = []
        for key, case in list(self._cases.items()):
            if key[1] in self._first_ns:
                continue
            if case.alarm is None:
                if (now_ns - case.known_at_ns) / S > GRACE_S:
                    del self._cases[key]
                continue
            limit = case.rule.gone_after_s
            if limit is not None and (now_ns - case.known_at_ns) / S >= limit:
                del self._cases[key]
                what = f"not seen for {limit:.0f} s, last at {_place(case.last)}"
                changes.append(_cleared(case.alarm, case.last, now_ns, 0.0, what))
        return changes

    def _restart(self, now_ns: int) -> None:
        self._cases = {key: case for key, case in self._cases.items() if case.alarm is not None}
        for case in self._cases.values():
            case.rising, case.falling = _Held(), _Held()
            case.known_at_ns, case.looked_at_ns = now_ns, None
            case.last = replace(case.last, seen_at_ns=min(case.last.seen_at_ns, now_ns))
        self._now_ns, self._first_ns = None, {}
        self._looks_ns.clear()


def _at_look(person: Position) -> Position:
    """Take a person as seen, not as predicted from there: a look is a fact, however late it is."""
    if person.seen_xy_m is None or person.seen_covariance_m2 is None:
        return person
    return replace(
        person,
        xyz_m=(*person.seen_xy_m, person.xyz_m[2]),
        covariance_m2=person.seen_covariance_m2,
    )


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


def _carried(alarm: Anomaly, person: Position, now_ns: int) -> Anomaly:
    before = "" if alarm.track == person.track else f", who was person {alarm.track} before,"
    return replace(
        alarm,
        captured_at_ns=now_ns,
        track=person.track,
        xyz_m=_rounded(person),
        evidence=f"Person {person.track}{before} carries this alarm on, at {_place(person)}.",
    )


def _lost_person(alarm: Anomaly) -> Position:
    """Stand in for the person of an adopted alarm: nobody knows more than the place."""
    assert alarm.xyz_m is not None
    return Position(
        track=alarm.track or 0,
        xyz_m=alarm.xyz_m,
        covariance_m2=((0.25, 0.0), (0.0, 0.25)),
        velocity_m_s=(0.0, 0.0),
        height_m=0.0,
        posture="lying",
        certainty="possibly",
        seen_at_ns=0,
        cameras=(),
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
