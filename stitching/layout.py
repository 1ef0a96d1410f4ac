"""Choose the panorama's surface: a ribbon, or how wide and high a cylinder the cameras can fill.

Knows nothing about how cameras were calibrated.
"""

import numpy as np

from scene.arrays import Bools, Floats
from scene.errors import RigError
from scene.geometry import CameraModel, project, rays
from scene.rig import Surface
from scene.site import FloorConfig, PanoramaConfig
from scene.surface import Cylinder
from stitching.ribbon_layout import choose_ribbon

MIN_ROW_COVERAGE = 0.2
"""A row of the panorama that shows less than this share of its width is cut off."""
MAX_TAN = 2.0
"""Nothing steeper than 63 degrees: a cylinder stretches it beyond recognition."""
GRID = 720
"""Columns of the coarse grid on which coverage is judged; half a degree each."""


def choose_surface(
    cameras: list[CameraModel],
    panorama: PanoramaConfig,
    *,
    strip: bool = False,
    floor: FloorConfig | None = None,
) -> Surface:
    """Choose what the panorama is painted on: as the site says, else by whether it is a `strip`."""
    kind = panorama.surface.kind
    if kind == "ribbon" or (kind == "auto" and strip):
        if floor is None:
            raise RigError("floor: a ribbon runs along floor.centre_line_m; give a floor")
        return choose_ribbon(cameras, panorama, floor)
    return choose_cylinder(cameras, panorama)


def choose_cylinder(cameras: list[CameraModel], panorama: PanoramaConfig) -> Cylinder:
    """Choose the upright cylinder round the cameras' common centre that their pictures fill."""
    centre = np.mean([camera.centre_m for camera in cameras], axis=0)
    tans = np.linspace(MAX_TAN, -MAX_TAN, 401)
    azimuths = np.arange(GRID) * 2 * np.pi / GRID
    seen: Bools = _coverage(cameras, centre, azimuths, tans)
    left, span = _widest_stretch(np.asarray(seen.any(axis=0)), azimuths, cameras)
    inside = ((left - azimuths) % (2 * np.pi)) <= span + 1e-9
    rows = seen[:, inside].mean(axis=1) >= MIN_ROW_COVERAGE
    found = np.flatnonzero(rows)
    top, bottom = (tans[found[0]], tans[found[-1]]) if len(found) else (0.5, -0.5)
    px_per_rad = _scale(cameras, span, panorama)
    width = _even(span * px_per_rad)
    if span > 2 * np.pi - 1e-6:
        px_per_rad = width / (2 * np.pi)
    height = max(16, _even((top - bottom) * px_per_rad))
    x, y, z = (float(value) for value in centre)
    return Cylinder(
        centre_m=(x, y, z),
        azimuth_left_rad=float(np.angle(np.exp(1j * left))),
        tan_top=float(top),
        px_per_rad=float(px_per_rad),
        size_px=(width, height),
    )


def _coverage(cameras: list[CameraModel], centre: Floats, azimuths: Floats, tans: Floats) -> Bools:
    """Tell which (tans, azimuths) directions any camera sees."""
    a, t = np.meshgrid(azimuths, tans)
    directions = np.column_stack([np.cos(a).ravel(), np.sin(a).ravel(), t.ravel()])
    seen = np.zeros(len(directions), bool)
    for camera in cameras:
        # Far away, so that a few centimetres between the cameras do not count.
        seen |= project(camera, camera.centre_m + 1000.0 * directions)[1]
    return seen.reshape(a.shape)


def _widest_stretch(
    columns: Bools, azimuths: Floats, cameras: list[CameraModel]
) -> tuple[float, float]:
    """Give the left azimuth and the span of what is seen: all but the largest gap."""
    step = 2 * np.pi / len(columns)
    if columns.all():
        # All round: cut opposite to where the first camera looks.
        ahead = cameras[0].camera_from_mine[2, :3]
        return float(np.arctan2(ahead[1], ahead[0]) + np.pi), 2 * np.pi
    if not columns.any():
        return np.pi / 4, np.pi / 2
    seen = np.flatnonzero(columns)
    gaps = np.diff(np.append(seen, seen[0] + len(columns)))
    last = int(np.argmax(gaps))
    span = (len(columns) - gaps[last]) * step
    # Azimuth falls from left to right: the left edge is the stretch's highest azimuth.
    return float(azimuths[seen[last]]), float(span)


def _scale(cameras: list[CameraModel], span: float, panorama: PanoramaConfig) -> float:
    """Give the pixels per radian: as asked, or the cameras' own, halved until it fits."""
    if panorama.px_per_degree is not None:
        return min(float(np.degrees(panorama.px_per_degree)), panorama.max_width_px / span)
    scale = float(np.median([_px_per_rad_ahead(camera) for camera in cameras]))
    while span * scale > panorama.max_width_px:
        scale /= 2
    return scale


def _px_per_rad_ahead(camera: CameraModel) -> float:
    middle = np.array(camera.size_px, float) / 2
    left, right = rays(camera, middle + np.array([[-8.0, 0.0], [8.0, 0.0]]))
    return float(16 / np.linalg.norm(right - left))


def _even(value: float) -> int:
    return max(2, int(value) // 2 * 2)
