"""People and tags that don't fit together: no tag, nobody with it, or two with one person.

Knows nothing about cameras, MQTT or clocks: time is what the positions say, and dwell is counted
between tags' places, so that a tag system that falls silent raises nothing. The same positions and
messages give the same alarms, whenever the messages arrived before they count (`COUNTS_AFTER_S`).

One cause is one alarm. Who laid the own tag aside and is still in view is a person without tag,
not also a tag without person; a tag that is with somebody is never "alone". One place of a tag
shows nothing: `limits.tags.window_s` of them do, most of them alike, so gross errors count little.
"""

import heapq
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from math import hypot

import numpy as np

from location.names.case import Case, Key, at, cleared, raised, rounded, slug, subject
from location.names.looks import Looks, Window
from location.names.pairs import Pair, pairs_of
from location.names.places import S, places_of
from location.who import who
from scene.floor import Floor
from scene.limits import TagLimits
from scene.messages import XYZ, Anomaly, GatewayHealth, Order, Position, Positions, Tags
from scene.wire import Message

COUNTS_AFTER_S = 0.5
"""A message counts from so long after its own instant on, in positions' time."""
AHEAD_S = 5.0
"""A message further in the future than this comes from a clock that is wrong."""
RESTART_S = 5.0
"""Positions older than the last ones by more than this mean that time starts anew."""
GONE_S, GONE_TAG_S = 30.0, 60.0
"""Who or what has not been seen or heard for so long has gone, and so has the alarm."""
SAME_PLACE_M, NEW_S = 1.5, 3.0
"""Who is that new and appears so near to where an alarm's person was lost is the same person."""
FRESH_S = 2.0
"""Who has not been seen for so long is not judged."""
FITS_SHARE = 0.5
"""A tag with so many of its places near somebody may be theirs."""
MOVED_M = 3.0
"""Two tags are with one person when all three have come so far together; less may be chance."""
MOST_KEPT = 2_000
"""So many messages may wait for positions to come; the oldest make room."""
KINDS = ("person_without_tag", "tag_without_person", "two_tags")


class TagCheck:
    """Judges positions and tags together.

    `floor` tells which tags are in this roadway at all (a parallel one may have the same x), and
    how high the floor is where a tag lies; without it all tags count by x, at height 0.
    """

    def __init__(self, limits: TagLimits | None, floor: Floor | None = None) -> None:
        self._limits, self._floor = limits, floor
        self._pending: list[tuple[int, int, int, Tags | GatewayHealth | Order]] = []
        """A heap: when it counts, kind and order of arrival."""
        self._arrivals = count()
        self._cases: dict[Key, Case] = {}
        """By kind, and track, tag or pair of tags as the alarm's id has it."""
        self._now_ns: int | None = None
        self._start()

    def _start(self) -> None:
        window_s = self._limits.window_s if self._limits else 1.0
        self._looks = Looks(window_s, self._floor)
        self._names: dict[str, str] = {}
        """What a tag's wearer is called."""
        self._wearers: dict[str, int] = {}
        """The track that bore each name last."""

    def hear(self, message: Message) -> None:
        """Take in tags, heartbeats and orders, in any order; other messages are none of this.

        Once positions have come, a message more than `AHEAD_S` ahead of them is left out; an order
        counts at once then, for it is never lost to a wrong clock or to cameras that stand still.
        """
        if not isinstance(message, Tags | GatewayHealth | Order) or self._limits is None:
            return
        at_ns = message.ordered_at_ns if isinstance(message, Order) else message.captured_at_ns
        if self._now_ns is not None and at_ns > self._now_ns + AHEAD_S * S:
            if not isinstance(message, Order):
                return
            at_ns = self._now_ns
        # Heartbeats first: they say what is covered at that very instant.
        row = (at_ns, int(isinstance(message, Tags)), next(self._arrivals))
        heapq.heappush(self._pending, (*row, message))
        if len(self._pending) > MOST_KEPT:
            heapq.heappop(self._pending)

    def adopt(self, alarms: Sequence[Anomaly]) -> None:
        """Take back active alarms that an earlier run raised; before any `update`."""
        for alarm in alarms:
            key = (alarm.kind, subject(alarm))
            if alarm.kind in KINDS and alarm.state == "active" and key not in self._cases:
                self._cases[key] = Case(alarm=alarm, known_ns=alarm.captured_at_ns)

    def active(self) -> tuple[Anomaly, ...]:
        """List the active alarms, oldest first."""
        found = [case.alarm for case in self._cases.values() if case.alarm is not None]
        return tuple(sorted(found, key=lambda alarm: (alarm.raised_at_ns, alarm.id)))

    def update(self, positions: Positions) -> tuple[Anomaly, ...]:
        """Take in the (named) positions of one instant; give only what is new about alarms.

        Messages not newer than the last one are ignored, unless time starts anew: then dwell is
        counted afresh, and active alarms stay.
        """
        now_ns, limits = positions.captured_at_ns, self._limits
        if limits is None:
            return ()
        if self._now_ns is not None and now_ns <= self._now_ns:
            if self._now_ns - now_ns <= RESTART_S * S:
                return ()
            self._restart(now_ns)
        first, self._now_ns = self._now_ns is None, now_ns
        if first:
            for case in self._cases.values():
                case.known_ns = now_ns
        self._looks.see(places_of(positions))
        ended = self._count(now_ns)
        self._note_names(positions)
        heard_ns = self._looks.heard_at_ns
        if heard_ns is None or now_ns - heard_ns > limits.silent_after_s * S:
            # Nothing is known while the tag system is silent, and nothing from before counts on.
            here = {str(person.track) for person in positions.people}
            for (_, about), case in self._cases.items():
                case.since_ns = case.fine_ns = None
                if case.alarm is not None or about in here:
                    case.known_ns = now_ns
            self._drop(now_ns)
            return tuple(ended)
        self._looks.forget(heard_ns - round(limits.window_s * S))
        changes = ended + self._judge_people(positions, heard_ns, limits)
        changes += self._judge_tags(now_ns, limits)
        changes += self._judge_pairs(positions, heard_ns, limits)
        changes += self._end_gone(now_ns)
        return tuple(changes)

    def _count(self, now_ns: int) -> list[Anomaly]:
        """Let messages count whose time has come, in the order of their own instants.

        Gives the alarms that operators have ended: they come again if the cause goes on.
        """
        ended: list[Anomaly] = []
        while self._pending and self._pending[0][0] + COUNTS_AFTER_S * S <= now_ns:
            at_ns, _, _, message = heapq.heappop(self._pending)
            if isinstance(message, GatewayHealth):
                self._looks.cover(message)
                continue
            if isinstance(message, Order):
                ended += self._end(message, now_ns)
                continue
            fixes = list(message.fixes)
            while self._pending and self._pending[0][0] == at_ns:
                more = heapq.heappop(self._pending)[-1]
                fixes += more.fixes if isinstance(more, Tags) else ()
            # Sorted, so that it does not matter which of two messages of one instant came first.
            for fix in sorted(fixes, key=lambda fix: (fix.at_ns, fix.tag, fix.xy_m, fix.sigma_m)):
                self._looks.take(fix)
                if fix.worker is not None:
                    self._names[fix.tag] = fix.worker
        return ended

    def _end(self, order: Order, now_ns: int) -> list[Anomaly]:
        for case in self._cases.values():
            if case.alarm is not None and case.alarm.id == order.alarm:
                what = f"Ended by {order.by}: {order.reason}"
                case.since_ns = case.fine_ns = None
                return [cleared(case, now_ns, case.alarm.probability, what, case.alarm.xyz_m)]
        return []

    def _note_names(self, positions: Positions) -> None:
        for person in positions.people:
            if person.worker is not None:
                self._wearers[person.worker] = person.track

    def _name(self, tag: str) -> str:
        return self._names.get(tag, tag)

    # ---- people ----

    def _judge_people(
        self, positions: Positions, heard_ns: int, limits: TagLimits
    ) -> list[Anomaly]:
        now_ns, changes = positions.captured_at_ns, list[Anomaly]()
        worn = {person.worker for person in positions.people}
        free = [w for tag, w in self._looks.by_tag.items() if self._name(tag) not in worn]
        people = sorted(positions.people, key=lambda one: one.track)
        for person in people:
            key = ("person_without_tag", str(person.track))
            case = self._cases.setdefault(key, Case(first_ns=now_ns))
            case.known_ns, case.last = now_ns, person
        for person in people:
            key = ("person_without_tag", str(person.track))
            case = self._cases[key]
            if now_ns - person.seen_at_ns > FRESH_S * S:
                continue
            fit = (
                1.0
                if person.worker
                else max((window.fit(person.track, case.first_ns) for window in free), default=0.0)
            )
            if fit >= FITS_SHARE:
                case.is_fine(heard_ns)
            else:
                case.is_wrong(max(heard_ns, case.first_ns))
            if case.alarm is None and now_ns - case.first_ns <= NEW_S * S:
                changes += self._carry_on(case, person, now_ns)
            held_s = case.wrong_s(heard_ns)
            if case.alarm is None and held_s >= limits.person_without_tag_after_s:
                what = f"no tag near for {held_s:.0f} s, at {at(person.xyz_m)}"
                case.alarm = raised(
                    key,
                    now_ns,
                    probability=1 - fit,
                    xyz_m=person.xyz_m,
                    evidence=f"Person {person.track}: {what}.",
                    certainty=person.certainty,
                    track=person.track,
                )
                changes.append(case.alarm)
            elif case.alarm is not None and case.fine_s(heard_ns) >= limits.clear_after_s:
                why = f"named {person.worker}" if person.worker else f"a tag fits {fit:.0%}"
                what = f"Person {person.track}: {why}, at {at(person.xyz_m)}."
                over = cleared(case, now_ns, fit, what, person.xyz_m)
                changes.append(replace(over, worker=person.worker))
        return changes

    def _carry_on(self, case: Case, person: Position, now_ns: int) -> list[Anomaly]:
        """Give a newly known person the alarm of whoever was lost right here, if somebody was."""
        lost = [
            (hypot(spot[0] - person.xyz_m[0], spot[1] - person.xyz_m[1]), key)
            for key, other in self._cases.items()
            if key[0] == "person_without_tag" and other.alarm is not None
            if other.known_ns < now_ns or other.last is None
            if (spot := other.last.xyz_m if other.last else other.alarm.xyz_m) is not None
        ]
        if not lost or min(lost)[0] > SAME_PLACE_M:
            return []
        before = self._cases.pop(min(lost)[1]).alarm
        assert before is not None
        for name, track in self._wearers.items():
            if track == before.track:
                self._wearers[name] = person.track
        case.alarm = replace(
            before,
            captured_at_ns=now_ns,
            track=person.track,
            xyz_m=rounded(person.xyz_m),
            evidence=f"Person {person.track}, who was person {before.track} before, carries this "
            f"alarm on, at {at(person.xyz_m)}.",
        )
        return [case.alarm]

    # ---- tags ----

    def _judge_tags(self, now_ns: int, limits: TagLimits) -> list[Anomaly]:
        changes: list[Anomaly] = []
        for tag, window in sorted(self._looks.by_tag.items()):
            case = self._cases.setdefault(("tag_without_person", slug(tag)), Case())
            case.known_ns = max(case.known_ns, window.newest_ns)
            held, shows = self._with_its_wearer(tag), window.shows
            if shows == "alone" and not held:
                case.is_wrong(window.begun_ns(shows))
            elif shows == "with" or (shows == "outside" and self._moved(case, window)):
                case.is_fine(window.begun_ns(shows))
            elif shows is not None or held:
                case.since_ns = None
            changes += self._tell_of_tag(tag, window, now_ns, limits)
        return changes

    def _tell_of_tag(
        self, tag: str, window: Window, now_ns: int, limits: TagLimits
    ) -> list[Anomaly]:
        key, name = ("tag_without_person", slug(tag)), self._name(tag)
        case, newest_ns = self._cases[key], window.newest_ns
        wrong_s, fine_s = case.wrong_s(newest_ns), case.fine_s(newest_ns)
        long_enough = wrong_s >= limits.tag_without_person_after_s
        if case.alarm is None and window.shows == "alone" and long_enough:
            what = f"nobody with it for {wrong_s:.0f} s, in cameras' sight"
            xyz_m = self._lying(window)
            evidence = f"Tag {name}: {what}, at {at(xyz_m)}."
            case.alarm = raised(
                key, now_ns, probability=window.share("alone"), xyz_m=xyz_m, evidence=evidence
            )
            return [case.alarm]
        if case.alarm is not None and window.shows and fine_s >= limits.clear_after_s:
            away, xyz_m = window.shows == "outside", self._lying(window)
            where = "where no camera looks" if away else "with somebody"
            sure = window.share("outside" if away else "with")
            return [cleared(case, now_ns, sure, f"Tag {name}: {where}, at {at(xyz_m)}.", xyz_m)]
        return []

    def _moved(self, case: Case, window: Window) -> bool:
        """Tell whether a tag is no longer where its alarm says: somebody carries it."""
        if case.alarm is None or case.alarm.xyz_m is None:
            return False
        x, y = window.xy_m
        return hypot(x - case.alarm.xyz_m[0], y - case.alarm.xyz_m[1]) > MOVED_M

    def _with_its_wearer(self, tag: str) -> bool:
        """Tell whether the one who bore a tag last is there without it: that is the cause."""
        track = self._wearers.get(self._name(tag))
        case = self._cases.get(("person_without_tag", str(track)))
        return case is not None and (
            case.alarm is not None or (case.known_ns == self._now_ns and case.since_ns is not None)
        )

    def _lying(self, window: Window) -> XYZ:
        """Give the middle of a tag's places, on the floor."""
        x, y = window.xy_m
        z = float(self._floor.z_m(np.array([[x, y]]))[0]) if self._floor is not None else 0.0
        return (x, y, z)

    # ---- two tags ----

    def _judge_pairs(self, positions: Positions, heard_ns: int, limits: TagLimits) -> list[Anomaly]:
        now_ns, changes = positions.captured_at_ns, list[Anomaly]()
        found = pairs_of(positions.people, self._looks.by_tag, self._names)
        pairs = {("two_tags", "-".join(map(slug, pair.tags))): pair for pair in found}
        for key, pair in sorted(pairs.items()):
            case = self._cases.setdefault(key, Case())
            case.is_wrong(heard_ns)
            case.known_ns = now_ns
            x, y, _ = pair.person.xyz_m
            case.begun_at = case.begun_at or (x, y)
            case.moved_m = max(case.moved_m, hypot(x - case.begun_at[0], y - case.begun_at[1]))
            long_enough = case.wrong_s(heard_ns) >= limits.two_tags_after_s
            if case.alarm is None and long_enough and case.moved_m >= MOVED_M:
                changes.append(self._two_tags(key, pair, now_ns, heard_ns))
        for key, case in sorted(self._cases.items()):
            if key[0] != "two_tags" or key in pairs:
                continue
            case.is_fine(heard_ns)
            case.begun_at, case.moved_m = None, 0.0
            if case.alarm is not None and case.fine_s(heard_ns) >= limits.clear_after_s:
                what = "The two tags are no longer with one person."
                changes.append(cleared(case, now_ns, 1.0, what, case.alarm.xyz_m))
        return changes

    def _two_tags(self, key: Key, pair: Pair, now_ns: int, heard_ns: int) -> Anomaly:
        case, person = self._cases[key], pair.person
        first, second = (self._name(tag) for tag in pair.tags)
        case.alarm = raised(
            key,
            now_ns,
            probability=pair.share,
            xyz_m=person.xyz_m,
            evidence=f"{who(person.track, person.worker)}: tags {first} and {second} have both "
            f"moved with the same person for {case.wrong_s(heard_ns):.0f} s and "
            f"{case.moved_m:.0f} m, now at {at(person.xyz_m)}.",
            certainty=person.certainty,
            track=person.track,
            worker=person.worker,
        )
        return case.alarm

    # ---- ends ----

    def _end_gone(self, now_ns: int) -> list[Anomaly]:
        """Clear the alarms of people and tags that are there no more, and forget them."""
        changes: list[Anomaly] = []
        for key, case in sorted(self._cases.items()):
            limit_s = _gone_s(key)
            if case.alarm is not None and now_ns - case.known_ns >= limit_s * S:
                how = "seen" if key[0] == "person_without_tag" else "heard or seen"
                what = f"Not {how} for {limit_s:.0f} s."
                changes.append(cleared(case, now_ns, 0.5, what, case.alarm.xyz_m))
        self._drop(now_ns)
        return changes

    def _drop(self, now_ns: int) -> None:
        for key, case in list(self._cases.items()):
            limit_s = FRESH_S if key[0] == "person_without_tag" else GONE_TAG_S
            if case.alarm is None and now_ns - case.known_ns > limit_s * S:
                del self._cases[key]

    def _restart(self, now_ns: int) -> None:
        self._cases = {
            key: Case(alarm=case.alarm, known_ns=now_ns)
            for key, case in self._cases.items()
            if case.alarm is not None
        }
        orders = [row for row in self._pending if isinstance(row[-1], Order)]
        self._pending = [(now_ns, *row[1:]) for row in sorted(orders)]
        self._start()


def _gone_s(key: Key) -> float:
    return GONE_S if key[0] == "person_without_tag" else GONE_TAG_S
