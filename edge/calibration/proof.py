"""Which overlaps are proved by their matches, which hardly are, and which contradict the rig.

Knows nothing about verdicts, advice or pages.
"""

from edge.calibration.figures import Figures, PairFit
from edge.calibration.limits import LIMITS, Limits


def unproven(found: Figures, limits: Limits = LIMITS) -> tuple[PairFit, ...]:
    """List the overlapping neighbours whose pictures hardly say that they agree."""
    least = least_matches(found, limits)
    return tuple(pair for pair in found.pairs if pair.neighbours and pair.agreeing < least)


def contradicting(found: Figures, limits: Limits = LIMITS) -> tuple[PairFit, ...]:
    """List the pairs of a rotation rig with many matches of which hardly any agree with the rig.

    Calibrating keeps none but pairs whose matches agree among themselves: here it is the rig, or
    what these two see twice, that is wrong.
    """
    if found.strip:
        return ()
    least = least_matches(found, limits)
    return tuple(
        pair
        for pair in found.pairs
        if pair.matches >= least and pair.agreeing < limits.contradicting_share * pair.matches
    )


def least_matches(found: Figures, limits: Limits = LIMITS) -> int:
    """Tell how many agreeing matches prove that neighbours fit."""
    return limits.least_matches[1 if found.strip else 0]
