"""A painted corridor: cameras along it see walls and floor exactly, and printed markers on them.

Knows nothing about calibration. The paint lies on a ribbon; a picture is made by following every
pixel's sight to where it meets the ribbon.
"""

from dataclasses import replace
from functools import cache

import cv2
import numpy as np

from scene.arrays import Bytes, Floats
from scene.geometry import CameraModel, pose_from_mount, rays
from scene.messages import YuvImage
from scene.ribbon import Ribbon
from scene.site import FloorConfig, MarkerFamily
from stitching.calibration.markers import DICTIONARIES
from stitching.lens import usable_angle

FLOOR = FloorConfig(
    centre_line_m=((0.0, 0.0, 0.0), (12.0, 0.0, 0.3), (40.0, 2.0, 0.9)),
    cross_fall=0.02,
    left_m=2.4,
    right_m=2.4,
)
PX_PER_M = 100.0
SECTION_M = ((2.4, 2.8), (2.4, 0.0), (-2.4, 0.0), (-2.4, 2.8))
SIZE_PX = (2800, 1040)


def corridor_ribbon() -> Ribbon:
    """Give the ribbon that is painted: chainage 0 to 28 m, both walls and the floor."""
    return Ribbon(
        line_m=FLOOR.centre_line_m,
        cross_fall=FLOOR.cross_fall,
        section_m=SECTION_M,
        chainage_left_m=0.0,
        px_per_m=PX_PER_M,
        mirrored=False,
        size_px=SIZE_PX,
    )


@cache
def paint(seed: int = 0) -> Bytes:
    """Paint rock: blotches of all sizes."""
    rng = np.random.default_rng(seed)
    width, height = SIZE_PX
    total = np.zeros((height, width))
    for size in (2, 5, 12, 30, 80):
        # Coarse blotches are painted small and spread: a blur that wide takes seconds.
        coarse = rng.normal(size=(max(8, height // size), max(8, width // size)))
        grain = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        total += grain / grain.std() * size**0.3
    return np.asarray(np.clip(110 + 28 * total / total.std(), 5, 250), np.uint8)


def with_marker(
    luma: Bytes, number: int, family: MarkerFamily, left_top_px: tuple[int, int], side_px: int
) -> tuple[Bytes, Floats]:
    """Print a marker on the paint; gives the new paint and the corners' (4, 2) panorama pixels."""
    dictionary = cv2.aruco.getPredefinedDictionary(DICTIONARIES[family])
    x, y = left_top_px
    margin = side_px // 5
    painted = luma.copy()
    painted[y - margin : y + side_px + margin, x - margin : x + side_px + margin] = 235
    painted[y : y + side_px, x : x + side_px] = cv2.aruco.generateImageMarker(
        dictionary, number, side_px
    )
    low, high = -0.5, side_px - 0.5
    corners = np.array([[low, low], [high, low], [high, high], [low, high]])
    return painted, corners + np.array([x, y])


def strung(count: int = 3, every_m: float = 6.0, hfov_deg: float = 80.0) -> list[CameraModel]:
    """Hang cameras every few metres, aimed along and across the corridor."""
    cameras = []
    for index in range(count):
        size_px = (640, 360)
        focal = size_px[0] / 2 / np.tan(np.radians(hfov_deg) / 2)
        model = CameraModel(
            name=f"cam{index + 1}",
            size_px=size_px,
            lens="brown",
            k=np.array([[focal, 0, 319.5], [0, focal, 179.5], [0, 0, 1]]),
            distortion=np.array([-0.1, 0.01, 0.0, 0.0, 0.0]),
            camera_from_mine=pose_from_mount(
                np.array([2.0 + every_m * index, -1.9, 2.4]), 40.0, -22.0, 1.5 * index - 1
            ),
            pose_covariance=np.zeros((6, 6)),
            max_angle_rad=1.5,
        )
        cameras.append(replace(model, max_angle_rad=usable_angle(model)))
    return cameras


def look(model: CameraModel, luma: Bytes, noise: float = 1.5) -> YuvImage:
    """Take a camera's picture of the painted corridor; black where there is no paint."""
    width, height = model.size_px
    # Every eighth pixel's sight, the others in between: paint and ribbon are smooth.
    u, v = np.meshgrid(np.arange(0.0, width + 8, 8), np.arange(0.0, height + 8, 8))
    sights = rays(model, np.column_stack([u.ravel(), v.ravel()]))
    places = corridor_ribbon().panorama_from_sight(model.centre_m, sights)
    coarse = np.nan_to_num(places, nan=-500.0).astype(np.float32).reshape(*u.shape, 2)
    x, y = np.meshgrid(np.arange(width) / 8, np.arange(height) / 8)
    fine = cv2.remap(coarse, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR)
    found = cv2.remap(
        luma.astype(np.float32),
        np.ascontiguousarray(fine[..., 0]),
        np.ascontiguousarray(fine[..., 1]),
        cv2.INTER_LINEAR,
    )
    grain = np.random.default_rng(7).normal(0, noise, found.shape)
    luma_out = np.clip(np.rint(found + grain), 0, 255).astype(np.uint8)
    grey = np.full((height // 2, width // 2), 128, np.uint8)
    return YuvImage(y=luma_out, u=grey, v=grey)
