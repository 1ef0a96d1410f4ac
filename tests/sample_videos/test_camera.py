"""The generator's cameras agree with OpenCV, with the product's own, and with themselves."""

import math

import cv2
import numpy as np
import pytest

from sample_videos.generator.camera import Camera, make_camera, undistort
from scene.geometry import CameraModel, Lens, project

BROWN = (-0.18, 0.04, 0.001, -0.002, 0.003)
FISHEYE = (0.02, -0.01, 0.002, -0.0005)
LENSES: list[tuple[Lens, float, tuple[float, ...]]] = [
    ("brown", 70.0, BROWN),
    ("brown", 95.0, (-0.05, 0.004, 0.0, 0.0, 0.0)),
    ("fisheye", 80.0, FISHEYE),
    ("fisheye", 118.0, FISHEYE),
]
lenses = pytest.mark.parametrize(("lens", "hfov_deg", "distortion"), LENSES)


def make(lens: str, hfov_deg: float, distortion: tuple[float, ...]) -> Camera:
    return make_camera(
        "c",
        (20, -2, 2.5),
        yaw_deg=65,
        pitch_deg=-16,
        hfov_deg=hfov_deg,
        size_px=(1280, 720),
        lens=lens,
        distortion=distortion,
        roll_deg=3,
    )


def grid_px() -> np.ndarray:
    u, v = np.meshgrid(np.linspace(0, 1279, 33), np.linspace(0, 719, 19))
    return np.stack([u, v], -1).reshape(-1, 2)


def points_through(camera: Camera, pixels: np.ndarray, depth_m: float = 5.0) -> np.ndarray:
    flat = undistort(pixels, camera.k, camera.distortion, camera.lens)
    rays = np.c_[flat, np.ones(len(flat))]
    return np.asarray(camera.centre_m + rays * depth_m @ camera.rotation)


@lenses
def test_distortion_goes_there_and_back(
    lens: Lens, hfov_deg: float, distortion: tuple[float, ...]
) -> None:
    camera = make(lens, hfov_deg, distortion)
    points = points_through(camera, grid_px())
    assert np.abs(camera.pixels(points) - grid_px()).max() < 1e-5


@lenses
def test_opencv_sees_the_same_with_what_is_shipped(
    lens: Lens, hfov_deg: float, distortion: tuple[float, ...]
) -> None:
    camera = make(lens, hfov_deg, distortion)
    points = points_through(camera, grid_px(), 7.0)
    turn, _ = cv2.Rodrigues(camera.rotation)
    given = points.reshape(-1, 1, 3)
    if lens == "fisheye":
        seen, _ = cv2.fisheye.projectPoints(
            given, turn, camera.translation, camera.k, np.array(camera.distortion)
        )
    else:
        seen, _ = cv2.projectPoints(given, turn, camera.translation, camera.k, camera.distortion)
    assert np.abs(np.asarray(seen).reshape(-1, 2) - grid_px()).max() < 0.02


@lenses
def test_the_product_sees_the_same(
    lens: Lens, hfov_deg: float, distortion: tuple[float, ...]
) -> None:
    camera = make(lens, hfov_deg, distortion)
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = camera.rotation, camera.translation
    model = CameraModel(
        name="c",
        size_px=(1280, 720),
        lens=lens,
        k=camera.k,
        distortion=camera.distortion,
        camera_from_mine=pose,
        pose_covariance=np.zeros((6, 6)),
        max_angle_rad=1.4,
    )
    pixels, seen = project(model, points_through(camera, grid_px()))
    assert seen.all()
    assert np.abs(pixels - grid_px()).max() < 0.02


@lenses
def test_plate_covers_and_agrees_with_the_delivered_picture(
    lens: Lens, hfov_deg: float, distortion: tuple[float, ...]
) -> None:
    camera = make(lens, hfov_deg, distortion)
    map_u, map_v = camera.plate_from_delivered()
    width, height = camera.plate_size_px
    assert map_u.min() >= 0 and map_u.max() <= width - 1
    assert map_v.min() >= 0 and map_v.max() <= height - 1
    rows, columns = np.array([0, 300, 719]), np.array([0, 900, 1279])
    plate = np.stack([map_u[rows, columns], map_v[rows, columns]], 1)
    back = camera.delivered_from_plate(plate)
    assert np.abs(back - np.stack([columns, rows], 1)).max() < 0.02
    # The same point of the mine, on the plate and on the delivered picture.
    point = points_through(camera, np.array([[900.0, 300.0]]))
    assert camera.plate_pixels(point)[0][0] == pytest.approx(
        [map_u[300, 900], map_v[300, 900]], abs=1e-3
    )


@lenses
def test_field_of_view_is_as_delivered(
    lens: Lens, hfov_deg: float, distortion: tuple[float, ...]
) -> None:
    straight = tuple(0.0 if lens == "brown" and i > 1 else d for i, d in enumerate(distortion))
    camera = make(lens, hfov_deg, straight)
    edge = undistort([[1279.5, 359.5]], camera.k, camera.distortion, lens)[0]
    assert math.degrees(math.atan(edge[0])) == pytest.approx(hfov_deg / 2, abs=1e-4)


def test_yaw_turns_left_and_pitch_up() -> None:
    camera = make_camera(
        "c", (0, 0, 2), yaw_deg=90, pitch_deg=-10, hfov_deg=70, size_px=(1280, 720)
    )
    ahead_left = camera.pixels([[-1.0, 5.0, 2.0], [0.0, 5.0, 1.0], [0.0, 5.0, 2.0]])
    assert ahead_left[0, 0] < 639  # x grows to the right of someone who looks along y
    assert ahead_left[1, 1] > ahead_left[2, 1]  # lower in the mine is lower in the picture
    assert ahead_left[2, 1] < 359  # looking down, the horizon is above the middle
    assert camera.in_camera([[0.0, 5.0, 2.0]])[0, 2] > 0
    assert cv2.determinant(camera.rotation) == pytest.approx(1)


@pytest.mark.parametrize(
    ("lens", "hfov_deg", "distortion"),
    [("brown", 100.0, (-0.4, 0.0, 0.0, 0.0, 0.0)), ("fisheye", 125.0, (-0.5, 0.0, 0.0, 0.0))],
)
def test_a_lens_that_folds_back_is_refused(
    lens: Lens, hfov_deg: float, distortion: tuple[float, ...]
) -> None:
    with pytest.raises(ValueError, match="folds back"):
        make(lens, hfov_deg, distortion)
