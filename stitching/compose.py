"""Paint the panorama: look up, multiply, fade. The only code that touches every pixel.

Knows nothing about where maps, seams and gains come from. Works on planes as decoded: one-channel
look-ups with float32 maps are the quickest that OpenCV has.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from scene.arrays import Bytes
from scene.messages import YuvImage
from stitching.exposure import UNIT, GainMaps
from stitching.maps import CameraMap, Maps

STRIP_PX = 64
"""Patches are so high: low enough that slanted seams cost little, high enough for few calls."""
UNSEEN_LUMA = 48
"""Mid-dark grey where nobody looks: neither black, as a dark heading is, nor bright."""
GREY = 128


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Look:
    """What one camera gives to one patch: views into its tables."""

    camera: int
    luma_x: Maps
    luma_y: Maps
    chroma_x: Maps
    chroma_y: Maps
    gain: Bytes
    chroma_gain: Bytes
    weight: Maps
    chroma_weight: Maps


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Patch:
    """A rectangle of the panorama that the same cameras paint."""

    luma: tuple[slice, slice]
    chroma: tuple[slice, slice]
    looks: tuple[Look, ...]


def plan_patches(
    maps: list[CameraMap], gains: list[GainMaps], weights: list[Maps], size_px: tuple[int, int]
) -> list[Patch]:
    """Cut the panorama into patches; a patch with one camera needs no fading."""
    width, height = size_px
    patches = []
    for y0 in range(0, height, STRIP_PX):
        y1 = min(y0 + STRIP_PX, height)
        painters = _painters(maps, weights, width, y0, y1)
        cuts = np.flatnonzero(np.diff(painters)) + 1
        for start, end in zip([0, *cuts], [*cuts, len(painters)], strict=True):
            x0, x1 = 2 * int(start), 2 * int(end)
            cameras = [i for i in range(len(maps)) if int(painters[start]) >> i & 1]
            looks = [_look(i, maps[i], gains[i], weights[i], (x0, y0, x1, y1)) for i in cameras]
            _fill_gaps(looks)
            patches.append(
                Patch(
                    luma=(slice(y0, y1), slice(x0, x1)),
                    chroma=(slice(y0 // 2, y1 // 2), slice(x0 // 2, x1 // 2)),
                    looks=tuple(looks),
                )
            )
    return patches


def compose(
    patches: list[Patch], images: dict[int, YuvImage], size_px: tuple[int, int]
) -> YuvImage:
    """Paint the panorama of pictures by camera index."""
    width, height = size_px
    y = np.empty((height, width), np.uint8)
    u = np.empty((height // 2, width // 2), np.uint8)
    v = np.empty((height // 2, width // 2), np.uint8)
    for patch in patches:
        if not patch.looks:
            y[patch.luma] = UNSEEN_LUMA
            u[patch.chroma] = GREY
            v[patch.chroma] = GREY
            continue
        _paint_luma(patch.looks, images, y[patch.luma])
        _paint_chroma(patch.looks, [images[look.camera].u for look in patch.looks], u[patch.chroma])
        _paint_chroma(patch.looks, [images[look.camera].v for look in patch.looks], v[patch.chroma])
    return YuvImage(y=y, u=u, v=v)


def _paint_luma(looks: tuple[Look, ...], images: dict[int, YuvImage], out: Bytes) -> None:
    if len(looks) == 1:
        _luma(looks[0], images[looks[0].camera].y, out)
        return
    parts = [_luma(look, images[look.camera].y, np.empty_like(out)) for look in looks]
    np.copyto(out, _faded(parts, [look.weight for look in looks]))


def _paint_chroma(looks: tuple[Look, ...], planes: list[Bytes], out: Bytes) -> None:
    if len(looks) == 1:
        _chroma(looks[0], planes[0], out)
        return
    parts = [
        _chroma(look, plane, np.empty_like(out)) for look, plane in zip(looks, planes, strict=True)
    ]
    np.copyto(out, _faded(parts, [look.chroma_weight for look in looks]))


def _luma(look: Look, plane: Bytes, out: Bytes) -> Bytes:
    cv2.remap(
        plane,
        look.luma_x,
        look.luma_y,
        cv2.INTER_LINEAR,
        dst=out,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=UNSEEN_LUMA,
    )
    cv2.multiply(out, look.gain, dst=out, scale=1 / UNIT)
    return out


def _chroma(look: Look, plane: Bytes, out: Bytes) -> Bytes:
    cv2.remap(
        plane,
        look.chroma_x,
        look.chroma_y,
        cv2.INTER_LINEAR,
        dst=out,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=GREY,
    )
    # c * g + 128 * (1 - g), in 8 bits throughout: half the product first, so that it can't burst.
    half = cv2.multiply(out, look.chroma_gain, scale=0.5 / UNIT)
    cv2.addWeighted(half, 2.0, look.chroma_gain, -1.0, GREY, dst=out)
    return out


def _faded(parts: list[Bytes], weights: list[Maps]) -> Bytes:
    """Mix two or more cameras' patches, one after the other."""
    mixed, share = parts[0], weights[0]
    for part, weight in zip(parts[1:], weights[1:], strict=True):
        mixed = np.asarray(cv2.blendLinear(mixed, part, share, weight), np.uint8)
        share = share + weight
    return mixed


def _painters(
    maps: list[CameraMap], weights: list[Maps], width: int, y0: int, y1: int
) -> NDArray[np.int64]:
    """Tell which cameras paint anything in each pair of columns of a strip, as bits (W/2,)."""
    bits = np.zeros(width, np.int64)
    for index, (camera, weight) in enumerate(zip(maps, weights, strict=True)):
        left, top, right, _ = camera.box
        rows = weight[y0 - top : y1 - top]
        bits[left:right] |= (rows > 0).any(axis=0).astype(np.int64) << index
    return bits[::2] | bits[1::2]


def _look(
    index: int,
    camera: CameraMap,
    gains: GainMaps,
    weight: Maps,
    rectangle: tuple[int, int, int, int],
) -> Look:
    x0, y0, x1, y1 = rectangle
    left, top = camera.box[:2]
    luma = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    chroma = (
        slice((y0 - top) // 2, (y1 - top) // 2),
        slice((x0 - left) // 2, (x1 - left) // 2),
    )
    return Look(
        camera=index,
        luma_x=camera.luma_x[luma],
        luma_y=camera.luma_y[luma],
        chroma_x=camera.chroma_x[chroma],
        chroma_y=camera.chroma_y[chroma],
        gain=gains.luma[luma],
        chroma_gain=gains.chroma[chroma],
        weight=weight[luma].copy(),
        chroma_weight=_halved(weight[luma]),
    )


def _fill_gaps(looks: list[Look]) -> None:
    """Let the first camera paint what nobody sees in a patch of several: its border is grey."""
    if len(looks) > 1:
        looks[0].weight[sum(look.weight for look in looks) <= 0] = 1
        looks[0].chroma_weight[sum(look.chroma_weight for look in looks) <= 0] = 1


def _halved(weight: Maps) -> Maps:
    return np.asarray(
        (weight[::2, ::2] + weight[1::2, ::2] + weight[::2, 1::2] + weight[1::2, 1::2]) / 4,
        np.float32,
    )
