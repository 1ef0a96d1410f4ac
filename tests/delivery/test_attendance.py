from pathlib import Path

from delivery.attendance import MOST_RUN, STOPPED_S, UNHEARD_AFTER_S, Attendance
from scene.clock import ReplayClock
from scene.messages import ControlRoomBeat
from tests.delivery.parts import wait_until

RUN = 77


def beat(seq: int = 0, run: int = RUN) -> ControlRoomBeat:
    return ControlRoomBeat(said_at_ns=1, heard_run=run if seq else 0, heard_seq=seq)


def test_silence_is_known_within_5_s_and_its_end_at_once() -> None:
    clock = ReplayClock(10**18)
    watch = Attendance(clock, run=RUN)
    watch.beat(beat())
    waited_s = 0.0
    while not watch.silence():
        clock.sleep(0.5)
        waited_s += 0.5
    assert 4.0 < waited_s <= 5.0
    assert "nothing heard from the control room" in watch.silence()
    watch.beat(beat())
    assert watch.silence() == ""


def test_only_a_control_room_that_was_heard_or_is_expected_can_be_silent(tmp_path: Path) -> None:
    clock, memory = ReplayClock(10**18), tmp_path / "heard"
    never = Attendance(clock, run=RUN, memory=memory)
    expected = Attendance(clock, run=RUN, expected=True)
    clock.sleep(60)
    assert never.silence() == ""
    assert expected.silence()
    never.beat(beat())
    wait_until(memory.exists)  # the disk is told beside
    after_a_restart = Attendance(clock, run=RUN, memory=memory)
    assert after_a_restart.silence() == "", "the time runs from the start"
    clock.sleep(4.5)
    assert after_a_restart.silence()


def test_a_control_room_that_does_not_hear_us_is_known() -> None:
    clock = ReplayClock(10**18)
    watch = Attendance(clock, run=RUN)
    for second in range(1, 30):
        watch.beat(beat(second - 1))
        watch.said(second)
        clock.sleep(1)
        assert watch.unheard() == "", "what it echoes is one behind"
    waited_s = 0.0
    for second in range(30, 60):
        watch.beat(beat(28))
        watch.said(second)
        clock.sleep(1)
        waited_s += 1
        if watch.unheard():
            break
    assert waited_s <= UNHEARD_AFTER_S + 1
    assert "has not heard our heartbeat" in watch.silence()
    watch.beat(beat(59))
    assert watch.silence() == ""


def test_what_an_earlier_run_said_is_no_echo() -> None:
    clock = ReplayClock(10**18)
    watch = Attendance(clock, run=RUN)
    for second in range(12):
        watch.beat(beat(1000, run=RUN - 1))
        watch.said(second + 1)
        clock.sleep(1)
    assert watch.unheard()


def test_a_control_room_that_was_away_is_given_time_to_hear_us() -> None:
    clock = ReplayClock(10**18)
    watch = Attendance(clock, run=RUN)
    watch.beat(beat())
    for second in range(1, 20):
        watch.said(second)
        clock.sleep(1)
    watch.beat(beat())
    assert watch.silence() == ""


def test_nothing_grows_without_a_control_room() -> None:
    watch = Attendance(ReplayClock(10**18), run=RUN)
    for seq in range(1000):
        watch.said(seq)
    assert len(watch._unechoed) <= 100


def test_its_own_trouble_is_known() -> None:
    watch = Attendance(ReplayClock(10**18), run=RUN)
    watch.beat(ControlRoomBeat(said_at_ns=1, trouble="journal: disk full"))
    assert watch.trouble == "journal: disk full"


def test_the_beats_of_all_control_rooms_that_are_heard_are_echoed() -> None:
    clock = ReplayClock(10**18)
    watch = Attendance(clock, run=RUN)
    assert watch.beats_ns() == ()
    watch.beat(ControlRoomBeat(said_at_ns=1), run=1)
    clock.sleep(3)
    watch.beat(ControlRoomBeat(said_at_ns=2), run=2)
    watch.beat(ControlRoomBeat(said_at_ns=3), run=2)
    assert watch.beats_ns() == (1, 3)
    clock.sleep(2)
    assert watch.beats_ns() == (3,)
    for run in range(100):
        watch.beat(ControlRoomBeat(said_at_ns=run), run=run)
    assert len(watch.beats_ns()) == 4


def test_a_newer_start_of_our_name_is_outlived_once_nobody_hears_it_any_more() -> None:
    clock = ReplayClock(10**18)
    watch = Attendance(clock, run=RUN)
    for seq in range(1, 30):  # another gateway speaks
        watch.beat(beat(seq, RUN + 5))
        watch.beat(beat(seq - 1, RUN + 5), run=2)  # and a second control room hears it
        clock.sleep(1.0)
        assert watch.outlived() == 0
    for _ in range(int(STOPPED_S) - 1):
        assert watch.outlived() == 0
        watch.beat(beat(29, RUN + 5))
        watch.beat(beat(28, RUN + 5), run=2)
        clock.sleep(1.0)
    assert watch.outlived() == RUN + 5
    watch.speak_anew(RUN + 6)
    assert watch.outlived() == 0
    watch.beat(beat(29, RUN + 5))
    clock.sleep(STOPPED_S + 1)
    watch.beat(beat(29, RUN + 5))
    assert watch.outlived() == 0


def test_a_start_of_before_is_not_outlived_nor_one_that_nobody_can_have() -> None:
    clock = ReplayClock(10**18)
    watch = Attendance(clock, run=RUN)
    for run in (RUN - 1, RUN, 0, MOST_RUN):
        watch.beat(beat(1, run))
        clock.sleep(STOPPED_S + 1)
        watch.beat(beat(1, run))
        assert watch.outlived() == 0
