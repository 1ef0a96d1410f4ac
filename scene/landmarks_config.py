"""Supports and marks of a site file: by what people in a mine give places.

Knows nothing about how anybody is placed; `scene/landmarks.py` tells who is near which.
"""

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from scene.messages import Landmark
from scene.section import Section
from scene.zones import Metres

MOST_SUPPORTS, MOST_MARKS = 500, 500
LONGEST_NAME = 40
AT_MARK_M = 0.5
"""Who is no further from a mark than this is at it."""


def _readable(text: str) -> str:
    if not 1 <= len(text) <= LONGEST_NAME or not text.isprintable() or text != text.strip():
        raise ValueError(
            f"give 1 to {LONGEST_NAME} signs without line breaks or spaces at the ends, as they "
            "stand on the board; in quotes if they are a number"
        )
    return text


class SupportsConfig(Section):
    """The powered supports of a longwall face, side by side and numbered."""

    first: int = Field(ge=0, le=9999)
    """The number of the one at `chainage_m`."""
    last: int = Field(ge=0, le=9999)
    """The number at the other end, where chainage is highest; below `first` they count down."""
    chainage_m: Metres
    """Where the middle of the first one stands."""
    spacing_m: float = Field(ge=0.3, le=5)
    """From the middle of one to the middle of the next."""

    @model_validator(mode="after")
    def _not_too_many(self) -> "SupportsConfig":
        count = abs(self.last - self.first) + 1
        if count > MOST_SUPPORTS:
            raise ValueError(
                f"first and last: {self.first} to {self.last} are {count} supports; give at most "
                f"{MOST_SUPPORTS}"
            )
        return self

    @property
    def chainages_m(self) -> tuple[float, float]:
        """Chainage of the first one and of the last one."""
        return self.chainage_m, self.chainage_m + abs(self.last - self.first) * self.spacing_m


class MarkConfig(Section):
    """A board or another thing that people name places by: a chainage board, a crosscut."""

    name: Annotated[str, AfterValidator(_readable)]
    chainage_m: Metres


Marks = Annotated[tuple[MarkConfig, ...], Field(max_length=MOST_MARKS)]


def landmarks_of(
    supports: SupportsConfig | None, marks: tuple[MarkConfig, ...]
) -> tuple[Landmark, ...]:
    """List all supports and marks as viewers are told them."""
    found = [
        Landmark(name=mark.name, kind="mark", chainage_m=mark.chainage_m, reach_m=AT_MARK_M)
        for mark in marks
    ]
    if supports is not None:
        step = 1 if supports.last >= supports.first else -1
        found += [
            Landmark(
                name=str(number),
                kind="support",
                chainage_m=round(supports.chainage_m + index * supports.spacing_m, 3),
                reach_m=round(supports.spacing_m / 2, 3),
            )
            for index, number in enumerate(range(supports.first, supports.last + step, step))
        ]
    return tuple(found)


def supports_beside(supports: SupportsConfig | None, floor_m: tuple[float, float]) -> list[str]:
    """List, as `place: mistake`, that no support stands along the floor; its chainages `floor_m`.

    A face may be longer than what this gateway looks at; but then some of it is there.
    """
    if supports is None:
        return []
    (first_m, last_m), (low_m, high_m) = supports.chainages_m, sorted(floor_m)
    if first_m <= high_m and last_m >= low_m:
        return []
    return [
        f"supports: they stand at chainage {first_m:g} to {last_m:g} m, and the floor reaches from "
        f"{low_m:g} to {high_m:g} m; is the unit metres?"
    ]


def beyond_floor(landmarks: tuple[Landmark, ...], floor_m: tuple[float, float]) -> list[Landmark]:
    """List the supports and marks that stand beyond the floor; its chainages `floor_m`.

    A board just outside names places inside, and a face may be longer: it need be no mistake.
    """
    low_m, high_m = sorted(floor_m)
    return [
        one
        for one in landmarks
        if not low_m - one.reach_m <= one.chainage_m <= high_m + one.reach_m
    ]
