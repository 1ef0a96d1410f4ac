"""What insets and greying do to a panorama's planes; and what a camera shows without people."""

import cv2
import numpy as np
import pytest

from scene.arrays import Bools, Bytes
from scene.messages import Inset, YuvImage
from stitching.cells import CELL_PX, SMALL, Cells
from stitching.composition.backend import GREY, UNSEEN_LUMA
from stitching.maps import OUTSIDE
from stitching.people.background import LOOK_NS, Background
from stitching.people.bodies import Bodies
from stitching.people.drawing import draw
from stitching.people.hiding import CONTRAST, hide
from stitching.seams.fading import NOBODY
from tests.stitching.strip_views import RIBBON, facing_pair, standing, strip_cells

PAIR = facing_pair()
WIDTH, HEIGHT = RIBBON.size_px
CORNER_PX, SIZE_PX = (40, 60), (48, 80)
BOX = np.s_[60:140, 40:88]
HALF_BOX = np.s_[30:70, 20:44]


@pytest.fixture(scope="module")
def cells() -> Cells:
    return strip_cells(PAIR)


def even(luma: int, u: int, v: int, size_px: tuple[int, int] = RIBBON.size_px) -> YuvImage:
    """Give planes of one value each."""
    (width, height), half = size_px, (size_px[1] // 2, size_px[0] // 2)
    return YuvImage(
        y=np.full((height, width), luma, np.uint8),
        u=np.full(half, u, np.uint8),
        v=np.full(half, v, np.uint8),
    )


def ramp() -> YuvImage:
    """Give a camera's picture whose luma is half its column, and whose v is its chroma column."""
    width, height = PAIR[0].size_px
    x = np.arange(0.0, 256.0, 256 / width)
    v = np.arange(width // 2) % 256
    return YuvImage(
        y=np.tile(np.rint(x / 2).astype(np.uint8), (height, 1)),
        u=np.full((height // 2, width // 2), 150, np.uint8),
        v=np.tile(v.astype(np.uint8), (height // 2, 1)),
    )


def inset(opacity: float = 1.0, left_px: float = 200.0) -> Inset:
    """Look straight at a part of the camera's picture, pixel by pixel."""
    width, height = SIZE_PX
    x, y = np.meshgrid(np.arange(width) + left_px, np.arange(height) + 100.0)
    return Inset(
        tracks=(1,),
        feet_px=np.zeros((1, 2)),
        heads_px=np.zeros((1, 2)),
        camera="west",
        corner_px=CORNER_PX,
        opacity=np.full((height, width), opacity, np.float32),
        luma_x=x.astype(np.float32),
        luma_y=y.astype(np.float32),
    )


def copied(image: YuvImage) -> YuvImage:
    return YuvImage(y=image.y.copy(), u=image.u.copy(), v=image.v.copy())


def noise(seed: int = 0) -> YuvImage:
    rng = np.random.default_rng(seed)
    shapes = (HEIGHT, WIDTH), (HEIGHT // 2, WIDTH // 2), (HEIGHT // 2, WIDTH // 2)
    y, u, v = (rng.integers(0, 256, shape).astype(np.uint8) for shape in shapes)
    return YuvImage(y=y, u=u, v=v)


def test_an_inset_changes_the_planes_inside_it_and_nowhere_else() -> None:
    picture, before = noise(), noise()
    draw(picture, inset(), ramp(), 1.0)
    for plane, old, box in (
        (picture.y, before.y, BOX),
        (picture.u, before.u, HALF_BOX),
        (picture.v, before.v, HALF_BOX),
    ):
        changed = plane != old
        assert changed[box].mean() > 0.9
        changed[box] = False
        assert not changed.any()


def test_an_opaque_inset_is_the_cameras_picture() -> None:
    picture, image = noise(), ramp()
    draw(picture, inset(), image, 1.0)
    assert np.abs(picture.y[BOX].astype(int) - image.y[100:180, 200:248]).max() <= 1
    assert np.abs(picture.u[HALF_BOX].astype(int) - image.u[50:90, 100:124]).max() <= 1
    assert np.abs(picture.v[HALF_BOX].astype(int) - image.v[50:90, 100:124]).max() <= 1


def test_where_an_inset_is_clear_the_panorama_stays() -> None:
    picture, before = noise(), noise()
    draw(picture, inset(0.0), ramp(), 1.3)
    assert np.array_equal(picture.y, before.y)
    assert np.array_equal(picture.u, before.u) and np.array_equal(picture.v, before.v)


def test_half_an_opacity_mixes_both() -> None:
    picture = even(40, 100, 180)
    draw(picture, inset(0.5), even(120, 140, 120, PAIR[0].size_px), 1.0)
    values = [plane[box] for plane, box in planes(picture)]
    assert [value.min() for value in values] == [80, 120, 150]
    assert [value.max() for value in values] == [80, 120, 150]


def test_gain_brightens_luma_and_spreads_chroma_about_grey() -> None:
    picture = even(0, GREY, GREY)
    draw(picture, inset(), even(100, GREY + 20, GREY - 10, PAIR[0].size_px), 1.5)
    values = [int(plane[box][5, 5]) for plane, box in planes(picture)]
    assert values == [150, GREY + 30, GREY - 15]
    grey = even(0, 90, 90)
    draw(grey, inset(), even(100, GREY, GREY, PAIR[0].size_px), 0.6)
    assert [int(plane[box][5, 5]) for plane, box in planes(grey)] == [60, GREY, GREY]


def test_gain_does_not_run_over_white_or_full_colour() -> None:
    picture = even(0, GREY, GREY)
    draw(picture, inset(), even(200, 250, 5, PAIR[0].size_px), 1.9)
    assert [int(plane[box][5, 5]) for plane, box in planes(picture)] == [255, 255, 0]


def test_tables_that_point_outside_the_picture_do_no_harm() -> None:
    picture, outside = even(40, 100, 180), inset(0.0)
    outside.luma_x[:], outside.luma_y[:] = OUTSIDE, OUTSIDE
    draw(picture, outside, ramp(), 1.0)
    assert picture.y.min() == picture.y.max() == 40
    assert np.all(picture.u == 100) and np.all(picture.v == 180)


def planes(picture: YuvImage) -> list[tuple[Bytes, tuple[slice, slice]]]:
    return [(picture.y, BOX), (picture.u, HALF_BOX), (picture.v, HALF_BOX)]


def hidden_cells(cells: Cells) -> tuple[Bools, Bools]:
    """Hide 8 x 7 cells: gives them (cells,), and the pixels (H, W) well inside them."""
    grid = np.zeros(cells.shape, bool)
    grid[10:18, 30:37] = True
    inner = np.zeros((HEIGHT, WIDTH), bool)
    inner[12 * CELL_PX : 16 * CELL_PX, 32 * CELL_PX : 35 * CELL_PX] = True
    return grid.ravel(), inner


def hide_in(picture: YuvImage, cells: Cells, some: Bools) -> tuple[Bytes, Bools]:
    """Give painter and unseen afterwards; before, camera 1 painted everything."""
    painter, unseen = np.ones((HEIGHT, WIDTH), np.uint8), np.zeros((HEIGHT, WIDTH), bool)
    hide(picture, painter, unseen, some, cells)
    return painter, unseen


def test_what_is_hidden_is_grey_with_a_rest_of_its_contrast(cells: Cells) -> None:
    """Whoever else stands there is still to be seen."""
    some, inner = hidden_cells(cells)
    picture = noise()
    picture.y[:, ::2], picture.y[:, 1::2] = 60, 200
    hide_in(picture, cells, some)
    dark, light = picture.y[inner].min(), picture.y[inner].max()
    assert light - dark == pytest.approx(CONTRAST * 140, abs=1)
    assert (float(dark) - UNSEEN_LUMA) == pytest.approx(CONTRAST * (60 - UNSEEN_LUMA), abs=1)
    for plane in (picture.u, picture.v):
        assert np.all(plane[inner[::2, ::2]] == GREY)


def test_what_is_hidden_is_painted_by_nobody_and_unseen(cells: Cells) -> None:
    some, inner = hidden_cells(cells)
    painter, unseen = hide_in(noise(), cells, some)
    assert np.all(painter[inner] == NOBODY) and unseen[inner].all()
    assert np.array_equal(painter == NOBODY, unseen)
    assert np.all(painter[~unseen] == 1)
    grid: Bools = np.asarray(cells.spread(some.astype(np.uint8)) > 0)
    around = cv2.dilate(grid.astype(np.uint8), np.ones((2 * CELL_PX + 5,) * 2, np.uint8)) > 0
    assert unseen[grid].all()
    assert not unseen[~around].any()


def test_hiding_changes_nothing_three_cells_away(cells: Cells) -> None:
    some, _ = hidden_cells(cells)
    picture, before = noise(), noise()
    hide_in(picture, cells, some)
    away = np.ones((HEIGHT, WIDTH), bool)
    away[7 * CELL_PX : 21 * CELL_PX, 27 * CELL_PX : 40 * CELL_PX] = False
    assert np.array_equal(picture.y[away], before.y[away])
    for plane, old in ((picture.u, before.u), (picture.v, before.v)):
        assert np.array_equal(plane[away[::2, ::2]], old[away[::2, ::2]])


def test_hiding_nothing_changes_nothing(cells: Cells) -> None:
    picture, before = noise(), noise()
    painter, unseen = hide_in(picture, cells, np.zeros(cells.count, bool))
    assert np.array_equal(picture.y, before.y) and np.array_equal(picture.u, before.u)
    assert np.all(painter == 1) and not unseen.any()


def test_cells_that_reach_over_the_panoramas_edges_are_hidden_too(cells: Cells) -> None:
    grid = np.zeros(cells.shape, bool)
    grid[:3, :3] = grid[-3:, -3:] = True
    painter, _ = hide_in(noise(), cells, grid.ravel())
    assert painter[0, 0] == painter[-1, -1] == NOBODY


SOMEBODY = standing(1, 14.0, 1.2)


def scene(luma: int = 90) -> YuvImage:
    return even(luma, 120, 130, PAIR[0].size_px)


def with_somebody(cells: Cells) -> tuple[YuvImage, Bools]:
    """Paint a body into the western camera's picture; gives it and where (rows, columns)."""
    body: Bools = np.asarray(Bodies(PAIR, cells, [SOMEBODY]).core[0] > 0)
    image = copied(scene())
    image.y[np.repeat(np.repeat(body, SMALL, 0), SMALL, 1)] = 170
    return image, body


def background(cells: Cells, image: YuvImage, *, looks: int = 1) -> Background:
    """Look at a picture in which nobody is located."""
    seen, nobody = Background(cells.small_px), Bodies(PAIR, cells, [])
    for number in range(1, looks + 1):
        seen.look({0: image}, nobody, number * LOOK_NS)
    return seen


def test_what_never_moved_does_not_differ(cells: Cells) -> None:
    assert not background(cells, scene()).differs(0, scene()).any()


def test_what_stands_there_now_does(cells: Cells) -> None:
    image, body = with_somebody(cells)
    assert np.array_equal(background(cells, scene()).differs(0, image), body)


def test_colour_alone_makes_a_difference(cells: Cells) -> None:
    image = copied(scene())
    image.v[40:80, 40:80] = 160
    found = background(cells, scene()).differs(0, image)
    assert found[10:20, 10:20].all() and found.sum() == 100


def test_a_place_never_seen_without_people_differs(cells: Cells) -> None:
    assert Background(cells.small_px).differs(0, scene()).all()
    image, body = with_somebody(cells)
    seen = Background(cells.small_px)
    seen.look({0: image}, Bodies(PAIR, cells, [SOMEBODY]), LOOK_NS)
    assert np.array_equal(seen.differs(0, image), body)


def test_somebody_who_stands_still_does_not_become_background(cells: Cells) -> None:
    image, body = with_somebody(cells)
    seen, bodies = background(cells, scene()), Bodies(PAIR, cells, [SOMEBODY])
    for number in range(2, 80):
        seen.look({0: image}, bodies, number * LOOK_NS)
    assert np.array_equal(seen.differs(0, image), body)


def test_a_lasting_change_of_light_becomes_background(cells: Cells) -> None:
    seen, nobody = background(cells, scene()), Bodies(PAIR, cells, [])
    assert seen.differs(0, scene(130)).all()
    for number in range(2, 40):
        seen.look({0: scene(130)}, nobody, number * LOOK_NS)
    assert not seen.differs(0, scene(130)).any()


def test_looks_close_to_each_other_count_once(cells: Cells) -> None:
    seen, nobody = background(cells, scene()), Bodies(PAIR, cells, [])
    for step in range(1, 100):
        seen.look({0: scene(130)}, nobody, LOOK_NS + step * LOOK_NS // 100)
    assert seen.differs(0, scene(130)).all()
