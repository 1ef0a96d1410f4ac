"""The search for a layout: it covers what it says, with few cameras, the same ones each time."""

from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from edge.planning.candidates import may_hang, runs
from edge.planning.file import HungCamera, PlanConfig
from edge.planning.gaps import shared_picture
from edge.planning.judge import Judgement, judge
from edge.planning.optics import Optics
from edge.planning.search import Layout, search
from edge.planning.section import Section
from tests.edge.planning.plans import FULL_HD, plan, silent

CABINET = {"name": "cabinet", "along_m": [6, 8], "across_m": [-2.4, -1.2], "height_m": 1.8}
WALL = {"name": "stopping", "along_m": [7, 7.5], "across_m": [-2.4, 2.4], "height_m": 2.8}


def found(config: PlanConfig) -> tuple[Layout, Judgement]:
    section = Section(config)
    layout = search(section, FULL_HD, silent)
    return layout, judged(section, layout.hung)


def judged(section: Section, hung: tuple[HungCamera, ...]) -> Judgement:
    optics = Optics(section, FULL_HD)
    return judge(section, [optics.camera(one) for one in hung], FULL_HD)


@cache
def simple() -> tuple[Layout, Judgement]:
    return found(plan(14))


def test_two_cameras_cover_a_short_roadway_and_walkers_are_handed_over() -> None:
    layout, judgement = simple()
    assert layout.enough
    assert layout.needed == len(layout.hung) == 2
    assert judgement.covered
    assert judgement.seen_share > 0.97
    assert judgement.blind == ()
    assert [one.name for one in layout.hung] == ["cam1", "cam2"]
    section = judgement.section
    seen = np.array([view.seen for view in judgement.views])
    assert runs(section, seen).any(axis=0).mean() > 0.95


def test_the_same_plan_gives_the_same_layout() -> None:
    assert found(plan(14))[0] == simple()[0]


def test_with_fewer_cameras_than_needed_it_says_what_is_missing() -> None:
    layout, judgement = found(plan(14, cameras=1))
    assert len(layout.hung) == 1
    assert not layout.enough
    assert layout.needed == 2
    assert judgement.short_m
    assert judgement.seen_share > 0.6, "the best one camera can do"
    assert judgement.blind


def test_what_stands_in_the_way_costs_a_camera_or_more_and_all_is_seen_again() -> None:
    layout, judgement = found(plan(14, obstacles=[CABINET]))
    assert layout.enough
    assert len(layout.hung) >= 2
    bare = judged(Section(plan(14, obstacles=[CABINET])), simple()[0].hung)
    assert judgement.seen_share >= bare.seen_share
    assert not judgement.short_m


def test_places_that_must_be_seen_twice_are_and_not_by_twins_on_one_bracket() -> None:
    lens = {"hfov_deg": 50, "size_px": [1920, 1080]}
    wish: dict[str, Any] = {"mounts": {"sides": ["right"]}, "wishes": {"twice_m": [[2, 12]]}}
    layout, judgement = found(plan(14, lenses=[lens], **wish))
    assert judgement.covered
    for metre in judgement.metres[2:12]:
        assert metre.twice_share >= 0.9
    for first, second in pairwise(layout.hung):
        turned = abs((first.yaw_deg - second.yaw_deg + 180) % 360 - 180)
        apart = np.hypot(first.chainage_m - second.chainage_m, first.left_m - second.left_m)
        assert apart > 1.9 or turned > 29


def test_forty_metres_take_four_cameras() -> None:
    layout, judgement = found(plan(40))
    assert judgement.covered
    assert layout.needed == len(layout.hung) == 4


def test_nothing_hangs_where_nothing_may() -> None:
    config = plan(
        14, mounts={"sides": ["left", "roof"]}, no_mounts=[{"along_m": [0, 5]}], cameras=3
    )
    layout, _ = found(config)
    assert layout.hung
    for one in layout.hung:
        assert one.chainage_m > 5
        assert one.left_m == pytest.approx(2.1) or one.left_m == 0
        assert one.height_m == pytest.approx(2.65 if one.left_m == 0 else 2.5)


def test_nothing_hangs_inside_an_obstacle() -> None:
    section = Section(plan(14, obstacles=[{**CABINET, "height_m": 2.8}]))
    assert not may_hang(section, "right", 7.0)
    assert may_hang(section, "left", 7.0)
    assert may_hang(section, "right", 9.0)
    assert may_hang(Section(plan(14, obstacles=[CABINET])), "right", 7.0), "above it one may"


def test_what_no_camera_can_reach_is_told_and_costs_no_cameras() -> None:
    forbidden: list[Any] = [{"along_m": [7, 14]}]
    layout, judgement = found(plan(14, obstacles=[WALL], no_mounts=forbidden))
    assert not layout.enough
    assert layout.needed is None
    assert set(layout.unreachable_m) >= set(range(8, 14))
    assert not set(layout.unreachable_m) & set(range(6))
    assert len(layout.hung) <= 3
    assert judgement.short_m == layout.unreachable_m


def test_a_fan_shares_what_calibration_needs_and_hangs_on_one_spot() -> None:
    layout, judgement = found(plan(14, rig="rotation", cameras=8))
    assert len({(one.chainage_m, one.left_m) for one in layout.hung}) * 2 <= len(layout.hung)
    for first, second in pairwise(range(len(layout.hung))):
        a, b = layout.hung[first], layout.hung[second]
        if (a.chainage_m, a.left_m) == (b.chainage_m, b.left_m):
            _, share = shared_picture(judgement.cameras[first], judgement.cameras[second])
            assert share >= judgement.section.plan.wishes.overlap_share - 0.01
    assert judgement.covered == layout.enough


def test_a_walker_is_handed_over_only_where_one_camera_keeps_him_long_enough() -> None:
    section = Section(plan(6, wishes={"overlap_m": 1.0}))
    steps, lanes = section.places.shape
    first = np.zeros((steps, lanes), bool)
    first[:7] = True
    kept = runs(section, first.reshape(1, -1)).reshape(steps, lanes)
    assert kept[:5].all()
    assert not kept[5:].any(), "the last metre before the edge"
    whole = runs(section, np.ones((1, steps * lanes), bool))
    assert whole.all(), "the end of the stretch ends the walk"
