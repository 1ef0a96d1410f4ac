"""What must be seen of somebody new before a head-count takes them in."""

from dataclasses import replace

import numpy as np
import pytest

from location.tracker import Tracker
from scene.arrays import Floats
from scene.floor import Floor
from scene.geometry import CameraModel
from scene.messages import Detections, Position
from scene.rig import Rig
from scene.surface import Cylinder
from tests.location import mine

AHEAD = mine.camera("ahead", mine.RIG_M, 5.0)
ACROSS = mine.camera("across", (34.0, 2.2, 2.9), 180.0)
BESIDE = mine.camera("beside", (20.0, 2.05, 2.95), -5.0)
HEAP_M, BOTH_M = (26.0, -1.0), (31.0, 0.4)
SURE, WEAK, VAGUE = 0.8, 0.47, 0.3


def tracker(*cameras: str) -> Tracker:
    surface = Cylinder(
        centre_m=mine.RIG_M,
        azimuth_left_rad=3.0,
        tan_top=0.3,
        px_per_rad=700,
        size_px=(2800, 700),
    )
    known = tuple(view for view in (AHEAD, ACROSS, BESIDE) if view.name in cameras)
    return Tracker(Rig(cameras=known, surface=surface, anchor="survey", quality={}), floor())


def floor() -> Floor:
    return Floor(mine.FLOOR)


def body_at(place_m: tuple[float, float], *, lies: bool = False) -> Floats:
    z_m = floor().z_m(np.array([place_m]))[0]
    body = mine.lying(0.7) if lies else mine.standing()
    return np.asarray(body + np.array([*place_m, z_m]))


def look(
    at_s: float,
    *seen: tuple[tuple[float, float], float],
    view: CameraModel = AHEAD,
    lies: bool = False,
    rng: np.random.Generator | None = None,
) -> Detections:
    """What a camera finds at places, each with a score."""
    bodies = [body_at(place_m, lies=lies) for place_m, _ in seen]
    found = mine.detections(view, round(at_s * mine.SECOND_NS), bodies, rng=rng)
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


@pytest.mark.parametrize("times", [3, 12])
def test_what_comes_and_goes_for_moments_at_one_place_is_nobody_however_often(times: int) -> None:
    one = tracker("ahead")
    for time in range(times):
        begin_s = 15.0 * time
        looks = still(begin_s, begin_s + 0.8, WEAK) + nothing(begin_s + 0.8, begin_s + 15)
        assert not any(follow(one, looks))


def test_who_is_seen_there_by_halves_is_somebody_soon() -> None:
    """Looks miss somebody again and again; that is no reason to say that nobody is there."""
    one = tracker("ahead")
    for second in range(3):
        found = follow(one, still(second, second + 0.6, WEAK) + nothing(second + 0.6, second + 1))
    assert found[-1]


def test_what_is_seen_at_places_far_apart_is_not_one_and_the_same() -> None:
    """A heap here and a heap there, where nobody walks so fast."""
    looks = still(0, 0.8, WEAK) + nothing(0.8, 2) + still(2, 2.8, WEAK, (32.0, 0.0))
    assert not any(follow(tracker("ahead"), looks))


@pytest.mark.parametrize("how", ["stands", "lies", "walks", "stands at a heap"])
@pytest.mark.parametrize("rate", [10, 5])
@pytest.mark.parametrize(
    ("share", "within_s", "mostly_s"),
    [(1.0, 1.0, 1.0), (0.9, 2.0, 1.5), (0.5, 6.0, 3.5), (0.3, 13.0, 9.0)],
)
def test_whom_a_detector_half_knows_is_counted_soon(
    share: float, within_s: float, mostly_s: float, rate: int, how: str
) -> None:
    """It gives weak scores and misses them in many pictures; somebody left out may die."""
    waits_s = sorted(wait_s(share, rate, how, seed) for seed in range(8))
    assert waits_s[-1] <= within_s
    assert waits_s[6] <= mostly_s


@pytest.mark.parametrize("rate", [10, 5])
@pytest.mark.parametrize(("share", "within_s"), [(0.9, 2.0), (0.5, 8.0), (0.3, 13.0)])
def test_so_is_whom_one_camera_of_two_half_knows(share: float, within_s: float, rate: int) -> None:
    """One missed picture, and one of two cameras never again makes half of all looks."""
    waits_s = [wait_s(share, rate, "stands", seed, blind=True) for seed in range(10)]
    assert max(waits_s) <= within_s


@pytest.mark.parametrize("apart_s", [0.0, 0.03, 0.1])
def test_two_cameras_need_no_second_even_if_they_do_not_look_together(apart_s: float) -> None:
    one = tracker("ahead", "across")
    for step in range(3):
        seen = look(0.2 * step, (BOTH_M, WEAK))
        other = look(0.2 * step + apart_s, (BOTH_M, WEAK), view=ACROSS)
        one.update((seen, other))
    assert one.positions(other.captured_at_ns)


@pytest.mark.parametrize("missed", [1, 2])
def test_what_one_camera_of_three_sees_by_halves_is_nobody(missed: int) -> None:
    one = tracker("ahead", "across", "beside")
    for step in range(100):
        seen = look(step / 10, *([(BOTH_M, WEAK)] if step % (2 + missed) < 2 else []))
        nobody = look(step / 10)
        one.update((seen, *(replace(nobody, camera=name) for name in ("across", "beside"))))
        assert not one.positions(seen.captured_at_ns)


def test_one_look_among_many_vague_ones_proves_nobody() -> None:
    assert not any(follow(tracker("ahead"), still(0, 0.1, WEAK) + still(0.1, 3.0, VAGUE)))


def wait_s(share: float, rate: int, how: str, seed: int, *, blind: bool = False) -> float:
    """Tell how long somebody stays unknown of whom pictures show so large a share, weakly.

    `blind`: before a second camera, too, which finds nobody.
    """
    rng = np.random.default_rng(seed)
    one = tracker("ahead", "across") if blind else tracker("ahead")
    x_m, y_m = BOTH_M if blind else HEAP_M
    if how == "stands at a heap":
        follow(one, still(0, 0.8, WEAK) + nothing(0.8, 13.0))
    for step in range(20 * rate):
        after_s = step / rate
        place = (x_m + 0.7 * after_s, y_m) if how == "walks" else (x_m, y_m)
        shown = [(place, float(rng.uniform(0.41, 0.52)))] if rng.random() < share else []
        seen = look(13 + after_s, *shown, lies=how == "lies", rng=rng)
        other = replace(look(13 + after_s), camera="across")
        one.update((seen, other) if blind else (seen,))
        if one.positions(seen.captured_at_ns):
            return after_s
    return float("inf")


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
    place = BOTH_M
    box = mine.box(ACROSS, body_at(place))
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
