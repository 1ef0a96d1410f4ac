"""The longwall's shape: a free walkway, a flat floor, lamps and cameras with room around them."""

import numpy as np
import pytest

from sample_videos.generator.longwall import longwall
from sample_videos.generator.roadway import Layout
from sample_videos.generator.scene_file import LongwallSpec
from sample_videos.generator.textures import dusty, make_textures

SPEC = LongwallSpec(supports=8)


@pytest.fixture(scope="module")
def layout() -> Layout:
    return longwall(SPEC, 7)


def on_surface(
    layout: Layout, step_m: float = 0.04
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Give points all over the triangles, no further apart than about `step_m`."""
    out = []
    for vertices, faces, _ in layout.meshes.values():
        corners = vertices[faces].astype(float)
        edges = corners - np.roll(corners, 1, axis=1)
        parts = np.ceil(np.linalg.norm(edges, axis=2).max(1) / step_m).astype(int).clip(1, 400)
        for n in np.unique(parts):
            i, j = np.nonzero(np.add.outer(np.arange(n + 1), np.arange(n + 1)) <= n)
            weights = np.stack([i, j, n - i - j], 1) / n
            out.append(np.einsum("kc,fcx->fkx", weights, corners[parts == n]).reshape(-1, 3))
    return np.concatenate(out)


def test_walkway_is_free(layout: Layout) -> None:
    p = on_surface(layout)
    along = (p[:, 0] > 0) & (p[:, 0] < SPEC.length_m)
    high = along & (p[:, 2] > 0.05) & (p[:, 2] < 1.95)
    assert not (high & (p[:, 1] > 1.0) & (p[:, 1] < 2.2)).any()


def test_floor_is_level_where_people_walk(layout: Layout) -> None:
    floor = layout.meshes["floor"][0]
    walked = floor[(floor[:, 1] > 1.0) & (floor[:, 1] < 2.2)]
    assert np.abs(walked[:, 2]).max() < 0.02
    assert len(walked) > 1000


def test_lamps_hang_under_the_canopies(layout: Layout) -> None:
    assert len(layout.lamps) == SPEC.supports // 2
    for lamp in layout.lamps:
        x, y, z = lamp.centre_m
        assert 0 < x < SPEC.length_m
        assert 0.8 < y < 1.3
        assert 2.0 < z < SPEC.height_m - 0.05


def test_nothing_is_close_to_a_camera(layout: Layout) -> None:
    p = on_surface(layout)
    for x in np.arange(2, SPEC.length_m, 7.0):
        centre = np.array([x, 1.55, 2.38])
        assert np.linalg.norm(p - centre, axis=1).min() > 0.2
        yaw, pitch = np.radians([13, -16])
        ahead = np.array([np.cos(pitch) * np.cos(yaw), np.cos(pitch) * np.sin(yaw), np.sin(pitch)])
        offset = p - centre
        distance = np.linalg.norm(offset, axis=1)
        in_view = (offset @ ahead) / distance > np.cos(np.radians(25))
        assert distance[in_view].min() > 1.5


def test_seed_decides_everything(layout: Layout) -> None:
    again, other = longwall(SPEC, 7), longwall(SPEC, 8)
    for material, mesh in layout.meshes.items():
        assert all(np.array_equal(a, b) for a, b in zip(mesh, again.meshes[material], strict=True))
    floor = layout.meshes["floor"][0]
    assert not np.array_equal(floor, other.meshes["floor"][0])


def test_every_material_has_a_texture_and_dust_darkens_it(layout: Layout) -> None:
    clean = make_textures(128, 1)
    covered = dusty(clean)
    assert layout.meshes.keys() <= covered.keys()
    assert covered["white"].albedo.mean() < 0.6 * clean["white"].albedo.mean()
    assert covered["coal"] is clean["coal"]


def test_lower_face_keeps_its_walkway() -> None:
    p = on_surface(longwall(LongwallSpec(supports=2, height_m=2.4), 3))
    high = (p[:, 2] > 0.05) & (p[:, 2] < 1.95) & (p[:, 0] > 0) & (p[:, 0] < 3.5)
    assert not (high & (p[:, 1] > 1.0) & (p[:, 1] < 2.2)).any()
