"""Whom each place of a camera's picture shows: one person, whatever stands close together there.

Knows nothing about the panorama.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from scene.arrays import Bools, Bytes, Floats, Ints
from scene.geometry import CameraModel
from stitching.cells import SMALL
from stitching.maps import Maps
from stitching.people.bodies import Bodies
from stitching.people.figures import FINE, Box, Figure, figure

MARGIN_M = 0.15
"""So far beyond its outline a body is shown where nobody else is."""
MOST_MARGIN = 4
LEAST = 0.02
"""Where nobody is likelier than that, nobody is."""
SHARED, SHARED_LEAST = 0.6, 0.1
"""Who is so likely there beside the likeliest one, and so likely at all, is shown there, too: an
arm that is missing is worse than a strip of somebody else."""
LIKE = 1.5
"""Unless the other one is so much farther off: a strip is much of a small figure."""
CHANGED = 0.2
"""How likely a body is at least where its outline shows something new."""
FINER = SMALL // FINE


class Divided:
    """One camera's picture, divided among the people in it.

    Each place shows whom it most likely shows: a nearer person as likely as their figure says, a
    farther one if those before them are not there.
    """

    def __init__(self, bodies: Bodies, index: int) -> None:
        """Divide the picture of camera `index`."""
        self.index = index
        self._count = bodies.count
        self._distances_m = bodies.distances_m()[:, index]
        rows, columns = bodies.core[index].shape
        shape = rows * FINER, columns * FINER
        self.owner: Ints = np.full(shape, -1)
        """(rows, columns) by places of `FINE` pixels: a bit, or -1."""
        self.best: Maps = np.full(shape, LEAST, np.float32)
        """(rows, columns) how likely the owner is to be seen there."""
        self.figures: dict[int, Figure] = {}
        """Whom it shows, by bit, as if nobody stood before them."""
        self.visible: dict[int, Figure] = {}
        """The same people, as likely as they are to be seen."""
        left = np.ones(shape, np.float32)
        for bit in np.argsort(self._distances_m, kind="stable").tolist():
            one = figure(bodies, bit, index)
            if one is None:
                continue
            seen = one.chance * left[one.box]
            better = seen > self.best[one.box]
            self.best[one.box][better] = seen[better]
            self.owner[one.box][better] = bit
            left[one.box] *= 1 - one.chance
            self.figures[bit], self.visible[bit] = one, Figure(box=one.box, chance=seen)

    def like(self, bit: int) -> Bools:
        """Tell (bits + 1,) who is hardly smaller in the picture than somebody; nobody is."""
        away_m = self._distances_m
        return np.append(away_m <= LIKE * away_m[bit], True)

    def mixed(self) -> tuple[Floats, Floats, Floats]:
        """Tell how much of whom is in whose places.

        Gives (bits, bits + 1) how many places are likely to show the first in those of the second,
        or of nobody; the same if nobody stood before them; and (bits,) that altogether.
        """
        seen, there = (np.zeros((self._count, self._count + 1)) for _ in range(2))
        for table, figures in ((seen, self.visible), (there, self.figures)):
            for bit, one in figures.items():
                owner = self.owner[one.box].ravel() % (self._count + 1)
                table[bit] = np.bincount(owner, one.chance.ravel(), self._count + 1)
        return seen, there, np.asarray(there.sum(axis=1))


def silhouettes(
    bodies: Bodies, divided: Divided, bits: Sequence[int], differs: Bools
) -> tuple[tuple[int, int], Maps]:
    """Draw where bodies may be shown, 0 or 1, and how likely they are there, 0..1.

    `differs` is where the camera's coarse picture is not as without people. Gives the row and
    column of the first place, and (rows, columns, 2) in places of `FINE` pixels.
    """
    index = divided.index
    cores = [(bodies.core[index] >> bit & 1).astype(np.uint8) for bit in bits]
    nears = [_widened(bodies, index, bit, core) for bit, core in zip(bits, cores, strict=True)]
    x, y, *size = cv2.boundingRect(np.max(nears, axis=0))
    # At least one place, of nobody, where they are outside the picture.
    columns, rows = (max(one, 1) for one in size)
    coarse = slice(y, y + rows), slice(x, x + columns)
    box = slice(FINER * y, FINER * (y + rows)), slice(FINER * x, FINER * (x + columns))
    owner, best = divided.owner[box], divided.best[box]
    drawn = np.zeros((*owner.shape, 2), np.float32)
    for bit, core, near in zip(bits, cores, nears, strict=True):
        shared = _placed(divided.visible.get(bit), box) > np.maximum(SHARED * best, SHARED_LEAST)
        mine = (owner == bit) | (shared & divided.like(bit)[owner])
        changed = _finer((core[coarse] > 0) & differs[coarse])
        chance = np.maximum(_placed(divided.figures.get(bit), box), CHANGED * changed)
        drawn[..., 0][mine | (_finer(near[coarse] > 0) & (owner < 0))] = 1
        drawn[..., 1] = np.maximum(drawn[..., 1], chance * mine)
    return (FINER * y, FINER * x), drawn


def _widened(bodies: Bodies, index: int, bit: int, core: Bytes) -> Bytes:
    """Give a body's outline (rows, columns) with its margin."""
    size = 2 * _margin(bodies.cameras[index], np.array(bodies.people[bit].xyz_m)) + 1
    return np.asarray(cv2.dilate(core, np.ones((size, size), np.uint8)), np.uint8)


def _finer(some: Bools) -> Bools:
    """Give every place of `FINE` pixels what its coarse one has."""
    return np.repeat(np.repeat(some, FINER, 0), FINER, 1)


def _placed(one: Figure | None, box: Box) -> Maps:
    """Give somebody's chances in a box of places; 0 where the figure does not reach."""
    rows, columns = box
    canvas = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.float32)
    if one is not None:
        both = [
            slice(max(a.start, b.start), min(a.stop, b.stop))
            for a, b in zip(one.box, box, strict=True)
        ]
        if all(some.start < some.stop for some in both):
            there, here = (
                tuple(
                    slice(some.start - edge.start, some.stop - edge.start)
                    for some, edge in zip(both, edges, strict=True)
                )
                for edges in (box, one.box)
            )
            canvas[there] = one.chance[here]
    return canvas


def _margin(camera: CameraModel, feet_m: Floats) -> int:
    """Give how many places of the coarse picture a body may reach beyond its outline."""
    away_m = max(float(np.linalg.norm(feet_m - camera.centre_m)), 0.1)
    return int(np.clip(np.rint(MARGIN_M * camera.k[0, 0] / away_m / SMALL), 1, MOST_MARGIN))
