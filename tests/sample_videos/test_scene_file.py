"""Scene files: what is wrong is told in one line with file, field and remedy."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sample_videos.generator.__main__ import main
from sample_videos.generator.scene_file import SceneError, load_scene

GOOD = (Path(__file__).parents[2] / "sample_videos" / "scenes" / "roadway.yaml").read_text()

MISTAKES = [
    ("seed: 7", "sed: 7", "sed: not a field; did you mean seed?"),
    ("fps: 10", "", "fps: missing"),
    ("fps: 10", "fps: ten", "fps: must be int, is 'ten'"),
    ("fps: 10", "fps: 0", "fps: must be at least 1"),
    ("yaw_deg: 165", "jaw_deg: 165", "cameras[0].jaw_deg: not a field; did you mean yaw_deg?"),
    ("at_m: [20, -2.05, 2.55], yaw_deg: 165", "at_m: [20, -2.05], yaw_deg: 165", "3 values"),
    ("at_m: [20, -2.05, 2.55], yaw_deg: 165", "at_m: [90, 0, 2.5], yaw_deg: 165", "outside"),
    ("id: cam2", "id: cam1", "cameras[1].id: 'cam1' is used twice"),
    ("height_m: 1.78", "height_m: 17.8", "miners[0].height_m: must be within"),
    ("walk_to: [28, 0.70]", "walk_to: [28, 7.0]", "outside the roadway"),
    ("{fall_s: 0.9}", "{fall_s: 0.9, stand_s: 1.0}", "exactly one of"),
    ("lamproom-sample-scene/1", "lamproom-sample-scene/9", "schema"),
    ("zones:", "zones: 3 #", "zones: must be a list"),
]


@pytest.mark.parametrize(("old", "new", "said"), MISTAKES)
def test_one_clear_error(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    path = tmp_path / "scene.yaml"
    text = GOOD.replace(old, new, 1)
    if old == "zones:":
        text = text.replace("  - {id: transformer", "#")
    path.write_text(text)
    with pytest.raises(SceneError) as caught:
        load_scene(path)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


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
