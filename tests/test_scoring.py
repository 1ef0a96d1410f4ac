import numpy as np
import pytest

from tests.scoring import Instant, score

WALK: list[Instant] = [{1: (x, 0.0), 2: (x, 3.0)} for x in np.arange(0.0, 10.0, 0.5)]


def test_the_truth_itself_scores_perfectly() -> None:
    perfect = score(WALK, WALK)
    assert (perfect.idf1, perfect.moda, perfect.switches) == (1.0, 1.0, 0)
    assert not perfect.errors_m.any()


def test_a_swap_in_the_middle_is_two_switches_and_half_the_identity() -> None:
    swapped = [{3 - i if n >= 10 else i: p for i, p in now.items()} for n, now in enumerate(WALK)]
    found = score(WALK, swapped)
    assert (found.switches, found.moda) == (2, 1.0)
    assert found.idf1 == pytest.approx(0.5)


def test_misses_and_ghosts_count() -> None:
    found = score(WALK, [{1: now[1], 9: (50.0, 50.0)} for now in WALK])
    assert (found.missed, found.false, found.moda) == (20, 20, 0.0)
