"""The product as a newcomer meets it: `lamproom demo`, a real broker, a real browser."""

import json
import queue
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jsonschema
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from playwright.sync_api import Page, sync_playwright

from scene.topics import parse_topic
from scene.wire import decode, json_schema

CHROMIUM = shutil.which("chromium")
SLOW_MACHINE_S = 120.0
"""Upper limits for waiting, not expectations: a hang fails, a slow machine does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    page: str
    broker_port: int
    folder: Path
    lines: "queue.Queue[str]"
    process: "subprocess.Popen[str]"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "edge.main", "demo", "--no-browser"]
    command += ["--port", str(free_port()), "--folder", str(folder)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1
    )
    lines: queue.Queue[str] = queue.Queue()
    reader = threading.Thread(target=read_lines, args=(process, lines), daemon=True)
    reader.start()
    try:
        page = wait_for_line(lines, process, r"Lamproom is at (http://\S+)")
        broker = wait_for_line(lines, process, r"MQTT broker: mqtt://127\.0\.0\.1:(\d+)")
        yield Demo(page=page, broker_port=int(broker), folder=folder, lines=lines, process=process)
    finally:
        process.terminate()
        process.wait(timeout=60)
        reader.join(timeout=10)
        assert process.stdout is not None
        process.stdout.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def read_lines(process: "subprocess.Popen[str]", lines: "queue.Queue[str]") -> None:
    assert process.stdout is not None
    for line in process.stdout:
        lines.put(line)


def wait_for_line(lines: "queue.Queue[str]", process: "subprocess.Popen[str]", pattern: str) -> str:
    said: list[str] = []
    deadline_s = time.monotonic() + SLOW_MACHINE_S
    while time.monotonic() < deadline_s:
        try:
            line = lines.get(timeout=0.5)
        except queue.Empty:
            assert process.poll() is None, "the demo ended:\n" + "".join(said)
            continue
        said.append(line)
        if found := re.search(pattern, line):
            return found.group(1) if found.groups() else line
    raise AssertionError(f"no line like {pattern!r} in:\n" + "".join(said))


def test_positions_and_alarms_arrive_on_mqtt_and_fit_the_published_schema(demo: Demo) -> None:
    wanted = {"site", "positions", "health", "alarm"}
    got: queue.Queue[tuple[str, bytes]] = queue.Queue()
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="test-subscriber")
    client.on_message = lambda _c, _u, message: got.put((message.topic, bytes(message.payload)))
    client.connect("127.0.0.1", demo.broker_port)
    client.subscribe("mine/#", qos=1)
    client.loop_start()
    people = 0
    deadline_s = time.monotonic() + SLOW_MACHINE_S
    try:
        while (wanted or not people) and time.monotonic() < deadline_s:
            topic, payload = got.get(timeout=SLOW_MACHINE_S)
            if not payload:
                continue
            kind = parse_topic(topic).topic
            jsonschema.validate(json.loads(payload), json_schema(kind))
            body = decode(payload).body
            wanted.discard(kind)
            people = max(people, len(getattr(body, "people", ())))
    finally:
        client.loop_stop()
        client.disconnect()
    assert not wanted
    assert people >= 1


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (apt-get install chromium)")
def test_the_page_shows_tagged_miners_and_an_alarm_that_can_be_clicked(demo: Demo) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1600, "height": 1000}, locale="en-GB")
        complaints: list[str] = []
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(demo.page)
        wait_for(page, "() => window.lamproom && window.lamproom.tags.length > 0")
        alarms = page.locator("#alarms button.alarm")
        alarms.first.wait_for(timeout=SLOW_MACHINE_S * 1000)
        id = alarms.first.get_attribute("data-alarm")
        page.locator(f"button[data-alarm='{id}']").click()
        wait_for(page, "() => lamproom.selected !== null && lamproom.selected.alarm !== null")
        assert page.locator(f"button[data-alarm='{id}']").get_attribute("aria-pressed") == "true"
        assert page.locator("#details").is_visible()
        wait_for(page, "() => lamproom.tags.length > 1")
        folder = Path("build")
        folder.mkdir(exist_ok=True)
        page.screenshot(path=folder / "demo.png")
        browser.close()
    assert complaints == []


def wait_for(page: Page, expression: str) -> None:
    """Wait for a function: the page's policy lets nobody evaluate a bare expression."""
    page.wait_for_function(expression, timeout=SLOW_MACHINE_S * 1000)


def test_the_recording_replays_to_the_same_alarms(demo: Demo) -> None:
    """Runs last: it ends the demo, as Ctrl-C would."""
    wait_for_line(demo.lines, demo.process, r"(?i)man down")
    demo.process.terminate()
    assert demo.process.wait(timeout=60) == 0
    recordings = list(demo.folder.glob("*.mcap"))
    assert len(recordings) == 1
    replayed = subprocess.run(
        [sys.executable, "-m", "edge.main", "replay", str(recordings[0]), "--check"],
        capture_output=True,
        text=True,
        timeout=SLOW_MACHINE_S,
        check=False,
    )
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    assert "equal; " in replayed.stdout + replayed.stderr
