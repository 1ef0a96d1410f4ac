"""A whole gateway, as a mine runs it, and what kills parts of it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from delivery.broker import EmbeddedBroker
from delivery.recordings.reader import read_recording
from scene.messages import GatewayState
from scene.topics import parse_topic
from tests.delivery.parts import free_port
from tests.edge.processes import pid_below
from tests.sample_site import FOLDER

HANG_S = 120.0


@dataclass(kw_only=True)
class Gateway:
    process: "subprocess.Popen[str]"
    recording: Path
    times_s: dict[str, list[float]] = field(default_factory=dict)
    """When a message of each kind was heard."""

    def hear(self, topic: str) -> None:
        self.times_s.setdefault(parse_topic(topic).topic, []).append(time.monotonic())

    def pid(self, service: str) -> int:
        """Find a service's process by its name: below the guardian and the supervisor."""
        return pid_below(self.process.pid, service)

    def goes_on(self, count: int = 2) -> None:
        """Wait until new heartbeats and positions have come."""
        since_s = time.monotonic()
        wait_until(
            lambda: all(
                sum(at_s > since_s for at_s in self.times_s.get(kind, ())) >= count
                for kind in ("health", "positions")
            )
        )


def wait_until(
    condition: Callable[[], bool], *, hang_s: float = HANG_S, every_s: float = 0.02
) -> None:
    until_s = time.monotonic() + hang_s
    while not condition():
        assert time.monotonic() < until_s, "it never happened"
        time.sleep(every_s)


@contextmanager
def gateway(folder: Path) -> Iterator[Gateway]:
    """Run the sample mine with a broker, a recorder, and somebody who listens."""
    text = (
        (FOLDER / "site.yaml").read_text(encoding="utf-8").replace("url: cam", f"url: {FOLDER}/cam")
    )
    text = text.replace("file: rig.yaml", f"file: {FOLDER}/rig.yaml")
    site = folder / "site.yaml"
    site.write_text(f"{text}panorama: {{port: {free_port()}}}\n", encoding="utf-8")
    recording = folder / "run.mcap"
    with EmbeddedBroker() as broker:
        command = [sys.executable, "-m", "edge.main", "run", str(site), "--loop"]
        command += ["--broker", broker.url, "--record", str(recording)]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        running = Gateway(process=process, recording=recording)
        client = mqtt.Client(CallbackAPIVersion.VERSION2)
        client.on_message = lambda _c, _u, message: running.hear(message.topic)
        client.connect("127.0.0.1", broker.port)
        client.subscribe("mine/#")
        client.loop_start()
        try:
            yield running
        finally:
            process.kill()
            process.wait()
            assert process.stderr is not None
            print(process.stderr.read())
            process.stderr.close()
            client.loop_stop()
            client.disconnect()


def test_whatever_is_killed_heartbeats_and_positions_go_on(tmp_path: Path) -> None:
    with gateway(tmp_path) as running:
        running.goes_on()
        for victims in (["sender", "recorder"], ["pipeline"]):
            for name in victims:
                os.kill(running.pid(name), signal.SIGKILL)
            running.goes_on()
        for name in ("recorder", "sender", "pipeline"):
            os.kill(running.pid(name), signal.SIGTERM)
        running.goes_on()
        wait_until(lambda: len(list(tmp_path.glob("*.mcap"))) == 2)
        running.process.terminate()
        assert running.process.wait(timeout=HANG_S) == 0
    last = max(tmp_path.glob("*.mcap"), key=lambda path: path.stat().st_mtime)
    missing: list[str] = []
    bodies = [record.body for record in read_recording(last, on_missing=missing.append)]
    assert not missing
    states = [body for body in bodies if isinstance(body, GatewayState)]
    assert states[-1].online is False, "the recorder hears the others' last words"
