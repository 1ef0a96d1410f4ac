"""What a look at a control room has no room for, from what gateways say to the report."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from control_room.conditions import MOST_AREAS, MOST_BLIND, MOST_CAMERAS, Looks
from control_room.head_count import HeadCount
from control_room.journal.conditions import Stretches
from control_room.shift_report.gather import gather
from control_room.shift_report.lacks import lacks_of
from control_room.shift_report.span import Span
from scene.clock import ReplayClock
from scene.messages import CameraHealth, ZoneDescription
from scene.topics import Address
from scene.wire import Envelope, type_name
from tests.control_room.fake_gateway import GATEWAY, SITE, description, health
from tests.control_room.shift_report.shift_journal import T0, S, ShiftJournal


class Room:
    """Only what `Looks` looks at."""

    def __init__(self) -> None:
        self.heads = HeadCount()

    def how_it_is(self) -> dict[str, Any]:
        return {"broker": True, "trouble": "", "operators": 1, "positions_lost": {}}

    def hear(self, body: Any) -> None:
        address = Address(prefix="mine", site=SITE, gateway=GATEWAY, topic=type_name(body))
        envelope = Envelope(type="x", gateway=GATEWAY, seq=1, sent_at_ns=T0, body=body)
        self.heads.hear(address, envelope, T0)


def zones(number: int) -> Iterator[ZoneDescription]:
    """Strips of 5 cm across the roadway."""
    for n in range(number):
        left, right = 0.05 * n, 0.05 * n + 0.04
        corners = ((left, -2.0), (right, -2.0), (right, 2.0), (left, 2.0))
        yield ZoneDescription(name=f"zone{n}", kind="restricted", polygon_m=corners)


def cameras(number: int) -> Iterator[CameraHealth]:
    for n in range(number):
        yield CameraHealth(name=f"c{n}", state="ok", fps=15.0, last_frame_at_ns=T0)


def lacks(tmp_path: Path, more: int) -> str:
    """Have a gateway say so much more than there is room for; gives what is missing then."""
    room, stretches = Room(), Stretches()
    blind_every_second = (1, 0) * (MOST_BLIND + more)
    room.hear(
        replace(
            description(),
            # one metre more, so that the last blind one does not end the roadway
            centre_line_m=((0.0, 0.0, 0.0), (2.0 * (MOST_BLIND + more) + 1.0, 0.0, 0.0)),
            zones=tuple(zones(MOST_AREAS - 1 + more)),  # and what lies outside all
        )
    )
    room.hear(
        replace(
            health(T0),
            cameras=tuple(cameras(MOST_CAMERAS + more)),
            coverage=(*blind_every_second, 1),
        )
    )
    shift = ShiftJournal(tmp_path / "journal.sqlite")
    for at_s in range(0, 65, 5):
        stretches.look(Looks(room).now(ReplayClock(T0)), T0 + at_s * S, float(at_s))
    shift.write(stretches.take())
    span = Span(from_ns=T0, to_ns=T0 + 60 * S)
    found = gather(shift.place, span, site=None, operators=None, now_ns=span.to_ns)
    return "\n".join(english for english, _ in lacks_of(found))


def test_what_a_look_has_no_room_for_is_missing_in_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = lacks(tmp_path, 3)
    assert f"Gateway {SITE}/{GATEWAY}: up to 3 more cameras were not written down" in text
    assert f"{SITE}: up to 3 more zones were not written down" in text
    assert f"{SITE}: up to 3 more stretches of roadway that nobody saw were not" in text


def test_what_fits_is_not_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "were not written down" not in lacks(tmp_path, 0)
