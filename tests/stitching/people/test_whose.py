"""Which camera shows whom: the one with the best view of all of them, and calmly so."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from scene.messages import Detections, Position
from stitching.people.bodies import Bodies
from stitching.people.whose import AGAIN_NS, LOST_NS, NOBODY, RECENT_NS, Whose
from tests.stitching.strip_views import facing_pair, found, standing, strip_camera, strip_cells

PAIR = facing_pair()
CELLS = strip_cells(PAIR)
WEST, EAST = 0, 1
START_NS = 1_000_000_000_000


def choose(
    whose: Whose,
    people: Sequence[Position],
    at_ns: int = START_NS,
    *,
    finds: Sequence[Detections] = (),
    present: tuple[bool, bool] = (True, True),
    together: bool = False,
) -> list[int]:
    bits = tuple(range(len(people)))
    companies = [bits] if together else [(bit,) for bit in bits]
    return whose.choose(Bodies(PAIR, CELLS, people, finds, at_ns), present, at_ns, companies)


def somebody(x_m: float, left_m: float = 1.0, track: int = 1, at_ns: int = START_NS) -> Position:
    return standing(track, x_m, left_m, at_ns=at_ns)


def test_the_nearest_of_two_like_cameras_shows_somebody() -> None:
    assert choose(Whose(), [somebody(13.5)]) == [WEST]
    assert choose(Whose(), [somebody(16.5)]) == [EAST]


def test_a_camera_farther_off_that_shows_the_feet_is_better_than_one_that_cuts_them() -> None:
    across = strip_camera("across", 15.0, 90.0, height_m=2.6, pitch_deg=-10.0)
    trio = (*PAIR, across)
    cells = strip_cells(trio)

    def chosen(left_m: float) -> list[int]:
        people = [standing(1, 14.5, left_m, cameras=("west", "across"), at_ns=START_NS)]
        return Whose().choose(Bodies(trio, cells, people), [True] * 3, START_NS, [(0,)])

    assert chosen(2.0) == [2]
    assert chosen(-0.5) == [WEST]


def test_a_camera_that_has_somebody_behind_another_one_is_not_taken() -> None:
    behind, alone = somebody(14.0, 1.6), somebody(14.0, 1.6, track=2)
    in_front = somebody(12.9, 0.5, track=3)
    assert choose(Whose(), [alone]) == [WEST]
    assert choose(Whose(), [behind, in_front])[0] == EAST
    assert choose(Whose(), [alone, somebody(12.9, -0.6, track=3)], together=True)[0] == WEST
    assert choose(Whose(), [behind, in_front], together=True) == [EAST, EAST]


def test_a_camera_that_has_somebody_right_before_another_one_is_not_taken() -> None:
    """It would show both of them, and the other one is drawn elsewhere once more."""
    beyond = somebody(15.6, 1.7, track=2)
    assert choose(Whose(), [somebody(14.8, 0.6)]) == [WEST]
    assert choose(Whose(), [somebody(14.8, 0.6), beyond])[0] == EAST


def test_the_choice_stays_while_another_camera_is_only_a_little_better() -> None:
    whose = Whose()
    assert choose(whose, [somebody(14.8)]) == [WEST]
    later_ns = START_NS + AGAIN_NS
    assert choose(whose, [somebody(15.2, at_ns=later_ns)], later_ns) == [WEST]
    assert choose(Whose(), [somebody(15.2)]) == [EAST]
    cut_ns = later_ns + AGAIN_NS
    assert choose(whose, [somebody(11.0, 0.5, at_ns=cut_ns)], cut_ns) == [EAST]


def test_a_camera_that_has_not_found_somebody_lately_is_not_taken() -> None:
    """A wall may be in its way: it is given up only when its last find is old."""
    whose = Whose()
    person = somebody(13.5)
    assert choose(whose, [person]) == [WEST]
    for late_ns, expected in ((RECENT_NS, WEST), (RECENT_NS + AGAIN_NS, EAST)):
        now_ns = START_NS + late_ns
        seen = replace(person, seen_at_ns=now_ns, cameras=("east",))
        assert choose(whose, [seen], now_ns) == [expected]


def test_a_box_of_somebody_is_a_find_before_tracking_knows_of_it() -> None:
    person = replace(somebody(13.5), cameras=("east",))
    assert choose(Whose(), [person]) == [EAST]
    box = found(PAIR[WEST], person, at_ns=START_NS)
    assert choose(Whose(), [person], finds=[box]) == [WEST]


def test_a_camera_that_was_searched_and_gives_somebody_no_box_does_not_show_them() -> None:
    """What tracking took for them there is somebody else: that one would be shown twice."""
    person = somebody(13.5)
    nothing = Detections(
        camera="west",
        captured_at_ns=START_NS,
        boxes_px=np.empty((0, 4)),
        scores=np.empty(0),
        kinds=np.empty(0, np.int64),
    )
    assert choose(Whose(), [person]) == [WEST]
    assert choose(Whose(), [person], finds=[nothing]) == [EAST]
    assert choose(Whose(), [replace(person, cameras=("west",))], finds=[nothing]) == [NOBODY]


def test_a_box_that_ends_at_the_lower_edge_lacks_the_feet_wherever_they_are_taken_to_be() -> None:
    person = somebody(14.2)
    boxes = [found(camera, person, at_ns=START_NS) for camera in PAIR]
    assert choose(Whose(), [person], finds=boxes) == [WEST]
    west = boxes[WEST]
    low = west.boxes_px.copy()
    low[:, 3] = PAIR[WEST].size_px[1] - 1.0
    assert choose(Whose(), [person], finds=[replace(west, boxes_px=low), boxes[EAST]]) == [EAST]


def test_an_absent_camera_shows_nobody_from_the_same_instant_on() -> None:
    whose = Whose()
    assert choose(whose, [somebody(13.5)]) == [WEST]
    assert choose(whose, [somebody(13.5)], START_NS + 1, present=(False, True)) == [EAST]
    assert choose(whose, [somebody(13.5)], START_NS + 2, present=(False, False)) == [NOBODY]


def test_whom_no_camera_sees_any_more_is_soon_shown_by_nobody() -> None:
    whose, person = Whose(), somebody(13.5)
    box = found(PAIR[WEST], person, at_ns=START_NS + LOST_NS + 1)
    assert choose(whose, [person]) == [WEST]
    assert choose(whose, [person], START_NS + LOST_NS, finds=[box]) == [WEST]
    assert choose(whose, [person], START_NS + LOST_NS + 1, finds=[box]) == [NOBODY]


def test_nobody_is_shown_by_a_camera_that_has_them_outside_its_picture() -> None:
    assert choose(Whose(), [replace(somebody(10.2), cameras=("west",))]) == [NOBODY]


def test_a_company_is_shown_by_one_camera() -> None:
    west, east = somebody(13.5), somebody(16.5, track=2)
    assert choose(Whose(), [west, east]) == [WEST, EAST]
    assert len(set(choose(Whose(), [west, east], together=True))) == 1


def test_whom_the_companys_camera_does_not_show_another_one_does() -> None:
    """Or nobody does: who is not found anywhere is not drawn, with company or without."""
    west = replace(somebody(14.6), cameras=("west",))
    east = replace(somebody(15.4, track=2), cameras=("east",))
    assert choose(Whose(), [west, east], together=True) == [WEST, EAST]
    nowhere = replace(somebody(15.0, track=2), cameras=())
    assert choose(Whose(), [west, nowhere], together=True) == [WEST, NOBODY]
