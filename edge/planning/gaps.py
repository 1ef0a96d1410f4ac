"""Where a layout does not see people, and what neighbouring cameras share.

Knows nothing about expected errors, or how any of it is shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np

from edge.planning.section import Section
from edge.planning.view import Postures, View
from scene.arrays import Bools, Ints
from scene.geometry import CameraModel, project, rays

Cause = Literal["outside", "cut", "small", "hidden", "apart"]
"""`apart`: one camera shows who stands there, another who lies there, and none both."""
Stance = Literal["standing", "lying", "both"]
Where = Literal["whole", "left", "middle", "right"]
WORTH_SAYING = 0.12
"""A metre of whose floor no more than this is blind is not listed, unless that is too much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindSpot:
    """Where somebody in some posture is not seen as wished."""

    from_m: float
    to_m: float
    where: Where
    stance: Stance
    cause: Cause
    by: str
    """The obstacle's name, if it is one."""
    share: float
    """Of the floor between, blind."""


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


def blind_by_metre(
    section: Section, cameras: Sequence[CameraModel], seen: Sequence[Postures]
) -> list[list[BlindSpot]]:
    """List for each metre what is blind in it: who stands, who lies, or both for one reason.

    Whatever a metre lacks is named, so that none is short without a word.
    """
    standing = np.any([one.standing.seen for one in seen], axis=0)
    lying = np.any([one.lying.seen for one in seen], axis=0)
    together = np.any([one.standing.seen & one.lying.seen for one in seen], axis=0)
    lacks: dict[Stance, Bools] = {
        "standing": ~standing,
        "lying": ~lying,
        "both": standing & lying & ~together,
    }
    worth_saying = min(WORTH_SAYING, 1 - section.plan.wishes.share + 1e-9)
    places = section.places
    found: list[list[BlindSpot]] = []
    for index in range(section.metres):
        here = (places.metre == index) & ~places.taken
        found.append([])
        if not here.any() or (here & ~together).sum() / here.sum() < worth_saying:
            continue
        low_m, high_m = section.metre_m(index)
        shares = {one: float((here & lack).sum() / here.sum()) for one, lack in lacks.items()}
        for stance, share in shares.items():
            if share < worth_saying and share < max(shares.values()):
                continue
            blind = here & lacks[stance]
            cause, by = _cause(section, cameras, seen, np.flatnonzero(blind), stance)
            found[-1].append(
                BlindSpot(
                    from_m=low_m,
                    to_m=high_m,
                    where=_where(section, here, blind),
                    stance=stance,
                    cause=cause,
                    by=by,
                    share=share,
                )
            )
    return found


def blind_spots(by_metre: Sequence[Sequence[BlindSpot]]) -> list[BlindSpot]:
    """List what is blind: neighbouring metres with one cause on one side are one spot."""
    found: list[BlindSpot] = []
    for metre in by_metre:
        for spot in _alike(metre):
            before = next(
                (
                    index
                    for index, one in enumerate(found)
                    if _what(one) == _what(spot) and abs(one.to_m - spot.from_m) < 1e-6
                ),
                None,
            )
            if before is None:
                found.append(spot)
                continue
            one = found[before]
            metres, more = one.to_m - one.from_m, spot.to_m - spot.from_m
            share = (one.share * metres + spot.share * more) / (metres + more)
            found[before] = replace(one, to_m=spot.to_m, share=share)
    return found


def _alike(spots: Sequence[BlindSpot]) -> list[BlindSpot]:
    """Make one of what is blind to both postures in one place, for one reason."""
    by = {spot.stance: spot for spot in spots}
    stands, lies = by.get("standing"), by.get("lying")
    if stands is None or lies is None or "both" in by:
        return list(spots)
    if _what(stands) != _what(replace(lies, stance="standing")):
        return list(spots)
    return [replace(stands, stance="both", share=max(stands.share, lies.share))]


def _what(spot: BlindSpot) -> tuple[Where, Stance, Cause, str]:
    return spot.where, spot.stance, spot.cause, spot.by


def _where(section: Section, here: Bools, blind: Bools) -> Where:
    if blind.sum() >= 0.85 * here.sum():
        return "whole"
    width = section.plan.floor.left_m + section.plan.floor.right_m
    middle = float(section.places.left_m[blind].mean()) + section.plan.floor.right_m
    return "right" if middle < 0.4 * width else "left" if middle > 0.6 * width else "middle"


def _cause(
    section: Section,
    cameras: Sequence[CameraModel],
    seen: Sequence[Postures],
    blind: Ints,
    stance: Stance,
) -> tuple[Cause, str]:
    """Tell why most of some places are blind; what could be mended first comes first."""
    if stance == "both":
        return "apart", ""
    views = [one.standing if stance == "standing" else one.lying for one in seen]
    hidden = np.any([view.hidden[blind] for view in views], axis=0)
    small = np.any([view.small[blind] for view in views], axis=0) & ~hidden
    cut = np.any([view.cut[blind] for view in views], axis=0) & ~hidden & ~small
    votes: dict[Cause, int] = {
        "hidden": int(hidden.sum()),
        "small": int(small.sum()),
        "cut": int(cut.sum()),
        "outside": int((~hidden & ~small & ~cut).sum()),
    }
    cause = max(votes, key=lambda one: votes[one])
    if cause != "hidden":
        return cause, ""
    feet_m = section.places.feet_m[blind[hidden]] + np.array([0.0, 0.0, 0.15])
    hits = {
        name: sum(
            int(section.blocked(camera.centre_m, feet_m, name).sum())
            for camera, view in zip(cameras, views, strict=True)
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
