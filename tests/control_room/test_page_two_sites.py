"""Two sites with a gateway of the same name, in a real browser: none is taken for the other."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from scene.topics import Address
from scene.wire import Envelope, Message, type_name
from tests.control_room.conftest import Tab
from tests.control_room.fake_gateway import (
    GATEWAY,
    LocalGateway,
    alarm,
    description,
    health,
    people_at,
)
from tests.control_room.page_stage import Stage, staged

OTHER = "zeche"


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged() as found:
        yield found


def say_of_the_other(stage: Stage, *messages: Message) -> None:
    for message in messages:
        topic = type_name(message)
        id = message.id if topic == "alarm" else None  # type: ignore[union-attr]
        stage.room.hear(
            Address(prefix="mine", site=OTHER, gateway=GATEWAY, topic=topic, id=id),
            Envelope(type=topic, gateway=GATEWAY, seq=1, sent_at_ns=time.time_ns(), body=message),
        )


def told(page: Any) -> tuple[list[str], list[str], list[str]]:
    return (
        page.locator("#gateways button").all_inner_texts(),
        page.locator("#health-strip .chips > .chip:first-child strong").all_inner_texts(),
        page.locator("#plan .gateway-name").all_text_contents(),
    )


def test_gateways_of_one_name_are_told_with_their_site(stage: Stage, tab: Tab) -> None:
    page = tab.open(stage.url)
    page.locator("#health-strip .chip strong", has_text="gw1").wait_for()
    assert told(page)[1] == ["gw1"], "one site needs no name"
    at_ns = time.time_ns()
    line = tuple((x, y + 30, z) for x, y, z in description().centre_line_m)
    say_of_the_other(
        stage,
        replace(description("ws://gw9:1/p"), site=OTHER, centre_line_m=line),
        health(at_ns), people_at(0, at_ns),
    )  # fmt: skip
    both = ["roadway / gw1", "zeche / gw1"]
    page.wait_for_function("() => document.querySelectorAll('#plan .gateway-name').length === 2")
    page.locator("#health-strip strong", has_text="zeche / gw1").wait_for()
    assert told(page) == (both, both, both)
    groups = page.locator("#health-strip .chips")
    assert [groups.nth(i).get_attribute("aria-label") for i in (0, 1)] == both
    assert groups.nth(1).locator(".chip").count() == 3, "its cameras are beside it"
    page.click("#people-title")
    page.locator("#people-list button", has_text="zeche / gw1").first.click()
    page.locator("#person dd", has_text="zeche / gw1").wait_for()
    page.locator("#gateways button[aria-pressed='true']", has_text="zeche / gw1").wait_for()
    page.wait_for_function("() => lamproom.picture.name === 'zeche / gw1'")
    say_of_the_other(
        stage,
        *(alarm(f"a{i}", at_ns=time.time_ns() + i, zone="drive", track=70 + i) for i in range(3)),
    )
    page.locator("#alarm-rate", has_text="Man down zeche / drive ×3").wait_for()
    tab.shoot("two-sites")
    assert tab.complaints == []


def test_gateways_say_their_site_while_another_has_an_open_alarm(stage: Stage, tab: Tab) -> None:
    LocalGateway(stage.room.hear, name="gw2").say(replace(description(), gateway="gw2"))
    page = tab.open(stage.url)
    buttons = page.locator("#gateways")
    buttons.get_by_text("gw2", exact=True).wait_for()
    fields: dict[str, Any] = {"kind": "immobile", "severity": "warning", "at_ns": time.time_ns()}
    say_of_the_other(stage, alarm("theirs", **fields))
    for name in ("gw1", "gw2"):
        buttons.get_by_text(f"roadway / {name}", exact=True).wait_for()
    page.locator("#alarms .where", has_text="zeche / gw1").wait_for()
    # What is over names no gateway for ever; but of whose it was nobody may be in doubt.
    say_of_the_other(stage, alarm("theirs", state="cleared", **fields))
    for name in ("gw1", "gw2"):
        buttons.get_by_text(name, exact=True).wait_for()
    past = page.locator("#past-alarms .where", has_text="zeche / gw1")
    past.wait_for(state="attached")
    page.reload()
    past.wait_for(state="attached")
    buttons.get_by_text("gw1", exact=True).wait_for()
    assert tab.complaints == []
