"""One tracker in metres for all cameras: boxes of people in, people with positions out.

Knows nothing about pictures, zones or alarms, and asks no clock: only capture times count.
"""

import numpy as np

from location.agreement import KEPT_LOOKS, Agreement, Look
from location.clocks import Clocks
from location.doubles import without_doubles
from location.doubt import after, first_look, places_m2
from location.foot import STATURE_M, Feet, all_feet_on_floor, covers
from location.limits import LYING_BELOW_M, TrackerLimits
from location.match import Pairs, between, is_apart, match, match_lying
from location.motion import corrected, predict, start
from location.newcomers import LONGEST_LOOK_S, Newcomers
from location.person import Kept, Person, kept, revived
from location.report import position
from location.spread import largest
from scene.floor import Floor
from scene.messages import Detections, Position
from scene.rig import Rig

__all__ = ["REPORTED_BIAS_M", "Tracker", "TrackerLimits"]

REPORTED_BIAS_M = 0.05
"""What `edge` adds to the filter's covariance to foretell what will be published, before anybody
has been seen: about what `doubt.py` tells of a person whom one or two cameras follow."""
RESTART_S, WAIT_S = 15.0, 2.0
"""People who were known before a restart that took no longer are waited for, for so long once
pictures come again."""


class Tracker:
    """Follows everybody whom the cameras of one gateway see.

    Each camera's boxes become places with covariances (`foot.py`); per camera they are matched
    with the people predicted to its capture time (Hungarian, on Mahalanobis² + log det), and each
    match corrects that person's constant-velocity filter (`motion.py`). How sure a place is, is
    told apart from that filter (`doubt.py`), by how well cameras agree (`agreement.py`).
    """

    def __init__(self, rig: Rig, floor: Floor, limits: TrackerLimits | None = None) -> None:
        self._cameras = {camera.name: camera for camera in rig.cameras}
        self._floor = floor
        self._limits = limits or TrackerLimits()
        self._clocks = Clocks(self._cameras, self._limits)
        self._people: list[Person] = []
        self._now_ns: int | None = None
        self._tracks = 0
        self._births = 0
        self._fresh_s = self._limits.coast_outside_s
        self._agreement = Agreement()
        self._before: Kept | None = None
        self._newcomers = Newcomers(self._limits)
        self._looked_ns: dict[str, int] = {}
        """When each camera looked last."""

    def kept(self) -> Kept:
        """Note down what the next run must know."""
        people = tuple(kept(person) for person in self._people if person.track)
        return Kept(
            at_ns=self._now_ns or 0,
            tracks=self._tracks,
            people=people,
            error_factor=self._agreement.factor,
            error_looks=self._agreement.looks,
        )

    def take_back(self, before: Kept) -> None:
        """Go on from an earlier run's note, to be given before the first `update`.

        No number is given again. Whoever was known a short while ago is waited for, and keeps the
        number if found about where the walk would have led.
        """
        self._tracks = max(self._tracks, before.tracks, *(p.track for p in before.people), 0)
        self._before = before
        looks = min(before.error_looks, KEPT_LOOKS)
        self._agreement = Agreement(factor=before.error_factor, looks=looks)

    def update(self, detections: tuple[Detections, ...]) -> None:
        """Take in what cameras saw, in any order; each capture of a camera counts once.

        Detections of cameras that the rig does not have are ignored, as are those of a camera
        whose clock is ahead of most cameras' by more than `late_s`, or that come too late.
        """
        fresh = [item for item in detections if self._clocks.is_fresh(item)]
        if not fresh:
            return
        self._fresh_s = self._clocks.freshness_s()
        clock_ns, ahead_ns = self._clocks.now_ns()
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
        self._clocks.names = frozenset(self._cameras)

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
        if not people:
            return ()
        people.sort(key=lambda person: person.track)
        motions = [predict(person.motion, at_ns, self._limits.unrest_m2_s3) for person in people]
        floor_m = self._floor.z_m(np.array([motion.mean[:2] for motion in motions])).tolist()
        step_s = np.array([at_ns - person.motion.at_ns for person in people]) / 1e9
        doubts = [person.doubt for person in people]
        factors = np.array([self._agreement.of(person.evidence) for person in people])
        seen_m2, now_m2 = (
            places_m2(doubts, passed_s, self._limits.unrest_m2_s3, factors)
            for passed_s in (np.zeros(len(people)), step_s)
        )
        return tuple(
            position(person, motion, z_m, seen_m2=seen, now_m2=now, fresh_s=self._fresh_s)
            for person, motion, z_m, seen, now in zip(
                people, motions, floor_m, seen_m2, now_m2, strict=True
            )
        )

    def _see(self, instant: list[Detections]) -> None:
        """Take in one instant of one or more cameras."""
        at_ns = instant[-1].captured_at_ns
        late = self._now_ns is not None and at_ns < self._now_ns
        before_ns = self._now_ns if self._now_ns is not None else at_ns
        self._now_ns = max(at_ns, before_ns)
        self._give_up(self._now_ns)
        views = list(zip(instant, self._observe(instant), strict=True))
        pairs: list[tuple[int, Feet, Pairs]] = []
        left: list[tuple[int, Feet, int]] = []
        for view, (item, observed) in enumerate(views):
            at = item.captured_at_ns
            matched, lying, rest = match(self._people, at, observed, self._limits)
            rest = [index for index in rest if self._may_begin(observed, index)]
            found = [*matched, *lying]
            falls = match_lying(self._people, at, observed, found, rest, limits=self._limits)
            lain = [*lying, *falls]
            taken = [index for _, index in lain]
            feet = observed.lying(taken)
            pairs.append((view, feet, [*matched, *lain]))
            left += [(view, feet, index) for index in rest if index not in taken]
        seen: dict[int, list[int]] = {}
        looks: dict[int, tuple[Person, list[Look]]] = {}
        for view, feet, its in pairs:
            new = [person.born not in seen for person, _ in its]
            took = self._correct(views[view][0], feet, its, new)
            for (person, _), look in zip(its, took, strict=True):
                seen.setdefault(person.born, []).append(view)
                looks.setdefault(person.born, (person, []))[1].append(look)
        if not late:
            self._agreement.compare(
                (person.evidence, its, person.motion.mean[2:])
                for person, its in looks.values()
                if person.track
            )
        self._count(instant, seen)
        if not late:
            self._begin(views, left, seen)
        self._confirm()
        self._looked_ns.update({item.camera: item.captured_at_ns for item in instant})
        passed_s = max(0, self._now_ns - before_ns) / 1e9
        self._people = without_doubles(self._people, seen, passed_s)

    def _give_up(self, now_ns: int) -> None:
        """Drop those whom nobody has seen for too long."""
        alive = [person for person in self._people if self._alive(person, now_ns)]
        kept = {person.born for person in alive}
        for person in self._people:
            if person.born not in kept:
                self._newcomers.gone(person, now_ns)
        self._people = alive

    def _observe(self, instant: list[Detections]) -> list[Feet]:
        """Place each camera's boxes; those that lie well beyond the floor are clutter."""
        cameras = [self._cameras[item.camera] for item in instant]
        return [self._on_floor(feet) for feet in all_feet_on_floor(instant, cameras, self._floor)]

    def _on_floor(self, feet: Feet) -> Feet:
        if len(feet.xy_m) == 0:
            return feet
        sigma = np.sqrt(largest(feet.covariance_m2))
        allowed = self._limits.outside_m + np.minimum(2 * sigma, 2.0)
        return feet.only(self._floor.outside_m(feet.xy_m) <= allowed)

    def _may_begin(self, feet: Feet, index: int) -> bool:
        """Tell whether an observation of nobody known may be somebody.

        One of a low score is, where its whole body is seen and lies where somebody known was lost
        lately.
        """
        if feet.scores[index] >= self._limits.high_score:
            return True
        lies = not feet.cut[index] and feet.height_m[index] < LYING_BELOW_M
        return lies and self._newcomers.was_lost(feet.xy_m[index], self._now_ns or 0)

    def _correct(self, item: Detections, feet: Feet, pairs: Pairs, first: list[bool]) -> list[Look]:
        """Take in one camera's looks at people, each once, at the price of one.

        `first` are those whom no camera has seen at this instant yet.
        """
        if not pairs:
            return []
        rows = [index for _, index in pairs]
        by_stature = feet.by_stature[rows]
        taller_m = [
            person.stature_m() - STATURE_M if x or y else 0.0
            for (person, _), (x, y) in zip(pairs, by_stature.tolist(), strict=True)
        ]
        xy = feet.xy_m[rows] + np.array(taller_m)[:, None] * by_stature
        at_ns, told, lines = item.captured_at_ns, feet.told_m2[rows], feet.lines[rows]
        looks = [
            Look(at_ns=at_ns, xy_m=xy[n], covariance_m2=told[n], line=lines[n])
            for n in range(len(pairs))
        ]
        steps = corrected(
            [person.motion for person, _ in pairs],
            at_ns,
            xy,
            feet.covariance_m2[rows],
            self._limits.unrest_m2_s3,
        )
        doubts = after(
            [person.doubt for person, _ in pairs],
            [step for _, step in steps],
            item.camera,
            told,
            lines,
        )
        for n, ((person, index), (motion, step)) in enumerate(zip(pairs, steps, strict=True)):
            person.motion, person.doubt = motion, doubts[n]
            self._note(person, item, feet, index, first=first[n])
            if first[n] and person.track:
                person.evidence.innovation(step.square, at_ns)
        return looks

    def _note(
        self, person: Person, item: Detections, feet: Feet, index: int, *, first: bool
    ) -> None:
        """Note what else a look shows of a person."""
        person.look_at_head(float(feet.heads[index]), item.captured_at_ns)
        person.seen_at_ns = max(person.seen_at_ns, item.captured_at_ns)
        x, y = person.motion.mean[:2].tolist()
        person.trail.append((person.motion.at_ns, x, y))
        if item.captured_at_ns >= person.cameras_at_ns:
            earlier = () if first else person.cameras
            person.cameras = (*earlier, item.camera)
            person.cameras_at_ns = item.captured_at_ns
        self._note_look(person, item, feet, index)

    def _note_look(self, person: Person, item: Detections, feet: Feet, index: int) -> None:
        score, whole = float(feet.scores[index]), not feet.cut[index]
        passed_ns = item.captured_at_ns - self._looked_ns.get(item.camera, item.captured_at_ns)
        for_s = min(max(passed_ns / 1e9, 0.0), LONGEST_LOOK_S)
        sure = score >= self._limits.high_score
        person.count_look(item.camera, score, for_s, sure=sure, whole=whole)
        person.show_height(item.captured_at_ns, float(feet.height_m[index]), whole=whole)

    def _count(self, instant: list[Detections], seen: dict[int, list[int]]) -> None:
        """Keep for everybody the share of covering cameras that saw them, hits and misses."""
        if not self._people:
            return
        xy = np.array([person.motion.mean[:2] for person in self._people])
        cameras = [self._cameras[item.camera] for item in instant]
        covered = covers(cameras, self._floor, xy)
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
            item = views[view][0]
            at_ns = item.captured_at_ns
            if (view, index) in used or not is_apart(
                self._people, at_ns, feet, index, self._limits
            ):
                continue
            used.add((view, index))
            motion = start(item.captured_at_ns, feet.xy_m[index], feet.covariance_m2[index])
            self._births += 1
            person = Person(
                motion=motion,
                doubt=first_look(item.camera, feet.told_m2[index], feet.lines[index]),
                seen_at_ns=item.captured_at_ns,
                born=self._births,
                born_at_ns=item.captured_at_ns,
                hits=1,
                cameras=(item.camera,),
                cameras_at_ns=item.captured_at_ns,
            )
            self._note_look(person, item, feet, index)
            by = {view}
            for other_view, other_feet, other in order:
                if (other_view, other) in used or other_view in by:
                    continue
                seen_at_ns = views[other_view][0].captured_at_ns
                square, apart = between(person, seen_at_ns, other_feet, other, self._limits)
                sigma = float(np.sqrt(largest(other_feet.covariance_m2[other : other + 1])[0]))
                if square < 9 and apart < self._limits.cap_m + 2 * sigma:
                    used.add((other_view, other))
                    by.add(other_view)
                    self._correct(views[other_view][0], other_feet, [(person, other)], [False])
            cameras = [self._cameras[item.camera] for item, _ in views]
            cover = covers(cameras, self._floor, person.motion.mean[None, :2])[:, 0]
            person.covering = len(by | set(np.flatnonzero(cover).tolist()))
            person.share = len(by) / person.covering
            person.joint_hits = 1 if len(by) > 1 else 0
            self._newcomers.begun(person)
            seen[person.born] = sorted(by)
            self._people.append(person)

    def _confirm(self) -> None:
        for person in self._people:
            if not person.track and self._newcomers.is_person(person, self._now_ns or 0):
                self._tracks += 1
                person.track = self._tracks

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
        return bool(covers(tuple(self._cameras.values()), self._floor, where).any())
