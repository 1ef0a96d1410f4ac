"""The power goes: whatever was noted as raised is on the disk, receipted or not."""

import os
import random
import shutil
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.delivery.parts import MOSQUITTO, NO_MOSQUITTO
from tests.faults.loop_disk import loop_disk, mount, no_loop_disk
from tests.faults.size import POWER_CUTS
from tests.faults.stage import Stage, on_stage, rows_of

pytestmark = [
    pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO),
    pytest.mark.skipif(bool(no_loop_disk()), reason=no_loop_disk()),
]


def cut(stage: Stage, image: Path, to: Path) -> list[str]:
    """Take the disk as it is at one instant; gives what had been noted as raised by then."""
    pids = stage.pids()
    for pid in pids:  # copying takes a moment, in which nothing may be written
        os.kill(pid, signal.SIGSTOP)
    try:
        noted = stage.noted()
        shutil.copyfile(image, to)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    return noted


def in_outbox(outbox: Path) -> tuple[set[str], set[str]]:
    """List the alarms of an outbox: those that wait for a receipt, those that have one."""
    with closing(sqlite3.connect(outbox)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        rows = db.execute("SELECT id, receipted_at_ns IS NULL FROM alarm").fetchall()
    return {id for id, waits in rows if waits}, {id for id, waits in rows if not waits}


def test_a_power_cut_loses_no_alarm(tmp_path: Path) -> None:
    dice, lost, seen = random.Random(3), [], 0
    with loop_disk(tmp_path) as (image, disk), on_stage(tmp_path, disk) as stage:
        for number in range(POWER_CUTS):
            time.sleep(dice.uniform(0.3, 1.0))
            snapshot = tmp_path / f"cut-{number}.img"
            noted = cut(stage, image, snapshot)
            with mount(snapshot, tmp_path / "after") as after:
                waiting, receipted = in_outbox(after / "state" / "outbox.sqlite")
                stored = {alarm for alarm, _ in rows_of(after / "journal.sqlite")}
            snapshot.unlink()
            seen = len(noted)
            lost += [id for id in noted if id not in waiting | stored]
            assert not receipted - stored, "receipted before it was safe"
        stage.drain()
    print(f"{POWER_CUTS} power cuts: {seen} alarms noted, {len(lost)} lost")
    assert seen > 3 * POWER_CUTS
    assert not lost
