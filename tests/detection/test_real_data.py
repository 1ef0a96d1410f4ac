"""A user's own model on real pictures; skipped where there are none."""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from detection.detector import open_detector
from detection.model import load_model
from scene.errors import ModelError
from scene.messages import Frame, YuvImage
from scene.site import DetectionConfig

DATA = Path(__file__).parents[2].parent / "shared" / "data"
COCO = DATA / "weights" / "yolo11n_coco_320_int8dyn.onnx"
YOLOX = DATA / "weights" / "yolox_nano_coco_416_fp32.onnx"
VIDEO = DATA / "video" / "one-by-one-person-detection.mp4"

pytestmark = pytest.mark.skipif(
    not (COCO.exists() and YOLOX.exists() and VIDEO.exists()), reason="no real data"
)


def frames(path: Path, wanted: set[int]) -> Iterator[Frame]:
    with av.open(str(path)) as container:
        for number, decoded in enumerate(container.decode(video=0)):
            if number > max(wanted):
                return
            if number not in wanted:
                continue
            width, height = decoded.width, decoded.height
            flat = decoded.reformat(format="yuv420p").to_ndarray().astype(np.uint8).reshape(-1)
            y, u, v = np.split(flat, [width * height, width * height * 5 // 4])
            image = YuvImage(
                y=y.reshape(height, width),
                u=u.reshape(height // 2, width // 2),
                v=v.reshape(height // 2, width // 2),
            )
            yield Frame(camera=f"at{number}", captured_at_ns=number, image=image)


def test_a_coco_export_finds_the_people_of_a_real_video() -> None:
    detector = open_detector(DetectionConfig(model=COCO))
    found = {each.camera: each for each in detector.detect(list(frames(VIDEO, {0, 80, 240})))}
    assert len(found["at0"].scores) == 0
    for name in ("at80", "at240"):
        (box,) = found[name].of_kind("person").boxes_px
        assert 340 < (box[0] + box[2]) / 2 < 520  # she stands right of the middle
        assert box[3] - box[1] > 300  # nearly as high as the picture of 432 rows


def test_another_family_is_refused() -> None:
    with pytest.raises(ModelError, match="has no metadata"):
        load_model(YOLOX)
    with pytest.raises(ModelError, match="YOLOX"):
        load_model(YOLOX, class_names=("person", *(f"c{n}" for n in range(79))))
