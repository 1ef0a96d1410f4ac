"""Calibration against a painted room whose cameras are known exactly."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scene.errors import RigError
from scene.geometry import CameraModel, project, rays
from scene.messages import YuvImage
from scene.rig import Rig, save_rig
from scene.site import FloorConfig, PanoramaConfig, RigConfig
from stitching.calibrate import calibrate
from stitching.quality import tie_point_errors_px
from tests.stitching.views import CENTRE_M, camera, fan, room, spots, view, with_people

ROOM = room()
MOUNT = {"xyz_m": (20.0, -2.0, 2.5), "yaw_deg": 45.0, "pitch_deg": -4.0, "roll_deg": 1.0}


def pictures(cameras: list[CameraModel]) -> dict[str, list[YuvImage]]:
    return {model.name: [view(model, ROOM)] for model in cameras}


def surveyed(cameras: list[CameraModel], each: int, noise_px: float = 0.3) -> list[dict[str, Any]]:
    rng = np.random.default_rng(3)
    points = []
    for index, model in enumerate(cameras):
        pixels = spots(model, each, seed=index)
        reach_m = rng.uniform(2.0, 7.0, each)
        where = CENTRE_M + rays(model, pixels) * reach_m[:, None]
        for pixel, point in zip(pixels + rng.normal(0, noise_px, pixels.shape), where, strict=True):
            points.append({"camera": model.name, "pixel": tuple(pixel), "mine_m": tuple(point)})
    return points


def tie_errors(rig: Rig, cameras: list[CameraModel]) -> np.ndarray[Any, Any]:
    errors = []
    for first, second in itertools.pairwise(cameras):
        pixels = spots(first, 3000, seed=9, margin_px=2)
        there, seen = project(second, CENTRE_M + 1000 * rays(first, pixels))
        errors.append(tie_point_errors_px(rig, first.name, second.name, pixels[seen], there[seen]))
        assert seen.sum() > 100
    return np.concatenate(errors)


def angle_deg(a: CameraModel, b: CameraModel) -> float:
    turn = a.camera_from_mine[:3, :3] @ b.camera_from_mine[:3, :3].T
    return float(np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1))))


@pytest.fixture(scope="module")
def mounted() -> Rig:
    return calibrate(pictures(fan()), RigConfig.model_validate({"mount": MOUNT}), PanoramaConfig())


def test_rotations_and_lens_are_found_without_any_hint(mounted: Rig) -> None:
    truth = fan()
    errors = tie_errors(mounted, truth)
    assert np.median(errors) <= 0.3
    assert np.percentile(errors, 95) <= 1.0
    for found, true in zip(mounted.cameras, truth, strict=True):
        assert found.k[0, 0] == pytest.approx(true.k[0, 0], rel=0.02)
        assert angle_deg(found, true) < 0.6
    assert mounted.quality["cameras"] == 3
    assert mounted.quality["matched_point_median_px"] < 0.4


def test_a_mount_is_as_sure_as_it_says(mounted: Rig) -> None:
    assert mounted.anchor == "mount"
    first = mounted.cameras[0]
    assert np.allclose(first.centre_m, CENTRE_M)
    assert angle_deg(first, fan()[0]) < 1e-6
    assert np.allclose(np.diag(first.pose_covariance)[3:], 0.1**2)
    assert np.allclose(np.diag(first.pose_covariance)[:3], np.radians(1.0) ** 2)


def test_the_surface_holds_what_the_cameras_see(mounted: Rig) -> None:
    surface = mounted.surface
    assert surface.size_px[0] % 2 == 0 and surface.size_px[1] % 2 == 0
    assert surface.size_px[0] <= PanoramaConfig().max_width_px
    for model in fan():
        pixels = surface.panorama_from_mine(CENTRE_M + 5 * rays(model, spots(model, 50, 1)))
        assert surface.inside(pixels).mean() > 0.95


def test_the_same_pictures_give_the_same_rig_file(mounted: Rig, tmp_path: Path) -> None:
    again = calibrate(pictures(fan()), RigConfig.model_validate({"mount": MOUNT}), PanoramaConfig())
    save_rig(mounted, tmp_path / "first.yaml")
    save_rig(again, tmp_path / "again.yaml")
    assert (tmp_path / "first.yaml").read_bytes() == (tmp_path / "again.yaml").read_bytes()


def test_people_who_walk_about_do_not_disturb() -> None:
    rng = np.random.default_rng(5)
    images = {
        model.name: [with_people(view(model, ROOM), rng) for _ in range(5)] for model in fan()
    }
    rig = calibrate(images, RigConfig.model_validate({"mount": MOUNT}), PanoramaConfig())
    assert np.median(tie_errors(rig, fan())) <= 0.4


def test_survey_points_anchor_the_rig_in_metres() -> None:
    truth = fan()
    config = RigConfig.model_validate({"survey_points": surveyed(truth, 5)})
    rig = calibrate(pictures(truth), config, PanoramaConfig())
    assert rig.anchor == "survey"
    assert np.median(tie_errors(rig, truth)) <= 0.3
    for found, true in zip(rig.cameras, truth, strict=True):
        missed = found.centre_m - CENTRE_M
        assert np.linalg.norm(missed) < 0.03
        assert angle_deg(found, true) < 0.3
        covariance = found.pose_covariance
        assert np.all(np.linalg.eigvalsh(covariance) >= -1e-15)
        sigma_m = np.sqrt(np.diag(covariance)[3:])
        assert np.all(sigma_m > 5e-4) and np.all(sigma_m < 0.05)
        in_camera = found.camera_from_mine[:3, :3] @ missed
        assert np.all(np.abs(in_camera) < 5 * sigma_m)
    assert rig.quality["survey_rms_px"] < 1.0


def test_a_camera_without_overlap_is_registered_by_its_survey_points() -> None:
    truth = [*fan()[:2], camera("behind", 180.0)]
    config = RigConfig.model_validate({"survey_points": surveyed(truth, 6)})
    rig = calibrate(pictures(truth), config, PanoramaConfig())
    assert angle_deg(rig.cameras[2], truth[2]) < 0.3


def test_one_camera_with_survey_points_needs_no_hint() -> None:
    truth = [camera("only", 10.0, -8.0)]
    config = RigConfig.model_validate({"survey_points": surveyed(truth, 12)})
    rig = calibrate(pictures(truth), config, PanoramaConfig())
    assert np.linalg.norm(rig.cameras[0].centre_m - CENTRE_M) < 0.1
    assert rig.cameras[0].k[0, 0] == pytest.approx(truth[0].k[0, 0], rel=0.03)


def test_one_camera_with_a_mount_takes_its_lens_from_hfov() -> None:
    config = RigConfig.model_validate({"mount": MOUNT, "lens": {"hfov_deg": 70.0}})
    rig = calibrate(pictures([camera("only", 45.0)]), config, PanoramaConfig())
    assert rig.cameras[0].k[0, 0] == pytest.approx(240 / np.tan(np.radians(35)))


def test_wide_lenses_are_calibrated_as_fisheye() -> None:
    truth = [
        camera("a", 35.0, hfov_deg=130.0, lens="fisheye", k1=0.02),
        camera("b", -35.0, hfov_deg=130.0, lens="fisheye", k1=0.02),
    ]
    config = RigConfig.model_validate({"mount": MOUNT, "lens": {"model": "fisheye"}})
    rig = calibrate(pictures(truth), config, PanoramaConfig())
    assert np.median(tie_errors(rig, truth)) <= 0.5
    assert rig.cameras[0].lens == "fisheye"


def test_a_wrong_lens_model_is_refused() -> None:
    truth = [
        camera("a", 35.0, hfov_deg=130.0, lens="fisheye", k1=0.02),
        camera("b", -35.0, hfov_deg=130.0, lens="fisheye", k1=0.02),
    ]
    lens = {"model": "brown", "hfov_deg": 130.0}
    text = refused(truth, mount=MOUNT, survey_points=[], lens=lens)
    assert "camera a" in text and "fisheye" in text


def test_a_lens_wider_than_110_degrees_is_a_fisheye() -> None:
    assert (
        RigConfig.model_validate({"mount": MOUNT, "lens": {"hfov_deg": 130}}).lens.kind == "fisheye"
    )
    assert RigConfig.model_validate({"mount": MOUNT, "lens": {"hfov_deg": 90}}).lens.kind == "brown"


def test_cameras_of_different_size_fit_together() -> None:
    truth = [camera("a", 25.0), camera("b", -15.0, size_px=(640, 360))]
    rig = calibrate(pictures(truth), RigConfig.model_validate({"mount": MOUNT}), PanoramaConfig())
    assert np.median(tie_errors(rig, truth)) <= 0.5


def refused(cameras: list[CameraModel], images: Any = None, **config: Any) -> str:
    with pytest.raises(RigError) as caught:
        calibrate(
            pictures(cameras) if images is None else images,
            RigConfig.model_construct(
                **{**dict(RigConfig(mount=None, **base())), **parsed(config)}
            ),
            PanoramaConfig(),
        )
    return str(caught.value)


def base() -> dict[str, Any]:
    return {"survey_points": tuple(surveyed(fan(), 2))}


def parsed(config: dict[str, Any]) -> dict[str, Any]:
    checked = RigConfig.model_validate({"mount": MOUNT, **config})
    return {
        **{key: getattr(checked, key) for key in config},
        "mount": config.get("mount") and checked.mount,
    }


def test_a_camera_that_sees_nothing_in_common_is_named() -> None:
    text = refused([*fan()[:2], camera("behind", 180.0)], mount=MOUNT, survey_points=[])
    assert "behind" in text and "overlap" in text


def test_a_blind_camera_is_named() -> None:
    images = pictures(fan())
    dark = images["right"][0]
    images["right"] = [YuvImage(y=np.full_like(dark.y, 16), u=dark.u, v=dark.v)]
    assert "camera right" in refused(fan(), images, mount=MOUNT, survey_points=[])


def test_too_few_survey_points_are_refused() -> None:
    assert "at least 4" in refused(fan(), survey_points=surveyed(fan(), 1))


def test_four_times_the_same_point_is_refused() -> None:
    point = surveyed(fan(), 1)[0]
    assert "at least 4 different" in refused(fan(), survey_points=[point] * 4)


def test_points_on_a_line_are_refused() -> None:
    truth = fan()
    line = [CENTRE_M + np.array([4.0, y, -0.5]) for y in np.linspace(-3, 3, 9)]
    points = []
    for where in line:
        for model in truth:
            pixel, seen = project(model, where[None])
            if seen[0]:
                points.append(
                    {"camera": model.name, "pixel": tuple(pixel[0]), "mine_m": tuple(where)}
                )
    assert "one line" in refused(truth, survey_points=points)


def test_mirrored_points_are_refused() -> None:
    points = surveyed(fan(), 4)
    for point in points:
        x, y, z = point["mine_m"]
        point["mine_m"] = (x, -y, z)
    assert "mirrored" in refused(fan(), survey_points=points)


def test_points_in_feet_hang_the_rig_off_the_roadway() -> None:
    points = surveyed(fan(), 5)
    for point in points:
        point["mine_m"] = tuple(3.28 * value for value in point["mine_m"])
    config = RigConfig.model_validate({"survey_points": points})
    floor = FloorConfig(centre_line_m=((0, 0, 0), (40, 0, 0)))
    with pytest.raises(RigError, match=r"camera left: would hang at .*the unit is metres"):
        calibrate(pictures(fan()), config, PanoramaConfig(), floor)


def test_one_wrong_point_is_named() -> None:
    points = surveyed(fan(), 4)
    x, y, z = points[6]["mine_m"]
    points[6]["mine_m"] = (x, y, z + 1.5)
    text = refused(fan(), survey_points=points)
    assert "survey_points.6" in text and "camera middle" in text


def test_pictures_of_different_size_are_refused() -> None:
    images = pictures(fan())
    images["middle"].append(view(camera("middle", 0.0, size_px=(320, 180)), ROOM))
    text = refused(fan(), images, mount=MOUNT, survey_points=[])
    assert "camera middle" in text and "320 x 180" in text


def test_one_camera_on_a_mount_must_tell_its_lens() -> None:
    text = refused([camera("only", 0.0)], mount=MOUNT, survey_points=[])
    assert "camera only" in text and "hfov_deg" in text


def test_a_camera_without_pictures_is_named() -> None:
    images = pictures(fan())
    images["left"] = []
    assert "camera left" in refused(fan(), images, mount=MOUNT, survey_points=[])
