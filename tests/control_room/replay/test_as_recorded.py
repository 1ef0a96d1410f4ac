"""Alarms as live told them are there at once, and give way to those that are raised anew."""

from dataclasses import replace
from pathlib import Path

import pytest

from control_room.replay.as_recorded import AsRecorded, as_recorded, unlike
from control_room.replay.judging import UNKNOWN_END, Mark, Progress, judged
from control_room.replay.known import How, Known
from control_room.replay.outlets import PageOutlet, page_outlet
from control_room.replay.player import Player
from control_room.replay.recorded_clock import RecordedClock
from control_room.replay.recording import Recording, open_recording
from scene.clock import SystemClock
from scene.messages import Anomaly
from tests.control_room.fake_gateway import FPS, alarm
from tests.control_room.recorded_story import START_NS, everything, live_alarms, write
from tests.control_room.replay.hour_files import S, run_of, write_files


def read(recording: Recording) -> Known:
    known = Known(recording.from_ns)
    for told in as_recorded(recording):
        known.add(told)
    return known


def test_each_word_is_given_once_with_when_it_was_received(tmp_path: Path) -> None:
    alarms = live_alarms()
    path = write(tmp_path / "run.mcap", *everything((*alarms, alarms[0], alarms[-1])))
    recording = open_recording(path, pytest.fail)
    known = read(recording)
    assert [one.anomaly for one in known.marks] == list(alarms)
    assert not any(one.judged for one in known.marks)
    assert known.recorded_to_ns == recording.to_ns
    assert known.how_at(recording.from_ns) is How.RECORDED, "not even the first is checked yet"


def test_what_is_judged_takes_the_place_of_what_was_recorded(tmp_path: Path) -> None:
    first, *others = live_alarms()
    ours = replace(first, id=f"{first.id}-live")
    path = write(tmp_path / "run.mcap", *everything((ours, *others)))
    recording = open_recording(path, pytest.fail)
    known = read(recording)
    half_ns = (first.captured_at_ns + others[-1].captured_at_ns) // 2
    marks = tuple(mark for one in judged(recording) for mark in one.marks)
    known.add(Progress(judged_to_ns=half_ns, marks=marks))
    for mark in known.marks:
        assert mark.judged == (mark.at_ns <= half_ns)
    assert first.id in {mark.anomaly.id for mark in known.marks}
    assert ours.id not in {mark.anomaly.id for mark in known.marks}
    known.add(Progress(judged_to_ns=recording.to_ns))
    assert [mark.anomaly for mark in known.marks] == [first, *others]


def test_what_the_rules_raise_otherwise_is_counted(tmp_path: Path) -> None:
    alarms = live_alarms()
    path = write(tmp_path / "run.mcap", *everything((*alarms, alarm("x", at_ns=START_NS + 5 * S))))
    recording = open_recording(path, pytest.fail)
    said = recording.alarms(recording.from_ns, recording.to_ns)
    without = [one for one in said if one.id != "x"]
    assert unlike(recording, without, alarms, START_NS) == []
    (line,) = unlike(recording, said, alarms, START_NS)
    assert line.startswith("x active: in the recording, not raised")


def test_an_alarm_that_stood_before_a_gap_goes_on_only_if_it_was_told_again(tmp_path: Path) -> None:
    stands, over = (alarm(name, at_ns=START_NS + 2 * S) for name in ("stands", "over"))
    ended = replace(over, state="cleared", captured_at_ns=START_NS + 20 * S)  # in the gap
    said: list[tuple[int, Anomaly]] = [(one.captured_at_ns, one) for one in (stands, over, ended)]
    run = run_of([*everything(())[:1], *said], 45 * FPS)
    files = write_files(tmp_path / "run.mcap", run, ((0, 8), (40.5, 45)))
    recording = open_recording(files[0], pytest.fail, files[1])
    (gap,) = recording.gaps
    (end,) = [mark for mark in read(recording).marks if mark.anomaly.state == "cleared"]
    assert (end.anomaly.id, end.anomaly.evidence, end.at_ns) == ("over", UNKNOWN_END, gap.to_ns)


def test_until_it_is_read_nothing_is_known(tmp_path: Path) -> None:
    known = Known(START_NS)
    assert known.how_at(START_NS) is How.UNKNOWN
    known.add(AsRecorded(to_ns=START_NS + S))
    assert known.how_at(START_NS + S) is How.RECORDED
    assert known.how_at(START_NS + S + 1) is How.UNKNOWN


def open_ones(page: PageOutlet) -> set[str]:
    return {one.key.alarm for one in page.room.journal.open_entries()}


def test_where_live_and_the_rules_differ_each_is_shown_whole(tmp_path: Path) -> None:
    """Live alone raised one before the instant that is judged last, the rules alone another."""
    live, rules = (alarm(name, at_ns=START_NS + 4 * S) for name in ("live", "rules"))
    over = replace(live, state="cleared", captured_at_ns=START_NS + 10 * S)
    path = write(tmp_path / "run.mcap", *everything((live, over)))
    recording = open_recording(path, pytest.fail)
    known, recorded = read(recording), RecordedClock(recording.from_ns)
    by_rules = (Mark(at_ns=START_NS + 4 * S, anomaly=rules, judged=True),)
    known.add(Progress(judged_to_ns=START_NS + 6 * S, marks=by_rules))
    span_ns = (START_NS, START_NS + 8 * S)
    with page_outlet(recording, recorded) as page:
        player = Player(
            recording, known, [page], SystemClock(), recorded,
            speed=1000.0, span_ns=span_ns, at_ns=START_NS + 5 * S,
        )  # fmt: skip
        player._go(START_NS + 5 * S)
        assert (open_ones(page), player.status()["alarms"]) == ({"rules"}, "judged")
        player.run(exit_at_end=True)
        assert (open_ones(page), player.status()["alarms"]) == ({"live"}, "recorded")
        player._go(START_NS + 8 * S)
        assert open_ones(page) == {"live"}, "a jump shows the same"
        known.add(Progress(judged_to_ns=recording.to_ns))
        player._catch_up()
        assert (open_ones(page), player.status()["alarms"]) == ({"rules"}, "judged")


def test_who_is_there_before_it_is_read_is_shown_it_once_it_is(tmp_path: Path) -> None:
    recording = open_recording(write(tmp_path / "run.mcap", *everything(live_alarms())), print)
    known, recorded = Known(recording.from_ns), RecordedClock(recording.from_ns)
    with page_outlet(recording, recorded) as page:
        player = Player(recording, known, [page], SystemClock(), recorded)
        player._go(recording.to_ns)
        assert (open_ones(page), player.status()["alarms"]) == (set(), "")
        for told in as_recorded(recording):
            known.add(told)
        player._catch_up()
        assert open_ones(page) == {one.id for one in live_alarms()}
        assert player.status()["alarms"] == "recorded"


def test_what_another_gateway_said_is_not_taken_for_this_ones(tmp_path: Path) -> None:
    path = write(tmp_path / "run.mcap", *everything(live_alarms()))
    recording = open_recording(path, print)
    others = replace(recording, gateway="gw2")
    assert [*as_recorded(others)][-1].marks == ()
    assert len([*as_recorded(recording)][-1].marks) == len(live_alarms())


def test_recorded_a_little_before_it_is_judged_it_stays_on_the_time_line() -> None:
    one = alarm("x", at_ns=START_NS + S)
    known = Known(START_NS)
    known.add(AsRecorded(to_ns=START_NS + 9 * S, marks=(Mark(at_ns=START_NS + S, anomaly=one),)))
    later = Mark(at_ns=START_NS + 2 * S, anomaly=one, judged=True)
    known.add(Progress(judged_to_ns=START_NS + S, marks=(later,)))
    assert known.marks == [later]


def test_no_instant_counts_as_judged_before_its_alarms_are_there() -> None:
    """Another thread may ask at any moment."""
    seen = list[tuple[How, int]]()

    class Asked(Known):
        def _both(self, judged_ns: int) -> list[Mark]:
            seen.append((self.how_at(START_NS + S), len(self.words(How.JUDGED, START_NS + S))))
            return super()._both(judged_ns)

    known = Asked(START_NS)
    one = Mark(at_ns=START_NS + S, anomaly=alarm("x", at_ns=START_NS + S), judged=True)
    known.add(Progress(judged_to_ns=START_NS + S, marks=(one,)))
    assert seen == [(How.UNKNOWN, 1)]
    assert known.how_at(START_NS + S) is How.JUDGED
