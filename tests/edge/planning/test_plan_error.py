"""The expected error: its mathematics, and beside the errors really measured on the sample mine."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.acceptance.scoring import score
from edge.planning.error import expected, one_look, radius_m
from edge.planning.file import HungCamera
from edge.planning.section import Section
from edge.planning.view import camera_of
from location.foot import feet_on_floor
from scene.arrays import Floats
from scene.floor import Floor
from scene.geometry import CameraModel
from tests.edge.planning.plans import plan
from tests.sample_site import FOLDER, rig_of, run, site_of, world
from tests.site_scores import followed

UPRIGHT = ("walk", "stand", "work")
BOASTFUL, CAUTIOUS = 1 / 1.5, 3.0
"""How far the predicted error may lie below and above the measured one. At 68 % the planner
predicts 0.21 m for people followed and 0.31 m for one look, 0.09 m and 0.12 m are measured here:
the noise of the location stage allows for worse detectors and real pictures. Too cautious a promise
costs a camera; too bold a one is found out underground."""


@settings(max_examples=20, deadline=None)
@given(a=st.floats(0.05, 2), ratio=st.floats(0.05, 1), turn=st.floats(0, 3.1))
def test_the_radius_holds_its_share_of_a_gaussian(a: float, ratio: float, turn: float) -> None:
    cos, sin = np.cos(turn), np.sin(turn)
    axes = np.array([[cos, -sin], [sin, cos]])
    covariance = axes @ np.diag([a**2, (ratio * a) ** 2]) @ axes.T
    drawn = np.random.default_rng(1).multivariate_normal([0, 0], covariance, 20_000)
    for probability in (0.68, 0.95):
        radius = radius_m(covariance[None], probability)[0]
        inside = (np.hypot(*drawn.T) < radius).mean()
        assert inside == pytest.approx(probability, abs=0.015)


def test_a_radius_of_nothing_known_is_not_a_number() -> None:
    assert np.isnan(radius_m(np.full((1, 2, 2), np.nan), 0.95)).all()


def hung(pitch_deg: float = -20.0, **sigma: float) -> tuple[Section, CameraModel]:
    section = Section(plan(40))
    where = HungCamera(
        name="c", chainage_m=0, left_m=0, height_m=2.5, yaw_deg=0, pitch_deg=pitch_deg
    )
    given = (sigma.get("m", 0.02), sigma.get("deg", 0.1))
    return section, camera_of(section, where, section.plan.lenses[0], given)


def along(camera: CameraModel, section: Section, x_m: float, **more: float) -> Floats:
    feet = np.array([[x_m, 0.0, 0.0]])
    floor_m, lens = more.get("floor", 0.0), more.get("lens", 0.0)
    return np.sqrt(np.diag(one_look(camera, section.floor, feet, floor_m, lens)[0]))


def test_errors_grow_with_distance_and_with_every_cause() -> None:
    section, camera = hung()
    sigma = [along(camera, section, x)[0] for x in (4.0, 8.0, 12.0)]
    assert sigma[0] < sigma[1] < sigma[2]
    _, loose = hung(deg=1.0)
    assert along(loose, section, 10.0)[0] > 1.05 * along(camera, section, 10.0)[0]
    plain = along(camera, section, 10.0)[0]
    higher = along(camera, section, 10.0, floor=0.1)[0]
    # A floor 0.1 m higher, seen from 2.5 m at 10 m, moves the place by 0.4 m.
    assert higher**2 - plain**2 == pytest.approx(0.4**2, rel=0.05)
    assert along(camera, section, 10.0, lens=0.05)[0] > plain


def test_more_cameras_place_better_and_none_place_nobody() -> None:
    section, camera = hung()
    other = camera_of(
        section,
        HungCamera(name="d", chainage_m=16, left_m=0, height_m=2.5, yaw_deg=180, pitch_deg=-20),
        section.plan.lenses[0],
    )
    feet = np.array([[8.0, 0.0, 0.0], [39.0, 0.0, 0.0], [0.5, 0.0, 0.0]])
    one = expected([camera], section.floor, feet)
    two = expected([camera, other], section.floor, feet)
    first, both = (np.trace(found.followed_m2[0]) for found in (one, two))
    assert both < first
    assert np.trace(one.followed_m2[0]) < np.trace(one.look_m2[0])
    assert np.isnan(expected([other], section.floor, feet[1:2]).look_m2).all()
    assert np.isnan(one.look_m2[2]).all(), "right below the camera the body is cut"


def quantile_of(covariances_m2: Floats, probability: float) -> float:
    """The quantile of errors drawn from all of these Gaussians alike."""
    shape = (len(covariances_m2), 200, 2)
    drawn = np.random.default_rng(0).normal(size=shape)
    errors = np.einsum("nij,nkj->nki", np.linalg.cholesky(covariances_m2), drawn)
    return float(np.quantile(np.hypot(errors[..., 0], errors[..., 1]), probability))


def test_the_predicted_error_agrees_with_the_measured_one_on_the_sample_roadway() -> None:
    rig, floor = rig_of(FOLDER), Floor(site_of(FOLDER).floor)
    people = followed(FOLDER)
    feet, errors = [], []
    for match in score(people.truth, people.found, 1.0).matches:
        moment = world(FOLDER)[people.frames[match.instant]]
        about = next(p for p in moment["people"] if p["id"] == match.person)
        if about["state"] in UPRIGHT:
            feet.append(about["xyz_m"])
            errors.append(match.error_m)
    chosen = slice(None, None, 5)
    found = expected(rig.cameras, floor, np.array(feet)[chosen], looks_per_s=10)
    able = np.isfinite(found.followed_m2).all(axis=(1, 2))
    assert able.sum() > 50
    measured = float(np.quantile(np.array(errors)[chosen][able], 0.68))
    predicted = quantile_of(found.followed_m2[able], 0.68)
    assert BOASTFUL < predicted / measured < CAUTIOUS, (predicted, measured)


def test_the_predicted_error_of_one_look_agrees_with_the_measured_one() -> None:
    rig, floor = rig_of(FOLDER), Floor(site_of(FOLDER).floor)
    predicted, measured = [], []
    for output in run(FOLDER).outputs[::8]:
        upright = [p for p in world(FOLDER)[output.frame]["people"] if p["state"] in UPRIGHT]
        there = np.array([p["xyz_m"] for p in upright])
        for people in output.people:
            camera = rig.camera(people.camera)
            looks = feet_on_floor(people, camera, floor)
            for place, cut in zip(looks.xy_m, looks.cut, strict=True):
                off = np.linalg.norm(there[:, :2] - place, axis=1)
                who = there[off.argmin()][None]
                covariance = one_look(camera, floor, who, 0.03, 0.002)[0]
                if not cut and off.min() < 1.5 and np.isfinite(covariance).all():
                    predicted.append(covariance)
                    measured.append(off.min())
    assert len(measured) > 30
    ratio = quantile_of(np.array(predicted), 0.68) / float(np.quantile(measured, 0.68))
    assert BOASTFUL < ratio < CAUTIOUS, ratio
