"""Composition against a slow reference in floating point, and what happens when cameras go."""

import cv2
import numpy as np
import pytest

from scene.arrays import Bools, Bytes, Floats
from scene.geometry import CameraModel, distort, project
from scene.messages import Frame, Panorama, Position, YuvImage
from scene.rig import Rig
from scene.site import PanoramaConfig
from scene.surface import Cylinder
from stitching.composition.compose import UNSEEN_LUMA
from stitching.old_pictures import DIM, FADED_TO
from stitching.quality import overlap_psnr_db
from stitching.seams.fading import NOBODY
from stitching.stitcher import LOOK_EVERY, Stitcher
from tests.stitching.views import CENTRE_M, camera, fan, frame, rig_of, room, view

ROOM = room(1)
CONFIG = PanoramaConfig(max_width_px=1200, blend_px=32)
SUBLEVEL = 3.0
"""Grey levels by which the quick way may differ from the slow one."""


@pytest.fixture(scope="module")
def rig() -> Rig:
    return rig_of(fan(), max_width_px=CONFIG.max_width_px)


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    return [frame(model.name, view(model, ROOM)) for model in fan()]


@pytest.fixture(scope="module")
def stitcher(rig: Rig, frames: list[Frame]) -> Stitcher:
    stitcher = Stitcher(rig, CONFIG)
    stitcher.stitch(frames)
    return stitcher


@pytest.fixture(scope="module")
def panorama(stitcher: Stitcher, frames: list[Frame]) -> Panorama:
    return stitcher.stitch(frames)


def gains(stitcher: Stitcher, index: int, size_px: tuple[int, int]) -> Floats:
    """Spread one camera's luma gains over the panorama."""
    spread = np.ones(size_px[::-1])
    x0, y0, x1, y1 = stitcher.maps[index].box
    spread[y0:y1, x0:x1] = stitcher.exposure.gains[index].luma / 128
    assert np.abs(spread - 1).max() < 0.08
    return spread


def looked_up(rig: Rig, model: CameraModel, plane: Floats, half: bool) -> tuple[Floats, Bools]:
    """Sample one camera's plane for the whole panorama, slowly, in floating point."""
    width, height = rig.surface.size_px
    start, step = (0.5, 2.0) if half else (0.0, 1.0)
    x, y = np.meshgrid(np.arange(start, width, step), np.arange(start, height, step))
    in_camera = rig.surface.in_camera(model, np.column_stack([x.ravel(), y.ravel()]))
    ahead = in_camera @ model.camera_from_mine[:3, :3]
    pixels = distort(model, in_camera)
    _, seen = project(model, model.centre_m + ahead)
    if half:
        pixels = (pixels - 0.5) / 2
    rows, columns = plane.shape
    left = np.clip(pixels[:, 0], 0, columns - 1.001)
    top = np.clip(pixels[:, 1], 0, rows - 1.001)
    j, i = left.astype(int), top.astype(int)
    a, b = left - j, top - i
    found = (plane[i, j] * (1 - a) + plane[i, j + 1] * a) * (1 - b)
    found += (plane[i + 1, j] * (1 - a) + plane[i + 1, j + 1] * a) * b
    return found.reshape(x.shape), seen.reshape(x.shape)


def away_from_seams(panorama: Panorama, distance_px: int) -> Bools:
    painter = panorama.painter
    size = (2 * distance_px + 1,) * 2
    same = cv2.erode(painter, np.ones(size, np.uint8)) == cv2.dilate(
        painter, np.ones(size, np.uint8)
    )
    return np.asarray(same & (painter != NOBODY))


def test_every_plane_is_what_a_slow_reference_finds(
    rig: Rig, frames: list[Frame], stitcher: Stitcher, panorama: Panorama
) -> None:
    calm = away_from_seams(panorama, CONFIG.blend_px)
    for index, (model, given) in enumerate(zip(rig.cameras, frames, strict=True)):
        mine = calm & (panorama.painter == index)
        assert mine.sum() > 10_000
        expected, _ = looked_up(rig, model, given.image.y.astype(float), half=False)
        expected = expected * gains(stitcher, index, rig.surface.size_px)
        miss = np.abs(panorama.image.y.astype(float) - expected)[mine]
        assert miss.max() <= SUBLEVEL
        assert miss.mean() < 1.0
        for plane, painted in (
            (given.image.u, panorama.image.u),
            (given.image.v, panorama.image.v),
        ):
            expected, _ = looked_up(rig, model, plane.astype(float), half=True)
            miss = np.abs(painted.astype(float) - expected)[mine[::2, ::2]]
            assert miss.max() <= SUBLEVEL


def test_seams_fade_smoothly_between_neighbours(
    rig: Rig, frames: list[Frame], stitcher: Stitcher, panorama: Panorama
) -> None:
    looks = [
        looked_up(rig, m, f.image.y.astype(float), half=False)
        for m, f in zip(rig.cameras, frames, strict=True)
    ]
    seen = np.stack([s for _, s in looks])
    size = rig.surface.size_px
    values = np.stack([v * gains(stitcher, i, size) for i, (v, _) in enumerate(looks)])
    low = np.where(seen, values, 999).min(axis=0) - SUBLEVEL
    high = np.where(seen, values, -999).max(axis=0) + SUBLEVEL
    inside = ~panorama.unseen
    assert np.all(panorama.image.y[inside] >= low[inside])
    assert np.all(panorama.image.y[inside] <= high[inside])


def test_painter_and_unseen_say_who_looks_where(rig: Rig, panorama: Panorama) -> None:
    width, height = rig.surface.size_px
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    assert isinstance(rig.surface, Cylinder)
    ahead = rig.surface.directions(np.column_stack([x.ravel(), y.ravel()]))
    seen = np.stack(
        [project(m, m.centre_m + 10 * ahead)[1].reshape(height, width) for m in rig.cameras]
    )
    nobody = ~seen.any(axis=0)
    # The picture ends at its last pixels' centres, half a pixel before `project` ends it.
    assert (panorama.unseen != nobody).mean() < 0.01
    assert np.array_equal(panorama.unseen, panorama.painter == NOBODY)
    for index in range(3):
        assert seen[index][panorama.painter == index].all()
        assert (panorama.painter == index).sum() > 0.15 * width * height
    assert np.all(panorama.image.y[panorama.unseen] == UNSEEN_LUMA)
    assert panorama.unseen.any()


def test_it_carries_the_rig_and_the_instant(rig: Rig, panorama: Panorama) -> None:
    assert panorama.geometry == rig.id
    assert panorama.captured_at_ns == 1_000
    assert panorama.image.size_px == rig.surface.size_px
    assert panorama.image.u.shape == (rig.surface.size_px[1] // 2, rig.surface.size_px[0] // 2)
    assert not panorama.image.y.flags.writeable and not panorama.unseen.flags.writeable


def test_the_same_frames_give_the_same_panorama(rig: Rig, frames: list[Frame]) -> None:
    first, second = Stitcher(rig, CONFIG), Stitcher(rig, CONFIG)
    for _ in range(3):
        a, b = first.stitch(frames), second.stitch(reversed(frames))
        assert np.array_equal(a.image.y, b.image.y) and np.array_equal(a.image.u, b.image.u)


def test_a_missing_camera_leaves_an_honest_hole(rig: Rig, frames: list[Frame]) -> None:
    stitcher = Stitcher(rig, CONFIG)
    whole = stitcher.stitch(frames)
    without = stitcher.stitch([frames[0], frames[2]])
    _, left = looked_up(rig, rig.cameras[0], frames[0].image.y.astype(float), half=False)
    _, middle = looked_up(rig, rig.cameras[1], frames[1].image.y.astype(float), half=False)
    _, right = looked_up(rig, rig.cameras[2], frames[2].image.y.astype(float), half=False)
    only = middle & ~left & ~right
    assert only.sum() > 10_000
    assert without.unseen[only].all()
    assert np.all(without.image.y[only] == UNSEEN_LUMA)
    taken_over = left & (whole.painter == 1)
    inner = cv2.erode(taken_over.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    assert inner.sum() > 1_000
    assert np.all(without.painter[inner] == 0)
    assert "middle" in stitcher.problems
    again = stitcher.stitch(frames)
    assert np.array_equal(again.painter, whole.painter) and not stitcher.problems


def test_what_only_a_blind_camera_looks_at_is_unseen_whatever_it_shows(
    rig: Rig, frames: list[Frame]
) -> None:
    stitcher = Stitcher(rig, CONFIG)
    whole = stitcher.stitch(frames)
    gone = stitcher.stitch([frames[0], frames[2]])
    blind = stitcher.stitch(frames, blind=["middle"])
    assert np.array_equal(blind.unseen, gone.unseen) and gone.unseen.sum() > 10_000
    assert np.array_equal(blind.painter, gone.painter)
    assert np.array_equal(blind.image.y[~gone.unseen], gone.image.y[~gone.unseen])
    only = (gone.unseen & ~whole.unseen).astype(np.uint8)
    inner = cv2.erode(only, np.ones((5, 5), np.uint8)) > 0
    shown, real = (one.image.y[inner].astype(float) for one in (blind, whole))
    paler = DIM * real + (1 - DIM) * FADED_TO  # but for what is written there
    assert np.median(np.abs(shown - paler)) < 3
    chroma = np.stack([blind.image.u, blind.image.v])[:, inner[::2, ::2]].astype(int)
    assert np.abs(chroma - 128).max() < 6, "and without colour"
    assert not stitcher.problems
    every = stitcher.stitch(frames, blind=[model.name for model in fan()])
    assert every.unseen.all() and np.all(every.painter == NOBODY)
    assert np.array_equal(stitcher.stitch(frames).painter, whole.painter)


def test_no_frame_at_all_is_an_unseen_panorama(rig: Rig) -> None:
    nothing = Stitcher(rig, CONFIG).stitch([])
    assert nothing.unseen.all() and np.all(nothing.image.y == UNSEEN_LUMA)
    assert np.all(nothing.painter == NOBODY) and np.all(nothing.image.u == 128)


def test_a_camera_that_changed_its_resolution_is_missing_and_reported(
    rig: Rig, frames: list[Frame]
) -> None:
    small = view(camera("middle", 0.0, size_px=(320, 180)), ROOM)
    stitcher = Stitcher(rig, CONFIG)
    panorama = stitcher.stitch([frames[0], frame("middle", small), frames[2]])
    assert "320 x 180" in stitcher.problems["middle"]
    assert not np.any(panorama.painter == 1)
    stitcher.stitch([*frames, frame("stranger", small)])
    assert list(stitcher.problems) == ["stranger"]


def test_planes_that_do_not_belong_together_are_reported(rig: Rig, frames: list[Frame]) -> None:
    image = frames[1].image
    bad = YuvImage(y=image.y, u=image.u[:-1], v=image.v)
    stitcher = Stitcher(rig, CONFIG)
    stitcher.stitch([frames[0], frame("middle", bad), frames[2]])
    assert "chroma" in stitcher.problems["middle"]


def test_planes_may_be_views_into_a_decoders_padded_rows(
    rig: Rig, frames: list[Frame], panorama: Panorama
) -> None:
    def padded(plane: Bytes) -> Bytes:
        return np.pad(plane, ((0, 0), (0, 32)))[:, : plane.shape[1]]

    strided = [
        frame(f.camera, YuvImage(y=padded(f.image.y), u=padded(f.image.u), v=padded(f.image.v)))
        for f in frames
    ]
    assert np.array_equal(Stitcher(rig, CONFIG).stitch(strided).image.y, panorama.image.y)


def test_gain_fields_even_out_vignetting_and_exposure(rig: Rig) -> None:
    exposures = (1.0, 0.85, 1.1)
    frames = [
        frame(model.name, view(model, ROOM, gain, vignette=0.3))
        for model, gain in zip(rig.cameras, exposures, strict=True)
    ]
    stitcher = Stitcher(rig, CONFIG)
    stitcher.stitch(frames)
    for i, j in ((0, 1), (1, 2)):
        maps = stitcher.maps[i], stitcher.maps[j]
        lumas = frames[i].image.y, frames[j].image.y
        fields = stitcher.exposure.gains[i], stitcher.exposure.gains[j]
        assert overlap_psnr_db(maps, lumas, fields) > overlap_psnr_db(maps, lumas) + 6


def test_a_passing_lamp_hardly_changes_the_gains(rig: Rig, frames: list[Frame]) -> None:
    stitcher = Stitcher(rig, CONFIG)
    stitcher.stitch(frames)
    before = stitcher.exposure.fields.copy()
    lit = frames[1].image.y.copy()
    lit[60:200, 380:] = np.minimum(lit[60:200, 380:].astype(int) + 90, 255)
    glare = frame("middle", YuvImage(y=lit, u=frames[1].image.u, v=frames[1].image.v))
    for _ in range(LOOK_EVERY + 3):
        stitcher.stitch([frames[0], glare, frames[2]])
    assert np.abs(stitcher.exposure.fields - before).max() < 0.03


def test_a_lasting_change_of_exposure_is_followed(rig: Rig, frames: list[Frame]) -> None:
    stitcher = Stitcher(rig, CONFIG)
    stitcher.stitch(frames)
    darker = [
        frames[0],
        frame("middle", view(fan()[1], ROOM, gain=0.7)),
        frames[2],
    ]
    for _ in range(LOOK_EVERY * 60):
        stitcher._adapt({i: f.image for i, f in enumerate(darker)})
    maps = stitcher.maps[0], stitcher.maps[1]
    lumas = darker[0].image.y, darker[1].image.y
    fields = stitcher.exposure.gains[0], stitcher.exposure.gains[1]
    assert overlap_psnr_db(maps, lumas, fields) > overlap_psnr_db(maps, lumas) + 6


def test_hard_seams_when_no_blending_is_asked_for(rig: Rig, frames: list[Frame]) -> None:
    stitcher = Stitcher(rig, PanoramaConfig(max_width_px=1200, blend_px=0))
    sharp = stitcher.stitch(frames)
    for index, (model, given) in enumerate(zip(rig.cameras, frames, strict=True)):
        mine = sharp.painter == index
        expected, _ = looked_up(rig, model, given.image.y.astype(float), half=False)
        expected = expected * gains(stitcher, index, rig.surface.size_px)
        assert np.abs(sharp.image.y.astype(float) - expected)[mine].max() <= SUBLEVEL


def test_cameras_all_round_leave_no_gap_at_the_cut() -> None:
    ring = [camera(f"c{i}", -60.0 * i, 0.0, hfov_deg=80.0) for i in range(6)]
    rig = rig_of(ring, max_width_px=1200)
    stitcher = Stitcher(rig, CONFIG)
    panorama = stitcher.stitch([frame(m.name, view(m, ROOM)) for m in ring])
    assert not panorama.unseen[rig.surface.size_px[1] // 2].any()
    assert isinstance(rig.surface, Cylinder)
    assert abs(rig.surface.size_px[0] - 2 * np.pi * rig.surface.px_per_rad) < 1e-6
    middle = panorama.image.y[rig.surface.size_px[1] // 2].astype(int)
    assert abs(middle[0] - middle[-1]) < 40


def test_an_odd_picture_height_is_composed_too() -> None:
    model = camera("odd", 0.0, size_px=(321, 181))
    image = view(model, ROOM)
    assert image.u.shape == (91, 161)
    rig = rig_of([model], max_width_px=640)
    stitcher = Stitcher(rig, CONFIG)
    panorama = stitcher.stitch([frame("odd", image)])
    assert not stitcher.problems and (~panorama.unseen).mean() > 0.7


def somebody_between_left_and_middle() -> Position:
    x, y = CENTRE_M[:2] + 7.0 * np.array([np.cos(np.radians(22.5)), np.sin(np.radians(22.5))])
    return Position(
        track=1,
        xyz_m=(float(x), float(y), 0.0),
        covariance_m2=((0.01, 0.0), (0.0, 0.01)),
        velocity_m_s=(0.0, 0.0),
        height_m=1.8,
        posture="upright",
        certainty="certainly",
        seen_at_ns=0,
        cameras=("left",),
    )


def test_a_panorama_with_somebody_on_a_seam_is_painted_as_it_says(
    rig: Rig, frames: list[Frame]
) -> None:
    stitcher = Stitcher(rig, CONFIG)
    empty = stitcher.stitch(frames)
    kept = empty.painter.copy()
    someone = somebody_between_left_and_middle()
    panorama = stitcher.stitch(frames, [someone])
    assert np.array_equal(empty.painter, kept)  # what was given away stays as it was
    assert (panorama.painter != kept).sum() > 500
    body_m = np.array(someone.xyz_m) + np.linspace(0.05, 1.75, 30)[:, None] * [0, 0, 1]
    column, row = np.rint(rig.surface.panorama_from_mine(body_m)).astype(int).T
    inside = rig.surface.inside(np.column_stack([column, row]))
    assert inside.sum() > 20
    assert len(set(panorama.painter[row[inside], column[inside]].tolist())) == 1
    assert np.array_equal(panorama.unseen, empty.unseen)
    assert np.array_equal(panorama.unseen, panorama.painter == NOBODY)
    calm = away_from_seams(panorama, CONFIG.blend_px)
    for index, (model, given) in enumerate(zip(rig.cameras, frames, strict=True)):
        mine = calm & (panorama.painter == index)
        expected, _ = looked_up(rig, model, given.image.y.astype(float), half=False)
        expected = expected * gains(stitcher, index, rig.surface.size_px)
        assert np.abs(panorama.image.y.astype(float) - expected)[mine].max() <= SUBLEVEL
