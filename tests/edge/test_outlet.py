import contextlib
import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from delivery.memory import MemoryBroker
from delivery.outbox import Outbox, OutboxError
from delivery.publisher import Publisher
from delivery.stream import StreamServer
from edge.line import LineIn, LineOut, new_door
from edge.outlet import (
    LIMITS,
    OLD_REPORT_S,
    PICTURES,
    DirectOutlet,
    LineOutlet,
    Result,
    ServiceReport,
    pass_on,
)
from scene.clock import ReplayClock
from scene.messages import Anomaly, GatewayHealth, PanoramaPacket, Positions, ServiceHealth
from scene.wire import decode, encode
from tests.delivery.parts import alarm as plain_alarm
from tests.delivery.parts import site, wait_until
from tests.faults.loop_disk import loop_disk, no_loop_disk, stalled

HANG_S = 60.0
EMPTY = Positions(captured_at_ns=1, people=())
HEALTH = GatewayHealth(
    captured_at_ns=1,
    cameras=(),
    panorama_fps=10.0,
    detection_fps=10.0,
    detection_age_s=0.1,
    detection_provider="CPUExecutionProvider",
)


def alarm(number: int) -> Anomaly:
    return plain_alarm(f"man_down-{number}")


def packet(number: int, *, key_frame: bool = True, size: int = 200_000) -> PanoramaPacket:
    return PanoramaPacket(
        captured_at_ns=number,
        key_frame=key_frame,
        geometry="g",
        size_px=(4, 2),
        positions=EMPTY,
        payload=bytes(size),
    )


class Taken:
    def __init__(self) -> None:
        self.results: list[Result] = []

    def send(self, result: Result) -> None:
        self.results.append(result)

    def pictures(self) -> list[int]:
        return [one.captured_at_ns for one in self.results if isinstance(one, PanoramaPacket)]


class Way:
    """A pipeline's outlet with a real outbox, and the sender's end of the line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.doors = new_door()
        self.line = LineOut(self.doors[0], LIMITS)
        self.outbox: Outbox | None = None
        self.outlet = LineOutlet(self.line, self.open)
        self.into = LineIn(self.doors[1])

    def open(self) -> Outbox:
        self.outbox = Outbox(self.folder, ReplayClock())
        return self.outbox

    def take(self) -> Taken:
        taken = Taken()
        while pass_on(self.into, taken, wait_s=0.5):
            pass
        return taken

    def close(self) -> None:
        self.line.close(limit_s=0.1)
        self.into.close()
        if self.outbox is not None:
            self.outbox.close()
        for door in self.doors:
            door.close()


@pytest.fixture
def way(tmp_path: Path) -> Iterator[Way]:
    made = Way(tmp_path / "state")
    yield made
    made.close()


def test_a_critical_alarm_is_on_disk_when_it_has_been_handed_over(
    way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is killed in the next instant does not take it along."""
    monkeypatch.setattr("edge.outlet.CRITICAL_WAIT_S", HANG_S)
    for number in range(20):
        way.outlet.send(alarm(number))
        kept = Outbox(way.folder, ReplayClock())
        assert kept.pending(limit=1) == [alarm(number)]
        kept.close()


def test_half_a_character_in_an_alarm_loses_neither_it_nor_the_next(way: Way) -> None:
    way.outlet.send(replace(alarm(0), evidence="room \udc80"))
    way.outlet.send(alarm(1))
    assert way.outlet.settle(HANG_S)
    wanted = [replace(alarm(0), evidence="room ?"), alarm(1)]
    assert way.outbox is not None
    assert way.outbox.pending(newest_first=False) == wanted
    assert way.take().results == wanted
    assert way.outlet.trouble == ""


def test_alarms_overtake_pictures(way: Way) -> None:
    assert way.into.take(0.5) is None  # somebody is there
    way.outlet.send(packet(0, size=500_000))
    while way.line.waiting(PICTURES):  # it fills the socket, the rest waits
        time.sleep(0.01)
    for result in (packet(1), packet(2), EMPTY, alarm(1)):
        way.outlet.send(result)
    taken = way.take()
    assert len(taken.results) == 5
    assert taken.pictures() == [0, 1, 2]
    kinds = [type(one) for one in taken.results]
    assert kinds[-2:] == [PanoramaPacket] * 2
    assert kinds.index(Anomaly) < kinds.index(Positions)


def test_a_sender_that_takes_nothing_costs_pictures_but_no_alarm(way: Way) -> None:
    for number in range(50):
        way.outlet.send(packet(number))
        way.outlet.send(EMPTY)
        way.outlet.send(alarm(number))
    assert way.outlet.settle(HANG_S)
    assert way.outbox is not None
    assert {kept.id for kept in way.outbox.pending()} == {f"man_down-{n}" for n in range(50)}
    taken = way.take()
    assert 0 < len(taken.pictures()) <= LIMITS[2] + 4, "the panorama is shed first"
    assert {one.id for one in taken.results if isinstance(one, Anomaly)} == {
        f"man_down-{n}" for n in range(50)
    }
    assert sum(isinstance(one, Positions) for one in taken.results) == 50


def test_after_pictures_were_shed_a_key_frame_comes_first(way: Way) -> None:
    for number in range(40):
        way.outlet.send(packet(number, key_frame=number % 10 == 0))
    before = way.take().pictures()
    assert before == list(range(len(before)))
    assert len(before) < 20
    for number in range(41, 60):
        way.outlet.send(packet(number, key_frame=number % 10 == 0, size=10))
        time.sleep(0.01)
    assert way.take().pictures() == list(range(50, 60))


def test_at_twice_the_load_pictures_are_shed_then_positions_and_never_alarms(way: Way) -> None:
    """Two rounds out of three come without an alarm; the sender takes half of what there is."""
    rounds, alarms, taken = 600, 0, Taken()
    for number in range(rounds):
        way.outlet.send(packet(number, size=50_000))
        way.outlet.send(replace(EMPTY, captured_at_ns=number))
        if number % 3 == 0:
            way.outlet.send(alarm(number))
            alarms += 1
        # 2.33 things came, and 1.17 are taken; nobody takes more before they are.
        while len(taken.results) < (number + 1) * 7 // 6 and pass_on(way.into, taken, wait_s=0.2):
            pass
    backlog = [way.line.waiting(lane) for lane in range(3)]
    assert backlog[1] <= LIMITS[1] and backlog[2] <= LIMITS[2], "queues are bounded"
    taken.results += way.take().results
    assert {one.id for one in taken.results if isinstance(one, Anomaly)} == {
        f"man_down-{n}" for n in range(0, rounds, 3)
    }
    positions = [one.captured_at_ns for one in taken.results if isinstance(one, Positions)]
    assert positions == sorted(positions)
    assert positions[-1] == rounds - 1, "the newest ones come"
    shown = len(taken.pictures()) / rounds
    told = len(positions) / rounds
    print(f"of pictures {shown:.2f} were sent, of positions {told:.2f}, of {alarms} alarms all")
    assert shown < 0.5 < told, "pictures are shed first"


def test_a_heartbeat_tells_how_the_processes_are_while_somebody_knows(tmp_path: Path) -> None:
    broker, clock = MemoryBroker(), ReplayClock()
    outbox = Outbox(tmp_path / "state", clock)
    heard: list[GatewayHealth] = []

    def hear(topic: str, payload: bytes, retained: bool) -> None:
        body = decode(payload).body
        assert isinstance(body, GatewayHealth)
        heard.append(body)

    broker.connection().subscribe("mine/+/gw/+/health", 0, hear)
    publisher = Publisher(site(tmp_path), broker.connection(), outbox, clock)
    row = ServiceHealth(
        name="pipeline", up=True, cpu_cores=1.25, memory_mb=400.5, restarts=1, up_s=60.0
    )
    with StreamServer() as stream:
        outlet = DirectOutlet(publisher, stream)
        outlet.send(HEALTH)
        wait_until(lambda: len(heard) == 1)
        outlet.send(ServiceReport(services=(row,)))
        outlet.send(HEALTH)
        wait_until(lambda: len(heard) == 2)
        outlet._reported_s -= OLD_REPORT_S  # the supervisor hangs
        outlet.send(HEALTH)
        wait_until(lambda: len(heard) == 3)
    publisher.going_offline()
    assert [one.services for one in heard] == [(), (row,), ()]
    old = json.loads(encode(HEALTH, gateway="gw1", seq=1, sent_at_ns=1))
    del old["body"]["services"]
    assert decode(json.dumps(old).encode()).body == HEALTH, "recordings of before can be read"


def test_a_pipeline_takes_over_its_own_alarms_only(way: Way) -> None:
    for id in ("storage-1", "service_failing-pipeline-2"):
        kind = id.partition("-")[0]
        way.outlet.send(replace(alarm(0), id=id, kind=kind, severity="warning"))
    way.outlet.send(alarm(1))
    assert [one.id for one in way.outlet.active()] == ["man_down-1"]
    theirs = {one.id for one in way.outlet.active(of_supervisor=True)}
    assert theirs == {"storage-1", "service_failing-pipeline-2"}


def spoil(folder: Path) -> None:
    """Put a folder where the outbox's file is: neither opening nor writing works any more."""
    folder.mkdir(exist_ok=True)
    while not (folder / "outbox.sqlite").is_dir():  # a sender may just be making a new one
        for file in folder.iterdir():
            file.unlink(missing_ok=True)
        with contextlib.suppress(FileExistsError):
            (folder / "outbox.sqlite").mkdir()


@pytest.mark.parametrize("used_before", [True, False])
def test_an_alarm_goes_out_although_the_outbox_fails_and_the_heartbeat_says_so(
    way: Way, used_before: bool
) -> None:
    if used_before:
        way.outlet.send(alarm(0))
        way.take()
    spoil(way.folder)
    way.outlet.send(alarm(1))
    assert not way.outlet.settle(HANG_S)
    way.outlet.send(replace(HEALTH, degraded="slow"))
    way.outlet.send(EMPTY)
    raised, beat, positions = way.take().results
    assert raised == alarm(1)
    assert positions == EMPTY
    assert isinstance(beat, GatewayHealth)
    assert beat.degraded.startswith("slow; alarms are kept in memory only: ")
    assert "outbox.sqlite" in beat.degraded
    os.rmdir(way.folder / "outbox.sqlite")
    way.outlet.send(HEALTH)
    assert way.outlet.settle(HANG_S)
    way.take()
    way.outlet.send(HEALTH)
    assert way.take().results == [HEALTH]
    assert [kept.id for kept in Outbox(way.folder, ReplayClock()).pending()] == ["man_down-1"]


def test_what_was_active_before_is_told_even_by_an_outbox_that_fails(way: Way) -> None:
    way.outlet.send(alarm(0))
    assert way.outlet.active() == [alarm(0)]
    spoil(way.folder)
    assert way.outlet.active() == []
    assert "outbox.sqlite" in way.outlet.trouble


def test_the_sender_says_its_own_trouble_with_the_disk_in_the_heartbeat(tmp_path: Path) -> None:
    broker = MemoryBroker()
    folder, clock = tmp_path / "state", ReplayClock()
    outbox = Outbox(folder, clock)
    heard: list[bytes] = []
    broker.connection().subscribe("mine/+/gw/+/health", 0, lambda _t, body, _r: heard.append(body))
    publisher = Publisher(site(tmp_path), broker.connection(), outbox, clock)
    with StreamServer() as stream:
        outlet = DirectOutlet(publisher, stream)
        spoil(folder)
        outlet.send(alarm(1))
        outlet.send(HEALTH)
        wait_until(lambda: bool(heard))
        assert b"kept in memory only" in heard[-1]
        os.rmdir(folder / "outbox.sqlite")
        wait_until(lambda: publisher.trouble == "")
        outlet.send(HEALTH)
        wait_until(lambda: len(heard) > 1)
        assert b"kept in memory only" not in heard[-1]
    publisher.going_offline()
    with pytest.raises(OutboxError):
        Outbox(tmp_path / "state" / "outbox.sqlite", clock)


def safe(way: Way) -> bool:
    """Tell whether all alarms are on disk; with each heartbeat the disk is tried again."""
    way.outlet.send(HEALTH)
    return way.outlet.settle(HANG_S)


@pytest.mark.skipif(bool(no_loop_disk()), reason=no_loop_disk())
def test_a_disk_that_hangs_keeps_nobody_and_gets_all_alarms_in_their_order_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.alarm_keeper.PATIENCE_S", 0.1)
    words = [alarm(1), replace(alarm(1), state="cleared", captured_at_ns=2000), alarm(2)]
    with loop_disk(tmp_path) as (_, disk):
        way = Way(disk)
        way.outlet.send(alarm(0))
        assert way.outlet.settle(HANG_S)
        with stalled(disk):
            sending = threading.Thread(target=lambda: list(map(way.outlet.send, words)))
            sending.start()
            sending.join(HANG_S)
            assert not sending.is_alive(), "it waits for the disk"
            wait_until(lambda: way.outlet.trouble != "")
            way.outlet.send(HEALTH)
            *raised, beat = way.take().results
            assert raised == [alarm(0), *words], "they go out at once"
            assert isinstance(beat, GatewayHealth)
            assert "alarms are kept in memory only" in beat.degraded
            assert not way.outlet.settle(0.01)
        wait_until(lambda: safe(way))
        assert way.outbox is not None
        pending = way.outbox.pending(newest_first=False)
        assert [(one.id, one.state) for one in pending] == [
            (one.id, one.state) for one in (alarm(0), *words)
        ]
        way.close()
