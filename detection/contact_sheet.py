"""Pictures of who was missed and of what was found in error, many on one sheet.

Knows nothing about how they were looked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from detection.evaluate import Looked
from detection.scoring import matched
from scene.arrays import Bytes, Floats
from scene.errors import ModelError

TILE_PX, CAPTION_PX = 180, 18
COLUMNS, MOST = 8, 64
ROOM = 0.35
"""Round the box, by its larger side."""
LABELLED, FOUND, WRONG = (90, 220, 90), (240, 200, 60), (60, 60, 240)
"""Colours (BGR) of labelled boxes, right finds and false ones."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """One mistake."""

    looked: Looked
    box_px: Floats
    """(4,)."""
    caption: str
    worth: float
    """Cases of more worth come first."""


def misses(looked: Sequence[Looked], threshold: float) -> list[Case]:
    """Give who is labelled and not found at the working threshold, the largest first."""
    cases = []
    for one in looked:
        for box in one.truth_px[~one.found(threshold)]:
            worth = float(np.prod(box[2:] - box[:2]) / np.prod(one.size_px))
            cases.append(Case(looked=one, box_px=box, caption=one.kind, worth=worth))
    return sorted(cases, key=lambda case: -case.worth)


def false_finds(looked: Sequence[Looked], threshold: float) -> list[Case]:
    """Give what is found at the working threshold and not labelled, the surest first."""
    cases = []
    for one in looked:
        whose = matched(one.boxes_px, one.scores, one.truth_px)
        for row in np.flatnonzero((whose < 0) & (one.scores >= threshold)).tolist():
            score = float(one.scores[row])
            caption = f"{one.kind} {score:.2f}"
            cases.append(Case(looked=one, box_px=one.boxes_px[row], caption=caption, worth=score))
    return sorted(cases, key=lambda case: -case.worth)


def sheet(cases: Sequence[Case], threshold: float) -> Bytes:
    """Draw up to `MOST` cases in a grid (H, W, 3) BGR: green is labelled, blue found, red wrong."""
    tiles = [_tile(case, threshold) for case in cases[:MOST]]
    columns = min(COLUMNS, max(len(tiles), 1))
    blank = np.zeros((TILE_PX + CAPTION_PX, TILE_PX, 3), np.uint8)
    tiles += [blank] * (-len(tiles) % columns or (columns if not tiles else 0))
    rows = [np.hstack(tiles[at : at + columns]) for at in range(0, len(tiles), columns)]
    return np.vstack(rows)


def write_sheet(path: Path, cases: Sequence[Case], threshold: float) -> None:
    """Write a sheet as a picture; the ending tells the kind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), sheet(cases, threshold))


def _tile(case: Case, threshold: float) -> Bytes:
    one = case.looked
    bgr = cv2.imread(str(one.path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise ModelError(f"{one.path}: not a picture any more")
    whose = matched(one.boxes_px, one.scores, one.truth_px)
    drawn = [(box, LABELLED) for box in one.truth_px]
    sure = one.scores >= threshold
    drawn += [(box, FOUND) for box in one.boxes_px[sure & (whose >= 0)]]
    drawn += [(box, WRONG) for box in one.boxes_px[sure & (whose < 0)]]
    size = np.array(one.size_px, float)
    half = max(float((case.box_px[2:] - case.box_px[:2]).max()) * (0.5 + ROOM), 12.0)
    half = min(half, float(size.max()) / 2)
    # Where the picture is large enough, the tile stays within it.
    reach = np.minimum(half, size / 2)
    middle = np.clip((case.box_px[:2] + case.box_px[2:]) / 2, reach, size - reach)
    scale = TILE_PX / (2 * half)
    move = np.array(
        [[scale, 0, (half - middle[0]) * scale], [0, scale, (half - middle[1]) * scale]]
    )
    tile = np.asarray(cv2.warpAffine(bgr, move, (TILE_PX, TILE_PX)), np.uint8)
    for box, colour in drawn:
        corners = np.rint((box.reshape(2, 2) - middle + half) * scale).astype(int)
        cv2.rectangle(tile, corners[0].tolist(), corners[1].tolist(), colour, 1)
    strip = np.zeros((CAPTION_PX, TILE_PX, 3), np.uint8)
    text = f"{case.caption}  {one.path.name}"[:34]
    white = (230, 230, 230)
    cv2.putText(strip, text, (3, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.33, white, 1, cv2.LINE_AA)
    return np.vstack([tile, strip])
