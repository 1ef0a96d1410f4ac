"""Zones and gates of a site file: named areas of the floor, lines across it, and who may be there.

Knows nothing about how anybody is judged by them.
"""

from datetime import time
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from scene.messages import Severity
from scene.polygon import area_m2, crossing_edges
from scene.section import Section, fits

Metres = Annotated[float, Field(ge=-1e6, le=1e6)]
PointXY = tuple[Metres, Metres]
PointXYZ = tuple[Metres, Metres, Metres]
Name = Annotated[
    str,
    fits(
        "[A-Za-z0-9][A-Za-z0-9_-]{0,63}",
        "up to 64 letters (A-Z, a-z), digits, - and _, the first a letter or digit",
    ),
]
"""Of what stands in topics, addresses and names of files."""
FreeName = Annotated[
    str,
    fits(
        r"[^\W_](?:[\w \-·()（）]{0,62}[\w\-)）])?",
        "up to 64 letters of any script, digits, spaces, - _ · and brackets, the first a letter or "
        "digit",
    ),
]
"""Of what is only ever told: topics have a token in its place (`location.rules.evidence`). Signs
that part an alarm's evidence (`; : .`) are none of it."""

MIN_AREA_M2 = 0.01
SAME_POINT_M = 1e-6


def _hours(text: str) -> str:
    hours_of(text)
    return text


def hours_of(text: str) -> tuple[time, time]:
    """Read hours of the day, `22:00-06:00`; raises ValueError.

    >>> hours_of("22:00-06:00")[0].hour
    22
    """
    first, dash, last = text.partition("-")
    try:
        times = time.fromisoformat(first.strip()), time.fromisoformat(last.strip())
    except ValueError:
        dash = ""
    if not dash or times[0] == times[1] or times[0].tzinfo or times[1].tzinfo:
        raise ValueError(f"{text!r} are no hours; give e.g. 22:00-06:00")
    return times


Hours = Annotated[str, AfterValidator(_hours)]


class ZoneConfig(Section):
    """A named area of the floor, and what is watched in it."""

    name: FreeName
    kind: Literal["restricted", "danger", "area"] = "restricted"
    """`restricted`: nobody may be there; `danger`: something there moves, nobody may come near;
    `area`: people may be there, are counted, and are watched by the fields below."""
    polygon_m: tuple[PointXY, ...] = Field(min_length=3)
    """The corners in the order in which one walks round the area, either way. With `follows`: from
    the machine's place, x the way it faces."""
    severity: Severity = "critical"
    """Of somebody in a restricted or danger zone."""
    follows: FreeName | None = None
    """The machine that the zone moves with, by the name under which its place comes in over MQTT.
    While that place is not known, the zone is nowhere, and the gateway says so."""
    hours: tuple[Hours, ...] = ()
    """When a restricted or danger zone is in force, e.g. `22:00-06:00`, in the time zone that
    `limits.time_zone` gives; none is always."""
    exempt: tuple[str, ...] = ()
    """Workers (names or tags) who may be there; only those whom a tag names are known."""
    capacity: int | None = Field(default=None, ge=0)
    """More people than this at once are too many."""
    longest_s: float | None = Field(default=None, gt=0)
    """Who stays longer has been there for too long."""
    lone_after_s: float | None = Field(default=None, ge=0)
    """Who is alone there for so long is a lone worker; none allows that."""
    low_work: bool = False
    """People kneel or lie at work here: no man-down alarm by height alone."""
    immobile_after_s: float | None = Field(default=None, gt=0)
    """Instead of `limits.immobile.after_s`, for those who are here."""

    @field_validator("polygon_m")
    @classmethod
    def _encloses_an_area(cls, corners: tuple[PointXY, ...]) -> tuple[PointXY, ...]:
        crossing = crossing_edges(corners)
        if crossing is not None:
            first, second = crossing
            raise ValueError(
                f"the edges from corner {first} and from corner {second} cross or touch; give the "
                "corners in the order in which one walks round the area, each once"
            )
        size_m2 = area_m2(corners)
        if size_m2 <= MIN_AREA_M2:
            raise ValueError(
                f"encloses {size_m2:.3f} m2, and more than {MIN_AREA_M2} m2 is wanted; its corners "
                "must not lie on one line"
            )
        return corners

    @model_validator(mode="after")
    def _makes_sense(self) -> "ZoneConfig":
        if self.kind == "area" and (self.hours or self.exempt):
            raise ValueError("hours and exempt go with kind: restricted or kind: danger")
        return self


class GateConfig(Section):
    """A line across the floor that may be crossed one way only."""

    name: FreeName
    line_m: tuple[PointXY, PointXY]
    """From one wall to the other."""
    way: Literal["to_left", "to_right"]
    """The way that is allowed, as one looks from the line's first point to its second."""
    severity: Severity = "warning"

    @field_validator("line_m")
    @classmethod
    def _has_length(cls, line: tuple[PointXY, PointXY]) -> tuple[PointXY, PointXY]:
        if line[0] == line[1]:
            raise ValueError("both ends are the same point; give one at each wall")
        return line
