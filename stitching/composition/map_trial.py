"""Find out by trial which kind of map a machine looks up quickest.

Knows nothing about pictures: what they show makes no difference to the time.
"""

import time

import cv2
import numpy as np

from stitching.composition.positions import (
    KINDS,
    STRIP_PX,
    WIDEST_PX,
    MapKind,
    Scratch,
    Strip,
    runs,
)

ROUNDS = 3
NEARLY = 1.1
"""Curves are taken if they are at most so much slower than the best."""

_measured: dict[tuple[tuple[int, ...], ...], MapKind] = {}


def quickest(cameras: list[list[Strip]], sizes_px: list[tuple[int, int]]) -> MapKind:
    """Find out which kind of map this machine looks up quickest, on the strips of this very rig.

    Measured once per process for cameras of these sizes and tables as large: kinds differ by a grey
    level here and there, and the same pictures are to give the same panorama.
    """
    key = tuple(
        (*size, *strip.missed.shape) for size, (strip, *_) in zip(sizes_px, cameras, strict=True)
    )
    if key not in _measured:
        _measured[key] = _measure(cameras, sizes_px)
    return _measured[key]


def _measure(cameras: list[list[Strip]], sizes_px: list[tuple[int, int]]) -> MapKind:
    """Let the kinds take turns over all strips, some 150 ms for four cameras.

    So tables come from where they will come from later, when other work has passed through the
    cache.
    """
    out, room = np.empty((STRIP_PX, WIDEST_PX), np.uint8), Scratch()
    pictures = [np.full((height, width), 90, np.uint8) for width, height in sizes_px]
    trials = {
        kind: [
            (picture, strip.part(slice(a, b), kind), out[: len(strip.missed), : b - a])
            for picture, cut in zip(pictures, cameras, strict=True)
            for strip in cut
            for a, b in runs(strip.smooth, 0, len(strip.smooth))
        ]
        for kind in KINDS
    }
    taken: dict[MapKind, float] = dict.fromkeys(KINDS, float("inf"))
    for _ in range(ROUNDS):
        for kind, trial in trials.items():
            # The thread's own time: what else the machine does at this moment doesn't matter.
            started = time.thread_time()
            for picture, positions, target in trial:
                cv2.remap(picture, *positions.table(room), cv2.INTER_LINEAR, dst=target)
            taken[kind] = min(taken[kind], time.thread_time() - started)
    best = min(KINDS, key=lambda kind: taken[kind])
    # Curves take a sixteenth of the memory, which other work on the machine is glad of.
    return "curves" if taken["curves"] <= NEARLY * taken[best] else best
