"""Scripts: what each miner does when, where they arrive, feet that do not slide."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from sample_videos.generator.poses import LIE_ON_SIDE
from sample_videos.generator.scene_file import MinerSpec, StepSpec
from sample_videos.generator.script import Moment, lying_pose, play

FPS = 10


def course(*steps: StepSpec, seconds: float = 10.0, miner: int = 1, **spec: Any) -> list[Moment]:
    return play(
        MinerSpec(id=miner, at_m=(0.0, 0.0), script=steps, **spec), FPS, round(seconds * FPS)
    )


def states(moments: list[Moment]) -> list[str]:
    return [state for state, _ in itertools.groupby(m.state for m in moments)]


def test_every_action_has_its_state() -> None:
    moments = course(
        StepSpec(walk_to=(2.0, 0.0)),
        StepSpec(crouch_s=2.5),
        StepSpec(work_s=3.0),
        StepSpec(stand_s=1.0),
        StepSpec(fall_s=0.9),
        StepSpec(lie_s=2.0),
        StepSpec(rise_s=3.0),
        StepSpec(walk_to=(4.0, 0.0)),
        seconds=20,
    )
    assert states(moments) == [
        "walk", "crouch", "work", "stand", "fall", "lie", "rise", "stand", "walk", "stand",
    ]  # fmt: skip
    assert moments[-1].xy_m == pytest.approx((4.0, 0.0), abs=0.03)


def test_who_fell_lies_to_the_end() -> None:
    moments = course(StepSpec(stand_s=1.0), StepSpec(fall_s=0.9), seconds=6)
    assert states(moments) == ["stand", "fall", "lie"]
    assert moments[-1].pose == LIE_ON_SIDE
    assert moments[-1].xy_m == moments[25].xy_m
    lengths = [sum(m.state == state for m in moments) / FPS for state in ("stand", "fall")]
    assert lengths == pytest.approx([1.0, 0.9], abs=0.11)


def test_miners_fall_to_different_sides() -> None:
    ends = [course(StepSpec(fall_s=0.9), seconds=3, miner=i)[-1].pose for i in (1, 2, 3, 4)]
    assert ends[0] == ends[3] == lying_pose(1)
    assert ends[0] != ends[1] != ends[2]


def test_pelvis_does_not_jump() -> None:
    moments = course(
        StepSpec(walk_to=(2.0, 0.0)),
        StepSpec(fall_s=0.9),
        StepSpec(lie_s=1.0),
        StepSpec(rise_s=3.0),
        StepSpec(walk_to=(0.0, 1.0)),
        StepSpec(work_s=3.0),
        StepSpec(crouch_s=2.0),
        seconds=20,
    )
    steps = [math.dist(a.xy_m, b.xy_m) for a, b in itertools.pairwise(moments)]
    assert max(steps) < 0.35


def test_there_and_back_ends_on_the_start() -> None:
    moments = course(
        StepSpec(walk_to=(4.0, 0.5)),
        StepSpec(walk_to=(0.0, 0.0)),
        StepSpec(stand_s=2.0, face_deg=0.0),
        seconds=15,
        face_deg=0.0,
    )
    assert math.dist(moments[-1].xy_m, (0.0, 0.0)) < 0.03
    assert abs(math.sin(moments[-1].yaw_rad)) < 0.02 and math.cos(moments[-1].yaw_rad) > 0.99
    assert min(math.dist(m.xy_m, (4.0, 0.5)) for m in moments) < 0.03


def test_a_bend_is_walked_without_a_stop() -> None:
    moments = course(
        StepSpec(walk_to=(3.0, 0.0)), StepSpec(walk_to=(6.0, 1.2)), StepSpec(stand_s=1.0), seconds=9
    )
    assert states(moments) == ["walk", "stand"]
    assert min(math.dist(m.xy_m, (3.0, 0.0)) for m in moments) < 0.06
    assert math.dist(moments[-1].xy_m, (6.0, 1.2)) < 0.03


def test_a_worker_turns_first() -> None:
    moments = course(StepSpec(work_s=5.0, face_deg=90.0), seconds=5)
    assert math.degrees(moments[-1].yaw_rad) == pytest.approx(90, abs=2)
    turning = [abs(b.yaw_rad - a.yaw_rad) for a, b in itertools.pairwise(moments)]
    assert max(turning) < math.radians(16)


def test_helmet_comes_off_and_on() -> None:
    moments = course(
        StepSpec(stand_s=1.0), StepSpec(helmet_on=False), StepSpec(stand_s=1.0),
        StepSpec(helmet_on=True), seconds=6,
    )  # fmt: skip
    worn = [m.helmet_on for m in moments]
    assert worn[0] and worn[-1]
    bare = [i / FPS for i, on in enumerate(worn) if not on]
    assert bare[0] == pytest.approx(1.6, abs=0.11)
    assert len(bare) / FPS == pytest.approx(0.5 + 1.0 + 0.6, abs=0.21)
    assert not course(StepSpec(stand_s=1.0), helmet_on=False)[-1].helmet_on


def test_the_same_script_gives_the_same_moments() -> None:
    steps = (StepSpec(walk_to=(3.0, 1.0)), StepSpec(work_s=2.0), StepSpec(fall_s=0.9))
    assert course(*steps) == course(*steps)
    longer = course(*steps, seconds=12)
    assert longer[:80] == course(*steps)[:80]


SLIDE_M = 0.03


@pytest.mark.parametrize(("speed", "height"), [(0.6, 1.78), (1.0, 1.6), (1.5, 1.9)])
def test_feet_do_not_slide(speed: float, height: float) -> None:
    """The lowest vertices of a boot stay where they are while they are on the floor."""
    pytest.importorskip("skimage")
    from sample_videos.generator.miner import BOOT, Look, build_body, pose_miner

    body = build_body()
    look = Look(height_m=height, suit=(0.1, 0.1, 0.1), helmet=(0.5, 0.5, 0.5))
    moments = course(
        StepSpec(walk_to=(4.0, 0.0), speed_m_s=speed),
        StepSpec(walk_to=(4.0, 1.0), speed_m_s=speed),
        StepSpec(walk_to=(1.0, 0.0), speed_m_s=speed),
        StepSpec(work_s=2.0),
        seconds=14,
        height_m=height,
    )
    people = [
        pose_miner(body, look, m.pose, m.xy_m, yaw_rad=m.yaw_rad, floor_z_m=0.0).vertices
        for m in moments
    ]
    boots = body.part == BOOT
    for a, b in itertools.pairwise(people):
        carrying = 0
        for side in (body.vertices[:, 1] > 0, body.vertices[:, 1] < 0):
            before, after = a[boots & side], b[boots & side]
            down = (before[:, 2] < 0.012) & (after[:, 2] < 0.012)
            if down.sum() > 3:
                carrying += 1
                moved = np.linalg.norm((after - before)[down, :2], axis=1)
                assert np.median(moved) < SLIDE_M
        assert carrying  # somebody who walks always has a foot on the floor
