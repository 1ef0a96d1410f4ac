"""Labelled folders: `images/**` with `labels/**` beside them in YOLO text.

Knows nothing about training or scoring.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scene.errors import ModelError

TRAINED_KINDS = ("person", "helmet", "head")
"""The classes of the shipped model, in order; in label files 3 is `fallen`, trained as a person."""
CLASS_OF_LABEL = {0: 0, 1: 1, 2: 2, 3: 0}
PICTURES = {".jpg", ".jpeg", ".png"}

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A folder `images/**`, `labels/**` in YOLO text, and what is labelled in it."""

    path: Path
    known: tuple[bool, ...]
    """Per trained kind: False where its absence from the labels means nothing."""
    weight: float
    """How often its pictures are drawn, against weight 1."""

    def kinds_text(self) -> str:
        """Name the kinds that are labelled, as in `parse_folder`."""
        kinds = zip(TRAINED_KINDS, self.known, strict=True)
        return "+".join(kind for kind, known in kinds if known)


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
