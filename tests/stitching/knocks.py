"""Cameras in the painted room that are knocked by known turns: truth for the tests of drift."""

from dataclasses import replace

import cv2
import numpy as np

from scene.arrays import Bytes, Floats
from scene.geometry import CameraModel
from stitching.drift.reference import Reference, learn, shrink
from stitching.drift.turn import rotation_of
from tests.stitching.views import camera, room, view, with_people

ROOM = room()


def eye(lens: str = "brown", name: str = "cam1", yaw_deg: float = 0.0) -> CameraModel:
    """Hang a camera of 640 px width."""
    return camera(name, yaw_deg, size_px=(640, 360), lens=lens)


def turn(degrees: float, axis: tuple[float, float, float] = (0.6, 0.7, 0.4)) -> Floats:
    """Give the (3, 3) rotation by so many degrees about an axis of the camera."""
    along = np.array(axis) / np.linalg.norm(axis)
    return rotation_of(np.radians(degrees) * along)


def knocked(model: CameraModel, by: Floats) -> CameraModel:
    """Turn a camera about its own centre."""
    pose = model.camera_from_mine.copy()
    pose[:3] = by @ pose[:3]
    return replace(model, camera_from_mine=pose)


def seen(
    model: CameraModel, seed: int = 0, gain: float = 1.0, people: int = 0, dust: float = 0.0
) -> Bytes:
    """Take a noisy (H, W) luma of the room, with people here and there."""
    rng = np.random.default_rng(seed)
    image = view(model, ROOM, gain, vignette=0.2)
    if people:
        image = with_people(image, rng, people)
    luma = image.y.astype(float)
    if dust:
        luma = (1 - dust) * cv2.GaussianBlur(luma, (0, 0), 2.5) + dust * 120
    return np.asarray(np.clip(luma + rng.normal(0, 3, luma.shape), 0, 255), np.uint8)


def reference(model: CameraModel) -> Reference:
    """Learn what a camera sees."""
    found = learn(model, [shrink(seen(model, seed, people=1)) for seed in range(5)])
    assert found is not None
    return found
