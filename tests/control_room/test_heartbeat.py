from control_room.heartbeat import HeartbeatWatch
from scene.clock import ReplayClock

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


def test_a_goodbye_raises_at_once_and_only_once() -> None:
    clock = ReplayClock(now_ns=10**18)
    watch = HeartbeatWatch(clock)
    watch.beat(*PLACE)
    raised = watch.gone(*PLACE)
    assert raised is not None
    assert watch.gone(*PLACE) is None
    clock.sleep(10)
    assert watch.check() == []
    assert watch.beat(*PLACE) is not None
