"""How sure a place is, against the place itself, over many surveys that are wrong by chance."""

import numpy as np

from scene.arrays import Floats
from scene.geometry import project
from stitching.calibration.strip_bundle import StripProblem, StripState, refine_strip, strip_cameras
from stitching.calibration.survey import PIXEL_SIGMA, Survey
from stitching.lens import SHARED, lens_prior
from tests.stitching.corridor import strung

POINT_SIGMA_M = 0.01
SURVEYS = 30


def surveyed(rng: np.random.Generator) -> Survey:
    """Survey ten points of each camera, on wall and floor, and click them."""
    cameras, pixels, places = [], [], []
    for index, model in enumerate(strung(2)):
        around = np.array([model.centre_m[0], 0.0, 0.0])
        spots = around + rng.uniform([1.5, -1, 0.1], [8, 2.4, 2.6], (80, 3))
        seen = project(model, spots)[1]
        spots = spots[seen][:10]
        cameras += [index] * len(spots)
        pixels.append(project(model, spots)[0] + rng.normal(0, PIXEL_SIGMA, (len(spots), 2)))
        places.append(spots + rng.normal(0, POINT_SIGMA_M, spots.shape))
    return Survey(
        camera=np.array(cameras),
        pixels=np.vstack(pixels),
        points_m=np.vstack(places),
        sigma_m=np.full(len(cameras), POINT_SIGMA_M),
        names=tuple(str(number) for number in range(len(cameras))),
    )


def solved(rng: np.random.Generator) -> tuple[list[Floats], list[Floats], list[float]]:
    """Give what two cameras miss their places by, about their own axes, and both sigmas."""
    truth = strung(2)
    prior, sigma = lens_prior(truth, True)
    # Each camera's lens differs from the common one by as much as calibration expects.
    prior += rng.normal(0, 1, len(prior)) * np.where(np.arange(len(prior)) < SHARED, 0, sigma)
    problem = StripProblem(
        names=tuple(model.name for model in truth),
        sizes_px=tuple(model.size_px for model in truth),
        lens="brown",
        survey=surveyed(rng),
        poses=(),
        matches=(),
        prior=prior,
        prior_sigma=sigma,
    )
    start = StripState(
        camera_from_mine=np.stack([model.camera_from_mine for model in truth]), terms=prior.copy()
    )
    state, doubts = refine_strip(problem, start)
    missed = [
        found.camera_from_mine[:3, :3] @ (found.centre_m - true.centre_m)
        for found, true in zip(strip_cameras(problem, state), truth, strict=True)
    ]
    return (
        missed,
        [np.sqrt(np.diag(doubt.marginal)[3:]) for doubt in doubts],
        [doubt.place_sigma_m for doubt in doubts],
    )


def test_a_place_is_as_sure_as_it_says() -> None:
    rng = np.random.default_rng(4)
    runs = [solved(rng) for _ in range(SURVEYS)]
    missed = np.array([run[0] for run in runs]).reshape(-1, 3)
    sigma_m = np.array([run[1] for run in runs]).reshape(-1, 3)
    place_sigma_m = np.array([run[2] for run in runs]).ravel()
    assert np.all(np.abs(missed) < 3.5 * sigma_m)
    along = float(np.sqrt(np.mean((missed[:, 2] / sigma_m[:, 2]) ** 2)))
    assert 0.7 < along < 1.3
    whole = np.linalg.norm(missed, axis=1) / place_sigma_m
    assert 0.7 < float(np.sqrt(np.mean(whole**2))) < 1.3
