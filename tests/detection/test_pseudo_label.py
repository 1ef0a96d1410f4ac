from pathlib import Path

import cv2
import numpy as np
import pytest

from detection.pseudo_label import main
from detection.training_set import label_file_of, pictures_of, read_labels
from tests.detection.onnx_models import raw, write_model


def test_only_the_missing_kind_is_new(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "set", tmp_path / "out"
    (source / "images" / "train").mkdir(parents=True)
    (source / "labels" / "train").mkdir(parents=True)
    cv2.imwrite(str(source / "images" / "train" / "a.png"), np.full((128, 192, 3), 90, np.uint8))
    (source / "labels" / "train" / "a.txt").write_text("1 0.5 0.25 0.1 0.1\n0 0.9 0.9 0.1 0.1\n")
    teacher = write_model(
        tmp_path / "m.onnx", raw([(24, 16, 48, 56, 0.9, 0), (60, 8, 70, 16, 0.9, 1)], classes=3)
    )
    command = ["--teacher", str(teacher), "--set", str(source), "--out", str(out)]
    assert main(command) == 0
    assert capsys.readouterr().out.startswith("1 boxes of person by m.onnx")
    (picture,) = pictures_of(out)
    boxes, labels = read_labels(label_file_of(picture, out), (192, 128))
    assert labels.tolist() == [1, 0]
    assert boxes[1].round().tolist() == [48, 32, 96, 112]
    assert main(command) == 2
    assert "is already there" in capsys.readouterr().out
