"""What the planner says a camera shows, beside what the sample mine's true cameras show."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.planning.file import HungCamera, LensChoice
from edge.planning.section import Section
from edge.planning.view import Needs, View, camera_of, look, needs, reach_m, spot
from location.foot import STATURE_M
from scene.arrays import Bools, Floats
from scene.geometry import CameraModel, project, rays
from tests.edge.planning.plans import places_at, plan
from tests.sample_site import boxes, cameras_from_truth, site_of, sites, world

NEED = Needs(person_px=40, lying_px=32)
UPRIGHT = ("walk", "stand")


def empty_mine(folder: Path) -> Section:
    """The site's floor with nothing on it."""
    return Section(plan(floor=site_of(folder).floor, height_m=3.5))


def seen_at(section: Section, camera: CameraModel, feet_m: Floats, need: Needs = NEED) -> View:
    return look(camera, spot(section, places_at(feet_m), camera.centre_m, 200.0), need)


def truth(folder: Path, camera: str) -> tuple[Floats, Floats, Floats]:
    """Feet (N, 3), stature (N,) and box (N, 4) of upright people nothing hides, by the truth."""
    rows = []
    for moment, there in zip(world(folder), boxes(folder)[camera], strict=True):
        people = {p["id"]: p for p in moment["people"]}
        for person, edges, visible in zip(
            there.people.tolist(), there.edges_px, there.visibility, strict=True
        ):
            about = people[person]
            if about["state"] in UPRIGHT and visible > 0.9:
                rows.append((*about["xyz_m"], about["height_m"], *edges.tolist()))
    table = np.array(rows).reshape(-1, 8)
    return table[:, :3], table[:, 3], table[:, 4:]


@pytest.mark.parametrize("folder", sites(), ids=lambda folder: folder.name)
def test_bodies_are_as_high_and_as_whole_as_in_the_rendered_pictures(folder: Path) -> None:
    ratios: list[Floats] = []
    agree: list[Bools] = []
    for camera in cameras_from_truth(folder):
        feet, stature, edges = truth(folder, camera.name)
        if not len(feet):
            continue
        view = seen_at(empty_mine(folder), camera, feet)
        width, height = camera.size_px
        whole = (edges[:, :2] > 1).all(axis=1)
        whole &= (edges[:, 2] < width - 2) & (edges[:, 3] < height - 2)
        agree.append(view.whole == whole)
        both = view.whole & whole
        size = (edges[both, 3] - edges[both, 1]) * STATURE_M / stature[both]
        ratios.append(view.standing_px[both] / size)
    ratio = np.concatenate(ratios)
    assert len(ratio) > 100
    assert 0.93 < np.median(ratio) < 1.03, "the planner's height over the picture's"
    assert np.quantile(np.abs(ratio - np.median(ratio)), 0.9) < 0.06
    # A body's arms reach further than the planner's shoulders: a few at the edge differ.
    assert np.concatenate(agree).mean() > 0.93


@pytest.mark.parametrize("folder", sites(), ids=lambda folder: folder.name)
def test_coverage_is_what_the_true_cameras_project_into_their_pictures(folder: Path) -> None:
    section = empty_mine(folder)
    feet = section.places.feet_m
    up = np.array([0.0, 0.0, 1.0])
    for camera in cameras_from_truth(folder):
        view = seen_at(section, camera, feet)
        inside = section.inside(camera.centre_m, feet + 0.05 * up)
        _, foot = project(camera, feet)
        _, head = project(camera, feet + STATURE_M * up)
        assert np.array_equal(view.feet, foot & inside)
        assert not (view.whole & ~(foot & head)).any()
        assert (view.whole | ~(foot & head & inside)).mean() > 0.97, "but for the shoulders"
        assert view.seen.any()
        assert not (view.seen & ~view.whole).any()


@pytest.mark.parametrize(
    "lens",
    [
        {"hfov_deg": 84},
        {"hfov_deg": 60, "distortion": [-0.18, 0.04, 0, 0, 0]},
        {"hfov_deg": 140, "size_px": [1920, 1080]},
    ],
)
def test_a_lens_has_the_field_of_view_that_its_maker_says(lens: dict[str, object]) -> None:
    section = Section(plan(14))
    hung = HungCamera(name="c", chainage_m=5, left_m=0, height_m=2, yaw_deg=0, pitch_deg=0)
    choice = LensChoice.model_validate(lens)
    camera = camera_of(section, hung, choice)
    width, height = camera.size_px
    middle = (height - 1) / 2
    left, right = rays(camera, np.array([[-0.5, middle], [width - 0.5, middle]]))
    assert np.degrees(np.arccos(left @ right)) == pytest.approx(choice.hfov_deg, abs=0.01)


@settings(max_examples=30, deadline=None)
@given(
    along=st.floats(1, 12),
    wide=st.floats(0.3, 2.0),
    left=st.floats(-2.2, 2.2),
    high=st.floats(0.3, 2.5),
    yaw=st.floats(-60, 60),
)
def test_an_obstacle_never_shows_more_and_what_it_hides_is_said(
    along: float, wide: float, left: float, high: float, yaw: float
) -> None:
    box = {
        "name": "box",
        "along_m": [along, along + wide],
        "across_m": [left, left + wide],
        "height_m": high,
    }
    hung = HungCamera(name="c", chainage_m=0, left_m=0, height_m=2.5, yaw_deg=yaw, pitch_deg=-25)
    before, after = Section(plan(14)), Section(plan(14, obstacles=[box]))
    camera = camera_of(before, hung, before.plan.lenses[0])
    free = look(camera, spot(before, before.places, camera.centre_m, 60.0), NEED)
    less = look(camera, spot(after, after.places, camera.centre_m, 60.0), NEED)
    taken = after.places.taken
    assert not (less.seen & ~free.seen).any()
    assert not (less.feet & ~free.feet).any()
    assert np.array_equal(less.hidden, free.seen & ~less.seen & ~taken)
    assert not free.hidden.any()


CABINET = {"name": "cabinet", "along_m": [4, 5], "across_m": [-1, 1], "height_m": 1.8}


def view_along(section: Section) -> View:
    hung = HungCamera(name="c", chainage_m=0, left_m=0, height_m=2.5, yaw_deg=0, pitch_deg=-25)
    camera = camera_of(section, hung, section.plan.lenses[0])
    return look(camera, spot(section, section.places, camera.centre_m, 60.0), NEED)


def test_behind_a_cabinet_nobody_is_seen_and_beside_it_everybody() -> None:
    section = Section(plan(14, obstacles=[CABINET]))
    view, places = view_along(section), section.places
    behind = (places.chainage_m > 5.2) & (places.chainage_m < 6.5) & (np.abs(places.left_m) < 0.8)
    assert behind.any()
    assert view.hidden[behind].all()
    assert not (view.seen | view.feet)[behind].any()
    beside = (places.chainage_m > 3) & (places.chainage_m < 6.5) & (np.abs(places.left_m) > 1.8)
    assert view.seen[beside].all()


def test_what_the_bend_hides_is_not_said_to_be_hidden_by_an_obstacle() -> None:
    bend = {"centre_line_m": [[0, 0, 0], [8, 0, 0], [11, 12, 0]], "left_m": 2.4, "right_m": 2.4}
    section = Section(plan(floor=bend, obstacles=[CABINET]))
    view = view_along(section)
    round_it = section.places.chainage_m > 14.5
    assert view.hidden.any()
    assert not view.hidden[round_it].any()
    assert not view.seen[round_it].any()


def test_nobody_is_large_enough_beyond_the_reach() -> None:
    section = Section(plan(120))
    hung = HungCamera(name="c", chainage_m=0, left_m=0, height_m=2.5, yaw_deg=0, pitch_deg=-10)
    camera = camera_of(section, hung, section.plan.lenses[0])
    need = needs(section.plan, camera.size_px, (512, 288))
    assert (need.person_px, need.lying_px) == (100.0, 80.0)
    for one in (need, NEED):
        view = look(camera, spot(section, section.places, camera.centre_m, 300.0), one)
        far = section.places.chainage_m[view.seen].max()
        reach = reach_m(camera, one, 2.5)
        assert far < reach < 3 * far
