"""A painted room without depth, and cameras that look at it: truth for the tests of stitching."""

from dataclasses import replace

import cv2
import numpy as np

from scene.arrays import Bytes, Floats
from scene.geometry import CameraModel, pose_from_mount, rays
from scene.messages import Frame, YuvImage
from scene.rig import Rig
from scene.site import PanoramaConfig
from stitching.calibration.rotation import ideal_camera
from stitching.layout import choose_surface
from stitching.lens import usable_angle

CENTRE_M = np.array([20.0, -2.0, 2.5])
PX_PER_RAD = 700.0


def room(seed: int = 0) -> Bytes:
    """Paint (H, W) luma all round: boxes, blots and grain; rows are tangents from 1.2 to -1.2."""
    rng = np.random.default_rng(seed)
    width, height = int(2 * np.pi * PX_PER_RAD), int(2.4 * PX_PER_RAD)
    luma = np.full((height, width), 110, np.float32)
    for _ in range(2500):
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        w, h = (int(v) for v in rng.integers(6, 70, 2))
        luma[y : y + h, x : x + w] = rng.integers(40, 210)
    grain = cv2.GaussianBlur(rng.normal(0, 30, luma.shape).astype(np.float32), (0, 0), 2)
    mixed = np.clip(cv2.GaussianBlur(luma, (0, 0), 1.2) + 2 * grain, 25, 225)
    return np.asarray(mixed, np.uint8)


def camera(  # noqa: PLR0917
    name: str,
    yaw_deg: float,
    pitch_deg: float = -5.0,
    roll_deg: float = 0.0,
    hfov_deg: float = 70.0,
    size_px: tuple[int, int] = (480, 270),
    lens: str = "brown",
    k1: float = -0.08,
) -> CameraModel:
    """Hang a camera at the room's centre."""
    model = ideal_camera(name, size_px, "fisheye" if lens == "fisheye" else "brown", hfov_deg, k1)
    pose = pose_from_mount(CENTRE_M, yaw_deg, pitch_deg, roll_deg)
    model = replace(model, camera_from_mine=pose)
    return replace(model, max_angle_rad=usable_angle(model))


def fan(**changes: object) -> list[CameraModel]:
    """Fan out three cameras, 45 degrees apart."""
    return [
        camera("left", 45.0, -4.0, 1.0, **changes),  # type: ignore[arg-type]
        camera("middle", 0.0, -6.0, 0.0, **changes),  # type: ignore[arg-type]
        camera("right", -45.0, -5.0, -1.5, **changes),  # type: ignore[arg-type]
    ]


def view(model: CameraModel, luma: Bytes, gain: float = 1.0, vignette: float = 0.0) -> YuvImage:
    """Look at the room; chroma says where: u grows to the left, v upwards."""
    width, height = model.size_px
    u, v = np.meshgrid(np.arange(width, dtype=float), np.arange(height, dtype=float))
    found = _sample(luma, rays(model, np.column_stack([u.ravel(), v.ravel()]))).reshape(u.shape)
    radius = np.hypot(u - (width - 1) / 2, v - (height - 1) / 2) / (width / 2)
    y = np.clip(np.rint(found * gain * (1 - vignette * radius**2)), 0, 255).astype(np.uint8)
    cu, cv = np.meshgrid(np.arange(0.5, width, 2), np.arange(0.5, height, 2))
    ahead = rays(model, np.column_stack([cu.ravel(), cv.ravel()]))
    azimuth = np.arctan2(ahead[:, 1], ahead[:, 0]).reshape(cu.shape)
    rise = ahead[:, 2].reshape(cu.shape)
    return YuvImage(
        y=y,
        u=np.rint(128 + 20 * azimuth).astype(np.uint8),
        v=np.rint(128 + 40 * rise).astype(np.uint8),
    )


def with_people(image: YuvImage, rng: np.random.Generator, count: int = 3) -> YuvImage:
    """Let people stand somewhere in the picture, in other places each time."""
    y = image.y.copy()
    for _ in range(count):
        x, top = int(rng.integers(0, y.shape[1] - 40)), int(rng.integers(40, 140))
        body = rng.integers(0, 255, (110, 36)).astype(np.uint8)
        y[top : top + 110, x : x + 36] = cv2.GaussianBlur(body, (0, 0), 1.5)[: y.shape[0] - top]
    return YuvImage(y=y, u=image.u, v=image.v)


def frame(name: str, image: YuvImage, at_ns: int = 1_000) -> Frame:
    """Wrap a picture."""
    return Frame(camera=name, captured_at_ns=at_ns, image=image)


def rig_of(cameras: list[CameraModel], **panorama: float) -> Rig:
    """Make the true rig."""
    config = PanoramaConfig.model_validate(panorama)
    return Rig(
        cameras=tuple(cameras),
        surface=choose_surface(cameras, config),
        anchor="survey",
        quality={},
    )


def spots(model: CameraModel, count: int, seed: int, margin_px: float = 25.0) -> Floats:
    """Pick (count, 2) pixels of a camera."""
    width, height = model.size_px
    share = np.random.default_rng(seed).random((count, 2))
    room_px = np.array([width - 1 - 2 * margin_px, height - 1 - 2 * margin_px])
    return np.asarray(margin_px + share * room_px)


def _sample(luma: Bytes, directions: Floats) -> Floats:
    azimuth = np.arctan2(directions[:, 1], directions[:, 0])
    rise = directions[:, 2] / np.maximum(np.hypot(directions[:, 0], directions[:, 1]), 1e-9)
    x = ((np.pi - azimuth) * PX_PER_RAD).astype(np.float32)
    y = ((1.2 - rise) * PX_PER_RAD).astype(np.float32)
    rows = int(np.ceil(len(x) / 512))
    padded = np.zeros((2, rows * 512), np.float32)
    padded[0, : len(x)], padded[1, : len(x)] = x, y
    found = cv2.remap(
        luma.astype(np.float32),
        padded[0].reshape(rows, 512),
        padded[1].reshape(rows, 512),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT,
    )
    return np.asarray(found.ravel()[: len(x)], float)
