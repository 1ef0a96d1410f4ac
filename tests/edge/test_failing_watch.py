from dataclasses import replace

import pytest

from edge.failing_watch import DOWN_LIMIT_S, STEADY_INTERVALS, STEADY_S, FailingWatch
from scene.clock import ReplayClock
from scene.messages import Anomaly

UP = {"pipeline": True, "recorder": True}


class Trial:
    def __init__(self) -> None:
        self.clock = ReplayClock(1_000_000_000_000)
        self.watch = FailingWatch(self.clock, {"pipeline": "critical", "recorder": "warning"})
        self.said: list[Anomaly] = []

    def restarted(self, name: str, *, hung: bool = False) -> None:
        self.said += self.watch.restarted(name, "ended with 0", hung=hung)

    def passes(self, duration_s: float, *, up: bool = True) -> None:
        for _ in range(round(duration_s)):
            self.clock.sleep(1.0)
            self.said += self.watch.look({name: up for name in UP})

    @property
    def states(self) -> list[str]:
        return [alarm.state for alarm in self.said]


def test_a_service_that_dies_now_and_then_is_no_alarm() -> None:
    trial = Trial()
    for _ in range(12):
        trial.restarted("pipeline")
        trial.passes(200)
    assert trial.said == []


@pytest.mark.parametrize(("count", "every_s"), [(3, 15), (6, 120)])
def test_a_crash_loop_is_one_alarm_until_the_service_stays_up(count: int, every_s: int) -> None:
    trial = Trial()
    for number in range(1, count + 1):
        assert trial.said == [], f"too soon: {number - 1} restarts"
        trial.restarted("recorder")
        trial.passes(every_s)
    (raised,) = trial.said
    assert (raised.kind, raised.severity, raised.state) == ("service_failing", "warning", "active")
    since = {3: "00:16:40", 6: "00:16:40"}[count]
    assert f"recorder: it was started again {count} times since {since} UTC" in raised.evidence
    assert "the last time it ended with 0" in raised.evidence
    assert "look at the disk of --record" in raised.evidence and "journalctl" in raised.evidence
    for _ in range(10):
        trial.restarted("recorder")
        trial.passes(30)
    assert trial.states == ["active"], "it flaps"
    trial.passes(3 * 30 + 60)
    assert trial.states == ["active", "cleared"]
    assert trial.said[1].id == raised.id


@pytest.mark.parametrize("every_s", [10, 150])
def test_who_failed_seldom_must_stay_up_for_longer_but_not_for_a_quarter_of_an_hour(
    every_s: int,
) -> None:
    trial = Trial()
    for _ in range(6):
        trial.passes(every_s)
        trial.restarted("recorder")
    assert trial.states == ["active"]
    steady_s = max(STEADY_S, STEADY_INTERVALS * every_s)
    trial.passes(steady_s - 2)
    assert trial.states == ["active"]
    trial.passes(4)
    assert trial.states == ["active", "cleared"]
    assert f"recorder has stayed up for {steady_s:.0f} s" in trial.said[1].evidence


def test_a_crash_loop_that_goes_on_after_a_rest_is_told_at_once() -> None:
    trial = Trial()
    for _ in range(6):
        trial.restarted("recorder")
        trial.passes(10)
    trial.passes(STEADY_S)
    trial.restarted("recorder")
    assert trial.states == ["active", "cleared", "active"]


def test_one_hang_is_told_and_clears_once_all_has_been_well() -> None:
    trial = Trial()
    trial.restarted("pipeline", hung=True)
    assert trial.states == ["active"]
    assert trial.said[0].severity == "critical"
    trial.passes(STEADY_S - 2)
    assert trial.states == ["active"]
    trial.passes(4)
    assert trial.states == ["active", "cleared"]


def test_a_service_that_stays_down_is_told_and_does_not_clear_while_it_is() -> None:
    trial = Trial()
    trial.passes(DOWN_LIMIT_S - 1, up=False)
    assert trial.said == []
    trial.passes(200, up=False)
    assert trial.states == ["active", "active"], "both services, once each"
    trial.passes(STEADY_S + 2)
    assert trial.states[2:] == ["cleared", "cleared"]


def test_alarms_of_the_run_before_are_carried_on() -> None:
    before = Trial()
    before.restarted("pipeline", hung=True)
    (raised,) = before.said
    gone = replace(raised, id="service_failing-plotter-17")
    after = Trial()
    (cleared,) = after.watch.adopt([raised, gone])
    assert (cleared.id, cleared.state) == (gone.id, "cleared")
    after.restarted("pipeline", hung=True)
    assert after.said == [], "it is active already"
    after.passes(STEADY_S + 2)
    assert [(one.id, one.state) for one in after.said] == [(raised.id, "cleared")]


def test_the_alarm_quotes_the_last_error_without_secrets_and_only_so_much_of_it() -> None:
    trial = Trial()
    said = "no picture from rtsp://admin:geheim@10.0.0.4/x now\x1b[2J " + "x" * 2000
    for text in (said, "", ""):  # the later ones were killed before they could say a word
        trial.said += trial.watch.restarted("pipeline", "ended with 1", hung=False, said=text)
    (raised,) = trial.said
    assert "its last error: no picture from rtsp://10.0.0.4/x" in raised.evidence
    assert "geheim" not in raised.evidence
    assert raised.evidence.isprintable()
    assert len(raised.evidence) < 700
    trial.passes(200)
    for _ in range(3):
        trial.said += trial.watch.restarted("pipeline", "ended with 1", hung=False)
    assert "its last error" not in trial.said[-1].evidence, "that one is history"


def test_an_error_of_long_ago_is_not_quoted() -> None:
    trial = Trial()
    trial.said += trial.watch.restarted("pipeline", "ended with 1", hung=False, said="no memory")
    trial.passes(1000)
    (raised,) = trial.watch.restarted("pipeline", "has been quiet", hung=True)
    assert "no memory" not in raised.evidence


def test_a_process_that_cannot_be_killed_is_quoted_too() -> None:
    trial = Trial()
    (raised,) = trial.watch.stuck("recorder", "it can't be killed", "the disk hangs")
    assert "its last error: the disk hangs; " in raised.evidence
