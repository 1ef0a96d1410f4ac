from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from detection.detector import Detector
from detection.evaluate import evaluate_clip, look, mot_boxes, scores_of, yuv_of_bgr
from detection.labelled import parse_folder
from detection.model import load_model
from scene.errors import ModelError
from tests.detection.onnx_models import Rows, raw, write_model


def folder_with_one(tmp_path: Path) -> Path:
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    cv2.imwrite(str(tmp_path / "images" / "a.png"), np.full((128, 192, 3), 90, np.uint8))
    (tmp_path / "labels" / "a.txt").write_text(f"3 {20 / 96} {32 / 64} {20 / 96} {48 / 64}\n")
    return tmp_path


def test_a_folder_is_scored_by_the_detector_itself(tmp_path: Path) -> None:
    model = write_model(tmp_path / "m.onnx", raw([(10, 8, 30, 56, 0.9, 0)], classes=3))
    folder = folder_with_one(tmp_path)
    detector = Detector(load_model(model), score_threshold=0.01, iou_threshold=0.6)
    told: list[tuple[int, int]] = []
    looked = look(
        detector,
        parse_folder(f"{folder}:person"),
        step=lambda done, total: told.append((done, total)),
    )
    assert told == [(1, 1)]
    (one,) = looked
    assert (one.fallen, one.size_px) == ((True,), (192, 128))
    assert one.light.tolist() == pytest.approx([16 + 90 * 219 / 255], abs=2)
    scores = scores_of(looked, 0.25)
    assert list(scores) == ["person"]
    assert (scores["person"].ap50, scores["person"].recall) == (1.0, 1.0)


def test_too_small_a_picture_is_refused() -> None:
    with pytest.raises(ModelError, match="too small"):
        yuv_of_bgr(np.zeros((1, 1, 3), np.uint8))


def clip_folder(tmp_path: Path, rows: str) -> Path:
    with av.open(str(tmp_path / "cam1.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 192, 128, "yuv420p"
        for _ in range(3):
            picture = np.full((128, 192, 3), 120, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    (tmp_path / "mot" / "cam1" / "gt").mkdir(parents=True)
    (tmp_path / "mot" / "cam1" / "gt" / "gt.txt").write_text(rows)
    return tmp_path


@pytest.mark.parametrize(
    ("visibility", "second", "expected"),
    [(1.0, False, (1, 1, 3)), (0.1, False, (0, 0, 0)), (0.1, True, (1, 1, 3))],
)
def test_a_clip_with_truth(
    tmp_path: Path, visibility: float, second: bool, expected: tuple[int, int, int]
) -> None:
    rows: Rows = [(10, 8, 30, 56, 0.9, 0), (60, 8, 80, 56, 0.8, 0)]
    model = write_model(tmp_path / "m.onnx", raw(rows[: 1 + second], classes=3))
    # MOT counts edges from 1: the first box is 20..60 x 16..112 in edges from 0
    lines = [f"{frame},1,21,17,40,96,1,1,{visibility}" for frame in (1, 2, 3)]
    if second:
        lines += [f"{frame},2,121,17,40,96,1,1,0.9" for frame in (1, 2, 3)]
    folder = clip_folder(tmp_path, "\n".join(lines) + "\n")
    detector = Detector(load_model(model), score_threshold=0.01, iou_threshold=0.6)
    score = evaluate_clip(detector, folder, threshold=0.25, every=1)["cam1"]
    assert (score.recall, score.precision, score.boxes) == expected


def test_mot_boxes_are_in_camera_pixels(tmp_path: Path) -> None:
    path = tmp_path / "gt.txt"
    path.write_text("7,1,1,1,10,20,1,1,0.5\n")
    boxes, visibility = mot_boxes(path)[7]
    assert boxes.tolist() == [[-0.5, -0.5, 9.5, 19.5]]
    assert visibility.tolist() == [0.5]
    path.write_text("a,b\n")
    with pytest.raises(ModelError, match=r"gt\.txt: not a MOT truth file"):
        mot_boxes(path)
