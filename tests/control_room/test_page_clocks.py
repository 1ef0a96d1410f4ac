"""The page where the control room's own clock is wrong, and where a gateway's is."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from control_room.room import Room
from scene.messages import GatewayState
from scene.topics import Address
from scene.wire import Envelope, Message, type_name
from tests.control_room.access.house import House, house
from tests.control_room.conftest import Tab
from tests.control_room.fake_gateway import SITE, description, health, people_at
from tests.control_room.test_page_fleet import PATIENCE_MS, log_in
from tests.control_room.ticking import ticking

COUNT = 5


class Gateways:
    """Some gateways that are well, with clocks of their own."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self.fast_s = {f"gw{number + 1}": 0.0 for number in range(COUNT)}
        """By how much each clock is fast; with all the same it is the room's that is slow."""
        for name in self.fast_s:
            self.say(name, GatewayState(online=True, since_ns=time.time_ns()))
            self.say(name, replace(description(), gateway=name, cameras=()))

    def beat(self) -> None:
        for name in self.fast_s:
            at_ns = self.now_ns(name)
            self.say(name, replace(health(at_ns), cameras=health(at_ns).cameras[:1]))
            self.say(name, people_at(0, at_ns))

    def now_ns(self, name: str) -> int:
        return time.time_ns() + round(self.fast_s[name] * 1e9)

    def say(self, gateway: str, message: Message) -> None:
        topic = type_name(message)
        sent_ns = self.now_ns(gateway)
        self._room.hear(
            Address(prefix="mine", site=SITE, gateway=gateway, topic=topic),
            Envelope(type=topic, gateway=gateway, seq=1, sent_at_ns=sent_ns, body=message),
        )


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr("control_room.clock_watch.HOLD_S", 2.0)
    with house(tmp_path) as opened:
        gateways = Gateways(opened.room)
        opened.gateways = gateways  # type: ignore[attr-defined]
        with ticking(gateways.beat, 0.5):
            yield opened


def test_our_own_clock_is_one_line_in_both_languages_and_all_gateways_are_well(
    tab: Tab, home: House
) -> None:
    fast_s = home.gateways.fast_s  # type: ignore[attr-defined]
    fast_s |= dict.fromkeys(fast_s, 3600.0)
    log_in(tab, home, "operator")
    page = tab.open(home.url)
    page.set_default_timeout(PATIENCE_MS)
    alarms = page.locator("#alarms button")
    ours = page.get_by_role("button", name="Clock wrong the control room itself")
    ours.wait_for()
    assert alarms.filter(has_text="Clock wrong").count() == 1
    page.locator("#gateways-open").click()
    page.locator("#gateway-table tr.good").nth(COUNT - 1).wait_for()
    page.keyboard.press("Escape")
    assert page.locator("#health-strip").get_by_text("clock off").count() == 0
    ours.click()
    details = page.locator("#details")
    details.get_by_text("3600.0 s slow by those of 5 of 5 gateways").wait_for()
    details.get_by_text("Compare it with a watch").wait_for()
    tab.shoot("own-clock")
    page.locator("#lang-zh").click()
    details.get_by_text("的时钟比 5 个网关中的 5 个慢 3600.0 秒").wait_for()
    page.get_by_role("button", name="时钟不准 控制室自身").wait_for()
    tab.shoot("own-clock-zh")
    page.locator("#lang-en").click()

    fast_s |= dict.fromkeys(fast_s, 0.0)
    ours.wait_for(state="detached")
    assert alarms.filter(has_text="Clock wrong").count() == 0
    assert tab.complaints == []


def test_one_gateways_wrong_clock_is_its_own(tab: Tab, home: House) -> None:
    home.gateways.fast_s["gw3"] = -90.0  # type: ignore[attr-defined]
    log_in(tab, home, "operator")
    page = tab.open(home.url)
    page.set_default_timeout(PATIENCE_MS)
    page.get_by_role("button", name="Clock wrong gw3").click()
    page.locator("#details").get_by_text("by which 4 of 5 gateways go").wait_for()
    page.locator("#health-strip").get_by_text("clock off by 90").wait_for()
    tab.shoot("one-clock")
    assert tab.complaints == []
