"""The generator's light parts: cameras, courses, poses; and its body where the tools are there."""

import importlib.util
import itertools
import math

import cv2
import numpy as np
import pytest

from sample_videos.generator.camera import make_camera, undistort
from sample_videos.generator.poses import LIE_ON_SIDE, STAND, falling, mix
from sample_videos.generator.scene_file import MinerSpec, StepSpec
from sample_videos.generator.script import play
from sample_videos.generator.truth import inside, mot_line

HAS_TOOLS = all(importlib.util.find_spec(m) for m in ("numba", "skimage"))
needs_tools = pytest.mark.skipif(not HAS_TOOLS, reason="needs the extra `samples`")
DISTORTION = (-0.18, 0.04, 0.001, -0.002, 0.003)


def test_distortion_goes_there_and_back() -> None:
    camera = make_camera(
        "c",
        (20, -2, 2.5),
        yaw_deg=65,
        pitch_deg=-16,
        hfov_deg=70,
        size_px=(1280, 720),
        distortion=DISTORTION,
    )
    u, v = np.meshgrid(np.linspace(0, 1279, 33), np.linspace(0, 719, 19))
    pixels = np.stack([u, v], -1).reshape(-1, 2)
    rays = undistort(pixels, camera.k, camera.distortion)
    points = camera.centre_m + np.c_[rays, np.ones(len(rays))] * 5 @ camera.rotation
    assert np.abs(camera.pixels(points) - pixels).max() < 1e-6


def test_plate_and_delivered_picture_agree() -> None:
    camera = make_camera(
        "c",
        (20, -2, 2.5),
        yaw_deg=65,
        pitch_deg=-16,
        hfov_deg=70,
        size_px=(1280, 720),
        distortion=DISTORTION,
    )
    map_u, map_v = camera.plate_from_delivered()
    assert map_u.min() >= 0 and map_u.max() <= 1279
    assert map_v.min() >= 0 and map_v.max() <= 719
    rows, columns = np.array([0, 300, 719]), np.array([0, 900, 1279])
    plate = np.stack([map_u[rows, columns], map_v[rows, columns]], 1)
    back = camera.delivered_from_plate(plate)
    assert np.abs(back - np.stack([columns, rows], 1)).max() < 0.02


def test_field_of_view_is_as_delivered() -> None:
    camera = make_camera(
        "c",
        (0, 0, 2),
        yaw_deg=0,
        pitch_deg=0,
        hfov_deg=70,
        size_px=(1280, 720),
        distortion=(*DISTORTION[:2], 0, 0, 0),
    )
    edge = undistort([[1279.5, 359.5]], camera.k, camera.distortion)[0]
    assert math.degrees(math.atan(edge[0])) == pytest.approx(35, abs=1e-6)


def test_yaw_turns_left_and_pitch_up() -> None:
    camera = make_camera(
        "c", (0, 0, 2), yaw_deg=90, pitch_deg=-10, hfov_deg=70, size_px=(1280, 720)
    )
    ahead_left = camera.pixels([[-1.0, 5.0, 2.0], [0.0, 5.0, 1.0], [0.0, 5.0, 2.0]])
    assert ahead_left[0, 0] < 639  # x grows to the right of someone who looks along y
    assert ahead_left[1, 1] > ahead_left[2, 1]  # lower in the mine is lower in the picture
    assert ahead_left[2, 1] < 359  # looking down, the horizon is above the middle
    assert camera.in_camera([[0.0, 5.0, 2.0]])[0, 2] > 0
    assert cv2.determinant(camera.rotation) == pytest.approx(1)


def test_miner_walks_stands_and_falls() -> None:
    steps = (StepSpec(walk_to=(5.0, 0.0)), StepSpec(stand_s=1.0), StepSpec(fall_s=0.9))
    course = play(MinerSpec(id=1, at_m=(0.0, 0.0), script=steps), 10, 100)
    states = [m.state for m in course]
    assert [s for i, s in enumerate(states) if i == 0 or states[i - 1] != s] == [
        "walk",
        "stand",
        "fall",
        "lie",
    ]
    speeds = [math.dist(a.xy_m, b.xy_m) * 10 for a, b in itertools.pairwise(course)]
    assert max(speeds) < 1.1
    assert math.dist(course[-1].xy_m, (5.0, 0.0)) < 0.5
    assert course[-1].pose == LIE_ON_SIDE


def test_fall_starts_standing_and_ends_lying() -> None:
    start = falling(STAND, 0.0)
    assert all(start[joint] == pytest.approx(STAND[joint]) for joint in STAND)
    assert mix(STAND, LIE_ON_SIDE, 1.0)["knL"] == LIE_ON_SIDE["knL"]
    assert falling(STAND, 1.0)["root"] == pytest.approx(LIE_ON_SIDE["root"])


def test_inside_concave_polygon() -> None:
    shape = [(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (2.0, 1.0), (0.0, 4.0)]
    assert inside((0.5, 1.0), shape)
    assert not inside((2.0, 2.0), shape)


def test_mot_line_counts_from_one() -> None:
    line = mot_line(0, 3, (-0.5, -0.5, 99.5, 199.5), 0.05)
    assert line == "1,3,1.00,1.00,100.00,200.00,0,1,0.050\n"


@needs_tools
def test_body_stands_on_the_floor() -> None:
    from sample_videos.generator.miner import Look, build_body, pose_miner

    body = build_body()
    look = Look(height_m=1.8, suit=(0.1, 0.1, 0.1), helmet=(0.5, 0.5, 0.5))
    for pose in (STAND, LIE_ON_SIDE):
        posed = pose_miner(body, look, pose, (3.0, 1.0), yaw_rad=0.5, floor_z_m=0.0)
        assert posed.vertices[:, 2].min() == pytest.approx(0, abs=1e-4)
        assert posed.joints_m[0, :2] == pytest.approx([3.0, 1.0])
    standing = pose_miner(body, look, STAND, (3.0, 1.0), yaw_rad=0.5, floor_z_m=0.0)
    assert 1.7 < standing.vertices[:, 2].max() < 1.85
