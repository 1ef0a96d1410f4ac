"""Let a teacher model label one kind that a labelled folder lacks.

Knows nothing about training. The teacher's weights stay out of what is trained: only its boxes
are used.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from detection.detector import Detector
from detection.evaluate import yuv_of_bgr
from detection.model import load_model
from detection.training_set import label_file_of, pictures_of, read_labels
from scene.errors import LamproomError, ModelError
from scene.messages import KINDS, Frame


def pseudo_label(detector: Detector, folder: Path, kind: str, out: Path) -> int:
    """Write `out/labels`: the folder's labels, those of `kind` replaced by the detector's finds.

    `out/images` becomes a link to the folder's pictures. Gives the number of boxes found.
    """
    images = out / "images"
    if images.exists():
        raise ModelError(f"{images}: is already there; give another --out, or remove it")
    out.mkdir(parents=True, exist_ok=True)
    number, total = KINDS.index(kind), 0
    for path in pictures_of(folder):
        bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if bgr is None:
            raise ModelError(f"{path}: not a picture, or cut off")
        image = yuv_of_bgr(bgr.astype(np.uint8, copy=False))
        answer = detector.detect([Frame(camera=path.name, captured_at_ns=0, image=image)])
        size = np.array([bgr.shape[1], bgr.shape[0]] * 2, np.float64)
        edges, labels = read_labels(label_file_of(path, folder), (bgr.shape[1], bgr.shape[0]))
        kept = [(int(n), box / size) for n, box in zip(labels, edges, strict=True) if n != number]
        found = [
            (number, (box + 0.5) / size) for each in answer for box in each.of_kind(kind).boxes_px
        ]
        total += len(found)
        target = label_file_of(images / path.relative_to(folder / "images"), out)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(
            "".join(
                f"{n} {(b[0] + b[2]) / 2:.5f} {(b[1] + b[3]) / 2:.5f} "
                f"{b[2] - b[0]:.5f} {b[3] - b[1]:.5f}\n"
                for n, b in [*kept, *found]
            ),
            encoding="utf-8",
        )
    images.symlink_to((folder / "images").resolve(), target_is_directory=True)
    return total


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m detection.pseudo_label",
        description="Label one kind in a folder (images/, labels/) by a teacher model.",
    )
    parser.add_argument("--teacher", type=Path, required=True, help="an ONNX detect export")
    parser.add_argument("--set", type=Path, required=True)
    parser.add_argument("--kind", choices=KINDS, default="person")
    parser.add_argument("--threshold", type=float, default=0.35)
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    given = parser.parse_args(arguments)
    try:
        model = load_model(given.teacher)
        detector = Detector(model, score_threshold=given.threshold, iou_threshold=0.6)
        found = pseudo_label(detector, given.set, given.kind, given.out)
        print(f"{found} boxes of {given.kind} by {given.teacher.name} in {given.out}")
    except LamproomError as error:
        print(f"lamproom: {error}")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
