"""The augmented training set: labelled pictures cut, scaled, mixed, mirrored and spoilt at random.

Knows nothing about networks, losses or the run-time detector.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from detection.training.pictures import Labelled, Picture, Set, decoded
from detection.training.spoil import spoil

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """One input of the network."""

    rgb: Pixels
    """(3, H, W)."""
    boxes: Floats
    """(N, 4) centre x, centre y, width, height, each as a part of the input's size."""
    classes: NDArray[np.int64]
    known: NDArray[np.bool_]
    """(kinds,) False where a kind that is not labelled may still be in the picture."""


class Samples:
    """An endless supply of samples; the same `seed` and index give the same sample."""

    def __init__(
        self,
        sets: Sequence[Set],
        sizes_px: Sequence[tuple[int, int]],
        *,
        batch: int,
        seed: int = 0,
        length: int = 1_000_000,
    ) -> None:
        """Draw from `sets`; each `batch` of samples has one of the sizes (width, height)."""
        self.sizes_px, self.batch, self.seed, self.length = tuple(sizes_px), batch, seed, length
        self.sets = tuple(sets)
        drawn = np.array([one.weight * len(one.pictures) for one in sets])
        self.chance = drawn / drawn.sum()

    def __len__(self) -> int:
        """Give the number of samples of one pass, which is only a limit."""
        return self.length

    def size_of(self, index: int) -> tuple[int, int]:
        """Give the width and height of sample `index`, the same for all of a batch."""
        rng = np.random.default_rng((self.seed, 7, index // self.batch))
        return self.sizes_px[int(rng.integers(len(self.sizes_px)))]

    def __getitem__(self, index: int) -> Sample:
        """Make sample `index`."""
        rng = np.random.default_rng((self.seed, index))
        pictures = self.sets[int(rng.choice(len(self.chance), p=self.chance))].pictures
        width, height = size_px = self.size_of(index)
        canvas = np.full((height, width, 3), int(rng.integers(0, 140)), np.uint8)
        boxes, classes, known = [], [], []
        for region in regions(rng, size_px):
            one: Labelled = pictures[int(rng.integers(len(pictures)))]
            seen, kinds = paste(rng, decoded(one, 2 * max(size_px)), canvas, region)
            boxes.append(seen)
            classes.append(kinds)
            known.append(one.known)
        boxes_px, kinds_here = np.vstack(boxes), np.concatenate(classes)
        if rng.random() < 0.5:
            canvas = canvas[:, ::-1]
            boxes_px = np.stack(
                [width - boxes_px[:, 2], boxes_px[:, 1], width - boxes_px[:, 0], boxes_px[:, 3]], 1
            )
        rgb = spoil(rng, canvas)
        centre = (boxes_px[:, :2] + boxes_px[:, 2:]) / 2
        extent = boxes_px[:, 2:] - boxes_px[:, :2]
        parts = np.hstack([centre, extent]) / np.array([width, height, width, height], np.float32)
        return Sample(
            rgb=np.ascontiguousarray(rgb.transpose(2, 0, 1)),
            boxes=parts.astype(np.float32),
            classes=kinds_here,
            known=np.all(known, axis=0),
        )


Region = tuple[int, int, int, int]


def regions(rng: np.random.Generator, size_px: tuple[int, int]) -> Iterator[Region]:
    """Cut the input into one, two or four parts `x0 y0 x1 y1`, one picture for each."""
    width, height = size_px
    x, y = (int(rng.uniform(0.3, 0.7) * length) for length in size_px)
    how = rng.random()
    if how < 0.5:
        yield 0, 0, width, height
    elif how < 0.8:
        yield 0, 0, x, height
        yield x, 0, width, height
    else:
        yield 0, 0, x, y
        yield x, 0, width, y
        yield 0, y, x, height
        yield x, y, width, height


def paste(
    rng: np.random.Generator, picture: Picture, canvas: Pixels, region: Region
) -> tuple[Floats, NDArray[np.int64]]:
    """Draw a picture into a region of the canvas at a random scale and place.

    Gives the boxes that are still to be seen, in canvas pixels, and their classes. Boxes of which
    less than 30 % is left are dropped.
    """
    x0, y0, x1, y1 = region
    height, width = picture.rgb.shape[:2]
    fit = min((x1 - x0) / width, (y1 - y0) / height)
    cover = max((x1 - x0) / width, (y1 - y0) / height)
    scale = float(np.exp(rng.uniform(np.log(0.75 * fit), np.log(1.4 * cover))))
    stretch = float(np.exp(rng.uniform(-0.15, 0.15)))
    sx, sy = scale * stretch, scale / stretch
    left = x0 + rng.uniform(*sorted((0.0, (x1 - x0) - sx * width)))
    top = y0 + rng.uniform(*sorted((0.0, (y1 - y0) - sy * height)))
    source = picture.rgb
    if scale < 0.5:  # bilinear would skip pixels
        half = (max(1, width // 2), max(1, height // 2))
        source = cv2.resize(source, half, interpolation=cv2.INTER_AREA).astype(np.uint8)
    gx, gy = sx * width / source.shape[1], sy * height / source.shape[0]
    target_from_source = np.array(
        [[gx, 0, left - x0 + gx / 2 - 0.5], [0, gy, top - y0 + gy / 2 - 0.5]]
    )
    part = canvas[y0:y1, x0:x1]
    drawn = part.copy()
    cv2.warpAffine(
        source,
        target_from_source,
        (x1 - x0, y1 - y0),
        dst=drawn,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_TRANSPARENT,
    )
    part[:] = drawn
    whole = picture.boxes_px * np.array([sx, sy, sx, sy], np.float32)
    whole += np.array([left, top, left, top], np.float32)
    low, high = np.array([x0, y0], np.float32), np.array([x1, y1], np.float32)
    seen = np.hstack([np.clip(whole[:, :2], low, high), np.clip(whole[:, 2:], low, high)])
    extent = seen[:, 2:] - seen[:, :2]
    whole_area = np.prod(whole[:, 2:] - whole[:, :2], axis=1)
    keep = (np.prod(extent, axis=1) > 0.3 * whole_area) & (extent.min(axis=1) > 1.5)
    return seen[keep].astype(np.float32), picture.classes[keep]
