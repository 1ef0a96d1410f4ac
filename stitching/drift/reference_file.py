"""The cameras' references as a file, by the id of the rig that they belong to.

Knows nothing about how they are learned or used.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scene.errors import RigError
from stitching.drift.reference import HALF, Reference

DESCRIPTOR = 128


def save_references(references: Mapping[str, Reference], path: Path) -> None:
    """Write all cameras' references into one file. Raises `RigError`."""
    arrays: dict[str, NDArray[np.generic]] = {}
    for name, one in references.items():
        arrays |= {
            f"{name}/size_px": np.array(one.size_px),
            f"{name}/points_px": one.points_px,
            f"{name}/patches": one.patches,
            f"{name}/feature_px": one.feature_px,
            f"{name}/descriptors": one.descriptors.astype(np.float16),
            f"{name}/texture": np.array(one.texture),
            f"{name}/turn": one.turn,
        }
    partial = path.with_suffix(".partial.npz")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
        partial.replace(path)
    except OSError as error:
        raise RigError(
            f"{path}: the cameras' references can't be written: {error.strerror}"
        ) from None


def load_references(path: Path) -> dict[str, Reference]:
    """Read the references, by camera; empty when there are none. Raises `RigError`."""
    if not path.exists():
        return {}
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
            names = sorted({key.rsplit("/", 1)[0] for key in content.files})
            return {name: _reference(name, content) for name in names}
    except Exception as error:  # a bit error can raise all that zip, zlib and numpy know
        why = (str(error) or type(error).__name__).splitlines()[0]
        raise RigError(
            f"{path}: can't be read: {why}; delete it, and the cameras' references are learned anew"
        ) from None


def _reference(name: str, content: Mapping[str, NDArray[np.generic]]) -> Reference:
    width, height = (int(value) for value in content[f"{name}/size_px"])
    found = Reference(
        camera=name,
        size_px=(width, height),
        points_px=np.asarray(content[f"{name}/points_px"], float),
        patches=np.asarray(content[f"{name}/patches"], np.uint8),
        feature_px=np.asarray(content[f"{name}/feature_px"], float),
        descriptors=np.asarray(content[f"{name}/descriptors"], np.float32),
        texture=float(np.asarray(content[f"{name}/texture"], float)),
        turn=np.asarray(content[f"{name}/turn"], float),
    )
    wrong = what_is_wrong(found)
    if wrong:
        raise ValueError(f"{name}/{wrong}")
    return found


def what_is_wrong(one: Reference) -> str:
    """Name what does not fit together in what was read; empty when all does."""
    points, features, side = len(one.points_px), len(one.feature_px), 2 * HALF + 1
    shapes: dict[str, tuple[NDArray[np.generic], tuple[int, ...]]] = {
        "points_px": (one.points_px, (points, 2)),
        "patches": (one.patches, (points, side, side)),
        "feature_px": (one.feature_px, (features, 2)),
        "descriptors": (one.descriptors, (features, DESCRIPTOR)),
        "turn": (one.turn, (3, 3)),
    }
    for field, (values, shape) in shapes.items():
        if values.shape != shape or not np.isfinite(values).all():
            return f"{field}: {values.shape}, expected {shape} finite numbers"
    return "" if np.isfinite(one.texture) and min(one.size_px) > 0 else "size_px, texture: rubbish"
