"""The ribbon that is chosen is never a mirror image, whichever way line and cameras look."""

import numpy as np
import pytest

from scene.errors import RigError
from scene.geometry import CameraModel, distort, pose_from_mount, rays
from scene.ribbon import Ribbon
from scene.site import FloorConfig, PanoramaConfig
from stitching.ribbon_layout import choose_ribbon

RISING = FloorConfig(centre_line_m=((0, 0, 0), (40, 0, 1.0)), left_m=2.4, right_m=2.0)
FALLING = FloorConfig(centre_line_m=((40, 0, 1.0), (0, 0, 0)), left_m=2.0, right_m=2.4)


def looking(yaw_deg: float) -> CameraModel:
    return CameraModel(
        name=f"cam{yaw_deg:.0f}",
        size_px=(640, 360),
        lens="brown",
        k=np.array([[400.0, 0, 319.5], [0, 400.0, 179.5], [0, 0, 1]]),
        distortion=np.zeros(5),
        camera_from_mine=pose_from_mount(np.array([20.0, 0.0, 2.6]), yaw_deg, -20.0, 0.0),
        pose_covariance=np.zeros((6, 6)),
        max_angle_rad=0.8,
    )


def handedness(camera: CameraModel, ribbon: Ribbon) -> float:
    """Tell the sign of camera pixels by panorama pixels where the camera looks."""
    ahead = ribbon.panorama_from_sight(camera.centre_m, rays(camera, np.array([[320.0, 230.0]])))[0]
    assert np.isfinite(ahead).all() and ribbon.inside(ahead[None])[0]
    around = ahead + np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]])
    here, right, down = distort(camera, ribbon.in_camera(camera, around))
    return float(np.linalg.det(np.stack([right - here, down - here])))


@pytest.mark.parametrize("floor", [RISING, FALLING], ids=["rising", "falling"])
@pytest.mark.parametrize("yaw_deg", [60.0, -60.0, 120.0, -120.0])
def test_nothing_is_shown_as_in_a_mirror(floor: FloorConfig, yaw_deg: float) -> None:
    camera = looking(yaw_deg)
    ribbon = choose_ribbon([camera], PanoramaConfig(), floor)
    assert len(ribbon.section_m) == 3
    assert handedness(camera, ribbon) > 0


@pytest.mark.parametrize("floor", [RISING, FALLING], ids=["rising", "falling"])
@pytest.mark.parametrize("left_m", [2.4, -2.4])
def test_a_single_upright_wall_is_not_a_mirror_either(floor: FloorConfig, left_m: float) -> None:
    facing_left = (left_m > 0) == (floor is RISING)
    camera = looking(60.0 if facing_left else -60.0)
    section = {"section_m": [[left_m, 2.5], [left_m, 0.0]]}
    ribbon = choose_ribbon([camera], PanoramaConfig.model_validate({"surface": section}), floor)
    assert handedness(camera, ribbon) > 0


def test_cameras_that_look_both_ways_get_both_walls() -> None:
    ribbon = choose_ribbon([looking(60.0), looking(-60.0)], PanoramaConfig(), RISING)
    assert [corner[0] for corner in ribbon.section_m] == [2.4, 2.4, -2.0, -2.0]


def test_the_scale_and_the_ends_are_the_sites() -> None:
    asked = {"px_per_m": 30, "surface": {"wall": "left", "chainage_m": [22, 26]}}
    ribbon = choose_ribbon([looking(60.0)], PanoramaConfig.model_validate(asked), RISING)
    assert ribbon.px_per_m == 30
    assert ribbon.size_px[0] <= 4 * 30
    assert 22 <= ribbon.chainage_left_m <= 26


def test_a_ribbon_that_nobody_sees_is_refused() -> None:
    far = FloorConfig(centre_line_m=((500, 300, 0), (540, 300, 0)))
    with pytest.raises(RigError, match="centre_line_m"):
        choose_ribbon([looking(60.0)], PanoramaConfig(), far)
