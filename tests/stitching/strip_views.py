"""Small cameras on the right rib that look at the left wall and the floor of a straight roadway."""

from collections.abc import Sequence

import cv2
import numpy as np

from scene.arrays import Floats
from scene.geometry import CameraModel, pose_from_mount, project
from scene.messages import Detections, Position, YuvImage
from scene.ribbon import Ribbon
from stitching.cells import Cells, cells_of
from stitching.maps import camera_map

RIBBON = Ribbon(
    line_m=((0.0, 0.0, 0.0), (40.0, 0.0, 0.0)),
    cross_fall=0.0,
    section_m=((2.5, 2.6), (2.5, 0.0), (-2.5, 0.0)),
    chainage_left_m=5.0,
    px_per_m=40.0,
    mirrored=False,
    size_px=(800, 304),
)
"""The left wall and the floor, chainage 5 to 25 m; level and straight."""


def strip_camera(
    name: str, x_m: float, yaw_deg: float, *, height_m: float, pitch_deg: float
) -> CameraModel:
    """Hang a camera at `x_m` along the roadway, 2.4 m right of its middle."""
    return CameraModel(
        name=name,
        size_px=(640, 360),
        lens="brown",
        k=np.array([[400.0, 0, 319.5], [0, 400.0, 179.5], [0, 0, 1]]),
        distortion=np.zeros(5),
        camera_from_mine=pose_from_mount(np.array([x_m, -2.4, height_m]), yaw_deg, pitch_deg, 0.0),
        pose_covariance=np.zeros((6, 6)),
        max_angle_rad=1.2,
    )


def facing_pair() -> tuple[CameraModel, CameraModel]:
    """Hang two cameras, 10 m apart, that look at each other's side of the roadway between them."""
    west = strip_camera("west", 10.0, 40.0, height_m=2.6, pitch_deg=-18.0)
    return west, strip_camera("east", 20.0, 140.0, height_m=2.6, pitch_deg=-18.0)


def strip_cells(cameras: Sequence[CameraModel], ribbon: Ribbon = RIBBON) -> Cells:
    """Lay the grid of cells over their ribbon."""
    maps = [camera_map(camera, ribbon) for camera in cameras]
    return cells_of(maps, [camera.size_px for camera in cameras], ribbon.size_px)


def standing(
    track: int,
    x_m: float,
    left_m: float,
    *,
    cameras: tuple[str, ...] = ("west", "east"),
    at_ns: int = 0,
) -> Position:
    """Stand somebody on the floor, whom those cameras saw at that instant."""
    return Position(
        track=track,
        xyz_m=(x_m, left_m, 0.0),
        covariance_m2=((0.0025, 0.0), (0.0, 0.0025)),
        velocity_m_s=(0.0, 0.0),
        height_m=1.8,
        posture="upright",
        certainty="certainly",
        seen_at_ns=at_ns,
        cameras=cameras,
    )


def body_px(camera: CameraModel, person: Position) -> Floats:
    """Give the pixels (K, 2) of points round a body of half a metre's width."""
    turn = np.arange(12) * np.pi / 6
    ring = 0.25 * np.column_stack([np.cos(turn), np.sin(turn), np.zeros(12)])
    points = [person.xyz_m + ring + [0.0, 0.0, up_m] for up_m in (0.0, 0.9, person.height_m)]
    return project(camera, np.concatenate(points))[0]


def found(camera: CameraModel, *people: Position, at_ns: int = 0) -> Detections:
    """Give one box round some people, all together."""
    pixels = np.concatenate([body_px(camera, person) for person in people])
    far = np.array(camera.size_px) - 1.0
    corners = [np.clip(edge, 0, far) for edge in (pixels.min(axis=0), pixels.max(axis=0))]
    return Detections(
        camera=camera.name,
        captured_at_ns=at_ns,
        boxes_px=np.concatenate(corners)[None],
        scores=np.array([0.9]),
        kinds=np.array([0]),
    )


def with_figure(
    camera: CameraModel, image: YuvImage, person: Position, luma: int, v: int = 128
) -> YuvImage:
    """Paint somebody into a camera's picture: a smooth column of half a metre's width."""
    planes = image.y.copy(), image.v.copy()
    for plane, value, scale in zip(planes, (luma, v), (1, 2), strict=True):
        spots = np.rint((body_px(camera, person) + 0.5) / scale - 0.5).astype(np.int32)
        cv2.fillConvexPoly(plane, cv2.convexHull(spots), value)
    return YuvImage(y=planes[0], u=image.u, v=planes[1])
