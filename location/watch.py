"""Rules over people's positions: raises and clears alarms, each cause once.

Knows nothing about cameras, MQTT or clocks: time is what the positions say. The same sequence of
positions and messages gives the same alarms, ids included.

Time is counted by looks, the instants at which cameras saw a person (`seen_at_ns`), so that a slow
detector delays alarms and does not swallow them; only looks that come more than five seconds late
count no more, and detection that slow has an alarm of its own. A late look is judged where the
person was seen.
Between looks a prediction counts for as long as looks have shown the same before it: one look
alone never raises what must hold for a while.

What happens when a person with an alarm is not seen any more is in its rule's row: `gone_after_s`.
Somebody down who disappears (covered by dust, by rescuers, or just no longer found) keeps the
alarm, for good if need be; only being seen upright clears it, or an operator's order. Whoever
appears next to the place and fits the rule carries the alarm on instead of raising another. A
helper who stands there does not clear it. Alarms of an earlier run are taken back with `adopt` and
go on the same way.
"""

from collections.abc import Sequence
from datetime import datetime

from location.rules.absences import Absence, Absences
from location.rules.cases import CARRIED_S, FRESH_MOST_S, FRESH_S, Cases, no_longer_watched
from location.rules.company import ZONE
from location.rules.coverage import Coverage
from location.rules.crossings import Crossings
from location.rules.evidence import lost_person
from location.rules.held import S
from location.rules.inbox import Heard, Inbox
from location.rules.machine_places import MachinePlaces
from location.rules.moment import Moment, Rule
from location.rules.rest import Rests
from location.rules.table import KINDS, rules
from scene.floor import Floor
from scene.limits import ImmobileLimits, LostLimits, time_zone_of
from scene.messages import Anomaly, GatewayHealth, Machines, Order, Position, Positions
from scene.site import Site
from scene.wire import Message

__all__ = ["CARRIED_S", "RESTART_S", "Watch", "rules"]

RESTART_S = 5.0
"""Positions older than the last ones by more than this mean that time starts anew."""


class Watch:
    """Judges every positions message by the site's rules."""

    def __init__(self, site: Site) -> None:
        self._site, self._rules = site, rules(site)
        self._cases = Cases()
        self._inbox = Inbox()
        self._machines, self._coverage = MachinePlaces(), Coverage(Floor(site.floor))
        self._rests, self._crossings, self._absences = Rests(), Crossings(), Absences()
        self._now_ns: int | None = None
        self._adopted: list[Anomaly] = []
        """Alarms to take back with the next message."""
        self._changes: list[Anomaly] = []
        """What is to be said with the next message."""

    def adopt(self, alarms: Sequence[Anomaly]) -> None:
        """Take back active alarms about people that an earlier run raised; before any `update`.

        Their people count as lost where they were: whoever fits the rule there carries the alarm
        on. An alarm of a zone that the site no longer has is cleared with the next message.
        Alarms that no rule here raises, that are not active or have no place, are left out.
        """
        known = {alarm.id for alarm in self.active()}
        for alarm in sorted(alarms, key=lambda alarm: (alarm.raised_at_ns, alarm.id)):
            usable = alarm.state == "active" and alarm.xyz_m is not None and alarm.kind in KINDS
            if usable and alarm.id not in known:
                known.add(alarm.id)
                self._adopted.append(alarm)

    def hear(self, message: Message) -> None:
        """Take in what others say: machines, operators' orders, the gateway's health.

        It counts from half a second after it was said, by the positions' time, in the order in
        which it was said; other messages are left alone. What comes of it `update` gives.
        """
        self._inbox.hear(message, self._now_ns)

    def change(self, site: Site) -> None:
        """Go over to a site's other limits and zones: times run on and alarms stay.

        Alarms of zones and rules that are gone are cleared with the next message.
        """
        self._site, self._rules = site, rules(site)
        self._changes += self._cases.change(self._rules)

    def update(self, positions: Positions) -> tuple[Anomaly, ...]:
        """Take in the positions of one instant; give only what is new about alarms.

        That is: raised, cleared, or carried on by another person (`active` again with the new
        track and place). Messages not newer than the last one are ignored, unless time starts anew
        (`RESTART_S` back): then dwell is counted afresh, and active alarms stay.
        """
        now_ns = positions.captured_at_ns
        heard: tuple[Heard, ...] = ()
        if self._now_ns is not None and now_ns <= self._now_ns:
            if self._now_ns - now_ns <= RESTART_S * S:
                return ()
            heard = self._restart(now_ns)
        before_ns = now_ns if self._now_ns is None else self._now_ns
        step_ns = min(now_ns - before_ns, round(FRESH_S * S))
        # Pictures may come slowly; a longer gap is time in which nobody looked.
        unwatched_ns = max(now_ns - before_ns - round(FRESH_MOST_S * S), 0)
        self._now_ns = now_ns
        people = tuple(sorted(positions.people, key=lambda person: person.track))
        self._cases.begin(people, now_ns, unwatched_ns)
        changes = [*self._changes, *self._take_back(now_ns)]
        self._changes = []
        self._machines.look_at(now_ns)
        self._coverage.look_at(now_ns)
        for message in (*heard, *self._inbox.take(now_ns)):
            changes += self._obey(message)
        moment = self._moment(people, now_ns, step_ns / S, unwatched_ns / S)
        present: dict[str, set[int]] = {}
        for rule in self._rules:
            whom = people if rule.whom is None else rule.whom(moment)
            if rule.whom is not None:
                present.setdefault(rule.kind, set()).update(person.track for person in whom)
            for person in whom:
                changes += self._cases.judge(rule, person, moment, step_ns)
        changes += self._cases.forget(moment, present)
        for before, after in self._cases.same():
            self._absences.found(before, after)
        return tuple(changes)

    def active(self) -> tuple[Anomaly, ...]:
        """List the active alarms, oldest first, each with the track that carries it now."""
        found = [*self._cases.alarms(), *self._adopted]
        return tuple(sorted(found, key=lambda alarm: (alarm.raised_at_ns, alarm.id)))

    def unseen(self) -> tuple[Absence, ...]:
        """List who was known, is not among the positions and was not seen to walk out.

        A head-count must name them: lost, where the cameras went blind, or not yet found again.
        """
        return tuple(one for one in self._absences.absent() if one.found_by is None)

    @property
    def trouble(self) -> str:
        """What can't be watched, one sentence each, e.g. a zone whose machine is not known."""
        age_s = self._site.limits.danger.place_age_s
        found = [self._machines.trouble(zone, age_s) for zone in self._site.zones]
        return "; ".join(text for text in (self._inbox.trouble, *found) if text)

    def _moment(
        self, people: tuple[Position, ...], now_ns: int, step_s: float, unwatched_s: float
    ) -> Moment:
        limits = self._site.limits
        moved_m = (limits.immobile or ImmobileLimits()).moved_m
        self._rests.update(people, moved_m)
        self._crossings.update(self._site.gates, people)
        exit_m = (limits.lost or LostLimits()).exit_m
        self._absences.update(people, now_ns, step_s, unwatched_s, self._coverage, exit_m=exit_m)
        return Moment(
            at_ns=now_ns,
            local=datetime.fromtimestamp(now_ns / S, time_zone_of(limits.time_zone)),
            people=people,
            down=self._cases.tracks("man_down"),
            machines=self._machines,
            coverage=self._coverage,
            rests=self._rests,
            crossings=self._crossings,
            absences=self._absences,
        )

    def _obey(self, message: Heard) -> list[Anomaly]:
        if isinstance(message, GatewayHealth):
            self._coverage.hear(message)
        elif isinstance(message, Machines):
            self._machines.hear(message)
        else:
            why = f"ended by {message.by}: {message.reason}"
            ended = self._cases.end(message.alarm, why)
            if ended is not None:
                ((kind, zone), track), anomaly = ended
                # Who was carried out is not lost.
                self._absences.forget(track)
                if kind == "wrong_way" and zone is not None:
                    self._crossings.forget(zone, track)
                return [anomaly]
        return []

    def _take_back(self, now_ns: int) -> list[Anomaly]:
        """Make cases of adopted alarms; clear those that no rule watches any more."""
        changes: list[Anomaly] = []
        for alarm in self._adopted:
            rule = self._rule_of(alarm)
            if rule is None:
                changes.append(no_longer_watched(alarm, lost_person(alarm), now_ns))
                continue
            of_zone = alarm.track is None and rule.whom is not None
            track = self._cases.take_back(rule, alarm, ZONE if of_zone else None)
            if rule.kind == "worker_lost":
                self._absences.adopt(lost_person(alarm), track, now_ns)
        self._adopted = []
        return changes

    def _rule_of(self, alarm: Anomaly) -> Rule | None:
        return next((rule for rule in self._rules if rule.key == (alarm.kind, alarm.zone)), None)

    def _restart(self, now_ns: int) -> tuple[Heard, ...]:
        """Begin a new time; an order from the old one counts at once.

        Old heartbeats and places would be newer than all that come for a long time.
        """
        self._cases.restart(now_ns)
        self._rests.restart()
        self._crossings.restart()
        self._coverage.restart()
        self._absences.restart(now_ns)
        self._now_ns = None
        return tuple(one for one in self._inbox.take(None) if isinstance(one, Order))
