"""Scene files: what is wrong is told in one line with file, field and remedy."""

import itertools
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sample_videos.generator.__main__ import main
from sample_videos.generator.scene_file import SceneError, load_scene
from sample_videos.generator.script import play

SCENES = Path(__file__).parents[2] / "sample_videos" / "scenes"
GOOD = (SCENES / "roadway.yaml").read_text()

MISTAKES = [
    ("seed: 7", "sed: 7", "sed: not a field; did you mean seed?"),
    ("fps: 10", "", "fps: missing"),
    ("fps: 10", "fps: ten", "fps: must be int, is 'ten'"),
    ("fps: 10", "fps: 0", "fps: must be at least 1"),
    ("dust_per_m: 0.012", "dust_per_m: .nan", "dust_per_m: must be a finite number"),
    ("roadway: {", "longwall: {}\nroadway: {", "exactly one of roadway and longwall"),
    ("seed: 7", "seed: 7\nline_m: [[0, 0, 0], [20, 0, 0]]", "line_m: ends at 20.0 m"),
    ("seed: 7", "seed: 7\nline_m: [[0, 0, 0], [0, 20, 0], [0, 0, 0]]", "line_m: the line turns"),
    ("seed: 7", "seed: 7\ncross_fall: 0.5", "cross_fall: must be within"),
    ("yaw_deg: 165", "jaw_deg: 165", "cameras[0].jaw_deg: not a field; did you mean yaw_deg?"),
    ("at_m: [20, -2.05, 2.55], yaw_deg: 165", "at_m: [20, -2.05], yaw_deg: 165", "3 values"),
    ("at_m: [20, -2.05, 2.55], yaw_deg: 165", "at_m: [90, 0, 2.5], yaw_deg: 165", "outside"),
    ("hfov_deg: 70", "hfov_deg: 170", "cameras[0].hfov_deg: must be within 10..110"),
    ("hfov_deg: 70", "hfov_deg: 70, lens: fish", "cameras[0].lens: is 'fish'"),
    ("hfov_deg: 70", "hfov_deg: 70, lens: fisheye", "a fisheye lens has 4 coefficients, not 5"),
    ("hfov_deg: 70", "hfov_deg: 70, distortion: [-0.9, 0, 0, 0, 0]", "the lens folds back"),
    ("hfov_deg: 70", "hfov_deg: 70, size_px: [641, 360]", "multiples of 4"),
    ("pitch_deg: -16", "pitch_deg: -90", "pitch_deg: must be within"),
    ("id: cam2", "id: cam1", "cameras[1].id: 'cam1' is used twice"),
    ("kind: restricted", "kind: forbidden", "zones[0].kind: is 'forbidden'"),
    ("kind: restricted", "kind: capacity", "zones[0].capacity: goes with kind capacity"),
    (
        "kind: restricted",
        "kind: danger, around_shearer_m: 2",
        "only for a danger zone of a longwall",
    ),
    ("height_m: 1.78", "height_m: 17.8", "miners[0].height_m: must be within"),
    ("walk_to: [23.4, 0.72]", "walk_to: [23.4, 7.0]", "outside the walkway"),
    ("{fall_s: 0.9}", "{fall_s: 0.9, stand_s: 1.0}", "exactly one of"),
    ("{fall_s: 0.9}", "{fall_s: -0.9}", "script[2].fall_s: must be above 0"),
    ("- {lie_s: 5.6}", "", "script[3]: rise_s only follows lie_s"),
    ("- {rise_s: 2.0}", "", "must first lie_s, then rise_s"),
    (
        "{stand_s: 0.4}\n      - {walk_to: [24.9",
        "{stand_s: 60}\n      - {walk_to: [24.9",
        "is not reached",
    ),
    ("zones:", "happenings: [{kind: flood, at_s: 3}]\nzones:", "happenings[0].kind: is 'flood'"),
    ("zones:", "happenings: [{kind: camera_dead, at_s: 3}]\nzones:", "camera: missing"),
    (
        "zones:",
        "happenings: [{kind: camera_dead, camera: cam9, at_s: 3}]\nzones:",
        "there is no camera 'cam9'",
    ),
    (
        "zones:",
        "happenings: [{kind: camera_dead, camera: cam1, at_s: 99}]\nzones:",
        "it never happens",
    ),
    ("lamproom-sample-scene/2", "lamproom-sample-scene/9", "schema"),
    ("zones:", "zones: 3 #", "zones: must be a list"),
]


@pytest.mark.parametrize(("old", "new", "said"), MISTAKES)
def test_one_clear_error(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    path = tmp_path / "scene.yaml"
    text = GOOD.replace(old, new, 1)
    if new == "zones: 3 #":
        text = text.replace("  - {id: transformer", "#")
    path.write_text(text)
    with pytest.raises(SceneError) as caught:
        load_scene(path)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", sorted(SCENES.rglob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_scenes_are_good_and_nobody_walks_through_another(path: Path) -> None:
    scene = load_scene(path)
    course = [play(miner, scene.fps, scene.frames) for miner in scene.miners]
    for one, two in itertools.combinations(course, 2):
        nearest_m = min(math.dist(a.xy_m, b.xy_m) for a, b in zip(one, two, strict=True))
        assert nearest_m > 0.45


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="cannot be read"):
        load_scene(tmp_path / "none.yaml")


def test_not_a_mapping(tmp_path: Path) -> None:
    path = tmp_path / "scene.yaml"
    path.write_text("")
    with pytest.raises(SceneError, match="must be a mapping"):
        load_scene(path)


def test_check_says_what_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "scene.yaml"
    path.write_text(GOOD)
    assert main(["check", str(path)]) == 0
    assert "4 cameras, 5 miners" in capsys.readouterr().out
    path.write_text(GOOD.replace("seed: 7", "sed: 7"))
    assert main(["check", str(path)]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_help_teaches() -> None:
    command = [sys.executable, "-m", "sample_videos.generator", "--help"]
    folder = Path(__file__).parents[2]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=True, env={**os.environ}
    )
    for word in ("examples:", "render", "dataset", "check"):
        assert word in done.stdout
