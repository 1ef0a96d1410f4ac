"""Many alarms at one place, and names on the plan, in a real browser."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from scene.messages import Positions, ZoneDescription
from tests.control_room.conftest import Tab
from tests.control_room.fake_gateway import FALLEN, alarm, description
from tests.control_room.page_stage import Stage, staged

HEAP = 6

# Names on the plan that lie over each other.
COVERED = """() => {
  const texts = [...document.querySelectorAll(
    "#plan .name, #plan .more-names, #plan .zone-name, #plan .gate-name, #plan .machine-name")]
    .filter((one) => one.checkVisibility() && one.textContent !== "");
  const boxes = texts.map((one) => [one.textContent, one.getBoundingClientRect()]);
  return boxes.flatMap(([a, one], i) => boxes.slice(0, i).filter(([, other]) =>
    one.left < other.right - 3 && other.left < one.right - 3
    && one.top < other.bottom - 4 && other.top < one.bottom - 4).map(([b]) => `${a} / ${b}`));
}"""


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged() as found:
        yield found


def heap(positions: Positions) -> Positions:
    """Six people side by side, and the fallen one."""
    one = positions.people[1]
    many = [
        replace(one, track=40 + i, xyz_m=(12 + 0.3 * i, -1.0, 0.0), posture="upright",
                panorama_xy=(400.0 + 20 * i, 150.0), panorama_head_xy=(400.0 + 20 * i, 60.0))
        for i in range(HEAP)
    ]  # fmt: skip
    return replace(positions, people=(*positions.people, *many))


def many_alarms(stage: Stage) -> None:
    """One for each of the six, the third the gravest; nine where nobody is any more."""
    at_ns = time.time_ns()
    for i in range(HEAP):
        grave = i == 2
        stage.gateway.say(
            alarm(f"h{i}", at_ns=at_ns, track=40 + i, xyz_m=(12 + 0.3 * i, -1, 0), zone=None,
                  kind="man_down" if grave else "immobile",
                  severity="critical" if grave else "warning")
        )  # fmt: skip
    for i in range(9):
        stage.gateway.say(
            alarm(f"z{i}", at_ns=at_ns + i, track=400 + i, kind="restricted_zone",
                  xyz_m=(34 + 0.01 * i, 0, 0), severity="critical" if i == 4 else "warning")
        )  # fmt: skip


def test_many_alarms_at_one_place_are_one_label_with_a_count_and_the_gravest_shape(
    stage: Stage, tab: Tab
) -> None:
    stage.gateway.change = heap
    many_alarms(stage)
    page = tab.open(stage.url)
    page.wait_for_function("() => lamproom.tagGroups.length === 1")
    names = page.locator("#plan .alarm .name").filter(visible=True)
    page.wait_for_function(
        "() => [...document.querySelectorAll('#plan .alarm .name')]"
        ".filter((one) => one.checkVisibility()).length === 2"
    )
    assert sorted(names.all_text_contents()) == [
        "▲ 6 alarms · Man down +1 kind", "▲ 9 alarms · In restricted zone",
    ]  # fmt: skip
    assert page.locator("#plan .place").count() == 1, "one shape where nobody is"
    assert page.locator("#plan .place.critical .dot").get_attribute("d").count("L") == 1
    assert page.locator("#plan .person").count() == HEAP + 2, "whoever is there is still there"
    tags = page.evaluate("() => lamproom.tags.filter((t) => t.track >= 40)")
    texts = {tag["label"]["text"] for tag in tags}
    assert texts == {"6 alarms · Man down +1 kind"}
    assert page.evaluate("() => lamproom.tagGroups[0].length") == HEAP
    assert page.evaluate("() => lamproom.tagGroups[0][0]") == 42, "the gravest leads"
    tab.shoot("grouped")
    # A click on the label opens it, on the panorama
    label = tags[0]["label"]
    box = page.locator("#panorama").bounding_box()
    page.mouse.click(box["x"] + label["left"] + 6, box["y"] + label["top"] + 6)
    lines = page.locator("#place-alarms .place-alarm")
    lines.nth(HEAP - 1).wait_for()
    assert lines.count() == HEAP
    assert lines.first.inner_text().startswith("▲ Man down")
    tab.shoot("opened")
    page.locator("#place-alarms .place-alarm[data-alarm='h4']").click()
    page.wait_for_function("() => lamproom.selected?.track === 44")
    assert page.locator("#place-alarms").is_hidden()
    # and on the plan; whoever is selected has a label of their own again.
    page.click("#panorama-fit")
    page.click("#plan-fit")
    name = page.locator("#plan .name", has_text="9 alarms").filter(visible=True)
    name.wait_for()
    label = name.bounding_box()
    page.mouse.click(label["x"] + 12, label["y"] + 6)
    page.wait_for_function("() => document.querySelectorAll('.place-alarm').length === 9")
    assert tab.complaints == []


def test_a_group_opens_by_keyboard_and_follows_what_happens(stage: Stage, tab: Tab) -> None:
    stage.gateway.change = heap
    many_alarms(stage)
    page = tab.open(stage.url)
    page.wait_for_function("() => lamproom.tagGroups.length === 1")
    page.keyboard.press("l")
    page.keyboard.press("Enter")
    page.locator("#place-alarms h3", has_text="Alarms at one place: 9").wait_for()
    assert page.locator("#place-alarms .place-alarm").count() == HEAP + 9, "of all places"
    page.keyboard.press("Tab")
    focused = page.evaluate("() => document.activeElement.dataset.alarm")
    stage.gateway.say(alarm("h5", at_ns=time.time_ns(), track=45, kind="immobile",
                            severity="warning", state="cleared"))  # fmt: skip
    page.locator(".place-alarm[data-alarm='h5']", has_text="cleared").wait_for()
    assert page.evaluate("() => document.activeElement.dataset.alarm") == focused
    page.keyboard.press("Enter")
    page.wait_for_function(f"() => lamproom.selected?.alarm.endsWith('/{focused}')")
    page.keyboard.press("p")
    page.keyboard.press("Enter")
    page.locator("#place-alarms").wait_for()
    page.keyboard.press("Escape")
    page.locator("#place-alarms").wait_for(state="hidden")
    assert page.evaluate("() => lamproom.selected") is not None, "Esc closes the list only"
    assert tab.complaints == []


def test_two_alarms_keep_their_own_labels(stage: Stage, tab: Tab) -> None:
    stage.gateway.change = heap
    at_ns = time.time_ns()
    for track in (40, 41):
        stage.gateway.say(alarm(f"h{track}", at_ns=at_ns, track=track, kind="immobile"))
    page = tab.open(stage.url)
    page.wait_for_function("() => lamproom.tags.filter((t) => t.severity).length === 2")
    texts = page.evaluate("() => lamproom.tags.filter((t) => t.severity).map((t) => t.label.text)")
    assert all("Not moving" in text for text in texts)
    assert page.evaluate("() => lamproom.tagGroups") == []


def zones_with_names(stage: Stage) -> Any:
    """Zones whose names want the same room, and people who stand right there."""

    def polygon(x: float, y: float, wide: float) -> tuple[tuple[float, float], ...]:
        return ((x, y - 1.5), (x + wide, y - 1.5), (x + wide, y), (x, y))

    zones = (
        ZoneDescription(name="conveyor drive", kind="restricted", polygon_m=polygon(12, 0, 4)),
        ZoneDescription(name="crusher", kind="danger", polygon_m=polygon(13, 0, 3)),
        ZoneDescription(name="refuge bay", kind="area", polygon_m=polygon(13.5, 0.1, 2)),
    )
    return replace(description("ws://gw1:1/p"), zones=zones)


def at_names(positions: Positions) -> Positions:
    """People right where the names of the zones are written."""
    one = positions.people[0]
    return replace(positions, people=tuple(
        replace(one, track=60 + i, xyz_m=(12.5 + 0.5 * i, 0.1, 0.0), worker=f"Worker {i}",
                velocity_m_s=(0.0, 0.0)) for i in range(6)
    ))  # fmt: skip


@pytest.mark.parametrize("size", [(1920, 1080), (1280, 720)])
def test_no_name_on_the_plan_covers_another(stage: Stage, tab: Tab, size: tuple[int, int]) -> None:
    stage.gateway.change = at_names
    stage.gateway.say(zones_with_names(stage))
    tab.page.set_viewport_size({"width": size[0], "height": size[1]})
    page = tab.open(stage.url)
    page.wait_for_function("() => document.querySelectorAll('#plan .person').length === 6")
    page.wait_for_function("() => document.querySelectorAll('#plan .zone-name').length === 3")
    page.wait_for_timeout(400)
    assert page.evaluate(COVERED) == []
    tab.shoot("names")
    where = "() => [...document.querySelectorAll('#plan .zone-name')]" \
        ".map((one) => [one.getAttribute('x'), one.getAttribute('y')])"  # fmt: skip
    was = page.evaluate(where)
    page.wait_for_timeout(2500)
    assert page.evaluate(where) == was, "names of zones stand still"
    page.evaluate("() => document.getElementById('plan').focus()")
    for _ in range(3):
        page.keyboard.press("+")
    page.wait_for_timeout(400)
    assert page.evaluate(COVERED) == []
    assert tab.complaints == []
    assert FALLEN not in page.evaluate("() => lamproom.tags.map((t) => t.track)")
