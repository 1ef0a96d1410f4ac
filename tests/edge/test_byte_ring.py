"""The ring between a camera's process and the recorder."""

import multiprocessing
import os
import random
import signal
import struct
import time

import pytest

from edge import byte_ring
from edge.byte_ring import ByteRing
from scene.errors import RecordingError

HANG_S = 60.0


def wanted(size: int = 4096) -> ByteRing:
    ring = ByteRing("cam1", size)
    ring.want()
    return ring


def test_records_come_in_order_and_whole_however_often_the_ring_goes_round() -> None:
    ring, chance, given, taken = wanted(), random.Random(7), [], []
    for number in range(2000):
        record = number.to_bytes(4, "big") + chance.randbytes(chance.randrange(0, 900))
        given.append(record)
        ring.put(record)
        if chance.random() < 0.5:
            taken += ring.take(most=3)
        if len(given) - len(taken) > 3:
            taken += ring.take()
    taken += ring.take()
    assert taken == given
    assert ring.lost == 0


def test_nothing_is_written_while_nobody_reads_and_that_counts_as_nothing_lost() -> None:
    ring = ByteRing("cam1", 4096)
    for _ in range(100):
        ring.put(b"x" * 500)
    ring.want()
    assert ring.take() == []
    ring.put(b"first")
    assert ring.take() == [b"first"]
    assert ring.lost == 0


def test_what_the_reader_is_too_late_for_is_counted_and_what_comes_then_is_whole() -> None:
    ring = wanted()
    for number in range(100):
        ring.put(number.to_bytes(2, "big") * 250)
    taken = ring.take()
    ring.put(b"after")
    taken += ring.take()
    assert taken[-1] == b"after"
    assert ring.lost + len(taken) == 101
    assert ring.lost > 80
    assert taken[:-1] == [number.to_bytes(2, "big") * 250 for number in range(93, 100)], (
        "all that are not written over"
    )


def test_a_reader_that_is_lapped_loses_only_what_was_written_over() -> None:
    ring, chance = wanted(), random.Random(3)
    given: list[bytes] = []
    lost = 0
    for _ in range(300):
        for _ in range(chance.randrange(1, 30)):
            given.append(len(given).to_bytes(4, "big") + chance.randbytes(chance.randrange(0, 700)))
            ring.put(given[-1])
        taken = ring.take()
        assert taken == given[-len(taken) :]
        whole = 0  # so many of the last ones are in the memory, each with 16 bytes before it
        while whole < len(given) and sum(len(one) + 16 for one in given[-whole - 1 :]) <= 4096:
            whole += 1
        assert len(taken) >= min(whole, len(given) - lost)
        lost = len(given)
    assert ring.lost > 0


def test_a_record_that_is_far_too_large_is_counted_as_lost() -> None:
    ring = wanted()
    ring.put(b"x" * 4096)
    assert ring.take() == []
    assert ring.lost == 1
    ring.put(b"small")
    assert ring.take() == [b"small"]
    assert ring.lost == 1


def test_what_is_passed_over_is_not_lost() -> None:
    ring = wanted()
    for _ in range(5):
        ring.put(b"while the disk is full")
    ring.pass_over()
    ring.put(b"again")
    assert ring.take() == [b"again"]
    assert ring.lost == 0


def test_a_writer_that_died_in_the_midst_of_a_record_harms_no_other() -> None:
    ring = wanted()
    ring.put(b"before")
    # As a writer leaves it that was killed between taking the room and finishing the record.
    head = ring._get(byte_ring._HEAD_AT)
    ring._set(byte_ring._RESERVED_AT, head + 500)
    ring._write(head, b"half of somethi")
    ring.put(b"the next writer's")
    assert ring.take() == [b"before", b"the next writer's"]
    assert ring.lost == 0


@pytest.mark.parametrize("at", [0, 4, 8, 20])
def test_bytes_that_were_damaged_are_passed_over_and_counted(at: int) -> None:
    ring = wanted()
    ring.put(b"a record that is long enough")
    byte = ring._memory[byte_ring.PAGE + at]
    ring._memory[byte_ring.PAGE + at] = byte ^ 0xFF
    assert ring.take() == []
    assert ring.lost == 1
    ring.put(b"whole")
    assert ring.take() == [b"whole"]
    assert ring.lost == 1


def write_for_ever(ring: ByteRing) -> None:
    number = 0
    while True:
        number += 1
        ring.put(struct.pack("<Q", number) * 1 + bytes(number % 3000))


def read_one_and_die(ring: ByteRing) -> None:
    while not ring.take(most=1):
        time.sleep(0.001)
    ring.commit(ring.place)
    ring.take(most=1)  # and this is not on the disk yet
    os.kill(os.getpid(), signal.SIGKILL)


def test_between_processes_nothing_is_torn_and_a_killed_writer_or_reader_is_replaced() -> None:
    spawn = multiprocessing.get_context("spawn")
    ring = wanted(100_000)
    seen = 0
    for _ in range(2):
        writer = spawn.Process(target=write_for_ever, args=(ring,), daemon=True)
        writer.start()
        until_s, got = time.monotonic() + HANG_S, 0
        while got < 2000:
            assert time.monotonic() < until_s
            for record in ring.take(most=50):
                (number,) = struct.unpack_from("<Q", record)
                assert len(record) == 8 + number % 3000
                assert not any(record[8:])
                got += 1
        writer.kill()
        writer.join()
        seen += got
    reader = spawn.Process(target=read_one_and_die, args=(ring,), daemon=True)
    ring.pass_over()
    lost = ring.lost
    ring.put(b"one")
    ring.put(b"two")
    reader.start()
    reader.join(HANG_S)
    ring._place = None  # as of a process that has not read yet
    assert ring.take() == [b"two"], "the next reader goes on where the last one was safe"
    assert ring.lost == lost
    assert seen >= 4000


def test_without_memory_there_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(*_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", no_room)
    with pytest.raises(RecordingError, match="leave out --record-cameras"):
        ByteRing("cam1", 4096)
