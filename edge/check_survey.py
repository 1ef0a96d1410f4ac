"""Look at survey points before anybody calibrates: how many, where, and in the picture.

Knows nothing about pictures but their sizes. What it finds, calibration would stumble over one by
one, and some of it only after minutes.
"""

from collections.abc import Mapping

import numpy as np

from scene.floor import Floor
from scene.site import ENOUGH_POINTS, Site, SurveyPoint

FAR_OFF_M = 30.0
"""A point so far beyond the floor is hardly part of the roadway: another unit, or a slip."""
FAR_UP_M = 15.0


def survey_mistakes(site: Site, sizes_px: Mapping[str, tuple[int, int]]) -> list[str]:
    """List what is wrong with a site's survey points; `sizes_px` of the cameras that are known."""
    floor = Floor(site.floor)
    found = _too_few(site)
    for number, point in enumerate(site.rig.survey_points):
        name = f"rig.survey_points.{number} (camera {point.camera})"
        found += [f"{name}: {what}" for what in _mistakes(point, floor, sizes_px)]
    return found


def _mistakes(
    point: SurveyPoint, floor: Floor, sizes_px: Mapping[str, tuple[int, int]]
) -> list[str]:
    x, y, z = point.mine_m
    spot = np.array([[x, y]])
    off_m, up_m = float(floor.outside_m(spot)[0]), z - float(floor.z_m(spot)[0])
    found = []
    if off_m > FAR_OFF_M or abs(up_m) > FAR_UP_M:
        where = f"{off_m:.0f} m beyond the floor" if off_m > FAR_OFF_M else f"{up_m:.0f} m up"
        found.append(
            f"{x:g}, {y:g}, {z:g} lies {where}; is the unit metres, and the order x, y, z?"
        )
    width, height = sizes_px.get(point.camera, (0, 0))
    u, v = point.pixel
    if width and not (-0.5 <= u <= width - 0.5 and -0.5 <= v <= height - 0.5):
        found.append(
            f"pixel {u:g}, {v:g} lies outside the {width} x {height} picture; was it clicked in a "
            "larger one?"
        )
    return found


def _too_few(site: Site) -> list[str]:
    """List the cameras of a strip that nothing places; printed markers may still be found."""
    rig = site.rig
    if rig.kind != "strip" or rig.markers is not None:
        return []
    drawn = {pose.camera for pose in rig.poses}
    counts = {camera.name: 0 for camera in site.cameras}
    for point in rig.survey_points:
        if point.camera in counts:  # else told by the site file's own check
            counts[point.camera] += 1
    return [
        f"camera {name}: {count} survey points, and a camera of a strip rig needs "
        f"{ENOUGH_POINTS}, or a pose in rig.poses"
        for name, count in counts.items()
        if count < ENOUGH_POINTS and name not in drawn
    ]
