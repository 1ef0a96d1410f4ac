"""Write on pictures, Chinese too.

Knows nothing about what is written. The letters come with OpenCV 5 (Rubik, and WenQuanYi Micro Hei
for what that lacks), so that a film looks the same on every machine, whatever fonts are there. What
has no letter would come out as "?": `can_write` tells beforehand.
"""

import unicodedata
from functools import cache, lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]
SIZE_PX = 15
"""Of letters, unless told otherwise."""
_LEFT_TO_RIGHT = ("L", "EN", "ES", "ET", "CS", "WS", "ON", "AN")
_KINDS = ("L", "N", "P", "S")


def can_write(text: str) -> bool:
    """Tell whether each sign of a text has a letter, one beside the other from left to right."""
    return all(map(_has, text))


def write(
    canvas: Picture, text: str, at_px: tuple[int, int], colour: Colour, size_px: int = SIZE_PX
) -> None:
    """Write on a picture, in place, from (x, y) of the line's left end on."""
    cv2.putText(canvas, text, at_px, colour, _face(), size_px)


def wide_px(text: str, size_px: int = SIZE_PX) -> int:
    """Tell how much room a text takes."""
    left, _, wide, _ = cv2.getTextSize((0, 0), text, (0, 0), _face(), size_px)
    return int(left + wide)


@cache
def _face() -> cv2.FontFace:
    return cv2.FontFace("sans")


@lru_cache(maxsize=20_000)
def _has(letter: str) -> bool:
    if letter in " ?":
        return True
    sound = unicodedata.category(letter)[0] in _KINDS
    if not sound or unicodedata.bidirectional(letter) not in _LEFT_TO_RIGHT:
        return False
    drawn = _drawn(letter)
    return bool(drawn.any()) and not np.array_equal(drawn, _drawn("?"))


def _drawn(letter: str) -> Picture:
    canvas = np.zeros((40, 60, 3), np.uint8)
    write(canvas, letter, (10, 30), (255, 255, 255), 20)
    return canvas
