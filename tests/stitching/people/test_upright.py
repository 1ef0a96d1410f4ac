"""Insets: who lies over whom, and that nothing is shown that no camera has in its picture."""

from collections.abc import Sequence

import numpy as np
import pytest

from scene.arrays import Bools, Floats, Ints
from scene.geometry import CameraModel, project
from scene.messages import Inset, Position
from stitching.people.bodies import Bodies
from stitching.people.companies import Company
from stitching.people.upright import HALF, insets
from tests.stitching.strip_views import RIBBON, facing_pair, standing, strip_camera, strip_cells

PAIR = facing_pair()
FAR = standing(1, 15.0, 1.6)


def stood_up(
    people: Sequence[Position],
    shown_by: Sequence[int],
    cameras: Sequence[CameraModel] = PAIR,
    *,
    differs: bool = False,
    companies: Sequence[Company] | None = None,
) -> tuple[Inset, ...]:
    cells = strip_cells(cameras)
    changed: dict[int, Bools] = {
        index: np.full(size, differs) for index, size in enumerate(cells.small_px)
    }
    alone = [(bit,) for bit in range(len(people))]
    together = alone if companies is None else companies
    return insets(Bodies(cameras, cells, people), RIBBON, shown_by, changed, together)


def opacity_at(inset: Inset, places_px: Floats) -> Floats:
    """Give the opacity (N,) at panorama pixels (N, 2); 0 outside the inset."""
    width, height = RIBBON.size_px
    whole = np.zeros((height, width))
    (x, y), (rows, columns) = inset.corner_px, inset.opacity.shape
    whole[y : y + rows, x : x + columns] = inset.opacity
    column, row = np.rint(places_px).astype(np.int64).T
    return np.asarray(whole[row, column])


def axis_px(person: Position, low_m: float = 0.2, high_m: float = 1.6) -> Floats:
    """Give the panorama pixels (N, 2) of a body's axis, drawn upright."""
    up_m = np.linspace(low_m, high_m, 12)[:, None] * [0.0, 0.0, 1.0]
    return RIBBON.upright(np.array(person.xyz_m) + up_m)


@pytest.mark.parametrize("shown_by", [0, 1])
def test_somebody_is_drawn_from_feet_to_head_over_their_place(shown_by: int) -> None:
    (inset,) = stood_up([FAR], [shown_by])
    assert inset.tracks == (1,) and inset.camera == PAIR[shown_by].name
    assert opacity_at(inset, axis_px(FAR)).min() > 0.99
    beside = axis_px(FAR)
    for way in (-1, 1):
        assert opacity_at(inset, beside + np.array([way * 0.9 * RIBBON.px_per_m, 0])).max() == 0


def test_farther_people_come_first_whatever_their_order() -> None:
    three = [
        standing(track, 14.0 + track, left_m) for track, left_m in ((1, 0.9), (2, 2.0), (3, 1.4))
    ]
    for people in (three, three[::-1]):
        assert [inset.tracks for inset in stood_up(people, [0, 0, 0])] == [(2,), (3,), (1,)]


def test_whom_no_camera_shows_has_no_inset() -> None:
    near = standing(2, 15.5, 0.9)
    assert [inset.tracks for inset in stood_up([FAR, near], [-1, 0])] == [(2,)]
    assert stood_up([FAR, near], [-1, -1]) == ()
    assert stood_up([], []) == ()


@pytest.mark.parametrize("cameras", [(0, 0), (0, 1)])
def test_the_mere_margin_of_a_nearer_one_does_not_cover_a_farther_ones_body(
    cameras: tuple[int, int],
) -> None:
    near = standing(2, 15.4, 0.9)
    shared = axis_px(FAR, 0.5, 1.1)
    (alone,) = stood_up([near], cameras[1:])
    farther, nearer = stood_up([FAR, near], cameras)
    assert opacity_at(alone, shared).min() > HALF
    assert opacity_at(farther, shared).min() > 0.99
    assert opacity_at(nearer, shared).max() == 0


@pytest.mark.parametrize("cameras", [(0, 0), (0, 1)])
def test_the_body_of_a_nearer_one_covers_a_farther_one(cameras: tuple[int, int]) -> None:
    near = standing(2, 15.0, 0.9)
    shared = axis_px(near, 0.8, 1.5)
    farther, nearer = stood_up([FAR, near], cameras)
    assert opacity_at(farther, shared).min() > 0.9
    assert opacity_at(nearer, shared).min() > 0.99


def test_a_changed_picture_makes_a_nearer_ones_outline_cover_more_of_a_farther_ones_margin() -> (
    None
):
    near = standing(2, 15.4, 0.9)
    _, plain = stood_up([FAR, near], [0, 1])
    _, changed = stood_up([FAR, near], [0, 1], differs=True)
    assert plain.opacity.shape == changed.opacity.shape
    assert changed.opacity.sum() >= plain.opacity.sum()


def test_nothing_beyond_the_cameras_picture_is_opaque() -> None:
    """A camera that cuts the feet shows somebody without them, not with what is at its border."""
    camera = strip_camera("across", 15.0, 90.0, height_m=2.6, pitch_deg=-5.0)
    person = standing(1, 15.0, 0.4, cameras=("across",))
    (inset,) = stood_up([person], [0], [camera])
    feet_m, head_m = np.array(person.xyz_m), np.array(person.xyz_m) + np.array([0.0, 0.0, 1.6])
    assert project(camera, np.stack([feet_m, head_m]))[1].tolist() == [False, True]
    below, above = opacity_at(inset, RIBBON.upright(np.stack([feet_m, head_m])))
    assert below == 0 and above > 0.99
    seen: Ints = np.nonzero(inset.opacity)[0]
    assert len(seen) and inset.luma_y[inset.opacity > 0].max() <= camera.size_px[1] - 1
    assert inset.luma_x[inset.opacity > 0].min() >= 0


def test_somebody_outside_the_picture_of_their_camera_has_no_inset() -> None:
    assert stood_up([standing(1, 9.0, 1.0)], [0]) == ()


def test_tables_and_opacity_of_an_inset_lie_over_whole_chroma_pixels() -> None:
    for inset in stood_up([FAR, standing(2, 15.33, 0.87)], [0, 1]):
        assert inset.luma_x.shape == inset.luma_y.shape == inset.opacity.shape
        assert not np.any(np.array([*inset.corner_px, *inset.opacity.shape]) % 2)
        assert inset.opacity.min() >= 0 and inset.opacity.max() <= 1


def test_a_company_is_one_picture_in_which_nobody_gives_way() -> None:
    near = standing(2, 15.0, 1.1)
    (both,) = stood_up([FAR, near], [0, 0], companies=[(0, 1)])
    assert both.tracks == (1, 2)
    apart = stood_up([FAR, near], [0, 0])
    assert min(one.opacity.max() for one in apart) > 0.99
    for feet, heads in zip(both.feet_px, both.heads_px, strict=True):
        up = np.linspace(0.15, 0.9, 10)[:, None]
        assert opacity_at(both, feet + up * (heads - feet)).min() > 0.99


def test_each_of_a_company_is_where_the_camera_draws_them_and_on_average_at_their_place() -> None:
    people = [FAR, standing(2, 15.4, 1.1)]
    (both,) = stood_up(people, [0, 0], companies=[(0, 1)])
    own_px = RIBBON.upright(np.array([person.xyz_m for person in people]))
    assert (both.feet_px - own_px).mean(axis=0) == pytest.approx([0, 0], abs=1e-6)
    assert np.abs(both.feet_px - own_px).max() > 2
    for person, foot in zip(people, both.feet_px, strict=True):
        # What lies at the drawn feet is what the camera shows there.
        column, row = np.rint(foot).astype(int) - both.corner_px
        (truly,), _ = project(PAIR[0], np.array([person.xyz_m]))
        shown = both.luma_x[row, column], both.luma_y[row, column]
        assert shown == pytest.approx(truly.tolist(), abs=12)


def test_a_company_that_two_cameras_show_is_two_pictures() -> None:
    near = standing(2, 15.0, 1.1)
    shown = stood_up([FAR, near], [0, 1], companies=[(0, 1)])
    assert sorted(one.tracks for one in shown) == [(1,), (2,)]


def test_a_company_whose_picture_would_end_beside_somebody_is_drawn_one_by_one() -> None:
    """At the panorama's end, perspective would move one of them beyond it: gone, and untagged."""
    width_px = RIBBON.size_px[0]
    end_m = RIBBON.chainage_left_m + width_px / RIBBON.px_per_m
    people = [standing(1, end_m - 0.25, 0.6), standing(2, end_m - 0.25, 1.4)]
    assert all(0 <= x < width_px for x, _ in RIBBON.upright(np.array([p.xyz_m for p in people])))
    shown = stood_up(people, [0, 0], companies=[(0, 1)])
    assert sorted(one.tracks for one in shown) == [(1,), (2,)]
    assert all((one.feet_px[:, 0] < width_px).all() for one in shown)


def test_a_company_wider_than_a_billboard_is_drawn_one_by_one() -> None:
    three = [standing(1, 14.7, 0.1), standing(2, 15.0, 0.9), standing(3, 15.3, 1.7)]
    shown = stood_up(three, [1, 1, 1], companies=[(0, 1, 2)])
    assert sorted(one.tracks for one in shown) == [(1,), (2,), (3,)]
