import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from edge.line import LineIn, LineOut, ReplacedError, new_door
from tests.faults.loop_disk import loop_disk, no_loop_disk, stalled

HANG_S = 60.0
BIG = b"x" * 300_000
Door = tuple[socket.socket, socket.socket]


@pytest.fixture
def door() -> Iterator[Door]:
    made = new_door()
    yield made
    for side in made:
        side.close()


def talk(door_out: socket.socket) -> None:
    """Send large things for ever; for a process that is killed in the middle of one."""
    line = LineOut(door_out, [4])
    while True:
        line.put(0, os.urandom(4_000_000))
        time.sleep(0.001)


def hear(door_in: socket.socket) -> None:
    line = LineIn(door_in)
    while True:
        line.take(0.01)


def write_down(door_in: socket.socket, file: Path) -> None:
    """Write down what comes, for a process that is hung; ends with 7 when it is replaced."""
    line = LineIn(door_in)
    file.touch()
    try:
        while True:
            thing = line.take(0.05)
            if thing is not None:
                with file.open("a", encoding="utf-8") as notes:
                    notes.write(f"{thing}\n")
    except ReplacedError:
        os._exit(7)


def test_things_come_whole_and_in_order_however_large(door: Door) -> None:
    out, into = LineOut(door[0], [1000]), LineIn(door[1])
    things = [(number, os.urandom(number * 1000)) for number in range(300)]
    for thing in things:
        out.put(0, thing)
    assert [into.take(HANG_S) for _ in things] == things
    assert into.take(0.0) is None
    out.close()
    into.close()


def test_the_most_urgent_lane_goes_first_and_the_oldest_makes_room(door: Door) -> None:
    out = LineOut(door[0], [100, 5])
    for number in range(50):
        out.put(1, number)
        out.put(0, f"urgent {number}")
    assert (out.waiting(0), out.waiting(1)) == (50, 5)
    into = LineIn(door[1])
    heard = [into.take(HANG_S) for _ in range(55)]
    assert heard == [*(f"urgent {number}" for number in range(50)), 45, 46, 47, 48, 49]
    out.close()
    into.close()


def test_a_reader_that_is_killed_while_it_waits_is_followed_by_the_next(door: Door) -> None:
    spawn = multiprocessing.get_context("spawn")
    out = LineOut(door[0], [100])
    for _ in range(2):
        reader = spawn.Process(target=hear, args=(door[1],))
        reader.start()
        until_s = time.monotonic() + 3.0
        while time.monotonic() < until_s:
            out.put(0, "nobody's")
            time.sleep(0.01)
        reader.kill()
        reader.join()
    into = LineIn(door[1])
    until_s = time.monotonic() + HANG_S
    heard: Any = None
    while heard != "for the next" and time.monotonic() < until_s:
        out.put(0, "for the next")
        heard = into.take(0.1)
    assert heard == "for the next"
    out.close()
    into.close()


def test_a_writer_that_is_killed_in_the_middle_of_a_thing_is_followed_by_the_next(
    door: Door,
) -> None:
    spawn = multiprocessing.get_context("spawn")
    into = LineIn(door[1])
    for _ in range(2):
        writer = spawn.Process(target=talk, args=(door[0],))
        writer.start()
        first = into.take(HANG_S)
        assert first is not None
        assert len(first) == 4_000_000
        writer.kill()
        writer.join()
        out = LineOut(door[0], [10])
        out.put(0, "whole")
        heard: Any = None
        while heard != "whole":
            heard = into.take(HANG_S)
            assert heard is not None
        out.close()
    into.close()


def test_closing_sends_what_waits(door: Door) -> None:
    out = LineOut(door[0], [100])
    for number in range(100):
        out.put(0, number)
    out.close()
    into = LineIn(door[1])
    assert [into.take(HANG_S) for _ in range(100)] == list(range(100))
    into.close()


def test_closing_without_a_reader_ends_all_the_same(door: Door) -> None:
    out = LineOut(door[0], [100])
    for _ in range(10):
        out.put(0, BIG)
    began_s = time.monotonic()
    out.close(limit_s=0.2)
    assert time.monotonic() - began_s < 5.0


def a_hung_reader(door: Door, notes: Path, out: LineOut) -> Any:
    """Start a reader in another process and stop it once it has dealt with something."""
    spawn = multiprocessing.get_context("spawn")
    reader = spawn.Process(target=write_down, args=(door[1], notes), daemon=True)
    reader.start()
    out.put(0, "heard")
    wait_for(lambda: notes.exists() and "heard" in notes.read_text())
    assert reader.pid is not None
    return reader


def wait_for(condition: Any) -> None:
    until_s = time.monotonic() + HANG_S
    while not condition():
        assert time.monotonic() < until_s
        time.sleep(0.02)


def test_who_follows_a_reader_that_hangs_gets_at_once_what_that_one_kept(
    door: Door, tmp_path: Path
) -> None:
    out = LineOut(door[0], [100, 100])
    reader = a_hung_reader(door, tmp_path / "notes", out)
    os.kill(reader.pid, signal.SIGSTOP)
    try:
        out.put(0, "an alarm")  # into the connection of who hangs
        out.put(1, "a heartbeat")
        wait_for(lambda: not out.waiting(0) and not out.waiting(1))
        into = LineIn(door[1])  # long before the writer can know that the other one hangs
        assert into.take(HANG_S) == "an alarm"
        out.put(0, "another one")
        assert into.take(HANG_S) == "another one", "a heartbeat is not said again"
    finally:
        os.kill(reader.pid, signal.SIGCONT)
    reader.join(HANG_S)
    assert reader.exitcode == 7, "it has seen that it was replaced"
    out.put(0, "the last")
    assert into.take(HANG_S) == "the last"
    out.close()
    into.close()


def test_a_reader_that_hangs_is_given_nothing_more(door: Door, tmp_path: Path) -> None:
    """So whoever comes next, however late, begins with what is newest and most urgent."""
    out = LineOut(door[0], [100, 3])
    reader = a_hung_reader(door, tmp_path / "notes", out)
    os.kill(reader.pid, signal.SIGSTOP)
    try:
        out.put(0, "an alarm")
        wait_for(lambda: not out.waiting(0))
        wait_for(lambda: out.waiting(0))  # it waits again: the writer has noticed
        for number in range(10):
            out.put(1, number)
        into = LineIn(door[1])
        began_s = time.monotonic()
        assert [into.take(HANG_S) for _ in range(4)] == ["an alarm", 7, 8, 9]
        print(f"taken over within {time.monotonic() - began_s:.3f} s")
    finally:
        reader.kill()
        reader.join()
    out.close()
    into.close()


def test_a_reader_that_comes_back_and_was_not_replaced_goes_on(door: Door, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    out = LineOut(door[0], [100, 3])
    reader = a_hung_reader(door, notes, out)
    os.kill(reader.pid, signal.SIGSTOP)
    try:
        out.put(0, "an alarm")
        wait_for(lambda: not out.waiting(0))
        wait_for(lambda: out.waiting(0))
    finally:
        os.kill(reader.pid, signal.SIGCONT)
    out.put(0, "another one")
    wait_for(lambda: "another one" in notes.read_text())
    assert notes.read_text().splitlines()[:2] == ["heard", "an alarm"]
    reader.kill()
    reader.join()
    out.close()


@pytest.mark.skipif(bool(no_loop_disk()), reason=no_loop_disk())
def test_who_follows_a_reader_stuck_in_the_kernel_gets_what_that_one_kept(
    door: Door, tmp_path: Path
) -> None:
    """It has been killed, and is there all the same: the kernel waits for its disk."""
    with loop_disk(tmp_path) as (_, disk), ExitStack() as frozen:
        out = LineOut(door[0], [100, 3])
        reader = a_hung_reader(door, disk / "notes", out)
        frozen.enter_context(stalled(disk))
        out.put(0, "an alarm")
        wait_for(lambda: not out.waiting(0))
        wait_for(lambda: Path(f"/proc/{reader.pid}/stat").read_text().split()[2] == "D")
        reader.kill()
        reader.join(0.5)
        assert reader.exitcode is None, "it can't be killed"
        into = LineIn(door[1])
        assert into.take(HANG_S) == "an alarm"
        frozen.close()
        reader.join(HANG_S)
        out.close()
        into.close()
