"""What may stand in a rig file: cameras and surface out of plain lists and numbers, checked.

Knows nothing about files. Whatever is wrong raises `ValueError`, `TypeError` or `KeyError` that
names the field: a rig that is only nearly right would put people in wrong places.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scene.arrays import Floats
from scene.errors import printable
from scene.geometry import CameraModel
from scene.ribbon import Ribbon
from scene.surface import Cylinder

LARGEST_PICTURE_PX = 16_384
LARGEST_PANORAMA_PX = 200_000
LARGEST_PANORAMA_AREA_PX = 200_000_000
MOST_CORNERS = 1000
RIGID = 1e-3
"""So far may a written rotation be from an orthonormal matrix."""
FARTHEST_M = 1e7
LARGEST_FOCAL_PX = 1e6


def read_camera(item: Mapping[str, Any]) -> CameraModel:
    """Read one camera's fields."""
    name = item["name"]
    if not isinstance(name, str) or not name or len(name) > 100 or not name.isprintable():
        raise ValueError("cameras: every camera needs a name")
    place = f"cameras.{name}"
    lens = item["lens"]
    if lens not in ("brown", "fisheye"):
        raise ValueError(f"{place}.lens: {_short(lens)} is neither brown nor fisheye")
    coefficients = 5 if lens == "brown" else 4
    return CameraModel(
        name=name,
        size_px=_size(item["size_px"], f"{place}.size_px", LARGEST_PICTURE_PX),
        lens=lens,
        k=_intrinsics(_matrix(item["k"], (3, 3), f"{place}.k"), f"{place}.k"),
        distortion=_matrix(item["distortion"], (coefficients,), f"{place}.distortion"),
        camera_from_mine=_rigid(
            _matrix(item["camera_from_mine"], (4, 4), f"{place}.camera_from_mine"),
            f"{place}.camera_from_mine",
        ),
        pose_covariance=_covariance(
            _matrix(item["pose_covariance"], (6, 6), f"{place}.pose_covariance"),
            f"{place}.pose_covariance",
        ),
        max_angle_rad=_number(item["max_angle_rad"], f"{place}.max_angle_rad", 1e-3, math.pi),
    )


def read_surface(item: Mapping[str, Any]) -> Cylinder | Ribbon:
    """Read the panorama's surface."""
    kind = item["kind"]
    size_px = _size(item["size_px"], "surface.size_px", LARGEST_PANORAMA_PX)
    if size_px[0] * size_px[1] > LARGEST_PANORAMA_AREA_PX:
        raise ValueError(f"surface.size_px: {size_px[0]} x {size_px[1]} is too large")
    if kind == "cylinder":
        x, y, z = _point(item["centre_m"], 3, "surface.centre_m")
        return Cylinder(
            centre_m=(x, y, z),
            azimuth_left_rad=_number(
                item["azimuth_left_rad"], "surface.azimuth_left_rad", -100, 100
            ),
            tan_top=_number(item["tan_top"], "surface.tan_top", -1e3, 1e3),
            px_per_rad=_number(item["px_per_rad"], "surface.px_per_rad", 1.0, 1e6),
            size_px=size_px,
        )
    if kind == "ribbon":
        mirrored = item["mirrored"]
        if not isinstance(mirrored, bool):
            raise ValueError("surface.mirrored: expected true or false")
        return Ribbon(
            line_m=tuple((x, y, z) for x, y, z in _points(item["line_m"], 3, "surface.line_m")),
            cross_fall=_number(item["cross_fall"], "surface.cross_fall", -0.5, 0.5),
            section_m=tuple(
                (left, up) for left, up in _points(item["section_m"], 2, "surface.section_m")
            ),
            chainage_left_m=_number(
                item["chainage_left_m"], "surface.chainage_left_m", -FARTHEST_M, FARTHEST_M
            ),
            px_per_m=_number(item["px_per_m"], "surface.px_per_m", 0.1, 1e5),
            mirrored=mirrored,
            size_px=size_px,
        )
    raise ValueError(f"surface.kind: {_short(kind)} is not known; it is cylinder or ribbon")


def read_quality(item: Mapping[str, Any]) -> dict[str, float]:
    """Read the figures that calibration measured."""
    if not isinstance(item, Mapping):
        raise ValueError("quality: expected names with numbers")
    return {
        str(key): _number(value, f"quality.{_short(key).strip(chr(39))}", -1e12, 1e12)
        for key, value in item.items()
    }


def read_anchor(anchor: object) -> str:
    """Read what mine metres come from."""
    if not isinstance(anchor, str) or not anchor.isprintable() or len(anchor) > 100:
        raise ValueError("anchor: expected survey or mount")
    return anchor


def check_names(cameras: Sequence[CameraModel]) -> None:
    """Raise `ValueError` when there is no camera, or one name stands for two."""
    names = [camera.name for camera in cameras]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"cameras.{twice[0]}: stands there twice")
    if not names:
        raise ValueError("cameras: there is none")


def _size(value: object, field: str, largest_px: int) -> tuple[int, int]:
    if (
        not isinstance(value, list)
        or len(value) != 2
        or not all(type(side) is int and 2 <= side <= largest_px for side in value)
    ):
        raise ValueError(f"{field}: expected width and height, 2 to {largest_px} pixels each")
    return value[0], value[1]


def _number(value: object, field: str, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise ValueError(
            f"{field}: expected a number from {least:g} to {most:g}, got {_short(value)}"
        )
    return float(value)


def _point(value: object, size: int, field: str) -> tuple[float, ...]:
    if not isinstance(value, list) or len(value) != size:
        raise ValueError(f"{field}: expected {size} numbers")
    return tuple(_number(one, field, -FARTHEST_M, FARTHEST_M) for one in value)


def _points(value: object, size: int, field: str) -> list[tuple[float, ...]]:
    if not isinstance(value, list) or not 2 <= len(value) <= MOST_CORNERS:
        raise ValueError(f"{field}: expected 2 to {MOST_CORNERS} points")
    points = [_point(one, size, field) for one in value]
    if all(point[:2] == points[0][:2] for point in points):
        raise ValueError(f"{field}: all its points are one")
    return points


def _matrix(value: object, shape: tuple[int, ...], field: str) -> Floats:
    if not isinstance(value, list) or len(value) != shape[0]:
        raise ValueError(f"{field}: expected {shape} finite numbers")
    rows = value if len(shape) == 1 else [one for row in value for one in _row(row, shape, field)]
    return np.array([_number(one, field, -1e12, 1e12) for one in rows]).reshape(shape)


def _row(row: object, shape: tuple[int, ...], field: str) -> list[object]:
    if not isinstance(row, list) or len(row) != shape[1]:
        raise ValueError(f"{field}: expected {shape} finite numbers")
    return row


def _intrinsics(k: Floats, field: str) -> Floats:
    focal_px = k[[0, 1], [0, 1]]
    fits = (focal_px >= 1).all() and np.abs(k).max() <= LARGEST_FOCAL_PX
    if not fits or list(k[2]) != [0, 0, 1] or k[1, 0] != 0:
        raise ValueError(f"{field}: expected [[fx, s, cx], [0, fy, cy], [0, 0, 1]] in pixels")
    return k


def _rigid(transform: Floats, field: str) -> Floats:
    turn = transform[:3, :3]
    is_turn = np.abs(turn @ turn.T - np.eye(3)).max() < RIGID and np.linalg.det(turn) > 0
    if not is_turn or list(transform[3]) != [0, 0, 0, 1]:
        raise ValueError(f"{field}: is no rigid transform (a turn and a shift)")
    return transform


def _covariance(covariance: Floats, field: str) -> Floats:
    """Check a covariance; written with four digits it may be a little off positive."""
    largest = float(np.abs(covariance).max())
    is_even = np.abs(covariance - covariance.T).max() <= 1e-3 * largest
    if not is_even or np.linalg.eigvalsh(covariance).min() < -1e-3 * max(largest, 1e-12):
        raise ValueError(f"{field}: is no covariance (symmetric, no negative variances)")
    return covariance


def _short(value: object) -> str:
    """Show a value in a few signs: what a broken file holds may be endless."""
    if isinstance(value, int | float | bool) and abs(value) < 1e15:
        return repr(value)
    text = repr(value) if isinstance(value, str) and len(value) <= 40 else type(value).__name__
    return printable(text)
