"""A disk that hangs keeps nobody who only wants to remember something on it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from delivery.attendance import Attendance
from delivery.guard import SAVE_EVERY_S
from delivery.memory import MemoryBroker
from delivery.outbox import Outbox, OutboxError
from delivery.publisher import Publisher
from delivery.signing import RefusedError
from delivery.voice import next_run
from scene.clock import ReplayClock, SystemClock
from scene.messages import Anomaly, ControlRoomBeat, GatewayState
from scene.wire import decode
from tests.delivery.parts import HANG_S, HEALTH, alarm, site, wait_until
from tests.delivery.test_guard import BEAT, Mine
from tests.faults.loop_disk import loop_disk, no_loop_disk, stalled

pytestmark = pytest.mark.skipif(bool(no_loop_disk()), reason=no_loop_disk())


@pytest.fixture(name="disk")
def _disk(tmp_path: Path) -> Iterator[Path]:
    with loop_disk(tmp_path) as (_, disk):
        yield disk


@contextmanager
def hanging(disk: Path) -> Iterator[Callable[[Callable[[], object]], None]]:
    """Let a disk hang; gives what does something meanwhile and fails when that hangs, too."""
    with stalled(disk):

        def does(work: Callable[[], object]) -> None:
            done = threading.Event()

            def run() -> None:
                work()
                done.set()

            threading.Thread(target=run, daemon=True).start()
            assert done.wait(HANG_S / 4), "it waits for the disk"

        yield does


def mine_on(disk: Path) -> Mine:
    mine = Mine(disk)
    mine.clock = ReplayClock(mine.clock.now_ns())
    return mine


def test_what_is_heard_goes_on_and_is_remembered_once_the_disk_answers(disk: Path) -> None:
    mine = mine_on(disk)
    mine.guard = mine.new_guard()
    said = [mine.say(HEALTH) for _ in range(5)]
    beat = mine.say(BEAT)
    with hanging(disk) as does:
        for one in (*said, beat):
            does(lambda one=one: mine.hears(one))  # type: ignore[misc]
            mine.clock.sleep(SAVE_EVERY_S + 1)
        assert not mine.guard.remember(0.05), "it does not say that it was kept"
    assert mine.guard.remember(HANG_S)
    mine.guard = mine.new_guard()
    for one in (*said, beat):
        with pytest.raises(RefusedError):
            mine.hears(one)


def test_after_a_crash_while_the_disk_hung_only_what_came_meanwhile_can_be_played_again(
    disk: Path,
) -> None:
    mine = mine_on(disk)
    mine.guard = mine.new_guard()
    before = [mine.say(HEALTH) for _ in range(3)]
    for one in before:
        assert mine.hears(one)
    assert mine.guard.remember(HANG_S)
    with hanging(disk) as does:
        meanwhile = mine.say(HEALTH)
        does(lambda: mine.hears(meanwhile))
        kept = mine.memory.read_text(encoding="utf-8")  # what the next start finds
    assert mine.guard.remember(HANG_S)
    mine.memory.write_text(kept, encoding="utf-8")
    mine.guard = mine.new_guard()
    for one in before:
        with pytest.raises(RefusedError):
            mine.hears(one)
    assert mine.hears(meanwhile), "the price, and it is paid once"
    with pytest.raises(RefusedError):
        mine.hears(meanwhile)


def test_a_control_room_is_noted_without_waiting(disk: Path) -> None:
    memory = disk / "control-room-heard"
    with hanging(disk) as does:
        watch = Attendance(SystemClock(), run=1, memory=memory)
        does(lambda: watch.beat(ControlRoomBeat(said_at_ns=1)))
        assert watch.known
    wait_until(memory.exists)


def test_a_start_gets_its_number(disk: Path) -> None:
    file, clock = disk / "run", ReplayClock(10**18)
    assert next_run(file, clock) == 10**18
    found: list[int] = []
    with hanging(disk) as does:
        does(lambda: found.append(next_run(file, clock)))
    assert found == [10**18 + 1], "what could be read counts"


def test_whoever_starts_while_the_disk_hangs_sends_what_comes_and_keeps_it_later(
    disk: Path, tmp_path: Path
) -> None:
    broker, clock = MemoryBroker(), SystemClock()
    heard: list[Anomaly] = []

    def hear(topic: str, payload: bytes, retained: bool) -> None:
        if payload and isinstance(body := decode(payload).body, Anomaly):
            heard.append(body)

    broker.connection().subscribe("mine/+/gw/+/alarm/+", 1, hear)
    trouble = replace(alarm("delivery_trouble-1"), kind="delivery_trouble")
    with closing(Outbox(disk, clock, patience_s=None)) as before:
        before.put(trouble)
        before.put(alarm("of before"))
    parts: list[tuple[Outbox, Publisher]] = []

    def start() -> None:
        box = Outbox(disk, clock, patience_s=0.2)
        parts.append((box, Publisher(site(tmp_path), broker.connection(), box, clock)))

    with hanging(disk) as does:
        does(start)
        ((box, publisher),) = parts
        with pytest.raises(OutboxError, match="has not answered"):
            box.put(alarm("a"))
        does(lambda: publisher.alarm(alarm("a")))
        wait_until(lambda: "a" in [one.id for one in heard])
        assert "has not answered" in publisher.trouble
    wait_until(lambda: "of before" in [one.id for one in heard])
    wait_until(lambda: publisher.troubles.raised == trouble)
    wait_until(lambda: publisher.trouble == "")
    publisher.going_offline()
    box.close()
    with closing(Outbox(disk, clock, patience_s=None)) as kept:
        assert {one.id for one in kept.active()} == {"delivery_trouble-1", "of before", "a"}


def test_a_broker_that_comes_while_the_disk_hangs_is_told_later_what_is_active(
    disk: Path, tmp_path: Path
) -> None:
    clock = SystemClock()
    first = MemoryBroker()
    box = Outbox(disk, clock, patience_s=0.2)
    box.put(alarm("a"))
    box.receipt("a", "active")
    link = first.connection()
    publisher = Publisher(site(tmp_path), link, box, clock)

    def knows() -> bool:
        return any(topic.endswith("/alarm/a") for topic in list(first.retained))

    wait_until(knows)
    first.retained.clear()
    with hanging(disk) as does:
        with pytest.raises(OutboxError):
            box.put(alarm("b"))
        does(link.reconnected)
        assert GatewayState in {type(decode(one).body) for one in first.retained.values()}
        for _ in range(2):  # who tells has been refused since
            publisher.trouble = ""
            wait_until(lambda: "has not answered" in publisher.trouble)
        assert not knows()
    wait_until(knows)
    publisher.going_offline()
    box.close()
