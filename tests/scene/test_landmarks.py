from dataclasses import replace
from pathlib import Path

import pytest

from sample_videos.generator.scene_file import load_scene
from scene.errors import SiteError
from scene.landmarks import by_landmark, chainage_of, nearest
from scene.landmarks_config import beyond_floor, landmarks_of
from scene.messages import Landmark
from scene.site import Site, load_site
from tests.control_room.fake_gateway import description
from tests.scene.test_site import GOOD, error_of, parse

SAMPLES = Path(__file__).parents[2] / "sample_videos"
SUPPORTS = "supports: {first: 1, last: 20, chainage_m: 1.0, spacing_m: 1.5}\n"
MARKS = "marks:\n  - {name: K12, chainage_m: 35}\n  - {name: 联络巷 3, chainage_m: 38}\n"


def landmarks(site: Site) -> tuple[Landmark, ...]:
    return landmarks_of(site.supports, site.marks)


def words(found: tuple[Landmark, ...], chainage_m: float, language: str = "en") -> str:
    near = nearest(found, chainage_m)
    assert near is not None
    return by_landmark(near, chainage_m, language)


@pytest.mark.parametrize(
    ("chainage_m", "english", "chinese"),
    [
        (1.0, "support 1", "1 号支架"),
        (1.7, "support 1", "1 号支架"),
        (1.8, "support 2", "2 号支架"),
        (29.5, "support 20", "20 号支架"),
        (32.0, "support 20 + 3 m", "20 号支架 + 3 米"),
        (-4.0, "support 1 - 5 m", "1 号支架 - 5 米"),
        (35.4, "K12", "K12"),
        (36.0, "K12 + 1 m", "K12 + 1 米"),
        (37.2, "联络巷 3 - 1 m", "联络巷 3 - 1 米"),
        (32.5, "K12 - 3 m", "K12 - 3 米"),
    ],
)
def test_a_place_is_told_by_what_is_nearest(chainage_m: float, english: str, chinese: str) -> None:
    found = landmarks(parse(GOOD + SUPPORTS + MARKS))
    assert words(found, chainage_m) == english
    assert words(found, chainage_m, "zh") == chinese


def test_supports_that_stand_close_have_nobody_zero_metres_away() -> None:
    close = SUPPORTS.replace("spacing_m: 1.5", "spacing_m: 0.3")
    assert words(landmarks(parse(GOOD + close)), 0.6) == "support 1"


def test_supports_may_count_down() -> None:
    found = landmarks(parse(GOOD + SUPPORTS.replace("first: 1, last: 20", "first: 120, last: 101")))
    assert [one.name for one in found] == [str(number) for number in range(120, 100, -1)]
    assert words(found, 2.6) == "support 119"


def test_the_samples_supports_are_those_of_its_scene() -> None:
    scene = load_scene(SAMPLES / "scenes" / "longwall.yaml")
    found = landmarks(load_site(SAMPLES / "longwall" / "site.yaml"))
    assert scene.longwall is not None
    assert len(found) == scene.longwall.supports
    for index, one in enumerate(found):
        assert one.chainage_m == pytest.approx((index + 0.5) * scene.longwall.pitch_m)
        assert 2 * one.reach_m == pytest.approx(scene.longwall.pitch_m)


def test_at_one_distance_the_mark_names_the_place() -> None:
    """docs/alarms.md says so."""
    board = "marks: [{name: K2, chainage_m: 2.5}]\n"
    found = landmarks(parse(GOOD + SUPPORTS + board))
    assert words(found, 2.5) == "K2", "support 2 stands at 2.5 m, too"
    assert words(found, 3.5) == "support 3"


def test_a_face_may_be_longer_than_the_floor_and_a_board_may_hang_just_outside() -> None:
    longer = SUPPORTS.replace("last: 20, chainage_m: 1.0", "last: 40, chainage_m: -2.0")
    board = "marks: [{name: K0, chainage_m: -0.4}, {name: K12, chainage_m: 47}]\n"
    found = landmarks(parse(GOOD + longer + board))
    beyond = beyond_floor(found, (0.0, 40.0))
    # Who stands across the floor's end is not beyond it.
    assert [one.name for one in beyond] == ["K12", "1", *map(str, range(30, 41))]


def test_without_landmarks_nothing_is_said() -> None:
    assert nearest((), 5.0) is None
    assert landmarks(parse(GOOD)) == ()


def test_chainage_is_along_the_roadway_and_a_roadway_that_is_none_tells_nothing() -> None:
    site = description()
    assert chainage_of(site, (5.0, 2.0, 0.0)) == 5.0
    point = (1.0, 1.0, 0.0)
    broken = replace(site, centre_line_m=(point, point))
    assert chainage_of(broken, (5.0, 2.0, 0.0)) is None


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("spacing_m: 1.5", "spacing_m: 1500", "supports.spacing_m: give a number of at most 5"),
        ("spacing_m: 1.5", "spacing: 1.5", "supports.spacing: not a field; did you mean spacing_m"),
        ("last: 20", "last: 900", "supports: first and last: 1 to 900 are 900 supports; give at"),
        ("last: 20", "last: 2.5", "supports.last: give a whole number"),
        ("chainage_m: 1.0", "chainage_m: 1000", "supports: they stand at chainage 1000 to 1028.5"),
        ("first: 1", "first: -1", "supports.first: give a number of at least 0"),
        (
            "name: K12",
            "name: 联络巷 3",
            "marks.1.name: the name '联络巷 3' is given twice, first as marks.0.name;",
        ),
        ("name: K12", "name: ' '", "marks.0.name: give 1 to 40 signs"),
        ("name: K12", 'name: "K\\u202e12"', "marks.0.name: give 1 to 40 signs"),
        ("name: K12", "name: 12", "marks.0.name: give a text"),
        ("chainage_m: 35", "x_m: 35", "marks.0.chainage_m: is missing"),
    ],
)
def test_mistakes_name_the_field(before: str, after: str, expected: str) -> None:
    text = GOOD + SUPPORTS + MARKS
    assert before in text
    assert expected in error_of(text.replace(before, after))


def test_a_recording_is_judged_whatever_is_asked_of_supports_today() -> None:
    from scene.site import parse_site

    text = GOOD + SUPPORTS.replace("chainage_m: 1.0", "chainage_m: 1000")
    with pytest.raises(SiteError):
        parse(text)
    assert parse_site(text, name="said", folder=Path("mine"), check_files=False).supports
