"""Whether people come through the panorama's seams whole: cut, doubled or lost, by true masks.

Knows nothing about how seams are laid: it takes who painted each pixel, and what each camera shows
of each person.

Each camera's visible mask of a person is carried to the panorama through the same table that
paints it. Two cameras draw the same body a little apart (calibration, parallax); how far is known
from the truth, so each mask is shifted back to where the body belongs. There they all lie over one
another and make up **the body**: what any camera shows of it. Of the body, each camera paints the
part of its own mask that lies where that camera is the painter. Then the person is

- **cut**, when two painters share the body: each paints at least 5 % of what is painted of it;
- **doubled**, when at least 15 % of the body is painted twice, by two cameras in two places;
- **lost**, when less than half of the body is painted at all, though the panorama has room for it.

A body that is split cleanly is cut, and neither doubled nor lost. The narrow band in which
painters fade into each other counts as its stronger painter's.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from scene.arrays import Bools, Bytes, Floats, Ints
from scene.geometry import CameraModel, project, rays
from scene.messages import XY
from scene.rig import Rig
from stitching.maps import CameraMap, camera_map
from tests.sample_site import cameras_from_truth, masks, rig_of, run, world

CUT_SHARE = 0.05
DOUBLED_SHARE = 0.15
LOST_SHARE = 0.5
MIN_VISIBLE_PX = 400
"""Somebody of whom no camera shows more does not count."""
MIN_BODY_PX = 60
"""Nor somebody so small on the panorama."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How one person came through at one instant."""

    body_px: int
    """Pixels of the whole body on the panorama."""
    painted_px: Mapping[int, int]
    """Of those, by painter."""
    doubled: float
    """Share of the body that is painted twice."""
    lost: float
    """Share of the body that is not painted."""

    @property
    def is_cut(self) -> bool:
        """Tell whether two painters share the body."""
        areas = sorted(self.painted_px.values())
        return len(areas) > 1 and areas[-2] >= max(1, CUT_SHARE * sum(areas))

    @property
    def is_doubled(self) -> bool:
        """Tell whether parts of the body appear twice."""
        return self.doubled >= DOUBLED_SHARE

    @property
    def is_lost(self) -> bool:
        """Tell whether most of the body is nowhere."""
        return self.lost > LOST_SHARE


def judge(
    shown: Mapping[int, Bools], painter: Bytes, shifts_px: Mapping[int, XY] | None = None
) -> Verdict | None:
    """Judge one person at one instant; None when the panorama shows hardly anything of them.

    `shown` has by camera index the person's (H, W) mask as that camera would paint it on the
    panorama, `painter` (H, W) the index of each pixel's painter. `shifts_px` says by camera how
    far right and down it draws the person from where they belong; by default all draw alike.
    """
    shifts = {camera: (0.0, 0.0) for camera in shown} if shifts_px is None else shifts_px
    bodies, parts = {}, {}
    for camera, mask in shown.items():
        rows, columns = np.nonzero(mask)
        dx, dy = (round(value) for value in shifts[camera])
        places = np.column_stack([rows - dy, columns - dx])
        bodies[camera] = places
        parts[camera] = places[painter[rows, columns] == camera]
    whole = _counted(list(bodies.values()))
    if len(whole) < MIN_BODY_PX:
        return None
    painted = _counted(list(parts.values()))
    return Verdict(
        body_px=len(whole),
        painted_px={camera: len(places) for camera, places in parts.items()},
        doubled=int((painted > 1).sum()) / len(whole),
        lost=1 - len(painted) / len(whole),
    )


def _counted(places: list[Ints]) -> Ints:
    """Count how often each pixel occurs in lists of (N, 2) pixels."""
    together = np.concatenate(places)
    _, counts = np.unique(together @ np.array([1 << 20, 1]), return_counts=True)
    return np.asarray(counts, np.int64)


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
    apart_px: list[float] = field(default_factory=list)
    """How far apart two cameras draw the same person, panorama pixels."""


def score_seams(folder: Path) -> SeamScore:
    """Judge everybody at every instant of a clip; raises FileNotFoundError without masks."""
    rig, true_cameras = rig_of(folder), cameras_from_truth(folder)
    tables = [camera_map(camera, rig.surface) for camera in rig.cameras]
    names = [camera.name for camera in rig.cameras]
    truly = {camera.name: camera for camera in true_cameras}
    visible = masks(folder)
    score = SeamScore()
    for output in run(folder).outputs:
        if output.painter is None:
            raise FileNotFoundError(f"{folder.name}: no calibrated rig, so no panorama")
        for person, body_m in _bodies(world(folder)[output.frame]):
            seen = {
                index: visible[output.frame][name][person]
                for index, name in enumerate(names)
                if person in visible.get(output.frame, {}).get(name, {})
            }
            if max((mask.area_px for mask in seen.values()), default=0) < MIN_VISIBLE_PX:
                continue
            shown = {
                index: carried(mask.pixels(), tables[index], rig.surface.size_px)
                for index, mask in seen.items()
            }
            shown = {index: mask for index, mask in shown.items() if mask.any()}
            shifts = {i: drawn_off(rig, rig.cameras[i], truly[names[i]], body_m) for i in shown}
            verdict = judge(shown, output.painter, shifts) if shown else None
            if verdict is not None:
                _add(score, verdict, list(shifts.values()))
    return score


def _add(score: SeamScore, verdict: Verdict, shifts_px: list[XY]) -> None:
    score.shown += 1
    score.in_overlaps += len(shifts_px) > 1
    score.cut += verdict.is_cut
    score.doubled += verdict.is_doubled
    score.lost += verdict.is_lost
    score.harmed += verdict.is_cut or verdict.is_doubled or verdict.is_lost
    places = np.array(shifts_px)
    score.apart_px += [
        float(np.linalg.norm(places[i] - places[j]))
        for i in range(len(places))
        for j in range(i + 1, len(places))
    ]


def _bodies(moment: dict[str, Any]) -> Iterator[tuple[int, Floats]]:
    """Give each person's id, and (9, 3) points of the body's axis from the feet to the head."""
    for person in moment["people"]:
        feet, head = np.array(person["xyz_m"]), np.array(person["head_xyz_m"])
        yield person["id"], feet + np.linspace(0, 1, 9)[:, None] * (head - feet)


def carried(mask: Bools, table: CameraMap, size_px: tuple[int, int]) -> Bools:
    """Carry a camera's mask (H, W) to the panorama, through the table that paints it."""
    width, height = size_px
    x0, y0, x1, y1 = table.box
    out = np.zeros((height, width), bool)
    found = cv2.remap(mask.astype(np.uint8), table.luma_x, table.luma_y, cv2.INTER_NEAREST)
    out[y0:y1, x0:x1] = (found > 0) & table.seen
    return out


def drawn_off(rig: Rig, camera: CameraModel, truly: CameraModel, body_m: Floats) -> XY:
    """Tell how far right and down of where they belong a camera draws (N, 3) points of a body.

    The mean over those in its picture; nothing when none is. `truly` is the camera as it is,
    `camera` as the rig has it.
    """
    pixels, inside = project(truly, body_m)
    if not inside.any():
        return 0.0, 0.0
    drawn = rig.surface.panorama_from_direction(rays(camera, pixels[inside]))
    off = (drawn - rig.surface.panorama_from_mine(body_m[inside])).mean(axis=0)
    return float(off[0]), float(off[1])
