"""The page after a while, in a real browser: alarms that are over, a zoomed view, long columns."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from control_room.lifecycle import wish_of
from scene.messages import Positions
from tests.control_room.conftest import Tab
from tests.control_room.fake_gateway import FALLEN, GATEWAY, SITE, WALKER, alarm
from tests.control_room.page_stage import Stage, staged
from tests.control_room.test_page_alarms import surely_named

SELECTED = f"() => lamproom.selected?.track === {FALLEN} && lamproom.scale > 1.5"
WHOLE = "() => lamproom.scale < 1.2"


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged() as found:
        yield found


def raise_and_clear(stage: Stage, count: int = 1, **changes: Any) -> None:
    """Alarms raised at 10.2 m and on, whose clearing tells of the place to where they went."""
    at_ns = time.time_ns()
    for i in range(count):
        id, place = f"zone-{i}", (10.2 + 0.1 * i, 0.5, 0.0)
        fields: dict[str, Any] = {"kind": "restricted_zone", "track": 200 + i} | changes
        stage.gateway.say(alarm(id, at_ns=at_ns, xyz_m=place, **fields))
        fields |= {
            "probability": 0.0,
            "evidence": "Person 54: 0% likely inside",
            "state": "cleared",
        }
        stage.gateway.say(
            alarm(id, at_ns=at_ns + 1, raised_at_ns=at_ns, xyz_m=(33.0, 1.0, 0.0), **fields)
        )


def test_alarms_that_are_over_are_small_grey_and_silent_on_the_plan(stage: Stage, tab: Tab) -> None:
    raise_and_clear(stage, 30)
    stage.gateway.say(alarm(at_ns=time.time_ns()))
    page = tab.open(stage.url)
    page.wait_for_function("() => document.querySelectorAll('#plan .place.cleared').length === 30")
    names = "() => [...document.querySelectorAll('#plan .name')]" \
        ".filter((one) => one.checkVisibility()).map((one) => one.textContent)"  # fmt: skip
    assert set(page.evaluate(names)) == {f"#{WALKER}", f"#{FALLEN}"}
    look = page.evaluate(
        """() => [...document.querySelectorAll("#plan .place.cleared")].map((one) => {
          const { stroke, fillOpacity } = getComputedStyle(one.querySelector(".dot"));
          const { width } = one.querySelector(".dot").getBBox();
          return [one.classList.contains("critical"), stroke, fillOpacity, width < 14];
        })"""
    )
    assert all(one == [False, "rgb(159, 180, 194)", "0", True] for one in look), look
    leads = "() => [...document.querySelectorAll('#plan .place .lead')]" \
        ".filter((one) => one.checkVisibility()).length"  # fmt: skip
    assert page.evaluate(leads) == 0
    title = page.locator("#plan .place.cleared title").first.text_content()
    assert title.startswith("In restricted zone · cleared · ")
    tab.shoot("over")
    page.locator("#alarms .alarm.cleared").first.click()
    page.locator("#plan .place.cleared.selected .name", has_text="In restricted zone").wait_for()
    tab.shoot("over-selected")
    assert tab.complaints == []


def test_an_alarm_that_is_over_tells_where_and_why_it_was_raised(stage: Stage, tab: Tab) -> None:
    raise_and_clear(stage)
    page = tab.open(stage.url)
    line = page.locator("#alarms .alarm.cleared")
    assert "at 10.2 m" in line.inner_text()
    line.click()
    page.locator("#details dl").wait_for()
    told = page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll("#details dt")]
             .map((name) => [name.textContent, name.nextSibling.textContent]))"""
    )
    assert told["Where"].startswith("10.2 m · x 10.20")
    assert told["Probability"] == "97 %"
    assert told["Evidence"] == "0.4 m high for 3.2 s; the limit is 1.0 m for 3 s"
    assert told["Clearing"] == "33.0 m · x 33.00  y 1.00  z 0.00 m · Person 54: 0% likely inside"
    page.wait_for_function("() => lamproom.raised !== null")
    x, text = page.evaluate("() => [lamproom.raised.x, lamproom.raised.text]")
    width = page.locator("#panorama").bounding_box()["width"]
    assert abs(x - width / 4) < 3, "at 10 m of 40 m"
    assert text == "In restricted zone · cleared"
    page.click("#lang-zh")
    page.locator("#details dt", has_text="解除依据").wait_for()
    tab.shoot("raised")
    assert tab.complaints == []


def test_the_view_follows_and_goes_back_when_there_is_nobody_to_follow(
    stage: Stage, tab: Tab
) -> None:
    stage.gateway.say(alarm(at_ns=time.time_ns(), track=WALKER, xyz_m=(5.0, 1.0, 0.0)))
    page = tab.open(stage.url)
    page.wait_for_function("() => lamproom.framesDrawn > 3")
    assert page.locator("#zoom-stamp").is_hidden()
    page.locator("#alarms .alarm").click()
    page.wait_for_function(f"() => lamproom.selected?.track === {WALKER} && lamproom.scale > 1.5")
    walker = f"lamproom.tags.find((one) => one.track === {WALKER})"
    began = page.evaluate(f"() => {walker}.panorama_xy[0]")
    page.wait_for_function(f"() => Math.abs({walker}.panorama_xy[0] - {began}) > 350")
    width = page.locator("#panorama").bounding_box()["width"]
    assert 0.1 * width < page.evaluate(f"() => {walker}.canvas_xy[0]") < 0.9 * width
    tab.shoot("followed")
    stage.gateway.change = without(WALKER)
    page.wait_for_function(WHOLE)
    assert page.locator("#zoom-stamp").is_hidden()
    assert tab.complaints == []


def without(track: int) -> Any:
    def change(positions: Positions) -> Positions:
        people = tuple(one for one in positions.people if one.track != track)
        return replace(positions, people=people)

    return change


def test_a_zoomed_view_says_so_and_whom_it_leaves_out(stage: Stage, tab: Tab) -> None:
    stage.gateway.say(alarm(at_ns=time.time_ns()))
    page = tab.open(stage.url)
    page.wait_for_function("() => lamproom.framesDrawn > 3")
    page.locator("#alarms .alarm").click()
    page.wait_for_function(SELECTED)
    stamp = page.locator("#zoom-stamp.some")
    page.evaluate("() => document.getElementById('panorama').focus()")
    for _ in range(3):
        page.keyboard.press("+")
    stamp.get_by_text("zoomed: 1 person outside this view").wait_for()
    tab.shoot("zoomed")
    page.click("#lang-zh")
    stamp.get_by_text("已放大：此视野外有 1 人").wait_for()
    stamp.click()
    page.wait_for_function(WHOLE)
    assert page.locator("#zoom-stamp").is_hidden()
    assert tab.complaints == []


def test_a_view_that_nobody_touches_shows_all_again(stage: Stage, tab: Tab) -> None:
    tab.page.clock.install()
    page = tab.open(stage.url)
    page.wait_for_function("() => lamproom.framesDrawn > 3")
    page.mouse.move(500, 180)
    page.mouse.wheel(0, -500)
    page.wait_for_function("() => lamproom.scale > 1.5")
    page.clock.fast_forward(20_000)
    page.wait_for_function("() => lamproom.framesDrawn > 8")
    assert page.evaluate("() => lamproom.scale") > 1.5
    page.clock.fast_forward(12_000)
    page.wait_for_function(WHOLE)


def test_the_list_of_alarms_stays_above_the_details(stage: Stage, tab: Tab) -> None:
    at_ns = time.time_ns()
    for i in range(40):
        stage.gateway.say(alarm(f"a{i}", at_ns=at_ns, track=200 + i, evidence="long words " * 60))
    page = tab.open(stage.url)
    page.locator("#alarms .alarm").first.click()
    page.locator("#details .acknowledge").wait_for()
    boxes = page.evaluate(
        """() => ["#alarm-lists", "#chosen", "aside", "#shelved"].map((one) => {
          const { top, bottom } = document.querySelector(one).getBoundingClientRect();
          return [top, bottom];
        })"""
    )
    (list_top, list_bottom), (top, bottom), (aside_top, aside_bottom), (_, shelved) = boxes
    assert shelved <= list_top < list_bottom <= top < bottom <= aside_bottom
    assert list_bottom - list_top >= 130
    assert bottom - top <= (aside_bottom - aside_top) / 2
    seen = page.evaluate(
        """() => [...document.querySelectorAll("#alarms .alarm")].filter((one) => {
          const { top, bottom } = one.getBoundingClientRect();
          const box = document.getElementById("alarm-lists").getBoundingClientRect();
          return top >= box.top && bottom <= box.bottom;
        }).length"""
    )
    assert seen >= 1
    assert page.evaluate("() => document.querySelector('#chosen').scrollHeight") > bottom - top
    button = page.locator("#details .acknowledge").bounding_box()
    assert button["y"] + button["height"] <= bottom, "what can be done stays in sight"
    tab.shoot("details")
    # On a low screen the column scrolls: nothing shows through the line on the shelf.
    page.set_viewport_size({"width": 1500, "height": 330})
    page.evaluate("() => { document.querySelector('aside').scrollTop = 120; }")
    over = page.evaluate(
        """() => {
          const shelf = document.getElementById("shelved");
          const { left, top, width, height } = shelf.getBoundingClientRect();
          const aside = document.querySelector("aside").getBoundingClientRect();
          const { backgroundColor, boxShadow } = getComputedStyle(shelf);
          const hit = document.elementFromPoint(left + width - 4, top + height / 2);
          return [shelf.contains(hit), backgroundColor, boxShadow, top - aside.top];
        }"""
    )
    assert over[:2] == [True, "rgb(17, 26, 33)"]
    assert "rgb(17, 26, 33)" in over[2], "nor above it, where the column begins"
    tab.shoot("low")
    assert tab.complaints == []


def test_the_details_follow_a_person_who_gets_a_new_number(stage: Stage, tab: Tab) -> None:
    at_ns = time.time_ns()
    stage.gateway.say(alarm(at_ns=at_ns, track=68))
    page = tab.open(stage.url)
    page.locator("#alarms .alarm").click()
    page.locator("#person h3", has_text="#68: not shown now").wait_for()
    stage.gateway.say(alarm(at_ns=at_ns + 1, raised_at_ns=at_ns, track=FALLEN))
    page.wait_for_function(SELECTED)
    page.wait_for_function(
        f"() => document.querySelector('#person h3').textContent === '#{FALLEN}'"
    )
    assert page.evaluate("() => lamproom.selected.alarm") == f"{SITE}/{GATEWAY}/man_down-3"
    assert tab.complaints == []


def test_esc_leaves_the_field_and_then_the_details(stage: Stage, tab: Tab) -> None:
    stage.gateway.say(alarm(at_ns=time.time_ns()))
    page = tab.open(stage.url)
    page.locator("#alarms .alarm").click()
    page.click("#details .reason")
    page.keyboard.type("at 3/4")
    assert page.locator("#details .reason").input_value() == "at 3/4", "a reason may have a /"
    page.keyboard.press("Escape")
    assert page.evaluate("() => document.activeElement.className") != "reason"
    assert page.locator("#details").is_visible()
    page.keyboard.press("/")
    page.wait_for_function("() => document.activeElement.id === 'alarm-search'")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.locator("#details").wait_for(state="hidden")
    assert tab.complaints == []


def test_the_muster_folds_those_without_a_name(stage: Stage, tab: Tab) -> None:
    stage.gateway.names = {WALKER: "Li Wei"}
    stage.gateway.change = lambda positions: strangers(surely_named(positions))
    page = tab.open(stage.url)
    page.wait_for_function("() => document.querySelectorAll('#plan .person').length === 7")
    page.wait_for_timeout(1500)  # who was followed for less is not certainly a person
    stage.gateway.change = lambda positions: replace(positions, people=())
    page.locator("#count", has_text="0 people seen").wait_for()
    page.keyboard.press("m")
    page.locator("#muster h3", has_text="Out of view with a name, or unknown: 1").wait_for()
    fold = page.locator("#muster details.unnamed")
    assert fold.locator("summary").inner_text().startswith("6 ")
    assert "without a name, newest" in fold.locator("summary").inner_text()
    assert "Numbers lost, without a name: 6" in page.locator("#muster-body").inner_text()
    assert not fold.locator("table").is_visible()
    tab.shoot("folded")
    page.evaluate("() => document.querySelector('#muster .unnamed summary').click()")
    was = page.evaluate("() => document.querySelector('#muster .unnamed summary').textContent")
    page.wait_for_function(
        "(was) => document.querySelector('#muster .unnamed summary').textContent !== was", arg=was
    )
    assert fold.locator("table").is_visible(), "it stays open however often it is told anew"
    page.click("#muster-close")
    page.click("#lang-zh")
    page.click("#muster-open")
    fold.locator("summary", has_text="个跟踪中断的编号").wait_for()
    assert tab.complaints == []


def strangers(positions: Positions) -> Positions:
    """Six people whom nobody knows."""
    walker, fallen = positions.people
    many = [
        replace(fallen, track=1000 + i, xyz_m=(6.0 + 5 * i, -1.0, 0.0), panorama_xy=None)
        for i in range(6)
    ]
    return replace(positions, people=(walker, *many))


def test_counts_and_hatching_explain_themselves(stage: Stage, tab: Tab) -> None:
    stage.gateway.change = lambda positions: replace(
        positions, people=tuple(replace(one, certainty="possibly") for one in positions.people)
    )
    page = tab.open(stage.url)
    count = page.locator("#zone-counts .count", has_text="(at least 0)").first
    count.wait_for()
    assert "possibly people, or one person counted twice" in count.get_attribute("title")
    legend = page.locator("#legend li", has_text="not fully seen")
    assert "People drawn here are seen in part" in legend.get_attribute("title")
    assert "cuts off feet or helmet" in legend.get_attribute("title")
    hatch = page.locator("#plan path.unseen title").first
    assert "cuts off feet or helmet" in hatch.text_content()
    page.click("#lang-zh")
    page.wait_for_function(
        "() => document.querySelector('#zone-counts .count').title.includes('可能')"
    )
    assert "截去脚部" in page.locator("#legend li[title]").get_attribute("title")
    page.keyboard.press("m")
    page.wait_for_function("() => document.querySelector('#muster .heads')?.title.includes('重复')")
    assert tab.complaints == []


def test_an_alarm_that_is_over_and_seen_is_off_the_plan(stage: Stage, tab: Tab) -> None:
    raise_and_clear(stage)
    page = tab.open(stage.url)
    page.locator("#plan .place.cleared").wait_for(state="attached")
    stage.room.do(wish_of("acknowledge", {"site": SITE, "gateway": GATEWAY, "id": "zone-0"}))
    page.locator("#plan .place.cleared").wait_for(state="detached")


def test_an_alarm_whose_raising_never_came_claims_no_probability(stage: Stage, tab: Tab) -> None:
    stage.gateway.say(alarm(at_ns=time.time_ns(), state="cleared", probability=0.0, track=99))
    page = tab.open(stage.url)
    page.locator("#alarms .alarm.cleared").click()
    page.locator("#details dt", has_text="Clearing").wait_for()
    assert page.locator("#details dt", has_text="Probability").count() == 0
    assert tab.complaints == []
