"""What each kind of message costs the control room's processor, one at a time in this process.

Knows nothing about brokers: messages of simulated gateways are handed to the real chain from the
signature to the viewer's text. What MQTT itself and the web server take is not in it.
"""

import os
import tempfile
import time
from pathlib import Path

from control_room.journal.journal import Journal
from control_room.room import Room
from delivery.guard import Guard
from delivery.link import OnMessage
from delivery.signing import Signer
from delivery.subscriber import Subscriber
from delivery.trust import Trust
from delivery.voice import Voice
from scene.clock import SystemClock
from scene.messages import Positions
from scene.topics import topic_filter, topic_name
from scene.wire import Message, decode, type_name
from tests.bench._fleet_mine import IN_A_DRIFT, SITE, Drift, Gateway, name_of
from tests.delivery.keys import Keys
from tests.delivery.parts import Wire

GATEWAYS, PEOPLE, CAMERAS = 100, 15, 8
ROUNDS = int(os.environ.get("LAMPROOM_FLEET_ROUNDS", "12"))


def costs_us() -> dict[str, float | str]:
    """Measure, microseconds of one core for each message, with one viewer and 1,500 people."""
    clock = SystemClock()
    with tempfile.TemporaryDirectory(prefix="lamproom-fleet-") as name:
        keys, signers = Keys(Path(name)), dict[str, Signer]()
        for number in range(GATEWAYS):
            signers[name_of(number)] = keys.add("gateway", SITE, name_of(number))
        guard = Guard(Trust([keys.trusted], clock, lambda _: None), clock=clock)
        room = Room(Journal(None), clock, lambda *_: None, lambda *_: None, prefix="mine")
        room.join(lambda _about, _text: None)
        room.heads.begin()
        wire = Wire()
        Subscriber(wire, on_message=room.hear, guard=guard)
        hear = wire.hears[topic_filter("positions")]
        drifts = [Drift(n, PEOPLE * IN_A_DRIFT) for n in range(GATEWAYS // IN_A_DRIFT)]
        gateways = [Gateway(n, drifts[n // IN_A_DRIFT], CAMERAS) for n in range(GATEWAYS)]
        voices = {
            one.name: Voice(clock, run=time.time_ns(), signer=signers[one.name]) for one in gateways
        }

        def say(gateway: Gateway, message: Message) -> tuple[str, bytes]:
            topic = topic_name(type_name(message), site=SITE, gateway=gateway.name)
            return topic, voices[gateway.name].write(topic, message, gateway=gateway.name)[1]

        spent: dict[str, list[float]] = {"site": [], "health": [], "positions": []}
        for gateway in gateways:
            _time(spent["site"], hear, say(gateway, gateway.site()))
        for _ in range(ROUNDS):
            for gateway in gateways:
                at_ns = time.time_ns()
                _time(spent["positions"], hear, say(gateway, positions_of(gateway, at_ns)))
            for gateway in gateways:
                _time(spent["health"], hear, say(gateway, gateway.health(time.time_ns(), ())))
            time.sleep(0.1)
        tick_s = list[float]()
        for _ in range(3):
            began_s = time.thread_time()
            room.tick()
            room.count()
            tick_s.append(time.thread_time() - began_s)
            time.sleep(1.1)
    figures: dict[str, float | str] = {
        f"fleet.cost_of_{kind}_us": 1e6 * sum(each[len(each) // 4 :]) / len(each[len(each) // 4 :])
        for kind, each in spent.items()
    }
    return figures | {
        "fleet.cost_of_first_tick_with_count_ms": 1000 * tick_s[0],
        "fleet.cost_of_tick_with_count_ms": 1000 * max(tick_s[1:]),
    }


def positions_of(gateway: Gateway, at_ns: int) -> Positions:
    """Read what a gateway writes back into a message."""
    text = (
        f'{{"schema":"lamproom/positions/1","gateway":"{gateway.name}","seq":1,'
        f'"sent_at_ns":1,"body":{gateway.people(at_ns)}}}'
    )
    body = decode(text.encode()).body
    assert isinstance(body, Positions)
    return body


def _time(spent: list[float], hear: OnMessage, said: tuple[str, bytes]) -> None:
    began_s = time.thread_time()
    hear(*said, False)
    spent.append(time.thread_time() - began_s)
