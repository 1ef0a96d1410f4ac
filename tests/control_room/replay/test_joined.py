"""The files of a run are one time line: nothing twice, nothing lost, gaps told, one gateway."""

import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from control_room.judge import once_each
from control_room.replay.joined import Joined
from control_room.replay.judging import UNKNOWN_END
from control_room.replay.outlets import PageOutlet
from control_room.replay.player import Player
from control_room.replay.recorded_clock import RecordedClock
from control_room.replay.recording import Recording, is_picture, open_recording
from control_room.replay.wishes import Step
from delivery.recordings.format import Record
from delivery.recordings.outline import span_of
from delivery.recordings.reader import RecordingFile
from delivery.recordings.survey import Survey, survey
from scene.clock import ReplayClock
from scene.errors import RecordingError
from scene.messages import Anomaly, PanoramaPacket, SiteDescription
from scene.wire import Message, decode
from tests.control_room.fake_gateway import FPS, alarm
from tests.control_room.recorded_story import (
    SITE_YAML,
    START_NS,
    everything,
    live_alarms,
    story,
    told,
    write,
)
from tests.control_room.replay.hour_files import S, Said, run_of, write_files
from tests.control_room.replay_stage import known_of

SECONDS = 12
THREE = ((0, 4.2), (4.0, 8.65), (8.4, SECONDS))
"""Seconds of a run in each of its files, with both recorders at work at a change."""


@pytest.fixture(scope="module")
def one_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = run_of(everything(live_alarms()), SECONDS * FPS)
    return write_files(tmp_path_factory.mktemp("one") / "run.mcap", run, ((0, SECONDS),))[0]


@pytest.fixture(scope="module")
def three_files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    run = run_of(everything(live_alarms()), SECONDS * FPS)
    return write_files(tmp_path_factory.mktemp("three") / "run.mcap", run, THREE)


def opened(*paths: Path, told: Callable[[str], None] = pytest.fail) -> Recording:
    return open_recording(paths[0], told, *paths[1:])


def captured(records: list[Record]) -> list[int]:
    bodies = [one.body for one in records if isinstance(one.body, PanoramaPacket)]
    return [one.positions.captured_at_ns for one in bodies]


def test_files_say_each_thing_once_and_all_of_it(one_file: Path, three_files: list[Path]) -> None:
    whole = list(RecordingFile(one_file).records())
    apart = [one for path in three_files for one in RecordingFile(path).records()]
    joined = list(opened(*three_files).file.records())
    assert len(apart) > len(whole) + 20, "files have much in common"
    times = [one.at_ns for one in joined]
    assert times == sorted(times)
    assert captured(joined) == captured(whole), "each picture once, in its order"
    said = Counter(one.payload for one in joined if not isinstance(one.body, PanoramaPacket))
    expected = Counter(one.payload for one in whole if not isinstance(one.body, PanoramaPacket))
    assert said.keys() == expected.keys()
    repeated = [payload for payload, count in said.items() if count > expected[payload]]
    kinds = {type(decode(one).body) for one in repeated}
    assert kinds <= {SiteDescription, Anomaly}, "what the broker retains"


def test_any_part_is_read_as_of_one_file(one_file: Path, three_files: list[Path]) -> None:
    joined, whole = opened(*three_files).file, RecordingFile(one_file)
    for from_s, to_s in ((0, 1), (3.9, 4.1), (4.05, 4.3), (8.3, 8.7), (7, 12), (11, 12)):
        from_ns, to_ns = START_NS + round(from_s * S), START_NS + round(to_s * S) + 50_000_000
        got = captured(list(joined.records(from_ns=from_ns, to_ns=to_ns, wanted=is_picture)))
        due = captured(list(whole.records(from_ns=from_ns, to_ns=to_ns, wanted=is_picture)))
        assert got == due, (from_s, to_s)


def test_right_after_a_border_pictures_can_be_decoded(three_files: list[Path]) -> None:
    """The next file begins with pictures since the last key frame, which are the earlier one's."""
    joined = opened(*three_files).file
    for at_s in (3.98, 4.02, 4.12, 4.25, 8.42, 8.52, 8.75):
        at_ns = START_NS + round(at_s * S)
        key_ns = joined.key_frame_before(at_ns)
        assert key_ns is not None
        group = [one.body for one in joined.records(from_ns=key_ns, to_ns=at_ns, wanted=is_picture)]
        first, last = group[0], group[-1]
        assert isinstance(first, PanoramaPacket) and isinstance(last, PanoramaPacket)
        assert first.key_frame, at_s
        assert at_ns - last.captured_at_ns < 1.2 * S / FPS
        times = [one.captured_at_ns for one in group if isinstance(one, PanoramaPacket)]
        assert times == list(range(times[0], times[-1] + 1, S // FPS)), at_s


def test_the_order_in_which_files_are_named_does_not_matter(three_files: list[Path]) -> None:
    first, second, third = three_files
    recording = opened(third, first, second, third)
    assert [one.path for one in recording.file.parts] == three_files
    assert recording.path == third
    assert recording.gaps == ()


def test_alarms_are_those_of_one_file(one_file: Path, three_files: list[Path]) -> None:
    found = [
        [one.anomaly for one in known_of(opened(*paths)).marks if one.judged]
        for paths in ([one_file], three_files)
    ]
    assert found[0] == found[1] == list(live_alarms())


GAP = ((0, 5.45), (40.05, 43))
"""Two files of a run of a minute, between which nothing was recorded."""


def gap_run(*alarms: Anomaly) -> list[Said]:
    """Somebody is in the zone before the gap, and elsewhere after it."""
    said: list[tuple[int, Message]] = [(START_NS, told())]
    said += [(one.captured_at_ns, one) for one in story(43)]
    said += [(one.captured_at_ns, one) for one in alarms]
    return run_of(said, 43 * FPS)


@pytest.fixture(scope="module")
def with_gap(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    ended = replace(STAYS, id="zone-8", raised_at_ns=START_NS + S)
    over = replace(ended, state="cleared", captured_at_ns=START_NS + 20 * S)
    run = gap_run(STAYS, ended, over)
    return write_files(tmp_path_factory.mktemp("gap") / "run.mcap", run, GAP)


STAYS = replace(
    alarm("man_down-7", at_ns=START_NS + S), zone=None, xyz_m=(35.0, 0.0, 0.0), track=None
)


def test_where_nothing_was_recorded_is_a_gap(with_gap: list[Path]) -> None:
    recording = opened(*with_gap)
    (gap,) = recording.gaps
    assert (gap.from_ns - START_NS) / S == pytest.approx(5.4, abs=0.1)
    assert (gap.to_ns - START_NS) / S == pytest.approx(40.05, abs=0.1)
    assert recording.file.gap_at(gap.from_ns) == gap
    assert recording.file.gap_at(gap.to_ns) is None
    assert recording.file.part_at(gap.to_ns - 1).path == with_gap[0]
    # What was to be seen before it is not how it stands after it.
    assert recording.file.key_frame_before(gap.to_ns - 1) is not None
    key_ns = recording.file.key_frame_before(gap.to_ns + S // 10)
    assert key_ns is None or key_ns >= gap.to_ns


class Heard(PageOutlet):
    """A page that notes what it shows, and how often it was begun anew."""

    def __init__(self, recording: Recording, clock: RecordedClock) -> None:
        super().__init__(recording, clock)
        self.shown = list[int]()
        self.begun = 0

    def show(self, record: Record) -> None:
        assert isinstance(record.body, PanoramaPacket)
        self.shown.append(record.body.positions.captured_at_ns)
        super().show(record)

    def begin(self, moment, status) -> None:  # type: ignore[no-untyped-def]
        self.begun += 1
        self.shown += [
            one.body.positions.captured_at_ns
            for one in (moment.group or ())[-1:]
            if isinstance(one.body, PanoramaPacket)
        ]
        super().begin(moment, status)


def player_of(recording: Recording, at_ns: int, **how: object) -> tuple[Player, Heard]:
    recorded = RecordedClock(at_ns)
    page = Heard(recording, recorded)
    known = known_of(recording)
    how = {"speed": 1.0, "at_ns": at_ns, **how}
    return Player(recording, known, [page], ReplayClock(), recorded, **how), page  # type: ignore[arg-type]


def test_playing_goes_over_the_border_of_files_without_a_jump(
    one_file: Path, three_files: list[Path]
) -> None:
    shown = []
    for paths in ([one_file], three_files):
        player, page = player_of(opened(*paths), START_NS)
        player._go(START_NS)
        while (record := player._peek()) is not None:
            assert not player._passed_gap(record)
            player._feed(record)
        assert page.begun == 1
        shown.append(page.shown)
    assert shown[0] == shown[1]
    assert len(shown[0]) == SECONDS * FPS


def test_stepping_goes_over_borders_and_gaps_both_ways(with_gap: list[Path]) -> None:
    recording = opened(*with_gap)
    (gap,) = recording.gaps
    player, page = player_of(recording, gap.from_ns - 250_000_000, playing=False)
    player._go(gap.from_ns - 250_000_000)
    there = []
    for _ in range(6):
        player._obey(Step(forward=True))
        there.append(page.shown[-1])
    assert there == sorted(set(there))
    assert there[-1] > gap.to_ns - 3 * S > there[0], "it is over the gap by now"
    for due in reversed(there[:-1]):
        player._obey(Step(forward=False))
        assert page.shown[-1] == due
    # Where no picture comes at once after a gap:
    assert player._end_before(gap.to_ns + S) == gap.from_ns
    assert player._end_before(gap.to_ns - 1) == recording.from_ns


def test_a_player_passes_a_gap_over_and_says_where_it_is(with_gap: list[Path]) -> None:
    recording = opened(*with_gap)
    (gap,) = recording.gaps
    player, page = player_of(recording, gap.from_ns - S)
    player._go(gap.from_ns - S)
    told_gaps = player.status()["gaps"]
    assert told_gaps == [{"from_ns": gap.from_ns, "to_ns": gap.to_ns}]
    instants = list[int]()
    while player._peek() is not None:
        player._anchor_s -= 10.0  # as if it were long since due
        player._go_on()
        instants.append(player.status()["at_ns"])
    assert instants == sorted(instants)
    assert not [one for one in instants if gap.from_ns < one < gap.to_ns]
    assert page.begun == 2
    assert instants[-1] == recording.to_ns


def test_an_alarm_from_before_a_gap_goes_on_only_if_it_is_told_of_after_it(
    with_gap: list[Path],
) -> None:
    recording = opened(*with_gap)
    (gap,) = recording.gaps
    marks = known_of(recording).marks
    ends = {one.anomaly.id: one for one in marks if one.anomaly.state == "cleared"}
    judged = {one.anomaly.id for one in marks if one.judged and one.at_ns < gap.from_ns}
    unknown = {id for id, one in ends.items() if one.anomaly.evidence == UNKNOWN_END}
    assert unknown, "somebody was in the zone when recording ended"
    assert unknown <= judged
    assert {ends[id].at_ns for id in unknown} == {gap.to_ns}
    states = [one.anomaly.state for one in marks if one.anomaly.id == STAYS.id]
    assert states == ["active"], "the broker retains it"


def test_files_of_two_gateways_are_refused(tmp_path: Path) -> None:
    one = write(tmp_path / "one.mcap", *everything(()))
    other = write(tmp_path / "two.mcap", (START_NS, replace(told(), gateway="gw2")))
    with pytest.raises(RecordingError, match=r"two.mcap: is of .*gw2, and .*one.mcap of .*gw1"):
        opened(one, other)


def test_a_copy_is_left_out_and_what_overlaps_is_cut(
    tmp_path: Path, one_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copy(one_file, tmp_path / "copy.mcap"))
    said = list[str]()
    recording = opened(one_file, copy, told=said.append)
    assert [one.path for one in recording.file.parts] == [one_file]
    assert len(said) == 1
    assert "has all of its time as well" in said[0]
    # A clock that was set back by more than two recorders are ever at work at once:
    monkeypatch.setattr("control_room.replay.joined.BOTH_NS", S)
    run = run_of(everything(()), SECONDS * FPS)
    first, second = write_files(tmp_path / "back.mcap", run, ((0, 8.25), (4.55, SECONDS)))
    said.clear()
    recording = opened(first, second, told=said.append)
    assert "what it has before" in said[0]
    assert [one.is_cut for one in recording.file.parts] == [False, True]
    records = list(recording.file.records())
    times = [one.at_ns for one in records]
    assert times == sorted(times)
    after = [one for one in records if one.at_ns > span_of(first)[1]]  # type: ignore[index]
    pictures = [one.body for one in after if isinstance(one.body, PanoramaPacket)]
    assert pictures[0].key_frame, "no picture that can't be decoded"
    key_ns = recording.file.key_frame_before(recording.to_ns)
    assert key_ns is not None and key_ns > recording.file.parts[1].since_ns
    # Nor is anything shown of what is left out, until there is one that can be decoded.
    assert recording.file.key_frame_before(recording.file.parts[1].since_ns + S // FPS) is None


def test_a_file_that_is_being_written_is_played_up_to_its_end_so_far(tmp_path: Path) -> None:
    run = run_of(everything(()), SECONDS * FPS)
    files = write_files(tmp_path / "run.mcap", run, ((0, 6), (5.8, SECONDS)), finish=False)
    until_s = time.monotonic() + 60
    while _ends_ns(files[1]) < START_NS + 11 * S:  # the disk has it after a second
        assert time.monotonic() < until_s
        time.sleep(0.1)
    files[1].touch()
    said = list[str]()
    recording = opened(*files, told=said.append)
    marks = known_of(recording).marks
    assert [one.anomaly.kind for one in marks] != []
    assert (
        sum("is being written just now, or was cut off: it is played up to" in one for one in said)
        == 1
    )
    last_s = (recording.to_ns - START_NS) / S
    assert 11 < last_s <= SECONDS


def _ends_ns(path: Path) -> int:
    try:
        span = span_of(path)
    except RecordingError:
        span = None
    return 0 if span is None else span[1]


def test_only_what_is_asked_for_is_looked_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A day of files of an hour opens as fast as one, and no more than a few are in memory."""
    run = run_of(everything(()), SECONDS * FPS)
    files = write_files(tmp_path / "run.mcap", run, [(i, i + 1.2) for i in range(11)])
    looked_over = list[Path]()

    def noted(path: Path) -> Survey:
        looked_over.append(path)
        return survey(path)

    monkeypatch.setattr("delivery.recordings.reader.survey", noted)
    joined = Joined(files, pytest.fail)
    assert looked_over == []
    assert joined.key_frame_before(START_NS + round(5.1 * S)) is not None
    list(joined.records(from_ns=START_NS + 7 * S, to_ns=START_NS + round(7.5 * S)))
    joined.close()
    assert 0 < len(set(looked_over)) <= 5
    list(Joined(files, pytest.fail).messages())
    assert set(looked_over) == set(files)


def test_a_file_that_is_deleted_meanwhile_is_told_and_the_others_go_on(
    tmp_path: Path, three_files: list[Path]
) -> None:
    files = [Path(shutil.copy(path, tmp_path)) for path in three_files]
    said = list[str]()
    recording = opened(*files, told=said.append)
    files[1].unlink()
    times = captured(list(recording.file.records(from_ns=START_NS + round(6.5 * S))))
    assert times == [START_NS + i * S // FPS for i in range(80, SECONDS * FPS)]
    assert any("run-2.mcap" in one and "passed over" in one for one in said)


def test_the_recorded_alarms_are_all_read(three_files: list[Path]) -> None:
    recording = opened(*three_files)
    said = recording.alarms(recording.from_ns, recording.to_ns)
    assert once_each(said) == live_alarms()


def test_a_file_that_is_deleted_is_a_gap_from_then_on(tmp_path: Path) -> None:
    """It must not look like quiet, nor be waited for as long as it was."""
    run = gap_run()
    files = write_files(tmp_path / "run.mcap", run, ((0, 13), (12.8, 26), (25.8, 39)))
    for gone in (0, 1):
        said = list[str]()
        recording = opened(*files, told=said.append)
        player, page = player_of(recording, recording.from_ns if gone == 0 else START_NS + 12 * S)
        assert player.status()["gaps"] == []
        kept = files[gone].rename(tmp_path / "elsewhere")
        player._go(player.status()["at_ns"])
        instants = list[int]()
        for _ in range(150):
            player._peek()
            player._anchor_s -= 10.0  # as if it were long since due
            player._go_on()
            instants.append(player.status()["at_ns"])
        (gap,) = recording.gaps
        assert gap.to_ns == recording.file.parts[gone + 1].since_ns
        assert gap.from_ns == (recording.from_ns, recording.file.parts[0].to_ns)[gone]
        assert player.status()["gaps"] == [{"from_ns": gap.from_ns, "to_ns": gap.to_ns}]
        assert page.begun == 2, "it goes to what follows at once"
        assert not [one for one in instants if gap.from_ns < one < gap.to_ns]
        assert instants[-1] > gap.to_ns
        kept.rename(files[gone])


def test_behind_a_file_that_is_deleted_while_alarms_are_worked_out_they_begin_anew(
    tmp_path: Path,
) -> None:
    files = write_files(tmp_path / "run.mcap", gap_run(), ((0, 5.45), (5.4, 26), (25.8, 39)))
    recording = opened(*files, told=lambda _text: None)
    files[1].unlink()
    marks = known_of(recording).marks
    (gap,) = recording.gaps
    ended = [one for one in marks if one.anomaly.evidence == UNKNOWN_END]
    assert ended, "somebody was in the zone when it broke off"
    assert {one.at_ns for one in ended} == {gap.to_ns}


def test_files_that_cannot_be_read_are_left_out_and_told(
    tmp_path: Path, one_file: Path, three_files: list[Path]
) -> None:
    empty, foreign = tmp_path / "run-4.mcap", tmp_path / "run-5.mcap"
    empty.write_bytes(b"")  # what a power cut can leave
    foreign.write_bytes(b"not a recording" * 1000)
    said = list[str]()
    recording = opened(empty, *three_files, foreign, tmp_path / "gone.mcap", told=said.append)
    assert [one.path for one in recording.file.parts] == three_files
    assert captured(list(recording.file.records())) == captured(
        list(RecordingFile(one_file).records())
    )
    for name in ("run-4.mcap", "run-5.mcap", "gone.mcap"):
        assert sum(name in one and "left out" in one for one in said) == 1
    with pytest.raises(RecordingError, match=r"run-4.mcap: is no recording"):
        opened(empty, foreign, told=said.append)


def test_of_a_file_in_between_it_is_told_that_it_was_cut_off(
    tmp_path: Path, three_files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the file that is being written has no end for a good reason."""
    monkeypatch.setattr("control_room.replay.joined._is_being_written", lambda _path: True)
    files = [Path(shutil.copy(path, tmp_path)) for path in three_files]
    for path in files[1:]:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    said = list[str]()
    list(opened(*files, told=said.append).file.records())
    cut_off = [one for one in said if "the end is missing" in one]
    assert [one.partition(": ")[0] for one in cut_off] == [str(files[1])]


def test_an_alarm_of_the_system_that_is_not_told_of_behind_a_gap_is_ended_there(
    tmp_path: Path,
) -> None:
    lost, dark = (
        alarm(f"{kind}-1", at_ns=START_NS + S, kind=kind, track=None, xyz_m=None, camera="c1")
        for kind in ("camera_lost", "camera_dark")
    )
    over = replace(lost, state="cleared", captured_at_ns=START_NS + 20 * S)
    files = write_files(tmp_path / "run.mcap", gap_run(lost, dark, over), GAP)
    recording = opened(*files)
    marks = [one for one in known_of(recording).marks if one.anomaly.id in (lost.id, dark.id)]
    ends = [one for one in marks if one.anomaly.state == "cleared"]
    assert [(one.anomaly.id, one.at_ns) for one in ends] == [(lost.id, recording.gaps[0].to_ns)]
    assert ends[0].anomaly.evidence == UNKNOWN_END


def test_an_alarm_that_a_gateway_ended_as_it_started_anew_behind_a_gap_does_not_stay(
    tmp_path: Path,
) -> None:
    """The broker still has it; it is over before there is anything to judge."""
    stands = replace(STAYS, raised_at_ns=START_NS - S)
    over = replace(stands, state="cleared", captured_at_ns=START_NS + 40_200_000_000)
    said: list[tuple[int, Message]] = [(START_NS, told()), (START_NS, stands)]
    said += [(one.captured_at_ns, one) for one in story(43)]
    said = [one for one in said if not 40 * S <= one[0] - START_NS < 41 * S]
    run = run_of([*said, (over.captured_at_ns, over)], 0)
    marks = known_of(opened(*write_files(tmp_path / "run.mcap", run, GAP))).marks
    states = [one.anomaly.state for one in marks if one.anomaly.id == stands.id]
    assert states == ["active", "cleared"]


def test_rules_that_were_changed_in_the_first_seconds_count_from_then_on(tmp_path: Path) -> None:
    """Instants wait for a while before they are judged: by the rules of their time."""
    no_zone = told(SITE_YAML.replace("zones: ", "zones: [] #"))
    said: list[tuple[int, Message]] = [(START_NS, told()), (START_NS + 5 * S, no_zone)]
    said += [(one.captured_at_ns, one) for one in story()]
    path = write_files(tmp_path / "run.mcap", run_of(said, 1), ((0, SECONDS),))[0]
    raised = [one.anomaly for one in known_of(opened(path)).marks if one.judged]
    live = [one for one in live_alarms() if one.kind == "restricted_zone"]
    assert live[0].raised_at_ns < START_NS + 5 * S
    assert live[0] in raised
