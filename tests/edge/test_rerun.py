"""A recording is run again: the same positions and alarms as live, and what others would do."""

import contextlib
import hashlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mcap.reader import make_reader

from delivery.recordings.camera_packets import Handed
from delivery.recordings.reader import read_messages, read_recording
from delivery.recordings.repair import repair
from delivery.recordings.rerun_records import RecordedStep, read_for_a_rerun
from delivery.recordings.run_record import read_run
from delivery.recordings.writer import RecordingWriter
from detection.model import SHIPPED
from edge import main
from edge.byte_ring import ByteRing
from edge.options import RunOptions
from edge.recorded_run import run_record
from edge.rerun import _beginning
from edge.rerun_compare import Results
from edge.steps import SteppedPipeline, site_fields
from scene.clock import SystemClock
from scene.errors import RecordingError
from scene.messages import Anomaly, Detections, PanoramaPacket, Positions
from scene.rig import load_rig
from scene.site import load_site
from tests import sample_site
from tests.control_room.fake_gateway import alarm
from tests.control_room.recorded_story import START_NS, everything, live_alarms, write
from tests.delivery.parts import free_port
from tests.edge.processes import pid_below
from tests.edge.recorded_live import FALL, Live, Recorded, other_rules
from tests.edge.test_gateway import HANG_S, wait_until
from tests.sample_site import SAMPLES

FALL_S = 20.0
GOLDEN = {
    SAMPLES / "roadway": 14.0,
    SAMPLES / "crossing": 3.0,
    SAMPLES / "longwall": 3.0,
}
"""Sites, and how many seconds of each clip: in the roadway until both of its alarms have ended."""
SLOW_HANG_S = 1800.0
"""A machine that has much else to do takes minutes for what searches pictures."""
TWICE = """
import sys
from edge import main
sys.exit(max([main.main(["rerun", *sys.argv[1:]]) for _ in range(2)]))
"""


def rerun(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Run the command here; gives its exit code and what it said."""
    code = main.main(["rerun", *map(str, arguments)])
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.fixture(scope="module")
def fall(tmp_path_factory: pytest.TempPathFactory) -> Live:
    """Record the clip of somebody who falls."""
    return Recorded(FALL, tmp_path_factory.mktemp("fall") / "run.mcap").run(FALL_S)


def equal_to_live(live: Live) -> str:
    """Say what a second run is to print."""
    raised = {one.id for one in live.alarms}
    instants = f"{live.instants} of {live.instants} instants compared"
    return f"{instants}, {counted(len(raised))} about people: equal to live\n"


def counted(count: int) -> str:
    return "1 alarm" if count == 1 else f"{count} alarms"


def test_every_sample_site_has_a_golden_rerun() -> None:
    assert set(sample_site.sites()) <= {FALL, *GOLDEN}


@pytest.mark.parametrize("folder", GOLDEN, ids=lambda folder: folder.name)
def test_a_rerun_of_each_sample_site_is_equal_to_live_twice_and_after_a_restart(
    folder: Path, tmp_path: Path
) -> None:
    """The process that runs it again is not the one that was live."""
    live = Recorded(folder, tmp_path / "run.mcap").run(GOLDEN[folder])
    assert live.people > 0
    assert live.instants >= 15
    if folder.name == "roadway":
        assert sum(one.state == "cleared" for one in live.alarms) == 2
    command = [sys.executable, "-c", TWICE, *map(str, live.files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SLOW_HANG_S)
    assert (done.returncode, done.stdout, done.stderr) == (0, 2 * equal_to_live(live), "")


def test_a_rerun_in_the_process_that_was_live_is_equal_to_it(
    fall: Live, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fall.alarms and fall.people > 0
    assert rerun(capsys, *fall.files) == (0, equal_to_live(fall), "")


def test_a_terminal_is_shown_what_is_done_and_nobody_else(other_site: Path, tmp_path: Path) -> None:
    """Of positions alone, so that nothing is searched."""
    lost = alarm("cam-1", at_ns=START_NS, kind="camera_lost", track=None, xyz_m=None)
    foul = alarm("man_down-9", at_ns=START_NS + 10**9, zone="\x1b[2Jfoul", xyz_m=None)
    plain = write(tmp_path / "plain.mcap", *everything((*live_alarms(), lost, foul)))
    command = [sys.executable, "-m", "edge.main", "rerun", str(plain), "--site", str(other_site)]
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, text=True)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # it has ended
        while piece := os.read(ours, 4096):
            shown += piece
    out, _ = process.communicate(timeout=120)
    os.close(ours)
    assert process.returncode == 1, out
    assert "alarms would have been different" in out
    left = re.search("not compared, as cameras' packets are not in the recording: (.*)", out)
    assert left is not None
    assert "1 camera_lost" in left[1] and "0 camera_dark" in left[1], "there might have been some"
    assert "\x1b" not in out and "lost:    man_down ?[2Jfoul, " in out
    for what in ("reading what live had", "reading positions", "judging them"):
        assert what.encode() in shown
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout == out
    assert "reading" not in done.stderr


@pytest.fixture(scope="module")
def other_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return other_rules(tmp_path_factory.mktemp("site") / "other.yaml")


def test_other_rules_say_which_alarms_are_gained_and_which_come_later(
    fall: Live, other_site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = tmp_path / "again.mcap"
    code, out, err = rerun(capsys, *fall.files, "--site", other_site, "-o", again)
    assert code == 1
    lines = out.splitlines()
    assert any(re.match(r"gained:  restricted_zone all at x ", line) for line in lines)
    (moved,) = [line for line in lines if line.startswith("changed: man_down at x ")]
    late = re.search(r"raised (\d\.\d\d) s later", moved)
    assert late is not None and 0.8 <= float(late[1]) <= 1.4
    assert not any(line.startswith("lost") for line in lines)
    assert any("0.000 m apart (median" in line for line in lines), "people are where they were"
    assert str(again) in err
    # What came out is a recording by the other rules: they raise the very same.
    assert main.main(["replay", "--check", str(again)]) == 0
    assert "equal" in capsys.readouterr().out


def test_rules_that_raise_nothing_are_told_as_lost_alarms(
    fall: Live, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = tmp_path / "blind.yaml"
    text = (FALL / "site.yaml").read_text(encoding="utf-8").replace("url: cam", f"url: {FALL}/cam")
    site.write_text(f"{text}detection: {{score_threshold: 0.99}}\n", encoding="utf-8")
    code, out, _ = rerun(capsys, *fall.files, "--site", site)
    assert code == 1
    assert "lost:    man_down at x " in out
    assert "0 people in both" in out


def test_another_model_that_finds_the_same_changes_nothing_and_one_that_is_none_is_refused(
    fall: Live, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.onnx"
    # One more string in the file's metadata (`ModelProto.doc_string`, field 6): another hash.
    other.write_bytes(SHIPPED.read_bytes() + b"\x32\x05other")
    code, out, _ = rerun(capsys, *fall.files, "--model", other)
    assert code == 0
    assert "no alarms would have been different" in out
    assert "0.000 m apart" in out
    assert rerun(capsys, *fall.files, "--model", tmp_path / "none.onnx")[0] == 2


def test_whatever_happens_under_way_is_repeated_over_all_files_of_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded = Recorded(FALL, tmp_path / "run.mcap")
    limits = recorded.site.limits
    assert limits.man_down is not None
    quick = limits.man_down.model_copy(update={"after_s": 1.0})
    quicker = recorded.site.model_copy(
        update={"limits": limits.model_copy(update={"man_down": quick})}
    )
    spread = np.diag([0.02, 0.02, 0.02])
    live = recorded.run(
        20.0,
        {
            3: lambda run: run.pipeline.distrust({"cam1": spread, "cam2": None}),
            6: lambda run: run.pipeline.distrust({}),
            78: lambda run: run.pipeline.take_for_blind(frozenset({"cam1", "cam2"})),
            84: lambda run: run.pipeline.take_for_blind(frozenset()),
            42: lambda run: run.pipeline.rehang(run.pipeline.prepare(run.rig)),
            45: Recorded.new_file,
            55: lambda run: run.pipeline.change(quicker),
            70: Recorded.new_file,
        },
    )
    assert len(live.files) == 3
    assert any(one.kind == "man_down" for one in live.alarms)
    code, out, err = rerun(capsys, *reversed(live.files))  # a run's files in any order
    assert (code, err) == (0, "")
    assert "equal to live" in out
    # In the midst of the run the rest is not known, and that is said.
    code, out, err = rerun(capsys, live.files[1])
    assert "begins in the midst of a run" in err
    assert "instants" in out
    # Every file can be decoded by itself, from its first packet on.
    assert "pictures that live worked on" not in err


def test_people_and_alarms_of_the_run_before_are_carried_on_as_they_were_live(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = Recorded(FALL, tmp_path / "first.mcap")
    before = first.run(20.0)
    kept = first.pipeline.kept()
    (down,) = [one for one in before.alarms if one.kind == "man_down" and one.state == "active"]
    # As if nothing had happened between the runs; the clip begins at the same time anew.
    before_ns = sample_site.START_AT_NS - 10**9
    down = replace(down, raised_at_ns=before_ns, captured_at_ns=before_ns)
    second = Recorded(FALL, tmp_path / "second.mcap", before=[down])
    back_ns = kept.at_ns - sample_site.START_AT_NS
    second.pipeline.take_back(
        replace(
            kept,
            at_ns=kept.at_ns - back_ns,
            people=tuple(
                replace(
                    person,
                    at_ns=person.at_ns - back_ns,
                    seen_at_ns=person.seen_at_ns - back_ns,
                    born_at_ns=person.born_at_ns - back_ns,
                )
                for person in kept.people
            ),
        )
    )
    live = second.run(20.0)
    assert down.id in {one.id for one in live.alarms}, "whoever falls there carries it on"
    code, out, err = rerun(capsys, *live.files)
    assert (code, err) == (0, "")
    assert "equal to live" in out
    numbers = [
        step.fields["kept"]["tracks"]
        for step in read_for_a_rerun(live.files[0], lambda _: None)
        if isinstance(step, RecordedStep) and step.fields["do"] == "take_back"
    ]
    assert numbers == [kept.tracks] and kept.tracks > 0


def test_steps_are_written_in_the_order_in_which_they_took_effect(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site = load_site(FALL / "site.yaml")
    ring = ByteRing("steps", 10**6)
    ring.want()
    pipeline = SteppedPipeline(site, load_rig(site.rig.file), ring)
    frames = next(sample_site.instants(site))
    searching, shown = threading.Event(), threading.Event()

    def detect(_: object) -> tuple[Detections, ...]:
        """Take longer than a panorama, as detection does."""
        searching.set()
        assert shown.wait(HANG_S)
        return ()

    monkeypatch.setattr(pipeline.detector, "detect", detect)
    seeing = threading.Thread(target=pipeline.see, args=(frames,))
    seeing.start()
    assert searching.wait(HANG_S)
    pipeline.show(frames)
    shown.set()
    seeing.join(HANG_S)
    steps = [json.loads(record) for record in ring.take()]
    assert [step["do"] for step in steps] == ["begin", "show", "see"]
    assert [step["number"] for step in steps] == [1, 2, 3]
    assert steps[1]["frames"] == steps[2]["frames"]


def altered(
    path: Path,
    out: Path,
    change: Callable[[dict[str, Any]], dict[str, Any] | None],
    *,
    heard: bool = True,
) -> Path:
    """Write a recording anew with other steps; none leaves a step out.

    Without what was `heard` there are no positions or alarms in it.
    """
    run = read_run(path)
    assert run is not None
    writer = RecordingWriter(out, SystemClock(), run)
    for channel, message in read_messages(path):
        if channel.metadata.get("kind") == "camera":
            handed = Handed(
                stream=json.dumps(channel.metadata),
                captured_at_ns=message.publish_time,
                number=message.sequence,
                key_frame=False,
                message=message.data,
            )
            writer.camera(handed)
        elif channel.metadata.get("kind") == "steps":
            step = change(json.loads(message.data))
            if step is not None:
                writer.step(json.dumps(step).encode())
    for record in read_recording(path) if heard else ():
        writer.message(record.topic, record.payload, record.at_ns)
    writer.close()
    return writer.path


def test_a_step_that_is_missing_is_told_of_and_what_differs_is_found(
    fall: Live, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (path,) = fall.files
    same = altered(path, tmp_path / "same.mcap", lambda step: step)
    assert rerun(capsys, same)[0] == 0
    seen = iter(range(1000))

    def without_the_tenth_search(step: dict[str, Any]) -> dict[str, Any] | None:
        return None if step["do"] == "see" and next(seen) == 10 else step

    code, out, err = rerun(capsys, altered(path, tmp_path / "less.mcap", without_the_tenth_search))
    assert code == 1
    assert "1 steps are missing in the recording" in err
    assert re.search(r"positions: differ at \d+ of \d+ instants, first at ", out)


@pytest.mark.parametrize(
    "change",
    [
        {"do": "see", "frames": "nonsense"},
        {"do": "see", "frames": [["cam1", "x"]]},
        {"do": "begin", "site": {}, "rig": "", "model_sha256": "", "provider": ""},
        {"do": "show", "at_ns": None, "frames": []},
        {"do": "adopt", "alarms": [{"id": 3}]},
        {"do": "distrust", "spreads": {"cam1": [[1]]}},
        {"do": "hear", "message": {"schema": "lamproom/tags/1"}},
        {"pipeline": "x"},
        {"do": []},
    ],
)
def test_steps_that_make_no_sense_are_one_clear_error(
    change: dict[str, Any], fall: Live, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = iter(range(100_000))

    def spoilt(step: dict[str, Any]) -> dict[str, Any]:
        return step | change if next(steps) == 5 else step

    code, out, err = rerun(capsys, altered(fall.files[0], tmp_path / "bad.mcap", spoilt))
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith("lamproom rerun: ")
    assert "Traceback" not in err


def test_a_recording_that_was_cut_off_is_repaired_with_what_a_rerun_needs(
    fall: Live, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = tmp_path / "cut.mcap"
    whole = fall.files[0].read_bytes()
    cut.write_bytes(whole[: len(whole) * 3 // 4])
    repaired, missing = repair(cut)
    assert any("the end is missing" in text for text in missing)
    assert read_run(repaired) == read_run(fall.files[0])
    results = [rerun(capsys, path) for path in (cut, repaired)]
    assert results[0][:2] == results[1][:2]
    # Positions are recorded at once, steps a little later: the last of them may be cut off.
    *lines, summary = results[1][1].splitlines()
    assert "instants compared" in summary
    assert all("did not come about again" in line for line in lines), "what is there is equal"
    assert results[1][2] == ""


def test_a_recording_without_cameras_is_judged_by_other_rules_or_refused(
    fall: Live, other_site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = read_run(fall.files[0])
    assert run is not None
    writer = RecordingWriter(tmp_path / "plain.mcap", SystemClock(), replace(run, cameras=""))
    for record in read_recording(fall.files[0]):
        writer.message(record.topic, record.payload, record.at_ns)
    writer.close()
    code, _, err = rerun(capsys, writer.path)
    assert code == 2
    assert "--record-cameras" in err
    code, out, err = rerun(capsys, writer.path, "--site", other_site)
    assert code == 1
    assert "gained:  restricted_zone all" in out
    assert "recorded positions are judged" in err
    assert "positions:" not in out, "they are the same ones"


def test_a_recording_whose_positions_or_steps_are_missing_can_not_be_compared(
    fall: Live, other_site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mute = altered(fall.files[0], tmp_path / "mute.mcap", lambda step: step, heard=False)
    idle = altered(fall.files[0], tmp_path / "idle.mcap", lambda step: None)
    run = read_run(fall.files[0])
    assert run is not None
    plain = RecordingWriter(tmp_path / "plain.mcap", SystemClock(), replace(run, cameras=""))
    plain.close()
    for path in (mute, idle, plain.path):
        code, out, err = rerun(capsys, path, "--site", other_site)
        assert (code, out) == (2, "")
        assert f"{path}: of " in err and "nothing can be compared" in err
    code, out, err = rerun(capsys, idle)
    assert (code, out) == (2, "")


def test_alarms_that_ended_after_a_recording_began_are_known_at_its_beginning(fall: Live) -> None:
    run = read_run(fall.files[0])
    assert run is not None
    (down,) = [one for one in fall.alarms if one.kind == "man_down" and one.state == "active"]
    ended = replace(down, state="cleared", captured_at_ns=down.captured_at_ns + 20)
    earlier = replace(down, id="another", raised_at_ns=down.raised_at_ns - 5)
    over = replace(earlier, state="cleared", captured_at_ns=down.captured_at_ns + 5)
    recorded = Results(alarms=[down, ended, earlier, over])
    recorded.places = {down.captured_at_ns + after_ns: {} for after_ns in (10, 30)}
    beginning = _beginning(run, recorded)
    assert beginning is not None
    assert beginning.alarms == (down,)


def test_a_recording_says_what_was_run_without_passwords(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    text = (FALL / "site.yaml").read_text(encoding="utf-8")
    text = text.replace("url: cam1.mp4", "url: 'rtsp://user:geheim@10.0.0.1/main'")
    text = text.replace("url: cam2.mp4", "url: 'rtsp://10.0.0.2/x?password=geheim'")
    text = text.replace("../rig.yaml", str(FALL.parent / "rig.yaml"))
    site.write_text(text, encoding="utf-8")
    options = RunOptions(site_file=site)
    run = run_record(options, 2, SystemClock(), ("cam1", "cam2"))
    writer = RecordingWriter(tmp_path / "run.mcap", SystemClock(), run)
    writer.close()
    assert read_run(writer.path) == run
    assert "geheim" not in str(run)
    assert "geheim" not in json.dumps(site_fields(options.site()))
    assert run.number == 2
    assert run.rig_yaml == (FALL.parent / "rig.yaml").read_text(encoding="utf-8")
    assert run.model_sha256 == hashlib.sha256(SHIPPED.read_bytes()).hexdigest()
    with writer.path.open("rb") as file:  # the field tool's own reader
        (metadata,) = make_reader(file).iter_metadata()
    assert metadata.name == "lamproom.run"
    assert metadata.metadata["software"].startswith("lamproom ")


def run_live(
    folder: Path,
    *,
    clip: Path = FALL,
    kill: Sequence[str] = (),
    until: Callable[[], bool] | None = None,
) -> list[Path]:
    """Run a whole gateway over a clip, in real time; gives its recordings.

    The services to `kill` are killed once there are positions. Else it runs to the clip's end, or
    over and over `until` something is so.
    """
    site = folder / "site.yaml"
    text = (clip / "site.yaml").read_text(encoding="utf-8").replace("url: cam", f"url: {clip}/cam")
    text = text.replace("../rig.yaml", "rig.yaml")
    (folder / "rig.yaml").write_bytes((clip.parent / "rig.yaml").read_bytes())
    site.write_text(f"{text}panorama: {{port: {free_port()}}}\n", encoding="utf-8")
    command = [sys.executable, "-m", "edge.main", "run", str(site), "--embedded-broker"]
    command += ["--broker", f"mqtt://127.0.0.1:{free_port()}", "--state", str(folder / "state")]
    command += ["--record", str(folder / "run.mcap"), "--record-cameras"]
    with (folder / "said").open("w", encoding="utf-8") as said:
        loop = ["--loop"] if kill or until else []
        process = subprocess.Popen([*command, *loop], stderr=said)
        try:
            if until is not None:
                wait_until(until, hang_s=SLOW_HANG_S, every_s=0.5)
                process.terminate()
            elif kill:
                wait_until(lambda: instants_in(folder) > 20, hang_s=SLOW_HANG_S, every_s=0.5)
                for name in kill:
                    os.kill(pid_below(process.pid, name), signal.SIGKILL)
                wait_until(lambda: instants_in(folder) > 60, hang_s=SLOW_HANG_S, every_s=0.5)
                process.terminate()
            assert process.wait(timeout=SLOW_HANG_S) == 0
        finally:
            process.kill()
            process.wait()
    return sorted(folder.glob("*.mcap"))


def instants_in(folder: Path) -> int:
    """Count the instants in the recordings so far."""
    count = 0
    for path in folder.glob("*.mcap"):
        with contextlib.suppress(RecordingError):  # nothing of it is on the disk yet
            count += sum(isinstance(one.body, Positions) for one in read_recording(path))
    return count


def test_a_whole_gateways_recording_gives_what_live_gave(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = run_live(tmp_path)
    code, out, err = rerun(capsys, *files)
    assert (code, err) == (0, "")
    found = re.search(
        r"(\d+) of \d+ instants compared, (\d+) alarms? about people, \d+ of cameras: equal", out
    )
    assert found is not None and int(found[1]) > 10
    sent = [one.body for one in read_recording(files[0])]
    assert sum(isinstance(body, PanoramaPacket) for body in sent) > 10
    alarms = {body.id for body in sent if isinstance(body, Anomaly) and body.kind == "man_down"}
    assert len(alarms) == int(found[2])


def test_a_pipeline_and_a_recorder_that_were_killed_leave_what_can_be_run_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = run_live(tmp_path, kill=("recorder", "pipeline"))
    assert len(files) == 2
    code, out, err = rerun(capsys, *files)
    assert code == 0, out + err
    assert "equal to live" in out
    assert "the end is missing" in err, "of the file whose recorder was killed"
    assert "in the recording" not in err, "the next recorder has what is missing"
