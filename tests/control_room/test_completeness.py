from dataclasses import replace

from control_room.completeness import LATE_S, UNSURE_S, CompletenessWatch
from scene.clock import ReplayClock
from scene.messages import Anomaly, GatewayHealth
from tests.control_room.fake_gateway import health

PLACE = ("roadway", "gw1")


class Watched:
    """A watch, and the clock that it looks at."""

    def __init__(self) -> None:
        self.clock = ReplayClock(10**18)
        self.watch = CompletenessWatch(self.clock)

    def says(self, waiting: int | None, longest_s: float | None = None) -> Anomaly | None:
        beat: GatewayHealth = replace(
            health(self.clock.now_ns()), alarms_waiting=waiting, longest_waiting_s=longest_s
        )
        return self.watch.hear(*PLACE, beat)

    def raised(self) -> list[Anomaly]:
        return [anomaly for _, _, anomaly in self.watch.check()]


def test_a_gap_that_is_not_made_good_is_an_alarm_until_it_is() -> None:
    one = Watched()
    one.watch.gap(*PLACE, 3)
    waited_s = 0.0
    found: list[Anomaly] = []
    while not found:
        one.says(2, longest_s=waited_s)
        found = one.raised()
        one.clock.sleep(0.5)
        waited_s += 0.5
    assert waited_s <= 5.5
    assert found[0].kind == "messages_missing"
    assert "3 alarm messages were sent and never came" in found[0].evidence
    assert one.raised() == [], "said once"
    over = one.says(0)
    assert over is not None
    assert (over.id, over.state) == (found[0].id, "cleared")
    one.clock.sleep(60)
    assert one.raised() == []


def test_an_earlier_runs_alarm_goes_on_unless_it_was_raised_anew() -> None:
    first = Watched()
    first.says(2, longest_s=LATE_S + 1)
    first.clock.sleep(LATE_S)
    [former] = first.raised()
    later = Watched()
    assert later.watch.carry_on(*PLACE, former) == former
    over = later.says(0)
    assert over is not None
    assert (over.id, over.state) == (former.id, "cleared")
    other = Watched()
    other.clock.sleep(100)
    other.says(2, longest_s=LATE_S + 1)
    other.clock.sleep(LATE_S)
    [anew] = other.raised()
    assert anew.id != former.id
    assert other.watch.carry_on(*PLACE, former) == anew
    over = other.says(0)
    assert over is not None
    assert over.id == anew.id


def test_a_gap_that_is_made_good_at_once_is_none() -> None:
    one = Watched()
    one.watch.gap(*PLACE, 1)
    one.says(1, longest_s=1.0)
    one.clock.sleep(2)
    one.says(0)
    one.clock.sleep(60)
    assert one.raised() == []


def test_alarms_that_never_come_are_known_by_the_gateways_own_word() -> None:
    """As where an access list lets heartbeats through and no alarm: no number is jumped."""
    one = Watched()
    one.says(1, longest_s=1.0)
    assert one.raised() == []
    for second in range(2, 12):
        one.clock.sleep(1)
        one.says(1, longest_s=float(second))
    [raised] = one.raised()
    assert "1 alarms wait for their receipt" in raised.evidence


def test_a_busy_gateway_is_not_an_incomplete_one() -> None:
    one = Watched()
    for _ in range(100):
        one.clock.sleep(1)
        one.says(5, longest_s=0.3)
        assert one.raised() == []
    one.watch.gap(*PLACE, 1)
    one.clock.sleep(1)
    one.says(5, longest_s=0.3)  # all that waited when the gap was seen has come
    one.clock.sleep(60)
    assert one.raised() == []


def test_a_gateway_that_does_not_say_what_waits_is_given_time() -> None:
    one = Watched()
    one.watch.gap(*PLACE, 1)
    one.says(None)
    one.clock.sleep(LATE_S)
    [raised] = one.raised()
    one.clock.sleep(UNSURE_S)
    one.says(None)
    [over] = one.raised()
    assert (over.id, over.state) == (raised.id, "cleared")


def test_a_clock_that_is_set_raises_nothing() -> None:
    one = Watched()
    one.says(1, longest_s=3600.0)  # put before the clock was set on by an hour
    one.clock.sleep(1)
    one.says(0)
    one.clock.sleep(60)
    assert one.raised() == []


def test_a_gateway_that_hears_us_answers_and_one_whose_words_are_old_does_not() -> None:
    """As where somebody hands a gateway's messages on ten seconds late, at the right pace."""
    one = Watched()
    said: list[int] = []

    def live(late_s: int, seconds: int) -> list[Anomaly]:
        found = []
        for _ in range(seconds):
            said.append(one.clock.now_ns())
            one.watch.beat(said[-1])
            one.clock.sleep(1)
            echo = said[-1 - late_s : len(said) - late_s]
            beat = replace(health(1), alarms_waiting=0, heard_beats_ns=(5, *echo))
            over = one.watch.hear(*PLACE, beat)
            found += [*([over] if over else []), *one.raised()]
        return found

    assert live(late_s=0, seconds=60) == []
    [raised] = live(late_s=10, seconds=60)
    assert (raised.kind, raised.state) == ("messages_missing", "active")
    assert "its messages are old" in raised.evidence
    [over] = live(late_s=0, seconds=60)
    assert (over.id, over.state) == (raised.id, "cleared")


def test_an_older_gateway_that_does_not_echo_is_left_alone() -> None:
    one = Watched()
    for _ in range(60):
        one.watch.beat(one.clock.now_ns())
        one.clock.sleep(1)
        one.says(0)
        assert one.raised() == []
