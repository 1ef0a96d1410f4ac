"""Choose the ribbon of a strip rig: which walls, from where to where, and how finely.

Knows nothing about how cameras were calibrated.
"""

from dataclasses import replace

import numpy as np

from scene.arrays import Bools
from scene.errors import RigError
from scene.floor import Floor
from scene.geometry import CameraModel
from scene.ribbon import Ribbon, shows_right_wall
from scene.site import FloorConfig, PanoramaConfig, SurfaceConfig
from stitching.maps import view_of

COARSE_PX_PER_M = 8.0
MIN_COVERAGE = 0.1
"""A row or column of which less is seen is cut off."""
FINEST_PX_PER_M = 100.0
"""More shows no more of a person."""
MARGIN_M = 40.0
"""How far beyond the outermost cameras the ribbon may reach."""


def choose_ribbon(
    cameras: list[CameraModel], panorama: PanoramaConfig, floor: FloorConfig
) -> Ribbon:
    """Choose the ribbon along the floor's centre line that the cameras' pictures fill.

    Raises `RigError` when no camera sees any of it.
    """
    config = panorama.surface
    section = _section(cameras, config, floor)
    mirrored = _is_mirrored(section, floor)
    whole = _whole(cameras, section, mirrored, config, floor)
    seen = _looked_at(cameras, whole)
    rows = np.flatnonzero(seen.mean(axis=1) >= MIN_COVERAGE / 2)
    columns = np.flatnonzero(seen.mean(axis=0) >= MIN_COVERAGE)
    if not len(rows) or not len(columns):
        raise RigError(
            "panorama.surface: no camera sees the ribbon along floor.centre_line_m; check the "
            "line, the walls (wall_left_m, wall_right_m, wall_height_m) and the survey points"
        )
    length_m = (columns[-1] + 1 - columns[0]) / COARSE_PX_PER_M
    height_m = whole.size_px[1] / COARSE_PX_PER_M
    px_per_m = min(panorama.px_per_m or FINEST_PX_PER_M, panorama.max_width_px / length_m)
    step = columns[0] / COARSE_PX_PER_M
    return replace(
        whole,
        chainage_left_m=round(float(whole.chainage_left_m + (-step if mirrored else step)), 6),
        px_per_m=float(px_per_m),
        size_px=(_even(length_m * px_per_m), _even(height_m * px_per_m)),
    )


def _section(
    cameras: list[CameraModel], config: SurfaceConfig, floor: FloorConfig
) -> tuple[tuple[float, float], ...]:
    """Give the cross-section's corners, from the panorama's top to its bottom."""
    if config.section_m is not None:
        return config.section_m
    left = config.wall_left_m or floor.left_m
    right = config.wall_right_m or floor.right_m
    up = config.wall_height_m
    wall = config.wall if config.wall != "auto" else _wall_ahead(cameras, floor)
    if wall == "right":
        return (-right, up), (-right, 0.0), (left, 0.0)
    if wall == "both":
        return (left, up), (left, 0.0), (-right, 0.0), (-right, up)
    return (left, up), (left, 0.0), (-right, 0.0)


def _is_mirrored(section: tuple[tuple[float, float], ...], floor: FloorConfig) -> bool:
    """Tell whether chainage must fall to the right, so that nothing is shown as in a mirror.

    Who looks at the right wall has the line's end on the left; on a line that runs towards falling
    x, chainage falls along it.
    """
    first, last = Floor(floor).chainages_m
    return shows_right_wall(section) != (last < first)


def _wall_ahead(cameras: list[CameraModel], floor: FloorConfig) -> str:
    """Tell which wall the cameras look at: both when they disagree."""
    line = Floor(floor)
    sides = []
    for camera in cameras:
        ahead = camera.camera_from_mine[2, :3]
        here = line.place(np.array([camera.centre_m[:2], camera.centre_m[:2] + 0.1 * ahead[:2]]))
        sides.append(float(np.sign(here[1, 1] - here[0, 1])))
    if min(sides) < 0 < max(sides):
        return "both"
    return "right" if min(sides) < 0 else "left"


def _whole(
    cameras: list[CameraModel],
    section: tuple[tuple[float, float], ...],
    mirrored: bool,
    config: SurfaceConfig,
    floor: FloorConfig,
) -> Ribbon:
    """Draw a coarse ribbon as long as it could possibly be."""
    centres = np.array([camera.centre_m[:2] for camera in cameras])
    chainage = Floor(floor).place(centres)[:, 0]
    ends = config.chainage_m or (chainage.min() - MARGIN_M, chainage.max() + MARGIN_M)
    low, high = np.round(ends, 1)
    corners = np.array(section)
    height_m = float(np.linalg.norm(np.diff(corners, axis=0), axis=1).sum())
    return Ribbon(
        line_m=floor.centre_line_m,
        cross_fall=floor.cross_fall,
        section_m=section,
        chainage_left_m=float(high if mirrored else low),
        px_per_m=COARSE_PX_PER_M,
        mirrored=mirrored,
        size_px=(round((high - low) * COARSE_PX_PER_M), round(height_m * COARSE_PX_PER_M)),
    )


def _looked_at(cameras: list[CameraModel], ribbon: Ribbon) -> Bools:
    """Tell which (rows, columns) any camera sees."""
    width, height = ribbon.size_px
    columns, rows = np.arange(width, dtype=float), np.arange(height, dtype=float)
    seen = np.zeros((height, width), bool)
    for camera in cameras:
        seen |= view_of(camera, ribbon, columns, rows, margin=0.0).seen
    return seen


def _even(value: float) -> int:
    return max(16, int(value) // 2 * 2)
