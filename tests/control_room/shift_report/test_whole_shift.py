"""From what a gateway says to the report: nothing is made up in between."""

import contextlib
import time
from pathlib import Path
from typing import Any

import pytest

from control_room.journal import conditions as journal_conditions
from control_room.journal.conditions import ConditionLog
from control_room.journal.database import JournalError, Place
from control_room.journal.options import Keeping
from control_room.lifecycle import Key, Wish
from control_room.main import open_room
from control_room.shift_report.gather import Gathered, gather
from control_room.shift_report.page import page
from control_room.shift_report.span import Span
from delivery.broker import EmbeddedBroker
from scene.clock import SystemClock
from scene.site import BrokerConfig
from tests.control_room.fake_gateway import GATEWAY, SITE, LocalGateway, alarm
from tests.control_room.postgres import wait_until
from tests.control_room.shift_report.shift_journal import S


def last_minute(place: Place) -> Gathered:
    now_ns = time.time_ns()
    span = Span(from_ns=now_ns - 60 * S, to_ns=now_ns)
    return gather(place, span, site=None, operators=None, now_ns=now_ns)


def test_what_a_gateway_says_is_in_the_report(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(journal_conditions, "FIRST_S", 0.0)
    monkeypatch.setattr(ConditionLog.__init__, "__kwdefaults__", {"look_s": 0.1, "keep_days": 9.0})
    with EmbeddedBroker() as broker, contextlib.ExitStack() as stack:
        config = BrokerConfig(url=broker.url)
        room = stack.enter_context(
            open_room(config, place, SystemClock(), operators=2, keeping=Keeping())
        )
        gateway = stack.enter_context(LocalGateway(room.hear))
        gateway.say(alarm("down", at_ns=time.time_ns(), worker="李伟"))
        key = Key(site=SITE, gateway=GATEWAY, alarm="down")
        room.do(Wish(action="acknowledge", key=key, by="Wang"))

        def told() -> bool:
            with contextlib.suppress(JournalError):  # it is not there yet
                return [one.whole.figures.top() for one in last_minute(place).sites] == [2]
            return False

        wait_until(told)
        found = last_minute(place)
    assert found.load.operators == 2
    [row] = found.alarms.rows
    assert [(one.action, one.by) for one in row.acts] == [("acknowledge", "Wang")]
    lanes: Any = {key[2]: lane.states.held_ns for key, lane in found.watched.lanes.items()}
    assert lanes["c1"]["ok"] > 0 and not lanes["c1"]["lost"]
    assert lanes["c2"]["lost"] > 0 and not lanes["c2"]["ok"]
    [site] = found.sites
    assert (site.seen.top(), site.metres.top()) == (37, 40)
    longest = site.unseen()[0]  # until it first said what it sees, all of it was unseen
    assert (longest.from_m, longest.gateways) == (0, GATEWAY)
    assert found.room.states.held_ns["runs"] > 0
    html = page(found, "en", "lamproom test")
    assert "李伟" in html and "password" not in html
