"""Labels that can't be so are refused with their place; who has left was last somewhere."""

import json
from pathlib import Path
from typing import Any

import pytest

from edge.acceptance.truth import TruthError, check_all_marked, hidden_looks, read_truth

FRAMES, FPS = 50, 10.0


def clip(folder: Path, *events: dict[str, Any], leaves: int = FRAMES) -> Path:
    """Write labels of one person, id 3, who walks 1 m/s along x and leaves at a frame."""
    lines = []
    for frame in range(FRAMES):
        spot = [frame / FPS, 0.5, 0.0]
        one = {"id": 3, "xyz_m": spot, "stands_xyz_m": spot, "height_m": 1.8}
        people = [one] if frame < leaves else []
        lines.append(json.dumps({"frame": frame, "t_s": frame / FPS, "people": people}))
    (folder / "world.jsonl").write_text("\n".join(lines), encoding="utf-8")
    scene = json.dumps({"fps": FPS, "frames": FRAMES})
    (folder / "scene.json").write_text(scene, encoding="utf-8")
    (folder / "events.json").write_text(json.dumps(events), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({"type": "fal"}, "1.type: 'fal' is not known; give one of fall, "),
        ({"t_start_s": -0.1}, "1.t_start_s: -0.1 lies outside the clip"),
        ({"t_start_s": 5.0}, "1.t_start_s: 5 lies outside the clip; give 0 to less than 5 s"),
        ({"t_end_s": 0.9}, "1.t_end_s: 0.9 is not between t_start_s and the clip's end at 5 s"),
        ({"t_end_s": 60.0}, "1.t_end_s: 60 is not between"),
        ({"t_whole_s": 0.5}, "1.t_whole_s: 0.5 is not between"),
        ({"t_end_s": 2.0, "t_whole_s": 3.0}, "1.t_whole_s: 3 is not between"),
        ({"id": 4}, "1.id: person 4 is never in world.jsonl"),
    ],
)
def test_an_event_that_can_not_be_so_is_refused(
    tmp_path: Path, event: dict[str, Any], words: str
) -> None:
    good = {"type": "fall", "id": 3, "t_start_s": 1.0}
    assert len(read_truth(clip(tmp_path, good, good)).events or ()) == 2
    with pytest.raises(TruthError) as told:
        read_truth(clip(tmp_path, good, good | event))
    assert f"events.json: {words}" in str(told.value)


def test_who_has_left_was_last_somewhere(tmp_path: Path) -> None:
    truth = read_truth(clip(tmp_path, leaves=20))
    assert truth.where(3, 1.5) == (1.5, 0.5)
    assert truth.where(3, 4.0) == (1.9, 0.5)
    with pytest.raises(TruthError, match="person 9 is never there"):
        truth.where(9, 1.0)


def marked(folder: Path, row: str, camera: str = "cam1") -> Path:
    """Mark the person with a row of `mot/`, at every frame or the one that it says."""
    file = folder / "mot" / camera / "gt" / "gt.txt"
    file.parent.mkdir(parents=True)
    rows = [row.replace("N", str(frame + 1)) for frame in range(FRAMES)]
    file.write_text("\n".join(rows), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("N,3,10,10,50,90,1,1,-1", "a visibility is not 0 to 1"),
        ("0,3,10,10,50,90,1,1,1", "a frame is not one of 1 to 50"),
        ("51,3,10,10,50,90,1,1,1", "a frame is not one of 1 to 50"),
    ],
)
def test_marks_that_would_hide_somebody_by_mistake_are_refused(
    tmp_path: Path, row: str, words: str
) -> None:
    with pytest.raises(TruthError, match=words):
        read_truth(marked(clip(tmp_path), row))


def test_marks_of_some_cameras_only_are_refused_and_who_is_hidden_is_counted(
    tmp_path: Path,
) -> None:
    truth = read_truth(marked(clip(tmp_path), "N,3,10,10,50,90,1,1,0.3"))
    check_all_marked(truth, ["cam1"])
    with pytest.raises(TruthError, match=r"mot/cam2/gt/gt.txt: there is no such file, but other"):
        check_all_marked(truth, ["cam1", "cam2"])
    assert hidden_looks(truth) == (FRAMES, FRAMES)


def test_somebody_twice_and_times_of_another_clip_are_refused(tmp_path: Path) -> None:
    world = clip(tmp_path) / "world.jsonl"
    lines = [json.loads(line) for line in world.read_text(encoding="utf-8").splitlines()]

    def says(words: str) -> None:
        world.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
        with pytest.raises(TruthError, match=words):
            read_truth(tmp_path)

    lines[7]["people"] *= 2
    says(r"world.jsonl:8: people: an id stands there twice")
    lines[7]["people"].pop()
    lines[9]["t_s"] = 0.0
    says(r"world.jsonl:10: t_s: 0, where scene.json's fps give 0.9")
