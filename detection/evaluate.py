"""Score a model on labelled pictures: AP50 and recall per kind.

Knows nothing about training; pictures go through the very detector that runs in the gateway.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np

from detection.detector import Detector
from detection.model import SHIPPED, load_model
from detection.nms import overlap
from detection.training_set import Folder, label_file_of, parse_folder, pictures_of, read_labels
from scene.arrays import Bytes, Floats
from scene.errors import LamproomError, ModelError
from scene.messages import KINDS, Frame, YuvImage

LOWEST_SCORE = 0.01


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


def yuv_of_bgr(bgr: Bytes) -> YuvImage:
    """Turn a BGR picture into I420 planes; an odd last row or column is cut off."""
    height, width = (length // 2 * 2 for length in bgr.shape[:2])
    if min(height, width) < 2:
        raise ModelError(f"a picture of {bgr.shape[1]}x{bgr.shape[0]} pixels is too small")
    planes = cv2.cvtColor(np.ascontiguousarray(bgr[:height, :width]), cv2.COLOR_BGR2YUV_I420)
    return _yuv_of_i420(planes.astype(np.uint8, copy=False), width, height)


def _yuv_of_i420(planes: Bytes, width: int, height: int) -> YuvImage:
    y, u, v = np.split(planes.reshape(-1), [height * width, height * width * 5 // 4])
    half = (height // 2, width // 2)
    return YuvImage(y=y.reshape(height, width), u=u.reshape(half), v=v.reshape(half))


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
    order = sorted(
        (
            (score, picture, row)
            for picture, (_, scores) in enumerate(found)
            for row, score in enumerate(scores.tolist())
        ),
        reverse=True,
    )
    free = [np.ones(len(boxes), bool) for boxes in truth]
    hits = np.zeros(len(order), bool)
    for rank, (_, picture, row) in enumerate(order):
        if len(truth[picture]):
            shared = overlap(found[picture][0][row], truth[picture]) * free[picture]
            best = int(shared.argmax())
            if shared[best] >= 0.5:
                hits[rank], free[picture][best] = True, False
    recall = np.cumsum(hits) / max(total, 1)
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    steps = [precision[recall >= level] for level in np.linspace(0, 1, 101)]
    working = np.array([score for score, _, _ in order]) >= threshold
    return Score(
        ap50=float(np.mean([step.max() if len(step) else 0.0 for step in steps])),
        recall=float(hits[working].sum() / max(total, 1)),
        precision=float(hits[working].sum() / max(int(working.sum()), 1)),
        boxes=total,
    )


def evaluate(
    detector: Detector, folder: Folder, *, threshold: float, without: Sequence[str] = ()
) -> Mapping[str, Score]:
    """Score a detector on a labelled folder; fallen people count as people."""
    kinds = [kind for kind, known in zip(KINDS, folder.known, strict=False) if known]
    found: dict[str, list[tuple[Floats, Floats]]] = {kind: [] for kind in kinds}
    truth: dict[str, list[Floats]] = {kind: [] for kind in kinds}
    for path in pictures_of(folder.path, without=without):
        bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if bgr is None:
            raise ModelError(f"{path}: not a picture, or cut off")
        image = yuv_of_bgr(bgr.astype(np.uint8, copy=False))
        answer = detector.detect([Frame(camera=path.name, captured_at_ns=0, image=image)])
        if not answer:
            raise ModelError(f"{path}: {'; '.join(detector.problems.values())}")
        size_px = (bgr.shape[1], bgr.shape[0])
        edges, labels = read_labels(label_file_of(path, folder.path), size_px)
        for kind in kinds:
            numbers = [KINDS.index(kind)] + ([KINDS.index("fallen")] if kind == "person" else [])
            own = np.isin(answer[0].kinds, numbers)
            found[kind].append((answer[0].boxes_px[own], answer[0].scores[own]))
            truth[kind].append(edges[np.isin(labels, numbers)].astype(np.float64) - 0.5)
    return {kind: score_kind(found[kind], truth[kind], threshold) for kind in kinds}


def mot_boxes(path: Path) -> dict[int, tuple[Floats, Floats]]:
    """Read MOTChallenge truth: per frame (from 1) boxes (N, 4) in camera pixels, visibility (N,).

    A MOT file counts pixel edges from 1; boxes come back with integer values at pixel centres.
    """
    try:
        rows = np.loadtxt(path, delimiter=",", ndmin=2)
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: not a MOT truth file: {error}") from None
    left_top = rows[:, 2:4] - 1.5
    boxes = np.hstack([left_top, left_top + rows[:, 4:6]])
    return {
        int(number): (boxes[rows[:, 0] == number], rows[rows[:, 0] == number, 8])
        for number in np.unique(rows[:, 0])
    }


def evaluate_clip(
    detector: Detector, folder: Path, *, threshold: float, every: int = 5, seen: float = 0.3
) -> Mapping[str, Score]:
    """Score persons on a sample site's clips `cam*.mp4` with truth `mot/cam*/gt/gt.txt`.

    Takes every n-th frame. Who is seen to less than the part `seen` need not be found, and may be.
    """
    scores = {}
    for video in sorted(folder.glob("*.mp4")):
        truth_at = mot_boxes(folder / "mot" / video.stem / "gt" / "gt.txt")
        found: list[tuple[Floats, Floats]] = []
        truth: list[Floats] = []
        nobody = (np.zeros((0, 4)), np.zeros(0))
        for frame in frames_of(video, every):
            boxes, visibility = truth_at.get(frame.captured_at_ns + 1, nobody)
            hidden = boxes[visibility < seen]
            people = detector.detect([frame])[0].of_kind("person")
            free = np.array(
                [not len(hidden) or overlap(box, hidden).max() < 0.3 for box in people.boxes_px],
                bool,
            )
            truth.append(boxes[visibility >= seen])
            matched = np.array(
                [len(truth[-1]) and overlap(b, truth[-1]).max() >= 0.5 for b in people.boxes_px],
                bool,
            )
            found.append((people.boxes_px[free | matched], people.scores[free | matched]))
        scores[video.stem] = score_kind(found, truth, threshold)
    if not scores:
        raise ModelError(f"{folder}: there are no clips cam*.mp4")
    return scores


def frames_of(video: Path, every: int) -> Iterator[Frame]:
    """Decode every n-th frame of a video; `captured_at_ns` is the frame's number from 0."""
    with av.open(str(video)) as container:
        for number, decoded in enumerate(container.decode(video=0)):
            if number % every:
                continue
            width, height = decoded.width // 2 * 2, decoded.height // 2 * 2
            planes = decoded.reformat(width=width, height=height, format="yuv420p").to_ndarray()
            image = _yuv_of_i420(planes.astype(np.uint8, copy=False), width, height)
            yield Frame(camera=video.stem, captured_at_ns=number, image=image)


def _line(what: str, score: Score, threshold: float) -> str:
    return (
        f"{what} AP50 {score.ap50:.3f}  recall {score.recall:.3f}  precision "
        f"{score.precision:.3f} at {threshold}  ({score.boxes} boxes)"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m detection.evaluate",
        description="Score a model on labelled pictures: folders with images/ and YOLO labels/.",
    )
    parser.add_argument("--model", type=Path, default=SHIPPED)
    parser.add_argument("--set", action="append", default=[], metavar="PATH[:KIND+KIND]")
    parser.add_argument("--clip", type=Path, help="a sample site's folder: clips with MOT truth")
    parser.add_argument("--without", action="append", default=[], help="subfolder to leave out")
    parser.add_argument("--threshold", type=float, default=0.25, help="working threshold")
    parser.add_argument("--iou", type=float, default=0.6)
    given = parser.parse_args(arguments)
    try:
        detector = Detector(
            load_model(given.model), score_threshold=LOWEST_SCORE, iou_threshold=given.iou
        )
        for text in given.set:
            folder = parse_folder(text)
            scores = evaluate(detector, folder, threshold=given.threshold, without=given.without)
            for kind, score in scores.items():
                print(_line(f"{folder.path.name:16s} {kind:8s}", score, given.threshold))
        if given.clip:
            for camera, score in evaluate_clip(
                detector, given.clip, threshold=given.threshold
            ).items():
                print(_line(f"{camera:16s} person  ", score, given.threshold))
    except LamproomError as error:
        print(f"lamproom: {error}")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
