"""Run a detector over labelled pictures or clips and keep what it found beside the labels.

Knows nothing about training; pictures go through the very detector that runs in the gateway.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np

from detection.detector import Detector
from detection.labelled import Folder, label_file_of, pictures_of, read_labels
from detection.nms import overlap
from detection.scoring import Score, matched, score_kind
from scene.arrays import Bools, Bytes, Floats
from scene.errors import ModelError
from scene.messages import KINDS, Frame, YuvImage

LOWEST_SCORE = 0.01
"""A detector that is scored gives all that is above; what a gateway uses is the threshold."""
FALLEN = KINDS.index("fallen")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Looked:
    """One kind on one picture."""

    path: Path
    size_px: tuple[int, int]
    kind: str
    boxes_px: Floats
    """(N, 4) found."""
    scores: Floats
    """(N,)."""
    truth_px: Floats
    """(M, 4) labelled."""
    light: Floats
    """(M,) mean luma, 0..255, in each labelled box."""
    fallen: tuple[bool, ...]
    """(M,) which are labelled as fallen."""

    def found(self, threshold: float) -> Bools:
        """Tell which of the labelled boxes (M,) are found at a working threshold."""
        sure = self.scores >= threshold
        whose = matched(self.boxes_px[sure], self.scores[sure], self.truth_px)
        return np.isin(np.arange(len(self.truth_px)), whose)


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


def look(
    detector: Detector,
    folder: Folder,
    *,
    without: Sequence[str] = (),
    step: Callable[[int, int], None] = lambda done, total: None,
) -> list[Looked]:
    """Run a detector on a labelled folder; fallen people count as people.

    `step` is told how many pictures are done, of how many. Raises ModelError.
    """
    kinds = [kind for kind, known in zip(KINDS, folder.known, strict=False) if known]
    paths = pictures_of(folder.path, without=without)
    looked = []
    for number, path in enumerate(paths):
        bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if bgr is None:
            raise ModelError(f"{path}: not a picture, or cut off")
        image = yuv_of_bgr(bgr.astype(np.uint8, copy=False))
        answer = detector.detect([Frame(camera=path.name, captured_at_ns=0, image=image)])
        if not answer:
            raise ModelError(f"{path}: {'; '.join(detector.problems.values())}")
        size_px = bgr.shape[1], bgr.shape[0]
        edges, labels = read_labels(label_file_of(path, folder.path), size_px)
        for kind in kinds:
            numbers = [KINDS.index(kind)] + ([FALLEN] if kind == "person" else [])
            own, wanted = np.isin(answer[0].kinds, numbers), np.isin(labels, numbers)
            truth_px = edges[wanted].astype(np.float64) - 0.5
            looked.append(
                Looked(
                    path=path,
                    size_px=size_px,
                    kind=kind,
                    boxes_px=answer[0].boxes_px[own],
                    scores=answer[0].scores[own],
                    truth_px=truth_px,
                    light=_light(image.y, truth_px),
                    fallen=tuple((labels[wanted] == FALLEN).tolist()),
                )
            )
        step(number + 1, len(paths))
    return looked


def _light(luma: Bytes, boxes_px: Floats) -> Floats:
    """Give the mean luma (N,), 0..255, of what each box shows."""
    height, width = luma.shape
    means = []
    for x0, y0, x1, y1 in np.rint(boxes_px).astype(int).tolist():
        left, top = min(max(x0, 0), width - 1), min(max(y0, 0), height - 1)
        part = luma[top : max(y1, top + 1), left : max(x1, left + 1)]
        means.append(float(part.mean()))
    return np.array(means)


def scores_of(looked: Sequence[Looked], threshold: float) -> dict[str, Score]:
    """Score each kind over all pictures."""
    found: dict[str, Score] = {}
    for kind in dict.fromkeys(one.kind for one in looked):
        mine = [one for one in looked if one.kind == kind]
        finds = [(one.boxes_px, one.scores) for one in mine]
        found[kind] = score_kind(finds, [one.truth_px for one in mine], threshold)
    return found


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
