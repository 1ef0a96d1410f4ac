"""Where a layout does not see people, and what neighbouring cameras share.

Knows nothing about expected errors, or how any of it is shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np

from edge.planning.section import Section
from edge.planning.view import View
from scene.arrays import Bools, Ints
from scene.geometry import CameraModel, project, rays

Cause = Literal["outside", "cut", "small", "hidden"]
Where = Literal["whole", "left", "middle", "right"]
WORTH_SAYING = 0.12
"""A metre's blind part that is smaller than this share of its floor is not listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindSpot:
    """Where somebody is not seen as wished."""

    from_m: float
    to_m: float
    where: Where
    cause: Cause
    by: str
    """The obstacle's name, if it is one."""
    share: float
    """Of the floor between, unseen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """What two neighbouring cameras both show."""

    first: str
    second: str
    metres: float
    """Of roadway that both cover, median over the lanes."""
    turn_deg: float
    """Between the directions in which they look, in plan."""
    degrees: float
    """Of the horizon that both pictures show; for a rig fanned out from one place."""
    picture_share: float
    """The same as a share of the picture's width."""


def counts(seen: Sequence[View]) -> Ints:
    """Count the cameras (N,) that cover each place."""
    return np.asarray(np.sum([view.seen for view in seen], axis=0, dtype=np.int64))


def blind_spots(
    section: Section, cameras: Sequence[CameraModel], seen: Sequence[View]
) -> list[BlindSpot]:
    """List what is not covered: neighbouring metres with one cause on one side are one spot."""
    places = section.places
    unseen = (counts(seen) == 0) & ~places.taken
    found: list[BlindSpot] = []
    for index in range(section.metres):
        here = (places.metre == index) & ~places.taken
        blind = here & unseen
        if not here.any() or blind.sum() / here.sum() < WORTH_SAYING:
            continue
        cause, by = _cause(section, cameras, seen, np.flatnonzero(blind))
        low, high = section.metre_m(index)
        spot = BlindSpot(
            from_m=low,
            to_m=high,
            where=_where(section, here, blind),
            cause=cause,
            by=by,
            share=float(blind.sum() / here.sum()),
        )
        last = found[-1] if found else None
        same = last and (last.where, last.cause, last.by) == (spot.where, spot.cause, spot.by)
        if last and same and abs(last.to_m - spot.from_m) < 1e-6:
            metres = last.to_m - last.from_m
            found[-1] = replace(
                last, to_m=spot.to_m, share=(last.share * metres + spot.share) / (metres + 1)
            )
        else:
            found.append(spot)
    return found


def _where(section: Section, here: Bools, blind: Bools) -> Where:
    if blind.sum() >= 0.85 * here.sum():
        return "whole"
    width = section.plan.floor.left_m + section.plan.floor.right_m
    middle = float(section.places.left_m[blind].mean()) + section.plan.floor.right_m
    return "right" if middle < 0.4 * width else "left" if middle > 0.6 * width else "middle"


def _cause(
    section: Section, cameras: Sequence[CameraModel], seen: Sequence[View], blind: Ints
) -> tuple[Cause, str]:
    """Tell why most of some places are not covered; what could be mended first comes first."""
    hidden = np.any([view.hidden[blind] for view in seen], axis=0)
    whole = np.any([view.whole[blind] for view in seen], axis=0)
    part = np.any([view.part[blind] for view in seen], axis=0)
    votes: dict[Cause, int] = {
        "hidden": int(hidden.sum()),
        "small": int((whole & ~hidden).sum()),
        "cut": int((part & ~whole & ~hidden).sum()),
        "outside": int((~part & ~whole & ~hidden).sum()),
    }
    cause = max(votes, key=lambda one: votes[one])
    if cause != "hidden":
        return cause, ""
    feet_m = section.places.feet_m[blind[hidden]] + np.array([0.0, 0.0, 0.15])
    hits = {
        name: sum(
            int(section.blocked(camera.centre_m, feet_m, name).sum())
            for camera, view in zip(cameras, seen, strict=True)
            if view.hidden[blind].any()
        )
        for name in dict.fromkeys(block.name for block in section.blocks)
    }
    return cause, max(hits, key=lambda name: hits[name])


def overlaps_of(
    section: Section, cameras: Sequence[CameraModel], seen: Sequence[View]
) -> list[Overlap]:
    """Tell what each camera shares with the next one along the roadway."""
    order = list(range(len(cameras)))
    if section.plan.rig == "strip":
        order.sort(key=lambda index: _middle_m(section, seen[index], cameras[index]))
    steps, lanes = section.places.shape
    pitch = (section.to_m - section.from_m) / steps
    found = []
    for a, b in pairwise(order):
        both = (seen[a].seen & seen[b].seen).reshape(steps, lanes)
        apart = float(np.linalg.norm(cameras[a].centre_m - cameras[b].centre_m))
        degrees, share = shared_picture(cameras[a], cameras[b]) if apart < 1.0 else (0.0, 0.0)
        found.append(
            Overlap(
                first=cameras[a].name,
                second=cameras[b].name,
                metres=float(np.median(both.sum(axis=0)) * pitch),
                turn_deg=_turn_deg(cameras[a], cameras[b]),
                degrees=degrees,
                picture_share=share,
            )
        )
    return found


def _middle_m(section: Section, view: View, camera: CameraModel) -> float:
    if view.seen.any():
        return float(section.places.chainage_m[view.seen].mean())
    return float(section.floor.place(camera.centre_m[None, :2])[0, 0])


def _turn_deg(a: CameraModel, b: CameraModel) -> float:
    """Tell the angle in plan between two cameras' directions."""
    (ax, ay), (bx, by) = a.camera_from_mine[2, :2], b.camera_from_mine[2, :2]
    return float(abs(np.degrees(np.arctan2(ax * by - ay * bx, ax * bx + ay * by))))


def shared_picture(a: CameraModel, b: CameraModel) -> tuple[float, float]:
    """Tell how much of the horizon two cameras on one spot share: degrees, share of the width.

    Along the middle row of the first camera's picture, as far as the second one shows it.
    """
    width, height = a.size_px
    columns = np.linspace(0, width - 1, 257)
    directions = rays(a, np.column_stack([columns, np.full(257, (height - 1) / 2)]))
    _, shown = project(b, b.centre_m + 1000.0 * directions)
    if not shown.any():
        return 0.0, 0.0
    ends = directions[np.flatnonzero(shown)[[0, -1]]]
    return float(np.degrees(np.arccos(np.clip(ends[0] @ ends[1], -1, 1)))), float(shown.mean())
