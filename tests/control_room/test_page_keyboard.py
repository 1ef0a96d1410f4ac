"""A whole shift without a mouse, in a real browser; and one always sees where one is."""

import time
from collections.abc import AsyncGenerator, Iterator
from dataclasses import replace
from typing import Any

import pytest

from control_room.journal.journal import Journal
from control_room.room import Room
from control_room.server import serving
from scene.clock import SystemClock
from scene.messages import PanoramaPacket
from tests.control_room.conftest import Tab
from tests.control_room.fake_gateway import FALLEN, WALKER, LocalGateway, alarm
from tests.control_room.page_stage import Stage, staged
from tests.control_room.test_page_alarms import surely_named

# What has the focus, and whether that is seen: an outline of its own, and in the window.
HERE = """() => {
  const one = document.activeElement;
  const { left, top, right, bottom } = one.getBoundingClientRect();
  const { outlineStyle, outlineWidth } = getComputedStyle(one);
  return { name: one.id || one.dataset.alarm || one.dataset.key || one.className || one.tagName,
    tag: one.tagName, outline: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2,
    inside: right > 0 && bottom > 0 && left < innerWidth && top < innerHeight,
    role: one.getAttribute("role"), text: one.textContent.slice(0, 60) };
}"""
MOST_STEPS = 120


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged() as found:
        yield found


def tab_to(page: Any, wanted: str, key: str = "Tab") -> dict[str, Any]:
    """Press Tab until the focus is on what `wanted`, a CSS selector, finds; each stop is seen."""
    for _ in range(MOST_STEPS):
        page.keyboard.press(key)
        here: dict[str, Any] = page.evaluate(HERE)
        if here["tag"] not in ("BODY", "HTML"):
            assert here["outline"], f"no outline: {here}"
            assert here["inside"], f"out of sight: {here}"
        if page.evaluate(f"() => document.activeElement.matches({wanted!r})"):
            return here
    raise AssertionError(f"{wanted} can't be reached by {key}")


def test_people_and_alarms_go_without_a_mouse(stage: Stage, tab: Tab) -> None:
    stage.gateway.names = {WALKER: "Li Wei"}
    at_ns = time.time_ns()
    stage.gateway.say(alarm(at_ns=at_ns))
    stage.gateway.say(alarm("still", at_ns=at_ns, kind="immobile", severity="warning", track=99))
    page = tab.open(stage.url)
    page.wait_for_function("() => lamproom.framesDrawn > 3")
    # A person
    tab_to(page, "#people-title")
    page.keyboard.press("Enter")
    page.locator("#people-list button").first.wait_for()
    for _ in range(5):
        if "Li Wei" in tab_to(page, ".person-line")["text"]:
            break
    page.keyboard.press("Enter")
    page.wait_for_function(f"() => lamproom.selected?.track === {WALKER}")
    page.locator("#person h3", has_text="Li Wei").wait_for()
    # Acknowledge, with what one has to say; then shelve the other with a reason
    page.keyboard.press("j")
    page.locator("#details .acknowledge").wait_for()
    tab_to(page, "#details .reason")
    page.keyboard.type("the medic goes")
    tab_to(page, "#details .acknowledge", "Shift+Tab" if before(page) else "Tab")
    page.keyboard.press("Enter")
    page.locator("#alarms button[data-alarm='man_down-3']", has_text="not acknowledged").wait_for(
        state="detached"
    )
    page.keyboard.press("j")
    page.wait_for_function("() => lamproom.selected?.alarm.endsWith('/still')")
    tab_to(page, "#details .reason")
    page.keyboard.press("Control+a")
    page.keyboard.type("sits and waits")
    tab_to(page, "#details .shelve", "Shift+Tab" if before(page, ".shelve") else "Tab")
    page.keyboard.press("Enter")
    page.locator("#shelved-count", has_text="Shelved: 1").wait_for()
    assert tab.complaints == []


def test_lists_muster_and_views_go_without_a_mouse(stage: Stage, tab: Tab) -> None:
    stage.gateway.say(alarm(at_ns=time.time_ns()))
    page = tab.open(stage.url)
    page.wait_for_function("() => lamproom.framesDrawn > 3")
    page.locator("#alarms button.alarm").wait_for()
    page.keyboard.press("/")
    tab_to(page, "[data-filter='severity']")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.locator("#hidden-alarms", has_text="hidden by the filter: 1").wait_for()
    tab_to(page, ".reset")
    page.keyboard.press("Enter")
    page.locator("#hidden-alarms").wait_for(state="hidden")
    tab_to(page, "#past > summary")
    page.keyboard.press("Enter")
    tab_to(page, "#older-alarms")
    page.keyboard.press("Enter")
    page.keyboard.press("m")
    page.locator("#muster .verdict").wait_for()
    tab_to(page, "#muster-close")
    page.keyboard.press("Enter")
    page.locator("#muster").wait_for(state="hidden")
    # Look closer, move, and back; another language
    for key, canvas in (("p", "panorama"), ("l", "plan")):
        page.keyboard.press(key)
        here = page.evaluate(HERE)
        assert (here["name"], here["outline"]) == (canvas, True)
    page.keyboard.press("p")
    for _ in range(4):
        page.keyboard.press("+")
    page.wait_for_function("() => lamproom.scale > 1.5")
    where = "() => lamproom.ruler[0]?.x"
    was = page.evaluate(where)
    page.keyboard.press("ArrowRight")
    page.wait_for_function(f"() => lamproom.ruler[0]?.x !== {was}")
    page.keyboard.press("0")
    page.wait_for_function("() => lamproom.scale < 1.3")
    tab_to(page, "#lang-zh", "Shift+Tab")
    page.keyboard.press("Space")
    page.wait_for_function("() => document.documentElement.lang === 'zh-CN'")
    assert page.evaluate(HERE)["name"] == "lang-zh"
    assert tab.complaints == []


def before(page: Any, button: str = ".acknowledge") -> bool:
    """Tell whether a button of the details comes before what has the focus."""
    return bool(
        page.evaluate(
            f"""() => (document.querySelector("#details {button}")
              .compareDocumentPosition(document.activeElement) & 4) !== 0"""
        )
    )


def test_the_muster_leaves_the_focus_where_it_is(stage: Stage, tab: Tab) -> None:
    stage.gateway.names = {FALLEN: "Li Wei"}
    stage.gateway.change = surely_named
    page = tab.open(stage.url)
    page.wait_for_function("() => lamproom.framesDrawn > 10")
    page.keyboard.press("m")
    page.locator("#muster table.somebody button", has_text="Li Wei").wait_for()
    for _ in range(6):
        if tab_to(page, "#muster-body button")["text"] == "Li Wei":
            break
    stamp = page.locator("#muster .stamp").inner_text()
    page.wait_for_function(
        "(stamp) => document.querySelector('#muster .stamp').textContent !== stamp", arg=stamp
    )
    assert page.evaluate(HERE)["text"] == "Li Wei", "figures are told anew every two seconds"
    page.keyboard.press("Enter")
    page.wait_for_function(f"() => lamproom.selected?.track === {FALLEN}")
    assert tab.complaints == []


def test_a_gateway_is_chosen_and_the_focus_stays(tab: Tab) -> None:
    journal = Journal(None)
    room = Room(journal, SystemClock(), lambda *_: None, lambda *_: None, prefix="mine")
    with LocalGateway(room.hear) as first, LocalGateway(room.hear, name="gw2") as second:

        def open_stream(url: str) -> AsyncGenerator[PanoramaPacket, None]:
            return (second if "gw2" in url else first).open_stream(url)

        with serving(room, open_stream) as url:
            page = tab.open(url)
            page.wait_for_function("() => lamproom.framesDrawn > 3")
            page.locator("#gateways button").nth(1).wait_for()
            for _ in range(3):
                if tab_to(page, "#gateways button")["text"] == "gw2":
                    break
            page.keyboard.press("Enter")
            page.wait_for_function("() => lamproom.shown === 'roadway/gw2'")
            assert page.evaluate(HERE)["text"] == "gw2"
            assert tab.complaints == []
    journal.close()


def test_a_click_on_somebody_in_the_muster_is_never_lost(stage: Stage, tab: Tab) -> None:
    stage.gateway.names = {FALLEN: "Li Wei"}
    stage.gateway.change = lambda positions: surely_named(
        replace(positions, people=positions.people[1:])
    )
    page = tab.open(stage.url)
    page.wait_for_function("() => lamproom.framesDrawn > 10")
    page.keyboard.press("m")
    button = page.locator("#muster table.somebody button", has_text="Li Wei")
    button.wait_for()
    box = button.bounding_box()
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    page.wait_for_timeout(2600)  # longer than until the figures are told anew
    page.mouse.up()
    page.wait_for_function(f"() => lamproom.selected?.track === {FALLEN}")
    assert tab.complaints == []


def test_alarms_are_heard_from_behind_a_dialog(stage: Stage, tab: Tab) -> None:
    page = tab.open(stage.url)
    page.keyboard.press("?")
    page.locator("#help").wait_for()
    stage.gateway.say(alarm(at_ns=time.time_ns()))
    page.locator("#help").wait_for(state="hidden")
    page.wait_for_function("() => announcer.textContent.includes('New alarm: Man down')")
    page.keyboard.press("m")
    told = page.locator("#muster [role=alert]")
    told.get_by_text("1 alarm not acknowledged · ▲ Man down").wait_for()
    stage.gateway.say(alarm("near", at_ns=time.time_ns(), kind="immobile", severity="warning"))
    told.get_by_text("2 alarms not acknowledged · ▲ Man down").wait_for()
    tab_to(page, "#muster-alarms")
    tab.shoot("told")
    page.keyboard.press("Enter")
    page.locator("#muster").wait_for(state="hidden")
    assert tab.complaints == []
