import threading

import pytest

from edge import batch
from edge.batch import Batch


def test_all_is_done_in_order_and_what_waits_at_the_end_too() -> None:
    done = list[int]()
    three = threading.Event()
    waiting = Batch()
    for number in range(3):
        waiting.put(1, lambda number=number: done.append(number))  # type: ignore[misc]
    waiting.put(1, three.set)
    assert three.wait(10.0)
    waiting.put(1, lambda: done.append(3))
    waiting.close()
    waiting.put(1, lambda: done.append(4))
    assert done == [0, 1, 2, 3]


def test_who_brings_more_than_may_wait_is_held_up_until_there_is_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on a disk that hangs: what is brought then must not fill the memory."""
    monkeypatch.setattr(batch, "MOST_BYTES", 10)
    disk, begun, brought = threading.Event(), threading.Event(), threading.Event()
    done = list[str]()
    waiting = Batch()

    def hang() -> None:
        begun.set()
        disk.wait(30.0)
        done.append("first")

    waiting.put(1, hang)
    assert begun.wait(10.0)

    def bring() -> None:
        waiting.put(11, lambda: done.append("second"))
        brought.set()

    threading.Thread(target=bring).start()
    assert not brought.wait(0.5)
    disk.set()
    assert brought.wait(10.0)
    assert done == ["first", "second"]
    waiting.close()


def test_what_one_thing_raises_is_told_and_the_next_is_done() -> None:
    waiting, done = Batch(), threading.Event()

    def fail() -> None:
        raise ZeroDivisionError("of a disk")

    assert waiting.trouble is None
    waiting.put(1, fail)
    waiting.put(1, done.set)
    assert done.wait(10.0)
    assert isinstance(waiting.trouble, ZeroDivisionError)
    waiting.close()
