import pytest

from control_room.heartbeat import STOPPED_FOR_S, HeartbeatWatch
from scene.clock import ReplayClock
from scene.messages import GatewayState

PLACE = ("roadway", "gw1")


def test_a_gateway_that_falls_silent_is_one_alarm_until_it_is_back() -> None:
    clock = ReplayClock(now_ns=10**18)
    watch = HeartbeatWatch(clock)
    assert watch.beat(*PLACE) is None
    clock.sleep(3.9)
    assert watch.check() == []
    clock.sleep(0.2)
    [(site, gateway, raised)] = watch.check()
    assert (site, gateway) == PLACE
    assert (raised.kind, raised.state, raised.severity) == ("gateway_silent", "active", "critical")
    clock.sleep(60)
    assert watch.check() == [], "said once"
    cleared = watch.beat(*PLACE)
    assert cleared is not None
    assert (cleared.id, cleared.state) == (raised.id, "cleared")
    assert cleared.raised_at_ns == raised.raised_at_ns
    clock.sleep(5)
    [(_, _, again)] = watch.check()
    assert again.id != raised.id


def test_silence_is_noticed_within_5_s_at_two_looks_a_second() -> None:
    clock = ReplayClock(now_ns=10**18)
    watch = HeartbeatWatch(clock)
    watch.beat(*PLACE)
    waited_s = 0.0
    while not watch.check():
        clock.sleep(0.5)
        waited_s += 0.5
    assert 4.0 < waited_s <= 5.0


def test_a_known_gateway_that_never_speaks_is_silent() -> None:
    clock = ReplayClock(now_ns=10**18)
    watch = HeartbeatWatch(clock)
    watch.expect(*PLACE)
    clock.sleep(4.5)
    assert len(watch.check()) == 1


def started(since_ns: int = 100) -> tuple[ReplayClock, HeartbeatWatch]:
    """A watch on a gateway that said it is online, and speaks."""
    clock = ReplayClock(now_ns=10**18)
    watch = HeartbeatWatch(clock)
    assert watch.hear(*PLACE, GatewayState(online=True, since_ns=since_ns)) is None
    watch.beat(*PLACE)
    return clock, watch


def test_a_goodbye_is_a_warning_at_once_and_only_once() -> None:
    clock, watch = started()
    goodbye = GatewayState(online=False, since_ns=200)
    raised = watch.hear(*PLACE, goodbye)
    assert raised is not None
    assert (raised.kind, raised.severity) == ("gateway_silent", "warning")
    assert "was stopped" in raised.evidence
    assert watch.hear(*PLACE, goodbye) is None
    clock.sleep(STOPPED_FOR_S - 1)
    assert watch.check() == []
    cleared = watch.beat(*PLACE)
    assert cleared is not None
    assert (cleared.id, cleared.state) == (raised.id, "cleared")
    clock.sleep(4.5)
    [(_, _, silent)] = watch.check()
    assert silent.severity == "critical", "silence after that is silence"


def test_a_gateway_that_was_stopped_and_forgotten_is_critical_once() -> None:
    clock, watch = started()
    raised = watch.hear(*PLACE, GatewayState(online=False, since_ns=200))
    assert raised is not None
    clock.sleep(STOPPED_FOR_S + 1)
    [(_, _, worse)] = watch.check()
    assert (worse.id, worse.severity) == (raised.id, "critical")
    assert worse.raised_at_ns == raised.raised_at_ns
    assert worse.captured_at_ns > raised.captured_at_ns, "the journal takes it for news"
    clock.sleep(STOPPED_FOR_S + 1)
    assert watch.check() == []


@pytest.mark.parametrize("since_ns", [99, 100])
def test_a_last_will_is_no_goodbye(since_ns: int) -> None:
    _, watch = started(since_ns=100)
    raised = watch.hear(*PLACE, GatewayState(online=False, since_ns=since_ns))
    assert raised is not None
    assert raised.severity == "critical"
    assert watch.hear(*PLACE, GatewayState(online=False, since_ns=since_ns)) is None


def test_what_is_not_surely_a_goodbye_is_critical() -> None:
    watch = HeartbeatWatch(ReplayClock(now_ns=10**18))
    raised = watch.hear(*PLACE, GatewayState(online=False, since_ns=10**18))
    assert raised is not None
    assert raised.severity == "critical", "nobody has heard since when it was online"
    assert "without a goodbye" in raised.evidence
    # What was heard of another gateway says nothing about this one.
    _, watch = started(since_ns=100)
    other = watch.hear("roadway", "gw2", GatewayState(online=False, since_ns=200))
    assert other is not None
    assert other.severity == "critical"


def test_a_last_will_after_a_goodbye_is_worse() -> None:
    _, watch = started(since_ns=100)
    first = watch.hear(*PLACE, GatewayState(online=False, since_ns=200))
    worse = watch.hear(*PLACE, GatewayState(online=False, since_ns=50))
    assert first is not None
    assert worse is not None
    assert (worse.id, worse.severity) == (first.id, "critical")
    assert worse.raised_at_ns == first.raised_at_ns
    assert "without a goodbye" in worse.evidence
    late = watch.hear(*PLACE, GatewayState(online=False, since_ns=200))
    assert late is None, "a goodbye that comes late makes nothing less grave"


def test_a_stop_carries_on_over_a_restart_of_the_control_room() -> None:
    clock, watch = started()
    raised = watch.hear(*PLACE, GatewayState(online=False, since_ns=200))
    again = HeartbeatWatch(clock)
    assert raised is not None
    assert again.carry_on(*PLACE, raised) == raised
    clock.sleep(5)
    assert again.check() == []
    clock.sleep(STOPPED_FOR_S)
    [(_, _, worse)] = again.check()
    assert (worse.id, worse.severity) == (raised.id, "critical"), "the same alarm, not one more"
    assert again.check() == []
    back = again.beat(*PLACE)
    assert back is not None
    assert (back.id, back.state) == (raised.id, "cleared")
