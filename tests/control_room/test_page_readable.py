"""The page on a narrow phone, and what a screen reader and tired eyes get of it."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.control_room.conftest import Tab
from tests.control_room.fake_gateway import WALKER, alarm
from tests.control_room.page_stage import Stage, staged
from tests.control_room.test_page_alarms import three

# What leaves the window sideways, or is cut off inside its own box.
CUT = """() => [...document.querySelectorAll("body *")].filter((one) => {
  if (!one.checkVisibility()) return false;
  if (one.closest("svg, .only-heard, #muster-body table, select")) return false;
  const { left, right, width, height } = one.getBoundingClientRect();
  if (width === 0 || height === 0 || one.closest("dialog:not([open])")) return false;
  const { overflowX, overflowY } = getComputedStyle(one);
  const beside = right > innerWidth + 1 || left < -1;
  const cut = !["visible", "auto"].includes(overflowX) && one.scrollWidth > one.clientWidth + 1;
  const high = overflowY === "hidden" && one.scrollHeight > one.clientHeight + 1;
  return beside || cut || high;
}).map((one) => `${one.tagName} ${one.id || one.className} ${one.textContent.slice(0, 40)}`)"""

# Everything that can be pressed or filled in, without a name that a screen reader could say.
NAMELESS = """() => [...document.querySelectorAll(
  "button, a[href], input, select, summary, [tabindex='0'], dialog, section, aside, nav, footer")]
  .filter((one) => {
    const by = (one.getAttribute("aria-labelledby") ?? "").split(" ").filter(Boolean)
      .map((id) => document.getElementById(id)?.textContent ?? "").join("");
    const said = one.getAttribute("aria-label") || by || one.labels?.[0]?.textContent
      || (one.matches("button, a, summary") ? one.textContent : "");
    return !said?.trim() && one.checkVisibility();
  }).map((one) => one.outerHTML.slice(0, 100))"""

# Contrast of each visible text with what lies behind it, as WCAG 2 counts it.
FAINT = """(least) => {
  const parse = (text) => {
    const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number);
    return { rgb: [r, g, b], a };
  };
  const light = (rgb) => rgb.map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (one) => {
    for (let at = one; at !== null; at = at.parentElement) {
      const style = getComputedStyle(at);
      const { rgb, a } = parse(style.backgroundColor);
      const stripe = style.backgroundImage.match(/rgb\\([^)]+\\)/);
      if (stripe) return parse(stripe[0]).rgb;
      if (a > 0.99) return rgb;
    }
    return [11, 17, 22];
  };
  const found = [];
  for (const one of document.querySelectorAll("body *")) {
    const own = [...one.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!own || !one.checkVisibility() || one.closest("svg, .only-heard, noscript")) continue;
    const [a, b] = [light(parse(getComputedStyle(one).color).rgb), light(behind(one))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < least) found.push(`${contrast.toFixed(1)} ${one.className} ${one.textContent.slice(0, 40)}`);
  }
  return found;
}"""  # noqa: E501


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged() as found:
        yield found


def panels(page: Any) -> Iterator[str]:
    """Open the page's panels one after the other, and name each."""
    yield "page"
    for summary in ("#filters-title", "#shelved-count", "#past > summary", "#people-title"):
        page.click(summary)
    yield "all opened"
    page.locator("#alarms button.alarm").first.click()
    page.locator("#details .close").wait_for()
    yield "details"
    page.locator("#details .close").click()
    page.locator("#people-list button").first.click()
    page.locator("#person dl dd").first.wait_for()
    yield "person"
    page.keyboard.press("?")
    yield "keys"
    page.keyboard.press("Escape")
    page.click("#muster-open")
    page.locator("#muster .verdict").wait_for()
    yield "muster"
    page.keyboard.press("Escape")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_narrow_phone_cuts_nothing_off_and_reaches_every_alarm(
    stage: Stage, tab: Tab, language: str
) -> None:
    three(stage)
    stage.gateway.names = {WALKER: "Ngabonziza Wolfeschlegelsteinhausen"}
    stage.gateway.unplaced = 2
    long = "0.4 m high for 3.2 s, " + "x" * 60
    stage.gateway.say(alarm("long", at_ns=time.time_ns(), evidence=long, zone="z" * 50, track=5))
    tab.page.set_viewport_size({"width": 360, "height": 740})
    page = tab.open(stage.url)
    page.click(f"#lang-{language}")
    page.wait_for_function("() => lamproom.framesDrawn > 10")
    for panel in panels(page):
        page.wait_for_timeout(300)
        wide = page.evaluate("() => document.documentElement.scrollWidth")
        assert wide <= 360, panel
        assert page.evaluate(CUT) == [], panel
        tab.shoot(f"{panel}")
    for line in page.locator("#alarms > li > button.alarm").all():
        line.scroll_into_view_if_needed()
        box = line.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360
        assert box["height"] >= 40, "wide enough for a thumb"
        line.click()
        page.wait_for_function(
            "(key) => lamproom.selected?.alarm === key", arg=line.get_attribute("data-key")
        )
    assert tab.complaints == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_everything_has_a_name_and_can_be_read(stage: Stage, tab: Tab, language: str) -> None:
    three(stage)
    page = tab.open(stage.url)
    page.click(f"#lang-{language}")
    page.wait_for_function("() => lamproom.framesDrawn > 10")
    for panel in panels(page):
        page.wait_for_timeout(300)
        assert page.evaluate(NAMELESS) == [], panel
        assert page.evaluate(FAINT, 4.5) == [], panel
    for role, name in (
        ("button", "人员清点" if language == "zh" else "Muster"),
        ("complementary", "报警" if language == "zh" else "Alarms"),
        ("region", "平面图" if language == "zh" else "Plan"),
        ("navigation", "语言" if language == "zh" else "Language"),
    ):
        assert page.get_by_role(role, name=name, exact=True).count() == 1, (role, name)
    assert page.locator("h1").count() == 1
    doubled = page.evaluate(
        "() => { const ids = [...document.querySelectorAll('[id]')].map((one) => one.id);"
        " return ids.filter((id, i) => ids.indexOf(id) !== i); }"
    )
    assert doubled == []
    assert tab.complaints == []


def test_a_lost_line_can_be_read(tab: Tab) -> None:
    with staged() as stage:
        page = tab.open(stage.url)
        page.wait_for_function("() => lamproom.framesDrawn > 3")
    page.locator(".banner.lost").wait_for()
    assert not [one for one in page.evaluate(FAINT, 4.5) if "banner" in one]


def test_a_count_stays_on_one_line_on_a_phone(stage: Stage, tab: Tab) -> None:
    stage.gateway.names = {WALKER: "Ngabonziza Wolfeschlegelsteinhausen"}
    stage.gateway.change = lambda positions: replace(
        positions, people=tuple(replace(one, certainty="possibly") for one in positions.people)
    )
    tab.page.set_viewport_size({"width": 390, "height": 844})
    page = tab.open(stage.url)
    page.click("#lang-zh")
    page.locator("#zone-counts .count", has_text="（至少").first.wait_for()
    lines = page.evaluate(
        """() => [...document.querySelectorAll("#zone-counts .count")].map((one) => {
          const range = document.createRange();
          range.selectNodeContents(one);
          return new Set([...range.getClientRects()].map(({ top }) => Math.round(top))).size;
        })"""
    )
    assert set(lines) == {1}
