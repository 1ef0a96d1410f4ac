"""The alarms in a real browser: sound, filters, history, keys, what a screen reader hears."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from control_room.lifecycle import wish_of
from control_room.room import Room
from scene.messages import GatewayState, Positions
from tests.control_room.conftest import Tab
from tests.control_room.fake_gateway import (
    EVIL_NAME,
    FALLEN,
    GATEWAY,
    SITE,
    WALKER,
    alarm,
)
from tests.control_room.page_stage import Stage, staged


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged() as found:
        yield found


def do(room: Room, act: str, id: str, **fields: object) -> None:
    room.do(wish_of(act, {"site": SITE, "gateway": GATEWAY, "id": id, **fields}))


def test_sound_is_off_until_somebody_turns_it_on_and_calls_till_acknowledged(
    stage: Stage, tab: Tab
) -> None:
    page = tab.open(stage.url)
    button = page.locator("#sound .sound-state")
    assert button.inner_text() == "✕ SOUND IS OFF – turn on"
    stage.gateway.say(alarm("still", at_ns=time.time_ns(), kind="immobile", severity="warning"))
    page.locator("#sound.off.calling").wait_for()
    assert page.evaluate("() => lamproom.sound.calls") == 0
    button.click()
    page.wait_for_function(
        "() => lamproom.sound.state === 'on' && lamproom.sound.last === 'warning'"
    )
    stage.gateway.say(alarm(at_ns=time.time_ns()))
    page.wait_for_function("() => lamproom.sound.last === 'critical'")
    calls = page.evaluate("() => lamproom.sound.calls")
    page.wait_for_function(f"() => lamproom.sound.calls > {calls} + 1")  # again and again
    for id in ("man_down-3", "still"):
        do(stage.room, "acknowledge", id)
    page.locator("#sound:not(.calling)").wait_for()
    calls = page.evaluate("() => lamproom.sound.calls")
    page.wait_for_timeout(3500)
    assert page.evaluate("() => lamproom.sound.calls") == calls, "all have been seen"
    assert tab.complaints == []


def test_muting_ends_by_itself_and_with_the_next_critical_alarm(stage: Stage, tab: Tab) -> None:
    stage.gateway.say(alarm(at_ns=time.time_ns()))
    page = tab.open(stage.url)
    page.click("#sound .sound-state")
    page.wait_for_function("() => lamproom.sound.calls > 0")
    page.select_option("#sound .mute", "2")
    page.locator("#sound.muted", has_text="MUTED until").wait_for()
    calls = page.evaluate("() => lamproom.sound.calls")
    page.wait_for_timeout(3500)
    assert page.evaluate("() => lamproom.sound.calls") == calls
    page.reload()
    page.wait_for_function("() => window.lamproom && lamproom.connected")
    page.keyboard.press("x")  # any touch will do for the browser
    page.locator("#sound.muted").wait_for()
    stage.gateway.say(alarm("other", at_ns=time.time_ns(), track=WALKER))
    page.wait_for_function("() => lamproom.sound.state === 'on' && lamproom.sound.calls > 0")
    # Nobody's stored wish can mute for longer than the longest choice.
    page.evaluate("() => localStorage.setItem('lamproom.mutedUntil', String(Date.now() * 2))")
    page.reload()
    page.wait_for_function("() => window.lamproom && lamproom.connected")
    until = page.evaluate(
        "() => { localStorage.clear(); return document.querySelector('.sound-state').textContent; }"
    )
    assert until.startswith("✕ SOUND IS OFF"), "a page that nobody has touched can't sound"


def muted(page: Any) -> None:
    page.click("#sound .sound-state")
    page.wait_for_function("() => lamproom.sound.calls > 0")
    page.select_option("#sound .mute", "10")
    page.locator("#sound.muted").wait_for()


def test_what_becomes_critical_while_it_is_muted_is_heard(stage: Stage, tab: Tab) -> None:
    at_ns = time.time_ns()
    stage.gateway.say(alarm("worse", at_ns=at_ns, severity="warning"))
    page = tab.open(stage.url)
    muted(page)
    stage.gateway.say(alarm("worse", at_ns=at_ns + 10**9, raised_at_ns=at_ns, severity="critical"))
    page.wait_for_function(
        "() => lamproom.sound.state === 'on' && lamproom.sound.last === 'critical'"
    )
    page.locator("#announcer", has_text="Man down").wait_for(state="attached")


def test_a_critical_alarm_from_while_the_page_was_away_is_heard(stage: Stage, tab: Tab) -> None:
    stage.gateway.say(alarm("known", at_ns=time.time_ns()))
    page = tab.open(stage.url)
    muted(page)
    page.goto("about:blank")
    stage.gateway.say(alarm("missed", at_ns=time.time_ns(), track=WALKER))
    page.goto(stage.url)
    page.wait_for_function("() => window.lamproom && lamproom.connected")
    page.keyboard.press("x")  # any touch will do for the browser
    page.wait_for_function("() => lamproom.sound.state === 'on' && lamproom.sound.calls > 0")
    page.locator("#announcer", has_text="2 new alarms").wait_for(state="attached")


def test_an_open_group_stays_open_and_the_focus_stays_with_its_alarm(
    stage: Stage, tab: Tab
) -> None:
    at_ns = time.time_ns()
    stage.gateway.say(alarm("first", at_ns=at_ns, severity="warning", kind="immobile"))
    page = tab.open(stage.url)
    page.locator("#alarms button[data-alarm='first']").focus()
    stage.gateway.say(alarm("second", at_ns=at_ns + 1))
    page.locator("#alarms button.more").wait_for()
    focused = "() => document.activeElement.dataset.alarm"
    assert page.evaluate(focused) == "second", "the line of the group that it has gone into"
    page.locator("#alarms button.more").press("Enter")
    page.locator("#alarms .members button[data-alarm='first']").focus()
    # The leader changes, and one more comes in.
    stage.gateway.say(alarm("second", at_ns=at_ns + 2, raised_at_ns=at_ns + 1, state="cleared"))
    stage.gateway.say(alarm("third", at_ns=at_ns + 3, kind="restricted_zone"))
    page.locator("#alarms > li > button[data-alarm='third']", has_text="+2").wait_for()
    assert page.locator("#alarms .members").is_visible()
    assert page.evaluate(focused) == "first"
    # The alarms of one person are one list for as long as they stay as they are.
    assert page.evaluate(
        f"""async () => {{
          const {{ alarmsOf }} = await import("/model.js");
          const found = alarmsOf("{SITE}/{GATEWAY}", {FALLEN});
          return found === alarmsOf("{SITE}/{GATEWAY}", {FALLEN})
            && found.map((one) => one.anomaly.id).join() === "third,first";
        }}"""
    )
    assert tab.complaints == []


def test_a_lost_line_is_heard(tab: Tab) -> None:
    with staged() as stage:
        page = tab.open(stage.url)
        page.click("#sound .sound-state")
        page.wait_for_function("() => lamproom.sound.state === 'on'")
        said_at = page.evaluate("() => performance.now()")
    page.wait_for_function("() => lamproom.sound.last === 'lost'")
    assert page.locator(".banner.lost").is_visible()
    assert page.title().startswith("✕")
    assert page.evaluate("() => performance.now()") > said_at


def three(stage: Stage) -> None:
    at_ns = time.time_ns()
    stage.gateway.say(alarm(at_ns=at_ns, worker="Li Wei"))
    stage.gateway.say(
        alarm("lost", at_ns=at_ns, kind="camera_lost", severity="warning", camera="c2",
              track=None, zone=None, xyz_m=None)
    )  # fmt: skip
    stage.gateway.say(
        alarm("dust", at_ns=at_ns, kind="camera_dusty", severity="notice", camera="c1",
              track=None, zone=None, xyz_m=None)
    )  # fmt: skip


def test_filters_hide_nothing_silently(stage: Stage, tab: Tab) -> None:
    stage.gateway.names = {FALLEN: "Li Wei"}
    three(stage)
    page = tab.open(stage.url)
    page.locator("#alarms > li").nth(2).wait_for()
    page.locator("#alarms .where", has_text="Li Wei").wait_for()
    page.click("#filters-title")
    page.select_option("#filters select[data-filter='severity']", "warning")
    page.locator("#hidden-alarms.grave", has_text="hidden by the filter: 2 · 1 CRITICAL").wait_for()
    assert page.locator("#alarms > li").count() == 1
    page.fill("#alarm-search", "no such words")
    page.get_by_text("No open alarm fits the filter").wait_for()
    assert page.get_by_text("No open alarms", exact=True).count() == 0
    page.get_by_text("Show all alarms").click()
    page.locator("#alarms > li").nth(2).wait_for()
    page.fill("#alarm-search", "li wei down")
    page.wait_for_function("() => document.querySelectorAll('#alarms > li').length === 1")
    page.select_option("#filters select[data-filter='person']", "Li Wei")
    assert "Man down" in page.locator("#alarms > li").inner_text()
    page.get_by_text("Show all alarms").click()
    page.select_option("#filters select[data-filter='zone']", "conveyor")
    page.locator("#hidden-alarms", has_text="hidden by the filter: 2").wait_for()
    tab.shoot("filters")
    assert tab.complaints == []


def test_what_was_done_with_an_alarm_is_told(stage: Stage, tab: Tab) -> None:
    three(stage)
    do(stage.room, "acknowledge", "man_down-3", by="Zhang San")
    do(stage.room, "shelve", "man_down-3", by=EVIL_NAME, reason="drill", minutes=5)
    do(stage.room, "unshelve", "man_down-3", by="Wang Fang")
    page = tab.open(stage.url)
    page.click("#alarms button[data-alarm='man_down-3']")
    acts = page.locator("#details .acts li")
    acts.nth(2).wait_for()
    first, second, third = acts.all_inner_texts()
    assert first.startswith("acknowledged · ")
    assert first.endswith("Zhang San")
    assert second.startswith("shelved · ")
    assert f"{EVIL_NAME} · drill" in second
    assert third.startswith("brought back · ")
    page.click("#details .acknowledge")
    acts.nth(3).wait_for()
    page.click("#lang-zh")
    acts.first.filter(has_text="确认").wait_for()
    assert page.evaluate("() => window.hacked") is None
    assert tab.complaints == []


def test_alarms_from_before_the_page_was_opened_are_loaded(stage: Stage, tab: Tab) -> None:
    at_ns = time.time_ns()
    for i in range(120):
        stage.gateway.say(alarm(f"a{i}", at_ns=at_ns - i * 10**9, track=i))
        do(stage.room, "acknowledge", f"a{i}")
        stage.gateway.say(
            alarm(
                f"a{i}", at_ns=at_ns + 1, raised_at_ns=at_ns - i * 10**9, state="cleared", track=i
            )
        )
    page = tab.open(stage.url)
    page.locator("#past > summary").click()
    page.wait_for_function("() => document.querySelectorAll('#past-alarms > li').length === 50")
    page.click("#older-alarms")
    page.wait_for_function("() => document.querySelectorAll('#past-alarms > li').length === 120")
    assert tab.complaints == []


def test_everything_goes_by_keyboard(stage: Stage, tab: Tab) -> None:
    three(stage)
    page = tab.open(stage.url)
    page.locator("#alarms > li").nth(2).wait_for()
    page.keyboard.press("j")
    page.wait_for_function("() => lamproom.selected?.alarm.endsWith('man_down-3')")
    focused = page.evaluate("() => document.activeElement.dataset.alarm")
    assert focused == "man_down-3"
    outline = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "one sees where one is"
    page.locator("#details .acknowledge").wait_for()
    page.keyboard.press("a")
    page.wait_for_function(
        "() => lamproom.alarms.find((a) => a.anomaly.id === 'man_down-3').phase === 'acknowledged'"
    )
    page.keyboard.press("Escape")
    page.wait_for_function("() => lamproom.selected === null")
    page.keyboard.press("c")
    page.locator("#calm-announcer", has_text="people seen").wait_for(state="attached")
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    keys = page.locator("#help kbd").all_inner_texts()
    assert {"j", "a", "/", "m", "?"} <= set(keys)
    page.keyboard.press("Escape")
    page.locator("#help").wait_for(state="hidden")
    page.keyboard.press("/")
    page.wait_for_function("() => document.activeElement.id === 'alarm-search'")
    page.keyboard.type("mj?")
    assert page.locator("#alarm-search").input_value() == "mj?", "who types gives no orders"
    assert page.locator("dialog[open]").count() == 0
    reached = set()
    page.evaluate("() => document.activeElement.blur()")
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("() => document.activeElement.id"))
    assert {"panorama", "plan", "muster-open", "lang-zh", "plan-fit", "people-title"} <= reached
    assert tab.complaints == []


def test_a_screen_reader_is_not_flooded(stage: Stage, tab: Tab) -> None:
    page = tab.open(stage.url)
    page.wait_for_function("() => lamproom.framesDrawn > 3")
    page.evaluate(
        """() => {
          window.said = [];
          const heard = "[aria-live], [role=alert], [role=status]";
          for (const place of document.querySelectorAll(heard)) {
            new MutationObserver(() => window.said.push(place.textContent))
              .observe(place, { childList: true, subtree: true, characterData: true });
          }
        }"""
    )
    at_ns = time.time_ns()
    for i in range(30):
        stage.gateway.say(alarm(f"a{i}", at_ns=at_ns + i, track=200 + i))
    page.wait_for_function("() => window.said.length > 0")
    page.locator("#alarms button").first.click()
    page.wait_for_timeout(2500)
    said = page.evaluate("() => window.said")
    assert 1 <= len(said) <= 2, said
    assert "Man down" in said[-1]


def test_an_announced_stop_is_shown_and_is_not_critical(stage: Stage, tab: Tab) -> None:
    page = tab.open(stage.url)
    page.wait_for_function("() => lamproom.framesDrawn > 3")
    stage.gateway.stop()
    stage.gateway.say(GatewayState(online=False, since_ns=time.time_ns()))
    line = page.locator("#alarms button.warning[data-kind='gateway_silent']")
    line.wait_for()
    assert "Gateway stopped" in line.inner_text()
    assert "not acknowledged" in line.inner_text()
    page.locator("#health-strip .chip.bad", has_text="offline").wait_for()
    tab.shoot("stopped")


def test_health_tells_of_lost_positions_dust_and_less_light(stage: Stage, tab: Tab) -> None:
    at_ns = time.time_ns()
    for kind in ("camera_dusty", "light_lost"):
        stage.gateway.say(
            alarm(kind, at_ns=at_ns, kind=kind, severity="notice", camera="c1", track=None,
                  zone=None, xyz_m=None)
        )  # fmt: skip
    page = tab.open(stage.url)
    chip = page.locator("#health-strip .chip.doubtful", has_text="c1")
    chip.wait_for()
    assert "Camera needs cleaning · Less light than usual" in chip.inner_text()
    miss(stage, 40)
    page.locator(
        "#health-strip .chip.doubtful", has_text="% of its position messages never arrived"
    ).wait_for()
    page.click("#lang-zh")
    page.locator("#health-strip .chip", has_text="摄像机需清洁 · 照明减弱").wait_for()
    page.locator("#health-strip .chip", has_text="位置消息未送达").wait_for()
    assert tab.complaints == []


def miss(stage: Stage, jumped: int) -> None:
    from scene.topics import Address

    stage.room.miss(Address(prefix="mine", site=SITE, gateway=GATEWAY, topic="positions"), jumped)


def test_the_muster_tells_who_is_where_and_prints(stage: Stage, tab: Tab) -> None:
    stage.gateway.names = {FALLEN: EVIL_NAME}
    stage.gateway.change = surely_named
    page = tab.open(stage.url)
    page.wait_for_function("() => lamproom.framesDrawn > 10")
    page.keyboard.press("m")
    body = page.locator("#muster-body")
    body.get_by_text("NOT everybody is accounted for").wait_for()
    row = body.locator("table.zones tr", has_text="conveyor")
    assert row.inner_text().split("\t")[1:3] == ["1", "7 of 7 m"]
    assert "at least" in body.locator(".heads").inner_text(), "three metres are not seen"
    body.locator("table.somebody button", has_text=EVIL_NAME).wait_for()
    assert page.evaluate("() => window.hacked") is None
    page.emulate_media(media="print")
    assert not page.locator("main").is_visible()
    assert page.locator("#muster .verdict").is_visible()
    tab.shoot("muster-print")
    page.emulate_media(media="screen")
    tab.shoot("muster")
    # One click: the list is made anew every two seconds.
    page.evaluate(
        "() => [...document.querySelectorAll('#muster table.somebody button')]"
        ".find((b) => b.textContent.includes('img')).click()"
    )
    page.wait_for_function(f"() => lamproom.selected?.track === {FALLEN}")
    assert not page.locator("#muster").is_visible()
    page.click("#lang-zh")
    page.click("#muster-open")
    body.get_by_text("尚未全员确认").wait_for()
    assert tab.complaints == []


def surely_named(positions: Positions) -> Positions:
    people = tuple(
        replace(one, worker_probability=None if one.worker is None else 0.99)
        for one in positions.people
    )
    return replace(positions, people=people)


def test_zone_counts_say_at_least_where_nobody_sees(stage: Stage, tab: Tab) -> None:
    page = tab.open(stage.url)
    row = page.locator("#zone-counts tr", has_text="conveyor")
    row.filter(has_text="7 of 7 m").wait_for()
    # Who has just come is only possibly somebody.
    row.locator(".count").get_by_text("1", exact=True).wait_for()
    elsewhere = page.locator("#zone-counts tr.blind", has_text="(elsewhere)")
    elsewhere.locator(".count").get_by_text("at least 1", exact=True).wait_for()
    cells: Any = page.locator("#zone-counts th[scope]").count()
    assert cells >= 6
    assert tab.complaints == []
