from collections.abc import Callable, Sequence

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from location.floor import Floor
from location.tracker import Tracker
from scene.arrays import Floats
from scene.geometry import CameraModel
from scene.messages import Position
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
