from delivery.signing import RefusedError
from delivery.troubles import FOLLOW_S, REFUSED_S, REPLAYS, SAID_FOR_S, WELL_S, Troubles
from scene.clock import ReplayClock
from scene.messages import Anomaly

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


def test_what_is_refused_is_said_once_for_each_reason_and_again_when_it_comes_back() -> None:
    clock, said = ReplayClock(10**18), list[str]()
    troubles = Troubles(clock, said.append)
    for number in range(50):
        troubles.refused(f"{TOPIC}{number}\x1b", FORGED)
        troubles.refused(TOPIC, OLD)
        clock.sleep(SAID_FOR_S / 10)
    assert said == [
        f"{TOPIC}0?: a message was refused: its signature is wrong",
        f"{TOPIC}: a message was refused: somebody plays it again",
    ]
    clock.sleep(SAID_FOR_S)
    troubles.refused(TOPIC, FORGED)
    assert len(said) == 3
    for number in range(1000):
        troubles.refused(TOPIC, RefusedError(f"reason {number}"))
    assert len(said) <= 103, "whoever invents reasons makes no flood"


def test_the_alarm_follows_its_reason() -> None:
    clock = ReplayClock(10**18)
    troubles = Troubles(clock)
    troubles.refused(TOPIC, FORGED)
    [raised] = troubles.changes()
    followed = list[Anomaly]()
    for second in range(int(2 * FOLLOW_S)):
        troubles.set("attendance", f"not heard for {second}.0 s")
        for _ in range(REPLAYS):
            troubles.refused(f"{TOPIC}-{second}", OLD)
        followed += troubles.changes()
        clock.sleep(1.0)
    [again] = followed
    assert (again.id, again.state, again.raised_at_ns) == (raised.id, "active", raised.raised_at_ns)
    assert again.captured_at_ns > raised.captured_at_ns
    assert "plays it again" in again.evidence and "signature" not in again.evidence
