"""The simulated tag system is as wrong as the scene file says, and the same every time."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sample_videos.generator.poses import STAND
from sample_videos.generator.scene_file import MinerSpec, RoadwaySpec, SceneSpec, TagSpec
from sample_videos.generator.script import Moment
from sample_videos.generator.tags import tag_feed, tag_of, write_tags

FPS = 10
MINERS = (
    MinerSpec(id=1, at_m=(0.0, 0.0)),
    MinerSpec(id=2, at_m=(0.0, 0.0), tag="B7"),
    MinerSpec(id=3, at_m=(0.0, 0.0), tag=""),
)
USUAL = TagSpec()
EXACT = TagSpec(every_s=0.5, sigma_m=0.0, gross_share=0.0, lost_share=0.0)


def make_scene(duration_s: float, tags: TagSpec = USUAL, **changes: Any) -> SceneSpec:
    plain: dict[str, Any] = {
        "schema": "",
        "name": "test",
        "seed": 3,
        "fps": FPS,
        "duration_s": duration_s,
        "cameras": (),
        "miners": MINERS,
        "roadway": RoadwaySpec(length_m=20.0),
        "tags": tags,
    }
    return SceneSpec(**{**plain, **changes})


def walking(scene: SceneSpec, speed_m_s: float = 0.0) -> dict[int, list[Moment]]:
    """Everybody goes along the line, each one metre further left."""
    return {
        m.id: [
            Moment(xy_m=(f / FPS * speed_m_s, float(m.id)), yaw_rad=0.0, state="walk", pose=STAND)
            for f in range(scene.frames)
        ]
        for m in scene.miners
    }


def errors_m(rows: list[dict[str, Any]], tag: str, at_m: tuple[float, float]) -> Any:
    return np.array([row["xy_m"] for row in rows if row["tag"] == tag]) - at_m


def test_who_wears_which_tag() -> None:
    assert [tag_of(m) for m in MINERS] == ["tag-1", "B7", None]
    scene = make_scene(10.0)
    assert {row["tag"] for row in tag_feed(scene, walking(scene))} == {"tag-1", "B7"}


def test_without_errors_a_tag_is_where_its_miner_is() -> None:
    scene = make_scene(10.0, EXACT)
    rows = tag_feed(scene, walking(scene, 1.3))
    for row in rows:
        left_m = {"tag-1": 1.0, "B7": 2.0}[row["tag"]]
        along_m = 1.3 * min(row["t_s"], 9.9)  # between frames too; the last frame is at 9.9 s
        assert row["xy_m"] == pytest.approx([along_m, left_m], abs=1e-3)


def test_rows_come_regularly_and_tags_in_turn() -> None:
    scene = make_scene(10.0, EXACT)
    rows = tag_feed(scene, walking(scene))
    at = {tag: [r["t_s"] for r in rows if r["tag"] == tag] for tag in ("tag-1", "B7")}
    assert [len(times) for times in at.values()] == [20, 20]
    for times in at.values():
        assert np.diff(times) == pytest.approx(0.5, abs=1e-9)
        assert 0 <= times[0] < 0.5
    assert abs(at["tag-1"][0] - at["B7"][0]) > 0.05
    keys = [(row["t_s"], row["tag"]) for row in rows]
    assert keys == sorted(keys)


def test_places_are_in_the_mine() -> None:
    line = ((100.0, 50.0, -300.0), (100.0, 90.0, -298.0))
    scene = make_scene(10.0, EXACT, line_m=line, cross_fall=0.05)
    course = walking(scene)
    course[1] = [replace(m, xy_m=(107.0, 1.5)) for m in course[1]]
    first = next(row for row in tag_feed(scene, course) if row["tag"] == "tag-1")
    assert first["xy_m"] == [98.5, 57.0]


def test_the_noise_is_gaussian_with_the_claimed_sigma() -> None:
    scene = make_scene(3000.0, TagSpec(sigma_m=0.4, gross_share=0.0, lost_share=0.0))
    rows = tag_feed(scene, walking(scene))
    error = errors_m(rows, "tag-1", (0.0, 1.0))
    assert len(error) == 6000
    assert {row["sigma_m"] for row in rows} == {0.4}
    assert error.std(axis=0) == pytest.approx([0.4, 0.4], rel=0.05)
    assert error.mean(axis=0) == pytest.approx([0.0, 0.0], abs=0.02)
    within = (np.abs(error) < 0.4).mean()
    assert within == pytest.approx(math.erf(math.sqrt(0.5)), abs=0.02)
    assert abs(np.corrcoef(error[1:, 0], error[:-1, 0])[0, 1]) < 0.05
    other = errors_m(rows, "B7", (0.0, 2.0))
    assert abs(np.corrcoef(error[:5999, 0], other[:5999, 0])[0, 1]) < 0.05


def test_gross_errors_are_as_many_and_as_large_as_said() -> None:
    scene = make_scene(3000.0, TagSpec(sigma_m=0.3, gross_share=0.1, lost_share=0.0))
    error = errors_m(tag_feed(scene, walking(scene)), "B7", (0.0, 2.0))
    off = np.hypot(*error.T)
    gross = off > 1.8  # 6 sigma
    assert gross.mean() == pytest.approx(0.1, abs=0.015)
    assert off[gross].min() >= 1.99 and off[gross].max() <= 6.01
    assert off[gross].mean() == pytest.approx(4.0, abs=0.2)
    assert error[~gross].std() == pytest.approx(0.3, rel=0.05)
    assert np.abs(np.mean(error[gross] / off[gross, None], axis=0)).max() < 0.15  # any direction


def test_lost_rows_are_missing() -> None:
    tags = TagSpec(sigma_m=0.3, gross_share=0.0, lost_share=0.0)
    scene = make_scene(3000.0, tags)
    course = walking(scene)
    everything = tag_feed(scene, course)
    left = tag_feed(replace(scene, tags=replace(tags, lost_share=0.2)), course)
    assert len(left) / len(everything) == pytest.approx(0.8, abs=0.02)
    told = [json.dumps(row) for row in everything]
    assert set(map(json.dumps, left)) < set(told)  # the others are as they were


def test_same_scene_same_bytes(tmp_path: Path) -> None:
    scene = make_scene(60.0)
    course = walking(scene, 0.2)
    for name, one in (("a", scene), ("b", scene), ("c", replace(scene, seed=4))):
        write_tags(tmp_path / name, tag_feed(one, course))
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b != c
    first = json.loads(a.splitlines()[0])
    assert list(first) == ["t_s", "tag", "xy_m", "sigma_m"]


def test_tags_do_not_depend_on_each_other() -> None:
    scene = make_scene(30.0)
    rows = tag_feed(scene, walking(scene))
    alone = replace(scene, miners=MINERS[1:2])
    assert tag_feed(alone, walking(alone)) == [row for row in rows if row["tag"] == "B7"]
