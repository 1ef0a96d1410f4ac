"""The limits of a site's acceptance test (`lamproom accept`). Defaults are proposals.

Knows nothing about how anything is measured. A limit of `null` leaves its point out, and the
report says that the site file does so.
"""

from typing import Annotated

from pydantic import Field, model_validator

from scene.section import Section
from scene.zones import Metres

Share = Annotated[float, Field(ge=0, lt=1)]
MetresOff = Annotated[float, Field(gt=0, le=100)]
Seconds = Annotated[float, Field(gt=0, le=600)]


class AcceptanceConfig(Section):
    """What a site must show before anybody trusts it."""

    false_share: Share | None = 0.05
    """Of the people and of the alarms that it told, so many at most may be none."""
    missed_share: Share | None = 0.10
    """Of the people and of the events that were there, so many at most may be missed."""
    delay_s: Seconds | None = 2.0
    """An alarm may come so much later than the delay that its own limits ask for; and a position
    so long after its picture."""
    position_m: MetresOff | None = 0.5
    """How far off the places told at one station may be, the median over the stay."""
    coverage_share: float | None = Field(default=0.95, gt=0, le=1)
    """Of the metres of roadway, so many at least must be seen by a healthy camera."""
    coverage_m: tuple[Metres, Metres] | None = None
    """From which to which chainage; none takes the whole floor of the site file."""
    camera_deg: float | None = Field(default=0.5, gt=0, le=45)
    """How far a camera may look beside where the rig file has it look."""
    cameras_well: bool = True
    """Whether every camera must be healthy from the first to the last moment."""
    clock_skew_s: Seconds | None = 0.5
    """How far clocks may be apart: cameras' from each other, the gateway's from the tester's."""
    certain: bool = False
    """Whether a share counts only if the whole of its 95 % interval is within the limit: then a
    few events can't pass, however well they went."""

    @model_validator(mode="after")
    def _ordered(self) -> "AcceptanceConfig":
        if self.coverage_m is not None and self.coverage_m[0] >= self.coverage_m[1]:
            raise ValueError("coverage_m: give the lower chainage first, then the higher one")
        return self
