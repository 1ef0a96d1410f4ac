"""One tracker in metres for all cameras: boxes of people in, people with positions out.

Knows nothing about pictures, zones or alarms, and asks no clock: only capture times count.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from statistics import median_low

import numpy as np

from location.foot import Feet, covers, feet_on_floor, largest
from location.headgear import probability
from location.match import assign, distances
from location.motion import correct, predict, predict_all, start
from location.person import Kept, Person, kept, revived
from scene.arrays import Bools, Floats
from scene.floor import Floor
from scene.messages import Certainty, Detections, Position, Posture
from scene.rig import Rig

LYING_BELOW_M, CROUCHING_BELOW_M = 0.9, 1.35
HEIGHT_KEPT_S = 3.0
"""Nobody's posture is certain whose height no look has shown for so long."""
REPORTED_BIAS_M = 0.08
"""Added to what is reported: the part of the bias that repeated looks do not average out."""
RESTART_S, WAIT_S, WAIT_M_S = 15.0, 2.0, 0.8
"""People who were known before a restart that took no longer are waited for; for so long once
pictures come again, and so much further off for each second that nobody looked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerLimits:
    """How the tracker decides; the defaults suit people who walk, at 2 to 30 pictures a second."""

    unrest_m2_s3: float = 0.4
    """How much people turn, stop and start: the power density of their acceleration. Measured on
    people who walk about a room: 0.2 to 0.4, whether one looks half a second ahead or two."""
    gate: float = 16.0
    """Mahalanobis² beyond which an observation is somebody else's."""
    cap_m: float = 0.6
    """Nor may it lie further off than this plus twice its own sigma."""
    high_score: float = 0.4
    """Boxes that score less only carry on people who are known, or begin one who lies where
    somebody known was lost: heaps of rock look like somebody lying, with little score."""
    lost_s: float = 120.0
    lost_m: float = 2.5
    """So long ago and so far off."""
    apart_m: float = 0.45
    """Nearer than this to a known person nobody new begins."""
    confirm_hits: int = 3
    """Instants in which a new person must be seen before it counts; one less for two cameras."""
    confirm_cut_hits: int = 5
    """The same for one of whom only cut boxes are seen."""
    confirm_vague_hits: int = 10
    """The same for one of whom no box scores high, where somebody known was lost: detectors know
    bodies that lie least, and who lies in the dark must not stay unknown."""
    coast_s: float = 3.0
    """So long a person lives on unseen..."""
    coast_still_s: float = 8.0
    """... and so long one who stood or lay still..."""
    coast_outside_s: float = 1.0
    """... and so long where no camera looks, or before it counts as a person..."""
    coast_periods: float = 2.5
    """... but each at least for so many times between two pictures of a camera..."""
    coast_periods_most_s: float = 5.0
    """... which make no more than this."""
    together_s: float = 0.06
    """Pictures within this are one instant."""
    late_s: float = 1.0
    """Pictures later than this are not used any more."""
    jump_s: float = 5.0
    """A step of the cameras' clocks by more than this starts anew."""
    outside_m: float = 0.5
    """So far beyond the floor's ribbon, and twice the sigma, an observation is believed."""


class Tracker:
    """Follows everybody whom the cameras of one gateway see.

    Each camera's boxes become places with covariances (`foot.py`); per camera they are matched
    with the people predicted to its capture time (Hungarian, on Mahalanobis² + log det), and each
    match corrects that person's constant-velocity filter (`motion.py`).
    """

    def __init__(self, rig: Rig, floor: Floor, limits: TrackerLimits | None = None) -> None:
        self._cameras = {camera.name: camera for camera in rig.cameras}
        self._floor = floor
        self._limits = limits or TrackerLimits()
        self._people: list[Person] = []
        self._now_ns: int | None = None
        self._tracks = 0
        self._births = 0
        self._calls = 0
        self._newest: dict[str, tuple[int, int]] = {}
        self._passed: dict[str, dict[str, int]] = {}
        self._used: dict[str, deque[int]] = {}
        self._fresh_s = self._limits.coast_outside_s
        self._before: Kept | None = None
        self._lost: deque[tuple[int, float, float]] = deque(maxlen=100)
        """Where and when people were given up, within sight of a camera."""

    def kept(self) -> Kept:
        """Note down what the next run must know."""
        people = tuple(kept(person) for person in self._people if person.track)
        return Kept(at_ns=self._now_ns or 0, tracks=self._tracks, people=people)

    def take_back(self, before: Kept) -> None:
        """Go on from an earlier run's note, to be given before the first `update`.

        No number is given again. Whoever was known a short while ago is waited for, and keeps the
        number if found about where the walk would have led.
        """
        self._tracks = max(self._tracks, before.tracks, *(p.track for p in before.people), 0)
        self._before = before

    def update(self, detections: tuple[Detections, ...]) -> None:
        """Take in what cameras saw, in any order; each capture of a camera counts once.

        Detections of cameras that the rig does not have are ignored, as are those of a camera
        whose clock is ahead of most cameras' by more than `late_s`, or that come too late.
        """
        fresh = [item for item in detections if self._is_fresh(item)]
        if not fresh:
            return
        self._fresh_s = self._freshness_s()
        clock_ns, ahead_ns = self._clocks_ns()
        late_ns, jump_ns = (int(s * 1e9) for s in (self._limits.late_s, self._limits.jump_s))
        if self._now_ns is not None and clock_ns < self._now_ns - jump_ns:
            self._people.clear()
            self._now_ns = None
        self._revive(clock_ns)
        since_ns = clock_ns if self._now_ns is None else max(clock_ns, self._now_ns)
        until_ns = min(ahead_ns + late_ns, clock_ns + jump_ns)
        usable = [item for item in fresh if since_ns - late_ns <= item.captured_at_ns <= until_ns]
        usable.sort(key=lambda item: (item.captured_at_ns, item.camera))
        instant: list[Detections] = []
        for item in usable:
            whole = instant and (
                item.captured_at_ns - instant[0].captured_at_ns > self._limits.together_s * 1e9
                or any(item.camera == other.camera for other in instant)
            )
            if whole:
                self._see(instant)
                instant = []
            instant.append(item)
        if instant:
            self._see(instant)

    def _revive(self, now_ns: int) -> None:
        """Bring those back who were known before a restart, once it is known what time it is."""
        before, self._before = self._before, None
        if before is None or not 0 <= now_ns - before.at_ns <= RESTART_S * 1e9:
            return
        for note in before.people:
            self._births += 1
            until_ns = now_ns + round(WAIT_S * 1e9)
            self._people.append(revived(note, self._births, now_ns, until_ns))

    def look_through(self, rig: Rig) -> None:
        """Take cameras as they hang by now; those who are known go on being followed."""
        self._cameras = {camera.name: camera for camera in rig.cameras}

    def positions(self, at_ns: int) -> tuple[Position, ...]:
        """Tell where everybody is at an instant, near the last update; changes nothing.

        People are predicted from their last correction; those whom nobody has seen for too long
        before `at_ns` are left out.
        """
        people = [
            person
            for person in self._people
            if person.track and person.believed and self._alive(person, at_ns)
        ]
        return tuple(
            self._position(person, at_ns)
            for person in sorted(people, key=lambda person: person.track)
        )

    def _is_fresh(self, item: Detections) -> bool:
        """Note a camera's capture time; tell whether it is a known camera's new picture."""
        if item.camera not in self._cameras:
            return False
        self._calls += 1
        used = self._used.setdefault(item.camera, deque(maxlen=64))
        if item.captured_at_ns in used:
            return False
        used.append(item.captured_at_ns)
        step_ns = item.captured_at_ns - self._newest.get(item.camera, (item.captured_at_ns, 0))[0]
        if abs(step_ns) <= self._limits.jump_s * 1e9:
            for passed in self._passed.values():
                passed[item.camera] = passed.get(item.camera, 0) + step_ns
        self._passed[item.camera] = {}
        self._newest[item.camera] = (item.captured_at_ns, self._calls)
        return True

    def _clocks_ns(self) -> tuple[int, int]:
        """Tell what time it is by most of the cameras heard lately: their lower and upper median.

        A camera that falls silent must not hold time back for those that still look: its clock goes
        on by what the others' pictures say has passed since.
        """
        lately = self._calls - 10 * len(self._cameras)
        stamps = sorted(
            at_ns + self._since_ns(name, at_ns)
            for name, (at_ns, call) in self._newest.items()
            if call > lately
        )
        return stamps[(len(stamps) - 1) // 2], stamps[len(stamps) // 2]

    def _since_ns(self, name: str, at_ns: int) -> int:
        """Tell how much time has passed since a camera's last picture, by the others' pictures.

        The step in which a picture came began before it: where clocks agree, their difference
        tells better.
        """
        passed = self._passed[name].items()
        return max([0, *(min(ns, self._newest[other][0] - at_ns) for other, ns in passed)])

    def _freshness_s(self) -> float:
        """Tell for how long a look is good: by the time between a camera's last pictures.

        The slowest of the cameras heard lately counts, so that a slow detector or a slow camera
        has the two or three looks that it takes to know somebody.
        """
        limits = self._limits
        lately = self._calls - 10 * len(self._cameras)
        periods = [
            _period_s(self._used[name]) for name, (_, call) in self._newest.items() if call > lately
        ]
        wanted = limits.coast_periods * max(periods, default=0.0)
        return min(max(wanted, limits.coast_outside_s), limits.coast_periods_most_s)

    def _see(self, instant: list[Detections]) -> None:
        """Take in one instant of one or more cameras."""
        at_ns = instant[-1].captured_at_ns
        late = self._now_ns is not None and at_ns < self._now_ns
        before_ns = self._now_ns if self._now_ns is not None else at_ns
        self._now_ns = max(at_ns, before_ns)
        self._give_up(self._now_ns)
        views = [(item, self._observe(item)) for item in instant]
        pairs: list[tuple[Person, int, Feet, int]] = []
        left: list[tuple[int, Feet, int]] = []
        for view, (item, observed) in enumerate(views):
            matched, rest = self._match(item.captured_at_ns, observed)
            lain = self._match_lying(item.captured_at_ns, observed, matched, rest)
            taken = [index for _, index in lain]
            feet = observed.lying(taken)
            pairs += [(person, view, feet, index) for person, index in [*matched, *lain]]
            left += [(view, feet, index) for index in rest if index not in taken]
        seen: dict[int, list[int]] = {}
        for person, view, feet, index in pairs:
            item = views[view][0]
            self._correct(person, item, feet, index, first=person.born not in seen)
            seen.setdefault(person.born, []).append(view)
        self._count(instant, seen)
        if not late:
            self._begin(views, left, seen)
        self._confirm()
        self._drop_doubles(seen, max(0, self._now_ns - before_ns) / 1e9)

    def _give_up(self, now_ns: int) -> None:
        """Drop those whom nobody has seen for too long."""
        alive = [person for person in self._people if self._alive(person, now_ns)]
        kept = {person.born for person in alive}
        for person in self._people:
            if person.track and person.born not in kept:
                x, y = person.motion.mean[:2].tolist()
                self._lost.append((now_ns, x, y))
        self._people = alive

    def _observe(self, item: Detections) -> Feet:
        """Place one camera's boxes; those that lie well beyond the floor are clutter."""
        feet = feet_on_floor(item, self._cameras[item.camera], self._floor)
        if len(feet.xy_m) == 0:
            return feet
        sigma = np.sqrt(largest(feet.covariance_m2))
        allowed = self._limits.outside_m + np.minimum(2 * sigma, 2.0)
        return feet.only(self._floor.outside_m(feet.xy_m) <= allowed)

    def _match(self, at_ns: int, feet: Feet) -> tuple[list[tuple[Person, int]], list[int]]:
        """Pair one camera's observations with people; give pairs and those left that may begin."""
        everyone = list(range(len(feet.xy_m)))
        sure = [i for i in everyone if feet.scores[i] >= self._limits.high_score]
        vague = [i for i in everyone if feet.scores[i] < self._limits.high_score]
        if not self._people or not everyone:
            return [], [*sure, *self._low(feet, vague)]
        cost, allowed = self._compare(self._people, at_ns, feet)
        pairs: list[tuple[Person, int]] = []
        rows = list(range(len(self._people)))
        # People who are known come first, then those who may be clutter; sure boxes before vague.
        for columns in (sure, vague):
            for known in (True, False):
                row = [r for r in rows if bool(self._people[r].track) is known]
                taken = {index for _, index in pairs}
                column = [c for c in columns if c not in taken]
                grid = np.ix_(row, column)
                for r, c in assign(cost[grid], allowed[grid]):
                    pairs.append((self._people[row[r]], column[c]))
                    rows.remove(row[r])
        taken = {index for _, index in pairs}
        return pairs, [i for i in (*sure, *self._low(feet, vague)) if i not in taken]

    def _match_lying(
        self, at_ns: int, feet: Feet, matched: list[tuple[Person, int]], rest: list[int]
    ) -> list[tuple[Person, int]]:
        """Pair boxes that nobody explains with known people, if they may show somebody lying."""
        found = {person.born for person, _ in matched}
        people = [p for p in self._people if p.track and p.born not in found]
        if feet.if_lying is None or not people:
            return []
        columns = [i for i in rest if np.isfinite(feet.if_lying.height_m[i])]
        cost, allowed = self._compare(people, at_ns, feet.lying(columns))
        return [(people[r], columns[c]) for r, c in assign(cost[:, columns], allowed[:, columns])]

    def _compare(self, people: list[Person], at_ns: int, feet: Feet) -> tuple[Floats, Bools]:
        """Compare people with one camera's observations: costs, and which pairs may be."""
        motions = [person.motion for person in people]
        there = predict_all(motions, at_ns, self._limits.unrest_m2_s3)
        square, cost, apart = distances(*there, feet.xy_m, feet.covariance_m2)
        sigma = np.sqrt(largest(feet.covariance_m2))
        waited_s = [
            (at_ns - person.seen_at_ns) / 1e9 if at_ns <= person.waited_for_ns else 0.0
            for person in people
        ]
        slack_m = WAIT_M_S * np.maximum(waited_s, 0.0)
        near = apart <= self._limits.cap_m + 2 * sigma + slack_m[:, None]
        return cost, np.asarray((square <= self._limits.gate) & near)

    def _low(self, feet: Feet, indices: list[int]) -> list[int]:
        """Keep those whose whole body is seen and lies where somebody known was lost lately."""
        low = [i for i in indices if not feet.cut[i] and feet.height_m[i] < LYING_BELOW_M]
        return [i for i in low if self._was_lost(feet.xy_m[i])]

    def _was_lost(self, xy_m: Floats) -> bool:
        """Tell whether somebody known was lost near a place lately."""
        since_ns = (self._now_ns or 0) - round(self._limits.lost_s * 1e9)
        return any(
            at_ns >= since_ns and np.hypot(xy_m[0] - x, xy_m[1] - y) <= self._limits.lost_m
            for at_ns, x, y in self._lost
        )

    def _correct(
        self, person: Person, item: Detections, feet: Feet, index: int, *, first: bool
    ) -> None:
        person.motion = correct(
            person.motion,
            item.captured_at_ns,
            feet.xy_m[index],
            feet.covariance_m2[index],
            self._limits.unrest_m2_s3,
        )
        person.look_at_head(float(feet.heads[index]), item.captured_at_ns)
        person.seen_at_ns = max(person.seen_at_ns, item.captured_at_ns)
        x, y = person.motion.mean[:2].tolist()
        person.trail.append((person.motion.at_ns, x, y))
        if item.captured_at_ns >= person.cameras_at_ns:
            earlier = () if first else person.cameras
            person.cameras = (*earlier, item.camera)
            person.cameras_at_ns = item.captured_at_ns
        if not feet.cut[index]:
            person.strong_hits += 1
        if feet.scores[index] >= self._limits.high_score:
            person.sure_hits += 1
        if np.isfinite(feet.height_m[index]):
            person.heights.append((item.captured_at_ns, float(feet.height_m[index])))

    def _count(self, instant: list[Detections], seen: dict[int, list[int]]) -> None:
        """Keep for everybody the share of covering cameras that saw them, hits and misses."""
        if not self._people:
            return
        xy = np.array([person.motion.mean[:2] for person in self._people])
        covered = np.array(
            [covers(self._cameras[item.camera], self._floor, xy) for item in instant]
        )
        for index, person in enumerate(self._people):
            by = set(seen.get(person.born, []))
            cover = len(by | set(np.flatnonzero(covered[:, index]).tolist()))
            if not cover:
                continue
            person.covering = cover
            person.share = 0.7 * person.share + 0.3 * len(by) / cover
            person.hits += 1 if by else 0
            person.joint_hits += 1 if len(by) > 1 else 0
            person.misses = 0 if by else person.misses + 1

    def _begin(
        self,
        views: list[tuple[Detections, Feet]],
        left: list[tuple[int, Feet, int]],
        seen: dict[int, list[int]],
    ) -> None:
        """Begin new people from observations that nobody explains, grouped over the cameras."""
        order = sorted(
            left,
            key=lambda one: (
                one[1].scores[one[2]] < self._limits.high_score,
                float(np.trace(one[1].covariance_m2[one[2]])),
            ),
        )
        used: set[tuple[int, int]] = set()
        for view, feet, index in order:
            if (view, index) in used or not self._is_apart(views[view][0], feet, index):
                continue
            used.add((view, index))
            item = views[view][0]
            motion = start(item.captured_at_ns, feet.xy_m[index], feet.covariance_m2[index])
            self._births += 1
            person = Person(
                motion=motion,
                seen_at_ns=item.captured_at_ns,
                born=self._births,
                born_at_ns=item.captured_at_ns,
                hits=1,
            )
            self._correct_birth(person, item, feet, index)
            by = {view}
            for other_view, other_feet, other in order:
                if (other_view, other) in used or other_view in by:
                    continue
                square, _, apart = self._between(person, views[other_view][0], other_feet, other)
                sigma = float(np.sqrt(largest(other_feet.covariance_m2[other : other + 1])[0]))
                if square < 9 and apart < self._limits.cap_m + 2 * sigma:
                    used.add((other_view, other))
                    by.add(other_view)
                    self._correct(person, views[other_view][0], other_feet, other, first=False)
            cover = [
                bool(
                    covers(self._cameras[item.camera], self._floor, person.motion.mean[None, :2])[0]
                )
                for item, _ in views
            ]
            person.covering = len(by | {v for v, does in enumerate(cover) if does})
            person.share = len(by) / person.covering
            person.joint_hits = 1 if len(by) > 1 else 0
            seen[person.born] = sorted(by)
            self._people.append(person)

    def _correct_birth(self, person: Person, item: Detections, feet: Feet, index: int) -> None:
        person.cameras, person.cameras_at_ns = (item.camera,), item.captured_at_ns
        person.strong_hits = 0 if feet.cut[index] else 1
        person.sure_hits = int(feet.scores[index] >= self._limits.high_score)
        if np.isfinite(feet.height_m[index]):
            person.heights.append((item.captured_at_ns, float(feet.height_m[index])))

    def _between(
        self, person: Person, item: Detections, feet: Feet, index: int
    ) -> tuple[float, float, float]:
        there = predict(person.motion, item.captured_at_ns, self._limits.unrest_m2_s3)
        square, cost, apart = distances(
            there.mean[None, :2],
            there.covariance[None, :2, :2],
            feet.xy_m[index : index + 1],
            feet.covariance_m2[index : index + 1],
        )
        return float(square[0, 0]), float(cost[0, 0]), float(apart[0, 0])

    def _is_apart(self, item: Detections, feet: Feet, index: int) -> bool:
        """Tell whether an observation is far enough from everybody to be somebody new."""
        for person in self._people:
            square, _, apart = self._between(person, item, feet, index)
            if apart < self._limits.apart_m:
                return False
            if feet.cut[index] and (square < self._limits.gate or apart < 1.0):
                return False
        return True

    def _confirm(self) -> None:
        limits = self._limits
        for person in self._people:
            if person.track:
                continue
            needed = limits.confirm_hits - (1 if person.joint_hits > 1 else 0)
            if person.strong_hits < 2:
                needed = max(needed, limits.confirm_cut_hits)
            if person.sure_hits < 2:
                if not self._was_lost(person.motion.mean[:2]):
                    continue
                needed = max(needed, limits.confirm_vague_hits)
            agreed = person.share >= (0.3 if person.covering >= 3 else 0.5)
            if person.hits >= needed and agreed:
                self._tracks += 1
                person.track = self._tracks

    def _drop_doubles(self, seen: dict[int, list[int]], step_s: float) -> None:
        """Drop the younger of two who are at one place while no camera sees both at once."""
        gone: set[int] = set()
        near: set[int] = set()
        for one, two in self._close_pairs(0.4):
            both = set(seen.get(one.born, [])) & set(seen.get(two.born, []))
            if both:
                continue
            older, younger = (one, two) if self._rank(one) < self._rank(two) else (two, one)
            near.add(younger.born)
            # Half a second at most for one look: two who pass each other stay two.
            if younger.beside_s + min(step_s, 0.5) > 1.0 or not younger.track:
                gone.add(younger.born)
                if younger.seen_at_ns > older.seen_at_ns and younger.track:
                    older.motion, older.seen_at_ns = younger.motion, younger.seen_at_ns
                    older.cameras, older.cameras_at_ns = younger.cameras, younger.cameras_at_ns
                    older.heights = younger.heights
        for person in self._people:
            person.beside_s = person.beside_s + step_s if person.born in near else 0.0
        self._people = [person for person in self._people if person.born not in gone]

    def _close_pairs(self, within_m: float) -> list[tuple[Person, Person]]:
        if len(self._people) < 2:
            return []
        xy = np.array([person.motion.mean[:2] for person in self._people])
        apart = np.linalg.norm(xy[:, None] - xy[None], axis=2)
        rows, columns = np.nonzero(np.triu(apart <= within_m, 1))
        return [
            (self._people[i], self._people[j])
            for i, j in zip(rows.tolist(), columns.tolist(), strict=True)
        ]

    @staticmethod
    def _rank(person: Person) -> tuple[bool, int]:
        return (not person.track, person.born)

    def _alive(self, person: Person, at_ns: int) -> bool:
        limits, fresh_s = self._limits, self._fresh_s
        unseen_s = (at_ns - person.seen_at_ns) / 1e9
        if not person.track:
            return person.misses < 2 and unseen_s <= fresh_s
        if unseen_s <= fresh_s or at_ns <= person.waited_for_ns:
            return True
        speed = float(np.hypot(*person.motion.mean[2:]))
        # Somebody known for a moment only is not believed in for longer than that.
        known_s = fresh_s + (person.seen_at_ns - person.born_at_ns) / 1e9
        if unseen_s > min(limits.coast_still_s if speed < 0.3 else limits.coast_s, known_s):
            return False
        where = predict(person.motion, at_ns, limits.unrest_m2_s3).mean[None, :2]
        return any(bool(covers(view, self._floor, where)[0]) for view in self._cameras.values())

    def _position(self, person: Person, at_ns: int) -> Position:
        limits = self._limits
        motion = predict(person.motion, at_ns, limits.unrest_m2_s3)
        xy = motion.mean[:2]
        covariance, seen_covariance = (
            state.covariance[:2, :2] + REPORTED_BIAS_M**2 * np.eye(2)
            for state in (motion, person.motion)
        )
        seen_x, seen_y = person.motion.mean[:2]
        sigma = float(np.sqrt(largest(covariance[None])[0]))
        height, height_at_ns = person.height()
        seen = (at_ns - person.seen_at_ns) / 1e9 < self._fresh_s
        known_height = (person.seen_at_ns - height_at_ns) / 1e9 <= HEIGHT_KEPT_S
        sure = seen and known_height and sigma < 1.0 and person.share >= 0.3
        certainty: Certainty = "certainly" if sure else "possibly"
        return Position(
            track=person.track,
            xyz_m=(float(xy[0]), float(xy[1]), float(self._floor.z_m(xy[None])[0])),
            covariance_m2=_rows(covariance),
            velocity_m_s=(float(motion.mean[2]), float(motion.mean[3])),
            height_m=height,
            posture=_posture(height),
            height_at_ns=height_at_ns,
            seen_xy_m=(float(seen_x), float(seen_y)),
            seen_covariance_m2=_rows(seen_covariance),
            certainty=certainty,
            seen_at_ns=person.seen_at_ns,
            cameras=person.cameras,
            helmet=probability(person.helmet),
        )


def _period_s(stamps_ns: Iterable[int]) -> float:
    """Tell the time between a camera's last pictures: the middle of five gaps; 0 before two."""
    last = sorted(stamps_ns)[-6:]
    gaps = [after - before for before, after in pairwise(last)]
    return median_low(gaps) / 1e9 if gaps else 0.0


def _posture(height_m: float) -> Posture:
    if height_m < LYING_BELOW_M:
        return "lying"
    return "crouching" if height_m < CROUCHING_BELOW_M else "upright"


def _rows(covariance: Floats) -> tuple[tuple[float, float], tuple[float, float]]:
    (a, b), (c, d) = covariance.tolist()
    return (a, b), (c, d)
