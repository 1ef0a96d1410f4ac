import multiprocessing
import os
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from edge.line import LineIn, LineOut, new_door

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
    out.put(1, BIG)  # fills the socket, so that the rest waits
    while out.waiting(1):
        time.sleep(0.01)
    for number in range(50):
        out.put(1, number)
        out.put(0, f"urgent {number}")
    assert (out.waiting(0), out.waiting(1)) == (50, 5)
    into = LineIn(door[1])
    heard = [into.take(HANG_S) for _ in range(56)]
    assert heard.index(BIG) <= 50
    rest = [one for one in heard if one != BIG]
    assert rest == [*(f"urgent {number}" for number in range(50)), 45, 46, 47, 48, 49]
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
