"""Dwell and alarms of every rule and person: what has held for long enough, each cause once.

Knows nothing about any one rule, nor about messages that are heard.
"""

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median_low

from location.rules import evidence
from location.rules.held import Held, S
from location.rules.moment import Judgement, Moment, Rule
from location.rules.places import apart_m, at_look
from location.who import surely
from scene.messages import Anomaly, Position

FRESH_S, FRESH_PERIODS, FRESH_MOST_S = 1.0, 2.5, 5.0
"""Predictions further from the last look than `FRESH_PERIODS` times between two looks, in these
bounds, are no evidence either way; nor does a longer gap between two looks count in full."""
LATE_S = 0.25
"""A look that comes later than this is judged where the person was seen; else where by now."""
SAME_PLACE_M = 1.5
"""Who fits a rule so near to where its alarm's person was lost is the same person..."""
NEW_S = 3.0
"""... at once if known for no longer than this..."""
CARRIED_S = 120.0
"""... and else instead of a second alarm, if the one person lost there was lost so lately."""

Key = tuple[tuple[str, str | None], int]
"""A rule's name and a track; a negative track is that of an adopted alarm."""


@dataclass(slots=True)
class Case:
    """One rule and one person: timers, and the alarm while there is one."""

    rule: Rule
    last: Position
    """When the person was last judged."""
    known_at_ns: int
    """When the person was last among the positions."""
    rising: Held
    falling: Held
    looked_at_ns: int | None = None
    """The newest look that has been judged."""
    alarm: Anomaly | None = None
    fitted: Position | None = None
    """The person as they last fitted the rule."""
    worker: str | None = None
    """Who that surely was; none where it was not known."""
    renamed_at_ns: int | None = None
    """Since which look the person has fitted the rule as surely somebody else."""

    def note(self, person: Position) -> None:
        """Take note of a person who fits the rule.

        A name that was wrong may be set right, but who kneels down for a moment is not taken for
        the one whose alarm it is.
        """
        name, seen_at_ns = surely(person), person.seen_at_ns
        if _differ(self.worker, person):
            if self.renamed_at_ns is None:
                self.renamed_at_ns = seen_at_ns
            if seen_at_ns - self.renamed_at_ns < self.rule.raise_after_s * S:
                return
        self.renamed_at_ns = None
        self.fitted, self.worker = person, name or self.worker


class Cases:
    """All cases, by rule and person."""

    def __init__(self) -> None:
        self._cases: dict[Key, Case] = {}
        self._first_ns: dict[int, int] = {}
        """When each track of the last message was first known."""
        self._looks_ns: deque[int] = deque(maxlen=8)
        """When anybody was last seen, as it advanced."""
        self._now_ns = 0
        self._ids: deque[str] = deque(maxlen=1000)
        """Of the alarms raised last."""
        self._same: list[tuple[int, int]] = []

    def begin(self, people: Sequence[Position], now_ns: int, unwatched_ns: int) -> None:
        """Take note of who is there at the instant that is judged next.

        In a gap before it nobody looked for `unwatched_ns`: that is no time of not being seen.
        """
        for case in self._cases.values():
            case.known_at_ns += unwatched_ns if case.alarm is not None else 0
        self._now_ns = now_ns
        self._first_ns = {
            person.track: self._first_ns.get(person.track, now_ns) for person in people
        }
        newest_ns = max((person.seen_at_ns for person in people), default=None)
        if newest_ns is not None and (not self._looks_ns or newest_ns > self._looks_ns[-1]):
            self._looks_ns.append(newest_ns)

    def alarms(self) -> list[Anomaly]:
        """List the active alarms."""
        return [case.alarm for case in self._cases.values() if case.alarm is not None]

    def tracks(self, kind: str) -> frozenset[int]:
        """List the tracks that carry an alarm of a kind."""
        return frozenset(
            track
            for (name, track), case in self._cases.items()
            if name[0] == kind and case.alarm is not None
        )

    def judge(self, rule: Rule, person: Position, moment: Moment, step_ns: int) -> list[Anomaly]:
        """Judge one person by one rule; gives what is new."""
        key, now_ns = (rule.key, person.track), moment.at_ns
        case = self._cases.get(key)
        late = now_ns - person.seen_at_ns > LATE_S * S
        if late and (case is None or person.seen_at_ns != case.looked_at_ns):
            person = at_look(person)
        judged = rule.judge(person, moment)
        changes: list[Anomaly] = []
        gone_over = case is not None and rule.whom is None and _differ(case.worker, person)
        if gone_over and not judged.raises:
            changes += self._leave_behind(key, person)
            case = None
        if case is None or case.alarm is None:
            case = self._found_again(case, rule, person, changes)
        if case is None:
            if not judged.raises:
                return changes
            case = Case(rule, person, now_ns, Held(), Held())
            changes += self._go_on(case)
            self._cases[key] = case
        case.known_at_ns = now_ns
        if judged.raises:
            case.note(person)
        if not self._count(case, person, judged, now_ns, step_ns):
            return changes
        case.last = person
        if case.alarm is None:
            after_s = rule.raise_after_s if judged.after_s is None else judged.after_s
            if judged.raises and judged.before_s + case.rising.held_s >= after_s:
                changes += self._raise(case, person, judged)
            elif not case.rising.holds:
                del self._cases[key]
        elif judged.clears and case.falling.held_s >= rule.clear_after_s:
            del self._cases[key]
            changes.append(
                evidence.cleared(case.alarm, person, now_ns, judged.probability, judged.what)
            )
        return changes

    def _found_again(
        self, case: Case | None, rule: Rule, person: Position, changes: list[Anomaly]
    ) -> Case | None:
        """Give an alarm that was left behind to the very worker it is about, wherever that is."""
        name = surely(person)
        if name is None or rule.whom is not None:
            return case
        for key, left in self._cases.items():
            alarm = left.alarm
            if key[0] == rule.key and alarm and alarm.track is None and left.worker == name:
                case = case or Case(rule, person, self._now_ns, Held(), Held())
                changes += self._carry_on(key, case, person)
                self._cases[rule.key, person.track] = case
                break
        return case

    def _go_on(self, case: Case) -> list[Anomaly]:
        """Let a new case go on with what there was of somebody who vanished where it begins."""
        rule, person = case.rule, case.last
        if rule.whom is not None or self._now_ns - self._first_ns[person.track] > NEW_S * S:
            return []
        lost = self._lost_near(rule, person)
        if not lost:
            self._take_over_time(rule, case, person)
            return []
        self._same.append((lost[0][1], person.track))
        return self._carry_on(lost[0], case, person)

    def same(self) -> list[tuple[int, int]]:
        """Give once the pairs of tracks, before and now, that are one person by a carried alarm.

        Only of who appeared right there: whoever walked up may be a helper, who is nobody found.
        """
        found, self._same = self._same, []
        return found

    def take_back(self, rule: Rule, alarm: Anomaly, track: int | None) -> int:
        """Make a case of an adopted alarm; gives its track, a negative one for none."""
        if track is None:
            track = self._nobodys_track()
        person = evidence.lost_person(alarm)
        # How sure a name was an alarm does not say, but one that was left behind.
        worker = alarm.worker if alarm.track is None else None
        self._cases[rule.key, track] = Case(
            rule, person, self._now_ns, Held(), Held(), alarm=alarm, worker=worker
        )
        return track

    def end(self, alarm_id: str, why: str) -> tuple[Key, Anomaly] | None:
        """End an alarm because somebody says so; gives whose it was, none if there is no such."""
        for key, case in self._cases.items():
            if case.alarm is not None and case.alarm.id == alarm_id:
                del self._cases[key]
                what = f"{why}, last at {evidence.place(case.last)}"
                return key, evidence.cleared(case.alarm, case.last, self._now_ns, 0.0, what)
        return None

    def change(self, rules: Sequence[Rule]) -> list[Anomaly]:
        """Go on by other rules: times run on, and alarms that nothing watches are cleared."""
        by_key = {rule.key: rule for rule in rules}
        changes = []
        for key, case in list(self._cases.items()):
            rule = by_key.get(key[0])
            if rule is not None:
                case.rule = rule
                continue
            del self._cases[key]
            if case.alarm is not None:
                changes.append(no_longer_watched(case.alarm, case.last, self._now_ns))
        return changes

    def forget(self, moment: Moment, present: Mapping[str, Collection[int]]) -> list[Anomaly]:
        """Drop the cases of people who are gone, and clear what their rule lets clear.

        `present` has whom rules of a kind judged, if not everybody. Where the cameras went blind,
        nobody is gone.
        """
        changes: list[Anomaly] = []
        for key, case in list(self._cases.items()):
            if key[1] in present.get(key[0][0], self._first_ns):
                continue
            if case.alarm is None:
                if (moment.at_ns - case.known_at_ns) / S > case.rule.forgotten_after_s:
                    del self._cases[key]
                continue
            if moment.coverage.blind(case.last.xyz_m):
                case.known_at_ns = moment.at_ns
            limit = case.rule.gone_after_s
            if limit is not None and (moment.at_ns - case.known_at_ns) / S >= limit:
                del self._cases[key]
                what = f"not seen for {limit:.0f} s, last at {evidence.place(case.last)}"
                changes.append(evidence.cleared(case.alarm, case.last, moment.at_ns, 0.0, what))
        return changes

    def restart(self, now_ns: int) -> None:
        """Begin a new time: alarms stay, everything else starts anew."""
        self._cases = {key: case for key, case in self._cases.items() if case.alarm is not None}
        for case in self._cases.values():
            case.rising, case.falling = Held(), Held()
            case.known_at_ns, case.looked_at_ns = now_ns, None
            case.last = replace(case.last, seen_at_ns=min(case.last.seen_at_ns, now_ns))
            case.fitted, case.renamed_at_ns = None, None
        self._first_ns = {}
        self._looks_ns.clear()

    @property
    def _fresh_ns(self) -> int:
        """Tell for how long a look holds: by the time that passes between two looks."""
        looks = list(self._looks_ns)
        gaps = [after - before for before, after in pairwise(looks)]
        wanted = FRESH_PERIODS * median_low(gaps) if gaps else 0.0
        return round(min(max(wanted, FRESH_S * S), FRESH_MOST_S * S))

    def _count(
        self, case: Case, person: Position, judged: Judgement, now_ns: int, step_ns: int
    ) -> bool:
        """Count a look or a prediction; tells whether it is evidence at all."""
        seen_at_ns, before_ns = person.seen_at_ns, case.looked_at_ns
        if before_ns is None or seen_at_ns > before_ns:
            if now_ns - seen_at_ns > FRESH_MOST_S * S:
                return False
            gap_ns = 0 if before_ns is None else min(seen_at_ns - before_ns, self._fresh_ns)
            case.looked_at_ns = seen_at_ns
            if judged.anew:
                case.rising = Held()
            case.rising.look(judged.raises, gap_ns)
            case.falling.look(judged.clears, gap_ns)
            return True
        if now_ns - seen_at_ns > self._fresh_ns:
            return False
        case.rising.wait(judged.raises, step_ns)
        case.falling.wait(judged.clears, step_ns)
        return True

    def _raise(self, case: Case, person: Position, judged: Judgement) -> list[Anomaly]:
        """Raise an alarm, or carry on that of the one person who was lost here lately."""
        lost = self._lost_near(case.rule, person)
        if len(lost) == 1 and self._now_ns - self._cases[lost[0]].known_at_ns <= CARRIED_S * S:
            return self._carry_on(lost[0], case, person)
        held_s = judged.before_s + case.rising.held_s
        alarm = evidence.raised(case.rule, person, judged, self._now_ns, held_s)
        case.alarm = replace(alarm, id=self._own_id(alarm.id))
        case.falling = Held()
        return [case.alarm]

    def _own_id(self, wanted: str) -> str:
        """Give an id that no earlier alarm had: a clock that is set back comes by again."""
        number, id = 1, wanted
        while id in self._ids:
            number += 1
            id = f"{wanted}-{number}"
        self._ids.append(id)
        return id

    def _lost_near(self, rule: Rule, person: Position) -> list[Key]:
        """Find alarms of a rule whose people, now unseen, were last near here; nearest first.

        Who was there while the other was still seen is somebody else, a helper say.
        """
        found: list[tuple[float, Key]] = []
        if rule.whom is not None:
            return []
        since_ns = self._first_ns[person.track]
        for key, case in self._cases.items():
            if key[0] != rule.key or case.alarm is None or key[1] == person.track:
                continue
            if _differ(case.worker, person):
                continue
            gone = key[1] not in self._first_ns or self._unseen(case)
            distance_m = apart_m(case.last, person)
            if gone and case.last.seen_at_ns <= since_ns and distance_m <= SAME_PLACE_M:
                found.append((distance_m, key))
        return [key for _, key in sorted(found, key=lambda item: (item[0], item[1][1]))]

    def _leave_behind(self, key: Key, person: Position) -> list[Anomaly]:
        """Take a case from a number that is by now surely somebody else's.

        Whom it is about counts as lost where they last fitted the rule: another's getting up is
        not theirs.
        """
        case = self._cases.pop(key)
        if case.alarm is None:
            return []
        case.last = case.fitted or case.last
        case.alarm = evidence.left_behind(case.alarm, case.last, person, self._now_ns)
        case.rising, case.falling = Held(), Held()
        self._cases[key[0], self._nobodys_track()] = case
        return [case.alarm]

    def _nobodys_track(self) -> int:
        """Give a number under which a case is kept whose person is not among the positions."""
        return min([0, *(track for _, track in self._cases)]) - 1

    def _carry_on(self, lost: Key, case: Case, person: Position) -> list[Anomaly]:
        """Give a lost person's alarm to a person's case."""
        before = self._cases.pop(lost)
        alarm, case.worker = before.alarm, case.worker or before.worker
        assert alarm is not None
        case.alarm = evidence.carried(alarm, person, self._now_ns)
        case.falling = Held()
        return [case.alarm]

    def _take_over_time(self, rule: Rule, case: Case, person: Position) -> None:
        """Let time run on that ran for somebody who vanished where this person appears."""
        for key, other in sorted(self._cases.items(), key=lambda item: item[0][1]):
            gone = key[0] == rule.key and key[1] not in self._first_ns
            # Whose time ends with them has no case any more: see `forgotten_after_s`.
            kept = other.alarm is None and rule.forgotten_after_s > NEW_S
            if gone and kept and apart_m(other.last, person) <= SAME_PLACE_M:
                case.rising, case.looked_at_ns = other.rising, other.looked_at_ns
                del self._cases[key]
                return

    def _unseen(self, case: Case) -> bool:
        """Tell whether a case's person is known but has not been seen for a while."""
        return self._now_ns - case.last.seen_at_ns > self._fresh_ns


def _differ(worker: str | None, person: Position) -> bool:
    """Tell whether a person is surely not a certain worker."""
    return worker is not None and surely(person) not in (None, worker)


def no_longer_watched(alarm: Anomaly, person: Position, now_ns: int) -> Anomaly:
    """Clear an alarm of a rule that the site does not have any more."""
    what = f"{alarm.zone or alarm.kind} is no longer watched"
    return evidence.cleared(alarm, person, now_ns, 0.0, what)
