"""How likely each place of a camera's picture shows a body: as people are shaped."""

import numpy as np
import pytest

from scene.geometry import project
from scene.messages import Detections, Position
from stitching.people.bodies import Bodies
from stitching.people.figures import FINE, Figure, figure
from tests.stitching.strip_views import body_px, facing_pair, found, standing, strip_cells

PAIR = facing_pair()
CELLS = strip_cells(PAIR)
PERSON = standing(1, 14.0, 1.0)


def drawn(person: Position | None = PERSON, *finds: Detections) -> Figure:
    people = () if person is None else (person,)
    one = figure(Bodies(PAIR, CELLS, people, finds), 0, 0)
    assert one is not None
    return one


def in_rows(one: Figure) -> list[float]:
    """Give the sums over the upper, middle and lower third."""
    return [float(part.sum()) for part in np.array_split(one.chance, 3)]


def test_a_found_body_has_a_narrow_head_wide_shoulders_and_legs_apart() -> None:
    one = drawn(PERSON, found(PAIR[0], PERSON))
    head, trunk, legs = in_rows(one)
    assert trunk > head and trunk > legs
    row, column = (np.array(one.chance.shape) / 2).astype(int)
    assert one.chance[row, column] > 0.9
    corners = one.chance[[1, 1, -2, -2], [1, -2, 1, -2]]
    assert corners.max() < 0.15


def test_it_lies_where_the_find_is() -> None:
    box = found(PAIR[0], PERSON)
    one = drawn(PERSON, box)
    x0, y0, x1, y1 = box.boxes_px[0] / FINE
    rows, columns = one.box
    assert (columns.start, rows.start) == pytest.approx((x0, y0), abs=2.5)
    assert (columns.stop, rows.stop) == pytest.approx((x1, y1), abs=2.5)


def test_whom_nobody_found_stands_where_they_are_known_to_be() -> None:
    one = drawn()
    middle = np.array([PERSON.xyz_m]) + np.array([0.0, 0.0, 0.9])
    (column,), (row,) = (project(PAIR[0], middle)[0][0] / FINE).astype(int)[:, None]
    assert one.chance[row - one.box[0].start, column - one.box[1].start] > 0.9


def test_a_loose_find_is_a_figure_in_its_own_picture_only() -> None:
    bodies = Bodies(PAIR, CELLS, (), (found(PAIR[0], PERSON),))
    own = figure(bodies, 0, 0)
    assert own is not None and own.chance.max() > 0.9
    assert figure(bodies, 0, 1) is None


def test_of_a_box_far_wider_than_the_body_its_own_place_is_likelier() -> None:
    wide = found(PAIR[0], PERSON, standing(2, 14.3, 2.0))
    one, lone = drawn(PERSON, wide), drawn(None, wide)
    pixels = body_px(PAIR[0], PERSON)
    left, right = (pixels[:, 0].min() / FINE, pixels[:, 0].max() / FINE)
    x = np.arange(one.box[1].start, one.box[1].stop)
    share = one.chance.sum(axis=0) / np.maximum(lone.chance.sum(axis=0), 1e-6)
    inside = (x > left + 1) & (x < right - 3)
    assert inside.any() and share[inside].min() > 0.8
    assert share[1:8].max() < 0.6


def test_a_body_that_the_pictures_border_cuts_is_as_tall_as_it_is_known_to_be() -> None:
    near = standing(1, 12.0, -1.0)
    box = found(PAIR[0], near)
    assert box.boxes_px[0, 3] >= PAIR[0].size_px[1] - 4
    one, lone = drawn(near, box), drawn(None, box)
    # No legs at the border: there its middle is.
    assert one.chance[-3].max() > lone.chance[-3].max() + 0.1
    assert one.chance[-3].max() > 0.8


def test_outside_the_picture_nobody_is() -> None:
    bodies = Bodies(PAIR, CELLS, (standing(1, 9.0, 1.0),), ())
    assert figure(bodies, 0, 0) is None
