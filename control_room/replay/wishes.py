"""What somebody at the page may ask of a replay, and how it is read.

Knows nothing about playing. Only a replay hears it: the live mine can't be steered.
"""

import json
import math
from dataclasses import dataclass
from typing import Any

SPEEDS = (0.1, 32.0)
"""The slowest and the fastest that a page may ask for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """Go on, or stand still."""

    on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Seek:
    """Go to an instant, UTC nanoseconds of the recorder's clock."""

    at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Stand still, one picture further or back."""

    forward: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Play so many times as fast as it was."""

    times: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """Start over at the end, or not."""

    on: bool


Wish = Play | Seek | Step | Speed | Loop


def wish_of(text: str) -> Wish | None:
    """Read what a page asks for; none for anything else.

    >>> wish_of('{"replay": "seek", "at_ns": "1790000000000000000"}')
    Seek(at_ns=1790000000000000000)
    >>> wish_of('{"replay": "speed", "times": 1e9}') is None
    True
    """
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return _wish(said) if isinstance(said, dict) else None


def _wish(said: dict[str, Any]) -> Wish | None:
    what, on = said.get("replay"), said.get("on")
    if what in ("play", "loop") and isinstance(on, bool):
        return Play(on=on) if what == "play" else Loop(on=on)
    if what == "step" and said.get("by") in (1, -1):
        return Step(forward=said["by"] == 1)
    if what == "speed":
        times = said.get("times")
        if isinstance(times, int | float) and SPEEDS[0] <= times <= SPEEDS[1]:
            return Speed(times=float(times)) if math.isfinite(times) else None
    if what == "seek":
        text = said.get("at_ns")
        if isinstance(text, str) and text.isdecimal() and text.isascii() and len(text) <= 20:
            return Seek(at_ns=int(text))
    return None
