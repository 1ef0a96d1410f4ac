"""The panorama while people and cameras come and go: calm seams, holes, old pictures."""

import cv2
import numpy as np
import pytest

from scene.messages import Frame, YuvImage
from scene.rig import Rig
from stitching.composition.compose import UNSEEN_LUMA
from stitching.stitcher import LOOK_EVERY, Stitcher
from tests.stitching.test_stitcher import CONFIG, ROOM, somebody_between_left_and_middle
from tests.stitching.views import camera, fan, frame, rig_of, view


@pytest.fixture(scope="module")
def rig() -> Rig:
    return rig_of(fan(), max_width_px=CONFIG.max_width_px)


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    return [frame(model.name, view(model, ROOM)) for model in fan()]


def test_seams_that_moved_paint_what_seams_laid_there_at_once_would(
    rig: Rig, frames: list[Frame]
) -> None:
    stitcher = Stitcher(rig, CONFIG)
    stitcher.stitch(frames)
    moved = stitcher.stitch(frames, [somebody_between_left_and_middle()])
    painting = stitcher._painting_for(("present",) * 3)
    anew = stitcher._backend.recipe(painting._weights).paint(
        {index: given.image for index, given in enumerate(frames)}
    )
    assert np.abs(anew.y.astype(int) - moved.image.y).max() <= 1
    assert np.abs(anew.u.astype(int) - moved.image.u).max() <= 1


def test_nothing_flickers_while_nobody_is_there(rig: Rig, frames: list[Frame]) -> None:
    """Noise, and the searches for better seams, change painters once at most."""
    stitcher, rng = Stitcher(rig, CONFIG), np.random.default_rng(5)
    painter, changes = stitcher.stitch(frames).painter, 0
    for step in range(1, 9 * LOOK_EVERY):
        noisy = frames
        if step % LOOK_EVERY <= 1:
            noisy = [frame(f.camera, noise(f.image, rng), (step + 1) * 40_000_000) for f in frames]
        found = stitcher.stitch(noisy).painter
        changes += not np.array_equal(found, painter)
        painter = found
    assert changes <= 1


def noise(image: YuvImage, rng: np.random.Generator) -> YuvImage:
    luma = image.y + rng.normal(0, 3, image.y.shape)
    return YuvImage(y=np.clip(luma, 0, 255).astype(np.uint8), u=image.u, v=image.v)


def test_a_missing_cameras_last_picture_is_grey_stamped_and_still_unseen(
    rig: Rig, frames: list[Frame]
) -> None:
    config = CONFIG.model_copy(update={"missing": "last"})
    stitcher, plain = Stitcher(rig, config), Stitcher(rig, CONFIG)
    coloured = [
        frame(f.camera, YuvImage(y=f.image.y, u=np.full_like(f.image.u, 90), v=f.image.v))
        for f in frames
    ]
    stitcher.stitch(coloured)
    plain.stitch(coloured)
    late = [frame(f.camera, f.image, 12_000_001_000) for f in (coloured[0], coloured[2])]
    shown, hole = stitcher.stitch(late), plain.stitch(late)
    assert np.array_equal(shown.unseen, hole.unseen)
    assert np.array_equal(shown.painter, hole.painter)
    only = shown.unseen & ~stitcher.stitch(coloured).unseen
    assert only.sum() > 10_000
    inner = cv2.erode(only.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    assert np.abs(shown.image.u[inner[::2, ::2]].astype(int) - 128).max() <= 1
    picture = shown.image.y[inner].astype(float)
    assert picture.std() > 5  # it is a picture, and a dimmed one
    assert np.percentile(picture, 90) < 0.6 * 255 + 36 + 5
    assert (shown.image.y[inner] > 220).sum() > 30  # the stamp
    later = [frame(f.camera, f.image, 13_000_001_000) for f in late]
    assert not np.array_equal(stitcher.stitch(later).image.y[only], shown.image.y[only])
    live = ~shown.unseen
    assert np.array_equal(shown.image.y[live], hole.image.y[live])


def test_a_camera_that_never_gave_a_picture_leaves_a_hole_whatever_is_wanted(
    rig: Rig, frames: list[Frame]
) -> None:
    stitcher = Stitcher(rig, CONFIG.model_copy(update={"missing": "last"}))
    panorama = stitcher.stitch([frames[0], frames[2]])
    assert np.all(panorama.image.y[panorama.unseen] == UNSEEN_LUMA)


def test_a_changed_resolution_keeps_the_last_picture_that_fitted(
    rig: Rig, frames: list[Frame]
) -> None:
    stitcher = Stitcher(rig, CONFIG.model_copy(update={"missing": "last"}))
    stitcher.stitch(frames)
    small = frame("middle", view(camera("middle", 0.0, size_px=(320, 180)), ROOM), 5_000_001_000)
    panorama = stitcher.stitch([frames[0], small, frames[2]])
    assert not np.any(panorama.painter == 1)
    assert panorama.image.y[panorama.unseen].std() > 5


def test_somebody_stays_whole_when_a_camera_goes(rig: Rig, frames: list[Frame]) -> None:
    stitcher = Stitcher(rig, CONFIG)
    someone = somebody_between_left_and_middle()
    stitcher.stitch(frames, [someone])
    without = stitcher.stitch([frames[1], frames[2]], [someone])
    assert not np.any(without.painter == 0)
