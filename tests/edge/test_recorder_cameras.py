"""The recorder takes in what cameras send and what the pipeline does, and makes room for it."""

import os
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from delivery.broker import EmbeddedBroker
from delivery.recordings.keep import Keep, read_keep
from delivery.recordings.reader import read_recording
from delivery.recordings.rerun_records import (
    Gap,
    RecordedPacket,
    RecordedStep,
    read_for_a_rerun,
)
from delivery.recordings.run_record import read_run
from edge import recorder, recording_intake, storage_watch
from edge.byte_ring import ByteRing
from edge.cameras.file import FileCamera
from edge.cameras.tap import CameraTap
from edge.line import new_door
from edge.options import RunOptions
from edge.recorder import Recordings
from edge.rerun_frames import Redecoder
from edge.services import Context, Signs
from edge.taps import Taps
from scene.clock import SystemClock
from scene.errors import RecordingError
from tests.delivery.parts import SITE, free_port, wait_until
from tests.edge.camera_clips import write_clip

START_NS = 1_790_000_000_000_000_000


class Cameras:
    """One camera's process and a pipeline, as far as the recorder sees them."""

    def __init__(self, folder: Path, ring_bytes: int = 8_000_000) -> None:
        self.taps = Taps(packets={"c1": ByteRing("c1", ring_bytes)}, steps=ByteRing("steps", 10**6))
        clip = write_clip(folder / "clip.mp4", frames=40, options={"g": "10", "bf": "0"})
        self._frames = FileCamera(
            "c1",
            clip,
            SystemClock(),
            pace="as_fast_as_possible",
            loop=True,
            start_at_ns=START_NS,
            tap=CameraTap(self.taps.packets["c1"]),
        ).frames()
        self.shown: list[int] = []

    def play(self, frames: int) -> None:
        for _ in range(frames):
            self.shown.append(next(self._frames).captured_at_ns)
            self.taps.steps.put(b'{"do":"show","number":%d}' % len(self.shown))


@contextmanager
def recording(folder: Path, taps: Taps, **options: object) -> Iterator[tuple[Recordings, Signs]]:
    site = folder / "site.yaml"
    site.write_text(f"{SITE}panorama: {{port: {free_port()}}}\n", encoding="utf-8")
    door_out, door_in = new_door()
    with EmbeddedBroker() as broker, door_out, door_in:
        given = RunOptions(
            site_file=site,
            broker_url=broker.url,
            record=folder / "run.mcap",
            record_cameras=True,
            **options,  # type: ignore[arg-type]
        )
        signs = Signs()
        context = Context(options=given, door_out=door_out, door_in=door_in, signs=signs, taps=taps)
        recordings = Recordings(context, SystemClock())
        recordings.look()
        try:
            yield recordings, signs
        finally:
            recordings.end()


def shown_in(path: Path) -> list[int]:
    """List the capture times of the pictures that a file gives by itself."""
    camera = Redecoder("c1")
    return [
        at_ns
        for record in read_for_a_rerun(path, lambda _: None)
        if isinstance(record, RecordedPacket)
        for at_ns, _ in camera.decoded(record.packet)
    ]


def steps_in(path: Path) -> list[int]:
    return [
        record.fields["number"]
        for record in read_for_a_rerun(path, lambda _: None)
        if isinstance(record, RecordedStep)
    ]


def low(small: pytest.MonkeyPatch) -> None:
    """Have the disk be smaller than what is to stay free."""
    small.setattr(storage_watch, "LOW_BYTES", 10**18)
    small.setattr(storage_watch, "LOW_SHARE", 1.1)


@pytest.fixture(autouse=True)
def room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have room, whatever is left of this machine's own disk, and no pause."""
    monkeypatch.setattr(recorder, "PAUSE_S", 0.0)
    monkeypatch.setattr(storage_watch, "LOW_BYTES", 0)
    monkeypatch.setattr(storage_watch, "LOW_NODES_SHARE", 0.0)


def test_packets_and_steps_are_recorded_and_a_new_file_begins_with_a_key_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cameras = Cameras(tmp_path)
    with recording(tmp_path, cameras.taps) as (recordings, signs):
        cameras.play(25)
        with monkeypatch.context() as small:
            low(small)
            recordings.look()
            assert signs.paused.value == 1
            cameras.play(10)  # nobody takes these
            recordings.look()
        recordings.look()
        cameras.play(30)
    first, second = tmp_path / "run.mcap", tmp_path / "run-2.mcap"
    # A camera's process hands a packet over once its picture has been taken from it.
    assert shown_in(first) == cameras.shown[:24]
    assert steps_in(first) == list(range(1, 26))
    # The 31st frame is the last key frame before the file was begun.
    assert shown_in(second) == cameras.shown[30:-1]
    assert steps_in(second) == list(range(36, 66)), "what was paused is not caught up"
    for path, number in ((first, 1), (second, 2)):
        run = read_run(path)
        assert run is not None and run.number == number and run.cameras == "c1"
        missing: list[str] = []
        list(read_recording(path, on_missing=missing.append))
        assert missing == [], "who reads messages is not troubled by packets"
        gaps = [one for one in read_for_a_rerun(path, missing.append) if isinstance(one, Gap)]
        assert gaps == [] and missing == []


def test_what_a_late_recorder_has_missed_is_in_the_recording_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cameras = Cameras(tmp_path, ring_bytes=30_000)
    with recording(tmp_path, cameras.taps) as (recordings, _):
        assert recordings._intake is not None
        with recordings._intake._working:  # it stands still
            cameras.play(60)
        wait_until(lambda: cameras.taps.packets["c1"].lost > 0)
    gaps = [
        record
        for record in read_for_a_rerun(tmp_path / "run.mcap", lambda _: None)
        if isinstance(record, Gap)
    ]
    assert {gap.of for gap in gaps} == {"c1"}
    assert sum(gap.records for gap in gaps) == cameras.taps.packets["c1"].lost
    assert "packets are missing in the recording, so far: c1 " in capsys.readouterr().err


def odd(stream: bytes, at_ns: int = START_NS) -> bytes:
    """Write a camera's record as only a process that went wrong leaves it."""
    return struct.pack("<HqIB", len(stream), at_ns, 1, 1) + stream + b"x"


def test_a_record_that_makes_no_sense_is_left_out_and_counted_and_the_rest_is_recorded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cameras = Cameras(tmp_path)
    ring = cameras.taps.packets["c1"]
    sense = b'{"kind":"camera","camera":"c1"}'
    records = [odd(sense, -5), odd(b"[]"), odd(b"{}"), odd(b"nonsense"), odd(b"[" * 60_000), b""]
    records.append(odd(rb'{"camera":"\ud800"}'))
    with recording(tmp_path, cameras.taps) as (recordings, _):
        cameras.play(12)
        for record in records:
            ring.put(record)
        cameras.play(12)
        wait_until(lambda: cameras.taps.steps.place.number == 24)
        recordings.look()
    path = tmp_path / "run.mcap"
    assert shown_in(path) == cameras.shown[:23]
    assert steps_in(path) == list(range(1, 25))
    gaps = [one for one in read_for_a_rerun(path, lambda _: None) if isinstance(one, Gap)]
    assert sum(gap.records for gap in gaps if gap.of == "c1") == len(records)
    assert capsys.readouterr().err.count("a record is left out") == 1


def test_the_recorder_ends_with_an_error_when_what_cameras_send_is_not_taken_in_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cameras = Cameras(tmp_path)
    with recording(tmp_path, cameras.taps) as (recordings, _):
        assert recordings._intake is not None

        def fail(_: object) -> None:
            raise ZeroDivisionError("a mistake of ours")

        with monkeypatch.context() as broken:
            broken.setattr(recordings._intake, "_round", fail)
            recordings._intake._thread.join(60.0)
        with pytest.raises(RecordingError, match=r"not taken in any more.*a mistake of ours"):
            recordings.look()


def test_a_recorder_that_dies_is_followed_by_one_that_misses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording_intake, "SAFE_S", 1e9)
    cameras = Cameras(tmp_path)
    with recording(tmp_path, cameras.taps) as (first, _):
        cameras.play(12)
        assert first._intake is not None
        wait_until(lambda: cameras.taps.steps.place.number == 12)
        first._intake._over.set()  # it takes no more, and is not asked to finish
        first._intake._thread.join()
        first._intake = None
        cameras.play(12)
        with recording(tmp_path, forgotten(cameras.taps)):
            cameras.play(12)
    # The last seconds may not have been on the disk when it died: they are recorded once more.
    assert steps_in(tmp_path / "run.mcap") == list(range(1, 13))
    assert steps_in(tmp_path / "run-2.mcap") == list(range(1, 37))
    assert cameras.taps.packets["c1"].lost == 0


def test_what_is_surely_on_the_disk_is_not_recorded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording_intake, "SAFE_S", 0.0)
    cameras = Cameras(tmp_path)
    with recording(tmp_path, cameras.taps):
        cameras.play(12)
        wait_until(lambda: forgotten(cameras.taps).steps.place.number == 12)
    with recording(tmp_path, forgotten(cameras.taps)):
        cameras.play(3)
    assert steps_in(tmp_path / "run-2.mcap") == [13, 14, 15]


def forgotten(taps: Taps) -> Taps:
    """Give the same memory as another process has it, which knows nothing else."""

    def again(ring: ByteRing) -> ByteRing:
        return ByteRing(ring.name, ring._size, fd=os.dup(ring._fd))

    packets = {name: again(ring) for name, ring in taps.packets.items()}
    return Taps(packets=packets, steps=again(taps.steps))


def test_old_files_go_before_recording_would_stop_and_only_where_that_is_wished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old = tmp_path / "run-7.mcap"
    cameras = Cameras(tmp_path)
    with recording(tmp_path, cameras.taps):
        cameras.play(5)
    (tmp_path / "run.mcap").rename(old)
    os.utime(old, (time.time() - 3600,) * 2)
    free = [storage_watch.Room(folder=tmp_path, free_bytes=0, size_bytes=10**9)]

    trouble = ""

    def look_at(folder: Path) -> storage_watch.Room:
        """Tell of a disk that is nearly full until the old file is gone."""
        return storage_watch.Room(
            folder=folder,
            free_bytes=0 if old.exists() else 10**9,
            size_bytes=10**9,
            trouble=trouble,
        )

    monkeypatch.setattr(recorder, "look_at", look_at)
    monkeypatch.setattr(storage_watch, "LOW_BYTES", 10**8)
    assert free[0].low
    with recording(tmp_path, cameras.taps) as (_, signs):
        assert signs.paused.value == 1
        assert old.exists(), "nobody has said that anything may be deleted"
    trouble = "its disk can only be read; mend it"
    with recording(tmp_path, cameras.taps, record_keep=read_keep("30d")) as (_, signs):
        assert signs.paused.value == 1
        assert old.exists(), "deleting gives no room there"
    trouble = ""
    with recording(tmp_path, cameras.taps, record_keep=read_keep("30d")) as (_, signs):
        assert signs.paused.value == 0
        assert not old.exists()
    said = capsys.readouterr().err
    assert f"{old}: deleted (" in said
    assert "the disk was nearly full" in said


def test_a_whole_runs_writer_is_never_held_up_by_the_recorder(tmp_path: Path) -> None:
    cameras = Cameras(tmp_path)
    with recording(tmp_path, cameras.taps) as (recordings, _):
        assert recordings._intake is not None
        with recordings._intake._working:
            playing = threading.Thread(target=cameras.play, args=(200,))
            playing.start()
            playing.join(60.0)
            assert not playing.is_alive()


def test_how_long_recordings_are_kept_is_said_by_the_site_file_or_by_the_command_line(
    tmp_path: Path,
) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(SITE, encoding="utf-8")
    assert not RunOptions(site_file=site).keep(RunOptions(site_file=site).site()).wanted
    site.write_text(f"{SITE}recording: {{keep_gb: 1.5, keep_days: 2}}\n", encoding="utf-8")
    options = RunOptions(site_file=site)
    assert options.keep(options.site()) == Keep(size_bytes=1.5e9, age_s=172_800.0)
    given = replace(options, record_keep=read_keep("12h"))
    assert given.keep(given.site()) == Keep(age_s=43_200.0)
