"""The limits of a site file: when something counts as an anomaly. Defaults are proposals.

Knows nothing about how they are applied.
"""

from datetime import datetime, tzinfo
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator

from scene.section import Section


def _time_zone(name: str) -> str:
    time_zone_of(name)
    return name


def time_zone_of(name: str | None) -> tzinfo | None:
    """Read a time zone, `Asia/Shanghai` or `+08:00`; none is the computer's own. ValueError.

    >>> time_zone_of("+08:00").utcoffset(None)
    datetime.timedelta(seconds=28800)
    """
    if name is None:
        return None
    try:
        if name[:1] in ("+", "-"):
            return datetime.strptime(name, "%z").tzinfo
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        raise ValueError(f"{name!r} is no time zone; give e.g. Asia/Shanghai or +08:00") from None


class ZoneLimits(Section):
    """When somebody counts as inside a zone."""

    enter_probability: float = Field(default=0.9, gt=0, lt=1)
    enter_after_s: float = Field(default=1.0, ge=0)
    leave_probability: float = Field(default=0.1, gt=0, lt=1)
    leave_after_s: float = Field(default=3.0, ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> "ZoneLimits":
        if self.leave_probability >= self.enter_probability:
            raise ValueError(
                f"leave_probability ({self.leave_probability:g}) must be below enter_probability "
                f"({self.enter_probability:g}), or alarms would come and go with every picture"
            )
        return self


class ManDownLimits(Section):
    """When somebody counts as down."""

    height_m: float = Field(default=1.0, gt=0)
    """Lower than this is down."""
    up_height_m: float = Field(default=1.3, gt=0)
    """Higher than this is up again."""
    after_s: float = Field(default=3.0, ge=0)
    up_after_s: float = Field(default=2.0, ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> "ManDownLimits":
        if self.up_height_m <= self.height_m:
            raise ValueError(
                f"up_height_m ({self.up_height_m:g}) must be above height_m ({self.height_m:g}), "
                "or alarms would come and go with every picture"
            )
        return self


class CameraLimits(Section):
    """When a camera counts as stalled or lost, as dusty or short of light."""

    stalled_after_s: float = Field(default=2.0, gt=0)
    lost_after_s: float = Field(default=4.0, gt=0)
    max_skew_s: float = Field(default=0.05, gt=0)
    """Pictures further apart are not shown as one instant."""
    usual_detail: float = Field(default=0.6, ge=0, lt=0.9)
    """A camera whose picture has less of its usual detail than this needs cleaning; 0: never."""
    usual_light: float = Field(default=0.55, ge=0, lt=0.9)
    """Less of the usual light than this is told; 0: never, for a place that cap lamps alone light.
    That a camera can't see at all is always told."""


class DangerLimits(ZoneLimits):
    """When somebody counts as too near to something that moves: sooner than in a zone."""

    enter_probability: float = Field(default=0.5, gt=0, lt=1)
    enter_after_s: float = Field(default=0.5, ge=0)
    leave_probability: float = Field(default=0.2, gt=0, lt=1)
    leave_after_s: float = Field(default=2.0, ge=0)
    place_age_s: float = Field(default=3.0, gt=0)
    """A machine whose place is older than this is nowhere known."""


class ImmobileLimits(Section):
    """When somebody who does not move is worth a look."""

    after_s: float = Field(default=60.0, gt=0)
    moved_m: float = Field(default=0.5, gt=0)
    """Further than this, and than twice the place's own sigma, is a move."""


class CapacityLimits(Section):
    """When there are too many people in a zone, by P(more than its capacity)."""

    probability: float = Field(default=0.5, gt=0, lt=1)
    """Lower than for one person: each of many who may be just outside makes a count less sure."""
    clear_probability: float = Field(default=0.1, gt=0, lt=1)
    after_s: float = Field(default=2.0, ge=0)
    clear_after_s: float = Field(default=5.0, ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> "CapacityLimits":
        if self.clear_probability >= self.probability:
            raise ValueError(
                f"clear_probability ({self.clear_probability:g}) must be below probability "
                f"({self.probability:g}), or alarms would come and go with every picture"
            )
        return self


class LoneLimits(Section):
    """When somebody counts as alone."""

    within_m: float = Field(default=30.0, gt=0)
    """Whoever has somebody within so many metres is not alone, zone or not."""
    clear_after_s: float = Field(default=5.0, ge=0)


class HelmetLimits(Section):
    """When a bare head is an alarm."""

    bare_probability: float = Field(default=0.8, gt=0.5, lt=1)
    after_s: float = Field(default=3.0, ge=0)
    worn_probability: float = Field(default=0.5, gt=0, lt=1)
    worn_after_s: float = Field(default=3.0, ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> "HelmetLimits":
        if self.worn_probability <= 1 - self.bare_probability:
            raise ValueError(
                f"worn_probability ({self.worn_probability:g}) must be above 1 - bare_probability "
                f"({1 - self.bare_probability:g}), or alarms would come and go with every picture"
            )
        return self


class LostLimits(Section):
    """When somebody who is not seen any more counts as lost."""

    after_s: float = Field(default=15.0, gt=0)
    """Only inside what healthy cameras cover; who is seen again clears it. Never sooner than 1.5 s
    after `camera.stalled_after_s`: by then a camera that died is known to have died."""
    exit_m: float = Field(default=2.0, ge=0)
    """Who was last seen so near to where coverage ends has walked out. 0: nobody may walk out of
    view; whoever a healthy camera saw last is missed."""


class TagLimits(Section):
    """When a tag names somebody, and when people and tags do not fit together."""

    name_probability: float = Field(default=0.9, gt=0.5, lt=1)
    """A name is given when it is at least so sure..."""
    keep_probability: float = Field(default=0.5, gt=0, lt=1)
    """... and kept while it is: no name is better than a wrong one."""
    keep_s: float = Field(default=60.0, gt=0)
    """For so long after a tag was last heard may somebody keep its name."""
    window_s: float = Field(default=10.0, gt=0)
    """For the alarms below: over so long a time are a tag's places compared with people's ways."""
    silent_after_s: float = Field(default=10.0, gt=0)
    """The alarms below rest while no tag at all has been heard for so long."""
    person_without_tag_after_s: float = Field(default=30.0, gt=0)
    tag_without_person_after_s: float = Field(default=30.0, gt=0)
    two_tags_after_s: float = Field(default=30.0, gt=0)
    clear_after_s: float = Field(default=5.0, ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> "TagLimits":
        if self.keep_probability >= self.name_probability:
            raise ValueError(
                f"keep_probability ({self.keep_probability:g}) must be below name_probability "
                f"({self.name_probability:g}), or names would come and go"
            )
        return self


class LimitsConfig(Section):
    """All limits; the defaults are proposals, a site sets its own."""

    zone: ZoneLimits = ZoneLimits()
    danger: DangerLimits = DangerLimits()
    man_down: ManDownLimits = ManDownLimits()
    immobile: ImmobileLimits | None = ImmobileLimits()
    """None watches nobody for it; so with the following ones."""
    capacity: CapacityLimits = CapacityLimits()
    lone: LoneLimits = LoneLimits()
    helmet: HelmetLimits | None = None
    """Off unless asked for: the shipped model knows bare heads badly."""
    lost: LostLimits | None = LostLimits()
    tags: TagLimits | None = TagLimits()
    time_zone: Annotated[str, AfterValidator(_time_zone)] | None = None
    """Of the zones' hours, e.g. Asia/Shanghai or +08:00; none is that of the computer that judges,
    which may be another one in a replay."""
    camera: CameraLimits = CameraLimits()
