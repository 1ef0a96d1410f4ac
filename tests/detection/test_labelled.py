from pathlib import Path

import pytest

from detection.labelled import label_file_of, parse_folder, pictures_of, read_labels
from scene.errors import ModelError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "labels" / "train").mkdir(parents=True)
    row = f"0 {125 / 320} {90 / 180} {50 / 320} {100 / 180}\n"
    (tmp_path / "labels" / "train" / "one.txt").write_text(row)
    return tmp_path


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
        pictures_of(tmp_path)
