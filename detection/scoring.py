"""Average precision, recall and precision of finds against labelled boxes.

Knows nothing about where either comes from.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detection.nms import overlap
from scene.arrays import Bools, Floats, Ints

SAME = 0.5
"""A find and a labelled box that overlap so much (intersection over union) are the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How well one kind is found."""

    ap50: float
    """Area under precision over recall, a hit being an overlap of at least 0.5."""
    recall: float
    """At the working threshold."""
    precision: float
    """At the working threshold."""
    boxes: int
    """Labelled ones."""


def score_kind(
    found: Sequence[tuple[Floats, Floats]], truth: Sequence[Floats], threshold: float
) -> Score:
    """Score one kind over pictures: `found` boxes (N, 4) and scores (N,), `truth` boxes (M, 4).

    The best-scored box takes the labelled box that it covers most; 101-point interpolation as
    in COCO.

    >>> box = np.array([[0.0, 0.0, 10.0, 10.0]])
    >>> score_kind([(box, np.array([0.9]))], [box], 0.5).ap50
    1.0
    """
    total = sum(len(boxes) for boxes in truth)
    pairs = zip(found, truth, strict=True)
    right = [matched(boxes, scores, labelled) >= 0 for (boxes, scores), labelled in pairs]
    scores = np.concatenate([scores for _, scores in found] or [np.zeros(0)])
    order = np.argsort(-scores, kind="stable")
    hits = np.concatenate(right or [np.zeros(0, bool)])[order]
    recall = np.cumsum(hits) / max(total, 1)
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    steps = [precision[recall >= level] for level in np.linspace(0, 1, 101)]
    working = scores[order] >= threshold
    return Score(
        ap50=float(np.mean([step.max() if len(step) else 0.0 for step in steps])),
        recall=float(hits[working].sum() / max(total, 1)),
        precision=float(hits[working].sum() / max(int(working.sum()), 1)),
        boxes=total,
    )


def matched(boxes: Floats, scores: Floats, truth: Floats) -> Ints:
    """Say which labelled box (M, 4) each find (N, 4) is, best scores (N,) first; -1 for none."""
    whose = np.full(len(boxes), -1)
    free: Bools = np.ones(len(truth), bool)
    for row in np.argsort(-scores, kind="stable").tolist() if len(truth) else ():
        shared = overlap(boxes[row], truth) * free
        best = int(shared.argmax())
        if shared[best] >= SAME:
            whose[row], free[best] = best, False
    return whose
