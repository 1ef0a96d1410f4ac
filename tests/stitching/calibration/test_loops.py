"""Rings of cameras: the lens that closes them is found, and no pair is left out without a word."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from scene.arrays import Bytes, Floats
from scene.geometry import CameraModel, pose_from_mount, project, rays
from scene.messages import YuvImage
from scene.site import PanoramaConfig, RigConfig
from stitching.calibrate import calibrate_with_evidence
from stitching.calibration.features import Matches
from stitching.calibration.lens_guess import guess_lens
from stitching.calibration.loops import angle_rad, find_loops, spread
from stitching.calibration.rotation import turn_of_pair
from stitching.quality import tie_point_errors_px
from tests.stitching.views import CENTRE_M, camera, fan, room, spots, view

ROOM = room()
CONFIG = RigConfig.model_validate({"mount": {"xyz_m": tuple(CENTRE_M)}})
RING = 6


def about_z(degrees: float) -> Floats:
    turn = cv2.Rodrigues(np.array([0.0, 0.0, np.radians(degrees)]))[0]
    return np.asarray(turn, float)


def ring(hfov_deg: float, out_m: float = 0.0) -> list[CameraModel]:
    """Hang six cameras in a ring, each `out_m` from its middle."""
    cameras = []
    for index in range(RING):
        yaw = -360.0 / RING * index
        model = camera(f"c{index}", yaw, -5.0, hfov_deg=hfov_deg, k1=0.0)
        aside = out_m * np.array([np.cos(np.radians(yaw)), np.sin(np.radians(yaw)), 0.0])
        pose = pose_from_mount(CENTRE_M + aside, yaw, -5.0, 0.0)
        cameras.append(replace(model, camera_from_mine=pose))
    return cameras


def test_a_loop_s_gap_is_what_its_turns_leave_over() -> None:
    turns = {(0, 1): about_z(100), (1, 2): about_z(110), (0, 3): about_z(7), (0, 2): about_z(-140)}
    (loop,) = find_loops(turns)
    assert loop.links[0] == (0, 2)
    assert set(loop.links) == {(0, 1), (1, 2), (0, 2)}
    assert np.degrees(loop.gap_rad) == pytest.approx(10.0)
    assert np.degrees(loop.each_rad) == pytest.approx(10.0 / 3)


def test_what_a_loop_leaves_over_is_spread_over_all_its_pairs() -> None:
    turns = {(0, 1): about_z(100), (1, 2): about_z(110), (0, 2): about_z(-141)}
    chained = {0: np.eye(3), 1: about_z(100), 2: about_z(210)}
    found = spread(chained, {link: (turn, 50.0) for link, turn in turns.items()})
    assert np.allclose(found[0], np.eye(3))
    for (i, j), turn in turns.items():
        assert np.degrees(angle_rad(turn.T @ found[j] @ found[i].T)) == pytest.approx(3.0, abs=1e-3)


def matched(cameras: list[CameraModel], points: Floats) -> list[Matches]:
    """Match all that neighbours of a ring see of (N, 3) points, found to half a pixel."""
    rng = np.random.default_rng(2)
    pairs = []
    for i, j in [*((i, i + 1) for i in range(RING - 1)), (0, RING - 1)]:
        (a, seen), (b, seen_too) = project(cameras[i], points), project(cameras[j], points)
        both = np.flatnonzero(seen & seen_too)
        assert len(both) > 100
        a, b = a[both] + rng.normal(0, 0.5, (len(both), 2)), b[both]
        pairs.append(Matches(first=i, second=j, first_px=a, second_px=b))
    return pairs


def yard_seen_by(truth: list[CameraModel]) -> list[Matches]:
    """Match what neighbours see of spots 2 to 3 m off all round."""
    rng = np.random.default_rng(1)
    away = towards(rng.uniform(0, 360, 6000)) * rng.uniform(2.0, 3.0, (6000, 1))
    away[:, 2] = rng.uniform(-2.0, 2.0, 6000)
    return matched(truth, CENTRE_M + away)


def guessed(truth: list[CameraModel], pairs: list[Matches]) -> list[CameraModel]:
    names, sizes = [model.name for model in truth], [model.size_px for model in truth]
    return guess_lens(names, sizes, pairs, "brown", None)


def gap_deg(cameras: list[CameraModel], pairs: list[Matches]) -> float:
    turns = [turn_of_pair(cameras, pair) for pair in pairs]
    (loop,) = find_loops({turn.link: turn.second_from_first for turn in turns})
    return float(np.degrees(loop.gap_rad))


def test_the_lens_is_guessed_that_closes_the_ring() -> None:
    """Cameras apart, close to what they see: every pair alone prefers a lens that leaves a gap."""
    truth = ring(94.0, out_m=0.6)
    pairs = yard_seen_by(truth)
    assert gap_deg(guessed(truth, pairs[:-1]), pairs) > 45
    assert gap_deg(guessed(truth, pairs), pairs) < 10


def test_a_ring_tells_the_lens_more_finely_than_the_first_guesses_lie() -> None:
    truth = ring(93.0)
    pairs = yard_seen_by(truth)
    assert guessed(truth, pairs[:-1])[0].k[0, 0] != pytest.approx(truth[0].k[0, 0], rel=0.05)
    assert guessed(truth, pairs)[0].k[0, 0] == pytest.approx(truth[0].k[0, 0], rel=0.03)


def towards(degrees: Floats) -> Floats:
    angle = np.radians(degrees)
    return np.column_stack([np.cos(angle), np.sin(angle), np.zeros(len(angle))])


def test_a_ring_is_closed_though_no_first_guess_of_the_lens_closes_it() -> None:
    truth = ring(93.0)
    images = {model.name: [view(model, ROOM)] for model in truth}
    found = calibrate_with_evidence(images, CONFIG, PanoramaConfig())
    links = {(pair.first, pair.second) for pair in found.solved.matches}
    assert links >= {*((i, i + 1) for i in range(RING - 1)), (0, RING - 1)}
    for i in range(RING):
        a, b = truth[i], truth[(i + 1) % RING]
        pixels = spots(a, 2000, seed=i, margin_px=2)
        there, seen = project(b, CENTRE_M + 1000 * rays(a, pixels))
        errors = tie_point_errors_px(found.rig, a.name, b.name, pixels[seen], there[seen])
        assert np.median(errors) <= 0.3


def with_poster(image: YuvImage, poster: Bytes, x: int, y: int) -> list[YuvImage]:
    luma = image.y.copy()
    luma[y : y + poster.shape[0], x : x + poster.shape[1]] = poster
    return [replace(image, y=luma)]


def test_a_pair_that_contradicts_the_others_is_left_out_and_yet_shown() -> None:
    """Two cameras that share nothing each show the same poster: they seem to look the same way."""
    truth = fan()
    poster = ROOM[100:280, 3000:3110]
    images = {model.name: [view(model, ROOM)] for model in truth}
    images["left"] = with_poster(images["left"][0], poster, 6, 50)
    images["right"] = with_poster(images["right"][0], poster, 350, 60)
    found = calibrate_with_evidence(images, CONFIG, PanoramaConfig())
    for first, second in ((0, 1), (1, 2)):
        a, b = truth[first], truth[second]
        pixels = spots(a, 2000, seed=1, margin_px=2)
        there, seen = project(b, CENTRE_M + 1000 * rays(a, pixels))
        errors = tie_point_errors_px(found.rig, a.name, b.name, pixels[seen], there[seen])
        assert np.median(errors) <= 0.3
    links = [(pair.first, pair.second) for pair in found.solved.matches]
    assert links == [(0, 1), (1, 2), (0, 2)]
    assert found.solved.kept[2].mean() < 0.15
    assert np.linalg.norm(found.solved.misses_px[2], axis=1).min() > 100
