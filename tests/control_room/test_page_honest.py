"""What the page says of counts, unseen floor and places is true, and agrees; in a real browser."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from scene.messages import GatewayHealth, Position, Positions
from tests.control_room import fake_gateway
from tests.control_room.conftest import Tab
from tests.control_room.fake_gateway import FALLEN, WALKER, alarm, description
from tests.control_room.page_stage import Stage, staged

LOOK = "async () => { window.drawn = (await import('/panorama.js')).drawn; }"
# The control room's count stands still, whatever it tells from now on.
ONE_COUNT = """async () => {
  const { model, changed } = await import("/model.js");
  const [told] = model.heads;
  const [zone, elsewhere] = told.areas;
  const heads = [{ ...told, people: 6, at_least: 3, seen: 5, seen_at_least: 2, areas: [
    { ...zone, people: 1, at_least: 0 }, { ...elsewhere, people: 5, at_least: 3 }] }];
  Object.defineProperty(model, "heads", { get: () => heads, set: () => {} });
  changed("heads");
}"""
# Boxes of writing on the panorama that lie over each other.
HITS = """() => {
  const { ruler, places, raised } = window.drawn;
  const boxes = [...ruler, ...places, ...(raised?.label ? [raised.label] : [])];
  return boxes.flatMap((a, i) => boxes.slice(0, i).filter((b) =>
    a.left < b.left + b.width && b.left < a.left + a.width
    && a.top < b.top + b.height && b.top < a.top + a.height)).length;
}"""


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged() as found:
        yield found


def walker(stage: Stage, **changes: Any) -> None:
    """Change what is told of the walker from now on."""

    def change(one: Position) -> Position:
        return replace(one, **changes) if one.track == WALKER else one

    stage.gateway.change = lambda told: replace(told, people=tuple(map(change, told.people)))


def test_the_header_and_the_table_of_zones_are_one_count(stage: Stage, tab: Tab) -> None:
    page = tab.open(stage.url)
    page.locator("#zone-counts .count").first.wait_for()
    page.evaluate(ONE_COUNT)
    page.get_by_text("5 (at least 2) people seen; 1 more not seen just now").wait_for()
    counts = page.locator("#zone-counts .count")
    counts.first.filter(has_text="1 (at least 0)").wait_for()
    assert counts.all_inner_texts() == ["1 (at least 0)", "5 (at least 3)"]
    assert "may stand beside it" in counts.first.get_attribute("title")
    page.click("#lang-zh")
    page.wait_for_function(
        "() => document.querySelector('#zone-counts .count').title.includes('可能在区域旁边')"
    )
    assert tab.complaints == []


def test_what_was_lost_sight_of_is_explained(stage: Stage, tab: Tab) -> None:
    page = tab.open(stage.url)
    page.locator("#zone-counts .count", has_text="at least 1").first.wait_for()
    stage.gateway.change = lambda told: replace(told, people=())
    cell = page.locator("#zone-counts td", has_text="lost sight of here, without a name: 1").first
    cell.wait_for()
    assert "find out whether somebody is still there" in cell.get_attribute("title")
    page.keyboard.press("m")
    lost = page.locator("#muster .zones td", has_text="lost sight of here").first
    lost.wait_for()
    assert "find out whether" in lost.get_attribute("title")
    page.click("#muster-close")
    page.click("#lang-zh")
    cell = page.locator("#zone-counts td", has_text="在此失去视野（未识别）：1").first
    cell.wait_for()
    assert "确认此处是否仍有人" in cell.get_attribute("title")
    assert tab.complaints == []


def test_floor_that_was_never_seen_is_not_said_to_be_lost_since_the_start(
    stage: Stage, tab: Tab, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fake_gateway.health
    lost_ns = time.time_ns()

    def health(at_ns: int, unplaced: int | None = None) -> GatewayHealth:
        told = before(at_ns, unplaced)
        since = tuple(lost_ns if x == 2 else None for x in range(len(told.coverage)))
        return replace(told, coverage_unseen_since_ns=since)

    monkeypatch.setattr(fake_gateway, "health", health)
    page = tab.open(stage.url)
    page.keyboard.press("m")
    body = page.locator("#muster-body")
    body.filter(has_text="can't see 0 to 2 m: never seen since the gateway started").wait_for()
    assert "can't see 2 to 3 m since " in body.inner_text()
    tab.shoot("never-seen")
    page.click("#muster-close")
    page.click("#lang-zh")
    page.keyboard.press("m")
    body.filter(has_text="看不到 0 至 2 米：自网关启动以来从未看到").wait_for()
    monkeypatch.setattr(fake_gateway, "health", before)  # an older gateway tells no times
    body.filter(has_text="看不到 0 至 3 米，起始时间不详").wait_for()
    assert tab.complaints == []


def test_who_has_left_a_zone_is_not_labelled_as_in_it(stage: Stage, tab: Tab) -> None:
    label = f"() => lamproom.tags.find((tag) => tag.track === {WALKER})?.texts[0] ?? ''"
    walker(stage, xyz_m=(28.0, -1.0, 0.0))
    stage.gateway.say(
        alarm("zone-12", at_ns=time.time_ns(), kind="restricted_zone", track=WALKER,
              xyz_m=(28.0, -1.0, 0.0))
    )  # fmt: skip
    page = tab.open(stage.url)
    page.wait_for_function(f"() => ({label})().startsWith('In restricted zone · #12')")
    walker(stage, xyz_m=(24.7, -1.0, 0.0))
    page.wait_for_function(f"() => ({label})().includes('24.6 m')")
    assert page.evaluate(label).startswith("In restricted zone · "), "at the edge, perhaps in it"
    walker(stage, xyz_m=(15.0, -1.0, 0.0))
    page.wait_for_function(f"() => ({label})().startsWith('In restricted zone: has left · #12')")
    # The alarm is what it was: it stands, and the colour is its own.
    assert page.evaluate(f"() => lamproom.tags.find((t) => t.track === {WALKER}).severity")
    assert "In restricted zone" in page.locator("#alarms button.alarm.active").inner_text()
    assert "has left" not in page.locator("#alarms button.alarm.active").inner_text()
    page.click("#people-title")
    page.locator("#people-list button", has_text="In restricted zone: has left").wait_for()
    tab.shoot("left")
    page.click("#lang-zh")
    page.wait_for_function(f"() => ({label})().startsWith('进入限制区域：已离开')")
    assert tab.complaints == []


def without_fallen(told: Positions) -> Positions:
    return replace(told, people=tuple(one for one in told.people if one.track != FALLEN))


def test_places_of_alarms_lie_where_they_are_and_cover_no_metre(stage: Stage, tab: Tab) -> None:
    stage.gateway.change = without_fallen
    marks = tuple(replace(mark, left_m=(2.5, -2.5)) for mark in description().ruler)
    stage.gateway.say(replace(description("ws://gw1:1/p"), ruler=marks))
    at_ns = time.time_ns()
    stage.gateway.say(alarm("here", at_ns=at_ns, xyz_m=(10.5, -2.0, 0.0), zone=None))
    over = alarm("over", at_ns=at_ns, kind="restricted_zone", xyz_m=(30.0, 0.5, 0.0), track=99)
    stage.gateway.say(over)
    page = tab.open(stage.url)
    page.evaluate(LOOK)
    page.wait_for_function("() => window.drawn.places.length === 2")
    stage.gateway.say(replace(over, state="cleared", captured_at_ns=time.time_ns()))
    page.locator("#alarms button.cleared[data-alarm='over']").click()
    page.wait_for_function("() => window.drawn.raised?.label !== undefined")
    assert page.evaluate(HITS) == 0
    (place,) = page.evaluate("() => structuredClone(window.drawn.places)")
    scale = page.evaluate("() => lamproom.scale")
    assert place["x"] == pytest.approx(10.5 * 32 * scale, abs=3), "between two marks"
    assert place["y"] == pytest.approx((150 + 0.9 * 80) * scale, abs=3), "at the right of the floor"
    tab.shoot("places")
    # Low down, where the line is short, its name has no room above the number either.
    flat = tuple(
        replace(
            mark, across_px=tuple((x, 225.0 + 10 * n) for n, (x, _) in enumerate(mark.across_px))
        )
        for mark in marks
    )
    stage.gateway.say(replace(description("ws://gw1:1/p"), ruler=flat))
    page.wait_for_function("() => window.drawn.raised?.y > 200 * lamproom.scale")
    assert page.evaluate(HITS) == 0
    tab.shoot("flat")
    assert tab.complaints == []


def test_a_phone_shows_a_panorama_that_can_be_read_and_says_what_is_beside_it(
    stage: Stage, tab: Tab
) -> None:
    stage.gateway.say(alarm(at_ns=time.time_ns()))
    tab.page.set_viewport_size({"width": 390, "height": 844})
    page = tab.open(stage.url)
    page.wait_for_function("() => lamproom.framesDrawn > 3 && lamproom.tags.length === 2")
    box = page.locator("#panorama").bounding_box()
    assert box["height"] >= 180
    page.locator("#zoom-stamp", has_text="outside this view").wait_for()
    x, label = page.evaluate(
        f"() => {{ const tag = lamproom.tags.find((one) => one.track === {FALLEN});"
        " return [tag.box[0] + tag.box[2] / 2, tag.label.text]; }"
    )
    assert abs(x - box["width"] / 2) < box["width"] / 3, "the gravest is in the middle"
    assert label.startswith("Man down · #3")
    covered = page.evaluate(
        "() => [...new Map(lamproom.tags.filter(({ label }) => label !== null).map(({ label }) =>"
        " [`${label.left},${label.top}`, label.width * label.height])).values()]"
        ".reduce((a, b) => a + b, 0)"
    )
    assert covered < 0.15 * box["width"] * box["height"]
    tab.shoot("rest")
    # What is beside it is a finger's way off; and all of it is one press.
    at = f"lamproom.tags.find((one) => one.track === {FALLEN}).box[0]"
    was = page.evaluate(f"() => {at}")
    page.mouse.move(box["x"] + 100, box["y"] + 90)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 90, steps=4)
    page.mouse.up()
    page.wait_for_function(f"() => {at} - {was} > 50")
    page.click("#zoom-stamp")
    page.locator("#zoom-stamp").wait_for(state="hidden")
    assert page.evaluate("() => lamproom.scale * 1280") == pytest.approx(box["width"], abs=2)
    tab.shoot("whole")
    assert tab.complaints == []


def test_the_plans_ruler_numbers_no_floor_that_there_is_not(stage: Stage, tab: Tab) -> None:
    stage.gateway.say(replace(description("ws://gw1:1/p"), left_m=9.0, right_m=9.0))
    page = tab.open(stage.url)
    page.locator("#plan text.ruler").first.wait_for()
    ends = page.evaluate(
        """() => {
          const shape = document.querySelector("#plan .floor").getBoundingClientRect();
          const { left, width } = document.getElementById("plan").getBoundingClientRect();
          return [shape.left - left, left + width - shape.right];
        }"""
    )
    assert min(ends) > 200, "the sheet goes far beyond the roadway"
    metres = [float(one.split()[0]) for one in page.locator("#plan text.ruler").all_text_contents()]
    assert metres[0] == 0
    assert 35 <= metres[-1] <= 41
    tab.shoot("ruler")
    assert tab.complaints == []
