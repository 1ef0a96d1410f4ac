from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.coverage import Covered, Roadway
from edge.planning.error import expected
from edge.view_outline import FAR_M, view_outline
from scene.floor import Floor
from scene.geometry import CameraModel, pose_from_mount
from scene.rig import Rig
from scene.site import FloorConfig
from scene.surface import Cylinder

FLOOR = FloorConfig(centre_line_m=((0, 0, 0), (60, 0, 0.6)), left_m=2.4, right_m=2.4)


def camera(name: str, xyz_m: tuple[float, float, float], yaw_deg: float) -> CameraModel:
    return CameraModel(
        name=name,
        size_px=(1280, 720),
        lens="brown",
        k=np.array([[914.0, 0, 639.5], [0, 914.0, 359.5], [0, 0, 1]]),
        distortion=np.zeros(5),
        camera_from_mine=pose_from_mount(np.array(xyz_m), yaw_deg, -12, 0),
        pose_covariance=np.zeros((6, 6)),
        max_angle_rad=1.0,
    )


def rig(*cameras: CameraModel) -> Rig:
    """These cameras; without any, two at 20 m, one looking down the roadway each way."""
    cameras = cameras or (camera("ahead", (20, 0, 2.6), 0.0), camera("back", (20, 0, 2.6), 180.0))
    surface = Cylinder(
        centre_m=(20.0, 0.0, 2.6),
        azimuth_left_rad=3.0,
        tan_top=0.2,
        px_per_rad=400.0,
        size_px=(2000, 400),
    )
    return Rig(cameras=cameras, surface=surface, anchor="survey", quality={})


def covered(*names: str) -> Covered:
    return Roadway(rig(), Floor(FLOOR), FLOOR).covered(names)


def test_a_metre_is_seen_by_the_camera_that_looks_there_and_not_beyond_its_reach() -> None:
    found = covered("ahead", "back")
    counts = found.cameras
    assert found.from_m == 0
    assert len(counts) == 60
    assert counts[30] == counts[10] == 1
    assert counts[20] == 0, "right below the cameras nobody looks"
    assert counts[50] == 0, "too far away for finding a person"


def test_what_a_sick_camera_looked_at_is_unseen() -> None:
    counts = covered("back").cameras
    assert counts[30] == 0
    assert counts[10] == 1
    assert not any(covered().cameras)


def test_the_expected_error_is_the_planners() -> None:
    found = covered("ahead", "back")
    for x_m in (25, 30, 36, 42):
        place = np.array([[x_m + 0.5, 0.0, 0.01 * (x_m + 0.5)]])
        wanted = expected(rig().cameras, Floor(FLOOR), place).followed_m2[0]
        assert found.sigma_m[x_m] == pytest.approx(np.sqrt(np.linalg.eigvalsh(wanted)[1]), rel=0.1)


def test_the_error_grows_with_the_distance_and_is_none_where_nobody_looks() -> None:
    sigma = covered("ahead", "back").sigma_m
    near, far = sigma[26], sigma[43]
    assert near is not None
    assert far is not None
    assert 0.08 < near < far < 1.0
    assert sigma[20] is None
    assert sigma[50] is None
    assert covered("back").sigma_m[30] is None


def test_two_cameras_place_better_than_one() -> None:
    hung = rig()
    twice = Rig(
        cameras=(*hung.cameras, replace(hung.cameras[0], name="again")),
        surface=hung.surface,
        anchor="survey",
        quality={},
    )
    roadway = Roadway(twice, Floor(FLOOR), FLOOR)
    one, both = (roadway.covered(names).sigma_m[35] for names in (["ahead"], ["ahead", "again"]))
    assert one is not None
    assert both is not None
    assert both < 0.9 * one
    assert roadway.covered(["ahead", "again"]).cameras[35] == 2


def test_a_rig_hung_anew_covers_elsewhere() -> None:
    before = Roadway(rig(), Floor(FLOOR), FLOOR)
    assert before.covered(["ahead"]).cameras[30] == 1
    turned = Rig(
        cameras=tuple(
            replace(camera, camera_from_mine=other.camera_from_mine)
            for camera, other in zip(rig().cameras, reversed(rig().cameras), strict=True)
        ),
        surface=rig().surface,
        anchor="survey",
        quality={},
    )
    after = Roadway(turned, Floor(FLOOR), FLOOR, like=before)
    assert after.covered(["ahead"]).cameras[30] == 0
    assert after.covered(["ahead"]).cameras[10] == 1


@pytest.mark.parametrize(("index", "sign"), [(0, 1), (1, -1)])
def test_the_view_on_the_plan_opens_where_the_camera_looks(index: int, sign: int) -> None:
    outline = np.array(view_outline(rig().cameras[index], Floor(FLOOR)))
    assert np.all(np.isfinite(outline))
    assert np.all((outline[:, 0] - 20) * sign > 0)
    assert np.linalg.norm(outline - [20, 0], axis=1).max() <= FAR_M + 1e-3
    assert np.ptp(outline[:, 1]) > 10


def test_floor_behind_mud_on_the_lens_is_unseen() -> None:
    """A camera that is covered in part is healthy, but tells of nobody behind the cover."""
    roadway = Roadway(rig(), Floor(FLOOR), FLOOR)
    lower = frozenset((row, column) for row in range(4, 9) for column in range(16))
    upper = frozenset((row, column) for row in range(3) for column in range(16))
    whole = roadway.covered(["ahead", "back"])
    muddy = roadway.covered(["ahead", "back"], {"ahead": lower})
    assert muddy.cameras[24] == 0 < whole.cameras[24]
    assert muddy.sigma_m[24] is None
    assert muddy.cameras[10] == whole.cameras[10] == 1, "the other camera is clean"
    assert roadway.covered(["ahead", "back"], {"ahead": upper}).cameras == whole.cameras
    assert roadway.covered(["ahead", "back"]) == whole


BENT = FloorConfig(
    centre_line_m=((0, 0, 0), (30, 0, 0.3), (45, 10, 0.9), (60, 10, 0.9)),
    left_m=2.4,
    right_m=2.0,
    cross_fall=0.02,
)
ROUND_THE_BEND = (camera("ahead", (20, 0.5, 2.8), 0.0), camera("back", (52, 10, 3.5), 195.0))


def told_along(
    floor: FloorConfig, cameras: tuple[CameraModel, ...]
) -> list[tuple[int, float | None]]:
    """Tell of each metre from the line's first point on, whichever way its chainage counts."""
    line = Floor(floor)
    found = Roadway(rig(*cameras), line, floor).covered([one.name for one in cameras])
    told = list(zip(found.cameras, found.sigma_m, strict=True))
    first, last = line.chainages_m
    return told if first < last else told[::-1]


def turned(
    floor: FloorConfig, cameras: tuple[CameraModel, ...], angle_deg: float
) -> tuple[FloorConfig, tuple[CameraModel, ...]]:
    """Turn a whole site about the z axis, to the left."""
    cos, sin = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    turn = np.eye(4)
    turn[:2, :2] = [[cos, -sin], [sin, cos]]
    line = tuple(tuple((turn[:3, :3] @ point).tolist()) for point in floor.centre_line_m)
    hung = tuple(replace(one, camera_from_mine=one.camera_from_mine @ turn.T) for one in cameras)
    return floor.model_copy(update={"centre_line_m": line}), hung


@settings(max_examples=8, deadline=None)
@given(st.floats(-180, 180))
def test_a_site_that_is_turned_as_a_whole_is_covered_the_same(angle_deg: float) -> None:
    before = told_along(BENT, ROUND_THE_BEND)
    after = told_along(*turned(BENT, ROUND_THE_BEND, angle_deg))
    assert [count for count, _ in before] == [count for count, _ in after]
    assert {0, 1, 2} == {count for count, _ in before}
    for (_, one), (_, other) in zip(before, after, strict=True):
        assert (one is None) == (other is None)
        assert one == pytest.approx(other, abs=0.011)


U_TURN = FloorConfig(
    centre_line_m=((0, 0, 0), (40, 0, 0), (40, 12, 0), (0, 12, 0)), left_m=2.4, right_m=2.4
)


def test_cameras_in_one_arm_of_a_u_turn_do_not_count_for_the_other() -> None:
    """Both arms lie over the same x, and the camera looks towards the rock between them."""
    slanting = camera("slanting", (5, 0, 2.6), 25.0)
    along = camera("along", (30, 12, 2.6), 180.0)
    roadway = Roadway(rig(slanting, along), Floor(U_TURN), U_TURN)
    first, second = (roadway.covered([name]) for name in ("slanting", "along"))
    assert first.from_m == 0
    assert len(first.cameras) == 92
    # By chainage: 0 to 40 m and 52 to 92 m.
    assert any(first.cameras[10:30])
    assert not any(first.cameras[40:])
    assert not any(second.cameras[:52])
    assert second.cameras[92 - 15] == 1, "x is 15"
    assert [sigma for sigma in first.sigma_m[40:] if sigma is not None] == []


def test_a_roadway_from_south_to_north_has_its_length_in_metres() -> None:
    north = FloorConfig(centre_line_m=((5, 0, 0), (5, 60, 0.6)), left_m=2.4, right_m=2.4)
    cameras = (camera("ahead", (5, 20, 2.6), 90.0), camera("back", (5, 20, 2.6), 270.0))
    found = Roadway(rig(*cameras), Floor(north), north).covered(["ahead", "back"])
    assert found.from_m == 5, "chainage starts with the x of the line's first point"
    assert found.cameras == covered("ahead", "back").cameras
