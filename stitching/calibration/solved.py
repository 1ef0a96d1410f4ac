"""What every way of calibrating gives: the cameras, and how well the pictures agree with them.

Knows nothing about how it was found.
"""

from collections.abc import Callable
from dataclasses import dataclass

from scene.arrays import Bools, Floats
from scene.geometry import CameraModel
from stitching.calibration.features import Matches

Progress = Callable[[str, float], None]
"""Told what is being done, and which share of the whole is done."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Solved:
    """Calibrated cameras beside the evidence."""

    cameras: tuple[CameraModel, ...]
    matches: tuple[Matches, ...]
    misses_px: tuple[Floats, ...]
    """By pair, (M, 2) or (M, 1): how far each match is off."""
    kept: tuple[Bools, ...]
    """By pair, (M,): which matches agree with the rest."""
    place_sigma_m: tuple[float, ...]
    """By camera: root of the sum of its place's three variances, whatever the lens may be.

    A camera's `pose_covariance` may say less: it is what locating by its picture rests on, where
    a doubt about the lens and one about the place cancel each other.
    """
