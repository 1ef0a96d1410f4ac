from pathlib import Path

import cv2
import numpy as np
import pytest

from detection.training_set import TrainingSet, label_file_of, parse_folder, read_labels
from scene.errors import ModelError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two dark pictures with a bright person on each, the second one lying."""
    (tmp_path / "images" / "train").mkdir(parents=True)
    (tmp_path / "labels" / "train").mkdir(parents=True)
    for name, label in (("one", 0), ("two", 3)):
        picture = np.full((180, 320, 3), 5, np.uint8)
        picture[40:140, 100:150] = 250
        cv2.imwrite(str(tmp_path / "images" / "train" / f"{name}.png"), picture)
        row = f"{label} {125 / 320} {90 / 180} {50 / 320} {100 / 180}\n"
        (tmp_path / "labels" / "train" / f"{name}.txt").write_text(row)
    return tmp_path


def test_boxes_stay_on_what_they_name(folder: Path) -> None:
    samples = TrainingSet([parse_folder(str(folder))], (256, 160))
    looked = 0
    for index in range(40):
        sample = samples[index]
        assert sample.rgb.shape == (3, 160, 256)
        assert set(sample.classes.tolist()) <= {0}
        light = sample.rgb.max(axis=0).astype(float)
        for x, y, w, h in sample.boxes * [256, 160, 256, 160]:
            rows, columns = (
                slice(round(middle - length / 4), round(middle + length / 4))
                for middle, length in ((y, h), (x, w))
            )
            # just outside the box there is the dark picture, the canvas or another picture
            above = light[max(0, round(y - h / 2) - 4) : max(0, round(y - h / 2) - 2), columns]
            if light[rows, columns].size > 20 and above.size and light.std() > 12:
                assert light[rows, columns].mean() > above.mean()
                looked += 1
    assert looked > 20


def test_the_same_sample_twice(folder: Path) -> None:
    first, again, other = (
        TrainingSet([parse_folder(str(folder))], (96, 64), seed=seed)[3] for seed in (1, 1, 2)
    )
    assert (first.rgb == again.rgb).all()
    assert first.boxes.tolist() == again.boxes.tolist()
    assert (first.rgb != other.rgb).any()


def test_what_is_not_labelled_is_not_known(folder: Path) -> None:
    samples = TrainingSet([parse_folder(f"{folder}:helmet+head:0.5")], (96, 64))
    assert samples[0].known.tolist() == [False, True, True]


def test_labels_are_beside_the_pictures(folder: Path) -> None:
    path = label_file_of(folder / "images" / "train" / "one.png", folder)
    boxes, labels = read_labels(path, (320, 180))
    assert boxes.round().tolist() == [[100, 40, 150, 140]]
    assert labels.tolist() == [0]
    assert read_labels(folder / "labels" / "none.txt", (320, 180))[0].shape == (0, 4)


@pytest.mark.parametrize("row", ["0 0.5 0.5 0.1", "x 0.5 0.5 0.1 0.1", "0 1 1 1 1 1 1"])
def test_wrong_rows_are_named(tmp_path: Path, row: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text(f"0 0.5 0.5 0.1 0.1\n{row}\n")
    with pytest.raises(ModelError, match=r"a\.txt:2: not `class cx cy w h`"):
        read_labels(path, (10, 10))


def test_wrong_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="'hat' is not one of person, helmet, head"):
        parse_folder("somewhere:hat")
    with pytest.raises(ModelError, match="the weight 'much' is not a number"):
        parse_folder("somewhere:person:much")
    with pytest.raises(ModelError, match="there are no pictures"):
        TrainingSet([parse_folder(str(tmp_path))], (96, 64))
