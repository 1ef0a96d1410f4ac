"""The line that a mine is built along agrees with the product's floor."""

import numpy as np
import pytest

from sample_videos.generator.axis import LONGEST_M, cut_long, make_axis
from sample_videos.generator.mesh import box
from scene.floor import Floor
from scene.site import FloorConfig

LINES: list[tuple[list[tuple[float, float, float]], float]] = [
    ([(0, 0, 0), (40, 0, 0)], 0.0),
    ([(0, 0, 0), (40, 0, 4)], 0.03),
    ([(0, 0, 0), (20, 0, 1.0), (41, 1.6, 1.4)], 0.02),
    ([(5, 2, -3), (15, 4, -2), (25, 3, -4), (40, 10, -4)], -0.05),
]
PLACES = np.array([(a, left) for a in np.linspace(0.5, 30, 21) for left in (-2.0, 0.0, 1.4)])


@pytest.mark.parametrize(("line", "cross_fall"), LINES)
def test_the_floor_lies_where_the_product_has_it(
    line: list[tuple[float, float, float]], cross_fall: float
) -> None:
    axis = make_axis(line, cross_fall)
    corners = tuple(line)
    floor = Floor(FloorConfig(centre_line_m=corners, cross_fall=cross_fall, left_m=3, right_m=3))
    places = PLACES + np.array([axis.chainage_m[0], 0.0])
    on_floor = axis.floor_m(places)
    # In bends the two divide a stretch a little differently: up to 7 cm along the line.
    assert floor.z_m(on_floor[:, :2]) == pytest.approx(on_floor[:, 2], abs=0.015)


def test_a_straight_level_line_changes_nothing() -> None:
    axis = make_axis([(0, 0, 0), (40, 0, 0)])
    assert axis.straight
    vertices, faces = box([20, 0, 1], [40, 1, 1])
    mesh = (vertices.astype(np.float32), faces.astype(np.int32), np.zeros((8, 2), np.float32))
    assert axis.bend(mesh) is mesh
    assert axis.mine([[3.0, -1.0, 2.0]])[0] == pytest.approx([3.0, -1.0, 2.0])


@pytest.mark.parametrize("line", [[(0, 0, 1), (40, 0, 1)], [(0, 0, 0), (40, 0, 1)]])
def test_a_raised_or_sloping_line_is_not_straight(line: list[tuple[float, float, float]]) -> None:
    assert not make_axis(line).straight


def test_long_triangles_are_cut_and_keep_their_area() -> None:
    vertices, faces = box([20, 0, 1], [40, 1, 1])
    mesh = (vertices.astype(np.float32), faces.astype(np.int32), np.zeros((8, 2), np.float32))
    cut, cut_faces, uv = cut_long(mesh)
    assert len(uv) == len(cut)
    assert np.ptp(cut[cut_faces][..., 0], axis=1).max() <= LONGEST_M
    assert area(cut, cut_faces) == pytest.approx(area(vertices, faces), rel=1e-5)


def area(vertices: np.ndarray, faces: np.ndarray) -> float:
    a, b, c = np.moveaxis(vertices[faces].astype(float), 1, 0)
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def test_heading_follows_the_line() -> None:
    axis = make_axis([(0, 0, 0), (10, 0, 0), (20, 10, 0)])
    assert axis.heading_rad(5.0) == pytest.approx(0.0)
    assert axis.heading_rad(12.0) == pytest.approx(np.pi / 4)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ([(0, 0, 0), (0.1, 0, 0), (9, 0, 0)], "half a metre"),
        ([(0, 0, 0), (10, 0, 0), (9, 9, 0)], "more than 60 degrees"),
    ],
)
def test_a_line_that_nobody_can_build_along_is_refused(
    line: list[tuple[float, float, float]], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        make_axis(line)
