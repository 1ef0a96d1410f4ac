"""How the tracker decides: every number of it that a site or a test may set.

Knows nothing about people or cameras.
"""

from dataclasses import dataclass

LYING_BELOW_M = 0.9
"""Who is lower than this lies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerLimits:
    """How the tracker decides; the defaults suit people who walk, at 2 to 30 pictures a second."""

    unrest_m2_s3: float = 0.4
    """How much people turn, stop and start: the power density of their acceleration. Measured on
    people who walk about a room: 0.2 to 0.4, whether one looks half a second ahead or two."""
    gate: float = 16.0
    """Mahalanobis² beyond which an observation is somebody else's."""
    cap_m: float = 0.6
    """Nor may it lie further off than this plus twice its own sigma."""
    high_score: float = 0.4
    """Boxes that score less only carry on people who are known, or begin one who lies where
    somebody known was lost: heaps of rock look like somebody lying, with little score."""
    lost_s: float = 120.0
    lost_m: float = 2.5
    """So long ago and so far off."""
    apart_m: float = 0.45
    """Nearer than this to a known person nobody new begins."""
    confirm_hits: int = 3
    """Instants in which a new person must be seen before it counts; one less for two cameras."""
    confirm_cut_hits: int = 5
    """The same for one of whom only cut boxes are seen."""
    weak_score: float = 0.15
    """Whose boxes score less than this above `high_score` on average, in one camera, must be seen
    for longer (`newcomers.py`). Measured on the sample clips: of the boxes of
    such scores one in twelve shows nobody, of those above fewer than one in a hundred."""
    confirm_vague_hits: int = 10
    """The same for one of whom no box scores high, where somebody known was lost: detectors know
    bodies that lie least, and who lies in the dark must not stay unknown."""
    coast_s: float = 3.0
    """So long a person lives on unseen..."""
    coast_still_s: float = 8.0
    """... and so long one who stood or lay still..."""
    coast_outside_s: float = 1.0
    """... and so long where no camera looks, or before it counts as a person..."""
    coast_periods: float = 2.5
    """... but each at least for so many times between two pictures of a camera..."""
    coast_periods_most_s: float = 5.0
    """... which make no more than this."""
    together_s: float = 0.06
    """Pictures within this are one instant."""
    late_s: float = 1.0
    """Pictures later than this are not used any more."""
    jump_s: float = 5.0
    """A step of the cameras' clocks by more than this starts anew."""
    outside_m: float = 0.5
    """So far beyond the floor's ribbon, and twice the sigma, an observation is believed."""
