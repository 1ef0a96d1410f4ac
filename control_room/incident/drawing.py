"""Draw on a picture of the panorama who is where, and what nobody saw.

Knows nothing about film or files. Pictures are (H, W, 3) blue, green, red. Whoever has no room for
a label is counted, and nothing that came with a message decides how much is drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from control_room.incident.lettering import Colour, Picture, wide_px, write
from control_room.incident.seen import Seen
from control_room.incident.tags import PREDICTED_AFTER_S, unseen_for_s
from scene.messages import XY, Position, SiteDescription

HIGH = 20
"""Of a label."""
ROWS = (18, 39, 60)
BAND = 68
"""Rows above the picture: when it was taken, how many are followed, and what was not seen."""
LEAST_WIDE = 720
CARD_PX = 36
DARK: Colour = (22, 17, 11)
WHITE: Colour = (240, 240, 240)
SEEN: Colour = (214, 227, 111)
POSSIBLY: Colour = (255, 184, 169)
PREDICTED: Colour = (217, 209, 201)
ALARM: Colour = (60, 60, 255)
AMBER: Colour = (40, 170, 255)
MOST_PEOPLE = 300
FAR = 30_000
"""Further off than any picture reaches; OpenCV takes no larger coordinates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """Somebody on the picture."""

    box: tuple[int, int, int, int]
    """Left, top, right, bottom in pixels of the picture."""
    text: str
    colour: Colour
    dashed: bool
    """Nobody sees this person just now: the place is a prediction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Pixels (rows, columns) of a hatching: light lines, and dark ones beside them."""

    light: tuple[NDArray[np.intp], ...]
    dark: tuple[NDArray[np.intp], ...]


def tag_of(person: Position, at_ns: int, text: str, *, alarmed: bool, height: int) -> Tag | None:
    """Make somebody's tag; none where the panorama shows no part of them."""
    if person.panorama_xy is None:
        return None
    predicted = unseen_for_s(person, at_ns) > PREDICTED_AFTER_S
    colour = PREDICTED if predicted else POSSIBLY if person.certainty == "possibly" else SEEN
    return Tag(
        box=box_of(person, person.panorama_xy, height),
        text=text,
        colour=ALARM if alarmed else colour,
        dashed=predicted,
    )


def box_of(person: Position, feet: XY, height: int) -> tuple[int, int, int, int]:
    """Give the box round a body, as the control room's page draws it."""
    head = person.panorama_head_xy or (feet[0], feet[1] - 60)
    tall = max(4.0, float(np.hypot(feet[0] - head[0], feet[1] - head[1])))
    wide = (1.9 if person.posture == "lying" else 0.75) * tall / max(0.3, person.height_m)
    wide = max(14.0, wide)
    middle = (feet[0] + head[0]) / 2
    top = min(max(min(feet[1], head[1]) - 3, 0), height - 8)
    bottom = max(min(max(feet[1], head[1]) + 3, height - 1), top + 8)
    left, right = (min(max(x, -FAR), FAR) for x in (middle - wide / 2, middle + wide / 2))
    return round(left), round(top), round(right), round(bottom)


def canvas_of(picture: Picture) -> Picture:
    """Put a picture under an empty band; widens one that is too narrow for words."""
    height, width = picture.shape[:2]
    canvas = np.zeros((height + BAND, max(width, LEAST_WIDE), 3), np.uint8)
    canvas[BAND:, :width] = picture
    return canvas


def card(size_px: tuple[int, int], what: str, when: str) -> Picture:
    """Make a picture (width, height) that says that there is none."""
    width, height = size_px
    canvas = np.zeros((height, width, 3), np.uint8)
    canvas[BAND:, ::14] = 60
    draw_band(canvas, (when, "", what), alarm=True)
    middle = (max(0, (width - wide_px(what, CARD_PX)) // 2), (height + BAND + CARD_PX) // 2)
    write(canvas, what, middle, AMBER, CARD_PX)
    return canvas


def draw_band(canvas: Picture, lines: tuple[str, str, str], *, alarm: bool) -> None:
    """Write the lines above the picture, in place; one too long ends in `...`."""
    canvas[:BAND] = DARK
    colours = (WHITE, WHITE, AMBER if alarm else SEEN)
    for text, row, colour in zip(lines, ROWS, colours, strict=True):
        write(canvas, _fitting(text, canvas.shape[1] - 12), (6, row), colour)


def unseen_lines(size_px: tuple[int, int], site: SiteDescription, seen: Seen) -> Lines:
    """Find where to hatch a canvas (width, height): the floor that nobody surely saw."""
    width, height = size_px
    mask = np.zeros((height, width), np.uint8)
    marks = sorted(site.ruler, key=lambda one: one.chainage_m)
    for one, other in pairwise(marks):
        if other.chainage_m - one.chainage_m > 1.5 or seen.sees(int(np.floor(one.chainage_m))):
            continue
        corners = np.array([*one.across_px, *reversed(other.across_px)], float)
        if len(corners) < 3 or np.ptp(corners[:, 0]) > width / 2:  # round the picture's seam
            continue
        corners = np.clip(corners + np.array([0, BAND]), -FAR, FAR)
        cv2.fillPoly(mask, [corners.round().astype(np.int32)], 255)
    mask[:BAND] = 0
    slant = (np.arange(width)[None, :] + np.arange(height)[:, None]) % 24
    return Lines(
        light=np.nonzero((slant < 2) & (mask > 0)),
        dark=np.nonzero((slant >= 2) & (slant < 4) & (mask > 0)),
    )


def draw_unseen(canvas: Picture, lines: Lines) -> None:
    """Hatch a canvas, in place; half shows through, for people on that floor must be seen."""
    for where, colour in ((lines.light, WHITE), (lines.dark, DARK)):
        canvas[where] = (canvas[where].astype(int) + colour) // 2


def draw_tags(
    canvas: Picture, tags: Sequence[Tag], framed: tuple[int, int, int, int] | None = None
) -> int:
    """Draw boxes and labels below the band, in place; gives how many have no label.

    The box `framed` gets a frame of its own, for a picture that is about this person.
    """
    taken = list[tuple[int, int, int, int]]()
    without = 0
    for tag in tags[:MOST_PEOPLE]:
        _draw_box(canvas, tag)
    if framed is not None:
        _draw_frame(canvas, framed)
    for tag in tags[:MOST_PEOPLE]:
        place = _place_for(canvas, tag, taken)
        if place is None:
            without += 1
            continue
        taken.append(place)
        left, top, right, bottom = place
        cv2.rectangle(canvas, (left, top), (right, bottom), DARK, cv2.FILLED)
        write(canvas, tag.text, (left + 4, bottom - 5), tag.colour)
    return without + max(0, len(tags) - MOST_PEOPLE)


def _draw_frame(canvas: Picture, box: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = box
    for off, colour, thick in ((6, DARK, 5), (6, ALARM, 3), (11, ALARM, 1)):
        corner, other = (left - off, top + BAND - off), (right + off, bottom + BAND + off)
        cv2.rectangle(canvas, corner, other, colour, thick)


def _draw_box(canvas: Picture, tag: Tag) -> None:
    left, top, right, bottom = tag.box
    for colour, thick in ((DARK, 4), (tag.colour, 2)):
        if not tag.dashed:
            cv2.rectangle(canvas, (left, top + BAND), (right, bottom + BAND), colour, thick)
            continue
        left, right = max(left, 0), min(right, canvas.shape[1])
        for x in range(left, right, 10):
            for y in (top + BAND, bottom + BAND):
                cv2.line(canvas, (x, y), (min(x + 5, right), y), colour, thick)
        for y in range(top + BAND, bottom + BAND, 10):
            for x in (left, right):
                cv2.line(canvas, (x, y), (x, min(y + 5, bottom + BAND)), colour, thick)


def _place_for(
    canvas: Picture, tag: Tag, taken: Sequence[tuple[int, int, int, int]]
) -> tuple[int, int, int, int] | None:
    """Find room for a label beside its box where it covers no other; none where there is none."""
    height, width = canvas.shape[:2]
    wide = wide_px(tag.text) + 8
    left = min(max(tag.box[0], 0), max(width - wide, 0))
    above, below = tag.box[1] + BAND - HIGH - 4, tag.box[3] + BAND + 4
    steps = range(0, 7)
    for top in (*(above - HIGH * i for i in steps), *(below + HIGH * i for i in steps)):
        place = (left, top, left + wide, top + HIGH)
        inside = top >= BAND and top + HIGH <= height
        if inside and not any(_meet(place, other) for other in taken):
            return place
    return None


def _meet(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    beside = one[2] < other[0] or other[2] < one[0]
    return not beside and one[1] < other[3] and other[1] < one[3]


def _fitting(text: str, wide: int) -> str:
    """Shorten a text to so many pixels."""
    if wide_px(text) <= wide:
        return text
    while text and wide_px(f"{text}...") > wide:
        text = text[: max(0, len(text) - 4)]
    return f"{text}..."
