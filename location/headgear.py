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
HEAD_SHARE = 0.08
"""So far down its person's box, by its height, is the middle of a head."""
NARROWEST, WIDEST = 0.12, 1.0
"""Width of a head's box as a share of its person's shorter side."""
CLEAR_PX, SMALL_PX = 200.0, 120.0
"""In a box so high it tells most that neither is found; in one below the other, nothing: smaller
helmets are overlooked for seconds on end. As in a picture `MODEL_PX` wide, to which detectors
shrink larger ones."""
MODEL_PX = 640
SCORE_LEAST, WEAK_HELMET = 0.25, 0.42
"""A helmet of less score than the latter tells nothing: bare heads are taken for such, too."""
HELMET_SLOPE, HEAD_LEAST, HEAD_SLOPE, NEITHER = 6.0, 2.0, 4.0, -1.6
"""What one look tells, as log(P(look | helmet) / P(look | bare head)): of a helmet, for each 1.0 of
score above the weak one; of a bare head at the least score, and for each 1.0 above; of neither in a
clear view. Set below what lamproom-m1 shows on the rendered training pictures (793 helmets, 125
bare heads; 215 and 26 of viewpoints kept aside agree):

| box | on helmets: neither, bare head | on bare heads: neither, bare head, helmet |
|---|---|---|
| below 100 px | 14 %, 2 % | 41 %, 15 %, 44 % |
| to 160 px | 8 %, 2 % | 19 %, 44 %, 37 % |
| above | 2 %, 0 % | 17 %, 59 %, 24 % |
"""
LOOKS_PER_S = 2.5
"""Looks close in time say the same thing, so it is seconds that count and not pictures: this many
are independent. In the sample clips, worn helmets of that size are overlooked for 0.3 s at a time,
0.8 s at most."""
START = 1.5
"""Most people wear one."""
UPRIGHT_ASPECT = 0.8
"""In a box wider than this share of its height somebody lies or squats: heads are overlooked."""
MOST = 3.0
"""Log odds are kept within this, so that a change shows within seconds."""


def head_votes(
    seen: Detections, boxes_px: Floats, hidden: Bools, picture_px: int = MODEL_PX
) -> Floats:
    """Tell for N people's boxes (N, 4) what their heads show, as log odds per second, (N,).

    More than 0 is a helmet. `hidden` (N,) is whose head cannot be in the picture, which is
    `picture_px` wide; NaN where there is nothing to say. A head goes to the one person whom it fits
    best.
    """
    votes = np.full(len(boxes_px), np.nan)
    if not len(boxes_px):
        return votes
    width, height = (boxes_px[:, 2:] - boxes_px[:, :2]).T
    shrunk = height / max(picture_px / MODEL_PX, 1.0)
    clear = np.clip((shrunk - SMALL_PX) / (CLEAR_PX - SMALL_PX), 0.0, 1.0)
    silent = hidden | (clear <= 0) | (width > UPRIGHT_ASPECT * height)
    silent |= _head_behind(boxes_px)
    votes = np.where(silent, np.nan, NEITHER * LOOKS_PER_S * clear)
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
            votes[who] = LOOKS_PER_S * _told(int(seen.kinds[index]), score)
    return votes


def moved(log_odds: float | None, vote_per_s: float, step_s: float) -> float | None:
    """Take in a look: log odds of a helmet, none before any look showed the head.

    That nothing is found tells only of somebody on whom something has been found before: others
    may wear what this detector does not know, in a light in which it finds none.
    """
    nothing_found = NEITHER * LOOKS_PER_S <= vote_per_s <= 0
    if np.isnan(vote_per_s) or (log_odds is None and nothing_found):
        return log_odds
    start = START if log_odds is None else log_odds
    return float(np.clip(start + vote_per_s * step_s, -MOST, MOST))


def probability(log_odds: float | None) -> float | None:
    """Tell P(helmet worn).

    >>> probability(0.0)
    0.5
    """
    return None if log_odds is None else round(1 / (1 + exp(-log_odds)), 3)


def _told(kind: int, score: float) -> float:
    """Tell what a helmet or a bare head that was found says, as the log of a likelihood ratio."""
    if kind == HELMET:
        return HELMET_SLOPE * max(score - WEAK_HELMET, 0.0)
    return -HEAD_LEAST - HEAD_SLOPE * max(score - SCORE_LEAST, 0.0)


def _head_behind(people: Floats) -> Bools:
    """Tell whose head may be hidden: its spot is inside the box of somebody who stands nearer."""
    across = (people[:, 0] + people[:, 2]) / 2
    below = people[:, 1] + HEAD_SHARE * (people[:, 3] - people[:, 1])
    inside = (across[:, None] > people[None, :, 0]) & (across[:, None] < people[None, :, 2])
    inside &= (below[:, None] > people[None, :, 1]) & (below[:, None] < people[None, :, 3])
    nearer = people[:, 3][None] > people[:, 3][:, None]
    return np.asarray((inside & nearer).any(axis=1))


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
