"""Two planes looked up at once: the same as one after the other, and only where that is quicker."""

import cv2
import numpy as np
import pytest

from scene.arrays import Floats
from stitching.composition.compose import OpenCvBackend
from stitching.composition.layer import Patch, quarter
from stitching.composition.pairs import Pairs
from stitching.composition.positions import MapKind, Table, fixed_point
from stitching.maps import OUTSIDE
from tests.stitching.scenes import Scene, opencv
from tests.stitching.views import fan

BORDER = 128
CORNER = 30, 12


@pytest.mark.parametrize("kind", ["float32", "fixed"])
def test_a_pair_shows_what_each_plane_shows(kind: MapKind) -> None:
    dice = np.random.default_rng(1)
    one, other = dice.integers(0, 256, (2, 61, 83), dtype=np.uint8)
    # Over the planes' far edges, and nowhere for a corner that the camera does not see.
    x, y = np.meshgrid(np.linspace(31.2, 83.9, 70), np.linspace(13.4, 62.3, 50))
    x[:5, :9] = OUTSIDE
    reach = slice(CORNER[1], 99), slice(CORNER[0], 99)
    pairs = Pairs()
    table = table_of(x - CORNER[0], y - CORNER[1], kind)
    for first, second in ((other, one), (one, other)):
        found = pairs.look_up(first, second, reach, table, BORDER)
        for got, plane in zip(found, (first, second), strict=True):
            want = cv2.remap(
                plane,
                *table_of(x, y, kind),
                cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_CONSTANT,
                borderValue=BORDER,
            )
            assert np.ptp(want[10:40, 10:40]) > 150 and np.all(want[:5, :9] == BORDER)
            # Shifted fractions are rounded elsewhere in the last bit.
            assert np.abs(got.astype(int) - want).max() <= 1


def table_of(x: Floats, y: Floats, kind: MapKind) -> Table:
    short = x.astype(np.float32), y.astype(np.float32)
    return fixed_point(*short) if kind == "fixed" else short


def test_chroma_is_looked_up_in_pairs_and_luma_is_not() -> None:
    scene = Scene(fan())
    luma, chroma = patches_of(scene)
    assert len(chroma) > 5 and all(patch.pairs for patch in chroma)
    assert not any(patch.pairs for patch in luma)
    assert any(patch.reach[0].start > 0 and patch.reach[1].start > 0 for patch in chroma)


def test_where_a_patch_looks_at_much_more_than_it_shows_planes_are_looked_up_alone() -> None:
    scene = Scene(fan(), max_width_px=360)
    _, chroma = patches_of(scene)
    assert chroma and not any(patch.pairs for patch in chroma)
    weights = scene.weights({0, 1, 2})
    scene.check(opencv("curves")(scene).recipe(weights).paint(scene.images), weights, {0, 1, 2})


def patches_of(scene: Scene) -> tuple[list[Patch], list[Patch]]:
    opened = OpenCvBackend(scene.maps, scene.gains, scene.sizes_px, scene.size_px, "curves")
    weights = scene.weights(set(range(len(scene.maps))))
    small = [quarter(weight) for weight in weights]
    cuts = opened.luma.cut(weights, "curves"), opened.chroma.cut(small, "curves")
    luma, chroma = ([patch for lane in cut for patch in lane.patches] for cut in cuts)
    return luma, chroma
