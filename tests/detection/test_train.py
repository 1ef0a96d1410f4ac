from pathlib import Path

import cv2
import numpy as np
import pytest

from detection.detector import Detector
from detection.model import load_model
from detection.train import main
from tests.detection.onnx_models import frame


def test_an_error_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--checkpoint", str(tmp_path / "a.pt"), "--set", "x:hat"]) == 2
    assert "'hat' is not one of" in capsys.readouterr().out


@pytest.mark.filterwarnings("default")
def test_a_moment_of_training_gives_a_model_that_loads(tmp_path: Path) -> None:
    pytest.importorskip("ultralytics", reason="needs the extra `train`")
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    cv2.imwrite(str(tmp_path / "images" / "a.png"), np.full((64, 96, 3), 90, np.uint8))
    (tmp_path / "labels" / "a.txt").write_text("0 0.5 0.5 0.2 0.5\n")
    checkpoint, model = tmp_path / "a.pt", tmp_path / "out" / "tiny.onnx"
    common = ["--checkpoint", str(checkpoint), "--size", "96x64", "--batch", "2", "--threads", "1"]
    folder = ["--set", str(tmp_path), "--minutes", "0.01"]
    assert main([*common, *folder, "--keep-rate"]) == 0
    assert main([*common, *folder, "--from", str(checkpoint), "--export", str(model)]) == 0
    loaded = load_model(model)
    assert (loaded.names, loaded.input_size) == (("person", "helmet", "head"), (96, 64))
    assert loaded.batch is None
    detector = Detector(loaded, score_threshold=0.25, iou_threshold=0.6)
    assert len(detector.detect([frame("a"), frame("b")])) == 2
