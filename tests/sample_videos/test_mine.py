"""What a scene's cameras and lamps are at each instant; random scenes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sample_videos.generator.mine import camera_of, dead_from, layout_of, phases
from sample_videos.generator.random_scene import as_yaml, random_scene
from sample_videos.generator.scene_file import HappeningSpec, SceneSpec, load_scene

SCENES = Path(__file__).parents[2] / "sample_videos" / "scenes"


@pytest.fixture
def scene() -> SceneSpec:
    return load_scene(SCENES / "roadway.yaml")


def test_a_knock_turns_one_camera_from_its_frame_on(scene: SceneSpec) -> None:
    knock = HappeningSpec(kind="camera_knock", at_s=4.0, camera="cam2", turn_deg=(2.0, 0.0, 0.0))
    scene = replace(scene, happenings=(knock,))
    first, second = phases(scene, scene.cameras[1])
    assert (first.first_frame, second.first_frame) == (0, 40)
    turn = first.camera.rotation @ second.camera.rotation.T
    assert np.degrees(np.arccos((np.trace(turn) - 1) / 2)) == pytest.approx(2.0, abs=0.1)
    assert first.camera.centre_m == pytest.approx(second.camera.centre_m)
    assert len(phases(scene, scene.cameras[0])) == 1


def test_a_lamp_outage_takes_the_lamp_from_every_camera(scene: SceneSpec) -> None:
    outage = HappeningSpec(kind="lamp_outage", at_s=3.01, lamps=(2,))
    scene = replace(scene, happenings=(outage,))
    for spec in scene.cameras:
        before, after = phases(scene, spec)
        assert after.first_frame == 31
        assert (before.lamps_out, after.lamps_out) == ((), (2,))
    assert len(layout_of(scene, (2,)).lamps) == len(layout_of(scene).lamps) - 1


def test_a_dead_camera_delivers_no_frame_from_then_on(scene: SceneSpec) -> None:
    dead = HappeningSpec(kind="camera_dead", at_s=4.0, camera="cam3")
    scene = replace(scene, happenings=(dead,))
    assert dead_from(scene, "cam3") == 40
    assert dead_from(scene, "cam1") is None


def test_a_sloping_mine_carries_cameras_and_lamps_along(scene: SceneSpec) -> None:
    sloping = replace(scene, line_m=((0.0, 0.0, 0.0), (40.0, 0.0, 4.0)))
    level, raised = camera_of(scene, scene.cameras[0]), camera_of(sloping, scene.cameras[0])
    assert raised.centre_m - level.centre_m == pytest.approx([0.0, 0.0, 2.0])
    lamps = zip(layout_of(scene).lamps, layout_of(sloping).lamps, strict=True)
    for lamp, up in lamps:
        assert up.centre_m[2] - lamp.centre_m[2] == pytest.approx(0.1 * lamp.centre_m[0])
    steel = layout_of(sloping).meshes["steel"][0]
    assert steel[:, 2].max() > 6.5


@pytest.mark.parametrize("seed", range(30))
def test_any_seed_gives_a_scene_that_can_be_rendered(seed: int, tmp_path: Path) -> None:
    scene = random_scene(seed)
    path = tmp_path / "scene.yaml"
    path.write_text(as_yaml(scene), encoding="utf-8")
    assert load_scene(path) == scene


def test_seeds_differ_in_kind_line_lens_and_people() -> None:
    scenes = [random_scene(seed) for seed in range(40)]
    assert {scene.longwall is None for scene in scenes} == {True, False}
    assert {scene.cameras[0].lens for scene in scenes} == {"brown", "fisheye"}
    assert len({scene.line_m for scene in scenes}) == 40
    assert len({len(scene.miners) for scene in scenes}) >= 3
