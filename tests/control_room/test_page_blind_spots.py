"""What the page must not leave out, in a real browser: places nobody sees, old figures, silence."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from scene.messages import Positions
from scene.topics import Address
from scene.wire import Envelope
from tests.control_room.conftest import Tab
from tests.control_room.fake_gateway import FALLEN, WALKER, LocalGateway, alarm, description
from tests.control_room.page_stage import Stage, staged

BENT_M = ((0.0, 0.0, 0.0), (10.0, 0.0, 0.0), (10.0, 60.0, 0.0))

LOOK = "async () => { window.drawn = (await import('/panorama.js')).drawn; }"
PLACES = "() => structuredClone(window.drawn.places)"
# How much of the floor's box the hatched pieces reach over: left, top, right, bottom, shares of it.
HATCHED = """() => {
  const floor = document.querySelector("#plan path.floor").getBoundingClientRect();
  const all = [...document.querySelectorAll("#plan path.unseen")]
    .map((one) => one.getBoundingClientRect());
  return [
    (Math.min(...all.map((one) => one.left)) - floor.left) / floor.width,
    (Math.min(...all.map((one) => one.top)) - floor.top) / floor.height,
    (Math.max(...all.map((one) => one.right)) - floor.left) / floor.width,
    (Math.max(...all.map((one) => one.bottom)) - floor.top) / floor.height,
    all.length,
  ];
}"""
# All of it, but for the rounding of points to tenths of a pixel.
ALL = pytest.approx([0, 0, 1, 1], abs=0.01)


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged() as found:
        yield found


def without_fallen(positions: Positions) -> Positions:
    people = tuple(person for person in positions.people if person.track != FALLEN)
    return replace(positions, people=people)


def test_an_alarm_whose_person_is_lost_keeps_a_place_on_the_panorama(
    stage: Stage, tab: Tab
) -> None:
    stage.gateway.change = without_fallen
    at_ns = time.time_ns()
    stage.gateway.say(alarm(at_ns=at_ns))
    stage.gateway.say(alarm("seen", at_ns=at_ns, track=WALKER, xyz_m=(5.0, 1.0, 0.0)))
    page = tab.open(stage.url)
    page.evaluate(LOOK)
    page.wait_for_function("() => window.drawn.places.length === 1")
    (place,) = page.evaluate(PLACES)
    assert place["inPicture"]
    assert place["text"] == "Man down"
    width = page.evaluate("() => document.getElementById('panorama').clientWidth")
    assert place["x"] == pytest.approx(29 / 40 * width, abs=0.02 * width), "at its metre"
    tab.shoot("place")
    # Selected, the picture goes there.
    page.click("#alarms button[data-alarm='man_down-3']")
    page.wait_for_function("() => lamproom.scale > 1.5")
    (place,) = page.evaluate(PLACES)
    assert abs(place["x"] - width / 2) < 0.2 * width
    page.keyboard.press("Escape")
    page.click("#panorama-fit")
    # Where the picture has no such metre it says which one.
    stage.gateway.say(alarm("far", at_ns=at_ns, track=77, xyz_m=(70.0, 0.0, 0.0), zone=None))
    page.wait_for_function("() => window.drawn.places.some((one) => !one.inPicture)")
    corner = next(one for one in page.evaluate(PLACES) if not one["inPicture"])
    assert corner["text"].startswith("Man down · at 69.9 m")
    tab.shoot("corner")
    box = page.locator("#panorama").bounding_box()
    page.mouse.click(box["x"] + corner["left"] + 8, box["y"] + corner["top"] + 8)
    page.wait_for_function("() => lamproom.selected?.alarm.endsWith('/far')")
    assert tab.complaints == []


def test_floor_that_no_camera_is_known_to_see_is_hatched_to_its_end_and_round_bends(
    stage: Stage, tab: Tab
) -> None:
    bent = replace(description("ws://gw1:1/p"), centre_line_m=BENT_M, ruler=(), zones=())
    stage.gateway.unplaced = 2
    stage.gateway.say(bent)
    stage.gateway.say(alarm(at_ns=time.time_ns(), zone=None, xyz_m=(10.5, 50.0, 0.0)))
    page = tab.open(stage.url)
    line = page.locator("#alarms button[data-alarm='man_down-3']")
    line.filter(has_text="at 60.1 m").wait_for()
    line.click()
    page.locator("#details dd", has_text="60.1 m · x 10.50").wait_for()
    # Of the last 30 m of its roadway the gateway says nothing.
    page.get_by_text("33 m of 70 m not fully seen").wait_for()
    left, top, _, bottom, pieces = page.evaluate(HATCHED)
    assert pieces == 33
    assert [left, top, bottom] == pytest.approx([0, 0, 1], abs=0.01)
    page.locator("#count", has_text="NOT placed").wait_for()
    # A gateway that is silent sees nothing, and nobody knows how its cameras are.
    stage.gateway.stop()
    page.wait_for_function("() => document.querySelectorAll('#plan path.unseen').length === 70")
    assert page.evaluate(HATCHED)[:4] == ALL
    page.wait_for_function(
        "() => document.querySelectorAll('#plan .camera:not(.bad)').length === 0"
    )
    assert page.locator("#plan .camera title").first.text_content() == "Camera c1: ?"
    strip = page.locator("#health-strip").inner_text()
    assert "detection" not in strip
    assert "panorama" not in strip
    assert "NOT placed" not in page.locator("#count").inner_text()
    tab.shoot("bent")
    stage.gateway.say(description("ws://gw1:1/p"))
    page.wait_for_function("() => document.querySelectorAll('#plan path.unseen').length === 40")
    assert page.evaluate(HATCHED)[:4] == ALL
    assert tab.complaints == []


def test_cameras_of_a_gateway_that_was_never_heard_are_not_called_well(
    stage: Stage, tab: Tab
) -> None:
    silent = LocalGateway(stage.room.hear, name="gw2")
    silent.say(replace(description(), gateway="gw2"))
    page = tab.open(stage.url)
    page.wait_for_function("() => document.querySelectorAll('#plan .camera').length === 4")
    page.wait_for_function("() => document.querySelectorAll('#plan .camera.bad').length === 3")
    assert page.locator("#health-strip .chip.bad", has_text="?").count() == 2


def test_who_is_only_possibly_there_is_not_counted_as_seen(stage: Stage, tab: Tab) -> None:
    stage.gateway.change = lambda positions: replace(
        positions, people=tuple(replace(one, certainty="possibly") for one in positions.people)
    )
    page = tab.open(stage.url)
    page.get_by_text("2 (at least 0) people seen").wait_for()


def test_a_muster_that_is_pressed_with_the_other_button_goes_on(stage: Stage, tab: Tab) -> None:
    page = tab.open(stage.url)
    page.wait_for_function("() => lamproom.framesDrawn > 3")
    page.keyboard.press("m")
    stamp = page.locator("#muster .stamp")
    stamp.wait_for()
    box = page.locator("#muster .heads").bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 5)
    page.mouse.down(button="right")
    was = stamp.text_content()
    page.wait_for_function(
        f"() => document.querySelector('#muster .stamp').textContent !== '{was}'"
    )
    page.mouse.up(button="right")
    # Whoever holds the first button is told that the figures stand still.
    page.mouse.down()
    page.locator("#muster-trouble", has_text="figures are old").wait_for()
    page.mouse.up()
    page.wait_for_function("() => document.getElementById('muster-trouble').textContent === ''")
    assert tab.complaints == []


def test_a_muster_never_shows_another_sites_or_older_figures(stage: Stage, tab: Tab) -> None:
    other = Address(prefix="mine", site="zeche", gateway="gw9", topic="site")
    body = replace(description("ws://gw9:1/p"), site="zeche", gateway="gw9")
    stage.room.hear(
        other,
        Envelope(type="site", gateway="gw9", seq=1, sent_at_ns=time.time_ns(), body=body),
    )
    held: list[tuple[Any, Any]] = []

    def slow(route: Any) -> None:
        """The first answer about each site is a slow one."""
        if any(one.request.url == route.request.url for one, _ in held):
            route.continue_()
        else:
            held.append((route, route.fetch()))

    page = tab.open(stage.url)
    page.wait_for_function("() => lamproom.framesDrawn > 3")
    page.route("**/api/muster/*", slow)
    page.keyboard.press("m")
    stamp = page.locator("#muster .stamp")
    stamp.filter(has_text="roadway").wait_for()  # the second answer
    was = stamp.text_content()
    route, answer = held[0]
    route.fulfill(response=answer)
    page.wait_for_timeout(300)
    assert stamp.text_content() >= was, "the older answer came later"
    page.select_option("#muster-site", "zeche")
    assert stamp.count() == 0, "nothing of the first site stays"
    stamp.filter(has_text="zeche").wait_for()
    page.unroute_all(behavior="ignoreErrors")
