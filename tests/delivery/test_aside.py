import threading

import pytest

from delivery.aside import Aside, NewestAside, StalledError
from tests.delivery.parts import wait_until

HANG_S = 60.0


def test_work_is_done_in_its_order_and_gives_what_it_gives() -> None:
    aside, done = Aside("a"), list[int]()
    for number in range(100):
        aside.later(lambda number=number: done.append(number))  # type: ignore[misc]
    assert aside.do(lambda: len(done), HANG_S) == 100
    assert done == list(range(100))
    with pytest.raises(ZeroDivisionError):
        aside.do(lambda: 1 // 0, HANG_S)
    aside.later(lambda: 1 // 0)
    assert aside.settle(HANG_S), "it goes on"


def test_nobody_waits_longer_than_he_wants_and_what_was_not_begun_is_not_done_later() -> None:
    aside, over, done = Aside("a"), threading.Event(), list[str]()
    aside.later(lambda: over.wait(HANG_S))
    with pytest.raises(StalledError):
        aside.do(lambda: done.append("given up"), 0.2)
    with pytest.raises(StalledError):
        aside.do(lambda: done.append("told at once"), 0.1)
    assert not aside.settle(0.01)
    assert aside.busy_s > 0.1
    over.set()
    assert aside.settle(HANG_S)
    assert done == []
    wait_until(lambda: aside.busy_s == 0.0)


def test_of_what_waits_the_newest_is_done() -> None:
    aside, over, done = NewestAside("a"), threading.Event(), list[int]()
    aside.do(lambda: over.wait(HANG_S))
    wait_until(lambda: aside.busy_s > 0.0)
    for number in range(5):
        aside.do(lambda number=number: done.append(number))  # type: ignore[misc]
    over.set()
    assert aside.settle(HANG_S)
    assert done == [4]


def test_its_thread_ends_with_it() -> None:
    def runs() -> bool:
        return any(thread.name == "gone" for thread in threading.enumerate())

    aside = Aside("gone")
    assert aside.settle(HANG_S)
    assert runs()
    del aside
    wait_until(lambda: not runs())
