"""Pan and zoom of panorama and plan, in a real browser: what they hide, and by finger."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.control_room.conftest import Tab
from tests.control_room.fake_gateway import alarm
from tests.control_room.page_stage import Stage, staged

# Alarms at every frame of the screen: how often the plan was drawn, and in which time.
FLOOD = """async () => {
  const { changed } = await import("/model.js");
  let draws = 0;
  const watch = new MutationObserver(() => { draws += 1; });
  watch.observe(document.querySelector("#plan .machine").parentNode, { childList: true });
  const began = performance.now();
  for (let i = 0; i < 90; i += 1) {
    changed("alarms");
    await new Promise((then) => { requestAnimationFrame(then); });
  }
  watch.disconnect();
  return [draws, performance.now() - began];
}"""

BAR_PX = "() => document.querySelector('#panorama-section .bar').offsetHeight"

# A finger that the browser took over, to scroll, moves the picture no more.
TAKEN_OVER = """() => {
  const say = (type, clientX) => document.getElementById("panorama").dispatchEvent(
    new PointerEvent(type, { pointerId: 7, isPrimary: true, clientX, clientY: 100, buttons: 1 }));
  say("pointerdown", 100);
  say("pointercancel", 100);
  say("pointermove", 300);
}"""


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged() as found:
        yield found


def two_far_apart(stage: Stage) -> None:
    at_ns = time.time_ns()
    for id, x_m in (("far", 36.0), ("near", 2.0)):
        stage.gateway.say(
            alarm(id, at_ns=at_ns, track=None, xyz_m=(x_m, 0, 0), zone=None, kind="immobile")
        )


def test_a_zoomed_plan_says_whom_it_leaves_out_and_goes_back(stage: Stage, tab: Tab) -> None:
    two_far_apart(stage)
    page = tab.open(stage.url)
    stamp = page.locator("#plan-stamp")
    page.locator("#alarms .alarm[data-alarm='far']").click()
    page.locator("#plan-stamp.some", has_text="alarms 1").wait_for()
    tab.shoot("plan")
    page.click("#lang-zh")
    page.locator("#plan-stamp", has_text="报警 1 条").wait_for()
    page.keyboard.press("Escape")
    stamp.wait_for(state="hidden")
    page.locator("#plan").hover()
    page.mouse.wheel(0, -400)
    stamp.wait_for()
    stamp.click()
    stamp.wait_for(state="hidden")
    assert tab.complaints == []


def test_the_panorama_leaves_what_a_selection_led_to_when_that_ends(stage: Stage, tab: Tab) -> None:
    two_far_apart(stage)
    stage.gateway.say(alarm(at_ns=time.time_ns()))  # about somebody who is followed
    page = tab.open(stage.url)
    page.wait_for_function("() => lamproom.framesDrawn > 3")
    stamp = page.locator("#zoom-stamp")
    for id in ("far", "man_down-3"):
        page.locator(f"#alarms .alarm[data-alarm='{id}']").click()
        stamp.wait_for()
        page.keyboard.press("Escape")
        page.wait_for_function("() => lamproom.selected === null")
        stamp.wait_for(state="hidden")
    # What somebody has moved by hand stays.
    page.locator("#alarms .alarm[data-alarm='far']").click()
    stamp.wait_for()
    page.locator("#panorama").hover()
    scale = page.evaluate("() => lamproom.scale")
    page.mouse.wheel(0, -200)
    page.wait_for_function(f"() => lamproom.scale > {scale}")
    page.keyboard.press("Escape")
    page.wait_for_function("() => lamproom.selected === null")
    drawn = page.evaluate("() => lamproom.framesDrawn")
    page.wait_for_function(f"() => lamproom.framesDrawn > {drawn} + 2")
    assert stamp.is_visible()
    assert tab.complaints == []


def test_a_plan_that_nobody_touches_shows_all_again(stage: Stage, tab: Tab) -> None:
    two_far_apart(stage)
    tab.page.clock.install()
    page = tab.open(stage.url)
    page.locator("#alarms .alarm[data-alarm='far']").click()
    page.locator("#plan-stamp").wait_for()
    page.clock.fast_forward(20_000)
    page.locator("#plan-stamp").wait_for()
    page.clock.fast_forward(12_000)
    page.locator("#plan-stamp").wait_for(state="hidden")


@pytest.mark.parametrize("width", [390, 1280])
def test_what_says_that_a_view_is_zoomed_covers_no_picture(
    stage: Stage, tab: Tab, width: int
) -> None:
    stage.gateway.say(alarm(at_ns=time.time_ns()))
    tab.page.set_viewport_size({"width": width, "height": 844})
    page = tab.open(stage.url)
    page.wait_for_function("() => lamproom.framesDrawn > 3")
    whole = page.evaluate(BAR_PX)
    page.locator("#alarms .alarm").click()
    page.locator("#zoom-stamp").wait_for()
    stamp, picture = (page.locator(one).bounding_box() for one in ("#zoom-stamp", "#panorama"))
    assert stamp["y"] + stamp["height"] <= picture["y"]
    assert page.evaluate(BAR_PX) <= whole, "nor does it push the picture away"
    tab.shoot(f"stamp-{width}")
    assert tab.complaints == []


def test_alarms_that_come_fast_draw_the_plan_seldom_but_all(stage: Stage, tab: Tab) -> None:
    stage.say_machine("shearer", 20.0)
    page = tab.open(stage.url)
    page.locator("#plan .machine").wait_for(state="attached")
    draws, past_ms = page.evaluate(FLOOD)
    # Once in 180 ms; and once a second all anew, and after a description.
    assert draws <= past_ms / 180 + past_ms / 1000 + 3
    stage.gateway.stop()
    for i in range(5):
        stage.gateway.say(
            alarm(f"a{i}", at_ns=time.time_ns(), track=None, zone=None, xyz_m=(5.0 + 5 * i, 0, 0))
        )
    page.wait_for_function("() => document.querySelectorAll('#plan .place').length === 5")


def touch(cdp: Any, kind: str, *points: tuple[float, float]) -> None:
    cdp.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [
        {"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)
    ]})  # fmt: skip


AT_REST = """() => {
    const [was, since] = window.lastScroll ?? [-1, 0];
    if (was !== scrollY) window.lastScroll = [scrollY, performance.now()];
    return was === scrollY && performance.now() - since > 300;
}"""


def test_fingers_scroll_the_page_and_enlarge_the_panorama(stage: Stage, chromium: Any) -> None:
    context = chromium.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    page = context.new_page()
    page.set_default_timeout(20_000)
    page.goto(stage.url)
    page.wait_for_function("() => lamproom.framesDrawn > 3")
    cdp = context.new_cdp_session(page)
    box = page.locator("#panorama").bounding_box()
    y = box["y"] + box["height"] / 2
    # One finger on the whole picture scrolls the page
    touch(cdp, "touchStart", (180, y))
    for step in range(1, 9):
        touch(cdp, "touchMove", (180, y - 10 * step))
    touch(cdp, "touchEnd")
    page.wait_for_function("() => scrollY > 30")
    page.wait_for_function(AT_REST)  # it goes on by itself for a while
    page.evaluate("() => scrollTo(0, 0)")
    # Two fingers enlarge it, and the page stays.
    whole = page.evaluate("() => lamproom.scale")
    touch(cdp, "touchStart", (180, y), (210, y))
    for step in range(1, 6):
        touch(cdp, "touchMove", (180 - 9 * step, y), (210 + 9 * step, y))
    touch(cdp, "touchEnd")
    page.wait_for_function(f"() => lamproom.scale > {3 * whole}")
    assert page.evaluate("() => [scrollY, visualViewport.scale, lamproom.selected]") == [0, 1, None]
    assert page.evaluate("() => panorama.style.touchAction") == "none"
    where = "() => lamproom.ruler[0]?.x"
    was = page.evaluate(where)
    page.evaluate(TAKEN_OVER)
    page.evaluate("() => new Promise((then) => { requestAnimationFrame(() => setTimeout(then)); })")
    assert page.evaluate(where) == was
    context.close()
