"""Nobody's shadow is painted where another camera sees the floor; seams move for nothing else."""

from collections.abc import Sequence

import numpy as np
import pytest

from scene.arrays import Bools, Ints
from scene.messages import Detections, Position
from stitching.cells import Cells, nearest_camera
from stitching.people.bodies import Bodies
from stitching.seams.clearing import FEW, RELAX_NS, WAIT_NS, Clearing
from tests.stitching.strip_views import facing_pair, found, standing, strip_cells

PAIR = facing_pair()
BOTH = [True, True]
START_NS, STEP_NS = 1_000_000_000_000, 100_000_000
PLACES = [(13.0, 1.0), (14.0, 1.0), (14.6, -0.5), (15.0, 0.5), (16.2, 1.6), (17.5, 0.2)]


@pytest.fixture(scope="module")
def cells() -> Cells:
    return strip_cells(PAIR)


def clearing_of(cells: Cells, present: list[bool] = BOTH) -> Clearing:
    return Clearing(cells, nearest_camera(cells, present)[0], present)


@pytest.fixture
def clearing(cells: Cells) -> Clearing:
    return clearing_of(cells)


def bodies_of(cells: Cells, people: Sequence[Position], finds: Sequence[Detections] = ()) -> Bodies:
    return Bodies(PAIR, cells, people, finds, START_NS)


def draws(cells: Cells, bodies: Bodies, bits: int) -> Bools:
    """Tell (N, cells) where each camera draws one of those people."""
    return np.stack([cells.look_up(i, small & bits) > 0 for i, small in enumerate(bodies.core)])


def painted(drawn: Bools, labels: Ints) -> Bools:
    """Tell (cells,) where the painter itself draws one of them."""
    return np.asarray(drawn[labels, np.arange(len(labels))] & (labels >= 0))


@pytest.mark.parametrize(("x_m", "left_m"), PLACES)
def test_no_shadow_is_painted_where_another_camera_sees_the_spot_free(
    cells: Cells, clearing: Clearing, x_m: float, left_m: float
) -> None:
    bodies = bodies_of(cells, [standing(1, x_m, left_m), standing(2, x_m + 1.1, left_m + 0.7)])
    drawn = draws(cells, bodies, 3)
    free = (cells.seen & ~drawn).any(axis=0)
    assert (painted(drawn, clearing.base) & free).sum() > FEW
    assert clearing.update(bodies, START_NS, 3).any()
    assert not (painted(drawn, clearing.labels) & free).any()
    assert np.array_equal(clearing.labels < 0, clearing.base < 0)


@pytest.mark.parametrize(("x_m", "left_m"), PLACES)
def test_where_all_who_look_draw_somebody_the_cell_is_hidden(
    cells: Cells, clearing: Clearing, x_m: float, left_m: float
) -> None:
    bodies = bodies_of(cells, [standing(1, x_m, left_m)])
    clearing.update(bodies, START_NS, 1)
    drawn = draws(cells, bodies, 1)
    nobody_free = cells.seen.any(axis=0) & ~(cells.seen & ~drawn).any(axis=0)
    assert nobody_free.sum() > 5
    assert not (nobody_free & ~clearing.hidden).any()
    assert (clearing.hidden & ~nobody_free).sum() <= FEW


def test_what_changed_is_told(cells: Cells, clearing: Clearing) -> None:
    before = clearing.labels.copy()
    changed = clearing.update(bodies_of(cells, [standing(1, 14.0, 1.0)]), START_NS, 1)
    assert changed.any() and np.array_equal(changed, clearing.labels != before)


def test_an_absent_camera_is_asked_for_nothing(cells: Cells) -> None:
    alone = clearing_of(cells, [True, False])
    bodies = bodies_of(cells, [standing(1, 14.0, 1.0)])
    assert not alone.update(bodies, START_NS, 1).any()
    assert set(np.unique(alone.labels)) == {-1, 0}
    assert np.array_equal(alone.hidden, draws(cells, bodies, 1)[0])


def test_nothing_moves_while_nobody_is_there(cells: Cells, clearing: Clearing) -> None:
    for step in range(60):
        assert not clearing.update(bodies_of(cells, []), START_NS + step * STEP_NS, 0).any()
        assert not clearing.hidden.any()


def test_people_who_are_not_drawn_upright_move_nothing(cells: Cells, clearing: Clearing) -> None:
    bodies = bodies_of(cells, [standing(1, 14.0, 1.0), standing(2, 19.0, 2.0)])
    for step in range(40):
        assert not clearing.update(bodies, START_NS + step * STEP_NS, 0).any()
    assert not clearing.hidden.any()


def test_only_the_shadows_of_those_drawn_upright_are_hidden(
    cells: Cells, clearing: Clearing
) -> None:
    bodies = bodies_of(cells, [standing(1, 14.0, 1.0), standing(2, 17.0, 1.0)])
    clearing.update(bodies, START_NS, 2)
    assert clearing.hidden.any()
    assert not (clearing.hidden & ~draws(cells, bodies, 2).any(axis=0)).any()


def test_somebody_who_stands_still_moves_seams_once(cells: Cells, clearing: Clearing) -> None:
    moves = 0
    for step in range(60):
        bodies = bodies_of(cells, [standing(1, 14.0 + 0.02 * (-1) ** step, 1.0)])
        moves += bool(clearing.update(bodies, START_NS + step * STEP_NS, 1).any())
    assert moves == 1


def test_seams_follow_a_walker_no_oftener_than_they_may(cells: Cells, clearing: Clearing) -> None:
    moved_at_ns = []
    for step in range(60):
        at_ns = START_NS + step * STEP_NS
        bodies = bodies_of(cells, [standing(1, 12.5 + 0.08 * step, 1.0)])
        if clearing.update(bodies, at_ns, 1).any():
            moved_at_ns.append(at_ns)
    assert len(moved_at_ns) > 3
    assert min(np.diff(moved_at_ns)) >= WAIT_NS


def test_what_the_painter_draws_meanwhile_is_hidden(cells: Cells, clearing: Clearing) -> None:
    """Between two moves of the seams nobody is shown twice all the same."""
    clearing.update(bodies_of(cells, [standing(1, 13.0, 1.0)]), START_NS, 1)
    later = bodies_of(cells, [standing(1, 14.5, 1.0)])
    assert not clearing.update(later, START_NS + STEP_NS, 1).any()
    assert np.array_equal(clearing.hidden, painted(draws(cells, later, 1), clearing.labels))
    assert clearing.hidden.any()


def test_room_is_given_back_when_nobody_needs_it(cells: Cells, clearing: Clearing) -> None:
    nobody = bodies_of(cells, [])
    assert clearing.update(bodies_of(cells, [standing(1, 14.0, 1.0)]), START_NS, 1).any()
    assert not clearing.update(nobody, START_NS + RELAX_NS - 1, 0).any()
    assert clearing.update(nobody, START_NS + RELAX_NS, 0).any()
    assert np.array_equal(clearing.labels, clearing.base)
    assert not clearing.hidden.any()


def test_other_seams_are_cleared_at_once(cells: Cells, clearing: Clearing) -> None:
    bodies = bodies_of(cells, [standing(1, 14.0, 1.0)])
    clearing.update(bodies, START_NS, 1)
    other = np.where(cells.seen[0], 0, np.where(cells.seen[1], 1, -1))
    clearing.rebase(other)
    assert clearing.update(bodies, START_NS + STEP_NS, 1).any()
    drawn = draws(cells, bodies, 1)
    free = (cells.seen & ~drawn).any(axis=0)
    assert not (painted(drawn, clearing.labels) & free).any()


@pytest.mark.parametrize("company", [True, False], ids=["company", "alone"])
@pytest.mark.parametrize("off_m", [-0.8, -0.6, -0.4, 0.0])
@pytest.mark.parametrize("index", [0, 1])
def test_a_find_of_somebody_not_yet_located_is_painted_whole(
    cells: Cells, clearing: Clearing, index: int, off_m: float, company: bool
) -> None:
    """One camera shows them: nobody else can."""
    away = 1 if index == 0 else -1
    box = found(PAIR[index], standing(9, 15.0 + away * off_m, 1.9), at_ns=START_NS)
    people = [standing(1, 15.0 - away * 4.0, 0.8)] if company else []
    bodies = bodies_of(cells, people, [box])
    assert bodies.owners[-1] == index
    mine = cells.look_up(index, bodies.core[index] & (1 << len(people))) > 0
    assert not draws(cells, bodies, len(people))[:, mine].any()
    assert (clearing.base[mine] == index).mean() < 1
    clearing.update(bodies, START_NS, len(people))
    assert (clearing.labels[mine] == index).all()


def test_who_is_found_before_somebody_that_stands_upright_is_not_greyed(
    cells: Cells, clearing: Clearing
) -> None:
    """Both are drawn onto the same cells, which no other camera sees free."""
    inset, behind = standing(1, 13.0, 1.2), standing(9, 12.4, 1.2)
    boxes = [found(camera, one, at_ns=START_NS) for camera in PAIR for one in (inset, behind)]
    alone, together = bodies_of(cells, [inset]), bodies_of(cells, [inset], boxes)
    clearing.update(alone, START_NS, 1)
    hidden = clearing.hidden
    clearing.update(together, START_NS + 10 * STEP_NS, 1)
    loose = [bit for bit, owner in enumerate(together.owners) if owner >= 0]
    assert loose
    found_there = painted(draws(cells, together, sum(1 << bit for bit in loose)), clearing.labels)
    assert (found_there & hidden).any()
    assert not (found_there & clearing.hidden).any()


def test_whom_no_camera_shows_upright_is_painted_by_those_that_found_them(
    cells: Cells, clearing: Clearing
) -> None:
    """They have a place, and so no loose find; nobody else shows them all the same."""
    person = standing(1, 15.3, 1.9)
    bodies = bodies_of(cells, [person], [found(PAIR[0], person, at_ns=START_NS)])
    assert bodies.owners == (-1,)
    mine = cells.look_up(0, bodies.core[0]) > 0
    assert (clearing.base[mine] == 0).mean() < 1
    clearing.update(bodies, START_NS, 0)
    assert (clearing.labels[mine] == 0).all()
    assert not clearing.hidden.any()
