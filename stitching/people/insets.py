"""People on a ribbon: each drawn upright, once, and what they hide is greyed.

Knows nothing about how people are found, nor how the panorama below them is painted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from scene.arrays import Bools, read_only
from scene.messages import Inset, Panorama, YuvImage
from scene.ribbon import Ribbon
from scene.rig import Rig
from stitching.cells import Cells
from stitching.exposure import Exposure
from stitching.people.background import Background
from stitching.people.bodies import Bodies
from stitching.people.companies import Companies
from stitching.people.drawing import draw
from stitching.people.hiding import hide
from stitching.people.upright import HALF, insets
from stitching.people.whose import NOBODY, Whose


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Standing:
    """Who is drawn upright at one instant."""

    bits: int
    """Whose, as in `Bodies`."""
    insets: tuple[Inset, ...]


class Insets:
    """Draws people upright over the panoramas of one rig."""

    def __init__(self, rig: Rig, surface: Ribbon, cells: Cells, exposure: Exposure) -> None:
        self._surface, self._cells, self._exposure = surface, cells, exposure
        self._names = [camera.name for camera in rig.cameras]
        self._whose, self._companies = Whose(), Companies()
        self._background = Background(cells.small_px)

    def look(self, bodies: Bodies, images: Mapping[int, YuvImage], at_ns: int) -> Standing:
        """Say who will be drawn, and how, from the pictures there are, by camera index."""
        present = [index in images for index in range(len(self._names))]
        companies = self._companies.of(bodies.people)
        shown_by = self._whose.choose(bodies, present, at_ns, companies)
        self._background.look(images, bodies, at_ns)
        differs = {
            index: self._background.differs(index, images[index])
            for index in set(shown_by)
            if index != NOBODY
        }
        found = insets(bodies, self._surface, shown_by, differs, companies)
        tracks = {track for inset in found for track in inset.tracks}
        bits = sum(1 << bit for bit, track in enumerate(bodies.tracks) if track in tracks)
        return Standing(bits=bits, insets=found)

    def draw(
        self,
        panorama: Panorama,
        standing: Standing,
        hidden: Bools,
        images: Mapping[int, YuvImage],
    ) -> Panorama:
        """Draw them over a panorama that is painted; its planes are changed in place.

        `hidden` (cells,) is where the painter shows them, too: that is greyed.
        """
        if not standing.insets:
            return panorama
        painter, unseen = panorama.painter.copy(), panorama.unseen.copy()
        hide(panorama.image, painter, unseen, hidden, self._cells)
        for inset in standing.insets:
            index = self._names.index(inset.camera)
            gain = self._gain(index, inset)
            draw(panorama.image, inset, images[index], gain)
            (x0, y0), (height, width) = inset.corner_px, inset.opacity.shape
            box = slice(y0, y0 + height), slice(x0, x0 + width)
            shows = inset.opacity >= HALF
            painter[box][shows] = index
            unseen[box] &= ~shows
        return replace(
            panorama,
            painter=read_only(painter),
            unseen=np.asarray(read_only(unseen)),
            insets=standing.insets,
        )

    def _gain(self, index: int, inset: Inset) -> float:
        """Give the camera's gain where it sees the person: over one body it hardly changes."""
        row, column = np.unravel_index(int(inset.opacity.argmax()), inset.opacity.shape)
        spot = slice(row, row + 1), slice(column, column + 1)
        return float(self._exposure.gain_at(index, inset.luma_x[spot], inset.luma_y[spot])[0, 0])
