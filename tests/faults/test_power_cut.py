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


CUTS_A_DISK = 20
"""With the alarms of many more the small disk is full, which is another fault."""


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


def cut_at_random(folder: Path, cuts: int, dice: random.Random) -> tuple[int, list[str]]:
    """Cut the power of one mine again and again; gives how many alarms there were, and those lost.

    Fails where an alarm had its receipt before it was safe.
    """
    lost: list[str] = []
    with loop_disk(folder) as (image, disk), on_stage(folder, disk) as stage:
        for number in range(cuts):
            time.sleep(dice.uniform(0.3, 1.0))
            snapshot = folder / f"cut-{number}.img"
            noted = cut(stage, image, snapshot)
            with mount(snapshot, folder / "after") as after:
                waiting, receipted = in_outbox(after / "state" / "outbox.sqlite")
                stored = {alarm for alarm, _ in rows_of(after / "journal.sqlite")}
            snapshot.unlink()
            lost += [id for id in noted if id not in waiting | stored]
            assert not receipted - stored, "receipted before it was safe"
        stage.drain()
    return len(noted), lost


def test_a_power_cut_loses_no_alarm(tmp_path: Path) -> None:
    dice, seen = random.Random(3), 0
    lost: list[str] = []
    for first in range(0, POWER_CUTS, CUTS_A_DISK):
        folder = tmp_path / f"from-{first}"
        folder.mkdir()
        noted, gone = cut_at_random(folder, min(CUTS_A_DISK, POWER_CUTS - first), dice)
        seen, lost = seen + noted, lost + gone
        shutil.rmtree(folder)
    print(f"{POWER_CUTS} power cuts: {seen} alarms noted, {len(lost)} lost")
    assert seen > 3 * POWER_CUTS
    assert not lost
