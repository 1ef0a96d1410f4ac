"""The rig file: what calibration found, as people can read it, versioned.

Knows nothing about how it was found.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from scene.errors import RigError, SiteError, printable
from scene.geometry import CameraModel
from scene.ribbon import Ribbon
from scene.rig_reading import check_names, read_anchor, read_camera, read_quality, read_surface
from scene.section import read_yaml
from scene.surface import Cylinder
from scene.whole_file import write_whole

VERSION = 1
Surface = Cylinder | Ribbon


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rig:
    """Calibrated cameras and the surface that their panorama lies on."""

    cameras: tuple[CameraModel, ...]
    surface: Surface
    anchor: str
    """`survey` or `mount`: whether mine metres come from surveyed points or a stated mount."""
    quality: dict[str, float]
    """What calibration measured, e.g. `matched_point_median_px`, `survey_rms_px`."""

    @property
    def id(self) -> str:
        """Twelve hex digits that change whenever the geometry does."""
        text = json.dumps(_geometry(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def camera(self, name: str) -> CameraModel:
        """Find a camera by name; raises `RigError` when the rig has no such camera."""
        for camera in self.cameras:
            if camera.name == name:
                return camera
        raise RigError(
            f"camera {name!r} is not in the rig; run `lamproom calibrate` again for all cameras"
        )


def save_rig(rig: Rig, path: Path, notes: Mapping[str, Any] | None = None) -> None:
    """Write the rig as YAML; the same rig gives the same bytes. Raises `RigError`.

    `notes` are further fields, which `load_rig` passes over.
    """
    content = {"version": VERSION, "anchor": rig.anchor, "quality": rig.quality}
    content |= {**(notes or {}), **_geometry(rig)}
    text = "# Written by `lamproom calibrate`; metres, radians, pixels (centres at integers).\n"
    text += yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=100)
    try:
        write_whole(path, text.encode())
    except OSError as error:
        raise RigError(
            f"{path}: the rig can't be written: {error.strerror}; give another rig.file"
        ) from None


def load_rig(path: Path) -> Rig:
    """Read a rig file; raises `RigError` that names the file and the field."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RigError(f"{path}: no rig file yet; run `lamproom calibrate`") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RigError(f"{path}: can't be read: {_line(error)}; run `lamproom calibrate`") from None
    return parse_rig(text, name=str(path))


def parse_rig(text: str, *, name: str) -> Rig:
    """Read a rig file's text; raises `RigError` that names the file, `name`, and the field."""
    try:
        _, content = read_yaml(text, name=name)
    except SiteError as error:
        raise RigError(f"{error}; run `lamproom calibrate` again") from None
    if not isinstance(content, dict) or content.get("version") != VERSION:
        raise RigError(
            f"{name}: version: expected {VERSION}; run `lamproom calibrate` to write a new one"
        )
    try:
        cameras = tuple(read_camera(item) for item in content["cameras"])
        check_names(cameras)
        return Rig(
            cameras=cameras,
            surface=read_surface(content["surface"]),
            anchor=read_anchor(content["anchor"]),
            quality=read_quality(content["quality"]),
        )
    except KeyError as error:
        raise RigError(
            f"{name}: field {_line(error)} is missing; run `lamproom calibrate` again"
        ) from None
    except (TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        raise RigError(f"{name}: {_line(error)}; run `lamproom calibrate` again") from None


def _line(error: Exception) -> str:
    """Say an error in one short line that can be printed."""
    return printable((str(error) or type(error).__name__).splitlines()[0], 200)


def _geometry(rig: Rig) -> dict[str, Any]:
    return {
        "surface": _surface_fields(rig.surface),
        "cameras": [
            {
                "name": camera.name,
                "size_px": list(camera.size_px),
                "lens": camera.lens,
                "k": _rounded(camera.k, 6),
                "distortion": _rounded(camera.distortion, 9),
                "camera_from_mine": _rounded(camera.camera_from_mine, 9),
                "max_angle_rad": round(camera.max_angle_rad, 6),
                "pose_covariance": _significant(camera.pose_covariance),
            }
            for camera in rig.cameras
        ],
    }


def _surface_fields(surface: Surface) -> dict[str, Any]:
    if isinstance(surface, Cylinder):
        return {
            "kind": "cylinder",
            "centre_m": [round(value, 6) for value in surface.centre_m],
            "azimuth_left_rad": round(surface.azimuth_left_rad, 9),
            "tan_top": round(surface.tan_top, 9),
            "px_per_rad": round(surface.px_per_rad, 6),
            "size_px": list(surface.size_px),
        }
    return {
        "kind": "ribbon",
        "line_m": _rounded(surface.line_m, 6),
        "cross_fall": round(float(surface.cross_fall), 9),
        "section_m": _rounded(surface.section_m, 6),
        "chainage_left_m": round(float(surface.chainage_left_m), 6),
        "px_per_m": round(float(surface.px_per_m), 6),
        "mirrored": surface.mirrored,
        "size_px": list(surface.size_px),
    }


def _rounded(array: Any, digits: int) -> Any:
    # + 0.0 turns -0.0 into 0.0, so that the same rig is the same text.
    return (np.round(array, digits) + 0.0).tolist()


def _significant(array: Any) -> Any:
    return [[float(f"{value:.4g}") + 0.0 for value in row] for row in np.asarray(array)]
