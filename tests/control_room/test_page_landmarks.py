"""Supports on the page: by whom, and by which alarm; and why an alarm was raised, in Chinese."""

import time
from collections.abc import Iterator
from dataclasses import asdict, replace

import numpy as np
import pytest

from scene.floor import Floor
from scene.floor_config import FloorConfig
from scene.landmarks import by_landmark, chainage_of, nearest
from scene.messages import Landmark, TagFix, Tags
from scene.topics import Address
from scene.wire import Envelope
from tests.control_room.conftest import Tab
from tests.control_room.fake_gateway import EVIL_NAME, FALLEN, SITE, alarm, description, people_at
from tests.control_room.page_stage import Stage, staged

SUPPORTS = tuple(
    Landmark(name=str(number), kind="support", chainage_m=1.75 * number, reach_m=0.875)
    for number in range(1, 21)
)
EVIDENCE = "Person 3: 0.35 m high, moving at 0.0 m/s for 3.0 s, at x 29.5 m, y -1.0 m ± 0.1 m."
CHINESE = "人员 3：身体高度 0.35 米，移动速度 0.0 米/秒，已持续 3.0 秒，位置 x 29.5 米，y -1.0 米"


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged() as found:
        yield found


def tell(stage: Stage, *landmarks: Landmark) -> None:
    stage.gateway.say(replace(description("ws://gw1:1/p"), landmarks=landmarks))


def test_people_and_alarms_are_told_by_the_nearest_support(stage: Stage, tab: Tab) -> None:
    tell(stage, *SUPPORTS)
    stage.gateway.say(alarm(at_ns=time.time_ns(), evidence=EVIDENCE))
    page = tab.open(stage.url)
    line = page.locator("#alarms button[data-alarm='man_down-3']")
    line.locator(".where", has_text="at 29.5 m · support 17 · conveyor").wait_for()
    page.click("#people summary")
    page.locator("#people-list button", has_text=f"#{FALLEN} · 29").filter(
        has_text="m · support 17 · lying"
    ).wait_for()
    line.click()
    details = page.locator("#details dd")
    details.filter(has_text="support 17 · x 29.50").wait_for()
    details.filter(has_text=EVIDENCE).wait_for()
    page.locator("#person dd", has_text="m · support 17 · ").wait_for()
    # Only the label of the selected one is that long.
    page.wait_for_function(
        "(track) => lamproom.tags.some((tag) => tag.track === track)"
        " && lamproom.tags.every((tag) =>"
        " (tag.track === track) === tag.texts[0].includes('support'))",
        arg=FALLEN,
    )
    page.click("#lang-zh")
    line.locator(".where", has_text="17 号支架").wait_for()
    page.locator("#person dd", has_text="17 号支架").wait_for()
    details.filter(has_text="17 号支架 · x 29.50").wait_for()
    details.filter(has_text=CHINESE).wait_for()
    tab.shoot("supports")
    cleared = "Person 3: 1.75 m high, moving at 0.4 m/s, at x 29.5 m, y -1.0 m ± 0.1 m."
    stage.gateway.say(alarm(at_ns=time.time_ns() + 1, state="cleared", evidence=cleared))
    details.filter(has_text="人员 3：身体高度 1.75 米，移动速度 0.4 米/秒").wait_for()
    details.filter(has_text=CHINESE).wait_for()
    page.locator("#alarm-search").evaluate("(field) => { field.closest('details').open = true; }")
    page.fill("#alarm-search", "身体高度")
    assert line.count() == 1, "found by its Chinese words"
    assert tab.complaints == []


def test_a_mark_is_told_with_the_way_to_it_and_as_plain_text(stage: Stage, tab: Tab) -> None:
    tell(stage, Landmark(name=EVIL_NAME, kind="mark", chainage_m=20.0, reach_m=0.5))
    stage.gateway.say(alarm(at_ns=time.time_ns()))
    page = tab.open(stage.url)
    page.locator("#alarms .where", has_text=f"{EVIL_NAME} + 10 m").wait_for()
    tell(stage)
    stage.gateway.say(alarm("again", at_ns=time.time_ns()))
    page.locator("#alarms .where", has_text="at 29.5 m · conveyor").first.wait_for()
    assert page.evaluate("() => window.hacked") is None
    assert tab.complaints == []


def test_the_muster_says_by_which_support_somebody_was_last(stage: Stage, tab: Tab) -> None:
    tell(stage, *SUPPORTS)
    worker = replace(
        people_at(0, time.time_ns()).people[1], worker="Li Wei", worker_probability=0.99
    )
    stage.gateway.change = lambda told: replace(
        told, people=(replace(worker, seen_at_ns=told.captured_at_ns),)
    )
    at_ns = time.time_ns()
    fix = TagFix(tag="7", worker="Li Wei", xy_m=(3.0, 0.0), sigma_m=0.5, at_ns=at_ns)
    stage.room.hear(
        Address(prefix="mine", site=SITE, gateway="", topic="tags"),
        Envelope(
            type="tags",
            gateway="",
            seq=1,
            sent_at_ns=at_ns,
            body=Tags(captured_at_ns=at_ns, fixes=(fix,)),
        ),
    )
    page = tab.open(stage.url)
    page.keyboard.press("m")
    page.locator("#muster .somebody td", has_text="30 m · support 17 · conveyor · gw1").wait_for()
    stage.gateway.change = lambda told: replace(told, people=())
    missing = page.locator("#muster .missing td")
    missing.filter(has_text="30 m · support 17 · conveyor · gw1").wait_for()
    tab.shoot("muster")
    page.click("#muster-close")
    page.click("#lang-zh")
    page.keyboard.press("m")
    missing.filter(has_text="17 号支架").wait_for()
    assert tab.complaints == []


def test_the_page_says_the_same_of_a_place_as_the_text(stage: Stage, tab: Tab) -> None:
    site = replace(description("ws://gw1:1/p"), landmarks=SUPPORTS)
    page = tab.open(stage.url)
    places = [(step / 20 - 20, 0.0, 0.0) for step in range(0, 1200, 3)]
    said = page.evaluate(
        """async ([site, places]) => {
          const { byLandmark } = await import("/landmarks.js");
          return places.map((xyz) => byLandmark(site, xyz));
        }""",
        [asdict(site), places],
    )
    expected = []
    for place in places:
        chainage_m = chainage_of(site, place)
        assert chainage_m is not None
        near = nearest(SUPPORTS, chainage_m)
        assert near is not None
        expected.append(by_landmark(near, chainage_m))
    assert said == expected
    assert tab.complaints == []


ROADWAYS_M = (
    ((0.0, 0.0, 0.0), (20.0, 0.0, 0.0), (20.0, 20.0, 0.0)),
    ((5.0, 3.0, 0.0), (5.0, 3.0, 1.0), (-12.0, 9.0, 0.0), (-20.0, -4.0, 0.0), (-33.0, -3.0, 0.0)),
    ((0.0, 0.0, 0.0), (20.0, 0.0, 0.0), (20.0, 10.0, 0.0), (0.0, 10.0, 0.0)),
    ((0.0, 0.0, 0.0), (20.0, 0.0, 0.0), (3.0, 0.0, 0.0)),
    ((2.0, 0.0, 0.0), (22.0, 4.0, 0.0)),
)


def test_beside_a_bend_the_page_counts_chainage_as_the_gateway_does(stage: Stage, tab: Tab) -> None:
    page = tab.open(stage.url)
    steps = [(x / 3, y / 3) for x in range(-120, 80, 7) for y in range(-30, 75, 4)]
    places = [(17.5, 2.3), (19.0, -2.4), (12.0, 2.4), *steps]
    for number, line in enumerate(ROADWAYS_M):
        told = page.evaluate(
            """async ([line, places]) => {
              const { along } = await import("/roadway.js");
              return places.map((xy) => along({ centre_line_m: line }, xy));
            }""",
            [line, places],
        )
        expected = Floor(FloorConfig(centre_line_m=line)).place(np.array(places))
        assert np.array(told) == pytest.approx(expected, abs=1e-6)
        if number == 0:
            chainages = [chainage_m for chainage_m, _ in told[:3]]
            assert chainages == pytest.approx([19.77, 16.96, 13.64], abs=0.01)
    assert tab.complaints == []
