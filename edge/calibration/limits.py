"""The limits that a calibration is judged by.

Knows nothing about how anything is measured. They are proposals for cameras that are to place
people to a few decimetres; those in pixels are for pictures up to 1280 px wide.
"""

from dataclasses import dataclass
from typing import Literal

Colour = Literal["green", "amber", "red"]
COLOURS: tuple[Colour, ...] = ("green", "amber", "red")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Up to the first number is green, up to the second amber, above it red."""

    match_median_px: tuple[float, float] = (1.0, 2.0)
    match_p95_px: tuple[float, float] = (2.5, 6.0)
    survey_rms_px: tuple[float, float] = (2.0, 5.0)
    survey_rms_cm: tuple[float, float] = (2.0, 6.0)
    place_sigma_cm: tuple[float, float] = (5.0, 15.0)
    floor_sigma_cm: tuple[float, float] = (10.0, 30.0)
    agreeing_share: tuple[float, float] = (0.6, 0.3)
    """Of all matches; this one from the first number up is green."""
    least_matches: tuple[int, int] = (20, 6)
    """Of neighbours in a rotation and in a strip rig: fewer prove little."""
    contradicting_share: float = 0.15
    """Of a pair's many matches: if fewer agree with a rotation rig, they contradict it."""
    spare_points: int = 2
    """So many more than four points must a rig (a strip: each camera) have, or nothing checks
    them."""


LIMITS = Limits()
