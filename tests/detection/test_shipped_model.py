from pathlib import Path

import numpy as np
import pytest

from detection.detector import open_detector
from detection.evaluate import evaluate_clip, frames_of
from detection.model import SHIPPED, load_model
from scene.messages import KINDS
from scene.site import DetectionConfig

ROADWAY = Path(__file__).parents[2] / "sample_videos" / "roadway"

needs_clips = pytest.mark.skipif(
    not (ROADWAY / "cam1.mp4").exists(), reason="the sample clips are not in this package"
)


def test_it_is_small_and_says_what_it_is() -> None:
    assert SHIPPED.stat().st_size <= 12e6
    model = load_model(SHIPPED)
    assert model.names == ("person", "helmet", "head")
    assert [KINDS[kind] for kind in model.kinds] == ["person", "helmet", "head"]
    assert model.batch is None  # one batch for all cameras
    assert (model.input_size, model.stride) == ((640, 640), 32)  # as large as a picture needs
    metadata = model.session.inner.get_modelmeta().custom_metadata_map
    assert metadata["task"] == "detect"
    assert "AGPL-3.0" in metadata["license"]
    assert "AGPL-3.0" in (SHIPPED.parent / "README.md").read_text(encoding="utf-8")


@needs_clips
def test_it_finds_the_miners_of_the_sample_roadway() -> None:
    detector = open_detector(DetectionConfig(iou_threshold=0.5))
    scores = evaluate_clip(detector, ROADWAY, threshold=0.25, every=12).values()
    boxes = sum(score.boxes for score in scores)
    assert boxes > 30
    assert sum(score.recall * score.boxes for score in scores) / boxes > 0.8
    assert np.mean([score.precision for score in scores]) > 0.8


@needs_clips
def test_four_cameras_at_once_are_judged_as_one_by_one() -> None:
    detector = open_detector(DetectionConfig())
    frames = [next(frames_of(ROADWAY / f"cam{n}.mp4", 1)) for n in (1, 2, 3, 4)]
    together = detector.detect(frames)
    for frame, found in zip(frames, together, strict=True):
        (alone,) = detector.detect([frame])
        assert found.boxes_px == pytest.approx(alone.boxes_px, abs=0.05)
        assert found.kinds.tolist() == alone.kinds.tolist()
