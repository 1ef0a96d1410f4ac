import numpy as np
import pytest

from location.motion import Motion, correct, predict, start
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
