"""What a page is told of positions is all that it reads of them."""

import json
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from control_room import told as told_module
from control_room.told import message_text
from scene.messages import Position, Positions
from scene.wire import Envelope

AT_NS = 1_790_000_000_123_456_789
SOMEBODY = Position(
    track=3,
    xyz_m=(19.00049, -1.0, 0.2),
    covariance_m2=((0.09, 0.02), (0.02, 0.04)),
    velocity_m_s=(0.9, 0.0),
    height_m=1.7,
    posture="upright",
    certainty="possibly",
    seen_at_ns=AT_NS - 2_000_000_000,
    cameras=("c1", "c2"),
    worker="Li",
    worker_probability=0.97,
    helmet=0.5,
    panorama_xy=(812.4, 512.2),
    panorama_head_xy=(812.4, 400.0),
    seen_xy_m=(17.0, -0.50049),
    seen_covariance_m2=((0.04, 0.0), (0.0, 0.04)),
    height_at_ns=AT_NS - 12_000_000_000,
)


def told(one: Position) -> dict[str, Any]:
    body = Positions(captured_at_ns=AT_NS, people=(one,))
    said = Envelope(type="positions", gateway="gw1", seq=7, sent_at_ns=AT_NS, body=body)
    text = message_text("roadway", "gw1", "positions", said)
    person: dict[str, Any] = json.loads(text)["envelope"]["body"]["people"][0]
    return person


def test_whatever_the_page_reads_of_a_person_is_sent() -> None:
    scripts = "".join(
        one.read_text() for one in Path(told_module.__file__).with_name("page").glob("*.js")
    )
    read = {one.name for one in fields(Position) if re.search(rf"\b{one.name}\b", scripts)}
    assert {"seen_xy_m", "height_at_ns", "panorama_xy"} <= read
    assert read <= told(SOMEBODY).keys()


def test_where_and_how_somebody_was_seen_last_is_told_to_the_millimetre_and_nanosecond() -> None:
    person = told(SOMEBODY)
    assert person["seen_xy_m"] == [17.0, -0.5]
    assert person["xyz_m"] == [19.0, -1.0, 0.2]
    assert person["seen_at_ns"] - person["height_at_ns"] == 10_000_000_000
    assert person["panorama_xy"] == [812, 512]


def test_what_is_the_same_is_not_told_twice() -> None:
    person = told(replace(SOMEBODY, seen_xy_m=(19.0, -1.0), height_at_ns=SOMEBODY.seen_at_ns))
    assert (person["seen_xy_m"], person["height_at_ns"]) == (None, None)
    assert told(replace(SOMEBODY, height_at_ns=0))["height_at_ns"] == 0, "never shown"
