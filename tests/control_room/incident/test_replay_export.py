"""The page of a replay exports from the recording that it plays."""

import contextlib
import errno
import os
import shutil
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from control_room.incident.api import Exports
from control_room.incident.jobs import Jobs, _put
from control_room.incident.verify import verify
from control_room.replay.command import Steered
from control_room.replay.outlets import page_outlet
from control_room.replay.player import Player
from control_room.replay.recorded_clock import RecordedClock
from control_room.replay.recording import open_recording
from control_room.server import serving
from delivery.signing import public_keys_of
from delivery.stream import stream_packets
from scene.clock import SystemClock
from tests.control_room.conftest import Tab
from tests.control_room.fake_gateway import alarm
from tests.control_room.incident.recordings import at, record, told
from tests.control_room.replay_stage import known_of
from tests.delivery.keys import pair

SITE_YAML = """
version: 1
site: roadway
gateway: gw1
cameras: [{name: c1, url: clips/not-here.mp4}]
rig: {mount: {xyz_m: [0, 0, 2.5]}}
floor: {centre_line_m: [[0, 0, 0], [40, 0, 0]]}
"""
LOST = alarm("camera_lost-1", at_ns=at(1), kind="camera_lost", track=None, camera="c1")


def test_the_page_of_a_replay_exports_from_the_file_that_has_the_alarm(
    tmp_path: Path, tab: Tab
) -> None:
    private, public = pair(tmp_path, "room")
    path = record(tmp_path / "run.mcap", 6, (1, LOST), site=told(SITE_YAML))
    later = record(tmp_path / "run-2.mcap", 3, site=told(SITE_YAML), begins=60)
    recording = open_recording(later, print, path)
    kept = tmp_path / "exports"
    raised = datetime.fromtimestamp(LOST.raised_at_ns / 1e9, UTC)
    name = raised.strftime("incident-%Y%m%dT%H%M%SZ")
    kept.mkdir()
    (kept / f"{name}.zip").write_text("made before")
    (kept / "of-interest").mkdir()  # somebody's own
    known, clock = known_of(recording), RecordedClock(recording.from_ns)
    with contextlib.ExitStack() as stack:
        page = stack.enter_context(page_outlet(recording, clock))
        player = Player(recording, known, [page], SystemClock(), clock, speed=1.0)
        jobs = stack.enter_context(contextlib.closing(Jobs(print, kept, lasting=True)))
        exports = Exports(
            recordings=later,
            key_file=private,
            jobs=jobs,
            file_at=lambda at_ns: recording.file.part_at(at_ns).path,
        )
        steered = Steered(page, player)
        url = stack.enter_context(
            serving(page.room, stream_packets, played=steered, exports=exports)
        )
        thread = threading.Thread(target=player.run, name="player")
        thread.start()
        stack.callback(thread.join)
        stack.callback(player.close)
        opened = tab.open(url)
        opened.locator("button[data-kind='camera_lost']").first.click()
        with opened.expect_download(timeout=120_000) as download:
            opened.locator("#details .actions .export").click()
        download.value.save_as(tmp_path / "got.zip")
    verdict = verify(tmp_path / "got.zip", public_keys_of(public))
    assert (verdict.faults, verdict.doubts) == ((), ())
    assert verdict.told["alarm"] == LOST.id
    # It outlives the replay, over nothing that was there, and nothing else does.
    zips = {f"{name}.zip", f"{name}-2.zip"}
    assert {one.name for one in kept.iterdir()} == {"of-interest", *zips}
    assert (kept / f"{name}.zip").read_text() == "made before"
    assert (kept / f"{name}-2.zip").read_bytes() == (tmp_path / "got.zip").read_bytes()


def test_a_zip_is_kept_as_well_where_files_have_but_one_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, kept = tmp_path / "made.zip", tmp_path / "kept.zip"
    archive.write_bytes(b"evidence")

    def refused(*_paths: object) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(os, "link", refused)
    _put(archive, kept)
    assert kept.read_bytes() == b"evidence"
    with pytest.raises(FileExistsError):
        _put(archive, kept)
    monkeypatch.setattr(shutil, "copyfileobj", refused)
    with pytest.raises(OSError, match="not supported"):
        _put(archive, tmp_path / "half.zip")
    assert not (tmp_path / "half.zip").exists(), "nobody may take half of it for all"
