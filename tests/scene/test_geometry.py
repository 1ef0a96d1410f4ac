from dataclasses import replace

import cv2
import numpy as np
import pytest

from scene.arrays import Floats
from scene.floor import Floor
from scene.geometry import CameraModel, Lens, pose_from_mount, project, rays
from scene.site import FloorConfig
from scene.surface import Cylinder


def camera(lens: Lens = "brown") -> CameraModel:
    return CameraModel(
        name="cam1",
        size_px=(1280, 720),
        lens=lens,
        k=np.array([[914.0, 0, 639.5], [0, 914.0, 359.5], [0, 0, 1]]),
        distortion=np.array([-0.18, 0.04, 0.001, -0.0005, 0.0])
        if lens == "brown"
        else np.array([0.02, -0.01, 0.002, 0.0]),
        camera_from_mine=pose_from_mount(np.array([20, -2.05, 2.55]), 65, -16, 2),
        pose_covariance=np.zeros((6, 6)),
        max_angle_rad=1.0,
    )


def points_ahead() -> Floats:
    rng = np.random.default_rng(1)
    pixels = rng.uniform([0, 0], [1279, 719], (200, 2))
    model = camera()
    return np.asarray(model.centre_m + rays(model, pixels) * rng.uniform(1, 30, (200, 1)))


@pytest.mark.parametrize("lens", ["brown", "fisheye"])
def test_projection_is_opencvs(lens: Lens) -> None:
    model, points = camera(lens), points_ahead()
    pixels, seen = project(model, points)
    rotation, shift = model.camera_from_mine[:3, :3], model.camera_from_mine[:3, 3]
    turn = cv2.Rodrigues(rotation)[0]
    if lens == "fisheye":
        theirs = cv2.fisheye.projectPoints(points[:, None], turn, shift, model.k, model.distortion)[
            0
        ]
    else:
        theirs = cv2.projectPoints(points, turn, shift, model.k, model.distortion)[0]
    assert seen.sum() > 150
    assert np.abs(pixels - np.asarray(theirs)[:, 0])[seen].max() < 1e-6


@pytest.mark.parametrize("lens", ["brown", "fisheye"])
def test_a_ray_goes_back_through_its_point(lens: Lens) -> None:
    model, points = camera(lens), points_ahead()
    pixels, seen = project(model, points)
    wanted = points - model.centre_m
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    assert np.abs(rays(model, pixels) - wanted)[seen].max() < 1e-7


def test_a_strongly_bent_lens_is_undone_to_a_millionth_of_a_pixel() -> None:
    """Slopes of places by the pixel are differences of such rays."""
    model = replace(
        camera(),
        k=np.array([[914.0, 1.5, 639.5], [0, 880.0, 359.5], [0, 0, 1]]),
        distortion=np.array([-0.28, 0.09, 0.0015, -0.0009, -0.012]),
    )
    pixels = np.random.default_rng(3).uniform([0, 0], [1279, 719], (500, 2))
    back, _ = project(model, model.centre_m + rays(model, pixels))
    assert np.abs(back - pixels).max() < 1e-6


def test_points_behind_or_outside_are_not_seen() -> None:
    model = camera()
    behind = model.centre_m - rays(model, np.array([[640.0, 360.0]])) * 5
    assert not project(model, behind)[1].any()
    assert not project(model, np.array([[40.0, -2.0, 2.5]]))[1].any()


def test_the_cylinder_and_the_mine_agree_both_ways_across_the_angle_seam() -> None:
    for left_rad in (3.1, 0.2, -2.9):
        surface = Cylinder(
            centre_m=(1.0, 2.0, 3.0),
            azimuth_left_rad=left_rad,
            tan_top=0.4,
            px_per_rad=700.0,
            size_px=(2400, 600),
        )
        pixels = np.random.default_rng(2).uniform([0, 0], [2399, 599], (300, 2))
        points = np.array(surface.centre_m) + surface.directions(pixels) * 9
        assert np.abs(surface.panorama_from_mine(points) - pixels).max() < 1e-6
        assert surface.inside(pixels).all()


def test_a_panorama_pixel_of_the_floor_has_a_mine_point_and_goes_back() -> None:
    surface = Cylinder(
        centre_m=(20.0, -2.0, 2.5),
        azimuth_left_rad=2.0,
        tan_top=0.4,
        px_per_rad=500.0,
        size_px=(900, 500),
    )
    floor = Floor(FloorConfig(centre_line_m=((0, 0, 0), (40, 0, 1.0)), cross_fall=0.02))
    pixels = np.random.default_rng(2).uniform([0, 0], [899, 499], (300, 2))
    points = surface.mine_from_panorama(pixels, floor)
    below = np.isfinite(points[:, 0])
    assert 50 < below.sum() < 300
    assert np.abs(surface.panorama_from_mine(points[below]) - pixels[below]).max() < 1e-3
    assert np.abs(points[below, 2] - floor.z_m(points[below, :2])).max() < 2e-3
    assert np.all(pixels[~below, 1] < 260)  # above the horizon there is no floor
