"""People on a ribbon, through the whole stitcher: each is drawn once, upright, by one camera."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest

from scene.arrays import Bools, Ints
from scene.messages import Frame, Panorama, Position, YuvImage
from scene.ribbon import Ribbon
from scene.rig import Rig
from scene.site import PanoramaConfig
from stitching.seams.fading import NOBODY
from stitching.stitcher import Stitcher
from tests.stitching.corridor import FLOOR, SECTION_M, look, paint
from tests.stitching.strip_views import facing_pair, standing, with_figure

START_NS, STEP_NS = 1_000_000_000_000, 100_000_000
PAIR = facing_pair()
SURFACE = Ribbon(
    line_m=FLOOR.centre_line_m,
    cross_fall=FLOOR.cross_fall,
    section_m=SECTION_M[:3],
    chainage_left_m=4.0,
    px_per_m=40.0,
    mirrored=False,
    size_px=(720, 304),
)
BODY_PX = 1.8 * SURFACE.px_per_m
BRIGHT = 180
"""The painted rock is darker than that, and so is a shadow that was greyed."""
PLACES = [(14.6, 1.8), (15.0, 1.0), (15.5, 0.0), (16.5, -0.5)]
"""Chainage and metres to the left, between both cameras."""


@pytest.fixture(scope="module")
def views() -> list[YuvImage]:
    """Give both cameras' pictures of the empty roadway."""
    images = [look(camera, paint()) for camera in PAIR]
    return [YuvImage(y=image.y // 2 + 20, u=image.u, v=image.v) for image in images]


@pytest.fixture
def stitcher(views: list[YuvImage]) -> Stitcher:
    """Make one that has seen the empty roadway."""
    made = Stitcher(
        Rig(cameras=PAIR, surface=SURFACE, anchor="survey", quality={}),
        PanoramaConfig(blend_px=16),
    )
    made.stitch(frames_of(views, [], START_NS - 20 * STEP_NS))
    return made


def somebody(x_m: float, left_m: float, track: int = 1) -> Position:
    """Stand somebody on the ribbon's floor."""
    pixel = [(x_m - SURFACE.chainage_left_m) * 40.0, (2.8 + 2.4 - left_m) * 40.0]
    x, y, z = (float(value) for value in SURFACE.mine_from_panorama(np.array([pixel]))[0])
    return replace(standing(track, x, y, at_ns=START_NS), xyz_m=(x, y, z))


def frames_of(
    views: list[YuvImage], people: Sequence[Position], at_ns: int = START_NS
) -> list[Frame]:
    """Paint bright people into both pictures."""
    frames = []
    for camera, image in zip(PAIR, views, strict=True):
        painted = image
        for person in people:
            painted = with_figure(camera, painted, person, 230, 180)
        frames.append(Frame(camera=camera.name, captured_at_ns=at_ns, image=painted))
    return frames


def blobs(panorama: Panorama) -> list[list[int]]:
    """Give left, top, width and height of whatever is bright, but for slivers within one cell."""
    bright = (panorama.image.y > BRIGHT).astype(np.uint8)
    count, _, stats, _ = cv2.connectedComponentsWithStats(bright)
    return [row[:4].tolist() for row in stats[1:count] if row[4] > 10 and min(row[2:4]) > 1]


def shown(panorama: Panorama) -> Bools:
    """Tell (H, W) where an inset shows somebody."""
    whole = np.zeros(panorama.painter.shape, bool)
    for inset in panorama.insets:
        (x, y), (height, width) = inset.corner_px, inset.opacity.shape
        whole[y : y + height, x : x + width] |= inset.opacity >= 0.5
    return whole


def check_upright(blob: list[int], person: Position) -> None:
    left, top, width, height = blob
    foot = SURFACE.upright(np.array([person.xyz_m]))[0]
    assert left + width / 2 == pytest.approx(foot[0], abs=2)
    assert top == pytest.approx(foot[1] - BODY_PX, abs=4)
    assert top + height == pytest.approx(foot[1], abs=8)  # the near side of a body is lower
    assert width == pytest.approx(0.5 * SURFACE.px_per_m, abs=4)


@pytest.mark.parametrize(("x_m", "left_m"), PLACES)
def test_somebody_between_two_cameras_appears_once_and_upright(
    stitcher: Stitcher, views: list[YuvImage], x_m: float, left_m: float
) -> None:
    person = somebody(x_m, left_m)
    panorama = stitcher.stitch(frames_of(views, [person]), [person])
    (blob,) = blobs(panorama)
    check_upright(blob, person)


@pytest.mark.parametrize(("x_m", "left_m"), PLACES)
def test_untold_of_people_it_paints_shadows_and_cuts(
    stitcher: Stitcher, views: list[YuvImage], x_m: float, left_m: float
) -> None:
    """So the tests above can fail."""
    panorama = stitcher.stitch(frames_of(views, [somebody(x_m, left_m)]))
    assert panorama.insets == ()
    for left, top, width, height in (found := blobs(panorama)):
        assert abs(height - BODY_PX) > 8 or abs(width - 0.5 * SURFACE.px_per_m) > 4, (left, top)
    assert found


@pytest.mark.parametrize(("x_m", "left_m"), [(13.0, 1.4), (14.0, 0.5), (17.0, 1.0)])
def test_a_shadow_that_only_one_camera_could_paint_is_greyed_to_its_edges(
    stitcher: Stitcher, views: list[YuvImage], x_m: float, left_m: float
) -> None:
    person = somebody(x_m, left_m)
    assert len(blobs(stitcher.stitch(frames_of(views, [person])))) == 2
    panorama = stitcher.stitch(frames_of(views, [person], START_NS + STEP_NS), [person])
    empty = stitcher.stitch(frames_of(views, [], START_NS + 2 * STEP_NS))
    (blob,) = blobs(panorama)
    check_upright(blob, person)
    assert (panorama.unseen & ~empty.unseen).sum() > 100
    assert np.array_equal(panorama.unseen, panorama.painter == NOBODY)


def test_two_people_are_two(stitcher: Stitcher, views: list[YuvImage]) -> None:
    two = [somebody(14.4, 1.6), somebody(16.2, 0.6, track=2)]
    panorama = stitcher.stitch(frames_of(views, two), two)
    for blob, person in zip(sorted(blobs(panorama)), two, strict=True):
        check_upright(blob, person)
    assert [inset.tracks for inset in panorama.insets] == [(1,), (2,)]


def test_an_absent_cameras_insets_go_over_to_another_one_at_once(
    stitcher: Stitcher, views: list[YuvImage]
) -> None:
    person = somebody(15.0, 1.0)
    (first,) = stitcher.stitch(frames_of(views, [person]), [person]).insets
    left = [
        frame
        for frame in frames_of(views, [person], START_NS + STEP_NS)
        if frame.camera != first.camera
    ]
    panorama = stitcher.stitch(left, [person])
    assert [inset.camera for inset in panorama.insets] == [left[0].camera]
    (blob,) = blobs(panorama)
    check_upright(blob, person)
    none = stitcher.stitch([], [person])
    assert none.insets == () and none.unseen.all()


@pytest.mark.parametrize(("x_m", "left_m"), PLACES)
def test_who_is_shown_is_painted_by_the_insets_camera(
    stitcher: Stitcher, views: list[YuvImage], x_m: float, left_m: float
) -> None:
    person = somebody(x_m, left_m)
    panorama = stitcher.stitch(frames_of(views, [person]), [person])
    (inset,) = panorama.insets
    index = [camera.name for camera in PAIR].index(inset.camera)
    inside = shown(panorama)
    assert inside.sum() > 0.3 * BODY_PX**2
    assert np.all(panorama.painter[inside] == index) and not panorama.unseen[inside].any()
    seen_y: Ints = panorama.image.y[inside].astype(np.int64)
    assert (seen_y > BRIGHT).sum() > 0.9 * (0.5 * SURFACE.px_per_m) * BODY_PX
    assert panorama.image.v[::1][inside[::2, ::2]].max() > 170


def test_what_was_given_away_stays_as_it_was_and_cannot_be_written(
    stitcher: Stitcher, views: list[YuvImage]
) -> None:
    person = somebody(15.0, 1.0)
    empty = stitcher.stitch(frames_of(views, []))
    kept = empty.painter.copy(), empty.image.y.copy()
    panorama = stitcher.stitch(frames_of(views, [person], START_NS + STEP_NS), [person])
    assert np.array_equal(empty.painter, kept[0]) and np.array_equal(empty.image.y, kept[1])
    for one in (empty, panorama):
        image = one.image
        for plane in (image.y, image.u, image.v, one.painter, one.unseen):
            assert not plane.flags.writeable


def test_when_somebody_has_gone_the_panorama_is_as_before(
    stitcher: Stitcher, views: list[YuvImage]
) -> None:
    before = stitcher.stitch(frames_of(views, []))
    person = somebody(13.5, 1.0)
    stitcher.stitch(frames_of(views, [person], START_NS + STEP_NS), [person])
    after = stitcher.stitch(frames_of(views, [], START_NS + 30 * STEP_NS))
    assert np.array_equal(before.painter, after.painter)
    assert np.array_equal(before.unseen, after.unseen)
    assert np.abs(before.image.y.astype(int) - after.image.y).max() <= 3


def test_two_who_stand_together_are_one_picture_and_each_is_whole_once(
    stitcher: Stitcher, views: list[YuvImage]
) -> None:
    two = [somebody(14.6, 1.2), somebody(15.2, 1.0, track=2)]
    panorama = stitcher.stitch(frames_of(views, two), two)
    (inset,) = panorama.insets
    assert inset.tracks == (1, 2)
    found = blobs(panorama)
    width_px = sum(width for _, _, width, _ in found)
    assert width_px == pytest.approx(2 * 0.5 * SURFACE.px_per_m, abs=10)
    for foot, head in zip(inset.feet_px, inset.heads_px, strict=True):
        middle = np.rint((foot + head) / 2).astype(int)
        assert panorama.image.y[middle[1], middle[0]] > BRIGHT
