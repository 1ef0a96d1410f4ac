"""What one camera shows of people's heads: a helmet, a bare head, or neither.

Knows nothing about identity, time or places.
"""

from math import exp

import numpy as np

from scene.arrays import Bools, Floats
from scene.messages import KINDS, Detections

HELMET, HEAD = KINDS.index("helmet"), KINDS.index("head")

UPPER_SHARE, ASIDE_SHARE = 0.4, 0.15
"""A head's middle lies in this upper part of its person's box, and no further beside it than this
share of the box's width."""
NARROWEST, WIDEST = 0.12, 1.0
"""Width of a head's box as a share of its person's shorter side."""
CLEAR_PX, SMALL_PX = 120.0, 60.0
"""In a box so high a helmet is hardly ever overlooked; in one below the other, mostly."""
HELMET_PER_S, HEAD_PER_S, NEITHER_PER_S = 4.0, -6.0, -1.0
"""How a second of such looks moves the log odds of a helmet. Looks close in time say the same
thing, so it is seconds that count and not pictures. That neither is found says little: helmets are
overlooked, but not for ever in a clear view of somebody upright."""
START = 1.5
"""Most people wear one."""
UPRIGHT_ASPECT = 0.8
"""In a box wider than this share of its height somebody lies or squats: heads are overlooked."""
MOST = 3.0
"""Log odds are kept within this, so that a change shows within seconds."""


def head_votes(seen: Detections, boxes_px: Floats, hidden: Bools) -> Floats:
    """Tell for N people's boxes (N, 4) what their heads show, as log odds per second, (N,).

    More than 0 is a helmet. `hidden` (N,) is whose head cannot be in the picture; NaN where there
    is nothing to say. A head goes to the one person whom it fits best.
    """
    votes = np.full(len(boxes_px), np.nan)
    if not len(boxes_px):
        return votes
    width, height = (boxes_px[:, 2:] - boxes_px[:, :2]).T
    clear = np.clip((height - SMALL_PX) / (CLEAR_PX - SMALL_PX), 0.0, 1.0)
    silent = hidden | (clear <= 0) | (width > UPRIGHT_ASPECT * height)
    votes = np.where(silent, np.nan, NEITHER_PER_S * clear)
    best = np.zeros(len(boxes_px))
    heads = np.flatnonzero((seen.kinds == HELMET) | (seen.kinds == HEAD))
    for index in heads.tolist():
        fits = _fit(boxes_px, seen.boxes_px[index])
        score = float(seen.scores[index])
        if not np.isfinite(score) or not fits.any():
            continue
        # The tightest fit: a head before somebody else's chest belongs to the nearer top edge.
        who = int(np.argmin(np.where(fits, _off_top(boxes_px, seen.boxes_px[index]), np.inf)))
        if score > best[who] and not hidden[who]:
            best[who] = score
            per_s = HELMET_PER_S if seen.kinds[index] == HELMET else HEAD_PER_S
            votes[who] = per_s * score
    return votes


def moved(log_odds: float | None, vote_per_s: float, step_s: float) -> float | None:
    """Take in a look: log odds of a helmet, none before any look showed the head."""
    if np.isnan(vote_per_s):
        return log_odds
    start = START if log_odds is None else log_odds
    return float(np.clip(start + vote_per_s * step_s, -MOST, MOST))


def probability(log_odds: float | None) -> float | None:
    """Tell P(helmet worn).

    >>> probability(0.0)
    0.5
    """
    return None if log_odds is None else round(1 / (1 + exp(-log_odds)), 3)


def _fit(people: Floats, head: Floats) -> Bools:
    size = people[:, 2:] - people[:, :2]
    middle = (head[:2] + head[2:]) / 2
    across = np.abs(middle[0] - (people[:, 0] + people[:, 2]) / 2)
    below = middle[1] - people[:, 1]
    share = (head[2] - head[0]) / np.maximum(size.min(axis=1), 1.0)
    beside = across <= (0.5 + ASIDE_SHARE) * size[:, 0]
    upper = (below > -0.1 * size[:, 1]) & (below < UPPER_SHARE * size[:, 1])
    return np.asarray(beside & upper & (share > NARROWEST) & (share < WIDEST))


def _off_top(people: Floats, head: Floats) -> Floats:
    """Tell how far a head's box is from the top middle of people's boxes, in their widths."""
    width = np.maximum(people[:, 2] - people[:, 0], 1.0)
    across = (head[0] + head[2]) / 2 - (people[:, 0] + people[:, 2]) / 2
    return np.asarray(np.hypot(across, head[1] - people[:, 1]) / width)
