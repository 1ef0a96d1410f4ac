"""Measure a calibration: how well points, matches and cameras fit, in pixels and centimetres.

Knows nothing about whether that is good, nor how it is shown.
"""

from itertools import combinations

import numpy as np

from edge.calibration.figures import AWAY_M, FAR_M, CameraFit, Figures, PairFit, PointFit
from edge.calibration.floor_error import floor_sigma_m
from scene.arrays import Floats
from scene.floor import Floor
from scene.geometry import CameraModel, distort, rays, undistort
from scene.messages import XY
from scene.ribbon import Ribbon
from scene.rig import Rig
from scene.site import Site
from stitching.calibrate import Calibration
from stitching.calibration.survey import Survey, survey_error, survey_weights
from stitching.maps import CameraMap

LEAST_OVERLAP = 0.01
"""Of a panorama: less is no overlap."""


def figures_of(
    calibration: Calibration, site: Site, maps: list[CameraMap], pictures: int
) -> Figures:
    """Gather the figures of a calibration; `maps` are the cameras' on the rig's surface."""
    pairs = _pairs(calibration, maps)
    floor = Floor(site.floor)
    return Figures(
        site=site.site,
        rig=calibration.rig,
        strip=site.rig.kind == "strip",
        surveyed=calibration.rig.anchor == "survey",
        wanted=tuple(camera.name for camera in site.cameras),
        cameras=tuple(
            _camera(calibration, index, floor) for index in range(len(calibration.rig.cameras))
        ),
        pairs=pairs,
        pictures=pictures,
    )


def _camera(calibration: Calibration, index: int, floor: Floor) -> CameraFit:
    camera, solved = calibration.rig.cameras[index], calibration.solved
    ahead = camera.camera_from_mine[2, :3]
    x, y, z = (float(value) for value in camera.centre_m)
    points = () if calibration.survey is None else _points(calibration, index, calibration.survey)
    seen = [np.array([point.pixel for point in points], float).reshape(-1, 2)]
    for pair, kept in zip(solved.matches, solved.kept, strict=True):
        if pair.first == index:
            seen.append(pair.first_px[kept])
        elif pair.second == index:
            seen.append(pair.second_px[kept])
    width, height = camera.size_px
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    out = np.linalg.norm(np.concatenate(seen) - middle, axis=1) / np.linalg.norm(middle)
    return CameraFit(
        name=camera.name,
        lens=camera.lens,
        size_px=camera.size_px,
        hfov_deg=_span_deg(camera, (-0.5, middle[1]), (width - 0.5, middle[1])),
        vfov_deg=_span_deg(camera, (middle[0], -0.5), (middle[0], height - 0.5)),
        centre_m=(x, y, z),
        heading_deg=float(np.degrees(np.arctan2(ahead[1], ahead[0]))),
        pitch_deg=float(np.degrees(np.arcsin(np.clip(ahead[2], -1, 1)))),
        place_sigma_cm=100 * solved.place_sigma_m[index],
        turn_sigma_deg=float(np.degrees(np.sqrt(np.trace(camera.pose_covariance[:3, :3])))),
        points=points,
        matches=sum(len(pixels) for pixels in seen[1:]),
        # Not the very outermost one: it may be the only one out there.
        reach=float(np.sort(out)[-min(3, len(out)) :][0]) if len(out) else 0.0,
        floor_cm=tuple(_cm(floor_sigma_m(camera, floor, away)) for away in AWAY_M),
        brightness=float(calibration.lumas[camera.name].mean()),
    )


def _cm(metres: float | None) -> float | None:
    return None if metres is None else 100 * metres


def _span_deg(camera: CameraModel, start: XY, end: XY) -> float:
    sights = undistort(camera, np.array([start, end]))
    off_axis = np.arctan2(np.hypot(sights[:, 0], sights[:, 1]), sights[:, 2])
    return float(np.degrees(off_axis.sum()))


def _points(calibration: Calibration, index: int, survey: Survey) -> tuple[PointFit, ...]:
    cameras = list(calibration.rig.cameras)
    camera = cameras[index]
    error = survey_error(cameras, survey)
    focal = np.array([cameras[i].k[0, 0] for i in survey.camera])
    centre = np.array([cameras[i].centre_m for i in survey.camera])
    sigma = 1 / np.sqrt(survey_weights(survey, focal, centre))
    fits = []
    for row in np.flatnonzero(survey.camera == index):
        away = survey.points_m[row] - camera.centre_m
        sight = rays(camera, survey.pixels[row])[0]
        u, v = (float(value) for value in survey.pixels[row])
        x, y, z = (float(value) for value in survey.points_m[row])
        fits.append(
            PointFit(
                name=survey.names[row],
                label=_label(survey.names[row]),
                pixel=(u, v),
                landed=(u + float(error[row, 0]), v + float(error[row, 1])),
                mine_m=(x, y, z),
                miss_px=float(np.linalg.norm(error[row])),
                miss_cm=100 * float(np.linalg.norm(np.cross(sight, away))),
                expected_px=float(sigma[row]),
            )
        )
    return tuple(fits)


def _label(name: str) -> str:
    """Shorten a point's name.

    >>> _label("rig.survey_points.7"), _label("rig.markers: marker 12, corner 3")
    ('7', 'm12.3')
    """
    if name.startswith("rig.markers"):
        words = name.replace(",", "").split()
        return f"m{words[-3]}.{words[-1]}"
    return name.rsplit(".", 1)[-1]


def _pairs(calibration: Calibration, maps: list[CameraMap]) -> tuple[PairFit, ...]:
    solved, cameras = calibration.solved, calibration.rig.cameras
    found = {(pair.first, pair.second): number for number, pair in enumerate(solved.matches)}
    fits = []
    for i, j in combinations(range(len(cameras)), 2):
        overlap = _overlap(maps[i], maps[j])
        number = found.get((i, j))
        if overlap < LEAST_OVERLAP and number is None:
            continue
        first_px, second_px = np.zeros((0, 2)), np.zeros((0, 2))
        misses, matches, off_px = np.zeros(0), 0, 0.0
        if number is not None:
            pair, kept = solved.matches[number], solved.kept[number]
            first_px, second_px = pair.first_px[kept], pair.second_px[kept]
            every = np.linalg.norm(solved.misses_px[number], axis=1)
            misses, matches, off_px = every[kept], len(kept), float(np.median(every))
        fits.append(
            PairFit(
                first=cameras[i].name,
                second=cameras[j].name,
                overlap=overlap,
                neighbours=j == i + 1,
                matches=matches,
                off_px=off_px,
                agreeing=len(misses),
                misses_px=misses,
                misses_cm=100 * _metres(calibration.rig, j, misses, second_px),
                first_xy=_on_surface(calibration.rig, i, first_px),
                second_xy=_on_surface(calibration.rig, j, second_px),
            )
        )
    return tuple(fits)


def _metres(rig: Rig, index: int, misses_px: Floats, pixels: Floats) -> Floats:
    """Turn (K,) misses in a camera's px into metres where its (K, 2) pixels look."""
    camera = rig.cameras[index]
    # Pixels per radian there, which on a wide lens are not those of the middle.
    sight = undistort(camera, pixels)
    aside = np.cross(sight, np.array([0.0, 1.0, 0.0]))
    aside /= np.maximum(np.linalg.norm(aside, axis=1, keepdims=True), 1e-9)
    per_rad = np.linalg.norm(distort(camera, sight + 1e-4 * aside) - pixels, axis=1) / 1e-4
    away = np.full(len(pixels), FAR_M)
    if isinstance(rig.surface, Ribbon) and len(pixels):
        spots = rig.surface.mine_from_panorama(_on_surface(rig, index, pixels))
        away = np.linalg.norm(spots - camera.centre_m, axis=1)
    return np.asarray(misses_px / np.maximum(per_rad, 1e-9) * np.nan_to_num(away, nan=FAR_M))


def _on_surface(rig: Rig, index: int, pixels: Floats) -> Floats:
    """Put (K, 2) pixels of a camera on the panorama."""
    camera = rig.cameras[index]
    if not len(pixels):
        return np.zeros((0, 2))
    return rig.surface.panorama_from_sight(camera.centre_m, rays(camera, pixels))


def _overlap(first: CameraMap, second: CameraMap) -> float:
    x0, x1 = max(first.box[0], second.box[0]), min(first.box[2], second.box[2])
    least = min(int(first.seen.sum()), int(second.seen.sum()))
    if x0 >= x1 or not least:
        return 0.0
    both = first.seen[:, x0 - first.box[0] : x1 - first.box[0]]
    both = both & second.seen[:, x0 - second.box[0] : x1 - second.box[0]]
    return float(both.sum() / least)
