"""An archive is run again: in one process or many, in one go or after a kill, all the same."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from delivery.recordings.run_record import read_run
from detection.model import SHIPPED
from edge import main
from edge.reanalysis.archive import find
from edge.reanalysis.job import Job, Trial, job_of
from edge.reanalysis.segment import reanalysed
from edge.reanalysis.words import said
from edge.reanalysis.workers import in_processes
from scene.errors import LamproomError
from tests.edge.processes import is_alive
from tests.edge.recorded_live import Live
from tests.reanalysis.archive_of import LIMIT_S, reanalyse, results, told, until


@pytest.fixture(scope="module")
def again(archive: Path, later: Path) -> tuple[object, ...]:
    """Give the arguments that run one gateway's recordings again by other rules."""
    return (archive / "fall", "--site", later)


@pytest.fixture(scope="module")
def one_process(
    again: tuple[object, ...], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, bytes]:
    """Run them again in one process."""
    out = tmp_path_factory.mktemp("one") / "out"
    assert reanalyse(*again, "--jobs", 1, "-o", out) == 0
    return results(out)


def test_the_same_rules_and_model_give_what_live_had_though_each_file_is_run_by_itself(
    archive: Path, falls: Live, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert reanalyse(archive, "--jobs", 2, "-o", out) == 0
    found = told(out)
    said = capsys.readouterr().out
    assert "no alarms would have been different; every file could be used" in said
    assert 'class="verdict green"' in (out / "report.html").read_text(encoding="utf-8")
    assert found["archive"]["gateways"] == ["event-fall/gw1", "event-zone-entry/gw1"]
    assert found["archive"]["segments"] == 5
    assert found["archive"]["begins"] == {"start": 2, "run_in": 3}
    assert found["archive"]["instants"] == found["archive"]["compared"] > falls.instants
    assert found["borders"] == {"all": 3, "alarms_differ": 0}
    kinds = found["alarms"]["by_kind"]
    same = {"gained": 0, "lost": 0, "moved": 0, "same": 1}
    assert kinds == {"man_down": same, "restricted_zone": same}
    assert found["alarms"]["changed"] == []
    assert found["limits"] == [] and found["not_read"] == []
    hours = found["people"]["hours"]
    assert sum(one["recorded"] for one in hours) > 1.0
    assert all(one["only_recorded"] == one["only_now"] == 0 for one in hours)
    assert all(one["apart_m"] == [0, 0] for one in hours)
    assert found["people"]["moments"] == []


def test_other_rules_change_what_a_rerun_of_the_whole_run_says(
    archive: Path,
    later: Path,
    falls: Live,
    one_process: dict[str, bytes],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main.main(["rerun", *map(str, falls.files), "--site", str(later)]) == 1
    said = capsys.readouterr().out.splitlines()
    lines = [line for line in said if re.match(r"(gained|lost|changed): ", line)]
    found = json.loads(one_process["report.json"])
    changed = found["alarms"]["changed"]
    words = {"gained": "gained: ", "lost": "lost: ", "moved": "changed: "}
    assert len(lines) == len(changed) >= 2
    for line, one in zip(lines, changed, strict=True):
        assert line.startswith(words[one["what"]])
        assert one["kind"] in line and one["at"][11:23] in line
        assert one["doubtful"] is False
    (down,) = [one for one in changed if one["kind"] == "man_down"]
    assert 0.8 <= down["raised_later_s"] <= 1.4
    assert found["with"]["sites"] == ["event-fall/gw1"]


def test_each_change_comes_with_the_command_that_shows_it(
    archive: Path, one_process: dict[str, bytes]
) -> None:
    for one in json.loads(one_process["report.json"])["alarms"]["changed"]:
        command, at = one["replay"].split(" --at ")
        path = Path(command.removeprefix("lamproom replay "))
        assert path == Path(one["file"]) and path.is_relative_to(archive / "fall")
        from control_room.replay.recording import open_recording
        from control_room.replay.times import time_in

        recording = open_recording(path, lambda _text: None)
        span_ns = (recording.from_ns, recording.to_ns)
        assert time_in(at, span_ns, recording.from_ns, option="--at")


def test_how_work_is_shared_out_changes_no_byte(
    archive: Path, later: Path, one_process: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert reanalyse(archive / "fall", "--site", later, "--jobs", 3, "-o", out) == 0
    assert results(out) == one_process


def test_a_second_run_does_nothing_and_a_damaged_result_is_done_again(
    again: tuple[object, ...],
    one_process: dict[str, bytes],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    for name, data in one_process.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(data)
    arguments = (*again, "--jobs", 1, "-o", out)
    assert reanalyse(*arguments) == 0
    assert capsys.readouterr().err == ("lamproom reanalyse: 4 of 4 segments were done before\n")
    name = sorted(name for name in one_process if name.startswith("segments/"))[1]
    spoilt = bytearray(one_process[name])
    spoilt[len(spoilt) // 2] ^= 4
    (out / name).write_bytes(bytes(spoilt))
    assert reanalyse(*arguments) == 0
    before, damaged, done = capsys.readouterr().err.splitlines()
    assert "3 of 4 segments were done before" in before
    assert Path(name).stem in damaged and "its result is damaged; it is done again" in damaged
    assert ": 1/1 segments, " in done
    assert results(out) == one_process


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "edge.main", "reanalyse", *map(str, arguments)]


def kept(out: Path) -> list[Path]:
    return list((out / "segments").glob("*.json"))


def test_a_killed_run_goes_on_where_it_was_and_two_at_once_do_no_harm(
    archive: Path, later: Path, one_process: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    given = command(archive / "fall", "--site", later, "--jobs", 1, "-o", out)
    with subprocess.Popen(given, stderr=subprocess.DEVNULL) as killed:
        until(lambda: bool(kept(out)))
        killed.send_signal(signal.SIGKILL)
    assert killed.returncode == -signal.SIGKILL
    there = {path.name: path.stat().st_mtime_ns for path in kept(out)}
    assert 1 <= len(there) < 4
    both = [
        subprocess.Popen(given, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [one.communicate(timeout=LIMIT_S)[1] for one in both]
    assert [one.returncode for one in both] == [0, 0]
    assert all("segments were done before" in text for text in said)
    assert results(out) == one_process
    now = {path.name: path.stat().st_mtime_ns for path in kept(out)}
    assert {name: now[name] for name in there} == there, "what was done was not done again"


def test_progress_is_told_line_by_line_where_there_is_no_terminal(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reanalyse(archive / "zone", "--jobs", 1, "-o", tmp_path / "out") == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert re.fullmatch(
        r"lamproom reanalyse: run\.mcap: 1/1 segments, \d+\.\d\d h recorded, "
        r"\d+\.\d h per hour, 0 s left",
        line,
    )


def test_a_bar_is_shown_in_a_terminal(archive: Path, tmp_path: Path) -> None:
    import pty

    ours, theirs = pty.openpty()
    given = command(archive / "zone", "--jobs", 1, "-o", tmp_path / "out")
    with subprocess.Popen(given, stdout=subprocess.DEVNULL, stderr=theirs) as running:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # the terminal's other end was closed
            while piece := os.read(ours, 4096):
                shown += piece
    os.close(ours)
    assert running.returncode == 0
    assert b"segments" in shown and b"1/1" in shown and b"h per hour" in shown


def nobody_writes_to(path: Path) -> None:
    """Have it as old as what was cut off long ago."""
    an_hour_ago_s = path.stat().st_mtime - 3600
    os.utime(path, (an_hour_ago_s, an_hour_ago_s))


def test_broken_recordings_are_told_first_and_stop_no_other(
    archive: Path,
    falls: Live,
    later: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One is noise, one has its end cut off, of one bytes are damaged; the first is whole."""
    folder = tmp_path / "broken"
    folder.mkdir()
    whole = [shutil.copy2(path, folder / path.name) for path in falls.files]
    paths = [Path(path) for path in whole]
    (folder / "<b>noise.mcap").write_bytes(b"\x89MCAP0\r\n" + os.urandom(3000))
    data = paths[2].read_bytes()
    paths[2].write_bytes(data[: len(data) // 2])
    spoilt = bytearray(paths[1].read_bytes())
    begin = spoilt.index(b"\x04\0\0\0zstd", 1000)
    spoilt[begin + 30 : begin + 2000] = os.urandom(1970)
    paths[1].write_bytes(bytes(spoilt))
    nobody_writes_to(paths[2])
    out = tmp_path / "out"
    assert reanalyse(folder, "--site", later, "--jobs", 2, "-o", out) == 1
    found = told(out)
    assert found["complete"] is False
    # Of those that are cut off or damaged, nothing may be left that can be run again.
    unread = dict(found["not_read"])
    noise, spoilt_file = str(folder / "<b>noise.mcap"), str(paths[1])
    assert noise in unread
    assert unread.keys() <= {noise, spoilt_file, str(paths[2])}
    assert found["in_part"] + len(unread) == 3
    assert f"{len(unread)} files could not be used, " in capsys.readouterr().out
    limits = {one["text"]: one["files"] for one in found["limits"]}
    damaged = [text for text, files in limits.items() if spoilt_file in files]
    assert "damaged" in " ".join((*damaged, unread.get(spoilt_file, "")))
    assert any("end is missing" in text for text in (*limits, *unread.values()))
    assert str(folder) not in " ".join(limits), "files are named where they lie now"
    for text in (*limits, *unread.values()):
        assert re.search("[\u4e00-\u9fff]", said(text)[1]), text
    html = (out / "report.html").read_text(encoding="utf-8")
    places = [html.index(word) for word in ("NOT THE WHOLE ARCHIVE", "noise.mcap", "Man down")]
    assert places == sorted(places)
    assert "<b>noise" not in html


def test_where_nothing_can_be_run_again_or_options_are_wrong_it_is_one_clear_error(
    archive: Path, later: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    empty = tmp_path / "empty"
    empty.mkdir()
    (tmp_path / "file").write_text("")
    for arguments, word in (
        ((empty, "-o", out), "there is no recording"),
        ((tmp_path / "no", "-o", out), "no such file or folder"),
        ((archive, "--model", tmp_path / "no.onnx", "-o", out), "--model"),
        ((archive / "zone", "--site", later, "-o", out), "no recording is of event-fall/gw1"),
        ((archive, "--site", later, "--site", later, "-o", out), "another file"),
        ((archive / "zone", "-o", tmp_path / "file"), "can't be used"),
    ):
        assert reanalyse(*arguments) == 2, arguments
        said = capsys.readouterr().err.splitlines()
        assert len(said) == 1 and word in said[0] and said[0].startswith("lamproom reanalyse: ")
    model = tmp_path / "bad.onnx"
    model.write_bytes(b"no model")
    assert reanalyse(archive / "zone", "--model", model, "--jobs", 1, "-o", out) == 2
    assert "nothing could be run again; first: " in capsys.readouterr().err
    assert reanalyse(archive, "--site", later, "--jobs", 1, "-o", out) == 1
    assert [why.partition(": ")[2] for _, why in told(out)["not_read"]] == [
        "no --site FILE is of its gateway, event-zone-entry/gw1"
    ]


def test_recordings_without_packets_are_judged_by_other_rules_over_borders_too(
    falls: Live, later: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from dataclasses import replace

    from delivery.recordings.reader import read_recording
    from delivery.recordings.writer import RecordingWriter
    from tests.reanalysis.set_clock import SetClock

    folder = tmp_path / "plain"
    folder.mkdir()
    for path in falls.files:
        run = read_run(path)
        assert run is not None
        clock = SetClock()
        writer = RecordingWriter(folder / path.name, clock, replace(run, cameras=""))
        for record in read_recording(path):
            clock.at_ns = record.at_ns
            writer.message(record.topic, record.payload, record.at_ns)
        writer.close()
    out = tmp_path / "out"
    assert reanalyse(folder, "--site", later, "--jobs", 2, "-o", out) == 0
    found = told(out)
    (down,) = [one for one in found["alarms"]["changed"] if one["kind"] == "man_down"]
    assert 0.8 <= down["raised_later_s"] <= 1.4
    assert [one["text"] for one in found["limits"]] == [
        "cameras' packets are not in it: the recorded positions are judged by the other rules"
    ]
    assert reanalyse(folder, "-o", tmp_path / "searched") == 2
    assert "cameras' packets are not in it" in capsys.readouterr().err


def test_a_file_of_which_a_part_can_not_be_read_is_no_whole_report(
    archive: Path, tmp_path: Path
) -> None:
    """Even where nothing else is amiss: "nothing would change" must not be read into it."""
    folder, out = tmp_path / "cut", tmp_path / "out"
    folder.mkdir()
    data = (archive / "zone" / "run.mcap").read_bytes()
    (folder / "run.mcap").write_bytes(data[: len(data) * 9 // 10])
    nobody_writes_to(folder / "run.mcap")
    assert reanalyse(folder, "--jobs", 1, "-o", out) == 1
    found = told(out)
    assert found["not_read"] == []
    assert (found["complete"], found["in_part"]) == (False, 1)
    assert 'class="verdict red"' in (out / "report.html").read_text(encoding="utf-8")


def dies(job: Job) -> bytes:
    """Stand for a recording that kills the decoder."""
    if job.path.endswith("bad"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if job.path.endswith("odd"):
        raise RuntimeError("what nobody thought of")
    return job.path.encode()


def jobs_of(names: Sequence[str]) -> list[Job]:
    given = {"before": (), "identities": (), "site": None, "model": None, "searched_with": ""}
    given |= {"software": "", "searches_on": "", "key": ""}
    return [Job(path=name, name=name, size_bytes=1, **given) for name in names]  # type: ignore[arg-type]


def test_a_recording_that_kills_its_process_is_told_and_stops_no_other() -> None:
    found = {one.job.path: one for one in in_processes(dies, jobs_of(["a", "bad", "odd", "b"]), 2)}
    assert (found["a"].body, found["b"].body) == (b"a", b"b")
    assert found["bad"].trouble == "bad: its process died by signal 11, twice"
    assert "what nobody thought of" in found["odd"].trouble


LEFT_ALONE = """
import os, signal, sys, time
from edge.reanalysis.workers import in_processes
from tests.reanalysis.test_reanalyse import jobs_of, lasts
list(in_processes(lasts, jobs_of(sys.argv[1:]), 2))
"""


def lasts(job: Job) -> bytes:
    Path(job.path).write_text(str(os.getpid()))
    threading.Event().wait()
    return b""


def test_who_works_for_a_command_that_is_killed_ends_with_it(tmp_path: Path) -> None:
    places = [tmp_path / "a", tmp_path / "b"]
    given = [sys.executable, "-c", LEFT_ALONE, *map(str, places)]
    with subprocess.Popen(given) as killed:
        until(lambda: all(place.exists() and place.read_text() for place in places))
        killed.send_signal(signal.SIGKILL)
    until(lambda: not any(is_alive(int(place.read_text())) for place in places))


def test_other_software_than_the_job_is_of_is_refused(archive: Path) -> None:
    job = job_of(find([archive / "zone"]).segments[0], Trial(sites={}, model=None))
    other = Job(**{**{name: getattr(job, name) for name in Job.__slots__}, "software": "x"})
    with pytest.raises(LamproomError, match="install the same everywhere"):
        reanalysed(other)


def test_another_model_than_the_result_is_named_by_is_refused(
    archive: Path, tmp_path: Path
) -> None:
    """On another machine, under the same path; or it was written anew meanwhile."""
    model = Path(shutil.copy(SHIPPED, tmp_path / "m.onnx"))
    job = job_of(find([archive / "zone"]).segments[0], Trial(sites={}, model=model))
    with model.open("ab") as file:
        file.write(b"\n")
    with pytest.raises(LamproomError, match=r"m\.onnx: was changed since"):
        reanalysed(job)


def test_no_gateway_imports_it_or_ray() -> None:
    code = (
        "import sys, edge.main, edge.run, edge.live, edge.sender, edge.recorder, edge.services\n"
        "print([n for n in sys.modules if n.startswith(('edge.reanalysis', 'ray'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_without_ray_the_option_says_what_to_install(
    archive: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert reanalyse(archive / "zone", "--ray", "auto", "-o", tmp_path / "out") == 2
    assert "--ray needs Ray: pip install 'lamproom[scale]'" in capsys.readouterr().err
