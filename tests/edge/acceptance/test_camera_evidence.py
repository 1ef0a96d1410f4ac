"""What cameras show finds a turn that is known, about any axis, and whose it is; and none else."""

import numpy as np
import pytest

from edge.acceptance.camera_evidence import by_survey
from edge.acceptance.camera_ties import StillPictures
from edge.acceptance.hanging import Hanging, hung
from edge.acceptance.people_looks import FEWEST_LOOKS, PeopleLooks
from edge.acceptance.truth import Someone
from scene.arrays import Floats
from scene.geometry import CameraModel, project
from scene.messages import Detections
from scene.rig import Rig
from scene.site import SurveyPoint
from tests.stitching.knocks import ROOM, eye, knocked, turn
from tests.stitching.views import rig_of, view

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
    """People who walk before cameras, and boxes as a perfect detector gives them."""

    def __init__(self, *true: CameraModel) -> None:
        self._true = true

    def walk(
        self,
        rig: Rig,
        instants: int = 60,
        ahead_m: tuple[float, float] = (6, 9),
        beside_m: tuple[float, ...] = (0.0,),
    ) -> PeopleLooks:
        """Walk about before each camera, ten instants a second, others so far beside."""
        looks = PeopleLooks(rig)
        rng = np.random.default_rng(1)
        for number in range(instants):
            people: list[Someone] = []
            for camera in self._true:
                aside, ahead = rng.uniform(-2.5, 2.5), rng.uniform(*ahead_m)
                people += [
                    _someone(camera, len(people) + 1, aside + beside, ahead) for beside in beside_m
                ]
            looks.add(people, [_found(camera, people) for camera in self._true], number / 2)
        return looks


def _someone(camera: CameraModel, id: int, aside: float, ahead: float) -> Someone:
    pose = camera.camera_from_mine
    x, y, _ = (np.array([aside, 0.0, ahead]) - pose[:3, 3]) @ pose[:3, :3]
    feet = (float(x), float(y), 0.0)
    return Someone(id=id, xyz_m=feet, stands_xyz_m=feet, height_m=1.75, state="walk")


def _found(camera: CameraModel, people: list[Someone]) -> Detections:
    boxes = np.array([box for one in people if (box := _box(camera, one)) is not None])
    return Detections(
        camera=camera.name,
        captured_at_ns=0,
        boxes_px=boxes.reshape(-1, 4),
        scores=np.ones(len(boxes)),
        kinds=np.zeros(len(boxes), int),
    )


def _box(camera: CameraModel, one: Someone) -> Floats | None:
    """Box somebody, cut at the picture's lower border; none where the head is not in it."""
    body = np.array(one.stands_xyz_m) + np.outer(np.linspace(0, 1.75, 30), [0, 0, 1])
    pixels, inside = project(camera, body)
    if not inside[-1]:
        return None
    tall = abs(pixels[inside][0, 1] - pixels[-1, 1])
    low, high = pixels[inside].min(axis=0), pixels[inside].max(axis=0)
    if not inside[0]:
        high[1] = camera.size_px[1] - 1
    beside = np.array([0.15 * tall, 0.0])
    return np.concatenate([low - beside, high + beside])


def alone(looks: PeopleLooks, camera: CameraModel) -> Hanging:
    """Tell how a camera hangs by people alone."""
    sights = looks.of(camera.name)
    assert sights is not None
    found, _ = hung((camera,), {camera.name: sights}, ())
    return found[camera.name]


@pytest.mark.parametrize("beside_m", [(0.0,), (0.0, 0.6, -0.7)])
def test_people_tell_a_turn_of_the_camera_that_shows_them(beside_m: tuple[float, ...]) -> None:
    """Also where they stand so close together that no box is surely one's."""
    true = eye(name="cam1")
    room = Room(true)
    still = alone(room.walk(rig_of([true]), beside_m=beside_m), true)
    assert still.deg < 0.1
    assert still.unsure_deg < 1.5
    for axis in AXES:
        hangs = knocked(true, turn(-2.0, axis))
        moved = alone(room.walk(rig_of([hangs]), beside_m=beside_m), hangs)
        assert moved.deg == pytest.approx(2.0, abs=0.3)
        assert np.degrees(moved.vector_rad) == pytest.approx(2.0 * np.array(axis), abs=0.3)


def test_of_who_stands_too_near_the_head_tells() -> None:
    true = eye(name="cam1")
    looks = Room(true).walk(rig_of([true]), ahead_m=(3.0, 3.6))
    assert alone(looks, true).deg < 0.3
    hangs = knocked(true, turn(-2.0, AXES[0]))
    moved = alone(Room(true).walk(rig_of([hangs]), ahead_m=(3.0, 3.6)), hangs)
    assert np.degrees(moved.vector_rad)[0] == pytest.approx(2.0, abs=0.4)


def test_who_keeps_to_one_spot_tells_no_turn_about_the_line_of_sight() -> None:
    true = eye(name="cam1")
    looks = PeopleLooks(rig_of([true]))
    for number in range(100):
        people = [_someone(true, 1, 0.0, 7.0)]
        looks.add(people, [_found(true, people)], number / 10)
    hanging = alone(looks, true)
    assert hanging.deg < 0.3
    assert hanging.unsure_deg > 3.0, "nobody can tell"
    assert np.degrees(np.sqrt(np.diag(hanging.covariance_rad2)))[:2].max() < 1.5


def test_few_looks_prove_nothing() -> None:
    true = eye(name="cam1")
    assert Room(true).walk(rig_of([true]), FEWEST_LOOKS - 1).of("cam1") is None
    assert Room(true).walk(rig_of([true])).of("cam9") is None


FAN = [eye(name=f"cam{i}", yaw_deg=yaw) for i, yaw in enumerate((40.0, 0.0, -40.0), 1)]


def of_fan(rig: Rig, *, walked: bool) -> dict[str, Hanging]:
    """Tell how three cameras side by side hang, as `FAN` truly does."""
    pictures = StillPictures()
    pictures.add({one.name: view(one, ROOM) for one in FAN})
    looks = Room(*FAN).walk(rig)
    names = [one.name for one in FAN] if walked else []
    sights = {name: seen for name in names if (seen := looks.of(name)) is not None}
    return hung(rig.cameras, sights, pictures.ties(rig.cameras, rig.surface))[0]


@pytest.mark.parametrize("axis", AXES)
def test_one_of_several_is_told_apart_from_its_neighbours(axis: tuple[float, ...]) -> None:
    hangs = [FAN[0], knocked(FAN[1], turn(-2.0, axis)), FAN[2]]  # type: ignore[arg-type]
    found = of_fan(rig_of(hangs), walked=True)
    assert np.degrees(found["cam2"].vector_rad) == pytest.approx(2.0 * np.array(axis), abs=0.5)
    assert max(found["cam1"].deg, found["cam3"].deg) < 0.5
    assert max(one.unsure_deg for one in found.values()) < 1.5


def test_neighbours_alone_tell_who_is_odd_and_that_all_may_be() -> None:
    hangs = [FAN[0], knocked(FAN[1], turn(-2.0, AXES[1])), FAN[2]]
    found = of_fan(rig_of(hangs), walked=False)
    assert found["cam2"].deg == pytest.approx(2.0, abs=0.3)
    assert max(found["cam1"].deg, found["cam3"].deg) < 0.3
    assert min(one.unsure_deg for one in found.values()) > 2.0


def test_cameras_turned_together_agree_and_are_found_by_people() -> None:
    by = turn(-2.0, (0.0, 0.0, 1.0))
    hangs = []
    for one in FAN:
        camera_from_mine = one.camera_from_mine[:3, :3]
        hangs.append(knocked(one, camera_from_mine @ by @ camera_from_mine.T))
    found = of_fan(rig_of(hangs), walked=True)
    assert [one.deg for one in found.values()] == pytest.approx([2.0] * 3, abs=0.4)
