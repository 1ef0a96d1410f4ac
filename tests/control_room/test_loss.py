from control_room.loss import OVER_S, LossRate
from scene.clock import ReplayClock

PLACE = ("roadway", "gw1")


def test_loss_is_a_share_of_the_last_minute() -> None:
    clock = ReplayClock(10**18)
    rate = LossRate(clock)
    for second in range(120):
        rate.note(PLACE, heard=9, lost=1 if second >= 60 else 0)
        rate.note(("roadway", "gw2"), heard=10)
        clock.sleep(1)
    assert rate.shares() == {PLACE: 0.1}
    clock.sleep(OVER_S)
    assert rate.shares() == {}


def test_nothing_grows() -> None:
    clock = ReplayClock(10**18)
    rate = LossRate(clock)
    for _ in range(10_000):
        rate.note(PLACE, heard=1)
        clock.sleep(0.1)
    assert len(rate._counts[PLACE]) <= OVER_S
