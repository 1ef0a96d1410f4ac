"""The pictures of the report, as JPEGs: cameras, overlaps in red and cyan, the whole panorama.

Knows nothing about what is drawn over them. Everything is looked up with float32 maps and put
together with hard seams: the same rig gives the same bytes on every machine, and a step at a seam
is not faded away.
"""

import base64
from dataclasses import dataclass

import cv2
import numpy as np

from edge.pictures import bgr_of
from scene.arrays import Bools, Bytes, Floats
from scene.messages import Panorama, YuvImage
from stitching.composition.backend import GREY, UNSEEN_LUMA
from stitching.exposure import UNIT, GainMaps
from stitching.maps import CameraMap, Maps

Box = tuple[int, int, int, int]
MARGIN_PX = 24
SPAN = (0.5, 99.5)
"""Percentiles of what both see that become black and white: a dark heading is to be looked into."""

LOCAL_PX = 20.0
"""Brightness and contrast are evened out over so much of the panorama."""
CONTRAST, NOISE = 48.0, 4.0
"""Grey levels of one local sigma in an overlay, and what is only the camera's noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fineness:
    """How finely pictures are written, so that the file stays small."""

    quality: int
    widest_px: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Overlay:
    """Two cameras' pictures over each other on the panorama's surface."""

    box: Box
    """x0, y0, x1, y1 in the panorama."""
    bgr: Bytes


def still_of(pictures: list[YuvImage], luma: Bytes) -> YuvImage:
    """Give the still background in colour; its (H, W) luma is known already."""
    if len(pictures) < 3:
        return YuvImage(y=luma, u=pictures[0].u, v=pictures[0].v)
    u = np.median(np.stack([picture.u for picture in pictures]), axis=0).astype(np.uint8)
    v = np.median(np.stack([picture.v for picture in pictures]), axis=0).astype(np.uint8)
    return YuvImage(y=luma, u=u, v=v)


def data_uri(bgr: Bytes, fineness: Fineness) -> str:
    """Write a picture as a JPEG inside a URI, scaled down to `widest_px`."""
    height, width = bgr.shape[:2]
    if width > fineness.widest_px:
        size = fineness.widest_px, max(1, round(height * fineness.widest_px / width))
        bgr = np.asarray(cv2.resize(bgr, size, interpolation=cv2.INTER_AREA), np.uint8)
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, fineness.quality])
    assert done
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()


def brightened(image: YuvImage) -> Bytes:
    """Give a camera's picture (H, W, 3), its range of brightness spread over all there is."""
    low, high = np.percentile(image.y, SPAN)
    spread = _stretched(image.y.astype(float), float(low), float(high))
    return bgr_of(YuvImage(y=_limited(spread), u=image.u, v=image.v))


def panorama_bgr(
    panorama: Panorama, maps: list[CameraMap], gains: list[GainMaps], stills: list[YuvImage]
) -> Bytes:
    """Paint the still pictures where `panorama.painter` says, evened out by their gains."""
    painter = panorama.painter
    planes = [np.full(painter.shape, UNSEEN_LUMA, np.uint8)]
    planes += [np.full(painter[::2, ::2].shape, GREY, np.uint8) for _ in range(2)]
    for index, (camera, gain, still) in enumerate(zip(maps, gains, stills, strict=True)):
        x0, _, x1, _ = camera.box
        mine = painter[:, x0:x1] == index
        luma = _looked_up(still.y, camera.luma_x, camera.luma_y) * (gain.luma / UNIT)
        planes[0][:, x0:x1][mine] = _limited(luma)[mine]
        mine = mine[::2, ::2]
        for plane, source in zip(planes[1:], (still.u, still.v), strict=True):
            found = _looked_up(source, camera.chroma_x, camera.chroma_y)
            found = (found - GREY) * (gain.chroma / UNIT) + GREY
            plane[:, x0 // 2 : x1 // 2][mine] = _limited(found)[mine]
    return bgr_of(YuvImage(y=planes[0], u=planes[1], v=planes[2]))


def overlay_of(
    first: tuple[CameraMap, Bytes], second: tuple[CameraMap, Bytes], size_px: tuple[int, int]
) -> Overlay | None:
    """Lay the second camera's (H, W) luma, cyan, over the first one's, red; grey where they agree.

    Local brightness and contrast are evened out first, so that a colour means another place, not
    another exposure; what only one of them sees is darker. None where they don't overlap.
    """
    x0, x1 = max(first[0].box[0], second[0].box[0]), min(first[0].box[2], second[0].box[2])
    if x0 >= x1:
        return None
    both = _part(first[0].seen, first[0], x0, x1) & _part(second[0].seen, second[0], x0, x1)
    if not both.any():
        return None
    rows, columns = np.flatnonzero(both.any(axis=1)), x0 + np.flatnonzero(both.any(axis=0))
    box = (
        max(0, int(columns[0]) - MARGIN_PX),
        max(0, int(rows[0]) - MARGIN_PX),
        min(size_px[0], int(columns[-1]) + 1 + MARGIN_PX),
        min(size_px[1], int(rows[-1]) + 1 + MARGIN_PX),
    )
    a, b = (_sheet(camera, luma, box) for camera, luma in (first, second))
    shared = np.isfinite(a) & np.isfinite(b)
    a, b = _even(a), _even(b)
    alone = 0.4 * np.where(np.isfinite(a), a, np.where(np.isfinite(b), b, 40.0))
    red, cyan = np.where(shared, a, alone), np.where(shared, b, alone)
    return Overlay(box=box, bgr=_limited(np.dstack([cyan, cyan, red])))


def _sheet(camera: CameraMap, luma: Bytes, box: Box) -> Floats:
    """Carry a luma to a box of the panorama; NaN where the camera does not see."""
    x0, y0, x1, y1 = box
    sheet = np.full((y1 - y0, x1 - x0), np.nan)
    a, b = max(x0, camera.box[0]), min(x1, camera.box[2])
    if a < b:
        columns = slice(a - camera.box[0], b - camera.box[0])
        found = _looked_up(luma, camera.luma_x[y0:y1, columns], camera.luma_y[y0:y1, columns])
        sheet[:, a - x0 : b - x0] = np.where(camera.seen[y0:y1, columns], found, np.nan)
    return sheet


def _part(seen: Bools, camera: CameraMap, x0: int, x1: int) -> Bools:
    return seen[:, x0 - camera.box[0] : x1 - camera.box[0]]


def _even(sheet: Floats) -> Floats:
    """Take local mean and contrast out of a sheet, over what is seen (NaN elsewhere)."""
    seen = np.isfinite(sheet)
    filled = np.where(seen, sheet, 0.0)
    share = np.maximum(_blurred(seen.astype(float)), 1e-6)
    mean = _blurred(filled) / share
    spread = _blurred(np.where(seen, (sheet - mean) ** 2, 0.0)) / share
    return np.asarray(GREY + CONTRAST * (sheet - mean) / np.sqrt(spread + NOISE**2))


def _blurred(values: Floats) -> Floats:
    blurred = cv2.GaussianBlur(values, (0, 0), LOCAL_PX, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, float)


def _stretched(values: Floats, low: float, high: float) -> Floats:
    return np.asarray(16 + (values - low) * (219 / max(high - low, 8.0)))


def _looked_up(plane: Bytes, x: Maps, y: Maps) -> Floats:
    found = cv2.remap(
        plane,
        np.ascontiguousarray(x, np.float32),
        np.ascontiguousarray(y, np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(found, float)


def _limited(values: Floats) -> Bytes:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)
