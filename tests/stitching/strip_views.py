"""Small cameras on the right rib that look at the left wall and the floor of a straight roadway."""

import numpy as np

from scene.geometry import CameraModel, pose_from_mount


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
