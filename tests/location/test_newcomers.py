"""What must be seen of somebody new before a head-count takes them in."""

from dataclasses import replace

import numpy as np
import pytest

from location.tracker import Tracker
from scene.arrays import Floats
from scene.floor import Floor
from scene.messages import Detections, Position
from scene.rig import Rig
from scene.surface import Cylinder
from tests.location import mine

AHEAD = mine.camera("ahead", mine.RIG_M, 5.0)
ACROSS = mine.camera("across", (34.0, 2.2, 2.9), 180.0)
HEAP_M, AWAY_M = (26.0, -1.0), (26.0, 1.2)
SURE, WEAK, VAGUE = 0.8, 0.47, 0.3


def tracker(*cameras: str) -> Tracker:
    surface = Cylinder(
        centre_m=mine.RIG_M,
        azimuth_left_rad=3.0,
        tan_top=0.3,
        px_per_rad=700,
        size_px=(2800, 700),
    )
    known = tuple(view for view in (AHEAD, ACROSS) if view.name in cameras)
    return Tracker(Rig(cameras=known, surface=surface, anchor="survey", quality={}), floor())


def floor() -> Floor:
    return Floor(mine.FLOOR)


def standing_at(place_m: tuple[float, float]) -> Floats:
    z_m = floor().z_m(np.array([place_m]))[0]
    return np.asarray(mine.standing() + np.array([*place_m, z_m]))


def look(at_s: float, *seen: tuple[tuple[float, float], float]) -> Detections:
    """What the camera finds at places, each with a score."""
    bodies = [standing_at(place_m) for place_m, _ in seen]
    found = mine.detections(AHEAD, round(at_s * mine.SECOND_NS), bodies)
    return replace(found, scores=np.array([score for _, score in seen], float))


def follow(one: Tracker, looks: list[Detections]) -> list[tuple[Position, ...]]:
    found = []
    for seen in looks:
        one.update((seen,))
        found.append(one.positions(seen.captured_at_ns))
    return found


def still(
    from_s: float, to_s: float, score: float, place_m: tuple[float, float] = HEAP_M
) -> list[Detections]:
    times = np.arange(round(10 * from_s), round(10 * to_s)) / 10
    return [look(float(t), (place_m, score)) for t in times]


def nothing(from_s: float, to_s: float) -> list[Detections]:
    return [look(float(t)) for t in np.arange(round(10 * from_s), round(10 * to_s)) / 10]


def test_who_scores_high_is_somebody_within_three_looks() -> None:
    assert follow(tracker("ahead"), still(0, 0.3, SURE))[-1]


def test_what_scores_little_for_a_moment_is_nobody() -> None:
    """Timber and rocks in the sample roadway stood in the head-count as somebody who crouches."""
    found = follow(tracker("ahead"), still(0, 0.8, WEAK) + nothing(0.8, 3.0))
    assert not any(found)


def test_what_scores_little_in_few_slow_looks_is_nobody() -> None:
    looks = [look(0.5 * step, (HEAP_M, WEAK if step < 4 else SURE)) for step in range(6)]
    found = follow(tracker("ahead"), looks)
    assert not any(found[:4])
    assert found[-1]


@pytest.mark.parametrize("times", [1, 3])
def test_what_comes_and_goes_at_one_place_is_nobody_however_often(times: int) -> None:
    one = tracker("ahead")
    follow(one, still(0, 0.8, WEAK) + nothing(0.8, 15.0))
    for time in range(times):
        begin_s = 15.0 * (time + 1)
        found = follow(
            one, still(begin_s, begin_s + 2.0, WEAK) + nothing(begin_s + 2, begin_s + 15)
        )
        assert not any(found)


def test_who_stays_at_such_a_place_is_somebody_in_the_end() -> None:
    one = tracker("ahead")
    follow(one, still(0, 0.8, WEAK) + nothing(0.8, 15.0))
    assert follow(one, still(15.0, 21.0, WEAK))[-1]


def test_who_is_seen_there_by_halves_is_somebody_in_the_end() -> None:
    """Looks miss somebody again and again; that is no reason to say that nobody is there."""
    one = tracker("ahead")
    for second in range(16):
        found = follow(one, still(second, second + 0.8, WEAK) + nothing(second + 0.8, second + 1))
    assert found[7]


def test_who_scores_high_at_such_a_place_is_somebody_at_once() -> None:
    one = tracker("ahead")
    follow(one, still(0, 0.8, WEAK) + nothing(0.8, 15.0))
    assert follow(one, still(15.0, 15.3, SURE))[-1]


def test_who_scores_little_and_walks_through_such_a_place_is_somebody() -> None:
    one = tracker("ahead")
    follow(one, still(0, 0.8, WEAK) + nothing(0.8, 15.0))
    walk = [look(15 + t / 10, ((25.0 + 0.1 * t, -1.0), WEAK)) for t in range(16)]
    assert follow(one, walk)[-1]


def test_who_was_known_and_is_found_again_with_little_score_is_somebody_at_once() -> None:
    one = tracker("ahead")
    follow(one, still(0, 3.0, SURE) + nothing(3.0, 15.0))
    assert not one.positions(15 * mine.SECOND_NS)
    assert follow(one, still(15.0, 15.4, WEAK))[-1]


def test_a_vague_box_at_the_border_proves_nobody() -> None:
    """Half a view of a pipe, in another camera, was taken for a second witness."""
    place = (31.0, 0.4)
    box = mine.box(ACROSS, standing_at(place))
    assert box is not None

    def known(vague_y2_px: float, score: float) -> bool:
        one = tracker("ahead", "across")
        for step in range(5):
            at_ns = step * mine.SECOND_NS // 10
            near = Detections(
                camera="across",
                captured_at_ns=at_ns,
                boxes_px=np.array([[box[0], box[1], box[2], vague_y2_px]]),
                scores=np.array([score]),
                kinds=np.zeros(1, np.int64),
            )
            one.update((look(step / 10, (place, WEAK)), near))
        return bool(one.positions(at_ns))

    assert not known(719.0, VAGUE)
    assert known(719.0, SURE)
