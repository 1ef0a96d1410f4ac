from math import cos, sin

import numpy as np
import pytest

from edge.acceptance.scoring import Instant, hota, score, share_inside

WALK: list[Instant] = [{1: (x, 0.0), 2: (x, 3.0)} for x in np.arange(0.0, 10.0, 0.5)]


def messy() -> tuple[list[Instant], list[Instant]]:
    """Three people; their tracks miss some instants, swap, break, and one is nobody's."""
    truth: list[Instant] = []
    found: list[Instant] = []
    for n in range(40):
        t_s = n * 0.25
        wanted = {1: (t_s, 0.0), 2: (10 - t_s, 0.6), 3: (5.0, 2.0 + 0.1 * t_s)}
        given: Instant = {}
        for person, (x, y) in wanted.items():
            if (n * 7 + person * 5) % 11 == 0:
                continue
            off = 0.9 * sin(1.7 * n + person), 0.5 * cos(2.3 * n * person)
            track = 3 - person if n >= 19 and person in (1, 2) else person
            track = 7 if n >= 28 and person == 3 else track
            given[track] = (round(x + off[0], 3), round(y + off[1], 3))
        if 8 <= n < 15:
            given[9] = (2.0, -3.0)
        truth.append(wanted)
        found.append(given)
    return truth, found


def test_the_truth_itself_scores_perfectly() -> None:
    perfect = score(WALK, WALK)
    assert (perfect.idf1, perfect.moda, perfect.switches) == (1.0, 1.0, 0)
    assert (perfect.hota.hota, perfect.hota.detection, perfect.hota.association) == (1, 1, 1)
    assert not perfect.errors_m.any()


def test_a_swap_in_the_middle_is_two_switches_and_half_the_identity() -> None:
    swapped = [{3 - i if n >= 10 else i: p for i, p in now.items()} for n, now in enumerate(WALK)]
    found = score(WALK, swapped)
    assert (found.switches, found.moda) == (2, 1.0)
    assert found.idf1 == pytest.approx(0.5)
    # Every hit shares its pair with 10 of 20 + 20 - 10 instants: AssA = 1/3, DetA = 1.
    assert found.hota.detection == pytest.approx(1.0)
    assert found.hota.association == pytest.approx(1 / 3)
    assert found.hota.hota == pytest.approx((1 / 3) ** 0.5)


def test_misses_and_ghosts_count() -> None:
    found = score(WALK, [{1: now[1], 9: (50.0, 50.0)} for now in WALK])
    assert (found.missed, found.false, found.moda) == (20, 20, 0.0)
    # 20 hits, 20 missed, 20 too many: DetA = 1/3; the one who is followed is always the same.
    assert found.hota.detection == pytest.approx(1 / 3)
    assert found.hota.association == pytest.approx(1.0)


def test_a_steady_offset_costs_hota_the_thresholds_above_it() -> None:
    beside = [{i: (x + 0.5, y) for i, (x, y) in now.items()} for now in WALK]
    # Similarity 0.75 for all: hits at 15 of 19 thresholds (0.05 ... 0.75), nothing above.
    assert hota(WALK, beside).hota == pytest.approx(15 / 19)
    assert hota(WALK, beside, radius_m=0.5).hota == pytest.approx(10 / 19)


def test_nobody_followed_is_nothing_and_no_error() -> None:
    nobody = score(WALK, [{} for _ in WALK])
    assert (nobody.idf1, nobody.moda, nobody.hota.hota, nobody.missed) == (0, 0, 0, 40)


def test_figures_are_those_of_trackeval_and_motmetrics() -> None:
    """Written down from trackeval 1.3.0 (HOTA, CLEAR, Identity) and motmetrics 1.4.0."""
    found = score(*messy())
    assert found.hota.hota == pytest.approx(0.3679524284)
    assert found.hota.detection == pytest.approx(0.5418183383)
    assert found.hota.association == pytest.approx(0.2514238154)
    assert found.idf1 == pytest.approx(0.5508474576)
    assert found.moda == pytest.approx(0.7833333333)
    assert (found.switches, found.missed, found.false) == (3, 15, 11)
    assert found.errors_m.mean() == pytest.approx(0.670277, abs=1e-6)


def test_covariances_that_promise_too_much_are_found_out() -> None:
    rng = np.random.default_rng(1)
    covariance = np.array([[0.09, 0.03], [0.03, 0.04]])
    errors_m = rng.multivariate_normal([0, 0], covariance, 20_000)
    honest = np.repeat(covariance[None], len(errors_m), axis=0)
    for probability in (0.68, 0.95):
        assert share_inside(errors_m, honest, probability) == pytest.approx(probability, abs=0.01)
    assert share_inside(errors_m, honest / 4, 0.95) < 0.6
    assert share_inside(errors_m, honest * 4, 0.68) > 0.95
