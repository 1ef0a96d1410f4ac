"""Every backend against a slow reference: all planes, odd layouts, and what changes on the way."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from scene.arrays import Bytes
from scene.geometry import CameraModel
from scene.messages import YuvImage
from stitching.composition.backend import GREY, UNSEEN_LUMA
from stitching.composition.compose import OpenCvBackend
from stitching.composition.layer import Layer, Patch
from stitching.composition.positions import KINDS, Curves, MapKind
from stitching.exposure import UNIT
from stitching.maps import Maps
from tests.stitching.corridor import corridor_ribbon, strung
from tests.stitching.scenes import Open, Scene, onnx, opencv
from tests.stitching.views import camera, fan

BACKENDS = [pytest.param(opencv(kind), id=f"opencv-{kind}") for kind in KINDS]
BACKENDS.append(pytest.param(onnx, id="onnx-cpu"))
TWO = [BACKENDS[0], BACKENDS[-1]]


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene(fan())


@pytest.fixture(autouse=True)
def fresh_memory_is_not_an_old_panorama(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fill new arrays with a value that shows: what nobody paints must not look right by chance."""
    empty = np.empty

    def filled(*args: Any, **more: Any) -> NDArray[Any]:
        array = empty(*args, **more)
        array.fill(201)
        return array

    monkeypatch.setattr(np, "empty", filled)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("present", [{0, 1, 2}, {0, 2}, {1}, set()], ids=str)
def test_all_planes_are_as_the_reference_whoever_is_missing(
    scene: Scene, backend: Open, present: set[int]
) -> None:
    weights = scene.weights(present, wave=0.1)
    images = {i: image for i, image in scene.images.items() if i in present}
    painted = backend(scene).recipe(weights).paint(images)
    scene.check(painted, weights, present)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("soft_px", [1e-6, 400.0], ids=["hard seams", "all overlaps fade"])
def test_hard_seams_and_very_wide_ones(scene: Scene, backend: Open, soft_px: float) -> None:
    weights = scene.weights({0, 1, 2}, soft_px)
    scene.check(backend(scene).recipe(weights).paint(scene.images), weights, {0, 1, 2})


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "cameras",
    [
        [camera("odd", 0.0, size_px=(321, 181)), camera("even", -40.0, size_px=(480, 270))],
        [camera("wide", 20.0, -25.0, 10.0, hfov_deg=110.0, lens="fisheye", k1=0.0), *fan()[1:]],
        [camera(f"ring{i}", -60.0 * i, 0.0, hfov_deg=80.0) for i in range(6)],
    ],
    ids=["odd sizes", "fisheye, tilted", "all round"],
)
def test_other_rigs(backend: Open, cameras: list[CameraModel]) -> None:
    other = Scene(cameras, max_width_px=900)
    everybody = set(range(len(cameras)))
    weights = other.weights(everybody, wave=0.05)
    other.check(backend(other).recipe(weights).paint(other.images), weights, everybody)


@pytest.fixture(scope="module")
def strip() -> Scene:
    return Scene(strung(2), ribbon=corridor_ribbon())


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_ribbon_with_creases_between_walls_and_floor(strip: Scene, backend: Open) -> None:
    weights = strip.weights({0, 1})
    strip.check(backend(strip).recipe(weights).paint(strip.images), weights, {0, 1})


@pytest.mark.parametrize("backend", BACKENDS)
def test_where_nobody_looks_it_is_exactly_grey(scene: Scene, backend: Open) -> None:
    weights = scene.weights({0, 2})
    painted = backend(scene).recipe(weights).paint({i: scene.images[i] for i in (0, 2)})
    seen = np.zeros(painted.y.shape, bool)
    for index in (0, 2):
        x0, y0, x1, y1 = scene.maps[index].box
        seen[y0:y1, x0:x1] |= scene.maps[index].seen
    assert (~seen).sum() > 10_000
    assert np.all(painted.y[~seen] == UNSEEN_LUMA)
    blank = ~seen.reshape(len(seen) // 2, 2, -1, 2).any(axis=(1, 3))
    assert np.all(painted.u[blank] == GREY) and np.all(painted.v[blank] == GREY)


@pytest.mark.parametrize("backend", TWO)
def test_moved_seams_paint_as_if_they_had_always_been_there(scene: Scene, backend: Open) -> None:
    before, after = scene.weights({0, 1, 2}), scene.weights({0, 1, 2}, wave=0.1)
    boxes = [changed(scene, before, after, y0) for y0 in (0, 100)]
    mixed = merged(scene, before, after, boxes)
    opened = backend(scene)
    first = opened.recipe(before)
    old = first.paint(scene.images)
    new = first.moved(mixed, boxes).paint(scene.images)
    again = opened.recipe(mixed).paint(scene.images)
    for name in ("y", "u", "v"):
        assert np.array_equal(getattr(new, name), getattr(again, name))
        assert not np.array_equal(getattr(new, name), getattr(old, name))
    scene.check(new, mixed, {0, 1, 2})
    scene.check(first.paint(scene.images), before, {0, 1, 2})


@pytest.mark.parametrize("backend", TWO)
def test_a_seam_may_soften_where_no_band_was(scene: Scene, backend: Open) -> None:
    hard = scene.weights({0, 1, 2}, soft_px=1e-6, upright=True)
    soft = scene.weights({0, 1, 2}, upright=True)
    width = scene.size_px[0]
    top, low = (0, 70, width, 100), (0, 140, width, 180)
    before = merged(scene, hard, soft, [top])
    after = merged(scene, before, soft, [low])
    painted = backend(scene).recipe(before).moved(after, [low]).paint(scene.images)
    scene.check(painted, after, {0, 1, 2})


def changed(
    scene: Scene, before: list[Maps], after: list[Maps], y0: int
) -> tuple[int, int, int, int]:
    """Give 40 rows over those columns that change there at all."""
    columns = np.zeros(scene.size_px[0], bool)
    for one, a, b in zip(scene.maps, before, after, strict=True):
        columns[one.box[0] : one.box[2]] |= (a != b)[y0 : y0 + 40].any(axis=0)
    xs = np.flatnonzero(columns)
    return int(xs[0]), y0, int(xs[-1]) + 1, y0 + 40


def merged(
    scene: Scene,
    before: list[Maps],
    after: list[Maps],
    boxes: list[tuple[int, int, int, int]],
) -> list[Maps]:
    mixed = [weight.copy() for weight in before]
    for x0, y0, x1, y1 in boxes:
        for one, weight, new in zip(scene.maps, mixed, after, strict=True):
            left, right = max(x0, one.box[0]) - one.box[0], min(x1, one.box[2]) - one.box[0]
            if left < right:
                weight[y0:y1, left:right] = new[y0:y1, left:right]
    return mixed


def test_moving_a_seam_cuts_only_what_it_touches(scene: Scene) -> None:
    opened = OpenCvBackend(scene.maps, scene.gains, scene.sizes_px, scene.size_px, "curves")
    weights = scene.weights({0, 1, 2})
    lanes = opened.luma.cut(weights, "curves")
    again = opened.luma.cut_again(lanes, weights, "curves", [(0, 70, 400, 100)])
    assert [a is b for a, b in zip(lanes, again, strict=True)].count(False) == 1
    assert all(a in lanes[1].patches for a in again[1].patches)


@pytest.mark.parametrize("backend", TWO)
def test_gains_are_followed_when_they_change(scene: Scene, backend: Open) -> None:
    other = Scene(fan())
    weights = other.weights({0, 1, 2})
    opened = backend(other)
    recipe = opened.recipe(weights)
    other.check(recipe.paint(other.images), weights, {0, 1, 2})
    lit(other, 1, 150)
    opened.gains_changed(1)
    other.check(recipe.paint(other.images), weights, {0, 1, 2})
    for index in range(3):
        lit(other, index, UNIT)
    for index in range(3):
        opened.gains_changed(index)
    other.check(recipe.paint(other.images), weights, {0, 1, 2})
    lit(other, 2, 90)
    opened.gains_changed(2)
    other.check(recipe.paint(other.images), weights, {0, 1, 2})


def lit(scene: Scene, camera: int, gain: int) -> None:
    """Write a camera's gains anew; where it does not see they are always one."""
    seen = scene.maps[camera].seen
    scene.gains[camera].luma[:] = np.where(seen, gain, UNIT)
    scene.gains[camera].chroma[:] = np.where(seen, gain, UNIT)[::2, ::2]


@pytest.mark.parametrize("backend", TWO)
def test_a_panorama_never_changes_once_it_is_given(scene: Scene, backend: Open) -> None:
    recipe = backend(scene).recipe(scene.weights({0, 1, 2}))
    kept = recipe.paint(scene.images)
    copies = [plane.copy() for plane in (kept.y, kept.u, kept.v)]
    dark = {i: YuvImage(y=image.y // 4, u=image.v, v=image.u) for i, image in scene.images.items()}
    recipe.paint(dark)
    for plane, copy in zip((kept.y, kept.u, kept.v), copies, strict=True):
        assert np.array_equal(plane, copy)


@pytest.mark.parametrize("backend", TWO)
def test_planes_may_be_views_into_padded_rows(scene: Scene, backend: Open) -> None:
    weights = scene.weights({0, 1, 2})
    padded = {
        i: YuvImage(y=padded_rows(image.y), u=padded_rows(image.u), v=padded_rows(image.v))
        for i, image in scene.images.items()
    }
    scene.check(backend(scene).recipe(weights).paint(padded), weights, {0, 1, 2})


def padded_rows(plane: Bytes) -> Bytes:
    return np.pad(plane, ((0, 3), (5, 32)))[:-3, 5:-32]


def test_curves_take_a_fraction_of_the_memory(scene: Scene) -> None:
    weights = scene.weights({0, 1, 2}, soft_px=1e-6)
    sizes = {
        kind: OpenCvBackend(scene.maps, scene.gains, scene.sizes_px, scene.size_px, kind)
        .recipe(weights)
        .nbytes
        for kind in KINDS
    }
    assert sizes["curves"] < sizes["fixed"] / 2 < sizes["float32"] / 2


def test_patches_stay_too_small_for_threads_of_the_matrix_library(scene: Scene) -> None:
    wide = Scene([camera("wide", 0.0, hfov_deg=100.0, size_px=(2560, 200))], max_width_px=2600)
    opened = OpenCvBackend(wide.maps, wide.gains, wide.sizes_px, wide.size_px, "curves")
    patches = patches_of(opened.luma, wide.weights({0}))
    assert any(patch.area[1].stop - patch.area[1].start > 700 for patch in patches)
    curves = [p.positions for p in patches if isinstance(p.positions, Curves)]
    assert curves
    for one in curves:
        assert one.powers.shape[0] * one.powers.shape[1] * one.x.shape[1] <= 262_144


def patches_of(layer: Layer, weights: list[Maps]) -> list[Patch]:
    return [patch for lane in layer.cut(weights, "curves") for patch in lane.patches]


def test_the_kind_of_map_is_measured_or_given(scene: Scene) -> None:
    measured = OpenCvBackend(scene.maps, scene.gains, scene.sizes_px, scene.size_px)
    assert measured.kind in KINDS and measured.kind in measured.runs_on
    given = OpenCvBackend(scene.maps, scene.gains, scene.sizes_px, scene.size_px, "fixed")
    assert given.kind == "fixed" and not given.degraded


def test_one_process_measures_once_so_that_panoramas_are_the_same(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = OpenCvBackend(scene.maps, scene.gains, scene.sizes_px, scene.size_px).kind
    other: MapKind = "fixed" if first != "fixed" else "curves"
    monkeypatch.setattr("stitching.composition.map_trial._measure", lambda *_: other)
    again = OpenCvBackend(scene.maps, scene.gains, scene.sizes_px, scene.size_px)
    assert again.kind == first
