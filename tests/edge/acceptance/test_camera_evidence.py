"""Each piece of evidence finds a turn that is known, and none where there is none."""

import numpy as np
import pytest

from edge.acceptance.camera_evidence import FEWEST_LOOKS, OverlapLooks, PeopleLooks, by_survey
from edge.acceptance.truth import Someone
from scene.arrays import Floats
from scene.geometry import CameraModel, project
from scene.messages import Detections
from scene.rig import Rig
from scene.site import SurveyPoint
from tests.stitching.knocks import eye, knocked, seen, turn
from tests.stitching.views import rig_of

AXES = [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)]


def surveyed(camera: CameraModel, seed: int = 0) -> list[SurveyPoint]:
    """Click eight points as a surveyor would, to half a pixel."""
    rng = np.random.default_rng(seed)
    ahead = np.column_stack(
        [rng.uniform(-3, 3, 8), rng.uniform(-1.5, 1.5, 8), rng.uniform(5, 9, 8)]
    )
    pose = camera.camera_from_mine
    points = (ahead - pose[:3, 3]) @ pose[:3, :3]
    pixels, inside = project(camera, points)
    assert inside.all()
    return [
        SurveyPoint(camera=camera.name, pixel=tuple(pixel), mine_m=tuple(point))
        for pixel, point in zip(pixels + rng.normal(0, 0.5, (8, 2)), points, strict=True)
    ]


@pytest.mark.parametrize("lens", ["brown", "fisheye"])
@pytest.mark.parametrize("axis", AXES)
def test_survey_points_tell_a_turn_about_any_axis(lens: str, axis: tuple[float, ...]) -> None:
    camera = eye(lens)
    points = surveyed(camera)
    still = by_survey(camera, points)
    assert still is not None
    assert still.deg < 0.1
    moved = by_survey(knocked(camera, turn(2.0, axis)), points)  # type: ignore[arg-type]
    assert moved is not None
    assert moved.deg == pytest.approx(2.0, abs=0.1)


def test_one_mixed_up_point_accuses_no_camera_and_two_prove_nothing() -> None:
    camera = eye()
    points = surveyed(camera)
    swapped = points[0].model_copy(update={"pixel": points[1].pixel})
    told = by_survey(camera, [swapped, *points[1:]])
    assert told is not None
    assert told.deg < 0.2
    assert by_survey(camera, points[:2]) is None


class Room:
    """People who walk before a camera, and boxes as a perfect detector gives them."""

    def __init__(self, true: CameraModel) -> None:
        self._true = true

    def walk(self, rig: Rig, instants: int = 40) -> PeopleLooks:
        looks = PeopleLooks(rig)
        rng = np.random.default_rng(1)
        for _ in range(instants):
            people = [self._someone(1, rng.uniform(-1.5, 1.5), rng.uniform(6, 9))]
            looks.add(people, [self._found(people)])
        return looks

    def _someone(self, id: int, aside: float, ahead: float) -> Someone:
        pose = self._true.camera_from_mine
        x, y, _ = (np.array([aside, 0.0, ahead]) - pose[:3, 3]) @ pose[:3, :3]
        feet = (float(x), float(y), 0.0)
        return Someone(id=id, xyz_m=feet, stands_xyz_m=feet, height_m=1.75, state="walk")

    def _found(self, people: list[Someone]) -> Detections:
        boxes = np.array([self._box(one) for one in people])
        return Detections(
            camera=self._true.name,
            captured_at_ns=0,
            boxes_px=boxes,
            scores=np.ones(len(boxes)),
            kinds=np.zeros(len(boxes), int),
        )

    def _box(self, one: Someone) -> Floats:
        feet = np.array(one.stands_xyz_m)
        ends, inside = project(self._true, np.array([feet, feet + np.array([0, 0, 1.75])]))
        assert inside.all()
        wide = 0.2 * abs(ends[0, 1] - ends[1, 1])
        beside = np.array([wide, 0.0])
        return np.concatenate([ends.min(axis=0) - beside, ends.max(axis=0) + beside])


def test_people_tell_a_turn_of_the_camera_that_shows_them() -> None:
    true = eye(name="cam1")
    room = Room(true)
    still = room.walk(rig_of([true])).turn("cam1")
    assert still is not None
    assert still.deg < 0.05
    for axis in AXES[:2]:
        moved = room.walk(rig_of([knocked(true, turn(2.0, axis))])).turn("cam1")
        assert moved is not None
        assert moved.deg == pytest.approx(2.0, abs=0.2)
        assert moved.looks > FEWEST_LOOKS


def test_few_looks_prove_nothing() -> None:
    true = eye(name="cam1")
    assert Room(true).walk(rig_of([true]), FEWEST_LOOKS - 1).turn("cam1") is None
    assert Room(true).walk(rig_of([true])).turn("cam9") is None


def test_neighbours_tell_a_turn_of_either() -> None:
    true = [eye(name="cam1", yaw_deg=20.0), eye(name="cam2", yaw_deg=-20.0)]
    lumas = {one.name: seen(one) for one in true}
    for by, wanted in ((0.0, 0.0), (2.0, 2.0)):
        hung = [true[0], knocked(true[1], turn(by, (0.0, 1.0, 0.0)))]
        looks = OverlapLooks(rig_of(hung))
        looks.add(lumas)
        (miss,) = looks.of("cam1")
        assert miss.other == "cam2"
        assert miss.deg == pytest.approx(wanted, abs=0.3)
