"""The augmented training set: labelled pictures cut, scaled, darkened and blurred at random.

Knows nothing about networks, losses or the run-time detector.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from scene.errors import ModelError

TRAINED_KINDS = ("person", "helmet", "head")
"""The classes of the shipped model, in order; in label files 3 is `fallen`, trained as a person."""
CLASS_OF_LABEL = {0: 0, 1: 1, 2: 2, 3: 0}
PICTURES = {".jpg", ".jpeg", ".png"}

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A folder `images/**`, `labels/**` in YOLO text, and what is labelled in it."""

    path: Path
    known: tuple[bool, ...]
    """Per trained kind: False where its absence from the labels means nothing."""
    weight: float
    """How often its pictures are drawn, against weight 1."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """One decoded picture with its boxes."""

    rgb: Pixels
    """(H, W, 3)."""
    boxes_px: Floats
    """(N, 4) `x1 y1 x2 y2`."""
    classes: NDArray[np.int64]
    """(N,) indices into `TRAINED_KINDS`."""


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


def parse_folder(text: str) -> Folder:
    """Read `PATH[:KIND+KIND[:WEIGHT]]`; without kinds, all trained kinds are labelled.

    >>> parse_folder("hhw:helmet+head:0.5").known
    (False, True, True)
    """
    path, _, rest = text.partition(":")
    kinds, _, weight = rest.partition(":")
    named = kinds.split("+") if kinds else list(TRAINED_KINDS)
    unknown = sorted(set(named) - set(TRAINED_KINDS))
    if unknown:
        raise ModelError(f"{text}: {unknown[0]!r} is not one of {', '.join(TRAINED_KINDS)}")
    try:
        drawn = float(weight or 1)
    except ValueError:
        raise ModelError(f"{text}: the weight {weight!r} is not a number") from None
    return Folder(path=Path(path), known=tuple(k in named for k in TRAINED_KINDS), weight=drawn)


def pictures_of(folder: Path, *, without: Sequence[str] = ()) -> list[Path]:
    """List the pictures under `folder/images`, less those whose path holds a part of `without`."""
    root = folder / "images"
    # rglob does not walk into links below where it starts
    places = [root, *(p for p in root.glob("*") if p.is_symlink() and p.is_dir())]
    found = sorted(
        {p for place in places for p in place.rglob("*") if p.suffix.lower() in PICTURES}
    )
    found = [p for p in found if not set(without) & set(p.relative_to(root).parts)]
    if not found:
        raise ModelError(f"{root}: there are no pictures; a set is a folder with images/, labels/")
    return found


def label_file_of(picture: Path, folder: Path) -> Path:
    """Say where a picture's labels are: the same place under `labels`, as `.txt`."""
    inside = picture.relative_to(folder / "images")
    return (folder / "labels" / inside).with_suffix(".txt")


def read_labels(path: Path, size_px: tuple[int, int]) -> tuple[Floats, NDArray[np.int64]]:
    """Read YOLO text: boxes (N, 4) in pixels and label numbers (N,); no file means nothing there.

    Boxes are at pixel edges: a box over the whole picture ends at `size_px`.
    """
    rows: list[list[float]] = []
    if path.exists():
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            parts = line.split()
            if not parts:
                continue
            try:
                rows.append([float(part) for part in parts])
            except ValueError:
                raise ModelError(f"{path}:{number}: not `class cx cy w h`: {line!r}") from None
            if len(parts) != 5:
                raise ModelError(f"{path}:{number}: not `class cx cy w h`: {line!r}")
    table = np.array(rows, np.float64).reshape(-1, 5)
    centre, half = table[:, 1:3], table[:, 3:5] / 2
    scale = np.array([*size_px, *size_px], np.float64)
    boxes = np.clip(np.hstack([centre - half, centre + half]), 0, 1) * scale
    return boxes.astype(np.float32), table[:, 0].astype(np.int64)


def read_picture(path: Path, folder: Path, longest_px: int) -> Picture:
    """Decode a picture, shrunk to at most `longest_px`, with its labels."""
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise ModelError(f"{path}: not a picture, or cut off")
    height, width = bgr.shape[:2]
    scale = min(1.0, longest_px / max(height, width))
    if scale < 1:
        size = (round(width * scale), round(height * scale))
        bgr = cv2.resize(bgr, size, interpolation=cv2.INTER_AREA)
    rgb = np.ascontiguousarray(bgr[:, :, ::-1]).astype(np.uint8, copy=False)
    boxes, labels = read_labels(label_file_of(path, folder), (rgb.shape[1], rgb.shape[0]))
    keep = np.array([label in CLASS_OF_LABEL for label in labels.tolist()], bool)
    classes = np.array([CLASS_OF_LABEL[n] for n in labels[keep].tolist()], np.int64)
    return Picture(rgb=rgb, boxes_px=boxes[keep], classes=classes)


class TrainingSet:
    """An endless supply of samples; the same `seed` and index give the same sample."""

    def __init__(
        self,
        folders: Sequence[Folder],
        size_px: tuple[int, int],
        *,
        seed: int = 0,
        without: Sequence[str] = (),
        length: int = 1_000_000,
    ) -> None:
        """Read all pictures into memory; `size_px` is width, height of the network's input."""
        self.size_px, self.seed, self.length = size_px, seed, length
        self.pictures: list[list[Picture]] = []
        self.known: list[NDArray[np.bool_]] = []
        weights: list[float] = []
        longest = round(1.25 * max(size_px))
        for folder in folders:
            paths = pictures_of(folder.path, without=without)
            self.pictures.append([read_picture(p, folder.path, longest) for p in paths])
            self.known.append(np.array(folder.known, np.bool_))
            weights.append(folder.weight * len(paths))
        self.chance = np.array(weights) / sum(weights)

    def __len__(self) -> int:
        """Give the number of samples of one pass, which is only a limit."""
        return self.length

    def __getitem__(self, index: int) -> Sample:
        """Make sample `index`."""
        rng = np.random.default_rng((self.seed, index))
        source = int(rng.choice(len(self.chance), p=self.chance))
        width, height = self.size_px
        canvas = np.full((height, width, 3), int(rng.integers(0, 140)), np.uint8)
        boxes, classes = [], []
        for region in regions(rng, self.size_px):
            picture = self.pictures[source][int(rng.integers(len(self.pictures[source])))]
            seen, kinds = paste(rng, picture, canvas, region)
            boxes.append(seen)
            classes.append(kinds)
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
            known=self.known[source],
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


def spoil(rng: np.random.Generator, rgb: Pixels) -> Pixels:
    """Darken, tint, grey, blur, add noise and compress at random, as mine cameras do."""
    levels = np.linspace(0, 1, 256)
    gamma = np.exp(rng.normal(0.1, 0.35))
    gain = np.exp(rng.normal(-0.1, 0.3))
    tints = np.exp(rng.normal(0, 0.06, 3))
    table = np.clip(255 * gain * tints * levels[:, None] ** gamma, 0, 255).astype(np.uint8)
    out: Pixels = cv2.LUT(np.ascontiguousarray(rgb), table.reshape(256, 1, 3)).astype(np.uint8)
    if rng.random() < 0.4:
        grey = cv2.cvtColor(out, cv2.COLOR_RGB2GRAY)[:, :, None].repeat(3, axis=2)
        share = 1.0 if rng.random() < 0.3 else float(rng.uniform(0.2, 0.9))
        out = cv2.addWeighted(out, 1 - share, grey, share, 0).astype(np.uint8)
    if rng.random() < 0.15:
        haze = float(rng.uniform(0.05, 0.35))
        out = cv2.addWeighted(
            out, 1 - haze, np.full_like(out, int(rng.integers(60, 200))), haze, 0
        ).astype(np.uint8)
    if rng.random() < 0.2:
        out = cv2.GaussianBlur(out, (0, 0), float(rng.uniform(0.4, 1.5))).astype(np.uint8)
    if rng.random() < 0.3:
        seed = int(rng.integers(2**31))
        sigma = float(rng.uniform(2, 14))
        noise = np.zeros(out.shape, np.int16)
        cv2.setRNGSeed(seed)
        cv2.randn(noise, np.zeros((4, 1)), np.full((4, 1), sigma))
        out = cv2.add(out, noise, dtype=cv2.CV_8U).astype(np.uint8)
    if rng.random() < 0.25:
        quality = int(rng.integers(20, 80))
        _, code = cv2.imencode(".jpg", out, [cv2.IMWRITE_JPEG_QUALITY, quality])
        again = cv2.imdecode(code, cv2.IMREAD_COLOR)
        out = out if again is None else again.astype(np.uint8)
    return out
