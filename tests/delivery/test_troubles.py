from delivery.signing import RefusedError
from delivery.troubles import REFUSED_S, REPLAYS, WELL_S, Troubles
from scene.clock import ReplayClock

FORGED = RefusedError("its signature is wrong")
OLD = RefusedError("somebody plays it again", replayed=True)
TOPIC = "mine/roadway/gw/gw1/order/a"


def test_a_reason_is_one_alarm_until_it_is_long_gone() -> None:
    clock = ReplayClock(10**18)
    troubles = Troubles(clock)
    assert troubles.changes() == ()
    troubles.blocked("alarm", "Not authorized")
    troubles.set("local_alarm", "siren: ended with 1")
    [raised] = troubles.changes()
    assert raised.kind == "delivery_trouble"
    assert "does not take our alarm messages: Not authorized; siren" in raised.evidence
    assert troubles.changes() == ()
    troubles.taken("alarm")
    troubles.set("local_alarm", "")
    assert troubles.reasons() == ()
    clock.sleep(WELL_S - 1)
    assert troubles.changes() == ()
    troubles.blocked("alarm", "Not authorized")
    assert troubles.changes() == ()
    troubles.taken("alarm")
    clock.sleep(WELL_S)
    [over] = troubles.changes()
    assert (over.id, over.state) == (raised.id, "cleared")
    assert over.captured_at_ns > raised.captured_at_ns


def test_a_clearing_is_later_than_its_alarm_whatever_the_clock_does() -> None:
    clock = ReplayClock(10**18)
    troubles = Troubles(clock)
    troubles.set("x", "y")
    [raised] = troubles.changes()
    troubles.set("x", "")
    clock.sleep(WELL_S)
    troubles.carry_on(raised)
    clock.now_ns = lambda: 10**17  # type: ignore[method-assign]
    clock.sleep(WELL_S)
    [over] = troubles.changes()
    assert over.captured_at_ns > raised.captured_at_ns


def test_a_refused_message_is_told_of_for_a_while() -> None:
    clock = ReplayClock(10**18)
    troubles = Troubles(clock)
    troubles.refused(TOPIC + "\x1b", FORGED)
    [said] = troubles.reasons()
    assert "order/a?: its signature is wrong" in said
    clock.sleep(REFUSED_S)
    assert troubles.reasons() == ()


def test_one_old_message_is_nothing_several_are_somebodys_doing() -> None:
    clock = ReplayClock(10**18)
    troubles = Troubles(clock)
    for _ in range(5):
        troubles.refused(TOPIC, OLD)
        assert troubles.reasons() == ()
        clock.sleep(REFUSED_S)
    for _ in range(REPLAYS):
        assert troubles.reasons() == ()
        troubles.refused(TOPIC, OLD)
    assert "plays it again" in troubles.reasons()[0]
