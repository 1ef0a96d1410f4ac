"""Which site `lamproom muster` counts where the broker still carries one that has ended."""

import argparse
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from control_room.broker_options import client_name
from control_room.muster import from_json
from control_room.muster_command import MusterListener, add_arguments, run
from control_room.muster_text import text_of
from control_room.roster import Worker
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
from tests.control_room.long_roadway import position

START_NS = 1_764_410_000_000_000_000


def heard(listener: MusterListener, site: str, body: Message) -> None:
    kind = type_name(body)
    envelope = Envelope(type=kind, gateway="gw1", seq=1, sent_at_ns=START_NS, body=body)
    listener.hear(parse_topic(topic_name(kind, site=site, gateway="gw1")), envelope)


def offline(site: str, listener: MusterListener) -> None:
    heard(listener, site, GatewayState(online=False, since_ns=START_NS))


def speaks(site: str, listener: MusterListener) -> None:
    heard(listener, site, health(START_NS))


def all_here(listener: MusterListener, site: str) -> None:
    """Let its gateway see all its metres, and Li."""
    heard(listener, site, replace(health(START_NS), coverage=(1, 1, 1)))
    li = replace(position(1, 0.0, (1.0, 0.0), worker="Li"), seen_at_ns=START_NS)
    heard(listener, site, Positions(captured_at_ns=START_NS, people=(li,)))


@pytest.fixture
def listener() -> MusterListener:
    return MusterListener(ReplayClock(START_NS), None)


def test_the_live_site_is_counted_and_the_ended_one_is_told(listener: MusterListener) -> None:
    offline("old", listener)
    speaks("new", listener)
    told, left_out = listener.count(())
    assert (told.site, left_out) == ("new", {"old": False})
    offline("new", listener)
    assert listener.count(())[0].site == "new", "it ended while it was counted"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_count_that_leaves_a_site_out_is_none_of_everybody(
    listener: MusterListener, language: str
) -> None:
    all_here(listener, "b_ok")
    told, left_out = listener.count((Worker(name="Li"),))
    assert (told.everybody, left_out) == (True, {})
    offline("a_blast", listener)
    told, left_out = listener.count((Worker(name="Li"),))
    assert (told.site, told.everybody, told.complete) == ("b_ok", False, False)
    text = text_of(told, language, left_out)
    off, why = {
        "en": ("site a_blast is offline and NOT in this count", "(sites not in this count: 1)"),
        "zh": ("矿区 a_blast 的网关均离线，未计入本次清点", "（1 个矿区未计入）"),
    }[language]
    assert off in text
    assert why in text.splitlines()[-1]


def test_a_watch_stays_with_the_site_that_it_counts(listener: MusterListener) -> None:
    offline("old", listener)
    speaks("new", listener)
    assert listener.count(())[0].site == "new"
    speaks("old", listener)
    told, left_out = listener.count(())
    assert (told.site, left_out, told.everybody) == ("new", {"old": True}, False)
    assert "site old speaks and is NOT in this count" in text_of(told, "en", left_out)
    offline("new", listener)
    assert listener.count(())[0].site == "new"


def test_a_watch_that_has_heard_nobody_counts_the_first_that_speaks(
    listener: MusterListener,
) -> None:
    assert listener.count(())[0].site == ""
    speaks("new", listener)
    assert listener.count(())[0].site == "new"


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


def until_both_are_heard(listener: MusterListener, limit_s: float) -> None:
    """Wait as long as this machine takes, not `limit_s`."""
    until_s = time.monotonic() + 20 * limit_s
    while not {("old", "gw1"), ("new", "gw1")} <= listener._known or listener._beats == set():
        assert time.monotonic() < until_s, "not heard"
        time.sleep(0.05)


def test_the_command_counts_the_live_one_and_says_so(
    broker: EmbeddedBroker,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(MusterListener, "wait", until_both_are_heard)
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

    def counted(*words: str) -> tuple[int, str, str]:
        parser = argparse.ArgumentParser()
        add_arguments(parser)
        code = run(parser.parse_args(["--broker", broker.url, *words]))
        return code, *capsys.readouterr()

    ended, speaking = threading.Event(), threading.Thread(target=speak)
    say("old", GatewayState(online=False, since_ns=1))
    speaking.start()
    try:
        code, out, err = counted("--json")
        _, text, _ = counted()
    finally:
        ended.set()
        speaking.join()
        link.close()
    assert not from_json(out).replay
    assert "REPLAY" not in text
    assert (code, from_json(out).site, json.loads(out)["left_out"]) == (1, "new", ["old"])
    assert "site old is offline and NOT in this count" in err
    assert "site old is offline and NOT in this count" in text


def test_the_command_says_that_it_counts_a_replay(
    broker: EmbeddedBroker, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def until_heard(listener: MusterListener, _limit_s: float) -> None:
        until_s = time.monotonic() + 60
        while not listener._known:
            assert time.monotonic() < until_s, "not heard"
            time.sleep(0.05)

    monkeypatch.setattr(MusterListener, "wait", until_heard)
    link = Connection(BrokerConfig(url=broker.url), client_name("player"))
    link.connect(20.0, wait=True)
    topic = topic_name("state", site="then", gateway="gw1", prefix="replay")
    message = GatewayState(online=True, since_ns=START_NS)
    _, payload = Voice(SystemClock(), run=time.time_ns()).write(topic, message, gateway="gw1")
    link.publish(topic, payload, qos=1, retain=True)
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    words = ["--broker", broker.url, "--prefix", "replay"]
    try:
        run(parser.parse_args([*words, "--json"]))
        out = capsys.readouterr().out
        run(parser.parse_args(words))
    finally:
        link.publish(topic, b"", qos=1, retain=True)
        link.close()
    assert from_json(out).replay
    assert "REPLAY" in capsys.readouterr().out
