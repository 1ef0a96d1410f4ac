"""Paint the panorama: look up, multiply, fade. The only code that touches every pixel.

Knows nothing about where maps, seams and gains come from. Works on planes as decoded: one-channel
look-ups with float32 maps are the quickest that OpenCV has, but for both chroma planes at once.
What takes time beside them is waiting for memory: so positions are rebuilt from curves, and
pictures are read ahead, patch by patch.
"""

import cv2
import numpy as np

from scene.arrays import Bytes
from scene.messages import YuvImage
from stitching.composition.areas import Area, Box, halved, stacked, touches
from stitching.composition.backend import GREY, UNSEEN_LUMA
from stitching.composition.bands import Band
from stitching.composition.layer import Lane, Layer, Patch, plane_maps, quarter, quarters_again
from stitching.composition.map_trial import quickest
from stitching.composition.pairs import Pairs
from stitching.composition.positions import MapKind, Scratch, Table
from stitching.exposure import UNIT, GainMaps
from stitching.maps import CameraMap, Maps

__all__ = ["UNSEEN_LUMA", "OpenCvBackend", "OpenCvRecipe"]


class OpenCvBackend:
    """Paints on the CPU, with OpenCV; its recipes paint in one thread at a time."""

    def __init__(
        self,
        maps: list[CameraMap],
        gains: list[GainMaps],
        sizes_px: list[tuple[int, int]],
        size_px: tuple[int, int],
        kind: MapKind | None = None,
    ) -> None:
        """Take the cameras' tables, which stay as they are, and gains, which change in place.

        `sizes_px` are the cameras' widths and heights, `size_px` the panorama's. `kind` None
        measures which kind of map is the quickest here.
        """
        luma, chroma = plane_maps(maps, gains, sizes_px)
        half = size_px[0] // 2, size_px[1] // 2
        self.size_px = size_px
        room = Scratch()
        self.luma = Layer(luma, size_px, room, border=UNSEEN_LUMA, neutral=0)
        self.chroma = Layer(chroma, half, room, border=GREY, neutral=GREY, pairs=Pairs())
        self.kind: MapKind = kind or quickest(self.luma.strips, sizes_px)
        self.runs_on = f"OpenCV {cv2.__version__} on the CPU, maps as {self.kind}"
        self.degraded = ""

    def gains_changed(self, camera: int) -> None:
        """Hear that a camera's gain maps were written anew."""
        self.luma.gains_changed(camera)
        self.chroma.gains_changed(camera)

    def recipe(self, weights: list[Maps]) -> "OpenCvRecipe":
        """Cut the panorama up for these weights."""
        quarters = [quarter(weight) for weight in weights]
        luma = _Cut(self.luma, self.luma.cut(weights, self.kind), weights, self.kind, {})
        chroma = _Cut(self.chroma, self.chroma.cut(quarters, self.kind), quarters, self.kind, {})
        return OpenCvRecipe(self.size_px, luma, chroma, quarters)


class OpenCvRecipe:
    """How the panorama is painted with one lay-out of seams."""

    def __init__(
        self, size_px: tuple[int, int], luma: "_Cut", chroma: "_Cut", quarters: list[Maps]
    ) -> None:
        self._size_px, self._luma, self._chroma, self._quarters = size_px, luma, chroma, quarters

    def paint(self, images: dict[int, YuvImage]) -> YuvImage:
        """Paint the panorama of pictures by camera index."""
        width, height = self._size_px
        y = np.empty((height, width), np.uint8)
        u = np.empty((height // 2, width // 2), np.uint8)
        v = np.empty((height // 2, width // 2), np.uint8)
        self._luma.paint([({i: image.y for i, image in images.items()}, y)])
        self._chroma.paint(
            [
                ({i: image.u for i, image in images.items()}, u),
                ({i: image.v for i, image in images.items()}, v),
            ]
        )
        return YuvImage(y=y, u=u, v=v)

    def moved(self, weights: list[Maps], boxes: list[Box]) -> "OpenCvRecipe":
        """Cut only those strips anew that the boxes touch, and there only their columns."""
        small = [halved(box) for box in boxes]
        quarters = quarters_again(self._quarters, weights, self._chroma.boxes, small)
        return OpenCvRecipe(
            self._size_px,
            self._luma.moved(weights, boxes),
            self._chroma.moved(quarters, small),
            quarters,
        )

    @property
    def nbytes(self) -> int:
        """What is read for one panorama beside the pictures, in bytes."""
        return self._luma.nbytes + self._chroma.nbytes


class _Cut:
    """A layer cut up for one lay-out of seams, ready to be painted."""

    def __init__(
        self,
        layer: Layer,
        lanes: list[Lane],
        weights: list[Maps],
        kind: MapKind,
        bands: dict[tuple[int, ...], Band],
    ) -> None:
        """Take the lanes, and bands of an earlier cut that are still as they were."""
        self._layer, self._lanes, self._kind = layer, lanes, kind
        self._patches = [patch for lane in lanes for patch in lane.patches]
        self._holes = [hole for lane in lanes for hole in lane.holes]
        self._bands = {
            cameras: bands.get(cameras) or Band(layer, cameras, areas, weights=weights, kind=kind)
            for cameras, areas in _areas(lanes).items()
        }

    @property
    def boxes(self) -> list[Box]:
        """What part of the plane each camera's tables cover."""
        return [one.box for one in self._layer.maps]

    def paint(self, planes: list[tuple[dict[int, Bytes], Bytes]]) -> None:
        """Paint planes of one kind, each from cameras' planes into the panorama's."""
        for _, out in planes:
            for hole in self._holes:
                out[hole] = self._layer.border
        for patch in self._patches:
            table = patch.positions.table(self._layer.room)
            if patch.pairs:
                one, other = (given[patch.camera] for given, _ in planes)
                found = patch.pairs.look_up(one, other, patch.reach, table, self._layer.border)
                for plane, (_, out) in zip(found, planes, strict=True):
                    self._brighten(patch, plane, out[patch.area])
                continue
            for given, out in planes:
                self._paint(patch, table, given[patch.camera], out[patch.area])
        for band in self._bands.values():
            for given, out in planes:
                band.paint(given, out)

    def _paint(self, patch: Patch, table: Table, plane: Bytes, out: Bytes) -> None:
        # Reading straight through what will be looked up here and there brings it into the cache:
        # the look-up then takes two thirds of the time. What is counted does not matter.
        cv2.countNonZero(plane[patch.reach])
        cv2.remap(plane, *table, cv2.INTER_LINEAR, out, cv2.BORDER_CONSTANT, self._layer.border)
        self._brighten(patch, out, out)

    def _brighten(self, patch: Patch, found: Bytes, out: Bytes) -> None:
        """Write what was found into the panorama, with the camera's gain; `found` is used up."""
        if self._layer.flat[patch.camera]:
            if found is not out:
                np.copyto(out, found)
        elif not self._layer.neutral:
            cv2.multiply(found, patch.gain, out, 1 / UNIT)
        else:
            # c * g + 128 * (1 - g), in 8 bits throughout: half the product first, or it bursts.
            cv2.multiply(found, patch.gain, found, 0.5 / UNIT)
            cv2.addWeighted(found, 2.0, patch.gain, -1.0, GREY, out)

    def moved(self, weights: list[Maps], boxes: list[Box]) -> "_Cut":
        """Cut anew inside the boxes; bands that they do not touch stay."""
        lanes = self._layer.cut_again(self._lanes, weights, self._kind, boxes)
        areas = _areas(lanes)
        kept = {
            cameras: band
            for cameras, band in self._bands.items()
            if band.areas == areas.get(cameras)
            and not any(touches(area, box) for area in band.areas for box in boxes)
        }
        return _Cut(self._layer, lanes, weights, self._kind, kept)

    @property
    def nbytes(self) -> int:
        patches = sum(patch.positions.nbytes + patch.gain.nbytes for patch in self._patches)
        return patches + sum(band.nbytes for band in self._bands.values())


def _areas(lanes: list[Lane]) -> dict[tuple[int, ...], list[Area]]:
    bands: dict[tuple[int, ...], list[Area]] = {}
    for lane in lanes:
        for cameras, areas in lane.bands.items():
            bands.setdefault(cameras, []).extend(areas)
    return {cameras: stacked(areas) for cameras, areas in bands.items()}
