"""Cameras of one model, one of them hung upright: the rig is found whichever comes first."""

from dataclasses import replace

import numpy as np
import pytest

from scene.geometry import CameraModel, pose_from_mount, project, rays
from scene.site import PanoramaConfig, RigConfig
from stitching.calibrate import calibrate
from stitching.calibration.bundle import Problem, cameras_of, start_state
from stitching.calibration.rotation import ideal_camera
from stitching.lens import lens_prior
from stitching.quality import tie_point_errors_px
from tests.stitching.views import CENTRE_M, camera, room, spots, view

ROOM = room()


def lying() -> CameraModel:
    return camera("lying", 14.0, hfov_deg=40.0)


def upright() -> CameraModel:
    """Make the same camera as the lying one, hung upright beside it."""
    model = lying()
    k = model.k.copy()
    k[:2, 2] = k[1::-1, 2]
    pose = pose_from_mount(CENTRE_M, -4.0, -5.0, 0.0)
    return replace(model, name="upright", size_px=model.size_px[::-1], k=k, camera_from_mine=pose)


@pytest.mark.parametrize("first", ["lying", "upright"])
def test_a_camera_hung_upright_fits_a_lying_one(first: str) -> None:
    truth = sorted([lying(), upright()], key=lambda model: model.name != first)
    images = {model.name: [view(model, ROOM)] for model in truth}
    config = RigConfig.model_validate({"mount": {"xyz_m": tuple(CENTRE_M)}})
    rig = calibrate(images, config, PanoramaConfig())
    a, b = truth
    pixels = spots(a, 2000, seed=1, margin_px=2)
    there, seen = project(b, CENTRE_M + 1000 * rays(a, pixels))
    assert seen.sum() > 100
    errors = tie_point_errors_px(rig, a.name, b.name, pixels[seen], there[seen])
    assert np.median(errors) <= 0.3
    assert rig.quality["matched_point_median_px"] < 0.5


def test_refining_starts_from_the_focal_length_of_every_guessed_camera() -> None:
    guessed = [ideal_camera("a", (480, 270), "brown", 40.0, 0.0)]
    k = guessed[0].k.copy()
    k[:2, 2] = k[1::-1, 2]
    guessed.append(replace(guessed[0], name="b", size_px=(270, 480), k=k))
    prior, sigma = lens_prior(guessed, hfov_known=False)
    problem = Problem(
        names=("a", "b"),
        sizes_px=((480, 270), (270, 480)),
        lens="brown",
        pairs=(),
        survey=None,
        prior=prior,
        prior_sigma=sigma,
    )
    for start, guess in zip(
        cameras_of(problem, start_state(problem, guessed)), guessed, strict=True
    ):
        assert np.allclose(start.k, guess.k)


def test_a_wide_lens_of_which_nothing_is_told_is_found_to_its_corners() -> None:
    truth = [
        replace(model, distortion=np.array([0.08, -0.14, 0, 0, 0.05]))
        for model in (
            camera("a", 27.0, hfov_deg=92.0, k1=0.0),
            camera("b", -27.0, hfov_deg=92.0, k1=0.0),
        )
    ]
    images = {model.name: [view(model, ROOM)] for model in truth}
    config = RigConfig.model_validate({"mount": {"xyz_m": tuple(CENTRE_M)}})
    rig = calibrate(images, config, PanoramaConfig())
    pixels = spots(truth[0], 4000, seed=1, margin_px=2)
    there, seen = project(truth[1], CENTRE_M + 1000 * rays(truth[0], pixels))
    errors = tie_point_errors_px(rig, "a", "b", pixels[seen], there[seen])
    assert np.percentile(errors, 95) <= 0.3
