"""What a folder labels, and what a teacher adds to it."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from detection.detector import Detector
from detection.labelled import parse_folder
from detection.model import load_model
from detection.training.card import UNSTATED, licence_of
from detection.training.pictures import decoded, read_set
from detection.training.spoil import glare, smear, spoil
from scene.errors import ModelError
from tests.detection.onnx_models import Rows, raw, write_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One picture with a helmet, somebody fallen, and something else."""
    for name in ("images", "labels"):
        (tmp_path / "set" / name).mkdir(parents=True)
    path = tmp_path / "set" / "images" / "a.png"
    cv2.imwrite(str(path), np.full((128, 192, 3), 90, np.uint8))
    rows = "1 0.5 0.25 0.1 0.1\n3 0.9 0.9 0.1 0.1\n7 0.5 0.5 0.1 0.1\n"
    (tmp_path / "set" / "labels" / "a.txt").write_text(rows)
    return tmp_path / "set"


def teacher(tmp_path: Path, rows: Rows) -> Detector:
    model = load_model(write_model(tmp_path / "teacher.onnx", raw(rows, classes=3)))
    return Detector(model, score_threshold=0.35, iou_threshold=0.6)


def test_fallen_people_are_people_and_strange_labels_nothing(folder: Path) -> None:
    (one,) = read_set(parse_folder(str(folder))).pictures
    assert one.classes.tolist() == [1, 0]
    assert one.known == (True, True, True)
    assert one.boxes[1].tolist() == pytest.approx([0.85, 0.85, 0.95, 0.95])
    assert decoded(one, 96).boxes_px[1] == pytest.approx([81.6, 54.4, 91.2, 60.8])


def test_a_teacher_gives_the_kinds_that_are_not_labelled(tmp_path: Path, folder: Path) -> None:
    found = teacher(tmp_path, [(24, 16, 48, 56, 0.9, 0), (60, 8, 70, 16, 0.9, 1)])
    taught = read_set(parse_folder(f"{folder}:helmet+head"), teacher=found)
    (one,) = taught.pictures
    assert (one.classes.tolist(), taught.by_teacher) == ([1, 0], 1)
    assert one.boxes[1] == pytest.approx([0.25, 0.25, 0.5, 0.875])
    assert one.known == (True, True, True)


def test_where_the_teacher_finds_nobody_nobody_knows(tmp_path: Path, folder: Path) -> None:
    (one,) = read_set(parse_folder(f"{folder}:helmet+head"), teacher=teacher(tmp_path, [])).pictures
    assert (one.classes.tolist(), one.known) == ([1], (False, True, True))


def test_a_broken_picture_is_named(folder: Path) -> None:
    taken = read_set(parse_folder(str(folder)))
    (folder / "images" / "a.png").write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"a\.png: not a picture, or cut off"):
        decoded(taken.pictures[0], 96)


def test_the_licence_is_what_the_folder_states(folder: Path) -> None:
    assert licence_of(folder) == UNSTATED
    (folder / "SOURCES.md").write_text("# a set\n- licence: CC BY 4.0 (a | b)\n")
    assert licence_of(folder) == "CC BY 4.0 (a / b)"


def test_spoilt_pictures_keep_their_shape_and_lamps_burn_out() -> None:
    rgb = np.full((96, 128, 3), 60, np.uint8)
    for seed in range(30):
        spoilt = spoil(np.random.default_rng(seed), rgb)
        assert spoilt.shape == rgb.shape and spoilt.dtype == np.uint8
        lit = glare(np.random.default_rng(seed), rgb)
        assert lit.max() == 255 and (lit >= rgb).all()
    edge = rgb.copy()
    edge[:, 64:] = 200
    smeared = [smear(np.random.default_rng(seed), edge) for seed in range(10)]
    assert all(60 < int(one.mean()) < 200 for one in smeared)
    assert max(len(np.unique(one)) for one in smeared) > 4
