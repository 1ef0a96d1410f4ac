"""Points whose mine coordinates are known: surveyed ones and markers' corners, and how they fit.

Knows nothing about how poses are solved.
"""

from dataclasses import dataclass

import numpy as np

from scene.arrays import Bools, Bytes, Floats, Ints
from scene.errors import RigError
from scene.geometry import CameraModel, distort
from scene.site import RigConfig
from stitching.calibration.markers import find_markers

PIXEL_SIGMA = 0.7
"""How well a surveyed point is found in the picture."""
NEAREST_M = 0.3
MIN_SPREAD = 0.02
"""Second over first extent of the surveyed points; less is a line."""
MAX_MISS = 0.015
"""Of the picture's width: a surveyed point further off than this is a mistake."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Survey:
    """Surveyed points and where the cameras see them."""

    camera: Ints
    """(K,) index of the camera."""
    pixels: Floats
    """(K, 2)."""
    points_m: Floats
    """(K, 3) mine metres."""
    sigma_m: Floats
    """(K,) how well each is known."""
    names: tuple[str, ...]
    """(K,) what to call each in an error."""


def survey_of(config: RigConfig, lumas: dict[str, Bytes]) -> Survey | None:
    """Gather a rig's survey points and the markers that are found in (H, W) lumas by camera.

    Gives nothing when there are none at all; raises `RigError` for points of unknown cameras.
    """
    names = list(lumas)
    unknown = sorted({point.camera for point in config.survey_points} - set(names))
    if unknown:
        raise RigError(
            f"rig.survey_points: there are no pictures of camera {unknown[0]}; "
            f"known: {', '.join(names)}"
        )
    rows = [
        (names.index(point.camera), point.pixel, point.mine_m, config.survey_sigma_m)
        for point in config.survey_points
    ]
    labels = [f"rig.survey_points.{number}" for number in range(len(rows))]
    if config.markers is not None:
        for index, name in enumerate(names):
            for number, pixels in find_markers(lumas[name], config.markers.dictionary).items():
                tag = config.markers.by_id().get(number)
                if tag is None:
                    continue
                for corner, (pixel, point_m) in enumerate(zip(pixels, tag.corners_m, strict=True)):
                    place = (float(pixel[0]), float(pixel[1]))
                    rows.append((index, place, point_m, config.markers.sigma_m))
                    labels.append(f"rig.markers: marker {number}, corner {corner}")
    if not rows:
        return None
    return Survey(
        camera=np.array([row[0] for row in rows]),
        pixels=np.array([row[1] for row in rows], float),
        points_m=np.array([row[2] for row in rows], float),
        sigma_m=np.array([row[3] for row in rows], float),
        names=tuple(labels),
    )


def survey_error(cameras: list[CameraModel], survey: Survey) -> Floats:
    """Tell how far (K, 2), in px, each surveyed point lands from where it was seen."""
    error = np.zeros((len(survey.camera), 2))
    for index, camera in enumerate(cameras):
        mine = survey.camera == index
        pose = camera.camera_from_mine
        points = survey.points_m[mine] @ pose[:3, :3].T + pose[:3, 3]
        error[mine] = distort(camera, points) - survey.pixels[mine]
    return error


def survey_weights(survey: Survey, focals_px: Floats, centres_m: Floats) -> Floats:
    """Give (K,) one over each point's variance in px: finding it, and its own metres.

    `focals_px` (K,) and `centres_m` (K, 3) are those of the cameras that see them.
    """
    reach = np.maximum(np.linalg.norm(survey.points_m - centres_m, axis=1), NEAREST_M)
    return np.asarray(1 / (PIXEL_SIGMA**2 + (focals_px * survey.sigma_m / reach) ** 2))


def check_survey(survey: Survey, cameras: list[CameraModel]) -> None:
    """Refuse surveyed points that can't fix a place: too few, outside a picture, on a line."""
    if len(np.unique(survey.points_m.round(4), axis=0)) < 4:
        raise RigError(
            f"rig.survey_points: {len(survey.points_m)} given, at least 4 different ones are "
            "needed; survey more points, or give rig.mount"
        )
    check_pixels(survey, cameras)
    extents = np.linalg.svd(survey.points_m - survey.points_m.mean(axis=0), compute_uv=False)
    if extents[1] < MIN_SPREAD * extents[0]:
        raise RigError(
            "rig.survey_points: the points lie on one line, so the rig could turn round it; "
            "survey points at different heights and on both walls"
        )


def check_pixels(survey: Survey, cameras: list[CameraModel]) -> None:
    """Refuse a surveyed point outside its camera's picture."""
    for number, (index, pixel) in enumerate(zip(survey.camera, survey.pixels, strict=True)):
        width, height = cameras[index].size_px
        if not (-0.5 <= pixel[0] <= width - 0.5 and -0.5 <= pixel[1] <= height - 0.5):
            raise RigError(
                f"{survey.names[number]}: pixel {pixel[0]:g}, {pixel[1]:g} lies outside the "
                f"{width} x {height} picture of camera {cameras[index].name}; correct it"
            )


def check_fit(cameras: list[CameraModel], survey: Survey, slack: float = 1.0) -> None:
    """Refuse surveyed points that contradict the pictures or each other."""
    miss = np.linalg.norm(survey_error(cameras, survey), axis=1)
    width = np.array([cameras[i].size_px[0] for i in survey.camera], float)
    behind = ~_in_front(cameras, survey)
    share = np.where(behind, 1.0, miss / width)
    off = share > MAX_MISS * slack
    if off.sum() > max(1, 0.1 * len(off)):
        raise RigError(
            f"rig.survey_points: {off.sum()} of {len(off)} don't fit the pictures (they miss by "
            f"more than {np.min((share * width)[off]):.0f} px); check that no two cameras have "
            "each other's url, the order x, y, z, the signs (y is left, z is up: mirrored axes "
            "never fit), the unit (metres), which pixel belongs to which point, and that "
            "rig.lens.model and rig.lens.hfov_deg are those of the cameras"
        )
    worst = int(np.argmax(share))
    if off[worst]:
        raise RigError(
            f"{survey.names[worst]} (camera {cameras[survey.camera[worst]].name}): misses "
            f"its pixel by {share[worst] * width[worst]:.0f} px; correct it or leave it out"
        )


def _in_front(cameras: list[CameraModel], survey: Survey) -> Bools:
    pose = np.stack([cameras[i].camera_from_mine for i in survey.camera])
    depth = np.einsum("kj,kj->k", pose[:, 2, :3], survey.points_m) + pose[:, 2, 3]
    if cameras[0].lens == "fisheye":
        return np.ones(len(depth), bool)
    return np.asarray(depth > 0)
