import multiprocessing
import time
from collections.abc import Iterator
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import pytest

from delivery.outbox import Outbox
from edge.outlet import QueueOutlet, Result, pass_on
from scene.clock import ReplayClock
from scene.messages import Anomaly, PanoramaPacket, Positions

EMPTY = Positions(captured_at_ns=1, people=())


def alarm(number: int) -> Anomaly:
    return Anomaly(
        id=f"man_down-{number}",
        kind="man_down",
        severity="critical",
        state="active",
        captured_at_ns=1,
        raised_at_ns=1,
        probability=1.0,
        certainty="certainly",
    )


def packet() -> PanoramaPacket:
    return PanoramaPacket(
        captured_at_ns=1,
        key_frame=True,
        geometry="g",
        size_px=(4, 2),
        positions=EMPTY,
        payload=b"",
    )


class Taken:
    def __init__(self) -> None:
        self.results: list[Result] = []

    def send(self, result: Result) -> None:
        self.results.append(result)


@pytest.fixture
def queues() -> Iterator[tuple["Queue[Any]", "Queue[Any]"]]:
    spawn = multiprocessing.get_context("spawn")
    urgent: Queue[Any] = spawn.Queue(3)
    bulk: Queue[Any] = spawn.Queue(20)
    yield urgent, bulk
    for waiting in (urgent, bulk):
        waiting.cancel_join_thread()
        waiting.close()


def test_alarms_overtake_pictures(
    queues: tuple["Queue[Any]", "Queue[Any]"], tmp_path: Path
) -> None:
    outbox = Outbox(tmp_path, ReplayClock())
    outlet = QueueOutlet(*queues, outbox)
    for result in (packet(), EMPTY, alarm(1)):
        outlet.send(result)
    while queues[0].empty() or queues[1].empty():
        time.sleep(0.01)
    taken = Taken()
    pass_on(*queues, taken, wait_s=0.5)
    assert isinstance(taken.results[0], Anomaly)
    assert len(taken.results) == 3
    outbox.close()


def test_a_sender_that_takes_nothing_costs_pictures_but_no_alarm(
    queues: tuple["Queue[Any]", "Queue[Any]"], tmp_path: Path
) -> None:
    outbox = Outbox(tmp_path, ReplayClock())
    outlet = QueueOutlet(*queues, outbox)
    for number in range(50):
        outlet.send(packet())
        outlet.send(EMPTY)
        outlet.send(alarm(number))
    assert {kept.id for kept in outbox.pending()} == {f"man_down-{n}" for n in range(50)}
    taken = Taken()
    pass_on(*queues, taken, wait_s=0.5)
    pictures = [result for result in taken.results if isinstance(result, PanoramaPacket)]
    assert 0 < len(pictures) <= 10, "the panorama is shed first"
    outbox.close()
