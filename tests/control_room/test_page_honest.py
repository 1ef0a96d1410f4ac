"""What the page says of counts, unseen floor and places is true, and agrees; in a real browser."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from control_room import whole_mine
from control_room.journal.journal import Journal
from control_room.room import Room
from control_room.roster import Worker
from control_room.server import serving
from scene.clock import SystemClock
from scene.messages import GatewayHealth, Position, Positions
from tests.control_room import fake_gateway
from tests.control_room.conftest import Tab
from tests.control_room.fake_gateway import FALLEN, WALKER, LocalGateway, alarm, description
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
# What the header says when a gateway, as at a replay's end, has said its last word.
GOODBYE = """async () => {
  const { takeMessage } = await import("/model.js");
  const envelope = { body: { online: false } };
  takeMessage({ site: "roadway", gateway: "gw1", topic: "state", envelope });
  for (let i = 0; i < 2; i += 1) await new Promise((then) => { requestAnimationFrame(then); });
  return document.getElementById("count").textContent;
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


def test_only_the_control_room_counts_heads(stage: Stage, tab: Tab) -> None:
    page = tab.open(stage.url)
    page.locator("#count", has_text="2 people seen").wait_for()
    title = page.locator("#people-title")
    title.get_by_text("People, one by one", exact=True).wait_for()
    title.click()
    lines = page.locator("#people-list button")
    lines.nth(1).wait_for()
    walker(stage, seen_at_ns=time.time_ns() - 9_000_000_000)  # only a guess leads on
    lines.filter(has_text="#12").filter(has_text="last seen").wait_for()
    assert "last seen" not in lines.filter(has_text="#3").inner_text()
    title.get_by_text("People, one by one", exact=True).wait_for()
    tab.shoot("listed")
    page.click("#lang-zh")
    title.get_by_text("人员列表", exact=True).wait_for()
    lines.filter(has_text="秒前最后可见").wait_for()
    assert tab.complaints == []


def test_a_goodbye_ends_the_head_count_at_once(stage: Stage, tab: Tab) -> None:
    page = tab.open(stage.url)
    page.locator("#count", has_text="people seen").wait_for()
    stage.gateway.stop()
    assert "head-count unknown" in page.evaluate(GOODBYE)
    assert tab.complaints == []


def test_where_detection_is_too_slow_nobody_is_said_to_be_seen_or_not(
    stage: Stage, tab: Tab, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fake_gateway.health

    def health(at_ns: int, unplaced: int | None = None) -> GatewayHealth:
        told = before(at_ns, unplaced)
        return replace(told, degraded="detection gives no answer", coverage=(0,) * 40)

    monkeypatch.setattr(fake_gateway, "health", health)
    stage.gateway.change = lambda told: replace(told, people=())
    page = tab.open(stage.url)
    header = page.locator("#count")
    header.filter(has_text="head-count unknown; NOBODY CAN BE COUNTED at gw1").wait_for()
    page.keyboard.press("m")
    warning = page.locator("#muster-body .stamp + .warning")
    warning.filter(
        has_text="Gateway gw1: NOBODY CAN BE COUNTED: detection gives no answer"
    ).wait_for()
    tab.shoot("uncounted")
    page.click("#muster-close")
    page.click("#lang-zh")
    header.filter(has_text="人数未知; gw1 处无法清点人数").wait_for()
    page.keyboard.press("m")
    warning.filter(has_text="网关 gw1：无法清点人数：检测无响应").wait_for()
    page.keyboard.press("Escape")
    page.click("#lang-en")
    monkeypatch.setattr(fake_gateway, "health", before)
    stage.gateway.change = lambda told: told
    header.filter(has_text="2 people seen").wait_for()
    assert "NOBODY" not in header.inner_text()
    assert tab.complaints == []


def test_a_gateway_too_many_is_not_called_silent(
    stage: Stage, tab: Tab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole_mine, "MOST_GATEWAYS", 1)
    LocalGateway(stage.room.hear, name="gw2").say(replace(description(), gateway="gw2"))
    page = tab.open(stage.url)
    page.keyboard.press("m")
    body = page.locator("#muster-body")
    body.filter(has_text="Gateway gw2 is not counted: its site has too many gateways").wait_for()
    assert "silent since" not in body.inner_text()
    page.click("#muster-close")
    page.click("#lang-zh")
    page.keyboard.press("m")
    body.filter(has_text="网关 gw2 未计入：该矿区网关过多").wait_for()
    assert tab.complaints == []


def test_the_muster_calls_people_as_the_roster_does(tab: Tab) -> None:
    roster = (Worker(name="李伟", also=("tag-1",)), Worker(name="王芳", also=("tag-2",)))
    room = Room(
        Journal(None), SystemClock(), lambda *_: None, lambda *_: None, prefix="mine", roster=roster
    )
    with LocalGateway(room.hear) as gateway, serving(room, gateway.open_stream) as url:
        gateway.names = {WALKER: "tag-1"}
        page = tab.open(url)
        page.locator("#zone-counts td", has_text="李伟").first.wait_for()
        page.keyboard.press("m")
        page.locator("#muster .somebody td", has_text="李伟").first.wait_for()
        assert "tag-1" not in page.locator("#muster-body").inner_text()
        page.locator("#muster .missing td", has_text="王芳").wait_for()
        tab.shoot("roster")
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
    page.wait_for_function(f"() => ({label})().includes('24.7 m')")
    assert page.evaluate(label).startswith("In restricted zone · "), "at the edge, perhaps in it"
    walker(stage, xyz_m=(15.0, -1.0, 0.0))
    page.wait_for_function(f"() => ({label})().startsWith('In restricted zone: has left · #12')")
    # The alarm is what it was: it stands, and the colour is its own.
    assert page.evaluate(f"() => lamproom.tags.find((t) => t.track === {WALKER}).severity")
    line = page.locator("#alarms button.alarm.active")
    line.locator(".kind").get_by_text("In restricted zone", exact=True).wait_for()
    line.locator(".where", has_text="#12 · at 28.0 m · conveyor · now at 15.0 m").wait_for()
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


def test_the_list_says_where_an_alarms_person_is_now(stage: Stage, tab: Tab) -> None:
    walker(stage, xyz_m=(10.0, 0.0, 0.0))
    stage.gateway.say(
        alarm("walks", at_ns=time.time_ns(), track=WALKER, zone=None, xyz_m=(10.0, 0.0, 0.0))
    )
    page = tab.open(stage.url)
    where = page.locator("#alarms button[data-alarm='walks'] .where")
    where.get_by_text("#12 · at 10.0 m", exact=True).wait_for()
    where.click()
    walker(stage, xyz_m=(16.0, 0.0, 0.0))
    where.get_by_text("#12 · at 10.0 m · now at 16.0 m", exact=True).wait_for()
    now = page.locator("#details dt", has_text="Where now").locator("+ dd")
    now.get_by_text("now at 16.0 m", exact=True).wait_for()
    tab.shoot("now")
    page.click("#lang-zh")
    where.get_by_text("#12 · 位置 10.0 米 · 现在位置 16.0 米", exact=True).wait_for()
    page.locator("#details dt", has_text="当前位置").wait_for()
    page.click("#lang-en")
    # Where only a guess leads on, help goes to where somebody was really seen.
    walker(stage, xyz_m=(19.0, 0.0, 0.0), seen_xy_m=(17.0, 0.0), seen_at_ns=time.time_ns())
    where.get_by_text("#12 · at 10.0 m · last seen at 17.0 m", exact=True).wait_for()
    now.get_by_text("last seen at 17.0 m", exact=True).wait_for()
    # Two steps off is no other place.
    walker(stage, xyz_m=(12.0, 0.0, 0.0))
    where.get_by_text("#12 · at 10.0 m", exact=True).wait_for()
    now.wait_for(state="detached")
    assert tab.complaints == []
