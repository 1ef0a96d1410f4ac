"""The line between page and control room is lost and comes back, in a real browser."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from control_room.journal.journal import Journal
from control_room.room import Room
from control_room.server import serving
from delivery.broker import EmbeddedBroker
from scene.clock import SystemClock
from tests.control_room.conftest import Tab
from tests.control_room.fake_gateway import LocalGateway, alarm
from tests.control_room.test_whole_way import BrokerGateway, answers, command, wait_until
from tests.edge.processes import pid_below

LIMIT_S = 5.0


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as started:
        yield started


def only_the_browsers(complaints: list[str]) -> bool:
    """Tell whether nobody complains but the browser, of addresses that do not answer."""
    said = ("WebSocket connection to", "Failed to load resource")
    return all(one.startswith(said) for one in complaints)


def start(broker: EmbeddedBroker, folder: Path, port: int = 0) -> tuple[Any, str]:
    journal = str(folder / "journal.sqlite")
    process = command("--broker", broker.url, "--port", str(port), "--journal", journal)
    assert process.stdout is not None
    line = process.stdout.readline()
    url = next(word for word in line.split() if word.startswith("http://"))
    assert wait_until(lambda: answers(url))
    return process, url


def hang(process: Any) -> None:
    """Let what serves hang, and who would replace it; no connection is closed."""
    os.kill(process.pid, signal.SIGSTOP)
    os.kill(pid_below(process.pid, "room-server"), signal.SIGSTOP)


def end(process: Any) -> None:
    process.kill()
    process.communicate(timeout=30)


def test_a_restart_is_unmistakable_within_five_seconds_and_mends_itself(
    broker: EmbeddedBroker, tmp_path: Path, tab: Tab
) -> None:
    with BrokerGateway(broker.url, tmp_path / "state") as gateway:
        process, url = start(broker, tmp_path)
        try:
            tab.page.clock.install()
            page = tab.open(url)
            page.wait_for_function("() => lamproom.framesDrawn > 3 && lamproom.tags.length === 2")
            page.evaluate("() => { window.notReloaded = true; }")
            gateway.publisher.alarm(alarm(at_ns=time.time_ns()))
            page.locator("#alarms button[data-alarm='man_down-3']").wait_for()
            hang(process)
            five_seconds_pass(page)
            assert_unmistakable(page)
            tab.shoot("lost")
            page.clock.resume()
        finally:
            end(process)
        process, again = start(broker, tmp_path, port=int(url.rsplit(":", 1)[1].rstrip("/")))
        try:
            assert again == url
            page.locator(".banner").first.wait_for(state="detached")
            drawn = page.evaluate("() => lamproom.framesDrawn")
            page.wait_for_function(f"() => lamproom.framesDrawn > {drawn} + 2")
            page.locator("#alarms button[data-alarm='man_down-3']").wait_for()
            page.locator("#count", has_text="2 people seen").wait_for()
            assert page.locator("#plan .person:not(.gone)").count() == 2
            assert page.evaluate("() => window.notReloaded"), "nobody had to reload it"
            assert only_the_browsers(tab.complaints), tab.complaints
        finally:
            end(process)


def five_seconds_pass(page: Any) -> None:
    """Let the page's own clock go on by so much and stand still, however slow this machine is."""
    began_ms = page.evaluate("() => Date.now()")
    page.wait_for_timeout(400)  # what is on its way comes in
    page.clock.pause_at(page.evaluate("() => Date.now()") / 1000 + 0.1)
    page.clock.run_for(round(began_ms + 1000 * LIMIT_S - page.evaluate("() => Date.now()")))


def assert_unmistakable(page: Any) -> None:
    banner = page.locator(".banner.lost")
    assert banner.is_visible()
    assert "CONNECTION LOST" in banner.inner_text()
    assert "CONNECTION LOST" in page.locator("#announcer").text_content(), "a screen reader says it"
    assert page.locator("#announcer").get_attribute("aria-live") == "assertive"
    assert page.title().startswith("✕")
    assert "head-count unknown" in page.locator("#count").inner_text()
    assert page.locator("#people-title").inner_text().startswith("People as of ")
    assert page.locator("#panorama.old").count() == 1, "the picture is grey"
    assert page.locator("#plan .person").count() == page.locator("#plan .person.gone").count()


def test_a_muster_says_within_five_seconds_that_it_is_old(
    broker: EmbeddedBroker, tmp_path: Path, tab: Tab
) -> None:
    with BrokerGateway(broker.url, tmp_path / "state"):
        process, url = start(broker, tmp_path)
        try:
            tab.page.clock.install()
            page = tab.open(url)
            page.wait_for_function("() => lamproom.framesDrawn > 3")
            page.keyboard.press("m")
            page.locator("#muster .verdict").wait_for()
            hang(process)
            five_seconds_pass(page)
            assert "NOT CONNECTED" in page.locator("#muster-trouble").inner_text()
            assert page.locator("#muster-trouble").get_attribute("role") == "status"
            tab.shoot("old")
        finally:
            end(process)


def test_whoever_left_while_the_line_was_lost_is_not_shown_as_there(tab: Tab) -> None:
    def new_room() -> Room:
        return Room(Journal(None), SystemClock(), lambda *_: None, lambda *_: None, prefix="mine")

    room = new_room()
    with LocalGateway(room.hear) as gateway:
        with serving(room, gateway.open_stream) as url:
            page = tab.open(url)
            page.wait_for_function("() => lamproom.framesDrawn > 3 && lamproom.tags.length === 2")
            page.locator("#plan .person:not(.gone)").first.wait_for()
            page.click("#people-title")
            page.locator("#people-list button").first.click()
        page.locator(".banner.lost").wait_for()
        gateway.stop()
        port = int(url.rsplit(":", 1)[1].rstrip("/"))
        with serving(new_room(), gateway.open_stream, port=port):
            page.wait_for_function("() => lamproom.connected")
            page.wait_for_timeout(3500)  # old news are not called old at once
            assert "people seen" not in page.locator("#count").inner_text()
            assert page.locator("#people-title").inner_text().startswith("People as of ")
            assert page.locator("#plan .person:not(.gone)").count() == 0
            assert " s ago" in page.locator("#people-list button").first.inner_text()
            fix = page.locator("#person dt", has_text="Last seen").locator("+ dd").inner_text()
            assert float(fix.split(" s")[0]) > 3, fix
            assert page.locator(".banner.picture").is_visible()
            tab.shoot("gone")


def test_a_lost_line_stays_in_sight_however_far_one_has_scrolled(tab: Tab) -> None:
    room = Room(Journal(None), SystemClock(), lambda *_: None, lambda *_: None, prefix="mine")
    with LocalGateway(room.hear) as gateway:
        with serving(room, gateway.open_stream) as url:
            tab.page.set_viewport_size({"width": 390, "height": 600})
            page = tab.open(url)
            page.wait_for_function("() => lamproom.framesDrawn > 3")
            page.keyboard.press("?")
        page.locator(".banner.lost").wait_for()
        assert page.locator("dialog[open]").count() == 0, "nothing lies over it"
        page.evaluate("() => scrollTo(0, document.body.scrollHeight)")
        box = page.locator(".banner.lost").bounding_box()
        assert 0 <= box["y"] < 600
        tab.shoot("scrolled")
