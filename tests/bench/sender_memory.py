"""Does the sender's memory grow? `python -m tests.bench.sender_memory --hours 24`

A real sender process is fed by its line as fast as it takes, so that hours pass in minutes:
pictures of a panorama with a viewer, positions of eight people, heartbeats, alarms that are
receipted over a real broker, figures and probes that are asked for. Printed are its resident
memory, its interpreter's blocks and what malloc has handed out, by the hours of a gateway (22
panoramas and positions a second) that they stand for. The last two tell a leak from memory that is
only scattered: resident memory grows while pools fill, and then no more.
"""

import argparse
import contextlib
import http.client
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path

from delivery.mqtt import Connection
from delivery.stream import StreamFollower
from delivery.voice import Voice
from edge.line import LineOut, new_door
from edge.options import RunOptions
from edge.outlet import ALARMS, LIMITS, MESSAGES, PICTURES, ServiceReport
from edge.service import Context
from edge.spare import start_process
from scene.clock import SystemClock
from scene.messages import Receipt, ServiceHealth
from scene.site import BrokerConfig
from scene.topics import parse_topic, topic_name
from scene.wire import decode
from tests.bench._sender_watched import FILE
from tests.delivery.parts import HEALTH, SITE, alarm, free_port, mosquitto, packet, people
from tests.sample_site import FOLDER

PER_S = 22
PER_HOUR = 3600 * PER_S
RARELY = 10 * PER_S
"""So often there is an alarm, and somebody asks for figures and probes."""
TELL_S = 30.0
NAMES = ("supervisor", "sender", "pipeline", "camera a", "camera b", "camera c", "camera d")
PATHS = ("/metrics", "/healthz", "/readyz")


def feed(line: LineOut, i: int) -> None:
    """Hand over what a pipeline says at one instant."""
    now_ns = time.time_ns()
    picture = packet(i, key_every=25, size=3000 + i * 7919 % 40_000)
    line.put(PICTURES, replace(picture, positions=people(now_ns, 8), captured_at_ns=now_ns))
    line.put(MESSAGES, people(now_ns, 8))
    if i % PER_S == 0:
        line.put(MESSAGES, replace(HEALTH, captured_at_ns=now_ns))
        line.put(MESSAGES, report(i / PER_S))
    if i % RARELY == 0:
        number, is_over = divmod(i // RARELY, 2)
        one = alarm(f"man_down-{number}", "cleared" if is_over else "active", at_ns=now_ns)
        line.put(ALARMS, replace(one, raised_at_ns=now_ns))


def report(up_s: float) -> ServiceReport:
    """Tell of a gateway's processes."""
    row = ServiceHealth(name="", up=True, cpu_cores=0.1, memory_mb=9.0, restarts=0, up_s=up_s)
    return ServiceReport(services=tuple(replace(row, name=name) for name in NAMES))


@contextmanager
def receipts(url: str) -> Iterator[None]:
    """Receipt every alarm, as a control room does."""
    voice = Voice(SystemClock(), run=1)
    connection = Connection(BrokerConfig(url=url), client_id="room", log=lambda _text: None)

    def hear(topic: str, payload: bytes, _retained: bool) -> None:
        if not payload:
            return
        place, said = parse_topic(topic), decode(payload).body
        back = topic_name("receipt", site=place.site, gateway=place.gateway, id=said.id)
        receipt = Receipt(
            alarm=said.id,
            state=said.state,
            stored_at_ns=time.time_ns(),
            captured_at_ns=said.captured_at_ns,
        )
        _, text = voice.write(back, receipt, gateway=place.gateway)
        connection.publish(back, text, qos=1, retain=False)

    with closing(connection):
        connection.subscribe("mine/+/gw/+/alarm/+", 1, hear)
        connection.connect(wait=True)
        yield


def ask(port: int) -> None:
    """Ask for figures and probes."""
    for path in PATHS:
        with (
            contextlib.suppress(OSError),  # it is not there yet
            closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as asking,
        ):
            asking.request("GET", path)
            asking.getresponse().read()


def soak(folder: Path, hours: float, tell: Callable[[float, str], None]) -> None:
    """Feed a sender for so many hours of a gateway's; `tell` gets hours and what it takes."""
    stream_port, metrics_port = free_port(), free_port()
    os.environ[FILE] = str(folder / "takes")
    site = SITE.replace("rig: {", f"rig: {{file: {FOLDER}/rig.yaml, ")
    ports = f"panorama: {{port: {stream_port}}}\nmetrics: {{port: {metrics_port}}}\n"
    (folder / "site.yaml").write_text(site + ports, encoding="utf-8")
    with ExitStack() as stack:
        broker = stack.enter_context(mosquitto(folder))
        stack.enter_context(receipts(broker.url))
        options = RunOptions(site_file=folder / "site.yaml", broker_url=broker.url)
        door_out, door_in = (stack.enter_context(door) for door in new_door())
        started = start_process(
            "sender",
            "tests.bench._sender_watched",
            lambda _name, signs: Context(
                options=options, door_out=door_out, door_in=door_in, signs=signs
            ),
        )
        stack.callback(started.process.kill)
        line = stack.enter_context(closing(LineOut(door_out, LIMITS)))
        viewer = f"ws://127.0.0.1:{stream_port}/panorama"
        stack.enter_context(closing(StreamFollower(viewer, lambda _: None, read=bytes)))
        told_s = time.monotonic()
        for i in range(round(hours * PER_HOUR)):
            while line.waiting(MESSAGES) > LIMITS[MESSAGES] // 4 or line.waiting(PICTURES) > 3:
                time.sleep(0.001)
            feed(line, i)
            if i % RARELY == 0:
                ask(metrics_port)
            if time.monotonic() - told_s > TELL_S:
                told_s = time.monotonic()
                tell(i / PER_HOUR, (folder / "takes").read_text())
            if not started.process.is_alive():
                raise RuntimeError("the sender has ended")


def main() -> int:
    """Run it and print a line now and then."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.sender_memory")
    parser.add_argument("--hours", type=float, default=24.0)
    args = parser.parse_args()
    print("   hours   RSS MB  blocks  handed out MB", flush=True)

    def tell(hours: float, takes: str) -> None:
        rss, blocks, in_use = takes.split()
        print(f"{hours:8.2f} {rss:>8} {blocks:>7} {in_use:>8}", flush=True)

    with tempfile.TemporaryDirectory(prefix="lamproom-bench-") as folder:
        soak(Path(folder), args.hours, tell)
    return 0


if __name__ == "__main__":
    sys.exit(main())
