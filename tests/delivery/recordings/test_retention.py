"""The oldest recordings go, and nothing else ever does."""

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from delivery.recordings.format import PROFILE
from delivery.recordings.keep import Keep, read_keep
from delivery.recordings.retention import EVEN_FOR_S, ROOM_EVERY_S, Retention
from delivery.recordings.run_record import RunRecord
from delivery.recordings.writer import RecordingWriter
from scene.clock import SystemClock
from scene.errors import RecordingError

DAY_S = 86_400.0
NOW_S = time.time()


RUN = RunRecord(
    site="north",
    gateway="gw1",
    software="lamproom",
    started_at="2026-11-30T00:00:00Z",
    file_number="1",
    site_yaml="",
    rig_yaml="",
    model="people.onnx",
    model_sha256="0",
)


def recording(
    path: Path, age_days: float, size_bytes: int = 100_000, run: RunRecord | None = RUN
) -> Path:
    """Write a real recording, made larger and older."""
    writer = RecordingWriter(path, SystemClock(), run)
    writer.close()
    with writer.path.open("ab") as file:
        file.write(os.urandom(size_bytes))
    os.utime(writer.path, (NOW_S - age_days * DAY_S,) * 2)
    return writer.path


@pytest.fixture
def said() -> list[str]:
    return []


class Tended:
    """A folder whose recordings are looked after; both clocks go as told."""

    def __init__(self, folder: Path, keep: Keep, said: list[str]) -> None:
        self.folder, self.wall_s, self.monotonic_s = folder, NOW_S, 1000.0
        self._retention = Retention(
            folder / "run.mcap", keep, said.append, site="north", gateway="gw1"
        )

    def after(self, seconds: float, **more: object) -> set[str]:
        """Tend once after a while; gives the names that are left."""
        self.wall_s += seconds
        self.monotonic_s += seconds
        writing = more.pop("writing", ())
        self._retention.tend(self.wall_s, self.monotonic_s, writing, **more)  # type: ignore[arg-type]
        return names(self.folder)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def tend(folder: Path, keep: Keep, said: list[str], **more: object) -> set[str]:
    """Delete until nothing more goes; gives the names that are left."""
    tended = Tended(folder, keep, said)
    tended.after(0.0, **more)
    for path in folder.iterdir():  # an hour passes for the clocks, and for the files
        status = path.stat(follow_symlinks=False)
        at_s = status.st_mtime + EVEN_FOR_S
        os.utime(path, (at_s, at_s), follow_symlinks=False)
    left, before = tended.after(EVEN_FOR_S, **more), None
    while left != before:
        left, before = tended.after(0.0, **more), left
    return left


def test_files_that_are_too_old_go_and_each_is_said(tmp_path: Path, said: list[str]) -> None:
    for age in (40, 31, 29, 1):
        recording(tmp_path / "run.mcap", age)
    left = tend(tmp_path, Keep(age_s=30 * DAY_S), said)
    assert left == {"run-3.mcap", "run-4.mcap"}
    assert [text.partition(":")[0] for text in said] == [
        str(tmp_path / "run.mcap"),
        str(tmp_path / "run-2.mcap"),
    ]
    assert all("older than 30 days" in text for text in said)


def test_the_oldest_go_until_all_together_fit(tmp_path: Path, said: list[str]) -> None:
    for age in (4, 3, 2, 1):
        recording(tmp_path / "run.mcap", age, 1_000_000)
    left = tend(tmp_path, Keep(size_bytes=2_500_000), said)
    assert left == {"run-3.mcap", "run-4.mcap"}
    assert len(said) == 2
    assert tend(tmp_path, Keep(size_bytes=2_500_000), said) == left


def test_without_a_limit_nothing_is_deleted_though_the_disk_is_full(
    tmp_path: Path, said: list[str]
) -> None:
    recording(tmp_path / "run.mcap", 400)
    assert tend(tmp_path, Keep(), said, has_room=False) == {"run.mcap"}
    assert not said


def test_where_there_is_no_room_the_oldest_goes_and_a_minute_later_the_next(
    tmp_path: Path, said: list[str]
) -> None:
    for age in (4, 3, 2, 1):
        recording(tmp_path / "run.mcap", age)
    tended = Tended(tmp_path, Keep(size_bytes=1e12), said)
    one_less = {"run-2.mcap", "run-3.mcap", "run-4.mcap"}
    assert tended.after(0.0, has_room=False) == one_less
    # The disk gives room back late: a file system that frees later, a reader that still has it.
    assert tended.after(10.0, has_room=False) == one_less
    assert tended.after(ROOM_EVERY_S, has_room=True) == one_less
    assert tended.after(10.0, has_room=False) == {"run-3.mcap", "run-4.mcap"}
    assert all("the disk was nearly full" in text for text in said)


def test_by_age_one_file_goes_at_a_time_and_none_while_the_clock_is_in_doubt(
    tmp_path: Path, said: list[str]
) -> None:
    for age in (40, 35, 2):
        recording(tmp_path / "run.mcap", age)
    everything = names(tmp_path)
    tended = Tended(tmp_path, Keep(age_s=30 * DAY_S), said)
    assert tended.after(0.0) == everything, "no clock has been seen going yet"
    assert tended.after(EVEN_FOR_S - 1) == everything
    tended.wall_s += 365 * DAY_S
    assert tended.after(10.0) == everything, "the clock has just jumped"
    assert tended.after(EVEN_FOR_S - 1) == everything
    tended.wall_s -= 365 * DAY_S
    assert tended.after(10.0) == everything
    assert tended.after(EVEN_FOR_S) == {"run-2.mcap", "run-3.mcap"}
    assert tended.after(10.0) == {"run-3.mcap"}
    assert tended.after(10.0) == {"run-3.mcap"}


def test_the_number_says_which_file_is_the_oldest_whatever_the_clock_said(
    tmp_path: Path, said: list[str]
) -> None:
    ages = (3, NOW_S / DAY_S, -400, 1)  # the second is from 1970, the third from next year
    for age in ages:
        recording(tmp_path / "run.mcap", age, 1_000_000)
    assert tend(tmp_path, Keep(age_s=2 * DAY_S), said) == {
        *("run-2.mcap", "run-3.mcap", "run-4.mcap")
    }, "those of a wrong clock are as old as the one after them"
    assert tend(tmp_path, Keep(size_bytes=2_500_000), said) == {"run-3.mcap", "run-4.mcap"}


def test_protected_files_leave_the_limit_to_the_others(tmp_path: Path, said: list[str]) -> None:
    for age in (4, 3, 2, 1):
        recording(tmp_path / "run.mcap", age, 1_000_000)
    for name in ("run.mcap", "run-2.mcap"):
        (tmp_path / f"{name}.keep").touch()
    everything = names(tmp_path)
    assert tend(tmp_path, Keep(size_bytes=2_500_000), said) == everything


def test_a_protected_file_and_one_that_is_written_stay(tmp_path: Path, said: list[str]) -> None:
    for age in (50, 40, 35):
        recording(tmp_path / "run.mcap", age, 1_000_000)
    (tmp_path / "run.mcap.keep").touch()
    os.symlink("nowhere", tmp_path / "run-3.mcap.keep")
    recording(tmp_path / "run.mcap", 60)
    recording(tmp_path / "run.mcap", 0)
    left = tend(
        tmp_path,
        Keep(size_bytes=1, age_s=DAY_S),
        said,
        writing=[tmp_path / "run-4.mcap"],
        has_room=False,
    )
    assert left == {
        *("run.mcap", "run.mcap.keep", "run-3.mcap", "run-3.mcap.keep"),
        *("run-4.mcap", "run-5.mcap"),
    }, "nor one that somebody may be writing"


def test_nothing_but_the_familys_own_recordings_is_ever_deleted(
    tmp_path: Path, said: list[str]
) -> None:
    folder, elsewhere = tmp_path / "recordings", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    precious = recording(elsewhere / "incident.mcap", 100)
    others = ["run2.mcap", "run-x.mcap", "run-02.mcap", "other.mcap", "run.mcap.bak", "arun.mcap"]
    others += ["run-1.mcap", "run-20251130.mcap", "run-2-2.mcap"]
    for name in others:
        recording(folder / name, 100)
    recording(folder / "run.mcap", 100)
    (folder / "run-2.mcap").symlink_to(precious)
    (folder / "run-3.mcap").mkdir()
    os.mkfifo(folder / "run-4.mcap")
    (folder / "run-5.mcap").write_bytes(b"somebody's notes")
    foreign = recording(folder / "run-6.mcap", 100)
    data = foreign.read_bytes().replace(PROFILE.encode(), b"ros2prof", 1)
    foreign.write_bytes(data)
    (folder / "run-7.mcap").write_bytes(b"")
    (folder / "run-8.mcap").symlink_to(folder / "run.mcap")
    runs = {9: replace(RUN, gateway="gw2"), 10: replace(RUN, site="south"), 11: None}
    for number, run in runs.items():
        elses = recording(elsewhere / "else.mcap", 100, 0, run)
        with elses.open("ab") as file:
            file.write(b"\xff" * 20)  # no record
        elses.rename(folder / f"run-{number}.mcap")
    for path in folder.iterdir():
        os.utime(path, (NOW_S - 100 * DAY_S,) * 2, follow_symlinks=False)
    before = {path.name for path in folder.iterdir()}
    keep = Keep(size_bytes=1, age_s=DAY_S)
    assert tend(folder, keep, said, has_room=False) == before - {"run.mcap"}
    assert precious.exists()
    assert len(said) == 1


def test_a_file_that_can_not_be_deleted_is_said_and_the_next_one_goes(
    tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for age in (4, 3):
        recording(tmp_path / "run.mcap", age)
    unlink = os.unlink

    def refuse(name: str, *, dir_fd: int) -> None:
        if name == "run.mcap":
            raise PermissionError(1, "Operation not permitted")
        unlink(name, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", refuse)
    assert tend(tmp_path, Keep(age_s=DAY_S), said) == {"run.mcap"}
    assert "can't be deleted" in said[0]
    assert "deleted (" in said[1]


def test_a_name_is_not_given_again_when_the_oldest_file_is_gone(
    tmp_path: Path, said: list[str]
) -> None:
    for age in (40, 2, 1):
        recording(tmp_path / "run.mcap", age)
    (tmp_path / "run-x.mcap").touch()
    (tmp_path / "run-99.mcap.keep").touch()
    tend(tmp_path, Keep(age_s=30 * DAY_S), said)
    assert recording(tmp_path / "run.mcap", 0).name == "run-4.mcap"


def test_a_folder_that_is_not_there_is_no_trouble(tmp_path: Path, said: list[str]) -> None:
    folder = tmp_path / "none"
    retention = Retention(
        folder / "run.mcap", Keep(age_s=1.0), said.append, site="north", gateway="gw1"
    )
    assert retention.tend(NOW_S, 0.0, ()) == 0
    assert not said


@pytest.mark.parametrize(
    ("text", "keep"),
    [
        ("200GB,30d", Keep(size_bytes=200e9, age_s=30 * DAY_S)),
        ("12h", Keep(age_s=43_200.0)),
        ("1.5TB", Keep(size_bytes=1.5e12)),
        ("2w, 500 MB", Keep(size_bytes=500e6, age_s=14 * DAY_S)),
    ],
)
def test_limits_are_read(text: str, keep: Keep) -> None:
    assert read_keep(text) == keep


@pytest.mark.parametrize("text", ["", "30", "0d", "200GB,1TB", "1d,2d", "-5d", "30 days", "5Gb"])
def test_limits_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(RecordingError, match="such as 200GB,30d"):
        read_keep(text)
