"""Everywhere a camera could hang, and what it would see from there.

Knows nothing about which of them are chosen. Directions that see little in a straight, empty
roadway of the same section are left out at once.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.planning.file import ROOF_GAP_M, HungCamera, PlanConfig, Side
from edge.planning.gaps import counts
from edge.planning.optics import Optics
from edge.planning.section import Section
from edge.planning.view import Spot
from scene.arrays import Bools, Floats
from scene.site import FloorConfig

TURNS_DEG = (0.0, 8.0, 16.0, 26.0, 38.0, 52.0, 90.0)
"""How far a camera is turned from the roadway's direction towards the other rib."""
PITCHES_DEG = (-8.0, -13.0, -18.0, -24.0, -30.0, -38.0, -48.0, -60.0)
MOUNT_STEP_M, MOUNT_POINTS = 1.0, 150
"""Mounting points are so far apart, or further where there would be more of them."""
KEPT_PITCHES = 2
"""Of each turn, so many of the best pitches go on..."""
KEPT_SHARE = 0.3
"""... unless they see less than this share of what the best direction sees."""
REFERENCE_M = 90.0

Small = NDArray[np.int8]
Report = Callable[[str, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """A direction relative to the roadway: degrees left of rising chainage, and up."""

    side: Side
    lens: str
    yaw_deg: float
    pitch_deg: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidates:
    """K cameras (or fans of cameras) that could hang, and the N places that each one covers."""

    hung: tuple[tuple[HungCamera, ...], ...]
    counts: Small
    """(K, N) how many cameras of the candidate cover each place."""
    quality: Floats
    """(K,) the larger the people in the picture; breaks ties."""


def mount_left_m(plan: PlanConfig, side: Side) -> float:
    """Tell how far left of the centre line cameras hang on a side."""
    gap, floor = plan.mounts.from_rib_m, plan.floor
    return {"left": floor.left_m - gap, "right": gap - floor.right_m, "roof": 0.0}[side]


def mount_height_m(plan: PlanConfig, side: Side) -> float:
    """Tell how high above the floor cameras hang on a side."""
    return plan.height_m - ROOF_GAP_M if side == "roof" else plan.mounts.height_m


def may_hang(section: Section, side: Side, chainage_m: float) -> bool:
    """Tell whether a camera may be mounted there: on the line, not forbidden, not in something."""
    plan = section.plan
    low, high = plan.line_m
    if not low <= chainage_m <= high:
        return False
    left, up = mount_left_m(plan, side), mount_height_m(plan, side)
    forbidden = any(
        side in one.sides and one.along_m[0] <= chainage_m <= one.along_m[1]
        for one in plan.no_mounts
    )
    inside = any(
        one.along_m[0] <= chainage_m <= one.along_m[1]
        and one.across_m[0] <= left <= one.across_m[1]
        and one.bottom_m <= up <= one.height_m
        for one in plan.obstacles
    )
    return not (forbidden or inside)


def single_cameras(optics: Optics, report: Report) -> Candidates:
    """List every single camera worth a look: for a strip rig."""
    section = optics.section
    aims = [aim for side in section.plan.mounts.sides for aim in _worthwhile(optics, side)]

    def at(side: Side, chainage_m: float) -> list[tuple[HungCamera, ...]]:
        heading = section.heading_deg(chainage_m)
        return [(hang(section.plan, aim, chainage_m, heading),) for aim in aims if aim.side == side]

    return _look_everywhere(optics, at, report)


def fans(optics: Optics, size: int, report: Report) -> Candidates:
    """List fans of `size` cameras on one spot, evenly spread: for a rotation rig."""
    section = optics.section
    share = section.plan.wishes.overlap_share
    # The best pitches are those of a camera that looks aslant, as most of a fan's do.
    pitches = {
        (side, lens): sorted(
            {a.pitch_deg for a in _worthwhile(optics, side) if a.lens == lens and _aslant(a)}
        )
        for side in section.plan.mounts.sides
        for lens in optics.lenses
    }

    def at(side: Side, chainage_m: float) -> list[tuple[HungCamera, ...]]:
        heading = section.heading_deg(chainage_m)
        found = []
        for lens in optics.lenses.values():
            for pitch in pitches[side, lens.name]:
                yaws = fan_yaws_deg(side, size, optics.fan_step_deg(lens.name, pitch, share))
                aims = [
                    Aim(side=side, lens=lens.name, yaw_deg=yaw, pitch_deg=pitch) for yaw in yaws
                ]
                found.append(tuple(hang(section.plan, a, chainage_m, heading) for a in aims))
        return found

    return _look_everywhere(optics, at, report)


def fan_yaws_deg(side: Side, size: int, step_deg: float) -> list[float]:
    """Spread a fan about the other rib, from left to right, degrees left of rising chainage."""
    step = min(step_deg, 360.0 / size)
    middle = {"left": -90.0, "right": 90.0, "roof": 0.0}[side]
    return [middle + step * ((size - 1) / 2 - index) for index in range(size)]


def hang(plan: PlanConfig, aim: Aim, chainage_m: float, heading_deg: float) -> HungCamera:
    """Hang a camera on a side, aimed relative to the roadway."""
    yaw = (heading_deg + aim.yaw_deg + 180) % 360 - 180
    return HungCamera(
        name="camera",
        chainage_m=chainage_m,
        left_m=mount_left_m(plan, aim.side),
        height_m=mount_height_m(plan, aim.side),
        yaw_deg=yaw,
        pitch_deg=aim.pitch_deg,
        lens=aim.lens,
    )


def _aslant(aim: Aim) -> bool:
    return 20 < abs(aim.yaw_deg) < 60 or 120 < abs(aim.yaw_deg) < 160


def _look_everywhere(
    optics: Optics,
    at: Callable[[Side, float], list[tuple[HungCamera, ...]]],
    report: Report,
) -> Candidates:
    section = optics.section
    points = list(_mount_points(section))
    hung: list[tuple[HungCamera, ...]] = []
    rows: list[Small] = []
    quality: list[float] = []
    for done, (side, chainage) in enumerate(points):
        report("looking from everywhere", done / len(points))
        choices = at(side, chainage)
        here = optics.spot(choices[0][0]) if choices else None
        for choice in choices:
            seen = [optics.view(one, here) for one in choice]
            count = counts(seen)
            if count.any():
                tall = np.max([np.where(view.seen, view.standing_px, 0) for view in seen], axis=0)
                hung.append(choice)
                rows.append(count.astype(np.int8))
                quality.append(float(np.minimum(tall, 400).sum()))
    shape = (len(hung), len(section.places.taken))
    return Candidates(
        hung=tuple(hung),
        counts=np.array(rows, dtype=np.int8).reshape(shape),
        quality=np.array(quality),
    )


def _mount_points(section: Section) -> Iterator[tuple[Side, float]]:
    low, high = section.plan.line_m
    margin = 15.0  # a camera may hang outside the stretch and look into it
    low, high = max(low, section.from_m - margin), min(high, section.to_m + margin)
    count = max(2, min(MOUNT_POINTS, round((high - low) / MOUNT_STEP_M)) + 1)
    for chainage in np.linspace(low, high, count).tolist():
        for side in section.plan.mounts.sides:
            if may_hang(section, side, chainage):
                yield side, chainage


def _worthwhile(optics: Optics, side: Side) -> list[Aim]:
    """Choose directions in a straight, level, empty roadway of the same section."""
    plan = optics.section.plan
    floor = FloorConfig(
        centre_line_m=((0, 0, 0), (REFERENCE_M, 0, 0)),
        left_m=plan.floor.left_m,
        right_m=plan.floor.right_m,
    )
    changes = {"floor": floor, "obstacles": (), "no_mounts": (), "stretch_m": None, "hung": ()}
    empty = Section(plan.model_copy(update=changes))
    here = Optics(empty, optics.detector_px)
    at: Spot | None = None
    found: list[tuple[int, Aim]] = []
    for lens in optics.lenses:
        for yaw in _yaws_deg(side):
            tried = []
            for pitch in PITCHES_DEG:
                aim = Aim(side=side, lens=lens, yaw_deg=yaw, pitch_deg=pitch)
                hung = hang(plan, aim, REFERENCE_M / 2, 0.0)
                at = at or here.spot(hung)
                tried.append((int(here.view(hung, at).seen.sum()), aim))
            tried.sort(key=lambda one: -one[0])
            found += tried[:KEPT_PITCHES]
    best = max((count for count, _ in found), default=0)
    return [aim for count, aim in found if count > 0 and count >= KEPT_SHARE * best]


def _yaws_deg(side: Side) -> Sequence[float]:
    """List directions, degrees left of rising chainage: along both ways, turned to the far rib."""
    if side == "roof":
        turns = [0.0, 12.0, -12.0, 30.0, -30.0, 90.0]
        return [*turns, *(180.0 - turn for turn in turns[:-1]), -90.0]
    inward = -1.0 if side == "left" else 1.0
    return [
        *(inward * turn for turn in TURNS_DEG),
        *(180.0 - inward * turn for turn in TURNS_DEG[:-1]),
    ]


def runs(section: Section, covered: Bools) -> Bools:
    """Tell where a walker stays covered for the wished overlap: (K, N) from (K, N).

    True at a place when it and all that follow within `overlap_m` in its lane are covered; what
    is taken by an obstacle counts as covered, and the end of the stretch ends the walk.
    """
    steps, lanes = section.places.shape
    pitch = (section.to_m - section.from_m) / steps
    length = round(section.plan.wishes.overlap_m / pitch)
    whole = (covered | section.places.taken).reshape(-1, steps, lanes)
    run = whole.copy()
    for ahead in range(1, length + 1):
        run[:, : steps - ahead] &= whole[:, ahead:]
    run &= ~section.places.taken.reshape(steps, lanes)
    return np.asarray(run.reshape(len(covered), steps * lanes))
