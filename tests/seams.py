"""Whether people come through the panorama's seams whole: cut, doubled or lost, by true masks.

Knows nothing about how seams are laid: it takes who painted each pixel, and what each camera shows
of each person. It holds on a cylinder and on a ribbon alike, where cameras draw the same body in
different places, stretched and leaning.

Each camera's visible mask of a person is carried to the panorama through the same table that
paints it. A pixel there counts as much of the body as the camera shows in it, in square metres,
and belongs to one of ten bins along the body's axis. Of its mask, each camera paints the part that
lies where it is the painter. The **main painter** is the one that paints most. The person is

- **cut**, when another camera paints at least 5 % of what is painted of the body; or when the main
  painter paints less than 95 % of what it shows of it, the rest lying behind a seam; or when its
  picture ends within the body though another camera's holds all of it;
- **doubled**, when at least 15 % of the body is painted twice: per bin, what cameras paint adds up
  to more than any of them shows there;
- **lost**, when less than half of the body is painted at all: per bin, cameras paint less than they
  show there.

Any of these is **unavoidable**, and counted apart, when no choice of painters shows the person
whole once: each camera either lacks 5 % or more of the body (its picture ends there), or others
draw 5 % or more of them where nobody else looks. That other people stand in the way is no excuse.

An inset draws people, too: whomever its camera shows in its table, where it lies on top. Of the
body it must hold all that its camera shows, wherever that would lie. Only one thing may cover a
body in an inset: another body nearer to the viewer, as in any picture, with what shows between its
arms and legs. With insets, nothing is unavoidable.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from scene.arrays import Bools, Bytes, Floats, Ints
from scene.messages import Inset
from scene.rig import Rig
from stitching.maps import camera_map
from stitching.seams.fading import mid_overlap
from tests.bodies_shown import (
    BINS,
    Shown,
    carried,
    drawn_by,
    lookers,
    magnified,
    pictured,
    shown_in_inset,
    shown_of,
)
from tests.sample_site import cameras_from_truth, masks, rig_of, run, world
from tests.true_people import panoramas

CUT_SHARE = 0.05
DOUBLED_SHARE = 0.15
LOST_SHARE = 0.5
MIN_VISIBLE_PX = 400
"""Somebody of whom no camera shows more does not count."""
OPAQUE = 0.5
MIN_BODY_PX = 60
"""Nor somebody so small on the panorama."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How one person came through at one instant."""

    painted: Mapping[int, float]
    """How much of the body each camera paints, by index; insets have negative ones."""
    behind_seam: float
    """Share of what the main painter shows that it does not paint."""
    beyond_picture: float
    """Share of the body that the main painter's picture lacks and another one's has."""
    doubled: float
    """Share of the body that is painted twice."""
    lost: float
    """Share of the body that is not painted."""
    unavoidable: bool
    """Whether no choice of painters shows the person whole once."""

    @property
    def is_cut(self) -> bool:
        """Tell whether a seam or a picture's end runs through the body."""
        areas = sorted(area for drawer, area in self.painted.items() if drawer >= 0)
        whole = sum(self.painted.values())
        # Between two cameras that paint parts of one body runs a seam; an inset has none.
        by_cameras = len(areas) > 1 and areas[-1] == max(self.painted.values())
        shared = by_cameras and areas[-2] >= max(1e-9, CUT_SHARE * whole)
        return shared or self.behind_seam >= CUT_SHARE or self.beyond_picture >= CUT_SHARE

    @property
    def is_doubled(self) -> bool:
        """Tell whether parts of the body appear twice."""
        return self.doubled >= DOUBLED_SHARE

    @property
    def is_lost(self) -> bool:
        """Tell whether most of the body is nowhere."""
        return self.lost > LOST_SHARE

    @property
    def is_harmed(self) -> bool:
        """Tell whether it is any of the three."""
        return self.is_cut or self.is_doubled or self.is_lost


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drawing:
    """What one camera, or one inset, draws of a person, and what of it is to be seen."""

    shown: Shown
    painted: Bools
    """(N,) which of its pixels are on top."""
    covered: Bools
    """(N,) which of them are behind somebody else's body: nobody would expect to see them."""

    def full(self) -> Floats:
        """Give what there is to be seen per bin (10,)."""
        whole = self.shown.in_bins() if self.shown.full is None else self.shown.full
        return np.maximum(whole - self.shown.in_bins(self.covered), 0)


def judge(shown: Mapping[int, Shown], painter: Bytes, lookers: Bytes) -> Verdict | None:
    """Judge one person at one instant; None when the panorama shows hardly anything of them.

    `shown` has by camera index what that camera draws; `painter` (H, W) is the index of each
    pixel's painter, `lookers` (H, W) the number of cameras that see it.
    """
    drawings = {
        index: Drawing(
            shown=one,
            painted=painter[one.rows, one.columns] == index,
            covered=np.zeros(len(one.rows), bool),
        )
        for index, one in shown.items()
    }
    best = max((one.whole for one in shown.values()), default=0.0)
    excused = not any(_can_show_once(index, shown, lookers) for index in shown)
    return weigh(drawings, best, excused=excused)


def weigh(drawings: Mapping[int, Drawing], best: float, *, excused: bool) -> Verdict | None:
    """Judge one person by all that draws them; `best` is the most that any picture holds."""
    if max((len(one.shown.rows) for one in drawings.values()), default=0) < MIN_BODY_PX:
        return None
    full_bins = np.array([one.full() for one in drawings.values()])
    done_bins = np.array([one.shown.in_bins(one.painted) for one in drawings.values()])
    areas = dict(zip(drawings, done_bins.sum(axis=1).tolist(), strict=True))
    full = dict(zip(drawings, full_bins.sum(axis=1).tolist(), strict=True))
    main = max(areas, key=lambda index: (areas[index], full[index]))
    most = full_bins.max(axis=0)
    there = most > 0
    times = (done_bins / np.maximum(most, 1e-12)).sum(axis=0)
    own = (done_bins / np.maximum(full_bins, 1e-12)).sum(axis=0)
    return Verdict(
        painted=areas,
        behind_seam=1 - areas[main] / max(full[main], 1e-12),
        beyond_picture=best - drawings[main].shown.whole,
        doubled=float(np.maximum(times - 1, 0)[there].mean()),
        lost=float(1 - np.minimum(own, 1)[there].mean()),
        unavoidable=excused,
    )


def _can_show_once(painter: int, shown: Mapping[int, Shown], lookers: Bytes) -> bool:
    """Tell whether a person could appear whole and once if that camera painted them."""
    if max(one.whole for one in shown.values()) - shown[painter].whole >= CUT_SHARE:
        return False
    others = sum(
        float(one.areas[lookers[one.rows, one.columns] < 2].sum())
        for index, one in shown.items()
        if index != painter
    )
    return others < CUT_SHARE * float(shown[painter].areas.sum())


@dataclass(slots=True, kw_only=True)
class SeamScore:
    """All people at all instants of a clip."""

    shown: int = 0
    """Person-instants: people whom the panorama could show."""
    in_overlaps: int = 0
    """Of those, whom two cameras or more show there: only they can be cut or doubled."""
    cut: int = 0
    doubled: int = 0
    lost: int = 0
    harmed: int = 0
    """Any of the three."""
    unavoidable: int = 0
    """Harmed, too, but no seams could have helped: counted nowhere else."""
    apart_px: list[float] = field(default_factory=list)
    """How far apart two cameras draw the same person, panorama pixels."""
    cases: list[tuple[int, int, Verdict]] = field(default_factory=list)
    """Frame, person and verdict of everybody harmed."""

    def add(self, frame: int, person: int, verdict: Verdict) -> None:
        """Count one verdict."""
        self.shown += 1
        self.in_overlaps += len(verdict.painted) > 1
        if not verdict.is_harmed:
            return
        self.cases.append((frame, person, verdict))
        if verdict.unavoidable:
            self.unavoidable += 1
            return
        self.harmed += 1
        self.cut += verdict.is_cut
        self.doubled += verdict.is_doubled
        self.lost += verdict.is_lost


def score_seams(folder: Path) -> SeamScore:
    """Judge everybody at every instant of a clip; raises FileNotFoundError without masks."""
    painted = [(output.frame, output.painted) for output in run(folder).outputs]
    if not any(painted for _, painted in painted):
        raise FileNotFoundError(f"{folder.name}: no calibrated rig, so no panorama")
    judging = Judging(folder, rig_of(folder))
    return judging.score(
        (frame, painted.painter, painted.insets) for frame, painted in painted if painted
    )


def score_given_truth(folder: Path) -> SeamScore:
    """Judge a clip whose stitching was told who truly is where, and what can be seen of them."""
    judging = Judging(folder, rig_of(folder))
    return judging.score((frame, one.painter, one.insets) for frame, one in panoramas(folder))


def scores_unplaced(folder: Path) -> list[SeamScore]:
    """Judge everybody in turn, each in a run that places all others and finds them only."""
    judging = Judging(folder, rig_of(folder))
    people = {person for frame in masks(folder) for person, _ in judging.shown(frame)}
    scores = []
    for person in sorted(people):
        painted = panoramas(folder, unplaced=person)
        one = ((frame, panorama.painter, panorama.insets) for frame, panorama in painted)
        scores.append(judging.score(one, only=person))
    return scores


def score_fixed_seams(folder: Path) -> SeamScore:
    """Judge a clip as if seams lay in the middle of overlaps for ever."""
    rig = rig_of(folder)
    judging = Judging(folder, rig)
    fixed = mid_overlap(judging.tables, [True] * len(rig.cameras), rig.surface.size_px)
    return judging.score((frame, fixed, ()) for frame in sorted(masks(folder)))


class Judging:
    """What it takes to judge a clip's panoramas: the truth, carried by a rig's tables."""

    def __init__(self, folder: Path, rig: Rig) -> None:
        self._truly = {camera.name: camera for camera in cameras_from_truth(folder)}
        self._names = [camera.name for camera in rig.cameras]
        self._world, self._masks = world(folder), masks(folder)
        self._size_px = rig.surface.size_px
        self.tables = [camera_map(camera, rig.surface) for camera in rig.cameras]
        self._magnified = [magnified(table) for table in self.tables]
        self._drawn = [
            drawn_by(table, camera.size_px)
            for table, camera in zip(self.tables, rig.cameras, strict=True)
        ]
        self._lookers = lookers(self.tables, self._size_px)
        self._best: dict[tuple[int, int], float] = {}
        self._shown: dict[int, list[tuple[int, dict[int, Shown]]]] = {}

    def score(
        self, painted: Iterable[tuple[int, Bytes, tuple[Inset, ...]]], only: int | None = None
    ) -> SeamScore:
        """Judge everybody at the given frames, each with its (H, W) painters and insets.

        Or `only` one person.
        """
        score = SeamScore()
        for frame, painter, insets in painted:
            overlaid = self._overlaid(frame, insets)
            for person, shown in self.shown(frame):
                if only not in (None, person):
                    continue
                if insets:
                    drawings = overlaid.drawings(person, shown, painter)
                    verdict = weigh(drawings, self._best[frame, person], excused=False)
                else:
                    verdict = judge(shown, painter, self._lookers)
                if verdict is not None:
                    score.add(frame, person, verdict)
                    score.apart_px += _apart_px(shown)
        return score

    def _overlaid(self, frame: int, insets: tuple[Inset, ...]) -> "Overlaid":
        bodies_m = dict(_bodies(self._world[frame]))
        drawn = [
            {
                person: shown_in_inset(
                    mask.pixels(), inset, self._truly[inset.camera], bodies_m[person]
                )
                for person, mask in self._masks.get(frame, {}).get(inset.camera, {}).items()
            }
            for inset in insets
        ]
        return Overlaid(insets, drawn, self._size_px)

    def shown(self, frame: int) -> list[tuple[int, dict[int, Shown]]]:
        """Give everybody's id and what each camera shows of them at a frame."""
        if frame not in self._shown:
            self._shown[frame] = [
                (person, shown)
                for person, body_m in _bodies(self._world[frame])
                if (shown := self._shown_of(frame, person, body_m))
            ]
        return self._shown[frame]

    def _shown_of(self, frame: int, person: int, body_m: Floats) -> dict[int, Shown]:
        visible = self._masks.get(frame, {})
        seen = {
            index: visible[name][person]
            for index, name in enumerate(self._names)
            if person in visible.get(name, {})
        }
        if max((mask.area_px for mask in seen.values()), default=0) < MIN_VISIBLE_PX:
            return {}
        self._best[frame, person] = max(
            pictured(self._truly[self._names[index]], body_m) for index in seen
        )
        found = {}
        for index, mask in seen.items():
            table, truly = self.tables[index], self._truly[self._names[index]]
            places = carried(mask.pixels(), table)
            if len(places[0]):
                found[index] = shown_of(
                    places,
                    table,
                    self._magnified[index],
                    drawn=self._drawn[index],
                    truly=truly,
                    body_m=body_m,
                )
        return found


class Overlaid:
    """Insets over a panorama: which lies on top where, and whose body it shows there."""

    def __init__(
        self,
        insets: tuple[Inset, ...],
        drawn: list[dict[int, Shown]],
        size_px: tuple[int, int],
    ) -> None:
        """Take the insets, and by person what each of them shows of whom."""
        self._drawn = drawn
        self._top: Ints = np.full(size_px[::-1], -1)
        self._body: Ints = np.full(size_px[::-1], -1)
        for number, (inset, shown) in enumerate(zip(insets, drawn, strict=True)):
            (x, y), (height, width) = inset.corner_px, inset.opacity.shape
            box = slice(y, y + height), slice(x, x + width)
            opaque = inset.opacity >= OPAQUE
            self._top[box][opaque] = number
            self._body[box][opaque] = -1
            for person, one in shown.items():
                # What shows between somebody's legs or arms is part of their figure.
                rows, columns = _filled(one)
                mine = self._top[rows, columns] == number
                self._body[rows[mine], columns[mine]] = person

    def drawings(
        self, person: int, shown: Mapping[int, Shown], painter: Bytes
    ) -> dict[int, Drawing]:
        """Give all that draws a person; keys are cameras, and -1, -2 ... for insets."""
        drawings = {}
        for index, one in shown.items():
            place = one.rows, one.columns
            on_top = (painter[place] == index) & (self._top[place] < 0)
            nothing = np.zeros(len(one.rows), bool)
            drawings[index] = Drawing(shown=one, painted=on_top, covered=nothing)
        for number, of_all in enumerate(self._drawn):
            if person in of_all:
                one = of_all[person]
                top, body = (some[one.rows, one.columns] for some in (self._top, self._body))
                others = (body >= 0) & (body != person) & (top > number)
                drawings[-1 - number] = Drawing(shown=one, painted=top == number, covered=others)
        return drawings


def _filled(one: Shown) -> tuple[Ints, Ints]:
    """Give the rows and columns of the convex hull of what is shown."""
    if not len(one.rows):
        return one.rows, one.columns
    points = np.column_stack([one.columns, one.rows]).astype(np.int32)
    corner = points.min(axis=0)
    canvas = np.zeros((points.max(axis=0) - corner + 1)[::-1], np.uint8)
    cv2.fillConvexPoly(canvas, cv2.convexHull(points - corner), 1)
    rows, columns = np.nonzero(canvas)
    return rows + corner[1], columns + corner[0]


def _apart_px(shown: Mapping[int, Shown]) -> list[float]:
    """Give how far apart each two cameras draw the body, bin by bin, panorama pixels."""
    middles = [_middles(one) for one in shown.values()]
    return [
        float(np.nanmean(np.linalg.norm(a - b, axis=1)))
        for i, a in enumerate(middles)
        for b in middles[i + 1 :]
        if np.isfinite(a - b).any()
    ]


def _middles(one: Shown) -> Floats:
    count = np.bincount(one.bins, minlength=BINS).astype(float)
    count[count == 0] = np.nan
    return np.column_stack(
        [
            np.bincount(one.bins, places, minlength=BINS) / count
            for places in (one.columns, one.rows)
        ]
    )


def _bodies(moment: dict[str, Any]) -> Iterator[tuple[int, Floats]]:
    """Give each person's id, and (11, 3) points of the body's axis from the feet to the head."""
    for person in moment["people"]:
        feet, head = np.array(person["xyz_m"]), np.array(person["head_xyz_m"])
        yield person["id"], feet + np.linspace(0, 1, BINS + 1)[:, None] * (head - feet)
