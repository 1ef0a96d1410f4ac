from control_room.refusals import MOST_GATEWAYS, QUIET_S, REPLAYS, RefusalWatch
from delivery.signing import RefusedError
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
