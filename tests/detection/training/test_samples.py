from pathlib import Path

import cv2
import numpy as np
import pytest

from detection.labelled import parse_folder
from detection.training.pictures import read_set
from detection.training.samples import Samples


def samples_of(
    folder: Path, size_px: tuple[int, int] = (96, 64), kinds: str = "", seed: int = 0
) -> Samples:
    sets = [read_set(parse_folder(f"{folder}{kinds}"))]
    return Samples(sets, [size_px], batch=4, seed=seed)


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
    samples = samples_of(folder, (256, 160))
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
    first, again, other = (samples_of(folder, seed=seed)[3] for seed in (1, 1, 2))
    assert (first.rgb == again.rgb).all()
    assert first.boxes.tolist() == again.boxes.tolist()
    assert (first.rgb != other.rgb).any()


def test_what_is_not_labelled_is_not_known(folder: Path) -> None:
    samples = samples_of(folder, kinds=":helmet+head:0.5")
    assert samples[0].known.tolist() == [False, True, True]
    assert samples_of(folder)[0].known.tolist() == [True, True, True]


def test_all_of_a_batch_have_one_size_and_batches_differ(folder: Path) -> None:
    sizes = [(96, 64), (64, 64), (128, 96)]
    samples = Samples([read_set(parse_folder(str(folder)))], sizes, batch=4, seed=1)
    shapes = [samples[index].rgb.shape for index in range(48)]
    assert all(len(set(shapes[at : at + 4])) == 1 for at in range(0, 48, 4))
    assert set(shapes) == {(3, height, width) for width, height in sizes}


def test_sets_are_drawn_by_their_weight(folder: Path) -> None:
    sets = [read_set(parse_folder(f"{folder}:person:{weight}")) for weight in (1, 3)]
    assert Samples(sets, [(96, 64)], batch=4).chance.tolist() == [0.25, 0.75]
