"""Wherever one looks, and on paper, a replay says that it is one; and alarms as recorded say so."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from control_room.replay.as_recorded import as_recorded
from control_room.replay.judging import Mark, Progress, judged
from control_room.replay.known import Known
from control_room.replay.recording import open_recording
from tests.control_room.conftest import Tab
from tests.control_room.fake_gateway import FPS, alarm
from tests.control_room.page_stage import staged
from tests.control_room.recorded_story import SECONDS, START_NS, everything, live_alarms, write
from tests.control_room.replay_stage import ReplayStage, replaying

S = 1_000_000_000
MARK = "(id) => getComputedStyle(document.getElementById(id), '::before').content"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("replay")
    return write(folder / "run.mcap", *everything(live_alarms()), pictures=SECONDS * FPS)


@pytest.fixture
def stage(recorded: Path) -> Iterator[ReplayStage]:
    with replaying(recorded, playing=False, at_ns=START_NS + 9 * S) as opened:
        yield opened


def opened(tab: Tab, stage: ReplayStage) -> Any:
    page = tab.open(stage.url)
    page.locator("#replay-bar").wait_for()
    page.wait_for_function("() => lamproom.jump !== null && lamproom.jump === lamproom.replay.jump")
    return page


def test_every_dialog_and_the_tabs_title_say_that_it_is_a_replay(
    tab: Tab, stage: ReplayStage
) -> None:
    page = opened(tab, stage)
    page.wait_for_function("() => document.title === 'REPLAY – Lamproom'")
    dialogs = page.evaluate("() => [...document.querySelectorAll('dialog')].map(({ id }) => id)")
    assert len(dialogs) >= 4
    for id in dialogs:
        page.evaluate("(id) => document.getElementById(id).showModal()", id)
        assert "REPLAY" in page.evaluate(MARK, id), id
        page.evaluate("(id) => document.getElementById(id).close()", id)
    page.click("#muster-open")
    page.locator("#muster-body .verdict").wait_for()
    tab.shoot("muster")
    page.emulate_media(media="print")
    assert "REPLAY" in page.evaluate(MARK, "muster")
    tab.shoot("muster-print")
    page.emulate_media(media="screen")
    page.click("#muster-close")
    page.click("#lang-zh")
    page.wait_for_function("() => document.title === '回放 – Lamproom'")
    assert "回放" in page.evaluate(MARK, "muster")
    assert tab.complaints == []


def test_nothing_of_the_live_mine_says_so(tab: Tab) -> None:
    with staged() as stage:
        page = tab.open(stage.url)
        page.wait_for_function("() => lamproom.framesDrawn > 3")
        assert page.title() == "Lamproom"
        page.click("#muster-open")
        assert page.evaluate(MARK, "muster") == "none"


def test_alarms_are_there_at_once_as_recorded_and_say_so_until_they_are_checked(
    tab: Tab, recorded: Path
) -> None:
    recording = open_recording(recorded, print)
    known = Known(recording.from_ns)
    for told in as_recorded(recording):
        known.add(told)
    with replaying(recorded, known=known, playing=False, at_ns=START_NS + 9 * S) as stage:
        page = opened(tab, stage)
        note, none = page.locator("#replay-note"), page.locator("#no-alarms")
        assert "ALARMS HERE ARE AS RECORDED" in note.inner_text()
        assert none.inner_text() == "As recorded – not checked"
        lines = page.locator("#alarms button")
        lines.first.wait_for()
        as_told = lines.all_inner_texts()
        assert any("Man down" in line for line in as_told)
        page.wait_for_function("() => lamproom.replayMarks.length === 2")
        tab.shoot("as-recorded")
        page.click("#lang-zh")
        tab.shoot("as-recorded-zh")
        assert "录像中的记录" in note.inner_text()
        page.click("#lang-en")
        page.keyboard.press("t")
        page.keyboard.press("Home")  # the very first instant is not checked either
        none.get_by_text("No open alarms were recorded here").wait_for()
        page.keyboard.press("Escape")
        page.keyboard.press("]")
        page.keyboard.press("]")
        lines.first.wait_for()
        for progress in judged(recording):
            known.add(progress)
        none.wait_for(state="hidden")
        page.wait_for_function("() => document.getElementById('replay-note').textContent === ''")
        assert page.locator("#replay-unjudged").is_hidden()
        known.unlike = 3
        note.get_by_text("CHECKED: 3 changes of alarms come out otherwise").wait_for()
        assert tab.complaints == []


def test_beyond_what_could_be_checked_all_alarms_are_as_recorded(tab: Tab, tmp_path: Path) -> None:
    """The rules raised another one than live did, and then checking failed."""
    live, rules = (alarm(f"man_down-{n}", at_ns=START_NS + 4 * S, track=n) for n in (1, 2))
    path = write(tmp_path / "run.mcap", *everything((live,)), pictures=SECONDS * FPS)
    recording = open_recording(path, print)
    known = Known(recording.from_ns)
    for told in as_recorded(recording):
        known.add(told)
    by_rules = Mark(at_ns=START_NS + 4 * S, anomaly=rules, judged=True)
    known.add(Progress(judged_to_ns=START_NS + 6 * S, marks=(by_rules,)))
    known.trouble = "the other process ended"
    with replaying(path, known=known, playing=False, at_ns=START_NS + 5 * S) as stage:
        page = opened(tab, stage)
        lines, none = page.locator("#alarms button"), page.locator("#no-alarms")
        lines.get_by_text("#2").wait_for()
        assert (lines.count(), none.is_visible()) == (1, False)
        page.keyboard.press(" ")
        none.get_by_text("As recorded – not checked").wait_for()  # nor is it being checked
        lines.get_by_text("#1").wait_for()
        assert lines.count() == 1
        page.wait_for_function("() => lamproom.replay.ended")
        assert "ONLY AS RECORDED – checking them failed" in page.inner_text("#replay-note")
        assert lines.count() == 1
        tab.shoot("checking-failed")
        assert tab.complaints == []
