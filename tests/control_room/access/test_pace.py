"""Limits on guesses, and that nobody can empty them."""

from control_room.access.pace import MOST_KEYS, Buckets, LoginPace
from scene.clock import SystemClock


class StoppedClock(SystemClock):
    def monotonic_s(self) -> float:
        return 100.0


def test_asking_remembers_nobody() -> None:
    buckets = Buckets(StoppedClock(), burst=2, per_s=1.0, most=3)
    for i in range(10):
        assert buckets.wait_s(i) == 0.0
    assert len(buckets) == 0
    buckets.take("a")
    buckets.take("a")
    assert buckets.wait_s("a") == 1.0
    buckets.give_back("a")
    assert buckets.wait_s("a") == 0.0


def test_made_up_names_do_not_make_room_for_more_guesses() -> None:
    pace = LoginPace(StoppedClock())
    guessed = 0
    for i in range(100):
        guessed += pace.begin("li wei", f"10.0.1.{i}", None) == 0.0
    assert guessed == 30
    for i in range(MOST_KEYS + 1):
        pace.begin(f"made up {i}", "10.0.0.9", None)
    assert pace.begin("li wei", "10.0.2.1", None) > 0.0
