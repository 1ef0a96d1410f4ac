"""A gateway that was cut off for hours comes back: how fast its alarms drain, and live ones arrive.

Real parts: the outbox on disk, Mosquitto, and a control room with its journal in a process of its
own. Everything is signed, as in a mine.
"""

import multiprocessing
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path

from control_room.journal.journal import Journal
from control_room.main import open_room
from delivery.guard import Guard
from delivery.mqtt import Connection
from delivery.outbox import _PUT, Outbox, _row_of
from delivery.publisher import Publisher
from delivery.signing import Signer
from delivery.trust import Trust
from delivery.voice import Voice
from scene.clock import SystemClock
from scene.messages import Anomaly
from scene.site import BrokerConfig
from tests.delivery.keys import Keys
from tests.delivery.parts import HANG_S, alarm, mosquitto, site

CLOCK = SystemClock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """What came of it."""

    seconds: float
    live_s: tuple[float, ...]
    """Of each alarm raised meanwhile, from `put` to its receipt."""
    stored: tuple[int, ...]
    """Numbers of the backlog's alarms in the order in which the journal has stored them."""
    journal_rows: int
    """Words on these alarms in the journal; as many as were said, if none is lost or doubled."""
    said: int
    live_before_the_end: int
    """How many live alarms were receipted while some of the backlog still waited."""


class _Heard(Publisher):
    """Notes when receipts come."""

    on_receipt: Callable[[str], None] = staticmethod(lambda _id: None)

    def _keep_receipts(self) -> None:
        come = [id for id, _, _ in tuple(self._receipted)]
        super()._keep_receipts()
        for id in come:
            self.on_receipt(id)


def fill(folder: Path, rows: int) -> None:
    """Put so many rows into a gateway's outbox, the oldest first, as if they had waited.

    Each alarm is raised and, a while later, cleared: two rows.
    """
    box = Outbox(folder / "state", CLOCK)
    now_ns = CLOCK.now_ns()
    with box._db:
        box._db.execute("BEGIN IMMEDIATE")
        box._db.executemany(_PUT, (_row_of(_old(i), now_ns) for i in range(rows)))
    box.close()


def _old(row: int) -> Anomaly:
    """Give row 0, 1, 2, …: alarm 0 raised, alarm 0 cleared, alarm 1 raised, …"""
    number, is_clearing = row // 2, row % 2 == 1
    if is_clearing:
        return alarm(f"old-{number}", state="cleared", at_ns=2000)
    return alarm(f"old-{number}")


def serve(url: str, folder: Path, trusted: Path, key: Path, *events: Event) -> None:
    """Be the control room: say when it is ready, and end when told to."""
    ready, over = events
    with open_room(
        BrokerConfig(url=url),
        folder / "journal.sqlite",
        CLOCK,
        signer=Signer.from_file(key),
        guard=Guard(Trust([trusted], CLOCK)),
    ) as room:
        ready.set()
        while not over.wait(0.5):
            room.tick()


def drain(folder: Path, rows: int, *, live_every_s: float) -> Drained:
    """Drain a backlog of so many alarms while new ones are raised at a steady pace."""
    keys = Keys(folder)
    gateway = keys.add("gateway", "roadway", "gw1")
    keys.add("control_room")
    fill(folder, rows)
    (folder / "broker").mkdir()
    spawn = multiprocessing.get_context("spawn")
    ready, over = spawn.Event(), spawn.Event()
    with mosquitto(folder / "broker") as broker:
        room = spawn.Process(
            target=serve,
            args=(
                broker.url,
                folder,
                keys.trusted,
                keys.private["control_room"],
                ready,
                over,
            ),
        )
        room.start()
        link = Connection(BrokerConfig(url=broker.url), "gw1", log=lambda _text: None)
        try:
            assert ready.wait(HANG_S), "the control room does not come up"
            box = Outbox(folder / "state", CLOCK)
            made = _Heard(
                site(folder),
                link,
                box,
                CLOCK,
                voice=Voice(CLOCK, run=CLOCK.now_ns(), signer=gateway),
                guard=Guard(Trust([keys.trusted], CLOCK)),
            )
            seconds, live_s, early = _watch(made, box, link, live_every_s)
            made.going_offline()
            box.close()
        finally:
            over.set()
            room.join(timeout=HANG_S)
            link.close()
    journal = Journal(folder / "journal.sqlite")
    stored = journal._rows(
        "SELECT alarm FROM alarm WHERE alarm GLOB 'old-*' ORDER BY stored_at_ns", ()
    )
    (count,) = journal._rows("SELECT COUNT(*) FROM change WHERE kind = 'man_down'", ())[0]
    journal.close()
    return Drained(
        seconds=seconds,
        live_s=tuple(live_s),
        stored=tuple(int(id.removeprefix("old-")) for (id,) in stored),
        journal_rows=count,
        said=rows + len(live_s),
        live_before_the_end=early,
    )


def _watch(
    made: _Heard, box: Outbox, link: Connection, live_every_s: float
) -> tuple[float, list[float], int]:
    put_s: dict[str, float] = {}
    took_s: dict[str, float] = {}
    lock = threading.Lock()

    def on_receipt(id: str) -> None:
        with lock:
            if id in put_s and id not in took_s:
                took_s[id] = time.monotonic() - put_s[id]

    made.on_receipt = on_receipt
    began_s = time.monotonic()
    link.connect(HANG_S)
    number = 0
    while _backlog_waits(box):
        raised: Anomaly = alarm(f"live-{number}")
        with lock:
            put_s[raised.id] = time.monotonic()
        made.alarm(raised)
        number += 1
        time.sleep(live_every_s)
        if time.monotonic() - began_s > 900:
            raise AssertionError(f"{box.waiting().count} alarms still wait")
    seconds, early = time.monotonic() - began_s, len(took_s)
    until_s = time.monotonic() + HANG_S
    while len(took_s) < len(put_s):
        assert time.monotonic() < until_s, "a live alarm was never receipted"
        time.sleep(0.01)
    return seconds, list(took_s.values()), early


def _backlog_waits(box: Outbox) -> bool:
    oldest = box.pending(newest_first=False, limit=1)
    return bool(oldest) and oldest[0].id.startswith("old-")
