from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from location.tracker import Tracker
from scene.arrays import Floats
from scene.floor import Floor
from scene.geometry import CameraModel
from scene.messages import Detections, Position
from scene.rig import Rig
from scene.surface import Cylinder
from tests.location import mine

Walk = Callable[[float], tuple[float, float]]


def rig(cameras: Sequence[CameraModel]) -> Rig:
    surface = Cylinder(
        centre_m=mine.RIG_M, azimuth_left_rad=3.5, tan_top=0.3, px_per_rad=700, size_px=(2800, 700)
    )
    return Rig(cameras=tuple(cameras), surface=surface, anchor="survey", quality={})


def floor() -> Floor:
    return Floor(mine.FLOOR)


def straight(x0: float, y0: float, vx: float, vy: float = 0.0) -> Walk:
    return lambda t: (x0 + vx * t, y0 + vy * t)


def at(walk: Walk, t: float) -> Floats:
    x, y = walk(t)
    return np.array([x, y, floor().z_m(np.array([[x, y]]))[0]])


def run(
    tracker: Tracker,
    cameras: Sequence[CameraModel],
    walks: Sequence[Walk],
    *,
    seconds: float,
    seed: int = 1,
    fps: float = 10.0,
    **how: float,
) -> list[tuple[float, tuple[Position, ...]]]:
    """Let people walk through real cameras; give the positions after each instant."""
    rng = np.random.default_rng(seed)
    out = []
    for step in range(round(seconds * fps)):
        t = step / fps
        at_ns = round(t * mine.SECOND_NS)
        bodies = [mine.standing(1.7 + 0.03 * i) + at(walk, t) for i, walk in enumerate(walks)]
        tracker.update(
            tuple(mine.detections(c, at_ns, bodies, rng=rng, **how) for c in cameras)  # type: ignore[arg-type]
        )
        out.append((t, tracker.positions(at_ns)))
    return out


def score(
    history: list[tuple[float, tuple[Position, ...]]], walks: Sequence[Walk], radius_m: float = 1.0
) -> tuple[Floats, int, int, int, Floats]:
    """Errors in metres, identity switches, misses, false people, and Mahalanobis²."""
    errors, switches, missed, false, squares = [], 0, 0, 0, []
    worn: dict[int, int] = {}
    for t, people in history:
        truth = np.array([walk(t) for walk in walks])
        found = np.array([p.xyz_m[:2] for p in people]).reshape(-1, 2)
        apart = np.linalg.norm(truth[:, None] - found[None], axis=2)
        rows, columns = linear_sum_assignment(np.where(apart < radius_m, apart, 1e3))
        pairs = [
            (r, c)
            for r, c in zip(rows.tolist(), columns.tolist(), strict=True)
            if apart[r, c] < radius_m
        ]
        missed += len(walks) - len(pairs)
        false += len(people) - len(pairs)
        for r, c in pairs:
            switches += worn.get(r, people[c].track) != people[c].track
            worn[r] = people[c].track
            errors.append(apart[r, c])
            off = truth[r] - found[c]
            squares.append(off @ np.linalg.solve(np.array(people[c].covariance_m2), off))
    return np.array(errors), switches, missed, false, np.array(squares)


EASY = [
    straight(12, 0.8, 0.9),
    straight(27, -0.5, -0.7),
    straight(15, 1.6, 0.0, 0.0),
    straight(17, 0.2, 0.6, 0.05),
]


def test_walkers_through_a_rotation_rig_keep_their_identity() -> None:
    cameras = mine.fan()
    tracker = Tracker(rig(cameras), floor())
    history = run(tracker, cameras, EASY, seconds=12, missed=0.2)
    errors, switches, missed, false, _ = score(history[5:], EASY)
    near = errors
    assert switches == 0
    assert np.median(near) <= 0.15
    assert missed <= 0.02 * 4 * len(history)
    assert false <= 0.01 * 4 * len(history)


@pytest.mark.parametrize("seed", range(3))
def test_clutter_makes_no_people_where_cameras_disagree(seed: int) -> None:
    cameras = mine.corners()
    walks = [straight(12, 0.8, 0.6), straight(20, -0.8, -0.5)]
    tracker = Tracker(rig(cameras), floor())
    history = run(tracker, cameras, walks, seconds=8, seed=seed, missed=0.2, clutter=0.5)
    errors, switches, missed, false, _ = score(history[5:], walks)
    assert switches <= 2
    assert np.median(errors) <= 0.10
    assert missed <= 2
    assert false <= 8


def test_covariance_is_honest() -> None:
    squares = []
    for seed in range(4):
        cameras = mine.fan()
        tracker = Tracker(rig(cameras), floor())
        history = run(tracker, cameras, EASY, seconds=8, seed=seed, missed=0.2, noise=0.05)
        squares.append(score(history[5:], EASY)[4])
    square = np.concatenate(squares)
    # 2.28 and 5.99: 68 % and 95 % of a chi² with 2 degrees of freedom.
    assert (square < 2.28).mean() >= 0.6
    assert (square < 5.99).mean() >= 0.92


def test_covariance_is_honest_whatever_the_detector() -> None:
    """Cameras on four sides learn from each other how good their boxes are."""
    cameras = mine.corners()
    walks = [straight(13, 1.5, 0.3), straight(19, -0.8, -0.4), straight(15, -1.8, 0.0)]
    told_m = []
    for noise in (0.01, 0.12):
        tracker = Tracker(rig(cameras), floor())
        history = run(tracker, cameras, walks, seconds=12, seed=3, fps=5, missed=0.1, noise=noise)
        square = score(history[20:], walks)[4]
        assert (square < 2.28).mean() >= 0.6
        assert (square < 5.99).mean() >= 0.9
        sigma = [np.sqrt(p.covariance_m2[0][0]) for _, people in history[20:] for p in people]
        told_m.append(float(np.median(sigma)))
    assert told_m[1] > 1.5 * told_m[0]


@pytest.mark.parametrize("period_s", [0.1, 0.5, 1.0, 1.05, 2.0])
def test_however_rare_the_looks_people_are_known_until_the_next_one_comes(period_s: float) -> None:
    cameras = mine.fan()
    tracker = Tracker(rig(cameras), floor())
    walks = [straight(15, 1.2, 0.0), straight(24, 0.5, 0.3)]
    history = run(tracker, cameras, walks, seconds=8 * period_s, fps=1 / period_s)
    assert [len(people) for _, people in history][4:] == [2] * 4
    assert {person.track for _, people in history for person in people} == {1, 2}
    # The next look is taken a period later, and its finds come a period after that.
    late_ns = round((history[-1][0] + 2 * period_s) * mine.SECOND_NS)
    assert len(tracker.positions(late_ns)) == 2


def test_positions_tell_where_people_were_when_they_were_seen() -> None:
    cameras = mine.fan()
    tracker = Tracker(rig(cameras), floor())
    walk = straight(14, 1.0, 0.8)
    [(t, people)] = run(tracker, cameras, [walk], seconds=4)[-1:]
    [later] = tracker.positions(round((t + 0.8) * mine.SECOND_NS))
    assert later.seen_xy_m == people[0].seen_xy_m
    assert np.hypot(*(np.array(later.seen_xy_m) - walk(t))) < 0.3
    assert later.xyz_m[0] - people[0].xyz_m[0] == pytest.approx(0.64, abs=0.25)
    assert np.array(later.seen_covariance_m2).max() < np.array(later.covariance_m2).max()


def test_two_who_pass_each_other_stay_two_when_looks_are_rare() -> None:
    """At 12 m both are at one place for one look, each seen by a camera that misses the other."""
    cameras = mine.corners()[:2]
    tracker = Tracker(rig(cameras), floor())
    walks = [straight(15, -0.15, 0.0), straight(15, 0.15, 0.0)]
    for second in range(12):
        apart = 1.0 if second != 9 else 0.0
        bodies = [
            mine.standing() + at(straight(x0 + side * apart, y0, 0), 0.0)
            for side, (x0, y0) in zip((-1, 1), (walk(0) for walk in walks), strict=True)
        ]
        at_ns = second * 1_200_000_000
        seen = [bodies, bodies] if second != 9 else [bodies[:1], bodies[1:]]
        tracker.update(
            tuple(mine.detections(c, at_ns, who) for c, who in zip(cameras, seen, strict=True))
        )
    assert {person.track for person in tracker.positions(at_ns)} == {1, 2}


AHEAD = mine.camera("c1", (20.0, 0.0, 2.95), 0.0)


def at_the_border(
    body: Callable[[float], Floats], walk: Walk, *, seconds: float, seed: int = 1
) -> list[Position]:
    """Follow one person with one camera that looks along the roadway, 10 pictures a second."""
    rng = np.random.default_rng(seed)
    tracker = Tracker(rig([AHEAD]), floor())
    people: list[Position] = []
    for step in range(round(seconds * 10)):
        t = step / 10
        at_ns = step * 100_000_000
        bodies = [body(t) + at(walk, t)]
        tracker.update((mine.detections(AHEAD, at_ns, bodies, rng=rng, missed=0.1),))
        people += tracker.positions(at_ns)
    return people


@pytest.mark.parametrize("yaw_deg", [0, 60, 120])
@pytest.mark.parametrize("x_m", [23.3, 23.75])
def test_who_falls_at_the_lower_border_lies_where_they_fell(x_m: float, yaw_deg: float) -> None:
    def walk(t: float) -> tuple[float, float]:
        return x_m + 0.8 * max(0.0, 4.0 - t), 0.2

    def body(t: float) -> Floats:
        return mine.standing() if t < 4.5 else mine.lying(np.radians(yaw_deg))

    person = at_the_border(body, walk, seconds=9)[-1]
    assert person.track == 1
    assert person.height_m < 1.0, "the limit of man_down"
    assert np.hypot(person.xyz_m[0] - x_m, person.xyz_m[1] - 0.2) < 1.0


@pytest.mark.parametrize("y_m", [-0.8, 0.8])
@pytest.mark.parametrize("x_m", [21.2, 22.2, 23.0])
def test_who_stands_close_with_feet_below_the_picture_never_lies(x_m: float, y_m: float) -> None:
    def walk(t: float) -> tuple[float, float]:
        return x_m + 1.0 * max(0.0, 4.0 - t), y_m

    people = at_the_border(lambda _: mine.standing(), walk, seconds=9)
    assert {person.posture for person in people} == {"upright"}
    assert np.hypot(people[-1].xyz_m[0] - x_m, people[-1].xyz_m[1] - y_m) < 0.6


@pytest.mark.parametrize("stature_m", [1.6, 1.92])
def test_who_was_seen_whole_is_placed_by_their_own_stature_when_feet_are_hidden(
    stature_m: float,
) -> None:
    def walk(t: float) -> tuple[float, float]:
        return 22.2 + 1.2 * max(0.0, 6.0 - t), 0.3

    people = at_the_border(lambda _: mine.standing(stature_m), walk, seconds=9)
    off = [np.hypot(person.xyz_m[0] - 22.2, person.xyz_m[1] - 0.3) for person in people[-20:]]
    assert np.median(off) < 0.12


def test_a_height_that_looks_no_longer_show_is_told_as_old() -> None:
    """Somebody walks up to the camera until only the head is in the picture, and stays."""

    def walk(t: float) -> tuple[float, float]:
        return 21.8 + 1.0 * max(0.0, 4.0 - t), 0.0

    people = at_the_border(lambda _: mine.standing(), walk, seconds=10)
    far, close = people[5], people[-1]
    assert far.height_at_ns == far.seen_at_ns
    assert far.certainty == "certainly"
    assert close.height_at_ns is not None
    assert close.seen_at_ns - close.height_at_ns > 3 * mine.SECOND_NS
    assert close.certainty == "possibly", "nobody has seen for long whether they stand"


def vague(found: Detections) -> Detections:
    return replace(found, scores=np.full(len(found.scores), 0.37))


@pytest.mark.parametrize("known", [True, False])
def test_what_lies_with_little_score_is_somebody_only_where_somebody_was_lost(known: bool) -> None:
    """A heap of rock may look like a body; so may, in the dust, somebody who has just fallen."""
    rng = np.random.default_rng(5)
    tracker = Tracker(rig([AHEAD]), floor())
    place = straight(28.0, 0.3, 0.0)
    for step in range(300):
        at_ns = step * 100_000_000
        standing = [mine.standing() + at(place, 0.0)] if known else []
        lying = [mine.lying(1.0) + at(place, 0.0)]
        if step < 30:
            seen = mine.detections(AHEAD, at_ns, standing, rng=rng)
        elif step < 150:  # the dust hides all, until the one who stood is given up
            seen = mine.detections(AHEAD, at_ns, [], rng=rng)
        else:
            seen = vague(mine.detections(AHEAD, at_ns, lying, rng=rng))
        tracker.update((seen,))
        if step == 149:
            assert not tracker.positions(at_ns)
    people = tracker.positions(at_ns)
    assert [person.posture for person in people] == (["lying"] if known else [])


def test_everybody_stands_on_the_floor_and_has_the_cameras_that_saw_them() -> None:
    """Looks of one camera at several people are taken in together."""
    cameras = mine.corners()
    walks = [straight(13.0, 0.5, 0.3), straight(16.0, -0.8, 0.2), straight(19.0, 0.3, -0.3)]
    *_, (t, found) = run(Tracker(rig(cameras), floor()), cameras, walks, seconds=2.0)
    assert len(found) == 3
    for person in found:
        nearest = min(np.hypot(*(at(walk, t)[:2] - person.xyz_m[:2])) for walk in walks)
        assert nearest < 0.3
        assert person.xyz_m[2] == pytest.approx(floor().z_m(np.array([person.xyz_m[:2]]))[0])
        assert len(person.cameras) >= 3
        assert sorted(set(person.cameras)) == list(person.cameras)
