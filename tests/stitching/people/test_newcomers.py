"""Whom two cameras find at one spot stands there, though nobody has placed them yet."""

from collections.abc import Sequence

import numpy as np
import pytest

from scene.messages import Detections, Position
from stitching.people.bodies import Bodies
from stitching.people.newcomers import Newcomers
from tests.stitching.strip_views import RIBBON, facing_pair, found, standing, strip_cells

PAIR = facing_pair()
CELLS = strip_cells(PAIR)
START_NS = 1_000_000_000_000


def placed(
    finds: Sequence[Detections], people: Sequence[Position] = (), times: int = 1
) -> list[Position]:
    newcomers = Newcomers(RIBBON)
    bodies = Bodies(PAIR, CELLS, people, finds, START_NS)
    return [one for _ in range(times) for one in newcomers.of(bodies, START_NS)]


def boxes_of(*people: Position) -> list[Detections]:
    """Both cameras find everybody."""
    return [found(camera, one, at_ns=START_NS) for camera in PAIR for one in people]


@pytest.mark.parametrize(("x_m", "left_m"), [(14.0, 1.0), (15.0, 0.0), (16.4, 1.7)])
def test_whom_two_cameras_find_stands_where_their_lines_of_sight_meet(
    x_m: float, left_m: float
) -> None:
    (one,) = placed(boxes_of(standing(1, x_m, left_m)))
    assert np.linalg.norm(np.array(one.xyz_m) - [x_m, left_m, 0.0]) < 0.35
    assert abs(one.height_m - 1.8) < 0.15
    assert one.cameras == ("west", "east")
    assert one.seen_at_ns == START_NS


def test_two_people_are_two() -> None:
    two = placed(boxes_of(standing(1, 13.6, 0.4), standing(2, 16.4, 1.6)))
    assert sorted(round(one.xyz_m[0]) for one in two) == [14, 16]


def test_what_one_camera_finds_alone_has_no_place() -> None:
    someone, other = standing(1, 14.0, 1.0), standing(2, 17.0, 0.0)
    assert placed([found(PAIR[0], someone, at_ns=START_NS)]) == []
    apart = [found(PAIR[0], someone, at_ns=START_NS), found(PAIR[1], other, at_ns=START_NS)]
    assert placed(apart) == []


def test_who_is_known_is_no_newcomer() -> None:
    someone = standing(1, 15.0, 1.0)
    assert placed(boxes_of(someone), [someone]) == []
    # Boxes beside theirs are somebody's whom nobody has placed, but nobody new stands so near.
    beside = standing(2, 15.0, 1.43)
    assert len(placed(boxes_of(beside))) == 1
    assert placed(boxes_of(someone, beside), [someone]) == []


def test_a_box_that_ends_far_above_the_floor_or_beyond_the_panorama_stands_nowhere() -> None:
    assert placed(boxes_of(standing(1, 15.0, -7.0))) == []
    low = [
        Detections(
            camera=box.camera,
            captured_at_ns=START_NS,
            boxes_px=box.boxes_px * [[1.0, 0.0, 1.0, 0.0]] + [[0.0, 170.0, 0.0, 178.0]],
            scores=box.scores,
            kinds=box.kinds,
        )
        for box in boxes_of(standing(1, 15.0, 1.0))
    ]
    assert placed(low) == []


def test_numbers_are_nobody_elses_and_never_given_again() -> None:
    twice = placed(boxes_of(standing(1, 15.0, 1.0)), times=2)
    assert len(twice) == 2
    assert all(one.track < 0 for one in twice)
    assert twice[0].track != twice[1].track
