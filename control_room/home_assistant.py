"""Gateways as devices of Home Assistant: alarms, people in view, whether cameras can see.

Knows nothing about the journal or pages: it hears what gateways say and publishes MQTT discovery.
What is not known is `unavailable` there, never "off" or 0. For a lamp on a desk: nobody's life may
hang on it.
"""

import argparse
import contextlib
import json
import re
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from control_room.home_words import (
    BASE,
    OFFLINE,
    ONLINE,
    STATUS,
    Gateway,
    Place,
    config_topic,
    discovery,
    is_heard,
    state_of,
    topic_of,
)
from delivery.link import Link
from scene.clock import Clock
from scene.messages import Anomaly, GatewayHealth, GatewayState, Positions, SiteDescription
from scene.topics import TOPICS, Address
from scene.wire import Envelope

DEFAULT_PREFIX = "homeassistant"
WILL = (STATUS, OFFLINE)
AGAIN_S = 10.0
"""States are said at every change, and so often."""
LOOK_S = 0.5
MOST_GATEWAYS, MOST_ALARMS = 256, 10_000
"""More is a mistake or an attack."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class HomeAssistant:
    """Keeps Home Assistant's entities as gateways say; thread-safe."""

    def __init__(self, link: Link, clock: Clock, *, prefix: str = DEFAULT_PREFIX) -> None:
        self._link = link
        self._clock = clock
        self._prefix = prefix
        self._gateways: dict[Place, Gateway] = {}
        self._lock = threading.Lock()
        link.on_connect(self._say_all_again)

    def hear(self, address: Address, envelope: Envelope) -> None:
        """Take one MQTT message."""
        if TOPICS[address.topic].sender != "gateway":
            return
        place, body = (address.site, address.gateway), envelope.body
        now_s = self._clock.monotonic_s()
        with self._lock:
            gateway = self._gateways.get(place)
            if gateway is None:
                named = all(_NAME.fullmatch(name) for name in place)
                if not named or len(self._gateways) >= MOST_GATEWAYS:
                    return
                gateway = self._gateways[place] = Gateway()
            if isinstance(body, GatewayHealth):
                gateway.health, gateway.health_s = body, now_s
            elif isinstance(body, GatewayState):
                gateway.online = body.online
            elif isinstance(body, Positions):
                gateway.heads, gateway.positions_s = len(body.people), now_s
            elif isinstance(body, SiteDescription):
                gateway.is_known = gateway.is_known and gateway.software == body.software
                gateway.software = body.software
            elif isinstance(body, Anomaly):
                gateway.active.pop(body.id, None)
                if body.state == "active" and len(gateway.active) < MOST_ALARMS:
                    gateway.active[body.id] = body

    def tick(self) -> None:
        """Say what has changed; to be called twice a second."""
        now_s = self._clock.monotonic_s()
        with self._lock:
            for place, gateway in self._gateways.items():
                if not gateway.is_known:
                    payload = json.dumps(discovery(place, gateway.software), ensure_ascii=False)
                    gateway.is_known = self._say(
                        config_topic(place, self._prefix), payload.encode()
                    )
                available = ONLINE if is_heard(gateway, now_s) else OFFLINE
                if available != gateway.available and self._say(
                    topic_of(place, "availability"), available
                ):
                    gateway.available = available
                state = json.dumps(state_of(gateway, now_s), ensure_ascii=False).encode()
                due = state != gateway.said or now_s - gateway.said_s >= AGAIN_S
                if due and self._say(topic_of(place, "state"), state):
                    gateway.said, gateway.said_s = state, now_s

    def topics(self) -> list[str]:
        """List the topics under which the broker keeps something of us, those of devices first."""
        with self._lock:
            places = [*self._gateways]
        devices = [config_topic(place, self._prefix) for place in places]
        states = [topic_of(place, what) for place in places for what in ("availability", "state")]
        return [*devices, *states, STATUS]

    def _say_all_again(self) -> None:
        """Say everything anew: a broker that was started again knows nothing."""
        self._say(STATUS, ONLINE)
        with self._lock:
            for gateway in self._gateways.values():
                gateway.is_known, gateway.said, gateway.available = False, b"", b""

    def _say(self, topic: str, payload: bytes) -> bool:
        return self._link.publish(topic, payload, qos=1, retain=True)


Hear = Callable[[Address, Envelope], None]


def add_home_assistant_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--home-assistant`."""
    parser.add_argument(
        "--home-assistant",
        nargs="?",
        const=DEFAULT_PREFIX,
        type=_prefix,
        metavar="PREFIX",
        help="tell Home Assistant of every gateway, over MQTT discovery (PREFIX if it is not "
        f"{DEFAULT_PREFIX}); started without, what was told is taken back",
    )


def _prefix(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_/-]{1,100}", text):
        raise argparse.ArgumentTypeError(f"{text[:60]}: give a topic, letters and digits")
    return text.strip("/")


@contextlib.contextmanager
def home_assistant(
    link: Link, clock: Clock, *, prefix: str | None, memory: Path | None
) -> Iterator[Callable[[Hear], Hear]]:
    """Tell Home Assistant for as long as the block lasts.

    Gives what makes of one who hears messages one after whom Home Assistant is told. Without
    `prefix` nothing is told, and what an earlier run told is taken back: `memory` is the file that
    knows of it.
    """
    before = _remembered(memory)
    if prefix is None:
        if before:
            link.on_connect(lambda: _take_back(link, before, memory))
        yield lambda hear: hear
        return
    home, closing = HomeAssistant(link, clock, prefix=prefix), threading.Event()
    ours = (f"{prefix}/", f"{BASE}/")
    gone = [topic for topic in before if not topic.startswith(ours)]
    if gone:  # the prefix was another one
        link.on_connect(lambda: _take_back(link, gone, None))

    def run() -> None:
        known, trouble = [topic for topic in before if topic.startswith(ours)], ""
        while not closing.wait(LOOK_S):
            new = [topic for topic in home.topics() if topic not in known]
            try:
                if new:  # remembered first, so that nothing is kept that nobody knows of
                    _remember(memory, known + new)
                    known += new
            except OSError as error:  # a lamp that stays dark is worse than a topic left behind
                if str(error) != trouble:
                    trouble = str(error)
                    print(f"lamproom: {memory}: can't be written: {error}", file=sys.stderr)
            try:
                home.tick()
            except Exception:  # whatever goes wrong now, what comes later must be told
                traceback.print_exc()

    def also(hear: Hear) -> Hear:
        def both(address: Address, envelope: Envelope) -> None:
            hear(address, envelope)
            home.hear(address, envelope)

        return both

    thread = threading.Thread(target=run, name="home-assistant", daemon=True)
    thread.start()
    try:
        yield also
    finally:
        closing.set()
        thread.join(timeout=10.0)
        link.publish(STATUS, OFFLINE, qos=1, retain=True)


def _take_back(link: Link, topics: list[str], memory: Path | None) -> None:
    """Have Home Assistant, and the broker, forget what was told: empty retained messages do."""
    done = [link.publish(topic, b"", qos=1, retain=True) for topic in topics]
    if all(done) and memory is not None:
        with contextlib.suppress(OSError):  # it is taken back once more at the next start
            memory.unlink(missing_ok=True)


def _remembered(memory: Path | None) -> list[str]:
    if memory is None:
        return []
    try:
        found = json.loads(memory.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []


def _remember(memory: Path | None, topics: list[str]) -> None:
    if memory is not None:
        memory.parent.mkdir(parents=True, exist_ok=True)
        new = memory.with_name(memory.name + ".new")  # a full disk must not empty what there is
        new.write_text(json.dumps(topics), encoding="utf-8")
        new.replace(memory)
