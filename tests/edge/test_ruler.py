"""The chainage ruler lies where the metres are, on both surfaces."""

import numpy as np
import pytest

from edge.ruler import ruler
from scene.floor import Floor
from scene.geometry import project, rays
from scene.rig import Rig, load_rig
from scene.site import Site, load_site
from tests.sample_site import SAMPLES


def sample(name: str) -> tuple[Rig, Site]:
    site = load_site(SAMPLES / name / "site.yaml")
    return load_rig(site.rig.file), site


@pytest.mark.parametrize("name", ["roadway", "longwall", "crossing"])
def test_each_mark_shows_its_own_metre(name: str) -> None:
    rig, site = sample(name)
    floor, marks = Floor(site.floor), ruler(rig, site.floor)
    assert len(marks) > 10
    chainages = [mark.chainage_m for mark in marks]
    assert chainages == sorted(set(chainages))
    for mark in marks:
        assert rig.surface.inside(np.array(mark.across_px)).all()
        across_m = np.linspace(site.floor.left_m, -site.floor.right_m, 9)
        points = floor.at(np.full(9, mark.chainage_m), across_m)
        there = rig.surface.panorama_from_mine(points)
        gap = np.linalg.norm(there[:, None] - np.array(mark.across_px)[None], axis=2).min(axis=0)
        assert gap.max() < 0.1
        assert mark.left_m is not None
        across_m = np.linspace(*mark.left_m, len(mark.across_px))
        there = rig.surface.panorama_from_mine(
            floor.at(np.full(len(across_m), mark.chainage_m), across_m)
        )
        assert np.abs(there - np.array(mark.across_px)).max() < 0.2, "point by point"


@pytest.mark.parametrize("name", ["longwall", "crossing"])
def test_a_ribbon_has_its_marks_evenly_spaced(name: str) -> None:
    rig, site = sample(name)
    middles = [np.mean(mark.across_px, axis=0)[0] for mark in ruler(rig, site.floor)]
    steps = np.abs(np.diff(middles))
    assert steps == pytest.approx(np.full(len(steps), steps.mean()), rel=0.01)


def test_a_mark_lies_where_a_camera_sees_that_metre() -> None:
    rig, site = sample("roadway")
    floor = Floor(site.floor)
    shown = 0
    for mark in ruler(rig, site.floor):
        middle = floor.at(np.array([mark.chainage_m]), np.array([0.0]))
        for camera in rig.cameras:
            pixel, seen = project(camera, middle)
            if not seen[0]:
                continue
            drawn = rig.surface.panorama_from_sight(camera.centre_m, rays(camera, pixel))[0]
            line = np.array(mark.across_px)
            # All cameras of a rotation rig are taken to hang in one place; they hang within 0.2 m.
            assert np.linalg.norm(line - drawn, axis=1).min() < 0.1 * rig.surface.size_px[0]
            shown += 1
    assert shown > 5
