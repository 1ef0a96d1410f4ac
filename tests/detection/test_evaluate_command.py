"""`lamproom evaluate`: figures by group, sheets of mistakes, one line for bad input."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from detection.contact_sheet import CAPTION_PX, TILE_PX, false_finds, misses, sheet
from detection.evaluate import Looked
from detection.groups import by_light, by_pose, by_size, recalls
from edge.main import main
from tests.detection.onnx_models import raw, write_model


def looked_at(path: Path) -> Looked:
    """Two people are labelled, one is found, and one thing more."""
    return Looked(
        path=path,
        size_px=(400, 200),
        kind="person",
        boxes_px=np.array([[12.0, 20, 52, 100], [300, 100, 330, 180]]),
        scores=np.array([0.9, 0.6]),
        truth_px=np.array([[10.0, 20, 50, 100], [200, 150, 260, 168]]),
        light=np.array([30.0, 200.0]),
        fallen=(False, False),
    )


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    grey = np.full((200, 400, 3), 90, np.uint8)
    grey[150:168, 200:260] = 250  # the one who is not found
    cv2.imwrite(str(path), grey)
    return path


def test_groups_are_told_by_size_light_and_shape(picture: Path) -> None:
    one = looked_at(picture)
    assert by_size(one) == ["large", "small"]
    assert by_light(one) == ["dark", "bright"]
    assert by_pose(one) == ["upright", "lying"]


def test_who_is_not_found_counts_in_their_group(picture: Path) -> None:
    found = recalls([looked_at(picture), looked_at(picture)], 0.25, by_pose)
    assert {group: (one.found, one.labelled) for group, one in found.items()} == {
        "lying": (0, 2),
        "upright": (2, 2),
    }
    unsure = recalls([looked_at(picture)], 0.95, by_pose)
    assert unsure["upright"].share == 0.0


def test_mistakes_are_found_and_drawn(picture: Path) -> None:
    one = looked_at(picture)
    (missed,), (wrong,) = misses([one], 0.25), false_finds([one], 0.25)
    assert missed.box_px.tolist() == [200, 150, 260, 168]
    assert wrong.box_px.tolist() == [300, 100, 330, 180] and wrong.caption == "person 0.60"
    assert len(misses([one], 0.95)) == 2 and false_finds([one], 0.7) == []
    drawn = sheet([missed, wrong], 0.25)
    assert drawn.shape == (TILE_PX + CAPTION_PX, 2 * TILE_PX, 3)
    green = (drawn[:TILE_PX, :TILE_PX, 1].astype(int) - drawn[:TILE_PX, :TILE_PX, 2]) > 90
    red = (drawn[:TILE_PX, TILE_PX:, 2].astype(int) - drawn[:TILE_PX, TILE_PX:, 1]) > 90
    assert green.sum() > 100 and red.sum() > 100
    # The box is in the middle of its tile, as far as the picture lets it.
    rows, columns = np.nonzero(green)
    assert columns.mean() == pytest.approx(TILE_PX / 2, abs=6)
    within = drawn[rows.min() + 4 : rows.max() - 4, columns.min() + 4 : columns.max() - 4]
    assert within.min() > 200  # it frames who is there


def test_no_mistakes_are_an_empty_sheet() -> None:
    assert sheet([], 0.25).max() == 0


def test_the_command_shows_scores_and_writes_sheets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    model = write_model(tmp_path / "m.onnx", raw([(10, 8, 30, 56, 0.9, 0)], classes=3))
    folder = tmp_path / "set"
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    for name, row in (("a", f"0 {20 / 96} {32 / 64} {20 / 96} {48 / 64}\n"), ("b", "")):
        cv2.imwrite(str(folder / "images" / f"{name}.png"), np.full((128, 192, 3), 90, np.uint8))
        (folder / "labels" / f"{name}.txt").write_text(row)
    asked = ["evaluate", f"{folder}:person", "--model", str(model)]
    assert main([*asked, "--sheets", str(tmp_path / "sheets")]) == 0
    out = capsys.readouterr().out
    assert "1.000" in out and "0.500" in out  # found, and found where nobody is
    assert "large 1.00 of 1" in out
    assert "set-misses.jpg: 0 in all" in out and "set-false.jpg: 1 in all" in out
    assert {path.name for path in (tmp_path / "sheets").iterdir()} == {
        "set-misses.jpg",
        "set-false.jpg",
    }


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ([], "nothing to score"),
        (["x", "--threshold", "2"], "--threshold: must be between 0 and 1, not 2.0"),
        (["x:hat"], "'hat' is not one of"),
        (["nowhere"], "there are no pictures"),
    ],
)
def test_errors_are_one_line(
    asked: list[str], answer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", *asked]) == 2
    error = capsys.readouterr().err
    assert error.startswith("lamproom evaluate: ") and answer in error
    assert error.count("\n") == 1
