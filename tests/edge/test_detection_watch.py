import pytest

from edge.detection_watch import BLIND_AFTER_S, START_LIMIT_S, DetectionWatch
from scene.clock import ReplayClock


class Shift:
    """A watch on a clock of the test's; frames come ten times a second."""

    def __init__(self) -> None:
        self.clock = ReplayClock(now_ns=1_000_000_000_000)
        self.watch = DetectionWatch(self.clock)
        self.said: list[str] = []

    def run(self, seconds: float, every_s: float | None, *, fed: bool = True) -> None:
        """Let so much time go by, with a search every so often."""
        due_s = self.clock.monotonic_s()
        for _ in range(round(seconds * 10)):
            if fed:
                self.watch.fed()
            if every_s is not None and self.clock.monotonic_s() >= due_s - 1e-6:
                due_s += every_s
                self.watch.searched()
            self.clock.sleep(0.1)
            self.said.append(self.watch.look())


@pytest.mark.parametrize("every_s", [0.1, 0.3, 0.7, 0.6])
def test_a_detection_that_keeps_up_says_nothing_and_sees(every_s: float) -> None:
    shift = Shift()
    shift.run(30, every_s)
    assert not any(shift.said)
    assert not shift.watch.blind


@pytest.mark.parametrize(
    ("fed", "why"), [(True, "detection gives no answer"), (False, "no pictures come together")]
)
def test_a_detection_that_stops_or_is_not_fed_is_told_and_nobody_looks(fed: bool, why: str) -> None:
    shift = Shift()
    shift.run(10, 0.1)
    shift.run(BLIND_AFTER_S - 0.5, None, fed=fed)
    assert not any(shift.said)
    shift.run(2, None, fed=fed)
    assert shift.watch.blind
    shift.run(2, None, fed=fed)
    assert why in shift.said[-1]
    shift.run(5, 0.1)
    assert not shift.watch.blind
    assert shift.said[-1] == ""


def test_before_the_first_search_nobody_looks_but_a_model_may_take_its_time() -> None:
    shift = Shift()
    shift.run(START_LIMIT_S - 0.5, None)
    assert shift.watch.blind
    assert not any(shift.said)
    shift.run(1, None)
    assert "nobody has been looked for in 10 s" in shift.said[-1]


@pytest.mark.parametrize("every_s", [0.9, 1.7, 2.5])
def test_a_detection_too_slow_to_follow_people_is_told(every_s: float) -> None:
    shift = Shift()
    shift.run(30, every_s)
    assert shift.watch.blind
    assert "nobody can be followed" in shift.said[-1]
    assert not any(shift.said[:50]), "a machine that is busy for a moment is no alarm"
    shift.run(10, 0.3)
    assert not shift.watch.blind
