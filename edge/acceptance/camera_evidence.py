"""How far a camera looks beside where the rig has it look, by survey points, people, neighbours.

Knows nothing about limits. Each piece of evidence is a turn that would explain what is seen. None
of it needs a gateway's memory.
"""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from edge.acceptance.figures import Miss, Turn
from edge.acceptance.truth import Someone
from scene.arrays import Bytes, Floats
from scene.geometry import CameraModel, distort, project, undistort
from scene.messages import Detections
from scene.rig import Rig
from scene.site import SurveyPoint
from stitching.drift.overlap import miss_of, overlap_view
from stitching.drift.turn import small_turn

FEWEST_POINTS, FEWEST_LOOKS = 3, 20
"""Fewer survey points, or looks at people, prove little."""
NEAR = 0.6
"""Of somebody's height in the picture: a box further from where they should be is another's..."""
NEAR_DEG = 3.0
"""... and this much more, which a turned camera is off by."""
SIZE = 1.35
"""A box so many times as high, or as low, as a body is another's or cut."""
UPRIGHT = ("walk", "stand", "")
UPRIGHT_M = 1.2
"""Of who bends or lies, feet and head don't tell the box."""
HEAD_M = 0.12
"""From the middle of a head to the helmet's top."""
SLACK = 0.05
"""Of somebody's height in the picture: boxes are not more exact."""
BORDER_PX = 2.0
ROUNDS = 10
SURE_RAD = 2e-3
"""Points that miss a turn by less than this count alike."""


def by_survey(camera: CameraModel, points: Sequence[SurveyPoint]) -> Turn | None:
    """Tell by how much survey points lie beside where the rig shows them; none for too few.

    The turn that most agree with, whichever way: one point that was mixed up accuses no camera.
    """
    own = [point for point in points if point.camera == camera.name]
    if len(own) < FEWEST_POINTS:
        return None
    pose = camera.camera_from_mine
    there = np.array([point.mine_m for point in own]) @ pose[:3, :3].T + pose[:3, 3]
    pixels = np.array([point.pixel for point in own], float)
    expected = there / np.linalg.norm(there, axis=1, keepdims=True)
    vector = small_turn(_fitted(expected, undistort(camera, pixels)))
    px = float(np.median(np.linalg.norm(distort(camera, there) - pixels, axis=1)))
    return Turn(deg=float(np.degrees(np.linalg.norm(vector))), px=px, looks=len(own))


def _fitted(was: Floats, seen: Floats) -> Floats:
    """Fit the (3, 3) turn from (N, 3) directions to others: Wahba's problem (Kabsch, 1976).

    Weights fall with the miss, so that it is the turn of the many (Weiszfeld).
    """
    weights, turn = np.ones(len(was)), np.eye(3)
    for _ in range(ROUNDS):
        u, _, vt = np.linalg.svd((seen * weights[:, None]).T @ was)
        turn = u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt
        weights = 1 / np.maximum(np.linalg.norm(was @ turn.T - seen, axis=1), SURE_RAD)
    return np.asarray(turn)


class PeopleLooks:
    """Gathers, per camera, where people were found and where the rig would show them."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._expected: dict[str, list[Floats]] = {}
        self._found: dict[str, list[Floats]] = {}
        self._heights_px: dict[str, list[float]] = {}

    def add(self, people: Sequence[Someone], found: Sequence[Detections]) -> None:
        """Take one instant: who was truly where, and what was found in the pictures."""
        for finds in found:
            camera = self._rig.camera(finds.camera)
            boxes_px = _whole(finds.of_kind("person").boxes_px, camera)
            shown = [(one, *there) for one in people if (there := _shown(camera, one)) is not None]
            if len(boxes_px):
                self._add(camera, shown, boxes_px)

    def _add(
        self, camera: CameraModel, shown: list[tuple[Someone, Floats, float]], boxes_px: Floats
    ) -> None:
        """Take each upright person whose box can be no other's."""
        middles = (boxes_px[:, :2] + boxes_px[:, 2:]) / 2
        heights_px = boxes_px[:, 3] - boxes_px[:, 1]
        slack_px = np.radians(NEAR_DEG) * float(camera.k[0, 0])
        gates_px = [NEAR * height_px + slack_px for _, _, height_px in shown]
        for one, wanted, height_px in shown:
            off = np.linalg.norm(middles - wanted, axis=1)
            box = int(off.argmin())
            whose = [
                other.id
                for (other, place, _), gate_px in zip(shown, gates_px, strict=True)
                if np.linalg.norm(place - middles[box]) <= gate_px
            ]
            alike = 1 / SIZE <= heights_px[box] / height_px <= SIZE
            if whose == [one.id] and alike and one.state in UPRIGHT and one.height_m >= UPRIGHT_M:
                self._expected.setdefault(camera.name, []).append(wanted)
                self._found.setdefault(camera.name, []).append(middles[box])
                self._heights_px.setdefault(camera.name, []).append(height_px)

    def turn(self, camera: str) -> Turn | None:
        """Tell by how much people lie beside where the rig shows them; none for too few looks."""
        expected = self._expected.get(camera, [])
        if len(expected) < FEWEST_LOOKS:
            return None
        model = self._rig.camera(camera)
        sigma_px = SLACK * float(np.median(self._heights_px[camera]))
        return _offset(model, np.array(expected), np.array(self._found[camera]), sigma_px)


def _whole(boxes_px: Floats, camera: CameraModel) -> Floats:
    """Keep the boxes that the picture's border does not cut."""
    whole = (boxes_px[:, :2] > BORDER_PX).all(axis=1)
    whole &= (boxes_px[:, 2:] < np.array(camera.size_px) - 1 - BORDER_PX).all(axis=1)
    return boxes_px[whole]


def _shown(camera: CameraModel, one: Someone) -> tuple[Floats, float] | None:
    """Tell where the middle of a body should be, and its height, px; none where it is cut."""
    feet = np.array(one.stands_xyz_m, float)
    head = feet + np.array([0.0, 0.0, one.height_m])
    if one.head_xyz_m is not None:
        head = np.array(one.head_xyz_m) + np.array([0.0, 0.0, HEAD_M])
    ends, seen = project(camera, np.array([feet, head]))
    if not seen.all():
        return None
    return ends.mean(axis=0), max(1.0, float(np.linalg.norm(ends[0] - ends[1])))


class OverlapLooks:
    """Compares neighbours where both look; the median over several instants counts."""

    def __init__(self, rig: Rig) -> None:
        pairs = itertools.combinations(rig.cameras, 2)
        views = [overlap_view(first, second, rig.surface) for first, second in pairs]
        self._views = [view for view in views if view is not None]
        self._misses: dict[tuple[str, str], list[Floats]] = {}
        self._focal_px = {camera.name: float(camera.k[0, 0]) for camera in rig.cameras}

    def add(self, lumas: Mapping[str, Bytes]) -> None:
        """Take one instant's (H, W) lumas by camera."""
        for view in self._views:
            if view.first not in lumas or view.second not in lumas:
                continue
            miss = miss_of(view, lumas[view.first], lumas[view.second])
            if miss is not None:
                self._misses.setdefault((view.first, view.second), []).append(miss.shift_px)

    def of(self, camera: str) -> tuple[Miss, ...]:
        """List by how much a camera misses each neighbour; only where enough agreed to tell."""
        found = []
        for pair, shifts in self._misses.items():
            if camera not in pair:
                continue
            px = float(np.linalg.norm(np.median(shifts, axis=0)))
            other = pair[0] if pair[1] == camera else pair[1]
            deg = float(np.degrees(px / self._focal_px[camera]))
            found.append(Miss(other=other, px=px, deg=deg))
        return tuple(found)


def _offset(camera: CameraModel, expected_px: Floats, found_px: Floats, sigma_px: float) -> Turn:
    """Give the median offset of (N, 2) pixels, as an angle and in pixels."""
    sights, seen = undistort(camera, expected_px), undistort(camera, found_px)
    # On the sphere, so that a wide lens's edge counts as its middle does.
    aside = np.arctan2(seen[:, 0], seen[:, 2]) - np.arctan2(sights[:, 0], sights[:, 2])
    down = np.arcsin(seen[:, 1]) - np.arcsin(sights[:, 1])
    return Turn(
        deg=float(np.degrees(np.hypot(np.median(aside), np.median(down)))),
        px=float(np.linalg.norm(np.median(found_px - expected_px, axis=0))),
        looks=len(expected_px),
        sigma_deg=float(np.degrees(sigma_px / camera.k[0, 0])),
    )
