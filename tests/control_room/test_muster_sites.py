"""Which site `lamproom muster` counts where the broker still carries one that has ended."""

import argparse
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from control_room.broker_options import client_name
from control_room.muster import from_json
from control_room.muster_command import MusterListener, add_arguments, run
from delivery.broker import EmbeddedBroker
from delivery.mqtt import Connection
from delivery.voice import Voice
from scene.clock import ReplayClock, SystemClock
from scene.errors import LamproomError
from scene.messages import GatewayHealth, GatewayState, Positions
from scene.site import BrokerConfig
from scene.topics import TOPICS, parse_topic, topic_name
from scene.wire import Envelope, Message, type_name
from tests.control_room.fake_gateway import health

START_NS = 1_764_410_000_000_000_000


def heard(listener: MusterListener, site: str, body: Message) -> None:
    kind = type_name(body)
    envelope = Envelope(type=kind, gateway="gw1", seq=1, sent_at_ns=START_NS, body=body)
    listener.hear(parse_topic(topic_name(kind, site=site, gateway="gw1")), envelope)


def offline(site: str, listener: MusterListener) -> None:
    heard(listener, site, GatewayState(online=False, since_ns=START_NS))


def speaks(site: str, listener: MusterListener) -> None:
    heard(listener, site, health(START_NS))


@pytest.fixture
def listener() -> MusterListener:
    return MusterListener(ReplayClock(START_NS), None)


def test_the_live_site_is_counted_and_the_ended_one_is_told(listener: MusterListener) -> None:
    offline("old", listener)
    speaks("new", listener)
    assert listener.count(()).site == "new"
    assert listener.left_out() == ("old",)
    offline("new", listener)
    assert listener.count(()).site == "new", "it ended while it was counted"


def test_two_live_sites_two_ended_ones_and_expected_ones_are_asked_for(
    listener: MusterListener,
) -> None:
    offline("old", listener)
    offline("older", listener)
    with pytest.raises(LamproomError, match=r"--site.*old, older"):
        listener.count(())
    speaks("old", listener)
    speaks("older", listener)
    with pytest.raises(LamproomError, match=r"--site.*old, older"):
        listener.count(())
    expects = MusterListener(ReplayClock(START_NS), None, expected=[("old", "gw1")])
    offline("old", expects)
    speaks("new", expects)
    with pytest.raises(LamproomError, match=r"--site.*new, old"):
        expects.count(())


def test_a_gateway_that_only_fell_silent_has_not_ended() -> None:
    clock = ReplayClock(START_NS)
    listener = MusterListener(clock, None)
    speaks("old", listener)
    clock.sleep(60)
    speaks("new", listener)
    with pytest.raises(LamproomError, match=r"--site.*new, old"):
        listener.count(())


@pytest.fixture(scope="module")
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as started:
        yield started


def test_the_command_counts_the_live_one_and_says_so(
    broker: EmbeddedBroker, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("control_room.muster_command.LISTEN_S", 3.0)
    voice = Voice(SystemClock(), run=time.time_ns())
    link = Connection(BrokerConfig(url=broker.url), client_name("sender"))
    link.connect(20.0, wait=True)

    def say(site: str, message: GatewayHealth | Positions | GatewayState) -> None:
        kind = type_name(message)
        topic = topic_name(kind, site=site, gateway="gw1")
        _, payload = voice.write(topic, message, gateway="gw1")
        link.publish(topic, payload, qos=TOPICS[kind].qos, retain=TOPICS[kind].retain)

    def speak() -> None:
        while not ended.wait(0.1):
            now_ns = time.time_ns()
            say("new", Positions(captured_at_ns=now_ns, people=()))
            say("new", replace(health(now_ns), coverage=(1, 1, 1)))

    ended, speaking = threading.Event(), threading.Thread(target=speak)
    say("old", GatewayState(online=False, since_ns=1))
    speaking.start()
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    try:
        run(parser.parse_args(["--broker", broker.url, "--json"]))
    finally:
        ended.set()
        speaking.join()
        link.close()
    said = capsys.readouterr()
    assert from_json(said.out).site == "new"
    assert "this counts site new only: all gateways of old are offline" in said.err
