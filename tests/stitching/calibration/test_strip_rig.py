"""Strip rigs: a painted corridor whose cameras are known exactly, and the rendered sample sites."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from edge.calibrate import take_pictures
from scene.arrays import Floats
from scene.errors import RigError
from scene.geometry import CameraModel, pose_from_mount, project, rays
from scene.ribbon import Ribbon
from scene.rig import Rig
from scene.site import FloorConfig, PanoramaConfig, RigConfig, load_site
from stitching.calibrate import calibrate, calibrate_with_evidence
from stitching.calibration.strip_bundle import sight_misses
from stitching.calibration.strip_ties import match_on_ribbon
from tests import sample_site
from tests.site_scores import surface_errors_px
from tests.stitching.corridor import FLOOR, corridor_ribbon, look, paint, strung, with_marker

BOTH = PanoramaConfig.model_validate({"surface": {"wall": "both", "wall_height_m": 2.8}})


@cache
def pictures(seed: int = 0) -> dict[str, Any]:
    return {model.name: [look(model, paint(seed))] for model in strung()}


def surveyed(cameras: list[CameraModel], each: int, noise_px: float = 0.3) -> list[dict[str, Any]]:
    rng = np.random.default_rng(5)
    points = []
    for model in cameras:
        pixels = rng.uniform([20, 20], [619, 339], (200, 2))
        places = corridor_ribbon().panorama_from_sight(model.centre_m, rays(model, pixels))
        good = np.isfinite(places[:, 0]) & corridor_ribbon().inside(places)
        where = corridor_ribbon().mine_from_panorama(places[good][:each])
        for pixel, point in zip(pixels[good][:each], where, strict=True):
            seen = pixel + rng.normal(0, noise_px, 2)
            points.append({"camera": model.name, "pixel": tuple(seen), "mine_m": tuple(point)})
    return points


def turn_deg(a: CameraModel, b: CameraModel) -> float:
    turn = a.camera_from_mine[:3, :3] @ b.camera_from_mine[:3, :3].T
    return float(np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1))))


def poses(cameras: list[CameraModel], off_m: float, off_deg: float) -> list[dict[str, Any]]:
    """Draw the cameras a little off from where they are."""
    rng = np.random.default_rng(8)
    rows = []
    for index, model in enumerate(cameras):
        x, y, z = model.centre_m + rng.normal(0, off_m, 3)
        rows.append(
            {
                "camera": model.name,
                "xyz_m": (x, y, z),
                "yaw_deg": 40.0 + rng.normal(0, off_deg),
                "pitch_deg": -22.0 + rng.normal(0, off_deg),
                "roll_deg": 1.5 * index - 1 + rng.normal(0, off_deg),
                "sigma_m": off_m,
                "sigma_deg": off_deg,
            }
        )
    return rows


def solve(**rig: Any) -> Rig:
    config = RigConfig.model_validate({"kind": "strip", **rig})
    return calibrate(pictures(), config, BOTH, FLOOR)


def landed_px(found: CameraModel, true: CameraModel) -> Floats:
    """Tell how far (N,) walls and floor land from where they are, in the camera's pixels."""
    grid = np.stack(np.meshgrid(np.linspace(0, 2799, 60), np.linspace(0, 1039, 30)), -1)
    points = corridor_ribbon().mine_from_panorama(grid.reshape(-1, 2))
    there, seen = project(true, points)
    seen &= np.linalg.norm(points - true.centre_m, axis=1) < 12
    return np.asarray(np.linalg.norm(project(found, points)[0] - there, axis=1)[seen])


def test_survey_points_and_walls_place_every_camera() -> None:
    truth = strung()
    config = RigConfig.model_validate({"kind": "strip", "survey_points": surveyed(truth, 8)})
    done = calibrate_with_evidence(pictures(), config, BOTH, FLOOR)
    rig = done.rig
    assert isinstance(rig.surface, Ribbon) and rig.anchor == "survey"
    assert rig.quality["place_sigma_m"] == pytest.approx(max(done.solved.place_sigma_m), abs=1e-5)
    for index, (found, true) in enumerate(zip(rig.cameras, truth, strict=True)):
        off = landed_px(found, true)
        assert np.median(off) < 0.5 and np.percentile(off, 95) < 1.5
        sigma_m = done.solved.place_sigma_m[index]
        assert np.linalg.norm(found.centre_m - true.centre_m) < 3.5 * sigma_m
        # The larger of the two doubts: what the lens may be is not taken off.
        assert np.sqrt(np.trace(found.pose_covariance[3:, 3:])) < sigma_m < 0.2
    assert rig.quality["agreeing_points"] > 9


def test_matches_make_drawn_cameras_agree_with_each_other() -> None:
    truth, drawn = strung(), poses(strung(), 0.03, 0.3)
    rig = solve(poses=drawn, lens={"hfov_deg": 80})
    assert rig.anchor == "mount"
    assert rig.quality["agreeing_points"] > 9
    assert rig.quality["agreeing_point_median_px"] < 0.5
    as_drawn = [
        replace(
            model,
            camera_from_mine=pose_from_mount(
                np.array(row["xyz_m"]), row["yaw_deg"], row["pitch_deg"], row["roll_deg"]
            ),
        )
        for model, row in zip(truth, drawn, strict=True)
    ]
    assert isinstance(rig.surface, Ribbon)
    seen = match_on_ribbon(truth, [image[0].y for image in pictures().values()], rig.surface)
    off = [np.abs(sight_misses(as_drawn, pair)) for pair in seen]
    now = [np.abs(sight_misses(list(rig.cameras), pair)) for pair in seen]
    assert np.median(np.concatenate(now)) < 0.2 * np.median(np.concatenate(off))
    for found, true in zip(rig.cameras, truth, strict=True):
        missed = found.camera_from_mine[:3, :3] @ (found.centre_m - true.centre_m)
        assert np.all(np.abs(missed) < 4 * np.sqrt(np.diag(found.pose_covariance)[3:]))


def test_markers_alone_place_every_camera() -> None:
    truth, painted = strung(), paint(2)
    tags = []
    for number, spot in enumerate(
        [*((x, y) for x in (380, 640, 980, 1240, 1580, 1850, 2150) for y in (90, 420)), (900, 600)]
    ):
        painted, corners = with_marker(painted, number, "apriltag_36h11", spot, 60)
        corners_m = corridor_ribbon().mine_from_panorama(corners)
        tags.append({"id": number, "corners_m": corners_m.tolist()})
    images = {model.name: [look(model, painted)] for model in truth}
    config = RigConfig.model_validate(
        {"kind": "strip", "markers": {"tags": tags, "sigma_m": 0.005}, "lens": {"hfov_deg": 80}}
    )
    rig = calibrate(images, config, BOTH, FLOOR)
    assert rig.quality["survey_points"] >= 24
    for found, true in zip(rig.cameras, truth, strict=True):
        assert np.median(landed_px(found, true)) < 0.8


def refused(**rig: Any) -> str:
    with pytest.raises(RigError) as caught:
        solve(**rig)
    return str(caught.value)


def test_a_camera_with_too_few_points_is_named() -> None:
    points = [p for p in surveyed(strung(), 8) if p["camera"] != "cam2"]
    text = refused(survey_points=[*points, *surveyed(strung(), 3)[3:6]])
    assert "camera cam2" in text and "3 survey points" in text and "rig.poses" in text


def test_a_camera_whose_points_lie_on_a_line_is_named() -> None:
    truth = strung()
    points = [p for p in surveyed(truth, 8) if p["camera"] != "cam3"]
    places = corridor_ribbon().mine_from_panorama(
        np.column_stack([np.linspace(1700, 2200, 12), np.full(12, 150.0)])
    )
    pixels, seen = project(truth[2], places)
    points += [
        {"camera": "cam3", "pixel": tuple(pixel), "mine_m": tuple(place)}
        for pixel, place in zip(pixels[seen], places[seen], strict=True)
    ]
    text = refused(survey_points=points)
    assert "camera cam3" in text and "one line" in text


def test_mirrored_points_are_refused() -> None:
    points = surveyed(strung(), 8)
    for point in points:
        x, y, z = point["mine_m"]
        point["mine_m"] = (x, -y, z)
    assert "mirrored" in refused(survey_points=points) or "signs" in refused(survey_points=points)


def test_one_wrong_point_is_named() -> None:
    points = surveyed(strung(), 8)
    x, y, z = points[11]["mine_m"]
    points[11]["mine_m"] = (x, y, z + 0.8)
    assert "rig.survey_points.11 (camera cam2)" in refused(survey_points=points)


def test_a_camera_that_would_hang_off_the_roadway_is_named() -> None:
    drawn = poses(strung(), 0.03, 0.3)
    x, y, z = drawn[1]["xyz_m"]
    aside = [drawn[0], {**drawn[1], "xyz_m": (x, y - 8.0, z)}, drawn[2]]
    text = refused(poses=aside, lens={"hfov_deg": 80})
    assert text.startswith("camera cam2: would hang at") and "m beyond the floor" in text
    below = [drawn[0], {**drawn[1], "xyz_m": (x, y, z - 4.0)}, drawn[2]]
    text = refused(poses=below, lens={"hfov_deg": 80})
    assert text.startswith("camera cam2: would hang at") and "m under the floor" in text


def test_points_along_a_long_low_strip_are_no_line() -> None:
    floor = FloorConfig(centre_line_m=((0, 0, 0), (120, 0, 0)), left_m=1.5, right_m=1.5)
    truth = [
        replace(
            model,
            camera_from_mine=pose_from_mount(
                np.array([10.0 + 45 * index, -1.2, 1.4]), 30.0, -12.0, 0.0
            ),
        )
        for index, model in enumerate(strung())
    ]
    points = []
    for model in truth:
        rng = np.random.default_rng(2)
        ahead = rng.uniform([2, -0.7, 0], [6, 1.0, 1.2], (60, 3))
        where = ahead + np.array([model.centre_m[0], 0, 0])
        pixels, seen = project(model, where)
        for pixel, point in zip(pixels[seen][:10], where[seen][:10], strict=True):
            points.append(
                {"camera": model.name, "pixel": tuple(pixel), "mine_m": tuple(point.tolist())}
            )
    config = RigConfig.model_validate({"kind": "strip", "survey_points": points})
    rig = calibrate(pictures(), config, PanoramaConfig(), floor)
    for found, true in zip(rig.cameras, truth, strict=True):
        assert np.linalg.norm(found.centre_m - true.centre_m) < 0.05


def test_poses_alone_do_not_tell_the_lens() -> None:
    assert "hfov_deg" in refused(poses=poses(strung(), 0.03, 0.3))


def test_a_wrong_lens_model_is_refused() -> None:
    points = surveyed(strung(hfov_deg=100.0), 8)
    text = refused(survey_points=points, lens={"hfov_deg": 40})
    assert "lens.hfov_deg" in text


@cache
def calibrated(name: str) -> Rig:
    site = load_site(sample_site.SAMPLES / name / "site.yaml")
    images = take_pictures(site, 5, 20)
    return calibrate(images, site.rig, site.panorama, site.floor)


@pytest.mark.parametrize(("name", "limit_px"), [("longwall", 2.0), ("crossing", 2.0)])
def test_sample_strips_fit_on_walls_and_floor(name: str, limit_px: float) -> None:
    rig = calibrated(name)
    folder = sample_site.SAMPLES / name
    errors = surface_errors_px(folder, rig, near_m=0.005)
    assert len(errors) > 50
    assert np.median(errors) <= limit_px
    for found, true in zip(rig.cameras, sample_site.cameras_from_truth(folder), strict=True):
        assert turn_deg(found, true) < 0.4
        assert np.linalg.norm(found.centre_m - true.centre_m) < 0.03
