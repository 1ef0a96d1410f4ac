import numpy as np
import pytest

from location.motion import Motion, correct, corrected, predict, start
from location.tracker import TrackerLimits

UNREST = TrackerLimits().unrest_m2_s3
STILL = start(0, np.array([1.0, 2.0]), 0.01 * np.eye(2))


@pytest.mark.parametrize("steps", [1, 2, 7, 30])
def test_doubt_does_not_depend_on_how_time_is_cut(steps: int) -> None:
    motion = STILL
    for step in range(1, steps + 1):
        motion = predict(motion, step * 2_100_000_000 // steps, UNREST)
    at_once = predict(STILL, 2_100_000_000, UNREST)
    assert np.allclose(motion.covariance, at_once.covariance, atol=1e-9)


def test_doubt_about_a_walker_grows_as_real_walkers_stray() -> None:
    """Measured on people who walk about a room: 0.28 to 0.37 m after 1 s, 0.76 to 0.95 m after 2 s.

    Per axis, from a place and a speed known well (see the tracker's `unrest_m2_s3`).
    """
    covariance = np.diag([0.05**2, 0.05**2, 0.1**2, 0.1**2])
    known = Motion(at_ns=0, mean=np.zeros(4), covariance=covariance)
    for seconds, low, high in ((1, 0.28, 0.45), (2, 0.76, 1.1)):
        sigma = np.sqrt(predict(known, seconds * 1_000_000_000, UNREST).covariance[0, 0])
        assert low <= sigma <= high


def test_a_late_look_corrects_and_stays_positive_definite() -> None:
    motion = correct(STILL, 1_000_000_000, np.array([2.0, 2.0]), 0.01 * np.eye(2), UNREST)
    late = correct(motion, 500_000_000, np.array([1.5, 2.0]), 0.01 * np.eye(2), UNREST)
    assert late.at_ns == motion.at_ns
    assert np.all(np.linalg.eigvalsh(late.covariance) > 0)
    assert late.covariance[0, 0] < motion.covariance[0, 0]
    assert late.mean[2] == pytest.approx(1.0, abs=0.2)


def test_many_are_corrected_at_once_as_each_alone() -> None:
    """One was seen before, one at this very instant, and one later than this late look."""
    rng = np.random.default_rng(4)
    motions = [
        correct(
            start(0, rng.normal(0, 1, 2), 0.04 * np.eye(2)), at_ns, rng.normal(0, 1, 2), m2, 0.4
        )
        for at_ns, m2 in (
            (300_000_000, np.array([[0.04, 0.01], [0.01, 0.02]])),
            (700_000_000, 0.02 * np.eye(2)),
            (900_000_000, 0.03 * np.eye(2)),
        )
    ]
    xy, m2 = (
        rng.normal(0, 1, (3, 2)),
        np.array([np.diag(d) for d in rng.uniform(0.01, 0.1, (3, 2))]),
    )
    together = corrected(motions, 700_000_000, xy, m2, UNREST)
    for n, (motion, step) in enumerate(together):
        (alone, its), *_ = corrected([motions[n]], 700_000_000, xy[n, None], m2[n, None], UNREST)
        assert motion.at_ns == alone.at_ns == (700_000_000, 700_000_000, 900_000_000)[n]
        assert np.allclose(motion.mean, alone.mean, atol=1e-12)
        assert np.allclose(motion.covariance, alone.covariance, atol=1e-12)
        assert np.allclose(step.kept, its.kept, atol=1e-12)
        assert step.square == pytest.approx(its.square)


def test_a_look_after_a_while_is_weighed_against_the_place_predicted() -> None:
    """By the textbook: gain = P / (P + R), here of the place alone."""
    there, m2 = predict(STILL, 500_000_000, UNREST), np.array([[0.03, 0.01], [0.01, 0.05]])
    seen = np.array([1.3, 1.8])
    motion, step = corrected([STILL], 500_000_000, seen[None], m2[None], UNREST)[0]
    gain = there.covariance[:, :2] @ np.linalg.inv(there.covariance[:2, :2] + m2)
    off = seen - there.mean[:2]
    assert np.allclose(motion.mean, there.mean + gain @ off)
    assert np.allclose(motion.covariance, there.covariance - gain @ there.covariance[:2])
    spread = there.covariance[:2, :2] + m2
    assert step.square == pytest.approx(off @ np.linalg.solve(spread, off))


def test_the_way_walked_since_a_late_look_is_no_error_of_the_camera() -> None:
    known = correct(STILL, 1_000_000_000, np.array([1.0, 2.0]), 0.01 * np.eye(2), UNREST)
    _, step = corrected([known], 600_000_000, np.ones((1, 2)), 0.01 * np.eye(2)[None], UNREST)[0]
    since_m2 = UNREST * 0.4**3 / 3
    assert np.allclose(step.strayed_m2, since_m2 * step.gain @ step.gain.T, atol=1e-12)
