"""A disk that hangs keeps nobody who uses the outbox, and what it has taken in is in order."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from delivery.memory import MemoryBroker
from delivery.outbox import Outbox, OutboxError
from delivery.publisher import Publisher
from delivery.unstored import Unstored
from scene.clock import ReplayClock, SystemClock
from scene.messages import Anomaly
from scene.wire import decode
from tests.delivery.parts import alarm, site, wait_until
from tests.delivery.test_publisher import ControlRoom
from tests.faults.loop_disk import loop_disk, no_loop_disk, stalled

pytestmark = pytest.mark.skipif(bool(no_loop_disk()), reason=no_loop_disk())
HANG_S = 60.0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with loop_disk(tmp_path) as (_, disk):
        yield disk


def test_whoever_puts_an_alarm_is_told_that_the_disk_hangs(disk: Path) -> None:
    calm = Outbox(disk, SystemClock(), patience_s=None)
    calm.put(alarm("before"))
    box = Outbox(disk, SystemClock(), patience_s=0.2)
    with stalled(disk):
        for _ in range(3):
            with pytest.raises(OutboxError, match=r"its disk has not answered for 0\.2 s"):
                box.put(alarm("raised"))
        with pytest.raises(OutboxError):
            box.put(alarm("raised", "cleared", 2000))
        assert box._disk.busy_s > 0.2
    wait_until(lambda: box._disk.busy_s == 0.0)
    # As whoever has kept them does now.
    calm.put(alarm("raised"))
    calm.put(alarm("raised", "cleared", 2000))
    pending = [(one.id, one.state) for one in calm.pending(newest_first=False)]
    assert pending == [("before", "active"), ("raised", "active"), ("raised", "cleared")]
    calm.close()
    box.close()


def test_while_the_disk_hangs_nobody_waits_for_it_twice(disk: Path) -> None:
    """With a patience that is longer than the test's: who comes later is told at once."""
    box = Outbox(disk, SystemClock(), patience_s=0.5)
    with stalled(disk):
        with pytest.raises(OutboxError):
            box.put(alarm("a"))
        box._patience_s = 0.4  # what is under way has taken longer
        done = []

        def ask() -> None:
            for _ in range(1000):  # would be 400 s
                with pytest.raises(OutboxError):
                    box.waiting()
            done.append(True)

        thread = threading.Thread(target=ask)
        thread.start()
        thread.join(HANG_S)
        assert done
    box.close()


def test_an_alarm_does_not_wait_for_the_disks_patience_to_end(disk: Path, tmp_path: Path) -> None:
    broker, clock = MemoryBroker(), SystemClock()
    heard: list[bytes] = []
    ear = broker.connection()
    ear.subscribe("mine/+/gw/+/alarm/+", 1, lambda _topic, body, _kept: heard.append(body))
    box = Outbox(disk, clock, patience_s=None)  # it waits for ever
    publisher = Publisher(site(tmp_path), broker.connection(), box, clock)
    with stalled(disk):
        speaking = threading.Thread(target=publisher.alarm, args=(alarm("a"),), daemon=True)
        speaking.start()
        wait_until(lambda: bool(heard))
        speaking.join(HANG_S)
        assert not speaking.is_alive()
    publisher.going_offline()
    assert [one.id for one in box.pending()] == ["a"]
    box.close()


def test_while_the_disk_hangs_alarms_are_sent_again_until_they_are_receipted(
    disk: Path, tmp_path: Path
) -> None:
    broker, clock = MemoryBroker(), SystemClock()
    room = ControlRoom(broker.connection(), receipts=False)
    box = Outbox(disk, clock, patience_s=0.2)
    publisher = Publisher(site(tmp_path), broker.connection(), box, clock)
    with stalled(disk):
        broker.online = False
        publisher.alarm(alarm("a"))
        assert publisher.unstored.overdue(HANG_S) is None
        wait_until(lambda: publisher.unstored.overdue(0.0) == alarm("a"))
        broker.online = True
        wait_until(lambda: room.journal["gw1", "a", "active"] >= 2)
        room.receipts = True
        wait_until(lambda: publisher.unstored.waiting() == [])
        assert publisher.unstored.overdue(0.0) is None, "a receipt ends it although nothing is safe"
        assert len(publisher.unstored) == 1
    wait_until(lambda: len(publisher.unstored) == 0 and not box.pending())
    assert [one.id for one in box.active()] == ["a"]
    publisher.going_offline()
    box.close()


def test_what_is_watched_is_the_newest_critical_alarm_that_still_stands() -> None:
    clock = ReplayClock()
    unstored = Unstored(clock, 4)
    unstored.keep(alarm("first"))
    unstored.keep(alarm("critical"))
    unstored.keep(replace(alarm("warning"), severity="warning"))
    clock.sleep(5.0)
    unstored.keep(replace(alarm("critical"), captured_at_ns=2000))  # a newer word, no less late
    unstored.keep(alarm("late"))
    late = unstored.overdue(4.0)
    assert late is not None and (late.id, late.captured_at_ns) == ("critical", 2000)
    unstored.receipt("critical", "active", 1000)
    assert unstored.overdue(4.0) is not None, "a receipt for an older word"
    unstored.keep(alarm("critical", "cleared", 3000))
    assert unstored.overdue(4.0) is None
    assert unstored.is_cleared(alarm("critical"))
    assert [one.id for one in unstored.all()] == ["critical", "warning", "late", "critical"]


def test_an_alarm_goes_out_while_the_disk_hangs_and_is_on_it_afterwards(
    disk: Path, tmp_path: Path
) -> None:
    broker, clock = MemoryBroker(), SystemClock()
    heard: list[Anomaly] = []

    def hear(topic: str, payload: bytes, retained: bool) -> None:
        body = decode(payload).body
        assert isinstance(body, Anomaly)
        heard.append(body)

    broker.connection().subscribe("mine/+/gw/+/alarm/+", 1, hear)
    box = Outbox(disk, clock, patience_s=0.2)
    publisher = Publisher(site(tmp_path), broker.connection(), box, clock)
    with stalled(disk):
        publisher.alarm(alarm("a"))
        publisher.alarm(alarm("a", "cleared", 2000))
        wait_until(lambda: len(heard) >= 2)
        assert [(one.id, one.state) for one in heard[:2]] == [("a", "active"), ("a", "cleared")]
        wait_until(lambda: "has not answered" in publisher.trouble)
    wait_until(lambda: publisher.trouble == "")
    publisher.going_offline()
    box.close()
    kept = Outbox(disk, clock)
    assert [one.state for one in kept.pending(newest_first=False)] == ["active", "cleared"]
    kept.close()
