"""What cameras show of people: bodies drawn into coarse pictures, one bit per person.

Knows nothing about seams. A body is drawn three times: thin, where it surely is; as large as it may
be with its arms and with how unsure its place is (`core`); and wide, with room to move in.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from scene.arrays import Bools, Floats
from scene.geometry import CameraModel
from scene.messages import Detections, Position
from stitching.cells import SMALL, Cells
from stitching.maps import Maps
from stitching.people.finds import BORDER_PX, at_border, matched, outline, person_boxes
from stitching.people.solids import View, axes_m, core_m, in_picture, thin_m, wide_m

Bits = NDArray[np.int64]
"""Who is in each place, a bit per person."""

MOST = 60
"""Bodies that fit into the bits; more are not looked after."""
AT_BORDER = 0.8
"""Share of the body that a find at the picture's border is taken to show."""
BOX_AGE_NS = 500_000_000
"""Older finds are no longer where their boxes are."""


class Bodies:
    """Who is where in all cameras' pictures. Bit by bit: first people, then loose finds.

    Loose finds belong to nobody whose place is known yet; only one camera shows each.
    """

    def __init__(
        self,
        cameras: Sequence[CameraModel],
        cells: Cells,
        people: Sequence[Position],
        finds: Iterable[Detections] = (),
        at_ns: int = 0,
    ) -> None:
        """Take `people` predicted to `at_ns`, and the latest `finds`.

        Finds show exactly what a camera shows of somebody, and whom nobody has located yet.
        """
        self.people = tuple(people[:MOST])
        self.cameras, self._cells = cameras, cells
        fresh = [found for found in finds if abs(at_ns - found.captured_at_ns) <= BOX_AGE_NS]
        self.searched = [any(one.camera == camera.name for one in fresh) for camera in cameras]
        """Whose pictures the detector has searched lately."""
        self._boxes = [person_boxes(fresh, camera.name) for camera in cameras]
        self._views = self._seen(core_m(self.people))
        self._whose = [
            matched(*view, boxes, camera.size_px)
            for view, boxes, camera in zip(self._views, self._boxes, cameras, strict=True)
        ]
        self._loose = [
            (index, box)
            for index, whose in enumerate(self._whose)
            for box in np.flatnonzero(whose < 0).tolist()
        ][: MOST - len(self.people)]
        self.tracks = tuple(person.track for person in self.people)
        """Whose bit is which."""
        self.owners = (-1,) * len(self.people) + tuple(index for index, _ in self._loose)
        """(bits,) the only camera that shows it, for loose finds; -1 for people."""
        self.core: list[Bits] = self._drawn(1, self._views)
        """Per camera (rows, columns): where they may be."""

    @property
    def count(self) -> int:
        """How many bits are taken."""
        return len(self.owners)

    @cached_property
    def thin(self) -> list[Bits]:
        """Per camera (rows, columns): where they surely are."""
        return self._drawn(0, self._seen(thin_m(self.people)))

    @cached_property
    def sure(self) -> list[Bits]:
        """Per camera (rows, columns): where both their place and what was found say they are."""
        inmost = self._solid(self._seen(thin_m(self.people)))
        places = self._solid(self._views)
        return [
            some | (thin & place)
            for some, thin, place in zip(inmost, self.thin, places, strict=True)
        ]

    @cached_property
    def wide(self) -> list[Bits]:
        """Per camera (rows, columns): where they may be in a moment, with a margin."""
        return self._drawn(2, self._seen(wide_m(self.people)))

    def boxes(self, bit: int, camera: int) -> Floats:
        """Give the finds (B, 4) of a camera that show that person, or are that loose find."""
        if bit < len(self.people):
            return np.asarray(self._boxes[camera][self._whose[camera] == bit])
        index, box = self._loose[bit - len(self.people)]
        return np.asarray(self._boxes[index][[box] if index == camera else []])

    def outline(self, bit: int, camera: int) -> Floats:
        """Give (K, 2) pixels round a person's body, arms and all; none of them for loose finds."""
        if bit >= len(self.people):
            return np.empty((0, 2))
        pixels, good = self._views[camera]
        return np.asarray(pixels[bit][good[bit]])

    def complete(self) -> Floats:
        """Give (bits, N) the share of each body that is in a camera's picture and on the panorama.

        Of loose finds nothing is known but whether their box ends at the picture's border.
        """
        shares = np.ones((self.count, len(self.cameras)))
        shares[: len(self.people)] = self.pictured(self._cells.drawn)
        for number, (index, box) in enumerate(self._loose):
            if at_border(self._boxes[index][box], self.cameras[index].size_px):
                shares[len(self.people) + number] = AT_BORDER
        return shares

    def pictured(self, drawn: Sequence[Maps] | None = None) -> Floats:
        """Give (P, N) the share of each person's body that is in each camera's picture.

        With `drawn`, (rows, columns) of each coarse picture, only what has 1 there counts.
        """
        shares = np.zeros((len(self.people), len(self.cameras)))
        if self.people:
            points_m = axes_m(self.people)
            for index, camera in enumerate(self.cameras):
                pixels, held = _held(camera, points_m)
                if drawn is not None:
                    rows, columns = drawn[index].shape
                    spots = np.clip(pixels / SMALL, 0, [columns - 1, rows - 1]).astype(np.int64)
                    held &= drawn[index][spots[..., 1], spots[..., 0]] > 0
                shares[:, index] = held.mean(axis=1)
        return shares

    def uncut(self) -> Floats:
        """Give (P, N) the most that a camera can show of each person by where their boxes end.

        A box that ends at the picture's lower edge lacks the feet, wherever they are taken to be.
        """
        shares = np.ones((len(self.people), len(self.cameras)))
        for index, camera in enumerate(self.cameras):
            lowest = camera.size_px[1] - 1 - BORDER_PX
            for box, bit in zip(self._boxes[index], self._whose[index].tolist(), strict=True):
                if bit >= 0 and box[3] >= lowest:
                    shares[bit, index] = AT_BORDER
        return shares

    def distances_m(self) -> Floats:
        """Give (bits, N) how far off everybody is; infinite for loose finds."""
        found = np.full((self.count, len(self.cameras)), np.inf)
        if self.people:
            feet_m = np.array([person.xyz_m for person in self.people])
            for index, camera in enumerate(self.cameras):
                found[: len(feet_m), index] = np.linalg.norm(feet_m - camera.centre_m, axis=1)
        return found

    def _seen(self, solids_m: Floats) -> list[View]:
        return [in_picture(camera, solids_m) for camera in self.cameras]

    def _solid(self, views: list[View]) -> list[Bits]:
        """Draw people by their place alone, whatever was found."""
        pictures = [np.zeros(size, np.int64) for size in self._cells.small_px]
        for picture, (pixels, good) in zip(pictures, views, strict=True):
            for bit in range(len(self.people)):
                _draw(picture, [pixels[bit][good[bit]]], bit)
        return pictures

    def _drawn(self, level: int, views: list[View]) -> list[Bits]:
        pictures = [np.zeros(size, np.int64) for size in self._cells.small_px]
        for picture, (pixels, good), whose, boxes in zip(
            pictures, views, self._whose, self._boxes, strict=True
        ):
            for bit in range(len(self.people)):
                outlines = [outline(box, level) for box in boxes[whose == bit]]
                # A find is better than a guess at where arms are; the wide body covers both.
                if level == 2 or not outlines:
                    outlines.append(pixels[bit][good[bit]])
                _draw(picture, outlines, bit)
        for number, (index, box) in enumerate(self._loose):
            found = outline(self._boxes[index][box], level)
            _draw(pictures[index], [found], len(self.people) + number)
        return pictures


def _held(camera: CameraModel, points_m: Floats) -> tuple[Floats, Bools]:
    """Give the pixels (P, K, 2) of points, and (P, K) which of them lie in the picture."""
    pixels, good = in_picture(camera, points_m)
    held = good & (pixels >= 0).all(axis=2) & (pixels <= np.array(camera.size_px) - 1).all(axis=2)
    return pixels, held


def _draw(picture: Bits, outlines: list[Floats], bit: int) -> None:
    """Set a bit wherever the hull of any of some outlines, in pixels, covers."""
    rows, columns = picture.shape
    for one in outlines:
        if len(one) < 3:
            continue
        kept = np.clip(one / SMALL - 0.5, -columns, 2 * columns)
        hull = cv2.convexHull(np.rint(kept).astype(np.int32))
        x, y, w, h = cv2.boundingRect(hull)
        x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + w, columns), min(y + h, rows)
        if x0 >= x1 or y0 >= y1:
            continue
        covered = np.zeros((y1 - y0, x1 - x0), np.uint8)
        cv2.fillConvexPoly(covered, hull - np.array([[x0, y0]], np.int32), 1)
        picture[y0:y1, x0:x1] |= covered.astype(np.int64) << bit
