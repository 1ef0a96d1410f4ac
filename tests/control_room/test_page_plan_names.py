"""Names on the plan are whole: none is cut off, and none names what is out of sight."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from scene.messages import ZoneDescription
from tests.control_room.conftest import Tab
from tests.control_room.fake_gateway import description
from tests.control_room.page_stage import Stage, staged

FIRST, LAST = "explosives magazine, level 3 west", "主变压器硐室（禁止进入）"
GATES = """
gates:
  - {name: the one and only way in from the shaft, line_m: [[39, -2.5], [39, 2.5]], way: to_left}
"""
# Names that are cut off by the drawing's edge, and by how many pixels.
CUT = """() => {
  const { left, right, top, bottom } = document.getElementById("plan").getBoundingClientRect();
  return [...document.querySelectorAll("#plan .zone-name, #plan .gate-name")].map((name) => {
    const box = name.getBoundingClientRect();
    const out = Math.max(left - box.left, box.right - right, top - box.top, box.bottom - bottom);
    const isSeen = box.right > left && box.left < right && box.bottom > top && box.top < bottom;
    return [name.textContent, isSeen ? Math.ceil(out) : 0];
  }).filter(([, out]) => out > 0);
}"""


def corner(name: str, x_m: float, y_m: float) -> ZoneDescription:
    """Give a zone of one metre round a place."""
    low, high = (x_m - 0.5, y_m - 0.5), (x_m + 0.5, y_m + 0.5)
    points = (low, (high[0], low[1]), high, (low[0], high[1]))
    return ZoneDescription(name=name, kind="restricted", polygon_m=points)


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged() as found:
        yield found


def opened(tab: Tab, stage: Stage, width: int) -> Any:
    zones = (corner(FIRST, 0.5, 2.0), corner(LAST, 39.5, -2.0), corner("middle", 20.0, 2.0))
    told = replace(description("ws://gw1:1/p"), zones=zones, site_yaml=GATES)
    stage.gateway.say(told)
    tab.page.set_viewport_size({"width": width, "height": 850})
    page = tab.open(stage.url)
    page.locator("#plan .zone-name", has_text="middle").wait_for(state="attached")
    return page


@pytest.mark.parametrize("width", [420, 900, 1500])
def test_no_name_is_cut_off_at_the_plans_edge(stage: Stage, tab: Tab, width: int) -> None:
    page = opened(tab, stage, width)
    names = page.locator("#plan .zone-name, #plan .gate-name").all_text_contents()
    assert len(names) == 4
    tab.shoot(f"names-{width}")
    assert page.evaluate(CUT) == []
    page.click("#lang-zh")
    page.locator("#plan-title", has_text="平面图").wait_for()
    tab.shoot(f"names-zh-{width}")
    assert page.evaluate(CUT) == []
    assert tab.complaints == []


NAMES_ARE = """(wanted) => { const names = document.querySelectorAll("#plan .zone-name");
  return [...names].map((one) => one.textContent).join("|") === wanted.join("|"); }"""

IN_SIGHT = """() => { const plan = document.getElementById("plan").getBoundingClientRect();
  const name = document.querySelector("#plan .zone-name")?.getBoundingClientRect();
  return name && name.height > 0 && plan.top <= name.top && name.bottom <= plan.bottom; }"""


def test_a_zone_of_which_a_part_is_in_sight_has_its_name_there(stage: Stage, tab: Tab) -> None:
    page = opened(tab, stage, 1500)
    plan = page.locator("#plan").bounding_box()
    page.mouse.move(plan["x"] + plan["width"] * 0.6, plan["y"] + 60)
    page.mouse.wheel(0, -700)
    page.locator("#plan .zone-name", has_text=FIRST).wait_for(state="detached")
    tab.shoot("names-zoomed")
    page.wait_for_function(NAMES_ARE, arg=["⊘ middle"])  # who is drawn anew is there twice or not
    page.wait_for_function(IN_SIGHT)
    assert page.evaluate(CUT) == []
    page.click("#plan-fit")
    page.locator("#plan .zone-name", has_text=FIRST).wait_for(state="attached")
