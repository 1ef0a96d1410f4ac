"""Find out how a site's cameras hang together and where: pictures and survey in, rig out.

Knows nothing about files or cameras; the same pictures give the same rig.
"""

from dataclasses import dataclass

import numpy as np

from scene.arrays import Bytes, Floats
from scene.errors import RigError
from scene.floor import Floor
from scene.geometry import CameraModel
from scene.messages import YuvImage
from scene.ribbon import Ribbon
from scene.rig import Rig
from scene.site import FloorConfig, PanoramaConfig, RigConfig
from stitching.calibration import features
from stitching.calibration.rotation_rig import solve_rotation_rig
from stitching.calibration.solved import Progress, Solved
from stitching.calibration.strip_guess import check_above
from stitching.calibration.strip_rig import solve_strip_rig
from stitching.calibration.survey import Survey, survey_error, survey_of
from stitching.layout import choose_surface
from stitching.lens import unexplained_share
from stitching.ribbon_layout import choose_ribbon

LEAST_POINTS = 4
MOST_UNEXPLAINED = 0.15
"""Of the picture, where the lens model has no sight."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibration:
    """A calibrated rig beside the evidence for it."""

    rig: Rig
    solved: Solved
    survey: Survey | None
    lumas: dict[str, Bytes]
    """By camera, (H, W): the still background that was matched."""


def calibrate(
    images: dict[str, list[YuvImage]],
    config: RigConfig,
    panorama: PanoramaConfig,
    floor: FloorConfig | None = None,
    progress: Progress | None = None,
) -> Rig:
    """Calibrate a rig from a few pictures per camera, by name; see `calibrate_with_evidence`."""
    return calibrate_with_evidence(images, config, panorama, floor, progress).rig


def calibrate_with_evidence(
    images: dict[str, list[YuvImage]],
    config: RigConfig,
    panorama: PanoramaConfig,
    floor: FloorConfig | None = None,
    progress: Progress | None = None,
) -> Calibration:
    """Calibrate a rig from a few pictures per camera, by name.

    A strip rig needs the site's `floor`. Raises `RigError` that names the camera or the point and
    the remedy.
    """
    report = progress or _silent
    lumas = _lumas(images)
    survey = survey_of(config, lumas)
    strip = config.kind == "strip"
    if strip:
        if floor is None:
            raise RigError("floor: a strip rig runs along floor.centre_line_m; give a floor")
        along = floor

        def ribbon_of(cameras: list[CameraModel]) -> Ribbon:
            return choose_ribbon(cameras, panorama, along)

        solved = solve_strip_rig(lumas, config, survey, ribbon_of, report, floor=Floor(along))
    else:
        survey = _anchoring(survey, config)
        solved = solve_rotation_rig(lumas, config, survey, report)
        if floor is not None and survey is not None:
            check_above(Floor(floor), list(solved.cameras))
    _check_lens(solved)
    report("choosing the panorama", 0.97)
    rig = Rig(
        cameras=solved.cameras,
        surface=choose_surface(list(solved.cameras), panorama, strip=strip, floor=floor),
        anchor="survey" if survey is not None else "mount",
        quality=_quality(solved, survey),
    )
    report("done", 1.0)
    return Calibration(rig=rig, solved=solved, survey=survey, lumas=lumas)


def _check_lens(solved: Solved) -> None:
    """Refuse a lens model that can't describe a good part of the picture."""
    for camera in solved.cameras:
        share = unexplained_share(camera)
        if share > MOST_UNEXPLAINED:
            raise RigError(
                f"camera {camera.name}: the lens model {camera.lens} can't describe "
                f"{100 * share:.0f} % of its picture; check rig.lens.hfov_deg, and set "
                "rig.lens.model: fisheye for a lens wider than 110 degrees"
            )


def _anchoring(survey: Survey | None, config: RigConfig) -> Survey | None:
    """Give the survey if it can anchor a rotation rig, nothing if a mount has to."""
    count = 0 if survey is None else len(survey.camera)
    if count >= LEAST_POINTS:
        return survey
    if config.mount is None:
        raise RigError(
            f"rig.survey_points: {count} given or found on markers, at least 4 are needed to "
            "anchor the rig; survey more points, or give rig.mount"
        )
    return None


def _silent(stage: str, share: float) -> None:
    pass


def _lumas(images: dict[str, list[YuvImage]]) -> dict[str, Bytes]:
    if not images:
        raise RigError("there are no cameras to calibrate; give pictures of at least one")
    lumas = {}
    for name, pictures in images.items():
        if not pictures:
            raise RigError(f"camera {name}: there is no picture of it; check its url")
        sizes = sorted({picture.size_px for picture in pictures})
        if len(sizes) > 1:
            raise RigError(
                f"camera {name}: its pictures differ in size ({_size(sizes[0])} and "
                f"{_size(sizes[1])}); set the camera to one resolution and calibrate again"
            )
        lumas[name] = features.still_luma(pictures)
    return lumas


def _size(size_px: tuple[int, int]) -> str:
    return f"{size_px[0]} x {size_px[1]}"


def _quality(solved: Solved, survey: Survey | None) -> dict[str, float]:
    """Say how good the rig is; px at each camera's own resolution."""
    quality = {"cameras": float(len(solved.cameras))}
    misses: list[Floats] = [np.linalg.norm(miss, axis=1) for miss in solved.misses_px]
    if misses:
        every = np.concatenate(misses)
        agreeing = np.concatenate([m[k] for m, k in zip(misses, solved.kept, strict=True)])
        quality["matched_points"] = float(len(every))
        quality["matched_point_median_px"] = round(float(np.median(every)), 4)
        if len(agreeing):
            quality["agreeing_points"] = float(len(agreeing))
            quality["agreeing_point_median_px"] = round(float(np.median(agreeing)), 4)
            quality["agreeing_point_p95_px"] = round(float(np.percentile(agreeing, 95)), 4)
    if survey is not None:
        square = (survey_error(list(solved.cameras), survey) ** 2).sum(axis=1)
        quality["survey_points"] = float(len(square))
        quality["survey_rms_px"] = round(float(np.sqrt(square.mean())), 4)
        quality["survey_worst_px"] = round(float(np.sqrt(square.max())), 4)
        quality["place_sigma_m"] = round(max(solved.place_sigma_m), 5)
    return quality
