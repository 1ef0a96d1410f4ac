"""Cameras with tables, uneven gains and coloured pictures, to be painted by any backend."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from scene.geometry import CameraModel
from scene.messages import YuvImage
from scene.ribbon import Ribbon
from stitching.composition.backend import Backend
from stitching.composition.compose import OpenCvBackend
from stitching.composition.onnx_compose import OnnxBackend
from stitching.exposure import UNIT, GainMaps
from stitching.maps import CameraMap, Maps, camera_map
from tests.stitching.corridor import look, paint
from tests.stitching.reference import composed
from tests.stitching.views import rig_of, room, view

LEVELS = 3.0
"""Grey levels by which a backend may differ from the reference, on any plane."""
ROOM, CORRIDOR = room(3), paint()

Open = Callable[["Scene"], Backend]


class Scene:
    """Cameras, their tables, gains that are not flat, and pictures."""

    def __init__(
        self, cameras: list[CameraModel], max_width_px: int = 1200, ribbon: Ribbon | None = None
    ) -> None:
        surface = ribbon or rig_of(cameras, max_width_px=max_width_px).surface
        self.size_px = surface.size_px
        self.sizes_px = [one.size_px for one in cameras]
        self.maps: list[CameraMap] = [camera_map(one, surface) for one in cameras]
        self.gains: list[GainMaps] = [uneven(one, index) for index, one in enumerate(self.maps)]
        self.images = {
            i: coloured(look(one, CORRIDOR) if ribbon else view(one, ROOM), i)
            for i, one in enumerate(cameras)
        }

    def weights(
        self, present: set[int], soft_px: float = 20.0, wave: float = 0.0, upright: bool = False
    ) -> list[Maps]:
        """Fade between neighbours along seams that slant, wave or stand upright.

        The sum is 1 wherever anybody sees.
        """
        width, height = self.size_px
        scores = np.full((len(self.maps), height, width), -np.inf)
        for index in present:
            x0, y0, x1, y1 = self.maps[index].box
            rows = np.arange(height)[y0:y1, None]
            bent = self.maps[index].closeness + wave * (index % 2) * np.sin(rows / 23)
            if upright:
                bent = 1 - np.abs(np.linspace(-1, 1, x1 - x0)) + 0 * rows
            scores[index, y0:y1, x0:x1] = np.where(self.maps[index].seen, bent, -np.inf)
        best = scores.max(axis=0)
        with np.errstate(invalid="ignore"):
            raw = np.clip(1 + (scores - best) * 100 / soft_px, 0, 1)
        raw = np.where(np.isfinite(scores), raw, 0)
        share = raw / np.maximum(raw.sum(axis=0), 1e-9)
        boxes = [one.box for one in self.maps]
        return [
            share[i, y0:y1, x0:x1].astype(np.float32) for i, (x0, y0, x1, y1) in enumerate(boxes)
        ]

    def check(self, painted: YuvImage, weights: list[Maps], present: set[int]) -> None:
        """Compare all planes with the reference."""
        images = {i: image for i, image in self.images.items() if i in present}
        expected = composed(self.maps, self.gains, weights, images, self.size_px)
        for name, got, want in zip("yuv", (painted.y, painted.u, painted.v), expected, strict=True):
            assert got.dtype == np.uint8 and got.shape == want.shape
            assert np.abs(got.astype(float) - want).max() <= LEVELS, name


def uneven(one: CameraMap, seed: int) -> GainMaps:
    """Make gains that vary over the box, from 0.6 to 1.7."""
    height, width = one.seen.shape
    x, y = np.linspace(-1, 1, width), np.linspace(-1, 1, height)[:, None]
    field = np.exp(0.25 * np.sin(2 * x + seed) + 0.25 * np.cos(3 * y - seed))
    spread = np.where(one.seen, np.rint(np.clip(field, 0.5, 1.95) * UNIT), UNIT).astype(np.uint8)
    return GainMaps(luma=spread, chroma=spread[::2, ::2].copy())


def coloured(image: YuvImage, seed: int) -> YuvImage:
    """Give a picture strong colours, as sharp as a lens makes them, and luma with head-room."""
    rows, columns = np.indices(image.u.shape)
    u = 128 + 70 * np.sign(np.sin(rows / 19 + seed)) * np.sin(columns / 31)
    v = 128 - 60 * np.cos(rows / 13) * np.sign(np.sin(columns / 17))
    u, v = (np.rint(cv2.GaussianBlur(plane, (0, 0), 1.0)).astype(np.uint8) for plane in (u, v))
    return YuvImage(y=image.y // 2 + 20, u=u, v=v)


def opencv(kind: str) -> Open:
    return lambda s: OpenCvBackend(s.maps, s.gains, s.sizes_px, s.size_px, kind)  # type: ignore[arg-type]


def onnx(s: Scene) -> Backend:
    pytest.importorskip("onnxruntime")
    return OnnxBackend(s.maps, s.gains, s.sizes_px, s.size_px, "cpu")
