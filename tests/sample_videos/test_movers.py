"""The shearer and the belt's coal: where they are, that they fit, that they look the same again."""

from typing import Any

import numpy as np
import pytest

from sample_videos.generator.movers import (
    DRUM_Y_M,
    PERIOD_M,
    BeltCoal,
    Moved,
    Shearer,
    movers,
    shearer_x_m,
)
from sample_videos.generator.roadway import BELT_Y_M, roadway
from sample_videos.generator.scene_file import SCHEMA, LongwallSpec, RoadwaySpec, SceneSpec

BELT = RoadwaySpec(length_m=14.0, belt_m_s=1.6, belt_from_s=2.0)
LINE = ((0.0, 0.0, 0.0), (20.0, 0.0, 2.0), (40.0, 15.0, 2.0), (60.0, 15.0, 2.0))


def scene_of(**fields: Any) -> SceneSpec:
    return SceneSpec(
        schema=SCHEMA, name="t", seed=7, fps=10, duration_s=5, cameras=(), miners=(), **fields
    )


def wall_scene(speed_m_s: float = 0.2, **fields: Any) -> SceneSpec:
    wall = LongwallSpec(shearer_at_m=20.0, shearer_m_s=speed_m_s)
    return scene_of(longwall=wall, **fields)


@pytest.fixture(scope="module")
def coal() -> BeltCoal:
    (out,) = movers(scene_of(roadway=BELT))
    assert isinstance(out, BeltCoal)
    return out


def check(m: Moved) -> None:
    """See that the arrays fit each other, as the rasteriser needs them."""
    n = len(m.vertices)
    for values, dtype in (
        (m.vertices, np.float32), (m.normals, np.float32), (m.rest, np.float32),
        (m.part, np.int32), (m.station, np.float32),
    ):  # fmt: skip
        assert len(values) == n
        assert values.dtype == dtype
    assert m.faces.dtype == np.int32
    assert 0 <= m.faces.min() <= m.faces.max() < n
    assert np.abs(np.linalg.norm(m.normals, axis=1) - 1).max() < 1e-4
    assert 0 <= m.station.min() <= m.station.max() <= len(m.stations_m) - 1
    assert m.look.shape == (14,)
    assert m.part.min() >= 7


def test_most_scenes_have_no_movers() -> None:
    assert movers(scene_of(roadway=RoadwaySpec())) == []
    nowhere = scene_of(longwall=LongwallSpec(shearer_at_m=500.0))
    assert movers(nowhere) == []
    assert shearer_x_m(nowhere, 1.0) is None
    assert shearer_x_m(scene_of(roadway=RoadwaySpec()), 1.0) is None


@pytest.mark.parametrize("speed_m_s", [0.2, -0.35, 0.0])
def test_shearer_goes_by_speed_and_time(speed_m_s: float) -> None:
    scene = wall_scene(speed_m_s)
    (shearer,) = movers(scene)
    before, after = shearer.at(0.0), shearer.at(7.3)
    for m in (before, after):
        check(m)
    here, there = shearer_x_m(scene, 0.0), shearer_x_m(scene, 7.3)
    assert here is not None and there is not None
    assert there - here == pytest.approx(7.3 * speed_m_s, abs=1e-6)
    body = before.vertices[:, 1] < DRUM_Y_M[0] - 0.3  # what does not spin
    step = after.vertices[body].astype(float) - before.vertices[body]
    assert step[:, 0] == pytest.approx(7.3 * speed_m_s, abs=1e-5)
    assert np.abs(step[:, 1:]).max() == 0
    assert np.array_equal(before.rest, after.rest)  # texture sticks to the machine
    middle = (after.vertices[body, 0].min() + after.vertices[body, 0].max()) / 2
    assert middle == pytest.approx(there, abs=0.2)


def test_shearer_fits_between_floor_and_canopies_and_leaves_the_walkway() -> None:
    for speed in (0.2, -0.2):
        scene = wall_scene(speed)
        (shearer,) = movers(scene)
        assert isinstance(shearer, Shearer)
        assert scene.longwall is not None
        for t in (0.0, 0.13, 0.4, 1.7):
            v = shearer.at(t).vertices
            assert v[:, 2].min() > 0.0
            assert v[:, 2].max() < scene.longwall.height_m - 0.09
            assert v[:, 1].min() > 2.75
            assert v[:, 1].max() < 4.4
        assert len(shearer.at(0.0).faces) <= 8000


def test_leading_drum_is_the_high_one_and_both_spin() -> None:
    for speed in (0.2, -0.2):
        (shearer,) = movers(wall_scene(speed))
        m, later = shearer.at(0.0), shearer.at(0.3)
        drums = m.vertices[:, 1] > DRUM_Y_M[0] + 0.15
        ahead = (m.vertices[:, 0] - 20.0) * np.sign(speed) > 0
        assert m.vertices[drums & ahead, 2].mean() > m.vertices[drums & ~ahead, 2].mean() + 0.5
        moved = later.vertices[drums] - m.vertices[drums]
        assert np.abs(moved[:, 2]).max() > 0.3
    (parked,) = movers(wall_scene(0.0))
    assert np.array_equal(parked.at(0.0).vertices, parked.at(9.0).vertices)


def test_shearer_follows_a_bent_line() -> None:
    scene = wall_scene(line_m=LINE)
    (shearer,) = movers(scene)
    m = shearer.at(3.0)
    check(m)
    straight = movers(wall_scene())[0].at(3.0)
    expected = scene.axis.mine(straight.vertices)
    assert np.abs(m.vertices - expected).max() < 1e-4


def test_belt_coal_waits_then_runs(coal: BeltCoal) -> None:
    check(coal.at(0.0))
    assert np.array_equal(coal.at(0.0).vertices, coal.at(2.0).vertices)
    assert coal.travelled_m(3.5) == pytest.approx(1.5 * 1.6, abs=1e-6)
    start, after = coal.at(2.0), coal.at(2.5)
    inside = (np.abs(start.vertices[:, 0] - 7) < 5) & (np.abs(after.vertices[:, 0] - 7) < 5)
    assert inside.sum() > 1000
    step = after.vertices[inside] - start.vertices[inside]
    assert step[:, 0] == pytest.approx(0.8, abs=1e-5)
    assert np.abs(step[:, 1:]).max() < 1e-6
    assert np.abs(after.rest[inside] - start.rest[inside]).max() < 1e-5


def test_belt_coal_repeats_for_ever(coal: BeltCoal) -> None:
    period_s = PERIOD_M / 1.6
    a = coal.at(3.0)
    for times in (1, 40):
        b = coal.at(3.0 + times * period_s)
        assert np.abs(a.vertices - b.vertices).max() < 1e-4
    for t in np.linspace(2, 2 + period_s, 7):  # never a gap, nothing beyond the ends
        x = np.unique(coal.at(float(t)).vertices[:, 0])
        assert (x[0], x[-1]) == (-2.0, 20.0)
        assert np.diff(x).max() < 0.1


def test_moving_coal_hides_the_still_coal(coal: BeltCoal) -> None:
    still = roadway(length_m=14.0, width_m=5.0, leg_m=1.5, lamp_every_m=10.0, seed=7)
    v = still.meshes["coal"][0]
    heap = v[(np.abs(v[:, 1] - BELT_Y_M) < 0.37) & (v[:, 2] > 0.6)]
    assert len(heap) > 5000
    columns = 25
    x = coal.vertices[::columns, 0]  # the heap's rows come first, then its lumps
    rows = int(np.argmax(np.abs(np.diff(x) - x[1]) > 1e-6)) + 1
    for t in (0.0, 3.1, 6.7):
        surface = coal.at(t).vertices[: rows * columns].reshape(rows, columns, 3)
        lowest = np.interp(heap[:, 1], surface[0, :, 1], surface[..., 2].min(0))
        assert (lowest > heap[:, 2] + 0.005).all()
