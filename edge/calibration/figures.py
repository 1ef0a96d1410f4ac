"""The figures of a calibration: per camera, per surveyed point, per overlapping pair.

Knows nothing about how they are measured, whether they are good, nor how they are shown.
"""

from dataclasses import dataclass

import numpy as np

from scene.arrays import Floats
from scene.messages import XY, XYZ
from scene.rig import Rig

AWAY_M = (3.0, 6.0, 10.0)
"""In plan, from the camera: where the expected error on the floor is told."""
FAR_M = 6.0
"""A rotation rig's matches have no known distance: their centimetres are those at 6 m."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PointFit:
    """One surveyed point (or marker's corner) in one picture."""

    name: str
    """As errors call it, e.g. `rig.survey_points.3`."""
    label: str
    """Short, for the picture: `3`, or `m12.0` for a marker's corner."""
    pixel: XY
    landed: XY
    """Where the calibrated camera puts its mine coordinates."""
    mine_m: XYZ
    miss_px: float
    miss_cm: float
    """How far its line of sight passes the point."""
    expected_px: float
    """One sigma of clicking it and of surveying it together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraFit:
    """One camera."""

    name: str
    lens: str
    size_px: tuple[int, int]
    hfov_deg: float
    vfov_deg: float
    centre_m: XYZ
    heading_deg: float
    """Left from the mine's x axis."""
    pitch_deg: float
    place_sigma_cm: float
    """Root of the sum of all three variances."""
    turn_sigma_deg: float
    points: tuple[PointFit, ...]
    matches: int
    """Agreeing ones, with all neighbours."""
    reach: float
    """How far out, of the half diagonal, points and matches reach: the lens is a guess beyond."""
    floor_cm: tuple[float | None, ...]
    """At `AWAY_M`; none where it shows no floor of the roadway."""
    brightness: float
    """Mean grey level, 0 to 255."""

    @property
    def worst_px(self) -> float:
        """The largest miss of a surveyed point; 0 without any."""
        return max((point.miss_px for point in self.points), default=0.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairFit:
    """Two cameras that overlap."""

    first: str
    second: str
    overlap: float
    """Share of the smaller one's panorama that the other one sees, too."""
    neighbours: bool
    """Named one after the other in the site file."""
    matches: int
    off_px: float
    """How far the middle one of all matches is off, in the second camera's pixels; 0 without."""
    agreeing: int
    misses_px: Floats
    """(K,) of the agreeing ones, in the second camera's pixels."""
    misses_cm: Floats
    """(K,) at the surface; of a rotation rig at `FAR_M`."""
    first_xy: Floats
    """(K, 2) where the first camera puts the agreeing matches on the panorama."""
    second_xy: Floats
    """(K, 2) where the second one does."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Figures:
    """All of them."""

    site: str
    rig: Rig
    strip: bool
    surveyed: bool
    wanted: tuple[str, ...]
    """The site's cameras."""
    cameras: tuple[CameraFit, ...]
    pairs: tuple[PairFit, ...]
    pictures: int
    """Per camera, of which the still background was made: the fewest."""

    @property
    def points(self) -> tuple[PointFit, ...]:
        """Every surveyed point of every camera."""
        return tuple(point for camera in self.cameras for point in camera.points)

    @property
    def misses_px(self) -> Floats:
        """(K,) of all agreeing matches."""
        return np.concatenate([np.zeros(0), *(pair.misses_px for pair in self.pairs)])

    @property
    def misses_cm(self) -> Floats:
        """(K,) of all agreeing matches."""
        return np.concatenate([np.zeros(0), *(pair.misses_cm for pair in self.pairs)])

    @property
    def scale(self) -> float:
        """Limits in pixels are for pictures up to 1280 px wide; wider ones may miss by more."""
        return max(1.0, float(np.median([camera.size_px[0] for camera in self.cameras])) / 1280)
