"""Seams lie where cameras agree and nothing moves, and stay when nothing is gained."""

import itertools

import numpy as np
import pytest

from scene.arrays import Bytes, Ints
from stitching.cells import Cells, cells_of, nearest_camera
from stitching.exposure import UNIT, GainMaps
from stitching.maps import CameraMap, camera_map
from stitching.seams.base import Agreement, BaseSeams
from stitching.seams.search import AFTER_LOOKS, SeamSearch
from tests.stitching.views import fan, rig_of

RIG = rig_of(fan(), max_width_px=1200)
MAPS = [camera_map(camera, RIG.surface) for camera in RIG.cameras]
SIZES = [camera.size_px for camera in RIG.cameras]
PRESENT = [True] * 3


@pytest.fixture(scope="module")
def cells() -> Cells:
    return cells_of(MAPS, SIZES, RIG.surface.size_px)


def flat_gains() -> list[GainMaps]:
    return [gains_of(camera) for camera in MAPS]


def gains_of(camera: CameraMap) -> GainMaps:
    height, width = camera.seen.shape
    return GainMaps(
        luma=np.full((height, width), UNIT, np.uint8),
        chroma=np.full((height // 2, width // 2), UNIT, np.uint8),
    )


def grey(level: int = 100) -> dict[int, Bytes]:
    return {i: np.full((h, w), level, np.uint8) for i, (w, h) in enumerate(SIZES)}


def crossings(cells: Cells, labels: Ints) -> Ints:
    """Give the columns of cells right before which painters 0 and 1 meet, row by row."""
    grid = labels.reshape(cells.shape)
    rows, columns = np.nonzero((grid[:, :-1] == 0) & (grid[:, 1:] == 1))
    return columns[np.argsort(rows, kind="stable")]


def test_where_all_agree_seams_lie_in_the_middle(cells: Cells) -> None:
    agreement = Agreement(cells, MAPS)
    for _ in range(5):
        agreement.look(grey(), flat_gains())
    base = nearest_camera(cells, PRESENT)[0]
    seams = BaseSeams(cells, agreement, PRESENT)
    *_, found = seams.steps(base)
    assert np.abs(crossings(cells, found).mean() - crossings(cells, base).mean()) < 2


def test_seams_leave_where_cameras_differ(cells: Cells) -> None:
    """The middle camera shows something bright where the seam lies, the left one does not."""
    base = nearest_camera(cells, PRESENT)[0]
    here = np.unique(crossings(cells, base))
    lumas = bright_in(1, cells, here.min() - 2, here.max() + 3)
    agreement = Agreement(cells, MAPS)
    for _ in range(5):
        agreement.look(lumas, flat_gains())
    seams = BaseSeams(cells, agreement, PRESENT)
    energies = [seams.energy(base)]
    for found in seams.steps(base):
        energies.append(seams.energy(found))
    assert all(b <= a + 1e-6 for a, b in itertools.pairwise(energies))
    assert energies[-1] < 0.7 * energies[0]
    columns = crossings(cells, found)
    inside = (columns >= here.min() - 2) & (columns <= here.max() + 2)
    assert inside.mean() < 0.2


def bright_in(camera: int, cells: Cells, first: int, last: int) -> dict[int, Bytes]:
    """Paint columns of cells bright in one camera's picture."""
    lumas = grey()
    columns = np.arange(cells.count) % cells.shape[1]
    rows, width = cells.small_px[camera]
    spots = cells.spots[camera][(columns >= first) & (columns <= last) & cells.seen[camera]]
    small = np.zeros(rows * width, np.uint8)
    small[spots] = 120
    large = np.kron(small.reshape(rows, width), np.ones((8, 8), np.uint8))
    lumas[camera] = lumas[camera] + large[: SIZES[camera][1], : SIZES[camera][0]]
    return lumas


def test_a_label_is_never_given_to_a_camera_that_does_not_see(cells: Cells) -> None:
    rng = np.random.default_rng(3)
    agreement = Agreement(cells, MAPS)
    for _ in range(4):
        noise = {
            i: rng.integers(60, 200, (h, w)).astype(np.uint8) for i, (w, h) in enumerate(SIZES)
        }
        agreement.look(noise, flat_gains())
    base = nearest_camera(cells, PRESENT)[0]
    *_, found = BaseSeams(cells, agreement, PRESENT).steps(base)
    assert np.array_equal(found < 0, base < 0)
    known = np.flatnonzero(found >= 0)
    assert cells.seen[found[known], known].all()


def test_new_seams_are_taken_only_when_clearly_better(cells: Cells) -> None:
    base = nearest_camera(cells, PRESENT)[0]
    assert searched(cells, grey(), base) is None
    here = np.unique(crossings(cells, base))
    better = searched(cells, bright_in(1, cells, here.min() - 2, here.max() + 3), base)
    assert better is not None and not np.array_equal(better, base)


def searched(cells: Cells, lumas: dict[int, Bytes], base: Ints) -> Ints | None:
    search = SeamSearch(cells, MAPS)
    for _ in range(AFTER_LOOKS[0]):
        search.look(lumas, flat_gains(), base)
    found = [search.step() for _ in range(20)]
    return next((labels for labels in found if labels is not None), None)
