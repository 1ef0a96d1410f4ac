"""By how much looks really err is learned from what cameras agree on."""

import numpy as np
import pytest

from location.agreement import HIGHEST, LOWEST, START, Agreement, Evidence, Look
from scene.arrays import Floats

CLAIM_M2 = np.array([[0.05, 0.01], [0.01, 0.02]])
STEP_NS = 250_000_000
AROUND = (0.0, 120.0, 240.0)


def line(degrees: float) -> Floats:
    return np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])


def watch(
    agreement: Agreement,
    *,
    truth: float,
    sides: tuple[float, ...] = AROUND,
    people: int = 3,
    seconds: float = 60.0,
    outliers: float = 0.0,
    seed: int = 1,
) -> list[Evidence]:
    """Look at people whose places are off by `truth` times what is claimed, squared."""
    rng = np.random.default_rng(seed)
    evidence = [Evidence() for _ in range(people)]
    for step in range(round(seconds * 4)):
        seen = []
        for one in evidence:
            looks = []
            for side in sides:
                off = rng.multivariate_normal([0, 0], truth * CLAIM_M2)
                if rng.random() < outliers:
                    off = off + rng.normal(0, 2.0, 2)
                looks.append(look(step * STEP_NS, off, side))
            seen.append((one, looks, np.zeros(2)))
        agreement.compare(seen)
    return evidence


def look(at_ns: int, xy_m: Floats, side: float) -> Look:
    return Look(at_ns=at_ns, xy_m=xy_m, covariance_m2=CLAIM_M2, line=line(side))


@pytest.mark.parametrize("truth", [0.25, 0.6, 2.5])
def test_the_factor_is_found_whatever_the_site(truth: float) -> None:
    agreement = Agreement()
    watch(agreement, truth=truth)
    assert agreement.factor == pytest.approx(truth, rel=0.25)


def test_it_is_found_slowly() -> None:
    agreement = Agreement()
    watch(agreement, truth=2.5, people=1, sides=(0, 120), seconds=3)
    assert START < agreement.factor < 0.5 * 2.5


@pytest.mark.parametrize("sides", [(0.0,), (30.0, 30.0), (30.0, 33.0, 28.0)])
def test_who_looks_from_one_spot_learns_nothing(sides: tuple[float, ...]) -> None:
    """Their errors are the same: that they agree does not make them right."""
    agreement = Agreement()
    watch(agreement, truth=0.01, sides=sides, seconds=300)
    assert agreement.factor == pytest.approx(START, abs=0.06)


def test_wrong_people_among_the_looks_are_bounded() -> None:
    clean, dirty = Agreement(), Agreement()
    watch(clean, truth=0.5)
    watch(dirty, truth=0.5, outliers=0.02)
    assert clean.factor < dirty.factor < 2 * clean.factor
    mad = Agreement()
    for one in watch(mad, truth=1000.0):
        assert mad.of(one) == HIGHEST
    assert mad.factor == HIGHEST
    perfect = Agreement()
    for one in watch(perfect, truth=0.0, seconds=600):
        assert perfect.of(one) == LOWEST
    assert perfect.factor == LOWEST


def test_whom_cameras_place_apart_is_told_less_surely_than_others() -> None:
    agreement = Agreement()
    watch(agreement, truth=0.4)
    [good] = watch(agreement, truth=0.4, people=1, seconds=4, seed=2)
    [bad] = watch(agreement, truth=3.0, people=1, seconds=4, seed=2)
    assert agreement.of(bad) > 2 * agreement.of(good)


def test_innovations_raise_a_persons_factor_and_never_lower_it() -> None:
    agreement = Agreement()
    calm, wild = Evidence(), Evidence()
    for step in range(40):
        calm.innovation(0.02, step * STEP_NS)
        wild.innovation(6.0, step * STEP_NS)
    assert agreement.of(calm) == agreement.of(Evidence()) == START
    assert agreement.of(wild) > 2 * START
    assert agreement.factor == START, "one person's way is not the site's"


def test_how_a_person_walks_between_two_looks_does_not_count() -> None:
    still, walker = Agreement(), Agreement()
    for step in range(200):
        at_ns = step * STEP_NS
        for who, speed in ((still, 0.0), (walker, 2.0)):
            places = [np.array([off + speed * s, 0.0]) for off, s in ((0.0, 0.0), (0.4, 0.06))]
            looks = [look(at_ns, places[0], 0.0), look(at_ns + 60_000_000, places[1], 120.0)]
            who.compare([(Evidence(), looks, np.array([speed, 0.0]))])
    assert still.factor > 1.2 * LOWEST
    assert walker.factor == pytest.approx(still.factor)


def test_one_wrong_look_is_soon_forgotten() -> None:
    agreement, evidence = Agreement(), Evidence()
    evidence.innovation(1e6, 4 * STEP_NS)
    assert agreement.of(evidence) == HIGHEST
    for step in range(5, 45):
        evidence.innovation(0.1, step * STEP_NS)
    assert agreement.of(evidence) == START


def test_what_was_learned_long_ago_gives_way() -> None:
    agreement = Agreement(factor=0.3, looks=1e5)
    watch(agreement, truth=2.5)
    assert agreement.factor > 0.7
