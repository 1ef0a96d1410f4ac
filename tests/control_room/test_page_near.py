"""People and alarms near to each other, in a real browser: what the gravest says and hides."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from scene.messages import Positions
from tests.control_room.conftest import Tab
from tests.control_room.fake_gateway import alarm
from tests.control_room.page_stage import Stage, staged

PX_PER_M = """() => {
  const [a, b] = [...document.querySelectorAll("#plan text.ruler")].slice(1, 3)
    .map((one) => [parseFloat(one.textContent), Number(one.getAttribute("x"))]);
  return (b[1] - a[1]) / (b[0] - a[0]);
}"""

# One who is selected has all the room; three with alarms stand close beside.
LEFT_OVER = """async () => {
  const { drawTags } = await import("/tags.js");
  const tag = (key, left, fields) => ({ key, box: [left, 0, 10, 20], severity: null, kinds: [],
    texts: ["a very long name"], look: "seen", label: null, selected: false, ...fields });
  const chosen = tag(0, 0, { selected: true, severity: "warning", texts: ["m".repeat(40)] });
  const alarmed = ["notice", "warning", "critical"].map((severity, i) =>
    tag(i + 1, 20 + 12 * i, { severity, kinds: ["Man down"], texts: ["Man down"] }));
  const canvas = new OffscreenCanvas(300, 22);
  const context = canvas.getContext("2d");
  drawTags(context, [...alarmed, chosen], { width: 300, height: 22 });
  const { left, top } = alarmed[2].label;
  const [red, green, blue] = context.getImageData(left + 2, top + 2, 1, 1).data;
  return { label: alarmed[2].label, colour: [red, green, blue] };
}"""

# Three marks, the third now nearer, now further, by one who remembers and one who does not.
GATHERED = """async () => {
  const { Gathering } = await import("/gathering.js");
  const marks = (third) => [0, 85, third].map((x, key) => ({ key, x, y: 0 }));
  const kept = new Gathering(90);
  return [85 + 89, 85 + 91, 85 + 89, 85 + 112, 85 + 114].map((third) =>
    [kept.of(marks(third)).length, new Gathering(90).of(marks(third)).length]);
}"""


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged() as found:
        yield found


def row(positions: Positions, count: int, start: float, pitch: float, tall: float) -> Positions:
    """So many people side by side, and nobody else; panorama pixels."""
    one = positions.people[1]
    return replace(positions, people=tuple(
        replace(one, track=100 + i, xyz_m=(10 + 0.3 * i, -1.0, 0.0), posture="upright",
                height_m=1.7, panorama_xy=(start + pitch * i, 238.0),
                panorama_head_xy=(start + pitch * i, 238.0 - tall)) for i in range(count)
    ))  # fmt: skip


def say_alarms(stage: Stage, kinds: tuple[str, ...], severity: str = "critical") -> None:
    """One about each of the row."""
    at_ns = time.time_ns()
    for i, kind in enumerate(kinds):
        stage.gateway.say(
            alarm(f"a{i}", at_ns=at_ns + i, track=100 + i, kind=kind, severity=severity, zone=None,
                  xyz_m=(10 + 0.3 * i, -1, 0))
        )  # fmt: skip


def test_alarms_of_people_who_fill_the_picture_keep_their_labels(stage: Stage, tab: Tab) -> None:
    stage.gateway.change = lambda positions: row(positions, 11, 60.0, 115.0, 234.0)
    say_alarms(stage, ("man_down",) * 11)
    page = tab.open(stage.url)
    page.wait_for_function("() => lamproom.tags.filter((t) => t.severity).length === 11")
    labels = [one["label"] for one in page.evaluate("() => lamproom.tags")]
    assert [one["text"] for one in labels if one["text"] is None] == []
    places = {(one["left"], one["top"]) for one in labels}
    assert len(places) == 11, "and none covers another"
    tab.shoot("filled")
    assert tab.complaints == []


def test_alarms_without_room_are_counted_as_people_in_the_colour_of_the_gravest(
    stage: Stage, tab: Tab
) -> None:
    page = tab.open(stage.url)
    found = page.evaluate(LEFT_OVER)
    assert found["label"]["text"] is None
    assert (found["label"]["count"], found["label"]["severity"]) == (3, "critical")
    assert found["colour"] == [255, 77, 77]


def test_a_label_of_many_names_the_gravest_kind_whatever_came_first(stage: Stage, tab: Tab) -> None:
    turns = iter(range(10**9))

    def change(positions: Positions) -> Positions:
        found = row(positions, 3, 400.0, 20.0, 60.0)
        return found if next(turns) % 2 else replace(found, people=found.people[::-1])

    stage.gateway.change = change
    say_alarms(stage, ("immobile", "restricted_zone", "man_down"))
    page = tab.open(stage.url)
    page.wait_for_function("() => lamproom.tagGroups.length === 1")
    said = set[str]()
    for _ in range(6):
        drawn = page.evaluate("() => lamproom.framesDrawn")
        page.wait_for_function(f"() => lamproom.framesDrawn > {drawn}")
        said |= set(page.evaluate("() => lamproom.tags.map((t) => t.label.text)"))
        said |= set(page.locator("#plan .alarm .name").filter(visible=True).all_text_contents())
    many = "3 alarms · Man down +2 kinds"
    assert said == {many, f"▲ {many}"}
    tab.page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function("() => lamproom.tags[0]?.label?.text === '3 alarms · Man down'")
    assert tab.complaints == []


def test_a_group_that_was_one_label_stays_one_a_little_longer(stage: Stage, tab: Tab) -> None:
    page = tab.open(stage.url)
    found = page.evaluate(GATHERED)
    assert found == [[1, 1], [1, 0], [1, 1], [1, 0], [0, 0]]


def test_on_the_plan_nothing_lies_over_what_is_graver(stage: Stage, tab: Tab) -> None:
    page = tab.open(stage.url)
    page.wait_for_function("() => document.querySelectorAll('#plan .person').length === 2")
    px_per_m = page.evaluate(PX_PER_M)

    def say(id: str, x_px: float, severity: Any) -> None:
        stage.gateway.say(
            alarm(id, at_ns=time.time_ns(), track=None, xyz_m=(12 + x_px / px_per_m, 1.5, 0),
                  zone=None, severity=severity)
        )  # fmt: skip

    # The critical one comes first, then a notice at the very place.
    say("first", 300, "critical")
    page.locator("#plan .place.critical").wait_for(state="attached")
    say("second", 300, "notice")
    page.locator("#plan .place.notice").wait_for(state="attached")
    above = page.evaluate(
        """() => (document.querySelector("#plan .place.notice").compareDocumentPosition(
          document.querySelector("#plan .place.critical")) & 4) !== 0"""
    )
    assert above, "what is drawn later lies above"
    name = page.evaluate(
        """() => {
          const name = document.querySelector("#plan .place.critical .name");
          return Number(name.getAttribute("x")) + name.getBBox().width / 2;
        }"""
    )
    assert abs(name) < 1.5, "as wide as it was measured, so in the middle"
    # A critical place that is reached over a notice has a shape; the notice has none.
    for id, x_px, severity in (("a", 0, "critical"), ("b", 40, "notice"), ("c", 50, "critical")):
        say(id, x_px, severity)
    page.locator("#plan .name", has_text="3 alarms").wait_for()
    assert page.locator("#plan .place.critical").count() == 3
    assert page.locator("#plan .place.notice").count() == 1
    assert tab.complaints == []


def test_the_list_of_one_place_takes_in_what_comes_and_leaves_for_the_gravest(
    stage: Stage, tab: Tab
) -> None:
    stage.gateway.change = lambda positions: row(positions, 4, 400.0, 20.0, 60.0)
    say_alarms(stage, ("immobile",) * 3, "notice")
    page = tab.open(stage.url)
    page.wait_for_function("() => lamproom.tagGroups[0]?.length === 3")
    label = page.evaluate("() => lamproom.tags.find((t) => t.severity).label")
    box = page.locator("#panorama").bounding_box()
    page.mouse.click(box["x"] + label["left"] + 6, box["y"] + label["top"] + 6)
    lines = page.locator("#place-alarms .place-alarm")
    lines.nth(2).wait_for()
    stage.gateway.say(
        alarm("graver", at_ns=time.time_ns(), track=103, kind="lone_worker", severity="warning",
              zone=None, xyz_m=(10.9, -1, 0))
    )  # fmt: skip
    lines.nth(3).wait_for()
    assert lines.first.get_attribute("data-alarm") == "graver"
    stage.gateway.say(alarm(at_ns=time.time_ns(), track=101))
    page.locator("#place-alarms").wait_for(state="hidden")
    page.wait_for_function("() => announcer.textContent.includes('New alarm: Man down')")
    assert tab.complaints == []
