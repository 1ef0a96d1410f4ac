"""The plan in a real browser: areas, gates, machines, severities; no name covers another."""

import time
from collections.abc import AsyncGenerator, Iterator
from dataclasses import replace
from typing import Any

import pytest

from control_room.journal.journal import Journal
from control_room.room import Room
from control_room.server import serving
from scene.clock import SystemClock
from scene.messages import PanoramaPacket, Positions, ZoneDescription
from tests.control_room.conftest import Tab
from tests.control_room.fake_gateway import (
    FALLEN,
    WALKER,
    LocalGateway,
    alarm,
    description,
    people_at,
)
from tests.control_room.page_stage import Stage, staged

YAML = """
zones:
  - {name: conveyor, kind: restricted, polygon_m: [[25, -2], [32, -2], [32, 0], [25, 0]]}
  - {name: bay, kind: area, capacity: 4, polygon_m: [[2, -2], [8, -2], [8, 2], [2, 2]]}
  - name: round-shearer
    kind: danger
    follows: shearer
    polygon_m: [[-1, -1], [4, -1], [4, 1], [-1, 1]]
gates:
  - {name: in, line_m: [[20, -2.5], [20, 2.5]], way: to_left}
limits:
  danger: {place_age_s: 2.5}
"""

# Middle of a shape of the plan, in mine metres along x; the ruler's ticks tell where metres are.
X_OF = """(shape) => {
  const ticks = [...document.querySelectorAll("#plan text.ruler")].map((text) => ({
    metre: parseFloat(text.textContent),
    x: text.getBoundingClientRect().x + text.getBoundingClientRect().width / 2 }));
  const [a, b] = [ticks[1], ticks[2]];
  const box = document.querySelector(shape).getBoundingClientRect();
  const metre = (x) => a.metre + (x - a.x) * (b.metre - a.metre) / (b.x - a.x);
  return [metre(box.left), metre(box.right)];
}"""


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged() as found:
        yield found


def test_every_area_gate_and_machine_is_drawn_as_what_it_is(stage: Stage, tab: Tab) -> None:
    zones = (
        *description().zones,
        ZoneDescription(name="bay", kind="area", polygon_m=((2, -2), (8, -2), (8, 2), (2, 2))),
    )
    stage.gateway.say(replace(description("ws://gw1:1/p"), zones=zones, site_yaml=YAML))
    page = tab.open(stage.url)
    page.locator("#plan .zone.restricted[data-zone='conveyor']").wait_for(state="attached")
    assert page.locator("#plan .zone.area[data-zone='bay']").get_attribute("fill") == "none"
    assert page.get_by_text("▢ bay (at most 4)").count() == 1
    gate = page.evaluate(X_OF, "#plan .gate[data-gate='in']")
    assert gate[0] < 19.9, "to the left of who looks from y -2.5 to y 2.5 is towards less x"
    assert gate[1] < 20.2
    page.get_by_text("Zone round-shearer is NOT WATCHED: where shearer is").wait_for()
    assert page.locator("[data-zone='round-shearer']").count() == 0, "a place is never guessed"
    stage.say_machine("shearer", 12.0)
    page.locator("#plan .zone.danger.moving[data-zone='round-shearer']").wait_for(state="attached")
    assert page.locator("#plan .machine.running[data-machine='shearer']").count() == 1
    zone = page.evaluate(X_OF, "#plan [data-zone='round-shearer']")
    assert zone == pytest.approx([8.0, 13.0], abs=0.3), "turned round with the machine"
    assert page.locator("#plan-note").is_hidden()
    stage.say_machine("shearer", 14.0, running=False)
    page.locator("#plan .zone.resting[data-zone='round-shearer']").wait_for(state="attached")
    tab.shoot("areas")
    # Nobody says any more where it is: the zone goes, the machine stays as it was last, doubtful.
    page.locator("#plan .machine.old").wait_for(state="attached")
    page.locator("#plan-note", has_text="NOT WATCHED").wait_for()
    assert page.locator("[data-zone='round-shearer']").count() == 0
    assert "secret" not in page.content()
    assert tab.complaints == []


def test_severities_differ_in_shape(stage: Stage, tab: Tab) -> None:
    at_ns = time.time_ns()
    stage.gateway.say(alarm(at_ns=at_ns))
    stage.gateway.say(
        alarm("still", at_ns=at_ns, kind="immobile", severity="warning", track=WALKER,
              zone=None, xyz_m=(1.0, 0.0, 0.0))
    )  # fmt: skip
    stage.gateway.say(
        alarm("helm", at_ns=at_ns, kind="camera_dusty", severity="notice", track=None,
              camera="c1", zone=None, xyz_m=None)
    )  # fmt: skip
    page = tab.open(stage.url)
    page.wait_for_function("() => lamproom.framesDrawn > 3 && lamproom.tags.length === 2")
    corners = {
        track: page.locator(f"#plan .person[data-track='{track}'] .dot").get_attribute("d")
        for track in (WALKER, FALLEN)
    }
    assert corners[FALLEN].count("L") == 1, "a triangle"
    assert corners[WALKER].count("L") == 3, "a diamond"
    severities = page.evaluate("() => lamproom.tags.map((t) => [t.track, t.severity]).sort()")
    assert severities == [[WALKER, "warning"], [FALLEN, "critical"]]
    for id, sign in (("man_down-3", "▲"), ("still", "◆"), ("helm", "●")):
        assert page.locator(f".alarm[data-alarm='{id}'] .icon").inner_text() == sign
    assert tab.complaints == []


def crowd(positions: Positions) -> Positions:
    """Forty people in one heap."""
    one = positions.people[0]
    heap = [
        replace(
            one,
            track=100 + i,
            xyz_m=(15.0 + 0.1 * (i % 8), -1.0 + 0.3 * (i // 8), 0.0),
            panorama_xy=(500.0 + 14 * (i % 8), 150.0 + 6 * (i // 8)),
            panorama_head_xy=(500.0 + 14 * (i % 8), 60.0 + 6 * (i // 8)),
        )
        for i in range(40)
    ]
    return replace(positions, people=(*positions.people, *heap))


# Labels of the picture that lie over another one, and tags without any.
OVERLAPS = """() => {
  const tags = lamproom.tags;
  const boxes = [...new Map(tags.filter((tag) => tag.label !== null)
    .map(({ label }) => [`${label.left},${label.top}`, label])).values()];
  let hits = 0;
  boxes.forEach((a, i) => boxes.slice(0, i).forEach((b) => {
    if (a.left < b.left + b.width && b.left < a.left + a.width
      && a.top < b.top + b.height && b.top < a.top + a.height) hits += 1;
  }));
  return { hits, unlabelled: tags.filter((tag) => tag.label === null).length, all: tags.length,
    labels: boxes.length };
}"""


@pytest.mark.parametrize("width", [400, 1500])
def test_labels_of_a_crowd_cover_no_other_and_leave_out_nobody(
    stage: Stage, tab: Tab, width: int
) -> None:
    stage.gateway.change = crowd
    stage.gateway.say(alarm(at_ns=time.time_ns()))
    tab.page.set_viewport_size({"width": width, "height": 850})
    page = tab.open(stage.url)
    page.wait_for_function("() => lamproom.framesDrawn > 3 && lamproom.tags.length === 42")
    if width == 400:  # a phone shows a part of it, where the alarm is, and says so
        page.locator("#zoom-stamp", has_text="41 people outside this view").click()
        page.locator("#zoom-stamp").wait_for(state="hidden")
    page.wait_for_function(f"({OVERLAPS})().unlabelled === 0")
    found = page.evaluate(OVERLAPS)
    assert found["all"] == 42
    assert found["unlabelled"] == 0, "who has no name has a number that counts them"
    # Where even numbers find no free place they may touch; names never do.
    assert found["hits"] == 0 if width == 1500 else found["hits"] <= 3
    fallen = page.evaluate(f"() => lamproom.tags.find((t) => t.track === {FALLEN}).label")
    assert "Man down" in fallen["text"], "alarms have the first call on room"
    assert page.locator("#plan .person").count() == 42
    dots = page.locator("#plan .person .dot").count()
    assert dots == 42
    tab.shoot(f"crowd-{width}")
    assert tab.complaints == []


def test_shapes_of_people_are_kept_and_moved(stage: Stage, tab: Tab) -> None:
    page = tab.open(stage.url)
    page.locator(f"#plan .person[data-track='{WALKER}']").wait_for(state="attached")
    page.evaluate(
        f"""() => {{
          window.dot = document.querySelector("#plan .person[data-track='{WALKER}'] .dot");
          window.at = () => window.dot.getBoundingClientRect().x;
          window.was = window.at();
        }}"""
    )
    page.wait_for_function("() => window.at() !== window.was")
    assert page.evaluate("() => window.dot.isConnected")
    stage.gateway.change = lambda positions: replace(positions, people=positions.people[1:])
    page.wait_for_function("() => !window.dot.isConnected")


def test_the_plan_chooses_the_panorama(tab: Tab) -> None:
    journal = Journal(None)
    room = Room(journal, SystemClock(), lambda *_: None, lambda *_: None, prefix="mine")
    with LocalGateway(room.hear) as first, LocalGateway(room.hear, name="gw2") as second:
        second.change = further

        def open_stream(url: str) -> AsyncGenerator[PanoramaPacket, None]:
            return (second if "gw2" in url else first).open_stream(url)

        second.say(moved_description())
        with serving(room, open_stream) as url:
            page = tab.open(url)
            page.wait_for_function("() => lamproom.framesDrawn > 3")
            assert page.evaluate("() => lamproom.shown") == "roadway/gw1"
            x, y = place_on_plan(page, 70.0)
            page.mouse.click(x, y)
            page.wait_for_function("() => lamproom.shown === 'roadway/gw2'")
            # The picture flies to that metre, as soon as there is one.
            page.wait_for_function("() => lamproom.scale > 1.5 && lamproom.ruler.length > 0")
            middle = page.evaluate(
                """() => {
                  const width = document.getElementById("panorama").clientWidth;
                  const far = ({ x }) => Math.abs(x - width / 2);
                  return Number(lamproom.ruler.toSorted((a, b) => far(a) - far(b))[0].text);
                }"""
            )
            assert abs(middle - 70) <= 1
            page.click("#people-title")
            page.locator("#people-list button", has_text="#3 · 29").click()
            page.wait_for_function(
                "() => lamproom.shown === 'roadway/gw1' && lamproom.selected.track === 3"
            )
            page.locator("#person", has_text="2σ").wait_for()
            person = page.locator("#person").inner_text()
            for words in ("2σ", "Last seen", "right of the middle", "c1"):
                assert words in person
            assert tab.complaints == []
    journal.close()


def further(positions: Positions) -> Positions:
    people = tuple(
        replace(one, xyz_m=(one.xyz_m[0] + 50, *one.xyz_m[1:])) for one in positions.people
    )
    return replace(positions, people=people)


def moved_description() -> Any:
    """The second gateway's roadway: the same, 50 m further on."""
    first = description("ws://gw2:1/panorama")
    return replace(
        first,
        gateway="gw2",
        centre_line_m=tuple((x + 50, y, z) for x, y, z in first.centre_line_m),
        zones=(),
        cameras=(),
        ruler=tuple(replace(mark, chainage_m=mark.chainage_m + 50) for mark in first.ruler),
    )


def place_on_plan(page: Any, x_m: float) -> tuple[float, float]:
    """Where the middle of the roadway is on the screen at `x_m`, on the whole plan."""
    page.click("#plan-fit")
    page.locator("#plan path.centre").nth(1).wait_for(state="attached")
    box = page.evaluate(
        """() => {
          const { left, width, top, height } =
            document.querySelectorAll("#plan path.centre")[1].getBoundingClientRect();
          return [left, width, top + height / 2];
        }"""
    )
    return box[0] + (x_m - 50) / 40 * box[1], box[2]


def test_chainage_is_counted_along_a_bend(stage: Stage, tab: Tab) -> None:
    bent = replace(
        description("ws://gw1:1/p"), centre_line_m=((0.0, 0, 0), (10.0, 0, 0), (10.0, 30.0, 0))
    )
    stage.gateway.say(replace(bent, zones=(), cameras=()))
    stage.gateway.change = lambda positions: replace(
        positions,
        people=tuple(replace(one, xyz_m=(9.0, 12.0, 0.0)) for one in positions.people[:1]),
    )
    page = tab.open(stage.url)
    page.wait_for_function("() => lamproom.tags[0]?.text.includes('21.4 m')")
    assert people_at(0, 1).people[0].track == WALKER


def test_a_single_roadway_is_drawn_whole_however_small(stage: Stage, tab: Tab) -> None:
    line = ((0.0, 0.0, 0.0), (600.0, 0.0, 0.0))
    stage.gateway.say(replace(description("ws://gw1:1/p"), centre_line_m=line))
    tab.page.set_viewport_size({"width": 390, "height": 844})
    page = tab.open(stage.url)
    page.locator("#plan .zone-name", has_text="conveyor").wait_for(state="attached")
    tab.shoot("small")
    assert tab.complaints == []
