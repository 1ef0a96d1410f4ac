"""Recordings are found by what they say of themselves, and a result is named by all it rests on."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from delivery.recordings.run_record import RunRecord
from delivery.recordings.writer import RecordingWriter
from edge.reanalysis.archive import find
from edge.reanalysis.job import Trial, job_of
from edge.reanalysis.progress import searching
from scene.clock import SystemClock
from scene.errors import LamproomError
from scene.site import load_site
from tests.edge.recorded_live import FALL
from tests.reanalysis.set_clock import SetClock

RUN = RunRecord(
    site="s",
    gateway="gw1",
    software="lamproom",
    started_at="2026-11-30T10:00:00+00:00",
    file_number="1",
    site_yaml="",
    rig_yaml="",
    model="m.onnx",
    model_sha256="00",
)
SAME = Trial(sites={}, model=None)


def recording(path: Path, **what: str) -> Path:
    """Write a recording with nothing in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = RecordingWriter(path, SystemClock(), replace(RUN, **what))
    writer.close()
    return writer.path


def test_files_are_ordered_by_gateway_and_time_whatever_their_names(tmp_path: Path) -> None:
    late = recording(tmp_path / "a.mcap", started_at="2026-11-30T11:00:01+00:00")
    early = recording(tmp_path / "deep" / "er" / "b.mcap")
    other = recording(tmp_path / "c.mcap", gateway="gw2")
    months = recording(tmp_path / "d.mcap", started_at="2026-08-01T11:00:00+02:00")
    found = find([tmp_path, late])  # one that is named twice is one
    assert [one.path for one in found.segments] == [months, early, late, other]
    assert [one.before for one in found.segments] == [(), (), (early,), ()]
    assert found.left_out == ()


def test_what_can_not_be_used_is_told_and_stops_nothing(tmp_path: Path) -> None:
    good = recording(tmp_path / "good.mcap")
    shutil.copy(good, tmp_path / "zz-copy.mcap")
    (tmp_path / "noise.mcap").write_bytes(os.urandom(5000))
    (tmp_path / "empty.mcap").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("no recording")
    plain = RecordingWriter(tmp_path / "plain.mcap", SystemClock())
    plain.close()
    recording(tmp_path / "when.mcap", started_at="yesterday")
    (tmp_path / "gone.mcap").symlink_to(tmp_path / "nothing")
    found = find([tmp_path])
    assert [one.path for one in found.segments] == [good]
    assert {path.name for path, _ in found.left_out} == {
        *("zz-copy.mcap", "noise.mcap", "empty.mcap", "plain.mcap", "when.mcap", "gone.mcap"),
    }
    assert all(str(path) in why for path, why in found.left_out)
    with pytest.raises(LamproomError, match="no such file or folder"):
        find([tmp_path / "nowhere"])


def test_a_long_search_says_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(3):
        recording(tmp_path / f"{number}.mcap", started_at=f"2026-11-30T1{number}:00:00+00:00")
    clock = SetClock()
    with searching(clock) as tell:
        find([tmp_path], tell)
        assert capsys.readouterr().err == "", "not yet"
        monkeypatch.setattr("edge.reanalysis.progress.TELL_EVERY_S", 0.0)
        find([tmp_path], tell)
    lines = [
        line.removeprefix("lamproom reanalyse: ") for line in capsys.readouterr().err.split("\n")
    ]
    assert lines == [
        *(f"{number} recordings found" for number in (1, 2, 3)),
        *(f"{number} of 3 recordings looked at" for number in (1, 2, 3)),
        "",
    ]


def test_links_to_folders_are_followed_and_never_round_and_round(tmp_path: Path) -> None:
    one = recording(tmp_path / "disk" / "deep" / "one.mcap")
    archive = tmp_path / "archive"
    archive.mkdir()
    (archive / "disk").symlink_to(tmp_path / "disk")
    (tmp_path / "disk" / "back").symlink_to(archive)
    assert [path.path.resolve() for path in find([archive]).segments] == [one]


def test_a_folder_that_can_not_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = recording(tmp_path / "good.mcap")
    lost = recording(tmp_path / "lost" / "one.mcap").parent
    scan = os.scandir

    def refused(place: str) -> object:
        if Path(place) == lost:
            raise PermissionError(13, "Permission denied", place)
        return scan(place)

    monkeypatch.setattr(os, "scandir", refused)
    found = find([tmp_path])
    assert [one.path for one in found.segments] == [good]
    assert found.left_out == ((lost, f"{lost}: this folder can't be read: Permission denied"),)


def test_a_result_is_named_by_all_that_it_rests_on(tmp_path: Path) -> None:
    first = recording(tmp_path / "a" / "1.mcap", site="event-fall")
    recording(tmp_path / "a" / "2.mcap", site="event-fall", started_at="2026-11-30T11:00:00+00:00")

    def keys(trial: Trial = SAME, folder: str = "a") -> list[str]:
        return [job_of(one, trial).key for one in find([tmp_path / folder]).segments]

    before = keys()
    assert len(set(before)) == 2
    shutil.copytree(tmp_path / "a", tmp_path / "b")  # times go with it
    assert keys(folder="b") == before, "where a file lies does not count"
    site = load_site(FALL / "site.yaml")
    gateway = ("event-fall", "gw1")
    assert job_of(find([first]).segments[0], SAME).key == before[0]
    ruled = keys(Trial(sites={gateway: site}, model=None))
    assert not set(ruled) & set(before)
    quick = site.limits.man_down.model_copy(update={"after_s": 1.0})
    changed = site.model_copy(update={"limits": site.limits.model_copy(update={"man_down": quick})})
    assert not set(keys(Trial(sites={gateway: changed}, model=None))) & set(ruled)
    elsewhere = site.model_copy(
        update={"broker": site.broker.model_copy(update={"url": "mqtt://x"})}
    )
    assert keys(Trial(sites={gateway: elsewhere}, model=None)) == ruled, "only what counts"
    model = tmp_path / "m.onnx"
    model.write_bytes(b"one")
    searched = keys(Trial(sites={}, model=model))
    assert not set(searched) & set(before)
    model.write_bytes(b"two")
    assert not set(keys(Trial(sites={}, model=model))) & set(searched)
    state = first.stat()
    os.utime(first, ns=(state.st_atime_ns, state.st_mtime_ns // 10**9 * 10**9))
    assert keys() == before, "a copy may have whole seconds only"
    os.utime(first, (state.st_atime, state.st_mtime + 2))  # as if it had been fetched anew
    now = keys()
    assert now[0] != before[0] and now[1] != before[1], "the next one's run-in is in it"


def test_no_password_leaves_with_a_job(tmp_path: Path) -> None:
    recording(tmp_path / "1.mcap", site="event-fall")
    text = (FALL / "site.yaml").read_text(encoding="utf-8")
    text = text.replace("url: cam1.mp4", "url: 'rtsp://user:geheim@10.0.0.1/main'")
    text = text.replace("url: cam2.mp4", f"url: {FALL}/cam2.mp4")
    site_file = tmp_path / "site.yaml"
    site_file.write_text(text.replace("../rig.yaml", str(FALL.parent / "rig.yaml")), "utf-8")
    site = load_site(site_file)
    job = job_of(
        find([tmp_path]).segments[0], Trial(sites={(site.site, site.gateway): site}, model=None)
    )
    assert "10.0.0.1" in str(job)
    assert "geheim" not in str(job)
