"""The page with more gateways than anybody can look at one by one."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from control_room.room import Room
from delivery.lane import Shed
from scene.messages import GatewayState
from scene.topics import Address
from scene.wire import Envelope, Message, type_name
from tests.control_room.access.house import House, house
from tests.control_room.conftest import Tab
from tests.control_room.fake_gateway import SITE, description, health, people_at
from tests.control_room.ticking import ticking

COUNT = 20
DEAD, BAD = "gw7", "gw13"
PATIENCE_MS = 120_000
"""On a busy machine all gateways seem silent at times; what is waited for comes in the end."""


class Fleet:
    """Many gateways of one mine, one after the other along it."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self.silent = {DEAD}
        for number in range(COUNT):
            name = f"gw{number + 1}"
            x = 45.0 * number
            line = ((x, 0.0, 0.0), (x + 40.0, 0.0, 0.0))
            zones = tuple(
                replace(
                    zone,
                    name=f"conveyor {name}",
                    polygon_m=((x + 25, -2.0), (x + 30, 0.0), (x + 25, 0.0)),
                )
                for zone in description().zones
            )
            self.say(name, GatewayState(online=True, since_ns=time.time_ns()))
            self.say(
                name,
                replace(description(), gateway=name, centre_line_m=line, cameras=(), zones=zones),
            )
        self.beat()

    def beat(self) -> None:
        for number in range(COUNT):
            name, at_ns = f"gw{number + 1}", time.time_ns()
            if name in self.silent:
                continue
            beat = replace(health(at_ns), coverage_from_x_m=45.0 * number)
            if name != BAD:
                beat = replace(beat, cameras=beat.cameras[:1])
            self.say(name, beat)
            self.say(name, people_at(0, at_ns))

    def say(self, gateway: str, message: Message) -> None:
        topic = type_name(message)
        self._room.hear(
            Address(prefix="mine", site=SITE, gateway=gateway, topic=topic),
            Envelope(type=topic, gateway=gateway, seq=1, sent_at_ns=time.time_ns(), body=message),
        )


@pytest.fixture
def home(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as opened:
        fleet = Fleet(opened.room)
        opened.fleet = fleet  # type: ignore[attr-defined]
        with ticking(fleet.beat, 0.5):
            yield opened


def log_in(tab: Tab, home: House, role: str) -> None:
    with home.as_role(role) as caller:  # type: ignore[arg-type]
        cookies = [
            {"name": one.name, "value": one.value or "", "url": home.url}
            for one in caller.cookies.jar
        ]
    tab._context.add_cookies(cookies)


def test_of_many_gateways_only_those_are_shown_that_need_somebody(tab: Tab, home: House) -> None:
    log_in(tab, home, "viewer")
    page = tab.open(home.url)
    page.set_default_timeout(PATIENCE_MS)
    strip = page.locator("#health-strip")
    page.wait_for_function(
        """(wanted) => wanted === [...document.querySelectorAll("#health-strip [role=group]")]
            .map((one) => one.ariaLabel).sort().join()""",
        arg=",".join(sorted([BAD, DEAD])),
    )
    strip.get_by_role("group", name=DEAD).get_by_text("has said nothing yet").wait_for()
    strip.get_by_role("group", name=BAD).get_by_text("Connection refused").wait_for()
    page.get_by_role("button", name="18 of 20 are well").wait_for()

    page.get_by_role("combobox", name="Gateway", exact=True).select_option("gw12")
    page.wait_for_function("() => lamproom.shown === 'roadway/gw12'")
    tab.shoot("many")

    # A critical alarm that comes closes what lies over it.
    page.get_by_role("button", name=f"Gateway silent {DEAD} ").wait_for()
    page.get_by_role("button", name="are well").click()
    table = page.locator("#gateway-table")
    rows = table.locator("tr")
    rows.nth(COUNT).wait_for()
    assert rows.count() == COUNT + 1
    table.locator("tr.bad", has_text=DEAD).wait_for()
    table.locator("tr.doubtful", has_text=BAD).get_by_text("1 / 2").wait_for()
    assert table.get_by_role("button", name="Take out of service").count() == 0, "a viewer may not"
    tab.shoot("table")
    table.get_by_role("button", name="gw3", exact=True).click()
    page.wait_for_function("() => lamproom.shown === 'roadway/gw3'")
    assert tab.complaints == []


def test_an_admin_takes_a_silent_gateway_out_and_sees_it_come_back(tab: Tab, home: House) -> None:
    log_in(tab, home, "admin")
    page = tab.open(home.url)
    page.set_default_timeout(PATIENCE_MS)
    # A critical alarm that comes closes what lies over it.
    page.get_by_role("button", name=f"Gateway silent {DEAD} ").wait_for()
    page.locator("#gateways-open").click()
    row = page.locator("#gateway-table tr", has_text=DEAD)
    row.get_by_role("button", name="Take out of service").click()
    page.locator("#take-out-reason").fill("the drift is closed")
    page.locator("#take-out").get_by_role("button", name="Take out of service").click()
    page.locator("#gateways-out").get_by_text(f"{DEAD}: by").wait_for()
    row.wait_for(state="detached")
    tab.shoot("out")

    home.fleet.silent.clear()  # type: ignore[attr-defined]
    page.locator("#banners").get_by_text(f"{DEAD} speaks again").wait_for()
    page.locator("#gateway-table tr", has_text=DEAD).wait_for()
    assert page.locator("#gateways-out").is_hidden()


def test_what_is_too_much_is_said(tab: Tab, home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    log_in(tab, home, "viewer")
    page = tab.open(home.url)
    page.set_default_timeout(PATIENCE_MS)
    banners = page.locator("#banners")
    monkeypatch.setattr(home.room, "_shed", lambda: Shed(late_s=1.7, left_out=40))
    banners.get_by_text("positions come up to 1.7 s late, 40 messages were left out").wait_for()
    monkeypatch.setattr("control_room.room.MAX_GATEWAYS", COUNT)
    home.fleet.say("one-too-many", health(time.time_ns()))  # type: ignore[attr-defined]
    banners.get_by_text("TOO MANY GATEWAYS – 1 are not shown").wait_for()
    banners.get_by_text("roadway/one-too-many").wait_for()
