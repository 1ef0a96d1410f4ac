"""Whom each place of a camera's picture shows: one person, also where several stand."""

import numpy as np
import pytest

from scene.arrays import Bools, Ints
from scene.geometry import project
from scene.messages import Detections, Position
from stitching.maps import Maps
from stitching.people.bodies import Bodies
from stitching.people.figures import FINE
from stitching.people.silhouettes import CHANGED, Divided, silhouettes
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
    """Draw everybody's silhouettes over the western camera's whole picture."""
    changed: Bools = np.full(bodies.core[0].shape, differs)
    pictures, divided = [], Divided(bodies, 0)
    for bit in range(len(bodies.people)):
        (row, column), part = silhouettes(bodies, divided, [bit], changed)
        whole = np.zeros((*divided.owner.shape, 2), np.float32)
        whole[row : row + part.shape[0], column : column + part.shape[1]] = part
        pictures.append(whole)
    return pictures


def axis_spots(person: Position) -> tuple[Ints, Ints]:
    """Give the rows and columns of the picture's places along a body's axis."""
    up_m = np.linspace(0.1, 1.6, 12)[:, None] * [0.0, 0.0, 1.0]
    pixels, seen = project(PAIR[0], np.array(person.xyz_m) + up_m)
    assert seen.all()
    column, row = (pixels / FINE).astype(np.int64).T
    return row, column


def test_the_pictures_for_these_tests_do_overlap() -> None:
    core = bodies_of(FAR, NEAR).core[0]
    assert ((core & 3) == 3).sum() > 20


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_where_figures_overlap_it_is_the_nearer_one(order: tuple[int, int]) -> None:
    two = FAR, NEAR
    bodies = bodies_of(*(two[index] for index in order))
    divided = Divided(bodies, 0)
    assert np.all(divided.owner[axis_spots(NEAR)][:9] == order.index(1))
    both = (divided.figures[0].chance > 0.9).sum() + (divided.figures[1].chance > 0.9).sum()
    assert both > 100


def test_beside_the_nearer_ones_head_and_legs_it_is_the_farther_one() -> None:
    """Nobody fills the corners of their box."""
    divided = Divided(bodies_of(FAR, NEAR), 0)
    rows, columns = divided.figures[1].box
    corner: Bools = np.zeros(divided.owner.shape, bool)
    corner[rows.start : rows.start + 6, columns] = True
    far: Bools = np.zeros(divided.owner.shape, bool)
    far[divided.figures[0].box] = divided.figures[0].chance > 0.5
    assert (corner & far).sum() > 5
    assert np.sum(divided.owner[corner & far] == 0) > 5


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_box_round_two_people_does_not_swallow_the_other_ones_place(
    order: tuple[int, int],
) -> None:
    two = NEAR, BESIDE
    people = [two[index] for index in order]
    bodies = bodies_of(*people, finds=(found(PAIR[0], *people),))
    assert len(bodies.boxes(0, 0)) + len(bodies.boxes(1, 0)) == 1
    owner = Divided(bodies, 0).owner
    for bit, person in enumerate(people):
        assert np.all(owner[axis_spots(person)][2:] == bit)


def test_a_margin_is_only_where_nobody_else_is() -> None:
    far, near = drawn(bodies_of(FAR, NEAR))
    divided = Divided(bodies_of(FAR, NEAR), 0)
    for bit, one in enumerate((far, near)):
        mine = (divided.owner == bit) | (divided.owner < 0)
        elsewhere = (one[..., 0] > 0) & ~mine
        # A strip along the border is shown with both.
        assert elsewhere.sum() < 0.25 * one[..., 0].sum()
        assert np.all(one[..., 1][elsewhere] > 0)
    alone = drawn(bodies_of(FAR))[0]
    assert ((alone[..., 0] > 0) & (Divided(bodies_of(FAR), 0).owner < 0)).sum() > 40
    assert (alone[..., 0] > far[..., 0]).any()


def test_whoever_may_as_well_be_there_is_shown_there_too() -> None:
    far, near = drawn(bodies_of(FAR, NEAR))
    both = (far[..., 1] > 0) & (near[..., 1] > 0)
    assert both.sum() > 5
    owner = Divided(bodies_of(FAR, NEAR), 0).owner
    surely = near[..., 1] > 0.9
    assert np.all(owner[surely] == 1) and not far[..., 0][surely].any()


def test_a_strip_of_a_much_smaller_figure_is_not_shown_with_a_larger_one() -> None:
    small, large = standing(1, 19.4, 2.0), standing(2, 12.6, -0.4)
    divided = Divided(bodies_of(small, large), 0)
    assert divided.like(1).tolist() == [False, True, True]
    assert divided.like(0).tolist() == [True, True, True]
    near = drawn(bodies_of(small, large))[1]
    edge = (near[..., 0] > 0) & (near[..., 1] > 0) & (divided.owner == 0)
    assert (divided.owner == 0).any() and not edge.any()


def test_what_differs_from_the_background_is_likelier_the_body() -> None:
    (plain,), (changed,) = drawn(bodies_of(FAR)), drawn(bodies_of(FAR), differs=True)
    assert np.array_equal(plain[..., 0], changed[..., 0])
    assert np.all(changed[..., 1] >= plain[..., 1])
    more = changed[..., 1] > plain[..., 1]
    assert more.any() and changed[..., 1][more] == pytest.approx(CHANGED)


def test_a_place_outside_all_outlines_is_nobodys() -> None:
    bodies = bodies_of(FAR, NEAR)
    divided = Divided(bodies, 0)
    assert np.all(divided.owner[:4] == -1) and (divided.owner >= 0).any()
    assert np.all(Divided(bodies_of(), 0).owner == -1)


def test_it_is_told_who_hides_whom_and_who_would_be_shown_with_them() -> None:
    seen, there, whole = Divided(bodies_of(FAR, NEAR), 0).mixed()
    assert there.sum(axis=1) == pytest.approx(whole)
    assert seen[1].sum() == pytest.approx(whole[1])
    assert 0.2 * whole[0] < seen[0].sum() < 0.9 * whole[0]
    assert there[0, 1] > 0.2 * whole[0]
    (alone,), _, (all_of_it,) = Divided(bodies_of(FAR), 0).mixed()
    assert alone[0] == pytest.approx(all_of_it, rel=0.02)
