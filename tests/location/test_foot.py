from dataclasses import replace

import numpy as np
import pytest

from location.foot import Feet, covers, feet_on_floor
from scene.arrays import Floats
from scene.floor import Floor
from scene.messages import KINDS, Detections
from tests.location import mine

FLOOR = Floor(mine.FLOOR)
CAMERA = mine.camera("c1", (20.0, 0.0, 2.95), 0.0)
"""Looks along the roadway, from above its middle."""
WIDTH, HEIGHT = CAMERA.size_px


def on_floor(body_m: Floats, x_m: float, y_m: float) -> Floats:
    z_m = float(FLOOR.z_m(np.array([[x_m, y_m]]))[0])
    return np.asarray(body_m + np.array([x_m, y_m, z_m]))


def look(*boxes_px: Floats, kind: str = "person", score: float = 0.8) -> Feet:
    return feet_on_floor(
        Detections(
            camera=CAMERA.name,
            captured_at_ns=0,
            boxes_px=np.array(boxes_px, float).reshape(-1, 4),
            scores=np.full(len(boxes_px), score),
            kinds=np.full(len(boxes_px), KINDS.index(kind)),
        ),
        CAMERA,
        FLOOR,
    )


def box(body_m: Floats, x_m: float, y_m: float) -> Floats:
    """The body's box, cut where the picture ends."""
    found = mine.box(CAMERA, on_floor(body_m, x_m, y_m))
    assert found is not None
    return np.clip(found, 0, [WIDTH - 1, HEIGHT - 1, WIDTH - 1, HEIGHT - 1])


def off_m(feet: Feet, x_m: float, y_m: float) -> float:
    return float(np.hypot(*(feet.xy_m[0] - [x_m, y_m])))


@pytest.mark.parametrize(("x_m", "y_m"), [(25.0, 0.0), (27.0, 1.5), (30.0, -1.8), (35.0, 0.5)])
def test_somebody_upright_stands_where_they_stand_and_is_as_tall(x_m: float, y_m: float) -> None:
    feet = look(box(mine.standing(1.78), x_m, y_m))
    assert off_m(feet, x_m, y_m) < 0.15
    assert feet.height_m[0] == pytest.approx(1.78, abs=0.12)
    assert not feet.cut[0]
    assert feet.if_lying is None


@pytest.mark.parametrize("yaw_deg", [0, 45, 90, 135])
@pytest.mark.parametrize(("x_m", "y_m"), [(25.0, 0.0), (28.0, 1.0), (32.0, -1.2)])
def test_somebody_lying_is_low_and_in_the_middle_of_the_body(
    x_m: float, y_m: float, yaw_deg: float
) -> None:
    feet = look(box(mine.lying(np.radians(yaw_deg)), x_m, y_m))
    assert feet.height_m[0] < (0.7 if yaw_deg else 0.95), "the far end counts along the line"
    assert off_m(feet, x_m, y_m) < 0.6


def test_somebody_crouching_is_not_taken_for_lying() -> None:
    feet = look(box(mine.crouching(), 27.0, 0.5))
    assert feet.height_m[0] == pytest.approx(1.2, abs=0.15)


def test_what_is_said_to_be_fallen_is_low_whatever_its_box() -> None:
    feet = look(box(mine.standing(), 27.0, 0.5), kind="fallen")
    assert feet.height_m[0] < 1.0


@pytest.mark.parametrize("gap_px", [0.0, 6.0, 12.0])
@pytest.mark.parametrize(("x_m", "y_m"), [(22.0, 0.0), (22.5, 0.6), (22.8, -0.5)])
def test_feet_below_the_picture_are_found_by_the_head(
    x_m: float, y_m: float, gap_px: float
) -> None:
    """A detector's box often ends a little before the border that cuts it."""
    whole = mine.box(CAMERA, on_floor(mine.standing(1.75), x_m, y_m))
    assert whole is not None
    assert whole[3] > HEIGHT, "the feet are out of the picture"
    cut = box(mine.standing(1.75), x_m, y_m) - [0, 0, 0, gap_px]
    feet = look(cut)
    assert off_m(feet, x_m, y_m) < 0.3
    assert np.isnan(feet.height_m[0]), "nobody saw how tall they are"
    assert feet.cut[0]


def test_a_squat_box_at_the_lower_border_reads_in_two_ways() -> None:
    """Somebody who lies there, whole in the picture, and somebody close look the same."""
    x_m, y_m = 23.75, 0.0
    found = mine.box(CAMERA, on_floor(mine.lying(np.radians(60)), x_m, y_m))
    assert found is not None
    assert HEIGHT - 25 < found[3] < HEIGHT, "all of the body is in the picture, at its border"
    feet = look(found)
    assert np.isnan(feet.height_m[0])
    assert off_m(feet, x_m, y_m) > 1.0, "as somebody close whose feet are cut off"
    assert feet.if_lying is not None
    lying = feet.lying([0])
    assert lying.height_m[0] < 0.7
    assert off_m(lying, x_m, y_m) < 0.6


def test_only_boxes_at_the_border_read_in_two_ways() -> None:
    feet = look(box(mine.lying(1.0), 28.0, 0.0), box(mine.lying(1.0), 23.75, 0.0))
    assert feet.if_lying is not None
    assert np.isfinite(feet.if_lying.height_m).tolist() == [False, True]
    assert np.array_equal(feet.lying([]).xy_m, feet.xy_m)
    assert np.array_equal(feet.lying([1]).xy_m[0], feet.xy_m[0])


def test_a_box_of_two_at_the_border_stands_where_the_nearer_one_does() -> None:
    """Who is cut by the border cannot stand further off than where it meets the floor."""
    near, far = box(mine.standing(), 23.4, 0.0), box(mine.standing(), 24.9, 0.0)
    assert HEIGHT - 15 < near[3] < HEIGHT - 1, "just in the picture"
    both = np.array([near[0], far[1], near[2], HEIGHT - 1])
    assert off_m(look(both), 23.4, 0.0) < 0.4
    assert not look(both).cut[0]


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_side_cut_off_moves_nobody(side: str) -> None:
    y_m = 4.3 if side == "left" else -4.3
    whole = mine.box(CAMERA, on_floor(mine.standing(), 25.2, y_m))
    assert whole is not None
    assert whole[0] < 0 < whole[2] or whole[0] < WIDTH < whole[2]
    feet = look(box(mine.standing(), 25.2, y_m))
    assert off_m(feet, 25.2, y_m) < 0.1
    assert feet.cut[0]


def test_feet_behind_somebody_nearer_are_found_by_the_head() -> None:
    behind, before = box(mine.standing(1.75), 30.0, 0.0), box(mine.standing(1.75), 25.5, 0.0)
    behind[3] = behind[1] + 0.5 * (behind[3] - behind[1])
    behind[[0, 2]] += [-8, 8]
    feet = look(behind, before)
    assert np.hypot(*(feet.xy_m[0] - [30.0, 0.0])) < 1.0
    assert feet.cut.tolist() == [True, False]


@pytest.mark.parametrize(
    "bad",
    [
        [np.nan, 1, 2, 3],
        [300, 200, 200, 300],
        [100, 100, 100.5, 300],
        [-50, 10, -20, 300],
        [600, 10, 640, 100],
    ],
)
def test_what_is_no_box_or_meets_no_floor_is_left_out(bad: list[float]) -> None:
    assert len(look(np.array(bad, float)).xy_m) == 0
    good = box(mine.standing(), 27.0, 0.5)
    assert len(look(good, np.array(bad, float)).xy_m) == 1


def test_the_same_body_found_twice_is_one() -> None:
    found = box(mine.standing(), 27.0, 0.5)
    assert len(look(found, found + 3).xy_m) == 1


def test_the_further_off_the_less_sure_and_a_camera_that_may_be_turned_less_still() -> None:
    def sigma_m(x_m: float, camera_turn: float) -> float:
        camera = replace(CAMERA, pose_covariance=np.diag([camera_turn**2] * 3 + [0.01**2] * 3))
        found = mine.detections(camera, 0, [on_floor(mine.standing(), x_m, 0.0)])
        return float(np.sqrt(feet_on_floor(found, camera, FLOOR).covariance_m2[0, 0, 0]))

    assert sigma_m(24.5, 0.002) < sigma_m(28.0, 0.002) < sigma_m(35.0, 0.002)
    assert sigma_m(30.0, 0.02) > sigma_m(30.0, 0.002)


def test_what_a_camera_covers() -> None:
    places = np.array([[27.0, 0.0], [21.0, 0.0], [10.0, 0.0], [25.0, 6.0], [25.0, 4.0]])
    fisheye = replace(CAMERA, lens="fisheye", distortion=np.zeros(4), max_angle_rad=1.7)
    there = covers([CAMERA, fisheye, CAMERA], FLOOR, places)
    assert there[0].tolist() == there[2].tolist() == [True, False, False, False, False]
    assert there[1].tolist() == [True, False, False, False, True], "it sees further aside"
