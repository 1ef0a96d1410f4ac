"""The rig file: what calibration found, as people can read it, versioned.

Knows nothing about how it was found.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from scene.errors import RigError
from scene.geometry import CameraModel
from scene.ribbon import Ribbon
from scene.surface import Cylinder

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


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that, power cuts included, it is the old or the new one. Raises `OSError`."""
    partial = path.with_suffix(path.suffix + ".partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def load_rig(path: Path) -> Rig:
    """Read a rig file; raises `RigError` that names the file and the field."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RigError(f"{path}: no rig file yet; run `lamproom calibrate`") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RigError(
            f"{path}: can't be read: {str(error).splitlines()[0]}; run `lamproom calibrate`"
        ) from None
    if not isinstance(content, dict) or content.get("version") != VERSION:
        raise RigError(
            f"{path}: version: expected {VERSION}; run `lamproom calibrate` to write a new one"
        )
    try:
        return Rig(
            cameras=tuple(_camera(item) for item in content["cameras"]),
            surface=_surface(content["surface"]),
            anchor=str(content["anchor"]),
            quality={str(key): float(value) for key, value in content["quality"].items()},
        )
    except KeyError as error:
        raise RigError(
            f"{path}: field {error} is missing; run `lamproom calibrate` again"
        ) from None
    except (TypeError, ValueError, AttributeError) as error:
        raise RigError(f"{path}: {error}; run `lamproom calibrate` again") from None


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


def _camera(item: dict[str, Any]) -> CameraModel:
    name = str(item["name"])
    lens = item["lens"]
    if lens not in ("brown", "fisheye"):
        raise ValueError(f"cameras.{name}.lens: {lens!r} is neither brown nor fisheye")
    width, height = (int(value) for value in item["size_px"])
    return CameraModel(
        name=name,
        size_px=(width, height),
        lens=lens,
        k=_matrix(item["k"], (3, 3), f"cameras.{name}.k"),
        distortion=_matrix(
            item["distortion"], (5,) if lens == "brown" else (4,), f"cameras.{name}.distortion"
        ),
        camera_from_mine=_matrix(
            item["camera_from_mine"], (4, 4), f"cameras.{name}.camera_from_mine"
        ),
        pose_covariance=_matrix(item["pose_covariance"], (6, 6), f"cameras.{name}.pose_covariance"),
        max_angle_rad=float(item["max_angle_rad"]),
    )


def _surface(item: dict[str, Any]) -> Surface:
    kind = item.get("kind")
    width, height = (int(value) for value in item["size_px"])
    if kind == "cylinder":
        x, y, z = (float(value) for value in item["centre_m"])
        return Cylinder(
            centre_m=(x, y, z),
            azimuth_left_rad=float(item["azimuth_left_rad"]),
            tan_top=float(item["tan_top"]),
            px_per_rad=float(item["px_per_rad"]),
            size_px=(width, height),
        )
    if kind == "ribbon":
        return Ribbon(
            line_m=tuple((float(x), float(y), float(z)) for x, y, z in item["line_m"]),
            cross_fall=float(item["cross_fall"]),
            section_m=tuple((float(left), float(up)) for left, up in item["section_m"]),
            chainage_left_m=float(item["chainage_left_m"]),
            px_per_m=float(item["px_per_m"]),
            mirrored=bool(item["mirrored"]),
            size_px=(width, height),
        )
    raise ValueError(f"surface.kind: {kind!r} is not known; it is cylinder or ribbon")


def _matrix(value: object, shape: tuple[int, ...], field: str) -> Any:
    array = np.asarray(value, float)
    if array.shape != shape or not np.all(np.isfinite(array)):
        raise ValueError(f"{field}: expected {shape} finite numbers, got {array.shape}")
    return array


def _rounded(array: Any, digits: int) -> Any:
    # + 0.0 turns -0.0 into 0.0, so that the same rig is the same text.
    return (np.round(array, digits) + 0.0).tolist()


def _significant(array: Any) -> Any:
    return [[float(f"{value:.4g}") + 0.0 for value in row] for row in np.asarray(array)]
