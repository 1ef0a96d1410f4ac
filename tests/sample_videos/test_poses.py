"""How the miners' bodies are held: lying, falling, getting up; their mesh and keypoints."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from sample_videos.generator import poses
from sample_videos.generator.poses import (
    FALL,
    ID,
    LIE_ON_BACK,
    LIE_ON_FRONT,
    LIE_ON_SIDE,
    STAND,
    Foot,
    Pose,
    bones_of,
    falling,
    gait,
    mirrored,
    mix,
    rest_to_posed,
    rising,
    working,
)

LYING = {"side": LIE_ON_SIDE, "front": LIE_ON_FRONT, "back": LIE_ON_BACK}
HEIGHT_M = 1.78
FASTEST_M_S = 6.0


@pytest.fixture(scope="module")
def body() -> Any:
    pytest.importorskip("skimage")
    from sample_videos.generator.miner import build_body

    return build_body()


def posed(body: Any, pose: Pose, **worn: bool) -> Any:
    from sample_videos.generator.miner import Look, pose_miner

    look = Look(height_m=HEIGHT_M, suit=(0.1, 0.1, 0.1), helmet=(0.5, 0.5, 0.5))
    return pose_miner(body, look, pose, (0.0, 0.0), yaw_rad=0.0, floor_z_m=0.0, **worn)


def joints(pose: Pose) -> Any:
    return rest_to_posed(bones_of(pose))


def lowest(body: Any, person: Any, joint: str) -> float:
    """Give the height of the lowest vertex that follows a joint most."""
    mine = body.weights.argmax(1) == ID[joint]
    return float(person.vertices[mine, 2].min())


@pytest.mark.parametrize("name", LYING)
@pytest.mark.parametrize("left", [False, True])
def test_who_lies_is_low_and_rests_on_the_floor(body: Any, name: str, left: bool) -> None:
    person = posed(body, mirrored(LYING[name]) if left else LYING[name])
    assert person.height_m <= 0.50
    assert person.height_m == pytest.approx(person.vertices[:, 2].max(), abs=1e-6)
    for joint in ("pelvis", "chest", "head"):
        assert lowest(body, person, joint) < 0.10, joint
    assert min(lowest(body, person, joint) for joint in ("shL", "shR")) < 0.05
    for joint in ("anL", "anR"):
        assert lowest(body, person, joint) < 0.09, joint
    low = person.vertices[:, 2] < 0.10
    along = person.vertices[low, 0]
    assert np.ptp(along) > 1.3  # it rests along its whole length, not on one spot


@pytest.mark.parametrize("name", LYING)
def test_who_lies_does_not_run_through_themselves(name: str) -> None:
    at = joints(LYING[name])
    segments = {
        "thighL": ("hipL", "knL"),
        "thighR": ("hipR", "knR"),
        "shinL": ("knL", "anL"),
        "shinR": ("knR", "anR"),
        "armL": ("elL", "wrL"),
        "armR": ("elR", "wrR"),
        "trunk": ("pelvis", "chest"),
    }
    apart = [("shinL", "shinR"), ("shinL", "thighR"), ("shinR", "thighL"), ("armL", "armR")]
    apart += [("armL", "trunk"), ("armR", "trunk")]
    for a, b in apart:
        one, two = (
            np.linspace(at[ID[start]], at[ID[end]], 20) for start, end in (segments[a], segments[b])
        )
        gap = np.linalg.norm(one[:, None] - two[None], axis=2).min()
        assert gap > 0.10, (a, b)


def travelled(motion: poses.Motion, start: Pose, share: float) -> Any:
    pose = motion.pose(start, share)
    return pose, np.array([*motion.travel_m(start, share), 0.0])


@pytest.mark.parametrize("lying", [LIE_ON_SIDE, mirrored(LIE_ON_SIDE), LIE_ON_FRONT])
def test_a_fall_is_continuous(body: Any, lying: Pose) -> None:
    fall = poses.fall_to(lying)
    course = [travelled(fall, STAND, min(i / 9, 1.0)) for i in range(10)]  # 0.9 s at 10 fps
    people = [posed(body, pose).vertices + way for pose, way in course]
    steps = [np.linalg.norm(b - a, axis=1).max() for a, b in itertools.pairwise(people)]
    assert max(steps) * 10 < FASTEST_M_S
    pelvis = [posed(body, pose).joints_m[0] + way for pose, way in course]
    assert max(np.linalg.norm(b - a) for a, b in itertools.pairwise(pelvis)) < 0.35
    heights = [posed(body, pose).height_m for pose, _ in course]
    assert heights[0] > 1.7 and heights[-1] < 0.5
    assert all(b < a + 0.02 for a, b in itertools.pairwise(heights))


@pytest.mark.parametrize("lying", [LIE_ON_SIDE, mirrored(LIE_ON_SIDE), LIE_ON_FRONT])
def test_getting_up_is_continuous(body: Any, lying: Pose) -> None:
    course = [travelled(poses.RISE, lying, i / 30) for i in range(31)]  # 3 s at 10 fps
    people = [posed(body, pose).vertices + way for pose, way in course]
    steps = [np.linalg.norm(b - a, axis=1).max() for a, b in itertools.pairwise(people)]
    assert max(steps) * 10 < 4.0
    assert course[-1][0] == STAND
    assert rising(lying, 0.0) == lying


def test_a_fall_starts_as_one_stood_and_ends_lying() -> None:
    start = gait(0.3)
    for joint, angles in falling(start, 0.0).items():
        assert angles == pytest.approx(start.get(joint, (0, 0, 0)))
    assert falling(start, 1.0) == LIE_ON_SIDE
    assert math.hypot(*FALL.travel_m(STAND, 1.0)) < 1.0


def test_both_feet_stay_while_one_works(body: Any) -> None:
    ankles = []
    for i in range(16):
        pose = working(i * poses.WORK_PERIOD_S / 16)
        at = joints(pose)
        ankles.append((at[ID["anL"]] - at[ID["anR"]])[:2])
        person = posed(body, pose)
        assert lowest(body, person, "anL") < 0.01
        assert lowest(body, person, "anR") < 0.01
    assert np.ptp(ankles, axis=0).max() < 0.01
    hands = [joints(working(t))[ID["wrL"]] for t in (0.0, 0.7)]
    assert np.linalg.norm(hands[1] - hands[0]) > 0.3


def test_feet_go_where_they_are_told() -> None:
    left, right = Foot(x=0.25, y=0.12, yaw_rad=0.3), Foot(x=-0.2, y=-0.1, pitch_deg=30.0)
    pelvis = (0.05, 0.02, 0.85)
    pose = poses.on_feet({"root": (10.0, 5.0, 8.0)}, pelvis, left, right)
    at = joints(pose) - joints(pose)[0] + pelvis
    assert at[ID["anL"]] == pytest.approx(left.ankle()[0], abs=2e-3)
    assert at[ID["anR"]] == pytest.approx(right.ankle()[0], abs=2e-3)
    assert bones_of(pose)[ID["anL"]][:3, :3] == pytest.approx(left.ankle()[1], abs=1e-6)


def test_mixed_joints_turn_the_shortest_way() -> None:
    a: Pose = {"head": (0.0, 0.0, -60.0)}
    b: Pose = {"head": (0.0, 0.0, 60.0)}
    assert mix(a, b, 0.25)["head"] == pytest.approx((0.0, 0.0, -30.0))
    assert mirrored(mirrored(LIE_ON_SIDE)) == LIE_ON_SIDE


def test_helmet_comes_off(body: Any) -> None:
    on, off = posed(body, STAND), posed(body, STAND, helmet_on=False)
    assert on.lamp_lit and not off.lamp_lit
    assert len(on.faces) > len(off.faces) > 0.7 * len(on.faces)
    assert off.height_m < on.height_m - 0.02
    from sample_videos.generator.miner import HAIR, HELMET

    def parts(person: Any) -> set[int]:
        return set(body.part[person.faces[:, 0]].tolist())

    assert HELMET in parts(on) and HAIR not in parts(on)
    assert HAIR in parts(off) and HELMET not in parts(off)
    assert off.vertices.max() == off.vertices[np.unique(off.faces)].max()  # nothing left behind
    assert off.head_faces.any() and len(off.head_faces) == len(off.faces)


@pytest.mark.parametrize("pose", [STAND, gait(0.1), *LYING.values()])
def test_keypoints_are_in_the_body_and_on_their_side(body: Any, pose: Pose) -> None:
    person = posed(body, pose)
    points = person.keypoints_m
    assert points.shape == (17, 3)
    assert (points >= person.vertices.min(0)).all() and (points <= person.vertices.max(0)).all()
    nearest = np.array([np.linalg.norm(person.vertices - point, axis=1).min() for point in points])
    assert nearest.max() < 0.13  # hips are the deepest
    assert nearest[:5].max() < 0.02


def test_keypoints_are_in_order(body: Any) -> None:
    points = posed(body, STAND).keypoints_m
    assert (points[1::2, 1] > 0).all() and (points[2::2, 1] < 0).all()  # left is at +y
    assert points[0, 0] > points[1, 0] > points[3, 0]  # nose, eyes, ears
    heights = points[[1, 5, 7, 9, 13, 15], 2]
    assert (np.diff(heights) < 0).all()
