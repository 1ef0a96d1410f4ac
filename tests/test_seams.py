"""Each kind of harm at a seam, painted on purpose, must be found; what is whole must not."""

import numpy as np
import pytest

from scene.arrays import Bools, Bytes
from scene.rig import Rig
from scene.site import PanoramaConfig
from stitching.layout import choose_surface
from stitching.maps import camera_map
from tests.sample_site import Mask
from tests.seams import carried, drawn_off, judge
from tests.stitching.views import camera

HEIGHT, WIDTH = 60, 200
SEAM_X = 100


def painters(seam_x: int = SEAM_X) -> Bytes:
    """Left of the seam camera 0 paints, right of it camera 1."""
    painter = np.zeros((HEIGHT, WIDTH), np.uint8)
    painter[:, seam_x:] = 1
    return painter


def body(from_x: int, to_x: int) -> Bools:
    """A body 40 px high; both cameras see all of the panorama unless cut by hand."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[10:50, from_x:to_x] = True
    return mask


def test_a_person_beside_the_seam_is_whole() -> None:
    whole = judge({0: body(60, 80), 1: body(60, 80)}, painters())
    assert whole is not None
    assert (whole.is_cut, whole.is_doubled, whole.is_lost) == (False, False, False)
    assert (whole.body_px, whole.painted_px) == (800, {0: 800, 1: 0})


def test_a_person_on_the_seam_is_cut_and_nothing_else() -> None:
    cut = judge({0: body(90, 110), 1: body(90, 110)}, painters())
    assert cut is not None
    assert (cut.is_cut, cut.is_doubled, cut.is_lost) == (True, False, False)
    assert cut.painted_px == {0: 400, 1: 400}


def test_a_sleeve_over_the_seam_is_no_cut() -> None:
    sleeve = judge({0: body(60, 101), 1: body(60, 101)}, painters())
    assert sleeve is not None
    assert not sleeve.is_cut


def test_a_person_drawn_on_both_sides_is_doubled() -> None:
    """The left camera draws them 25 px too far left, the right one 25 px too far right."""
    shown = {0: body(65, 85), 1: body(115, 135)}
    doubled = judge(shown, painters(), {0: (-25.0, 0.0), 1: (25.0, 0.0)})
    assert doubled is not None
    assert (doubled.doubled, doubled.lost) == (1.0, 0.0)
    assert doubled.is_doubled and not doubled.is_lost


def test_a_person_whom_neither_side_paints_is_lost() -> None:
    """The left camera draws them 25 px too far right, the right one as much too far left."""
    shown = {0: body(115, 135), 1: body(65, 85)}
    lost = judge(shown, painters(), {0: (25.0, 0.0), 1: (-25.0, 0.0)})
    assert lost is not None
    assert (lost.doubled, lost.lost) == (0.0, 1.0)
    assert lost.is_lost and not lost.is_doubled and not lost.is_cut


def test_a_small_slip_at_the_seam_costs_just_its_strip() -> None:
    shown = {0: body(88, 108), 1: body(92, 112)}
    slipped = judge(shown, painters(), {0: (-2.0, 0.0), 1: (2.0, 0.0)})
    assert slipped is not None
    assert slipped.doubled == pytest.approx(4 / 20)
    assert slipped.lost == 0


def test_halves_that_different_cameras_show_are_one_body() -> None:
    """Each camera's picture ends within the person; what it lacks, its neighbour paints."""
    halves = judge({0: body(90, 102), 1: body(98, 110)}, painters())
    assert halves is not None
    assert (halves.body_px, halves.doubled, halves.lost) == (800, 0, 0)
    assert halves.is_cut


def test_a_seam_that_hands_a_person_to_the_camera_that_does_not_show_them_loses_them() -> None:
    lost = judge({0: body(105, 125)}, painters())
    assert lost is not None
    assert lost.is_lost


def test_who_is_hardly_on_the_panorama_is_not_judged() -> None:
    assert judge({0: body(60, 61)}, painters()) is None


def test_a_mask_is_carried_through_the_table_that_paints_it() -> None:
    model = camera("cam1", 0.0, -10.0)
    rig = Rig(
        cameras=(model,),
        surface=choose_surface([model], PanoramaConfig()),
        anchor="survey",
        quality={},
    )
    width, height = model.size_px
    mask = np.zeros((height, width), bool)
    mask[height // 3 : height // 2, width // 3 : width // 2] = True
    found = carried(mask, camera_map(model, rig.surface), rig.surface.size_px)
    rows, columns = np.nonzero(found)
    middle = np.array([[columns.mean(), rows.mean()]])
    ray = rig.surface.directions(middle) @ model.camera_from_mine[:3, :3].T
    u = model.k[0, 0] * ray[0, 0] / ray[0, 2] + model.k[0, 2]
    assert abs(u - (width / 3 + width / 2) / 2) < 3
    body_m = np.asarray(model.centre_m) + np.array([[5.0, 0.2, -1.0], [5.0, 0.2, -0.5]])
    assert np.abs(drawn_off(rig, model, model, body_m)).max() < 1e-6


def test_masks_are_decoded_as_coco_encodes_them() -> None:
    """Counts run down the columns; the text is what pycocotools writes for the same mask."""
    plain = Mask(size_px=(3, 4), counts=(5, 2, 2, 1, 2), area_px=3)
    wanted = [[0, 0, 0], [0, 1, 1], [0, 1, 0], [0, 0, 0]]
    assert plain.pixels().astype(int).tolist() == wanted
    assert Mask(size_px=(3, 4), counts="522O0", area_px=3).pixels().astype(int).tolist() == wanted
