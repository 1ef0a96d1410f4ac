"""Whatever is wrong with one alarm, the others are kept, and it is said."""

from dataclasses import replace
from pathlib import Path

from delivery.outbox import Outbox
from edge.alarm_keeper import AlarmKeeper
from scene.clock import ReplayClock
from tests.delivery.parts import HANG_S, alarm

BAD = replace(alarm("bad"), evidence="room \udc80")
"""No disk takes half a character; who hands alarms over mends this, but there may be others."""


def test_an_alarm_that_cannot_be_written_is_said_and_keeps_no_other_waiting(
    tmp_path: Path,
) -> None:
    keeper = AlarmKeeper(lambda: Outbox(tmp_path, ReplayClock()), 100)
    for one in (BAD, alarm("a"), alarm("b")):
        keeper.put(one)
    assert not keeper.settle(HANG_S), "one is not safe"
    assert {one.id for one in keeper.active()} == {"a", "b"}
    assert "bad can't be kept on disk: Pydantic" in keeper.trouble
    keeper.put(alarm("c"))
    assert not keeper.settle(HANG_S)
    assert {one.id for one in keeper.active()} == {"a", "b", "c"}
    assert "bad can't be kept on disk: Pydantic" in keeper.trouble
    keeper.put(replace(BAD, evidence="room 1"))
    assert keeper.settle(HANG_S)
    assert keeper.trouble == ""


def test_whatever_goes_wrong_when_the_outbox_is_opened_is_said_and_tried_again(
    tmp_path: Path,
) -> None:
    wrong = [True]

    def opened() -> Outbox:
        if wrong:
            raise RuntimeError("a mistake of ours")
        return Outbox(tmp_path, ReplayClock())

    keeper = AlarmKeeper(opened, 100)
    assert keeper.active() == []
    assert "what is active can't be kept on disk: RuntimeError: a mistake" in keeper.trouble
    keeper.put(alarm("a"))
    assert not keeper.settle(HANG_S)
    assert "a can't be kept on disk: RuntimeError: a mistake of ours" in keeper.trouble
    wrong.clear()
    keeper.try_again()
    assert keeper.settle(HANG_S)
    assert keeper.trouble == ""
    assert keeper.active() == [alarm("a")]
