"""The bar that steers a replay: by mouse, keyboard, screen reader, in Chinese, on a phone."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from control_room.replay.judging import Progress
from control_room.replay.known import Known
from control_room.replay.recording import open_recording
from scene.wire import Message
from tests.control_room.conftest import Tab
from tests.control_room.fake_gateway import FPS, health
from tests.control_room.recorded_story import START_NS, everything, story, told, write
from tests.control_room.replay.hour_files import run_of, write_files
from tests.control_room.replay_stage import ReplayStage, known_of, replaying

S = 1_000_000_000
SECONDS = 12
POSITION = (
    "() => Number((BigInt(lamproom.replay.at_ns) - BigInt(lamproom.replay.from_ns)) / 1000000n) "
    "/ 1000"
)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("replay")
    return write(folder / "run.mcap", *everything(()), pictures=SECONDS * FPS)


@pytest.fixture
def stage(recorded: Path) -> Iterator[ReplayStage]:
    with replaying(recorded, playing=False, at_ns=START_NS + 5 * S) as opened:
        yield opened


def opened(tab: Tab, stage: ReplayStage) -> Any:
    page = tab.open(stage.url)
    page.locator("#replay-bar").wait_for()
    page.wait_for_function("() => lamproom.jump !== null && lamproom.jump === lamproom.replay.jump")
    return page


def wait_at(page: Any, seconds: float) -> None:
    page.wait_for_function(f"() => Math.abs(({POSITION})() - {seconds}) < 0.06")
    page.wait_for_function("() => lamproom.jump === lamproom.replay.jump")


def raised_s(stage: ReplayStage) -> list[float]:
    """When each alarm is raised, seconds from the start."""
    found: dict[str, float] = {}
    for mark in stage.known.marks:
        if mark.anomaly.state == "active":
            found.setdefault(mark.anomaly.id, (mark.at_ns - stage.recording.from_ns) / S)
    return sorted(found.values())


def test_the_time_line_goes_where_it_is_clicked_and_dragged(tab: Tab, stage: ReplayStage) -> None:
    page = opened(tab, stage)
    box = page.locator("#replay-track").bounding_box()
    whole_s = (stage.recording.to_ns - stage.recording.from_ns) / S
    middle = box["y"] + box["height"] / 2
    page.mouse.click(box["x"] + 0.75 * box["width"], middle)
    wait_at(page, 0.75 * whole_s)
    page.mouse.move(box["x"] + 0.75 * box["width"], middle)
    page.mouse.down()
    for share in (0.6, 0.4, 0.2, 0.1):
        page.mouse.move(box["x"] + share * box["width"], middle)
    page.mouse.up()
    wait_at(page, 0.1 * whole_s)
    head = page.locator("#replay-head").bounding_box()
    assert head["x"] + head["width"] / 2 == pytest.approx(box["x"] + 0.1 * box["width"], abs=2)
    assert tab.complaints == []


def test_everything_goes_by_keyboard(tab: Tab, stage: ReplayStage) -> None:
    page = opened(tab, stage)
    page.keyboard.press("t")
    track = page.locator("#replay-track")
    assert track.evaluate("(one) => one === document.activeElement")
    whole_s = (stage.recording.to_ns - stage.recording.from_ns) / S
    for key, seconds in (
        ("ArrowRight", 6.0),
        ("ArrowLeft", 5.0),
        ("ArrowUp", 6.0),
        ("End", whole_s),
        ("Home", 0.0),
        ("Shift+ArrowRight", 10.0),
        ("PageDown", 0.0),
    ):
        page.keyboard.press(key)
        wait_at(page, seconds)
    first, second = raised_s(stage)
    page.keyboard.press("Escape")
    page.keyboard.press("]")
    wait_at(page, first)
    page.keyboard.press("]")
    wait_at(page, second)
    page.keyboard.press("[")
    wait_at(page, first)
    shown = int(page.evaluate("() => lamproom.capturedAtNs"))
    page.keyboard.press(".")
    page.wait_for_function(f"() => lamproom.capturedAtNs === '{shown + S // FPS}'")
    page.keyboard.press(",")
    page.wait_for_function(f"() => lamproom.capturedAtNs === '{shown}'")
    page.keyboard.press("Space")
    page.wait_for_function("() => lamproom.replay.playing")
    page.keyboard.press("Space")
    page.wait_for_function("() => !lamproom.replay.playing")
    page.keyboard.press("?")
    assert "replay: next" in page.locator("#help-list").inner_text() or "replay: previous" in (
        page.locator("#help-list").inner_text()
    )
    assert tab.complaints == []


def test_space_on_a_button_presses_that_button_only(tab: Tab, stage: ReplayStage) -> None:
    page = opened(tab, stage)
    loop = page.get_by_role("button", name="Loop")
    loop.focus()
    page.keyboard.press("Space")
    page.wait_for_function("() => lamproom.replay.loop")
    assert page.evaluate("() => lamproom.replay.playing") is False


def test_a_jump_to_an_alarm_selects_it_and_a_jump_before_it_takes_it_away(
    tab: Tab, stage: ReplayStage
) -> None:
    page = opened(tab, stage)
    first, second = raised_s(stage)
    page.keyboard.press("t")
    page.keyboard.press("Home")
    wait_at(page, 0.0)
    assert page.locator("#alarms button").count() == 0
    page.get_by_role("button", name="Next alarm").click()
    wait_at(page, first)
    page.locator("#alarms button[aria-pressed=true]").wait_for()
    page.get_by_role("button", name="Next alarm").click()
    wait_at(page, second)
    page.wait_for_function("() => document.querySelectorAll('#alarms button').length === 2")
    tab.shoot("alarms")
    page.get_by_role("button", name="Previous alarm").click()
    wait_at(page, first)
    page.wait_for_function("() => document.querySelectorAll('#alarms button').length === 1")
    page.keyboard.press("t")
    page.keyboard.press("Home")
    wait_at(page, 0.0)
    page.wait_for_function("() => document.querySelectorAll('#alarms button').length === 0")
    page.wait_for_function("() => lamproom.selected === null")
    assert page.locator("#past-alarms button").count() == 0, "what is yet to come is no past"
    assert tab.complaints == []


def test_nothing_about_a_replay_is_a_fault_or_news(tab: Tab, stage: ReplayStage) -> None:
    """Standing still, slow, back and forth: no banner but REPLAY, no sound, nothing is old."""
    page = tab.open(stage.url)
    page.evaluate(
        """() => { window.heard = [];
        new MutationObserver(() => heard.push(announcer.textContent))
          .observe(announcer, { childList: true, characterData: true, subtree: true }); }"""
    )
    page.locator("#replay-bar").wait_for()
    page.get_by_label("Speed").select_option("0.1")
    page.wait_for_function("() => lamproom.replay.speed === 0.1")
    for key in ("End", "Home", "End", "Home"):
        page.keyboard.press("t")
        page.keyboard.press(key)
        page.wait_for_function("() => lamproom.jump === lamproom.replay.jump")
    wait_at(page, 0.0)
    page.keyboard.press("Escape")
    page.keyboard.press("Space")
    page.wait_for_function("() => lamproom.replay.playing")
    page.wait_for_timeout(2600)  # longer than a picture may be away before it is called old
    page.keyboard.press("Space")
    page.wait_for_function("() => !lamproom.replay.playing")
    page.wait_for_timeout(5500)  # longer than a gateway, or a head-count, may be silent
    assert page.locator(".banner").all_inner_texts() == ["REPLAY – recorded, not live"]
    assert page.locator("#panorama.old, .chip.bad strong:text-is('gw1')").count() == 0
    assert re.match(r"2 .*people seen", page.locator("#count").inner_text())
    assert "unknown" not in page.locator("#count").inner_text()
    assert page.locator("#sound:visible").count() == 0
    heard = page.evaluate("() => heard.join(' ')")
    assert "New alarm" not in heard
    assert "LOST" not in heard
    assert tab.complaints == []


def test_a_silence_in_the_recording_is_shown_as_long_as_it_was(tab: Tab, tmp_path: Path) -> None:
    """Also while it stands still there: nobody may think that nobody was there."""
    spoken = [one for one in everything(()) if not 4 * S < one[0] - START_NS < 11 * S]
    path = write(tmp_path / "run.mcap", *spoken)
    with replaying(path, playing=False, at_ns=START_NS + 10 * S) as stage:
        page = tab.open(stage.url)
        page.locator("#replay-bar").wait_for()
        page.locator(".chip.bad", has_text="silent for 6 s").wait_for()
        page.wait_for_timeout(2500)
        assert "silent for 6 s" in page.locator("#health-strip").inner_text()
        page.keyboard.press("t")
        page.keyboard.press("Home")
        page.locator(".chip", has_text="online").wait_for()


def test_a_screen_reader_is_told_date_and_clock(tab: Tab, stage: ReplayStage) -> None:
    page = opened(tab, stage)
    track = page.get_by_role("slider", name="Time line of the recording")
    assert track.get_attribute("aria-valuemax") == "12"
    assert track.get_attribute("aria-valuenow") == "5"
    clock = page.evaluate("() => new Date(1790000005000).toLocaleTimeString('en-GB')")
    assert track.get_attribute("aria-valuetext") == f"21/09/2026 {clock}.0"
    assert page.locator("#replay-time").inner_text() == f"21/09/2026 {clock}.0"
    page.locator("#time", has_text=f"21/09/2026, {clock}").wait_for()
    assert page.locator("#replay-bar [aria-live], #replay-bar output").count() == 0, "no chatter"
    for name in ("Previous alarm", "One picture back", "Play", "One picture forward"):
        assert page.get_by_role("button", name=name, exact=True).count() == 1
    assert page.get_by_role("combobox", name="Speed").count() == 1
    page.get_by_role("button", name="Next alarm").click()
    page.locator("#calm-announcer", has_text=re.compile("Man down|In restricted")).wait_for(
        state="attached"
    )


def test_the_bar_speaks_chinese(tab: Tab, stage: ReplayStage) -> None:
    page = opened(tab, stage)
    page.click("#lang-zh")
    for name in ("上一条报警", "上一帧", "播放", "下一帧", "下一条报警", "循环播放"):
        page.get_by_role("button", name=name, exact=True).wait_for()
    page.get_by_role("slider", name="录像时间轴").wait_for()
    assert re.fullmatch(r"2026/9/21 \d\d:\d\d:25\.0", page.locator("#replay-time").inner_text())
    tab.shoot("chinese")


@pytest.mark.parametrize("width", [390, 700, 1500])
def test_the_bar_fits_and_stays_in_sight(tab: Tab, stage: ReplayStage, width: int) -> None:
    page = opened(tab, stage)
    page.set_viewport_size({"width": width, "height": 844})
    page.wait_for_function(f"() => document.documentElement.clientWidth <= {width}")
    tab.shoot(str(width))
    for at in ("0", "document.body.scrollHeight"):
        page.evaluate(f"() => scrollTo(0, {at})")
        for part in ("#replay-track", "#replay-buttons", "#replay-time"):
            box = page.locator(part).bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
            assert 0 <= box["y"] <= box["y"] + box["height"] <= 844, part
    buttons = page.locator("#replay-buttons button")
    for i in range(buttons.count()):
        box = buttons.nth(i).bounding_box()
        assert min(box["width"], box["height"]) >= 34, "large enough for a thumb"
        assert box["x"] + box["width"] <= width


def test_where_nothing_was_recorded_is_shown_said_and_passed_over(tab: Tab, tmp_path: Path) -> None:
    said: list[tuple[int, Message]] = [(START_NS, told())]
    said += [(one.captured_at_ns, one) for one in story(45)]
    said += [(at_ns, health(at_ns)) for at_ns in range(START_NS, START_NS + 45 * S, S)]
    files = write_files(tmp_path / "run.mcap", run_of(said, 45 * FPS), ((0, 8.05), (40, 45)))
    recording = open_recording(files[0], pytest.fail, files[1])
    (gap,) = recording.gaps
    with replaying(*files, playing=False, at_ns=START_NS + 20 * S) as stage:
        page = opened(tab, stage)
        note = page.locator("#replay-gap-note")
        assert "NO RECORDING from 21/09/2026" in note.inner_text()
        track, shown = (
            page.locator(name).bounding_box() for name in ("#replay-track", "#replay-gaps i")
        )
        whole_ns = recording.to_ns - recording.from_ns
        for edge, at_ns in ((shown["x"], gap.from_ns), (shown["x"] + shown["width"], gap.to_ns)):
            share = (at_ns - recording.from_ns) / whole_ns
            assert (edge - track["x"]) / track["width"] == pytest.approx(share, abs=0.01)
        page.locator(".chip.bad", has_text="silent for").wait_for()
        tab.shoot("in-a-gap")
        page.click("#lang-zh")
        assert "没有录像" in note.inner_text()
        page.click("#lang-en")
        page.get_by_role("button", name="Play", exact=True).click()
        note.get_by_text("PASSED OVER: no recording from").wait_for()
        tab.shoot("after-a-gap")
        page.wait_for_function("() => lamproom.replay.ended")
        page.keyboard.press("t")
        page.keyboard.press("Home")
        wait_at(page, 0.0)
        assert note.inner_text() == ""
        assert tab.complaints == []


def test_what_is_not_worked_out_yet_does_not_look_like_no_alarm(tab: Tab, recorded: Path) -> None:
    recording = open_recording(recorded, print)
    known, whole = Known(recording.from_ns), known_of(recording)
    with replaying(recorded, known=known, playing=False, at_ns=START_NS + 10 * S) as stage:
        page = opened(tab, stage)
        assert "NOT KNOWN HERE YET" in page.locator("#replay-note").inner_text()
        assert page.locator("#replay-unjudged").is_visible()
        assert page.locator("#no-alarms").inner_text() == "Alarms at this time are not known yet"
        tab.shoot("unjudged")
        marks = tuple(whole.marks)
        known.add(Progress(judged_to_ns=recording.to_ns, marks=marks))
        page.locator("#alarms button").first.wait_for()
        page.locator("#replay-unjudged").wait_for(state="hidden")
        assert page.locator("#replay-note").inner_text() == ""
        assert page.locator("#replay-marks i").count() == 2
        assert tab.complaints == []


def test_who_comes_later_sees_the_same(tab: Tab, stage: ReplayStage) -> None:
    """A second page gets the pictures since the last key frame, and shows the last of them."""
    page = opened(tab, stage)
    page.keyboard.press("t")
    page.keyboard.press("ArrowRight")
    wait_at(page, 6.0)
    shown = page.evaluate("() => lamproom.capturedAtNs")
    page.reload()
    page.wait_for_function("() => window.lamproom?.replay?.at_ns")
    page.wait_for_function(f"() => lamproom.capturedAtNs === '{shown}'")
    assert int(shown) == START_NS + 6 * S
