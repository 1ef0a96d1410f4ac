"""What the report's figures mean, against cases whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest

from edge.calibration.figures import FAR_M
from edge.calibration.floor_error import floor_sigma_m
from edge.calibration.measure import figures_of
from scene.floor import Floor
from scene.geometry import CameraModel, pose_from_mount, project, rays
from scene.site import FloorConfig
from stitching.calibrate import Calibration
from stitching.calibration.rotation import ideal_camera
from stitching.calibration.solved import Solved
from stitching.calibration.strip_bundle import moved_pose
from stitching.lens import with_usable_angle
from tests.edge.calibration.sites import painted

FLOOR = Floor(FloorConfig(centre_line_m=((0, 0, 0), (40, 0, 1)), left_m=3, right_m=3))


def hung(covariance: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> CameraModel:
    model = ideal_camera("cam", (1280, 720), "brown", 70.0, -0.1)
    pose = pose_from_mount(np.array([5.0, -2.0, 2.8]), 12.0, -18.0, 2.0)
    return with_usable_angle(replace(model, camera_from_mine=pose, pose_covariance=covariance))


def test_the_error_on_the_floor_is_what_many_wrong_poses_give() -> None:
    root = np.random.default_rng(3).normal(size=(6, 6)) * 1e-3
    root[3:] *= 5
    camera = hung(root @ root.T)
    told = floor_sigma_m(camera, FLOOR, 6.0)
    assert told is not None
    rng = np.random.default_rng(4)
    # Where it is largest, among the floor's points 6 m away that it sees.
    angle = np.radians(np.arange(0, 360, 2.5))
    xy = camera.centre_m[:2] + 6.0 * np.column_stack([np.cos(angle), np.sin(angle)])
    points = np.column_stack([xy, FLOOR.z_m(xy)])
    pixels, seen = project(camera, points)
    seen &= FLOOR.outside_m(xy) <= 0
    assert seen.sum() > 5
    landed = []
    for _ in range(1500):
        step = root @ rng.normal(size=6)
        moved = replace(camera, camera_from_mine=moved_pose(camera.camera_from_mine, step))
        landed.append(FLOOR.meet(moved.centre_m, rays(moved, pixels[seen]))[0][:, :2])
    spread = [np.cov(place.T) for place in np.stack(landed, axis=1)]
    measured = max(np.sqrt(np.linalg.eigvalsh(each).max()) for each in spread)
    assert told == pytest.approx(measured, rel=0.08)


def test_a_camera_that_shows_no_floor_so_far_away_says_nothing() -> None:
    camera = hung(np.eye(6) * 1e-6)
    assert floor_sigma_m(camera, FLOOR, 0.5) is None
    assert floor_sigma_m(camera, FLOOR, 6.0) is not None


def shifted(point: int, by_m: tuple[float, float, float]) -> Calibration:
    """The painted site, one of its points moved after calibration."""
    calibration = painted().calibration
    survey = calibration.survey
    assert survey is not None
    points = survey.points_m.copy()
    points[point] += by_m
    return replace(calibration, survey=replace(survey, points_m=points))


def test_a_point_ten_centimetres_off_misses_by_ten_centimetres() -> None:
    judged, number = painted(), 3
    camera = judged.calibration.rig.cameras[0]
    right = camera.camera_from_mine[0, :3]
    off = shifted(number, (0.1 * float(right[0]), 0.1 * float(right[1]), 0.0))
    found = figures_of(off, judged.site, judged.maps, 3)
    point = found.cameras[0].points[number]
    survey = off.survey
    assert survey is not None
    away = float(np.linalg.norm(survey.points_m[number] - camera.centre_m))
    assert point.miss_cm == pytest.approx(10, abs=1.2)
    assert point.miss_px == pytest.approx(0.1 / away * camera.k[0, 0], rel=0.2)
    landed = np.array(point.landed) - np.array(point.pixel)
    assert landed[0] > 0.9 * point.miss_px
    others = [p.miss_cm for p in found.points if p.name != point.name]
    assert max(others) < 1


def test_matches_are_measured_in_pixels_centimetres_and_on_the_panorama() -> None:
    """Every second point is moved by 2 px: each figure must follow."""
    judged = painted()
    solved = judged.calibration.solved
    cameras = judged.calibration.rig.cameras

    def moved(index: int) -> Solved:
        pair = solved.matches[index]
        second_px = pair.second_px + np.array([2.0, 0.0])
        matches = list(solved.matches)
        matches[index] = replace(pair, second_px=second_px)
        misses = list(solved.misses_px)
        misses[index] = misses[index] - np.array([2.0, 0.0])
        return replace(solved, matches=tuple(matches), misses_px=tuple(misses))

    off = replace(judged.calibration, solved=moved(0))
    found = figures_of(off, judged.site, judged.maps, 3)
    pair = found.pairs[0]
    assert np.median(pair.misses_px) == pytest.approx(2, abs=0.1)
    second = cameras[solved.matches[0].second]
    # Off the middle of the picture a pixel is a smaller angle, by up to a half at 35 degrees.
    assert 0.5 < np.median(pair.misses_cm) / (200 * FAR_M / second.k[0, 0]) < 1.1
    shift = np.median(pair.second_xy - pair.first_xy, axis=0)
    assert shift[0] == pytest.approx(2, abs=0.8) and abs(shift[1]) < 0.6
    assert np.median(found.pairs[1].misses_px) < 0.3
    assert found.pairs[0].agreeing == int(solved.kept[0].sum())
    assert found.pairs[0].off_px == pytest.approx(2, abs=0.2)
    assert found.pairs[1].off_px < 0.5


def test_cameras_are_described_as_they_are() -> None:
    found = painted().figures
    assert [camera.name for camera in found.cameras] == ["left", "middle", "right"]
    for camera, yaw_deg in zip(found.cameras, (45.0, 0.0, -45.0), strict=True):
        assert camera.heading_deg == pytest.approx(yaw_deg, abs=0.5)
        assert camera.hfov_deg == pytest.approx(70, abs=3)
        assert camera.reach > 0.8
        assert np.linalg.norm(np.array(camera.centre_m) - [20, -2, 2.5]) < 0.05
    assert found.cameras[1].matches == sum(pair.agreeing for pair in found.pairs)
    assert [(pair.first, pair.second) for pair in found.pairs] == [
        ("left", "middle"),
        ("middle", "right"),
    ]
    assert all(0.25 < pair.overlap < 0.5 for pair in found.pairs)
