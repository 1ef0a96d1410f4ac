from control_room.own_alarms import OURSELVES
from control_room.refusals import FOLLOW_S, MOST_GATEWAYS, QUIET_S, REPLAYS, RefusalWatch
from delivery.signing import RefusedError
from delivery.trust import Distrusted
from scene.clock import ReplayClock

PLACE = ("roadway", "gw1")
FORGED = RefusedError("its signature is wrong")
OLD = RefusedError("somebody plays it again", replayed=True)


def test_forgeries_are_one_alarm_until_they_stop() -> None:
    clock = ReplayClock(10**18)
    watch = RefusalWatch(clock)
    raised = watch.refuse(*PLACE, "alarm/man_down-3", FORGED)
    assert raised is not None
    assert (raised.kind, raised.severity) == ("message_refused", "critical")
    assert "alarm/man_down-3: its signature is wrong" in raised.evidence
    for _ in range(5):
        clock.sleep(QUIET_S - 1)
        assert watch.refuse(*PLACE, "health", FORGED) is None
        assert watch.check() == []
    clock.sleep(QUIET_S)
    [(site, gateway, over)] = watch.check()
    assert (site, gateway) == PLACE
    assert (over.id, over.state) == (raised.id, "cleared")
    assert "6 were" in over.evidence
    assert watch.refuse(*PLACE, "health", FORGED) is not None


def test_one_old_message_may_be_a_brokers_doing_several_are_somebodys() -> None:
    clock = ReplayClock(10**18)
    watch = RefusalWatch(clock)
    for _ in range(5):
        assert watch.refuse(*PLACE, "health", OLD) is None
        clock.sleep(QUIET_S)
        assert watch.check() == []
    raised = [watch.refuse(*PLACE, "health", OLD) for _ in range(REPLAYS)]
    assert raised[:-1] == [None] * (REPLAYS - 1)
    assert raised[-1] is not None


def test_who_invents_gateways_makes_no_flood() -> None:
    watch = RefusalWatch(ReplayClock(10**18))
    raised = [watch.refuse("roadway", f"ghost{i}", "health", FORGED) for i in range(1000)]
    assert sum(one is not None for one in raised) == MOST_GATEWAYS


def test_control_characters_do_not_get_into_the_alarm() -> None:
    raised = RefusalWatch(ReplayClock(1)).refuse(*PLACE, "alarm/\x1b[2J", FORGED)
    assert raised is not None
    assert raised.evidence.isprintable()


def test_files_of_keys_that_cannot_be_used_are_an_alarm_until_they_are_mended() -> None:
    clock = ReplayClock(10**18)
    watch = RefusalWatch(clock)
    bad = Distrusted(text="x/gateway-roadway-gw1.pub: is damaged", site="roadway", gateway="gw1")
    other = Distrusted(text="x/control_room.pub: is damaged")
    third = Distrusted(text="x/y.pub: whose key is it?")
    raised = watch.distrust([bad, other, third])
    assert [(site, gateway) for site, gateway, _ in raised] == [PLACE, OURSELVES]
    assert "gateway-roadway-gw1.pub: is damaged" in raised[0][2].evidence
    assert "control_room.pub: is damaged; x/y.pub: whose key" in raised[1][2].evidence
    for _ in range(5):
        clock.sleep(QUIET_S - 1)
        assert watch.distrust([bad, other]) == []
        assert watch.check() == []
    clock.sleep(1)
    assert watch.distrust([other]) == []
    clock.sleep(QUIET_S - 0.5)
    [(site, gateway, over)] = watch.check()
    assert ((site, gateway), over.id, over.state) == (PLACE, raised[0][2].id, "cleared")


def test_the_alarm_follows_the_reason_but_does_not_flutter() -> None:
    clock = ReplayClock(10**18)
    watch = RefusalWatch(clock)
    raised = watch.refuse(*PLACE, "health", FORGED)
    assert raised is not None
    words = []
    for _ in range(int(2.5 * FOLLOW_S)):
        clock.sleep(1.0)
        words += [one for _ in range(2) if (one := watch.refuse(*PLACE, "receipt/a", OLD))]
    [again] = words
    assert (again.id, again.state) == (raised.id, "active")
    assert again.captured_at_ns > raised.captured_at_ns
    assert "receipt/a: somebody plays it again" in again.evidence
    for _ in range(100):
        clock.sleep(1.0)
        for error in (FORGED, OLD):
            words += [one for one in [watch.refuse(*PLACE, "health", error)] if one]
    assert len(words) <= 2 + 100 / FOLLOW_S
    clock.sleep(QUIET_S)
    [(_, _, over)] = watch.check()
    assert (over.id, over.state) == (raised.id, "cleared")
    assert over.captured_at_ns > words[-1].captured_at_ns


def test_a_single_old_message_changes_no_evidence() -> None:
    clock = ReplayClock(10**18)
    watch = RefusalWatch(clock)
    assert watch.refuse(*PLACE, "health", FORGED) is not None
    clock.sleep(FOLLOW_S)
    assert watch.refuse(*PLACE, "health", OLD) is None
