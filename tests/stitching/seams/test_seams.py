"""Seams keep off people: whole bodies, painted once, calmly; and back when nobody needs room."""

from dataclasses import replace

import numpy as np
import pytest

from scene.arrays import Bools, Ints
from scene.geometry import CameraModel
from scene.messages import Detections, Position
from scene.rig import Rig
from stitching.cells import Cells, cells_of, nearest_camera
from stitching.maps import camera_map
from stitching.people.bodies import Bodies
from stitching.seams.fading import NOBODY, Fading, mid_overlap, painter_of
from stitching.seams.labels import RELAX_NS, WAIT_NS, Seams
from tests.stitching.views import CENTRE_M, fan, rig_of

STEP_NS = 100_000_000
ON_THE_SEAM_DEG = 22.5
"""Half-way between the left and the middle camera."""


@pytest.fixture(scope="module")
def rig() -> Rig:
    return rig_of(fan(), max_width_px=1200)


@pytest.fixture(scope="module")
def cells(rig: Rig) -> Cells:
    sizes_px = [camera.size_px for camera in rig.cameras]
    maps = [camera_map(camera, rig.surface) for camera in rig.cameras]
    return cells_of(maps, sizes_px, rig.surface.size_px)


@pytest.fixture
def seams(cells: Cells) -> Seams:
    return Seams(cells, nearest_camera(cells, [True] * 3)[0], [True] * 3)


def person(track: int, azimuth_deg: float, away_m: float = 7.0, height_m: float = 1.8) -> Position:
    angle = np.radians(azimuth_deg)
    x, y = CENTRE_M[:2] + away_m * np.array([np.cos(angle), np.sin(angle)])
    return Position(
        track=track,
        xyz_m=(float(x), float(y), 0.0),
        covariance_m2=((0.01, 0.0), (0.0, 0.01)),
        velocity_m_s=(0.0, 0.0),
        height_m=height_m,
        posture="lying" if height_m < 0.8 else "crouching" if height_m < 1.3 else "upright",
        certainty="certainly",
        seen_at_ns=0,
        cameras=("left",),
    )


def drawn(rig: Rig, cells: Cells, someone: Position, *, thin: bool = False) -> list[Bools]:
    """Give the cells (cells,) in which each camera draws a body, or surely does."""
    bodies = Bodies(rig.cameras, cells, [someone])
    pictures = bodies.thin if thin else bodies.core
    return [np.asarray(cells.look_up(i, small) > 0) for i, small in enumerate(pictures)]


def painters_of(labels: Ints, footprints: list[Bools]) -> set[int]:
    """Give who paints any of a body where it draws it."""
    return {i for i, cells in enumerate(footprints) if (labels[cells] == i).any()}


@pytest.mark.parametrize("height_m", [1.8, 1.1, 0.5])
@pytest.mark.parametrize("azimuth_deg", [-25.0, -22.5, 20.0, ON_THE_SEAM_DEG, 25.0])
def test_a_seam_goes_round_whoever_stands_lies_or_crouches_on_it(
    rig: Rig, cells: Cells, seams: Seams, azimuth_deg: float, height_m: float
) -> None:
    someone = person(1, azimuth_deg, height_m=height_m)
    footprints = drawn(rig, cells, someone)
    seams.update(Bodies(rig.cameras, cells, [someone]), STEP_NS)
    painter = seams.painters[1]
    assert painters_of(seams.labels, footprints) == {painter}
    assert (seams.labels[footprints[painter]] == painter).all()


def test_without_people_nothing_ever_moves(rig: Rig, cells: Cells, seams: Seams) -> None:
    before = seams.labels.copy()
    for step in range(100):
        assert not seams.update(Bodies(rig.cameras, cells, []), step * STEP_NS).any()
    assert np.array_equal(before, seams.labels)


def test_somebody_who_stands_still_moves_a_seam_once(rig: Rig, cells: Cells, seams: Seams) -> None:
    moves = 0
    for step in range(1, 60):
        jitter = 0.02 * (-1) ** step
        someone = person(1, ON_THE_SEAM_DEG + jitter)
        moves += bool(seams.update(Bodies(rig.cameras, cells, [someone]), step * STEP_NS).any())
    assert moves == 1


def test_a_walker_crosses_the_seam_whole_and_changes_painter_once(
    rig: Rig, cells: Cells, seams: Seams
) -> None:
    painters, moves = [], 0
    for step in range(80):
        someone = person(1, 40.0 - 0.5 * step)
        someone = replace(someone, velocity_m_s=(0.2, -0.6))
        bodies = Bodies(rig.cameras, cells, [someone])
        moves += bool(seams.update(bodies, (step + 1) * STEP_NS).any())
        painters.append(seams.painters[1])
        body = drawn(rig, cells, someone, thin=True)[painters[-1]]
        assert (seams.labels[body] == painters[-1]).all(), step
    assert painters[0] == 0 and painters[-1] == 1
    assert int(np.count_nonzero(np.diff(painters))) == 1
    assert moves < 20


def test_two_who_pass_each_other_on_the_seam_are_both_whole(
    rig: Rig, cells: Cells, seams: Seams
) -> None:
    for step in range(40):
        two = [person(1, 30.0 - 0.4 * step, 6.0), person(2, 14.0 + 0.4 * step, 8.0)]
        seams.update(Bodies(rig.cameras, cells, two), (step + 1) * STEP_NS)
        for someone in two:
            painter = seams.painters[someone.track]
            body = drawn(rig, cells, someone, thin=True)[painter]
            assert (seams.labels[body] == painter).all(), (step, someone.track)


def test_who_leaves_the_painters_picture_changes_painter_at_once(
    rig: Rig, cells: Cells, seams: Seams
) -> None:
    """However lately seams were tried: no cell tells that the body ends where the picture does."""
    inside, leaving = person(1, 16.0), person(1, 9.6)
    complete = [Bodies(rig.cameras, cells, [one]).complete()[0] for one in (inside, leaving)]
    seams.update(Bodies(rig.cameras, cells, [inside]), STEP_NS)
    seams.painters = {1: 0}
    seams.labels = np.where(cells.seen[0], 0, seams.labels)
    seams._left_over = cells.count  # as after a try that could not spare everybody
    assert complete[0][0] > 0.99 and complete[1][0] < 0.9
    seams.update(Bodies(rig.cameras, cells, [leaving]), STEP_NS + 1)
    assert seams.painters == {1: 1}


def test_room_is_given_back_when_nobody_needs_it(rig: Rig, cells: Cells, seams: Seams) -> None:
    bodies = Bodies(rig.cameras, cells, [person(1, ON_THE_SEAM_DEG)])
    assert seams.update(bodies, STEP_NS).any()
    nobody = Bodies(rig.cameras, cells, [])
    assert not seams.update(nobody, STEP_NS + WAIT_NS).any()
    assert seams.update(nobody, STEP_NS + RELAX_NS).any()
    assert np.array_equal(seams.labels, seams.base)
    assert seams.painters == {}


def test_somebody_just_found_and_not_yet_located_is_not_cut(
    rig: Rig, cells: Cells, seams: Seams
) -> None:
    """Each camera's box stands for itself: it is painted by that camera, or not at all."""
    someone = person(1, ON_THE_SEAM_DEG)
    boxes = []
    for camera, small in zip(
        rig.cameras[:2], Bodies(rig.cameras, cells, [someone]).core, strict=False
    ):
        rows, columns = np.nonzero(small)
        edges = [columns.min() * 8, rows.min() * 8, columns.max() * 8 + 7, rows.max() * 8 + 7]
        boxes.append(found(camera, edges))
    bodies = Bodies(rig.cameras, cells, [], boxes, 0)
    assert bodies.owners == (0, 1)
    seams.update(bodies, STEP_NS)
    for index in (0, 1):
        mine = np.asarray(cells.look_up(index, bodies.core[index]) > 0)
        share = (seams.labels[mine] == index).mean()
        assert share in {0.0, 1.0}


def found(camera: CameraModel, edges: list[int]) -> Detections:
    return Detections(
        camera=camera.name,
        captured_at_ns=0,
        boxes_px=np.array([edges], float),
        scores=np.array([0.9]),
        kinds=np.array([0]),
    )


def test_old_finds_are_not_trusted(rig: Rig, cells: Cells) -> None:
    box = found(rig.cameras[0], [10, 10, 60, 120])
    assert Bodies(rig.cameras, cells, [], [box], 0).count == 1
    assert Bodies(rig.cameras, cells, [], [box], 1_000_000_000).count == 0


def test_the_corners_of_a_find_are_nobody(rig: Rig, cells: Cells) -> None:
    """They would keep the seam off bare floor; only the room left round a body has them."""
    bodies = Bodies(rig.cameras, cells, [], [found(rig.cameras[0], [80, 80, 160, 240])], 0)
    thin, core, wide = (
        pictures[0][10:30, 10:20] for pictures in (bodies.thin, bodies.core, bodies.wide)
    )
    assert core[10, 5] and thin[10, 5]
    assert not core[[0, 0, -1, -1], [0, -1, 0, -1]].any()
    assert 0.6 < (core > 0).mean() < 0.9
    assert not (thin & ~core).any()
    assert wide.all()


def test_who_lies_may_lie_from_corner_to_corner_of_a_find(rig: Rig, cells: Cells) -> None:
    bodies = Bodies(rig.cameras, cells, [], [found(rig.cameras[0], [80, 80, 240, 160])], 0)
    assert bodies.core[0][10:20, 10:30].all()


def test_a_find_belongs_to_the_person_it_shows(rig: Rig, cells: Cells) -> None:
    someone = person(1, 40.0)
    rows, columns = np.nonzero(Bodies(rig.cameras, cells, [someone]).core[0])
    box = found(
        rig.cameras[0],
        [columns.min() * 8, rows.min() * 8, columns.max() * 8 + 7, rows.max() * 8 + 7],
    )
    assert Bodies(rig.cameras, cells, [someone], [box], 0).owners == (-1,)
    assert Bodies(rig.cameras, cells, [person(1, 5.0)], [box], 0).owners == (-1, 0)


def test_cells_are_seen_where_their_middles_are(rig: Rig, cells: Cells) -> None:
    rows, columns = cells.middles()
    maps = [camera_map(camera, rig.surface) for camera in rig.cameras]
    for index, camera in enumerate(maps):
        x0, y0, x1, y1 = camera.box
        inside = (columns >= x0) & (columns < x1) & (rows >= y0) & (rows < y1)
        seen = np.zeros(cells.count, bool)
        seen[inside] = camera.seen[rows[inside] - y0, columns[inside] - x0]
        assert np.array_equal(seen, cells.seen[index])


def test_refreshed_weights_are_what_all_of_them_anew_would_be(rig: Rig) -> None:
    maps = [camera_map(camera, rig.surface) for camera in rig.cameras]
    size_px = rig.surface.size_px
    fading, present = Fading(maps, 32, size_px), [True] * 3
    labels = mid_overlap(maps, present, size_px)
    weights = fading.weights(present, labels)
    moved = labels.copy()
    patch = moved[80:160, 300:420]
    patch[patch == 1] = 0
    seen = np.zeros(moved.shape, bool)
    x0, y0, x1, y1 = maps[0].box
    seen[y0:y1, x0:x1] = maps[0].seen
    moved = np.where((moved == 0) & ~seen, labels, moved)
    box = (280, 60, 440, 180)
    fading.refresh(weights, present, moved, box)
    anew = fading.weights(present, moved)
    for one, other in zip(weights, anew, strict=True):
        assert np.abs(one - other).max() < 1e-4
    total = np.zeros(moved.shape)
    for camera, weight in zip(maps, weights, strict=True):
        total[camera.box[1] : camera.box[3], camera.box[0] : camera.box[2]] += weight
    assert np.abs(total[labels != NOBODY] - 1).max() < 1e-5
    painter = painter_of(maps, weights, size_px, (0, 0, *size_px))
    assert np.array_equal(painter == NOBODY, labels == NOBODY)
