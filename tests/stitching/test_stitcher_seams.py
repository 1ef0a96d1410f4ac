"""Seams of a stitcher when nobody, somebody unknown, or nobody any more is there."""

from dataclasses import replace

import numpy as np
import pytest

from scene.geometry import project
from scene.messages import KINDS, Detections, Frame
from scene.rig import Rig
from scene.site import PanoramaConfig
from stitching.stitcher import Stitcher
from tests.stitching.test_stitcher import somebody_between_left_and_middle
from tests.stitching.views import fan, frame, rig_of, room, view

CONFIG = PanoramaConfig(max_width_px=1200, blend_px=32)
SECOND_NS = 1_000_000_000


@pytest.fixture(scope="module")
def rig() -> Rig:
    return rig_of(fan(), max_width_px=1200)


@pytest.fixture(scope="module")
def frames(rig: Rig) -> list[Frame]:
    luma = room(1)
    return [frame(model.name, view(model, luma)) for model in rig.cameras]


def at(frames: list[Frame], seconds: float) -> list[Frame]:
    start_ns = frames[0].captured_at_ns
    return [replace(one, captured_at_ns=start_ns + int(seconds * SECOND_NS)) for one in frames]


def test_seams_go_back_when_nobody_is_there_any_more(rig: Rig, frames: list[Frame]) -> None:
    stitcher = Stitcher(rig, CONFIG)
    empty = stitcher.stitch(frames).painter
    someone = somebody_between_left_and_middle()
    moved = stitcher.stitch(at(frames, 1.0), [someone]).painter
    assert (moved != empty).sum() > 500
    assert np.array_equal(stitcher.stitch(at(frames, 2.0)).painter, moved)
    assert np.array_equal(stitcher.stitch(at(frames, 5.0)).painter, empty)


def test_seams_go_round_a_find_that_nobody_has_located(rig: Rig, frames: list[Frame]) -> None:
    stitcher = Stitcher(rig, CONFIG)
    empty = stitcher.stitch(frames).painter
    left = rig.cameras[0]
    someone = somebody_between_left_and_middle()
    body_m = np.array(someone.xyz_m) + np.linspace(0.05, 1.75, 30)[:, None] * [0, 0, 1]
    pixels, _ = project(left, body_m)
    margin_px = np.array([25.0, 0.0])
    low, high = pixels.min(axis=0) - margin_px, pixels.max(axis=0) + margin_px
    found = Detections(
        camera=left.name,
        captured_at_ns=frames[0].captured_at_ns + SECOND_NS,
        boxes_px=np.array([[*low, *high]]),
        scores=np.array([0.9]),
        kinds=np.array([KINDS.index("person")]),
    )
    nothing = found.of_kind("helmet")
    assert np.array_equal(stitcher.stitch(at(frames, 0.5), finds=[nothing]).painter, empty)
    moved = stitcher.stitch(at(frames, 1.0), finds=[found]).painter
    assert (moved != empty).sum() > 300
