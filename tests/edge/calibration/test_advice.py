"""Each advice on a case that triggers it; a good calibration gets none."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edge.calibration.advice import RULES, advice
from edge.calibration.figures import CameraFit, Figures, PairFit, PointFit
from edge.calibration.verdict import Check, checks, headline, worst
from tests.edge.calibration.sites import painted

Change = Callable[[Figures], Figures]


def good() -> Figures:
    return painted().figures


def with_camera(found: Figures, change: Callable[[CameraFit], CameraFit]) -> Figures:
    """Change the middle camera."""
    first, middle, last = found.cameras
    return replace(found, cameras=(first, change(middle), last))


def with_points(found: Figures, change: Callable[[PointFit], PointFit]) -> Figures:
    return with_camera(found, lambda c: replace(c, points=tuple(change(p) for p in c.points)))


def with_pair(found: Figures, **fields: Any) -> Figures:
    first, second, *rest = found.pairs
    return replace(found, pairs=(first, replace(second, **fields), *rest))


def missing(point: PointFit, number: str, px: float) -> PointFit:
    if point.label != number:
        return point
    return replace(point, miss_px=px, miss_cm=2.0, landed=(point.pixel[0] + px, point.pixel[1]))


def in_the_lower_half(point: PointFit) -> PointFit:
    return replace(point, pixel=(point.pixel[0], 140 + 0.45 * point.pixel[1]))


def on_the_left(point: PointFit) -> PointFit:
    return replace(point, pixel=(0.4 * point.pixel[0], point.pixel[1]))


def all_at_three_metres(found: Figures) -> Figures:
    centre = np.array(found.cameras[1].centre_m)

    def moved(point: PointFit) -> PointFit:
        away = np.array(point.mine_m) - centre
        x, y, z = (float(v) for v in centre + 3.0 * away / np.linalg.norm(away))
        return replace(point, mine_m=(x, y, z))

    return with_points(found, moved)


def with_eight_matches(found: Figures) -> Figures:
    return with_pair(found, agreeing=8, matches=10)


def in_the_dark(found: Figures) -> Figures:
    return with_camera(with_eight_matches(found), lambda c: replace(c, brightness=22.0))


def as_strip(found: Figures) -> Figures:
    return replace(with_pair(found, agreeing=2, matches=2), strip=True)


CASES: list[tuple[str, Change, str, str, str]] = [
    (
        "point misses",
        lambda f: with_points(f, lambda p: missing(p, "11", 9.0)),
        "rig.survey_points.11",
        "misses by 9.0 px (2.0 cm)",
        "9.0 px",
    ),
    ("no survey", lambda f: replace(f, surveyed=False), "rig", "survey at least 6", "至少 6"),
    (
        "few points",
        lambda f: with_camera(f, lambda c: replace(c, points=c.points[::2])),
        "middle",
        "middle has only 4 survey points: add 2",
        "仅有 4",
    ),
    (
        "lopsided points",
        lambda f: with_points(f, in_the_lower_half),
        "middle",
        "leave the upper part of its picture empty: add two there",
        "上部",
    ),
    (
        "lopsided points",
        lambda f: with_points(f, on_the_left),
        "middle",
        "leave the right part of its picture empty: add two there",
        "右侧",
    ),
    ("one distance", all_at_three_metres, "middle", "lie 3.0 to 3.0 m away", "3.0 至 3.0"),
    (
        "place unsure",
        lambda f: with_camera(f, lambda c: replace(c, place_sigma_cm=8.4)),
        "rig",
        "the place of the rig is only known to 8 cm",
        "8 cm",
    ),
    (
        "place unsure",
        lambda f: replace(
            with_camera(f, lambda c: replace(c, place_sigma_cm=8.4)), strip=True, pairs=f.pairs[:2]
        ),
        "middle",
        "the place of middle is only known to 8 cm",
        "middle",
    ),
    (
        "turn unsure",
        lambda f: with_camera(f, lambda c: replace(c, turn_sigma_deg=0.8)),
        "middle",
        "the direction of middle is only known to 0.8°",
        "0.8°",
    ),
    (
        "floor unsure",
        lambda f: with_camera(f, lambda c: replace(c, floor_cm=(4.0, 18.0, 40.0))),
        "middle",
        "places people 6 m away only to 18 cm",
        "18 cm",
    ),
    (
        "small overlap",
        lambda f: with_pair(f, overlap=0.06),
        "middle-right",
        "middle overlaps only 6% with right: turn one",
        "仅重叠 6%",
    ),
    (
        "small overlap",
        lambda f: replace(f, pairs=f.pairs[:1]),
        "middle-right",
        "middle does not overlap right",
        "不重叠",
    ),
    ("few matches", with_eight_matches, "middle-right", "clean the lenses", "清洁镜头"),
    ("few matches", in_the_dark, "middle-right", "give more light to middle", "增加照明"),
    ("few matches", as_strip, "middle-right", "survey two spots in each overlap", "两个"),
    (
        "contradicting pair",
        lambda f: with_pair(f, matches=316, agreeing=4, off_px=502.3, overlap=0.0),
        "middle-right",
        "middle-right contradicts the other pairs: 4 of its 316 matches agree with the rig, the "
        "middle one misses by 502 px",
        "502 px",
    ),
    (
        "disagreeing matches",
        lambda f: with_pair(f, matches=400, agreeing=120),
        "middle-right",
        "only 30% of the matches of middle and right agree",
        "仅 30%",
    ),
    (
        "lens guessed",
        lambda f: with_camera(f, lambda c: replace(c, reach=0.42)),
        "middle",
        "further out than 42% of the way",
        "42%",
    ),
    (
        "lens apart",
        lambda f: with_camera(f, lambda c: replace(c, hfov_deg=61.0)),
        "middle",
        "middle seems to see 61.0°",
        "61.0°",
    ),
    ("few pictures", lambda f: replace(f, pictures=1), "rig", "at least 3", "至少取 3"),
]


def test_a_good_calibration_gets_no_advice() -> None:
    assert advice(good()) == ()


@pytest.mark.parametrize(("rule", "change", "about", "en", "zh"), CASES)
def test_a_weakness_gets_its_advice_and_no_other(
    rule: str, change: Change, about: str, en: str, zh: str
) -> None:
    (given,) = advice(change(good()))
    assert (given.rule, given.about) == (rule, about)
    assert en in given.text[0]
    assert zh in given.text[1]


def test_every_rule_has_a_case() -> None:
    assert {case[0] for case in CASES} == set(RULES)


def test_a_point_that_misses_as_much_as_it_may_is_left_alone() -> None:
    """A point half a metre from a lens misses by many px for a centimetre: that is expected."""

    def near(point: PointFit) -> PointFit:
        return replace(missing(point, "11", 9.0), expected_px=9.5)

    assert advice(with_points(good(), near)) == ()


def found_check(found: Figures, name: str) -> Check:
    return next(check for check in checks(found) if check.name[0].startswith(name))


def wide_misses(pair: PairFit, px: float) -> dict[str, Any]:
    return {"misses_px": np.full(pair.agreeing, px), "misses_cm": np.full(pair.agreeing, px)}


@pytest.mark.parametrize(
    ("name", "amber", "red"),
    [
        (
            "Matched points",
            lambda f: replace(f, pairs=tuple(replace(p, **wide_misses(p, 1.5)) for p in f.pairs)),
            lambda f: replace(f, pairs=tuple(replace(p, **wide_misses(p, 2.5)) for p in f.pairs)),
        ),
        (
            "Matches that agree",
            lambda f: replace(f, pairs=tuple(replace(p, matches=2 * p.agreeing) for p in f.pairs)),
            lambda f: replace(f, pairs=tuple(replace(p, matches=9 * p.agreeing) for p in f.pairs)),
        ),
        (
            "Survey points (rms in the picture)",
            lambda f: with_points(f, lambda p: replace(p, miss_px=4.0)),
            lambda f: with_points(f, lambda p: replace(p, miss_px=12.0)),
        ),
        (
            "Survey points (rms where they are)",
            lambda f: with_points(f, lambda p: replace(p, miss_cm=5.0)),
            lambda f: with_points(f, lambda p: replace(p, miss_cm=30.0)),
        ),
        (
            "Place of the cameras",
            lambda f: with_camera(f, lambda c: replace(c, place_sigma_cm=9.0)),
            lambda f: with_camera(f, lambda c: replace(c, place_sigma_cm=19.0)),
        ),
        (
            "Places on the floor",
            lambda f: with_camera(f, lambda c: replace(c, floor_cm=(1.0, 20.0, None))),
            lambda f: with_camera(f, lambda c: replace(c, floor_cm=(1.0, 40.0, None))),
        ),
    ],
)
def test_a_figure_beyond_its_limit_has_its_colour(name: str, amber: Change, red: Change) -> None:
    assert found_check(good(), name).colour == "green"
    assert found_check(amber(good()), name).colour == "amber"
    assert found_check(red(good()), name).colour == "red"


def test_the_verdict_is_that_of_the_worst_check_and_says_why() -> None:
    rows = checks(good())
    assert worst(rows) == "green"
    assert "3/3 cameras are registered" in headline(good(), rows)[0]
    assert "3/3" in headline(good(), rows)[1]
    poor = with_camera(good(), lambda c: replace(c, place_sigma_cm=19.0))
    assert worst(checks(poor)) == "red"
    assert "place of the cameras (one sigma)" in headline(poor, checks(poor))[0]
    assert "摄像机位置" in headline(poor, checks(poor))[1]


def test_a_camera_that_is_not_registered_is_named() -> None:
    lost = replace(good(), wanted=(*good().wanted, "attic"))
    check = found_check(lost, "Registered cameras")
    assert (check.value, check.colour) == ("3/4", "red")
    assert "attic" in check.why[0]


def test_a_pair_that_contradicts_the_rig_is_named_in_red() -> None:
    assert found_check(good(), "Overlaps that contradict").colour == "green"
    apart = with_pair(good(), matches=316, agreeing=4, off_px=502.3)
    check = found_check(apart, "Overlaps that contradict")
    assert (check.value, check.colour) == ("1", "red")
    assert "middle-right (4 of 316 matches agree, the middle one misses by 502 px)" in check.why[0]
    assert "502 px" in check.why[1]
    assert "overlaps that contradict the rig" in headline(apart, checks(apart))[0]


def test_a_mount_is_a_doubt_and_four_points_prove_nothing() -> None:
    assert found_check(replace(good(), surveyed=False), "Anchor").colour == "amber"
    first, middle, last = good().cameras
    four = replace(
        good(),
        cameras=(
            replace(first, points=first.points[:4]),
            replace(middle, points=()),
            replace(last, points=()),
        ),
    )
    check = found_check(four, "Surveyed points")
    assert check.colour == "amber"
    assert "would not be noticed" in check.why[0]


def test_a_stated_mount_is_never_worse_than_a_doubt() -> None:
    poor = with_camera(
        good(), lambda c: replace(c, place_sigma_cm=19.0, floor_cm=(1.0, 40.0, None))
    )
    for name in ("Place of the cameras", "Places on the floor"):
        assert found_check(poor, name).colour == "red"
        assert found_check(replace(poor, surveyed=False), name).colour == "amber"
