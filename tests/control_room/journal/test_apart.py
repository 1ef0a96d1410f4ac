"""Whoever reads for long has a connection of their own: alarms are stored meanwhile."""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from control_room.journal.database import JournalError, Place
from control_room.journal.journal import Journal
from control_room.lifecycle import Key, wish_of
from control_room.room import Room
from control_room.server import serving
from scene.clock import SystemClock
from scene.messages import Receipt
from tests.control_room.fake_gateway import GATEWAY, SITE, LocalGateway, alarm
from tests.control_room.postgres import HANG_S, wait_until

ALARM = {"site": SITE, "gateway": GATEWAY, "id": "before"}
READERS = "asyncio_"
"""The threads in which the web server reads begin with this."""
Slow = Callable[[], contextlib.AbstractContextManager[Callable[[], bool]]]
"""Makes reading slow while the block lasts; gives what tells whether somebody is at it."""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def slow(place: Place, monkeypatch: pytest.MonkeyPatch) -> Slow:
    return slow_sqlite(monkeypatch) if isinstance(place, Path) else slow_server(place, monkeypatch)


def slow_sqlite(monkeypatch: pytest.MonkeyPatch) -> Slow:
    """Have SQLite stand still in the middle of a statement that the web server asks."""
    is_slow, go_on, begun = threading.Event(), threading.Event(), threading.Event()
    connect = sqlite3.connect

    def stand_still() -> int:
        if is_slow.is_set() and threading.current_thread().name.startswith(READERS):
            begun.set()
            assert go_on.wait(HANG_S)
        return 0

    def connect_slowly(*args: Any, **more: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*args, **more)
        connection.set_progress_handler(stand_still, 1)
        return connection

    monkeypatch.setattr(sqlite3, "connect", connect_slowly)

    @contextlib.contextmanager
    def slow() -> Iterator[Callable[[], bool]]:
        is_slow.set()
        yield begun.is_set
        go_on.set()

    return slow


def slow_server(place: Place, monkeypatch: pytest.MonkeyPatch) -> Slow:
    """Hold a table that is read, and not written when an alarm is stored."""
    import psycopg

    # However slow this machine is, nobody gives up.
    monkeypatch.setattr("control_room.journal.postgresql.LOCKED_S", HANG_S)
    monkeypatch.setattr("control_room.journal.postgresql.ANSWER_S", HANG_S)
    assert isinstance(place, str)
    address = place

    def somebody_waits() -> bool:
        with psycopg.connect(address) as asking:
            found = asking.execute(
                "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'act'::regclass"
            )
            return found.fetchone() is not None

    @contextlib.contextmanager
    def slow() -> Iterator[Callable[[], bool]]:
        with psycopg.connect(address) as holding:
            holding.execute("LOCK TABLE act IN ACCESS EXCLUSIVE MODE")
            yield somebody_waits

    return slow


class CalmRoom(Room):
    """A room that looks at nothing twice a second: the table that is held it would look at, too."""

    def tick(self) -> None:
        pass


@pytest.mark.parametrize(
    "path",
    ["alarms/history", "alarms/acts?site=roadway&gateway=gw1&id=before", "history?what=alarms"],
)
def test_no_alarm_waits_for_a_long_answer(place: Place, slow: Slow, path: str) -> None:
    receipts: list[Receipt] = []
    with contextlib.closing(Journal(place, required=True)) as journal:
        room = CalmRoom(
            journal,
            SystemClock(),
            lambda _site, _gateway, receipt: receipts.append(receipt),
            lambda *_: None,
            prefix="mine",
        )
        gateway = LocalGateway(room.hear)
        gateway.say(alarm("before", at_ns=time.time_ns()))
        room.do(wish_of("acknowledge", {**ALARM, "by": "Li Wei"}))
        with serving(room, gateway.open_stream) as url, ThreadPoolExecutor(2) as pool:
            with slow() as somebody_is_at_it:
                reading = pool.submit(httpx.get, f"{url}api/{path}", timeout=2 * HANG_S)
                wait_until(somebody_is_at_it)
                said = pool.submit(gateway.say, alarm("meanwhile", at_ns=time.time_ns()))
                with contextlib.suppress(TimeoutError):
                    said.result(timeout=HANG_S / 4)
                stored = [receipt.alarm for receipt in receipts]
                is_read = reading.done()
            answer = reading.result(timeout=HANG_S)
    assert stored == ["before", "meanwhile"]
    assert not is_read, "the answer came before the alarm"
    assert answer.status_code == 200
    assert "Li Wei" in answer.text, "and it is whole"


def test_what_is_read_apart_is_what_was_stored_last(place: Place) -> None:
    with contextlib.closing(Journal(place, required=True)) as journal:
        for i in range(3):
            journal.store(
                Key(site=SITE, gateway=GATEWAY, alarm=f"a{i}"),
                alarm(f"a{i}", at_ns=5 + i),
                stored_at_ns=9,
            )
            with journal.apart() as reading:
                assert reading.history() == journal.history()
                assert reading.open_entries() == journal.open_entries()
                assert reading.raised_since(0) == journal.raised_since(0)


def test_apart_nothing_can_be_written(place: Place) -> None:
    with (
        contextlib.closing(Journal(place, required=True)) as journal,
        journal.apart() as reading,
        pytest.raises(JournalError, match="can't be written"),
    ):
        reading._database.write(lambda session: session.change("DELETE FROM alarm"))


def test_a_journal_in_memory_is_read_as_it_is() -> None:
    with contextlib.closing(Journal(None)) as journal, journal.apart() as reading:
        assert reading is journal
