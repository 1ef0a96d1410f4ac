"""Whom each place of a camera's coarse picture shows: one person, also where several stand."""

import numpy as np
import pytest

from scene.arrays import Bools, Ints
from scene.geometry import project
from scene.messages import Detections, Position
from stitching.cells import SMALL
from stitching.maps import Maps
from stitching.people.bodies import Bodies
from stitching.people.silhouettes import owners, silhouettes
from tests.stitching.strip_views import facing_pair, found, standing, strip_cells

PAIR = facing_pair()
CELLS = strip_cells(PAIR)
FAR, NEAR = standing(1, 15.0, 1.6), standing(2, 13.6, 0.5)
"""In the western camera's picture the nearer one hides half of the farther one."""
BESIDE = standing(3, 13.5, 1.2)
"""Right of the nearer one in that picture, and not behind."""


def bodies_of(*people: Position, finds: tuple[Detections, ...] = ()) -> Bodies:
    return Bodies(PAIR, CELLS, people, finds)


def drawn(bodies: Bodies, *, differs: bool = False) -> list[Maps]:
    """Draw everybody's silhouettes in the western camera's picture."""
    owner = owners(bodies, 0)
    changed: Bools = np.full(owner.shape, differs)
    count = len(bodies.people)
    return [silhouettes(bodies, 0, owner, bit, changed) for bit in range(count)]


def axis_spots(person: Position) -> tuple[Ints, Ints]:
    """Give the rows and columns of the coarse picture along a body's axis."""
    up_m = np.linspace(0.1, 1.6, 12)[:, None] * [0.0, 0.0, 1.0]
    pixels, seen = project(PAIR[0], np.array(person.xyz_m) + up_m)
    assert seen.all()
    column, row = (pixels / SMALL).astype(np.int64).T
    return row, column


def test_the_pictures_for_these_tests_do_overlap() -> None:
    core = bodies_of(FAR, NEAR).core[0]
    assert ((core & 3) == 3).sum() > 20


def test_a_place_shows_one_person() -> None:
    for differs in (False, True):
        far, near = drawn(bodies_of(FAR, NEAR), differs=differs)
        assert (far[..., 1] + near[..., 1]).max() == 1
        for one in (far, near):
            assert one[..., 1].sum() > 5


def test_where_both_surely_are_it_is_the_nearer_one() -> None:
    bodies = bodies_of(FAR, NEAR)
    both = (bodies.sure[0] & 3) == 3
    assert both.sum() >= 3
    assert np.all(owners(bodies, 0)[both] == 1)
    swapped = bodies_of(NEAR, FAR)
    assert np.all(owners(swapped, 0)[both] == 0)


def test_who_is_surely_there_comes_before_a_nearer_one_who_may_be() -> None:
    bodies = bodies_of(FAR, NEAR)
    place = (bodies.sure[0] & 1 > 0) & (bodies.core[0] & 2 > 0)
    place &= ~((bodies.sure[0] | bodies.thin[0]) & 2 > 0)
    assert place.any()
    assert np.all(owners(bodies, 0)[place] == 0)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_box_round_two_people_does_not_swallow_the_other_ones_place(
    order: tuple[int, int],
) -> None:
    two = NEAR, BESIDE
    people = [two[index] for index in order]
    bodies = bodies_of(*people, finds=(found(PAIR[0], *people),))
    assert len(bodies.boxes(0, 0)) + len(bodies.boxes(1, 0)) == 1
    owner = owners(bodies, 0)
    for bit, person in enumerate(people):
        assert np.all(owner[axis_spots(person)] == bit)


def test_a_margin_is_only_where_nobody_else_is() -> None:
    far, near = drawn(bodies_of(FAR, NEAR))
    owner = owners(bodies_of(FAR, NEAR), 0)
    assert not far[owner == 1].any() and not near[owner == 0].any()
    alone = drawn(bodies_of(FAR))[0]
    margin = (alone[..., 0] > 0) & (owners(bodies_of(FAR), 0) < 0)
    assert margin.sum() > 10
    assert (alone[..., 0] > far[..., 0]).any()


def test_what_differs_from_the_background_is_probably_the_body() -> None:
    (plain,), (changed,) = drawn(bodies_of(FAR)), drawn(bodies_of(FAR), differs=True)
    assert np.array_equal(plain[..., 0], changed[..., 0])
    assert np.array_equal(plain[..., 2], changed[..., 2])
    core = bodies_of(FAR).core[0] > 0
    assert np.array_equal(changed[..., 1] > 0, core)
    assert (plain[..., 1] < changed[..., 1]).any() and not (plain[..., 1] > changed[..., 1]).any()


def test_a_place_outside_all_outlines_is_nobodys() -> None:
    bodies = bodies_of(FAR, NEAR)
    owner = owners(bodies, 0)
    nobody = (bodies.core[0] | bodies.thin[0] | bodies.sure[0]) == 0
    assert np.array_equal(owner < 0, nobody)
    assert np.all(owners(bodies_of(), 0) == -1)
