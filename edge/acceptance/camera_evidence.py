"""Gathers what a clip shows of how its cameras hang: survey points, people, neighbours.

Knows nothing about limits. None of it needs a gateway's memory. Survey points are as old as the
rig and stay by themselves; people and neighbours are weighed together (`hanging.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edge.acceptance.camera_ties import StillPictures
from edge.acceptance.figures import Miss, Turn
from edge.acceptance.hanging import Hanging, hung, miss_rad
from edge.acceptance.people_looks import PeopleLooks
from edge.acceptance.truth import Someone
from scene.arrays import Floats
from scene.geometry import CameraModel, distort, undistort
from scene.messages import Detections, YuvImage
from scene.rig import Rig
from scene.site import SurveyPoint
from stitching.calibration.features import Matches
from stitching.drift.turn import rotation_of, small_turn

FEWEST_POINTS = 3
"""Fewer survey points prove little."""
ROUNDS = 10
SURE_RAD = 2e-3
"""Points that miss a turn by less than this count alike."""
GUESSES = 2
"""So often neighbours are compared, each time with cameras hung as was found before."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a camera shows now of how it hangs."""

    turn: Turn | None = None
    """By people and neighbours together."""
    people: Turn | None = None
    """By people alone; none where too few were seen."""
    overlaps: tuple[Miss, ...] = ()


class CameraEvidence:
    """Gathers people and still pictures, instant by instant, and weighs them in the end."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._people, self._pictures = PeopleLooks(rig), StillPictures()

    def add_people(
        self, people: Sequence[Someone], found: Sequence[Detections], at_s: float
    ) -> None:
        """Take one instant: who was truly where, and what was found in the pictures."""
        self._people.add(people, found, at_s)

    def add_pictures(self, images: Mapping[str, YuvImage]) -> None:
        """Take one instant's pictures by camera; a few of them are enough."""
        self._pictures.add(images)

    def shown(self) -> dict[str, Shown]:
        """Tell what each camera shows."""
        cameras = self._rig.cameras
        names = [camera.name for camera in cameras]
        sights = {name: seen for name in names if (seen := self._people.of(name)) is not None}
        alone, _ = hung(cameras, sights, ())
        turns, ties = alone, tuple[Matches, ...]()
        for number in range(GUESSES):
            guessed = [_as_hung(camera, turns[camera.name]) for camera in cameras]
            if number and guessed == list(cameras):
                break
            turns, ties = hung(cameras, sights, self._pictures.ties(guessed, self._rig.surface))
        return {
            name: Shown(
                turn=_turn(turns[name], 0.0, sum(name in _names(pair, names) for pair in ties)),
                people=None
                if name not in sights
                else _turn(alone[name], sights[name].px, len(sights[name].expected)),
                overlaps=self._misses(index, ties),
            )
            for index, name in enumerate(names)
        }

    def _misses(self, index: int, ties: Sequence[Matches]) -> tuple[Miss, ...]:
        found = []
        for pair in ties:
            if index not in (pair.first, pair.second):
                continue
            other = pair.second if pair.first == index else pair.first
            miss = miss_rad(self._rig.cameras, pair)
            focal_px = float(self._rig.cameras[index].k[0, 0])
            name = self._rig.cameras[other].name
            found.append(Miss(other=name, px=miss * focal_px, deg=float(np.degrees(miss))))
        return tuple(found)


def _as_hung(camera: CameraModel, hanging: Hanging) -> CameraModel:
    """Turn a camera as was found, if that is more than may be chance."""
    if hanging.deg <= 2 * hanging.sigma_deg:
        return camera
    pose = camera.camera_from_mine.copy()
    pose[:3] = rotation_of(hanging.vector_rad) @ pose[:3]
    return replace(camera, camera_from_mine=pose)


def _names(pair: Matches, names: Sequence[str]) -> tuple[str, str]:
    return names[pair.first], names[pair.second]


def _turn(hanging: Hanging, px: float, looks: int) -> Turn:
    return Turn(
        deg=hanging.deg,
        px=px,
        looks=looks,
        sigma_deg=hanging.sigma_deg,
        unsure_deg=hanging.unsure_deg,
    )
