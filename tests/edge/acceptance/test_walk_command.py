"""`lamproom accept --walk` as one command: a real broker, a script for whoever presses Enter.

How long anything takes is the machine's business: delays and shares are measured in `test_walk.py`,
on a clock of the test's.
"""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from control_room.broker_options import client_name
from delivery.broker import EmbeddedBroker
from delivery.mqtt import Connection
from delivery.voice import Voice
from edge.certificates.signing_keys import make_signing_pair
from edge.description import describe
from edge.main import main
from scene.clock import SystemClock
from scene.messages import Anomaly
from scene.rig import load_rig
from scene.site import BrokerConfig, Site, load_site
from scene.topics import TOPICS, topic_name
from scene.wire import Message, type_name
from tests.edge.acceptance.staged_walk import IN_ZONE, SITE_FILE, Scene, alarm

SLOW = "acceptance: {coverage_m: [23, 40], missed_share: 0.9, delay_s: 60, clock_skew_s: 60}\n"
STATIONS = "station,x_m,y_m,stay_s,expect,zone\nA,26,0.5,3,,\nB,24.6,-1.2,3,restricted_zone,\n"


class Gateway:
    """Speaks over a real broker as the scene has it, until the block ends."""

    def __init__(self, broker: EmbeddedBroker, site_file: Path) -> None:
        self.scene = Scene()
        self._site: Site = load_site(site_file)
        self._text = site_file.read_text(encoding="utf-8")
        self._voice = Voice(SystemClock(), run=time.time_ns())
        self._connection = Connection(BrokerConfig(url=broker.url), client_name("sender"))
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Gateway":
        self._connection.connect(20.0, wait=True)
        rig = load_rig(self._site.rig.file)
        self.say(describe(self._site, rig, self._text, "ws://127.0.0.1:1/panorama"))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        while not self._stopping.wait(0.1):
            now_ns = time.time_ns()
            self.say(self.scene.positions(now_ns))
            self.say(self.scene.health(now_ns))

    def say(self, message: Message) -> None:
        kind = type_name(message)
        id = message.id if isinstance(message, Anomaly) else None
        site, gateway = self._site.site, self._site.gateway
        topic = topic_name(kind, site=site, gateway=gateway, id=id)
        _, payload = self._voice.write(topic, message, gateway=gateway)
        row = TOPICS[kind]
        self._connection.publish(topic, payload, qos=row.qos, retain=row.retain)


class Keyboard:
    """Stands for stdin: does something before each line."""

    def __init__(self, *steps: Callable[[], None]) -> None:
        self._steps = iter(steps)

    def readline(self) -> str:
        step = next(self._steps, None)
        if step is None:
            return ""
        step()
        return "\n"

    def isatty(self) -> bool:
        return False


@pytest.fixture(scope="module")
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as running:
        yield running


@pytest.fixture
def site_file(tmp_path: Path) -> Path:
    """Give a site file of the clip's with limits that no slow machine fails."""
    text = SITE_FILE.read_text(encoding="utf-8")
    text = text[: text.index("acceptance:")] + SLOW
    text = text.replace("../rig.yaml", str(SITE_FILE.parent.parent / "rig.yaml"))
    for camera in ("cam1.mp4", "cam2.mp4"):
        text = text.replace(camera, str(SITE_FILE.parent / camera))
    path = tmp_path / "site.yaml"
    path.write_text(text, encoding="utf-8")
    (tmp_path / "stations.csv").write_text(STATIONS, encoding="utf-8")
    return path


def accept(site_file: Path, *words: str) -> int:
    folder = site_file.parent
    walk = ["--walk", str(folder / "stations.csv"), "--tester", "Li Wei", "-o", str(folder / "out")]
    return main(["accept", str(site_file), *walk, *words])


def told(folder: Path) -> dict[str, Any]:
    content = json.loads((folder / "out" / "acceptance.json").read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


def test_a_walk_is_led_measured_written_and_signed(
    broker: EmbeddedBroker,
    site_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = site_file.parent
    make_signing_pair(folder / "e.key", folder / "e.pub", replace=False)
    with Gateway(broker, site_file) as gateway:

        def stand() -> None:
            gateway.scene.people = [(26.1, 0.5)]

        def step_in() -> None:
            gateway.scene.people = [IN_ZONE]
            there = {"zone": "switchgear", "xyz_m": (*IN_ZONE, 0.0)}
            raised = alarm("restricted_zone", time.time_ns(), **there)
            threading.Timer(1.2, lambda: gateway.say(raised)).start()

        monkeypatch.setattr("sys.stdin", Keyboard(stand, stand, step_in))
        code = accept(site_file, "--broker", broker.url, "--key-file", str(folder / "e.key"))
    said = capsys.readouterr().out
    content = told(folder)
    verdicts = {check["name"]: check["verdict"] for check in content["checks"]}
    assert set(verdicts.values()) == {"passed"}, said
    assert (code, content["passed"]) == (0, True)
    first, second = content["figures"]["stations"]
    assert first["median_m"] == pytest.approx(0.1)
    assert second["median_m"] == pytest.approx(0.0)
    assert content["figures"]["events"][0]["delay_s"] >= 0.2
    assert content["subject"]["tester"] == "Li Wei"
    assert content["subject"]["gateway_software"].startswith("lamproom ")
    told_model = (content["subject"]["model"], content["subject"]["model_sha256"])
    assert told_model == (gateway.scene.model.name, gateway.scene.model.sha256)
    assert gateway.scene.model.sha256 in (folder / "out" / "report.html").read_text("utf-8")
    assert "[1/2] Go to station A" in said
    assert "Now: step into the zone" in said
    assert said.splitlines()[-2] == "PASSED"
    assert main(["verify", str(folder / "out"), "--trusted", str(folder / "e.pub")]) == 0
    report = folder / "out" / "report.html"
    report.write_bytes(report.read_bytes().replace(b"PASSED", b"passed", 1))
    assert main(["verify", str(folder / "out"), "--trusted", str(folder / "e.pub")]) == 1
    assert "report.html: CHANGED" in capsys.readouterr().out


def test_a_walk_that_ends_early_is_written_and_does_not_pass(
    broker: EmbeddedBroker, site_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Gateway(broker, site_file):
        monkeypatch.setattr("sys.stdin", Keyboard())
        assert accept(site_file, "--broker", broker.url) == 1
    verdicts = {check["name"]: check["verdict"] for check in told(site_file.parent)["checks"]}
    assert verdicts["missed_people"] == verdicts["missed_alarms"] == "not_measured"
    assert (site_file.parent / "out" / "manifest.sha256").exists(), "not signed, but summed up"


@contextmanager
def at_a_terminal(
    broker: EmbeddedBroker, site_file: Path
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run a walk at a terminal of its own; gives the process and the terminal's other end."""
    stations = ["--walk", "stations.csv", "--tester", "Li Wei", "-o", "out"]
    words = ["accept", "site.yaml", *stations, "--broker", broker.url]
    master, slave = pty.openpty()
    with Gateway(broker, site_file) as gateway:
        gateway.scene.people = [(26.1, 0.5)]
        with subprocess.Popen(
            [sys.executable, "-m", "edge.main", *words],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=site_file.parent,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        ) as process:
            os.close(slave)
            try:
                yield process, master
            except BaseException:
                process.kill()
                raise


def read_until(master: int, *words: bytes) -> bytes:
    """Read on until all words came in this order."""
    said = b""
    while re.search(b".*".join(map(re.escape, words)), said, re.DOTALL) is None:
        said += os.read(master, 4096)
    return said


def test_enter_pressed_too_often_is_no_answer_to_the_next_station(
    broker: EmbeddedBroker, site_file: Path
) -> None:
    with at_a_terminal(broker, site_file) as (process, master):
        read_until(master, b"q ends] ")
        os.write(master, b"\n")
        read_until(master, b"s left")
        os.write(master, b"\n\n")
        said = read_until(master, b"[2/2] Go near", b"q ends] ")
        os.write(master, b"q\n")
        while b"End the walk?" not in said:
            assert b"Now: " not in said
            said += os.read(master, 4096)
        process.send_signal(signal.SIGHUP)
        os.close(master)
    assert told(site_file.parent)["figures"]["stations"][1]["seen_share"] is None


def test_a_terminal_that_hangs_up_takes_nothing_with_it(
    broker: EmbeddedBroker, site_file: Path
) -> None:
    folder = site_file.parent
    with at_a_terminal(broker, site_file) as (process, master):
        said = b""
        while b"[2/2]" not in said:
            said += os.read(master, 4096)
            if said.endswith(b"q ends] ") and b"station A: " not in said:
                os.write(master, b"\n")
        process.send_signal(signal.SIGHUP)
        os.close(master)
    first, second = told(folder)["figures"]["stations"]
    assert first["seen_share"] > 0, "what was measured before is kept"
    assert second["seen_share"] is None
    assert not told(folder)["passed"]


def test_what_can_not_be_tested_says_why_before_anybody_walks(
    broker: EmbeddedBroker,
    site_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("edge.acceptance.walk_session.FIRST_WORD_S", 0.3)
    assert accept(site_file, "--broker", broker.url) == 2
    assert "event-zone-entry/gw1 is not heard there" in capsys.readouterr().err
    (site_file.parent / "out").mkdir()
    assert accept(site_file, "--broker", broker.url) == 2
    assert "is there already" in capsys.readouterr().err
    (site_file.parent / "out").rmdir()
    words = ("--certificate-key-file", "x.pem", "--broker", "mqtts://127.0.0.1:1")
    assert accept(site_file, *words) == 2
    assert "give both or neither" in (said := capsys.readouterr().err)
    assert "--certificate-key-file go together" in said
    (site_file.parent / "stations.csv").write_text("station\n1\n", encoding="utf-8")
    assert accept(site_file, "--broker", broker.url) == 2
    assert "stations.csv:1: give the columns" in capsys.readouterr().err
    assert not (site_file.parent / "out").exists()
