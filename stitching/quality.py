"""Measure a rig and its panorama: tie points in pixels, overlaps in decibels.

Knows nothing about how either was made; tests and benchmarks use it.
"""

import cv2
import numpy as np

from scene.arrays import Bools, Bytes, Floats
from scene.rig import Rig
from stitching.calibration.bundle import transfer
from stitching.exposure import UNIT, GainMaps
from stitching.maps import CameraMap


def tie_point_errors_px(
    rig: Rig, first: str, second: str, first_px: Floats, second_px: Floats
) -> Floats:
    """Tell by how many px (M,) points of one camera miss where another one sees them.

    Both ways, the larger miss: (M, 2) pixels of the same M spots in either camera. Spots are taken
    to lie far away, as the rig's common centre has it.
    """
    a, b = rig.camera(first), rig.camera(second)
    forth = np.linalg.norm(transfer(a, b, first_px) - second_px, axis=1)
    back = np.linalg.norm(transfer(b, a, second_px) - first_px, axis=1)
    return np.asarray(np.maximum(forth, back))


def overlap_psnr_db(
    maps: tuple[CameraMap, CameraMap],
    lumas: tuple[Bytes, Bytes],
    gains: tuple[GainMaps, GainMaps] | None = None,
) -> float:
    """Tell how alike two cameras' (H, W) lumas are where they overlap on the panorama.

    Peak signal-to-noise ratio, dB, of 255; `gains` are applied first. NaN without an overlap.
    """
    a, b = maps
    x0, x1 = max(a.box[0], b.box[0]), min(a.box[2], b.box[2])
    if x0 >= x1:
        return float("nan")
    planes = []
    both: Bools = np.ones((a.seen.shape[0], x1 - x0), bool)
    for index, (camera, luma) in enumerate(zip(maps, lumas, strict=True)):
        columns = slice(x0 - camera.box[0], x1 - camera.box[0])
        both &= camera.seen[:, columns]
        found = cv2.remap(
            luma,
            np.ascontiguousarray(camera.luma_x[:, columns]),
            np.ascontiguousarray(camera.luma_y[:, columns]),
            cv2.INTER_LINEAR,
        ).astype(float)
        if gains is not None:
            found = found * gains[index].luma[:, columns] / UNIT
        planes.append(found)
    if not both.any():
        return float("nan")
    square = float(((planes[0] - planes[1])[both] ** 2).mean())
    return float(10 * np.log10(255**2 / max(square, 1e-9)))
