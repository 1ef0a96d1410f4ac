"""The floor's section of a site file.

Knows nothing about heights at places: that is `scene/floor.py`.
"""

from math import hypot

from pydantic import Field, field_validator

from scene.section import Section
from scene.zones import SAME_POINT_M, PointXYZ


class FloorConfig(Section):
    """The floor: a centre line with grade, wide to both sides, with cross-fall."""

    centre_line_m: tuple[PointXYZ, ...] = Field(min_length=2)
    left_m: float = Field(default=2.5, gt=0)
    right_m: float = Field(default=2.5, gt=0)
    cross_fall: float = Field(default=0.0, ge=-0.5, le=0.5)
    """Rise per metre towards the left."""

    @field_validator("centre_line_m")
    @classmethod
    def _leads_somewhere(cls, line: tuple[PointXYZ, ...]) -> tuple[PointXYZ, ...]:
        x0, y0, _ = line[0]
        if all(hypot(x - x0, y - y0) <= SAME_POINT_M for x, y, _ in line):
            raise ValueError("all its points are one in plan; give at least two different ones")
        return line
