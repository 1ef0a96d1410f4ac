"""Labels that can't be so are refused with their place; who has left was last somewhere."""

import json
from pathlib import Path
from typing import Any

import pytest

from edge.acceptance.truth import TruthError, read_truth

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
