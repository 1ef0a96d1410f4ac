"""The control room's head-count, and gateways that should speak and never did."""

import json
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest

from control_room.head_count import HeadCount
from control_room.journal.journal import Journal
from control_room.main import open_room
from control_room.muster import from_json
from control_room.muster_text import text_of
from control_room.namesakes import Namesakes
from control_room.room import Room
from control_room.roster import Worker
from control_room.server import serving
from control_room.viewers import Viewers
from control_room.whole_mine import MOST_GATEWAYS
from delivery.broker import EmbeddedBroker
from scene.clock import ReplayClock, SystemClock
from scene.messages import PanoramaPacket, TagFix, Tags
from scene.site import BrokerConfig
from scene.topics import Address
from scene.wire import Envelope
from tests.control_room.long_roadway import SITE, ns, position, said
from tests.delivery.parts import wait_until

ROSTER = (Worker(name="Li"),)


def hear(heads: HeadCount, gateway: str, at_s: float) -> None:
    one = said(gateway, at_s, (position(1, at_s, (5.0, 0.0)),))
    heads.hear(one.address, one.envelope, one.heard_at_ns)


def test_a_hundred_gateways_of_a_site_count_and_one_too_many_is_named() -> None:
    heads = HeadCount(ROSTER)
    for number in range(MOST_GATEWAYS + 1):
        one = said(f"gw{number}", 1.0, (position(1, 1.0, (number * 30.0, 0.0)),))
        heads.hear(one.address, one.envelope, one.heard_at_ns)
    told = heads.muster(SITE, ns(1.2))
    assert told is not None
    assert MOST_GATEWAYS >= 256
    assert (told["people"], told["complete"]) == (MOST_GATEWAYS, False)
    assert told["passed_over"] == [f"gw{MOST_GATEWAYS}"]


def test_what_was_heard_before_the_count_began_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """It begins when it is told to, is asked, or too much waits; alarms do not wait for it."""
    monkeypatch.setattr("control_room.head_count.MOST_EARLY", 3)
    for gateways, begins in (2, True), (2, False), (5, False):
        heads = HeadCount(ROSTER)
        for number in range(gateways):
            one = said(f"gw{number}", 1.0, (position(1, 1.0, (number * 30.0, 0.0)),))
            heads.hear(one.address, one.envelope, one.heard_at_ns)
        if begins:
            heads.begin()
        told = heads.muster(SITE, ns(1.2))
        assert told is not None
        assert told["people"] == gateways


def test_hearing_imports_nothing_for_a_count() -> None:
    code = (
        "import sys; from control_room.head_count import HeadCount;"
        "from scene.messages import GatewayState; from scene.topics import parse_topic;"
        "from scene.wire import Envelope;"
        "said = Envelope(type='state', gateway='gw1', seq=1, sent_at_ns=1,"
        " body=GatewayState(online=True, since_ns=1)); heads = HeadCount();"
        "heads.hear(parse_topic('mine/s/gw/gw1/state'), said, 1);"
        "assert 'control_room.muster' not in sys.modules; heads.begin();"
        "assert 'control_room.muster' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_gateways_of_many_sites_all_count() -> None:
    heads = HeadCount(ROSTER)
    for number in range(MOST_GATEWAYS + 10):
        one = said(f"gw{number}", 1.0, (position(1, 1.0, (number * 30.0, 0.0)),))
        place = replace(one.address, site=f"site{number % 5}")
        heads.hear(place, one.envelope, one.heard_at_ns)
    counts = [heads.muster(f"site{number}", ns(1.2)) for number in range(5)]
    assert sum(count["people"] for count in counts if count) == MOST_GATEWAYS + 10


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_gateway_that_should_speak_and_never_did_makes_the_count_incomplete(
    language: str,
) -> None:
    heads = HeadCount(ROSTER, [(SITE, "gw1"), (SITE, "gw2"), ("elsewhere", "gw3")], ns(0.5))
    hear(heads, "gw1", 1.0)
    told = heads.muster(SITE, ns(1.2))
    assert told is not None
    count = from_json(json.dumps(told))
    assert (count.people, count.complete, count.everybody) == (1, False, False)
    assert (count.never_heard, count.silent) == (("gw2",), (("gw2", ns(0.5)),))
    text = text_of(count, language)
    assert (
        "gateway gw2 was never heard" if language == "en" else "从未收到网关 gw2 的信号"
    ) in text
    assert ("never heard: gw2" if language == "en" else "从未收到信号：gw2") in text
    hear(heads, "gw2", 2.0)
    told = heads.muster(SITE, ns(2.1))
    assert told is not None
    assert (told["never_heard"], told["silent"]) == ([], [])


def test_a_site_of_which_nothing_was_ever_heard_is_counted_as_incomplete_all_the_same() -> None:
    heads = HeadCount(expected=[(SITE, "gw1")], now_ns=5)
    told = heads.muster(SITE, ns(1))
    assert told is not None
    assert (told["complete"], told["never_heard"]) == (False, ["gw1"])
    assert heads.muster("another", ns(1)) is None


def test_one_that_fell_silent_is_silent_not_unheard() -> None:
    heads = HeadCount(expected=[(SITE, "gw1")], now_ns=5)
    hear(heads, "gw1", 1.0)
    told = heads.muster(SITE, ns(100))
    assert told is not None
    assert told["never_heard"] == []
    assert [name for name, _ in told["silent"]] == ["gw1"]


def test_the_control_room_hands_on_which_gateways_it_is_told_to_expect(tmp_path: Path) -> None:
    with (
        EmbeddedBroker() as broker,
        open_room(
            BrokerConfig(url=broker.url),
            tmp_path / "journal.sqlite",
            SystemClock(),
            expected=((SITE, "gw2"),),
        ) as room,
    ):
        told = room.muster(SITE)
    assert told is not None
    assert (told["complete"], told["never_heard"]) == (False, ["gw2"])


def test_a_count_that_takes_long_is_told_before_the_page_calls_it_unknown() -> None:
    clock = ReplayClock(ns(0))
    viewers = Viewers(Journal(None), clock, lambda: pytest.fail("no rate"), Namesakes())
    viewers.join(lambda *_: None)
    viewers.tell_heads([], took_s=2.0)
    clock.sleep(2.0)
    assert not viewers.wants_heads(), "counting must not take all the time"
    clock.sleep(1.5)
    assert viewers.wants_heads()


def test_no_silence_waits_for_a_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counting may take long, or hang: that a gateway has died is noticed all the same."""
    journal, let_go, counting = Journal(None), threading.Event(), threading.Event()
    room = Room(journal, SystemClock(), lambda *_: None, lambda *_: None, prefix="mine")

    def hang(_site: str) -> None:
        counting.set()
        let_go.wait(60)

    monkeypatch.setattr(room, "muster", hang)

    async def no_stream(_url: str) -> AsyncGenerator[PanoramaPacket, None]:
        packets: list[PanoramaPacket] = []
        for packet in packets:
            yield packet

    told: list[str] = []
    room.join(lambda _about, text: told.append(text))
    one = said("gw1", 1.0, (position(1, 1.0, (5.0, 0.0)),))
    room.hear(one.address, one.envelope)
    with serving(room, no_stream):
        assert counting.wait(60)
        wait_until(lambda: any('"gateway_silent"' in text for text in told))
        let_go.set()
    journal.close()


def test_tags_and_sites_beyond_the_limit_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("control_room.whole_mine.MOST_TAGS", 3)
    monkeypatch.setattr("control_room.head_count.MOST_SITES", 1)
    heads = HeadCount(ROSTER)
    heads.begin()
    fixes = tuple(TagFix(tag=f"t{n}", xy_m=(0.0, 0.0), sigma_m=0.3, at_ns=5) for n in range(5))
    for site in (SITE, "other"):
        heads.hear(
            Address(prefix="mine", site=site, gateway="", topic="tags"),
            Envelope(
                type="tags",
                gateway="",
                seq=1,
                sent_at_ns=5,
                body=Tags(captured_at_ns=5, fixes=fixes),
            ),
            5,
        )
    assert heads.passed_over() == {"tags": 2, "sites": 1}
