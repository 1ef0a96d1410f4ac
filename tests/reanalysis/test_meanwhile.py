"""While an archive is run again files grow, change and go, and somebody presses Ctrl-C."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge.reanalysis import segment
from edge.reanalysis.archive import WRITTEN_S, find
from edge.reanalysis.job import job_of, searches_on
from scene.errors import LamproomError, RecordingError
from tests.edge.recorded_live import Live
from tests.reanalysis.archive_of import LIMIT_S, told, until
from tests.reanalysis.set_clock import SetClock
from tests.reanalysis.test_archive import SAME, recording
from tests.reanalysis.test_reanalyse import command, kept


def test_what_is_still_being_written_to_is_left_out_until_it_is_finished(tmp_path: Path) -> None:
    path = recording(tmp_path / "one.mcap")
    path.write_bytes(path.read_bytes()[:-8])
    clock = SetClock()
    clock.at_ns = path.stat().st_mtime_ns + round((WRITTEN_S - 1) * 1e9)
    found = find([tmp_path], clock=clock)
    assert found.segments == ()
    assert [why for _, why in found.left_out] == [
        f"{path}: is still being written to: run it again when it is finished"
    ]
    clock.at_ns += round(2e9)  # whoever wrote it is gone
    assert [one.path for one in find([tmp_path], clock=clock).segments] == [path]


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"\0")


HAPPENS: dict[str, Callable[[Path], None]] = {"changed": grow, "taken away": Path.unlink}


@pytest.mark.parametrize("which", ["itself", "the one before"])
@pytest.mark.parametrize("what", HAPPENS)
def test_what_came_of_a_file_that_was_changed_meanwhile_is_no_result(
    falls: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, which: str
) -> None:
    before, path = (Path(shutil.copy2(one, tmp_path)) for one in falls.files[:2])
    job = job_of(find([tmp_path]).segments[1], SAME)
    changed = path if which == "itself" else before
    encoded = segment.encoded

    def meanwhile(body: dict[str, Any]) -> bytes:
        HAPPENS[what](changed)
        return encoded(body)

    monkeypatch.setattr(segment, "encoded", meanwhile)
    with pytest.raises(RecordingError) as error:
        segment.reanalysed(job)
    assert str(error.value) == (
        f"{changed}: was {what} while {path} was run again: give the same command again"
    )


def test_files_that_go_meanwhile_are_told_and_the_rest_is_done(falls: Live, tmp_path: Path) -> None:
    """As a recorder does that keeps so many days, and no more."""
    folder, out = tmp_path / "archive", tmp_path / "out"
    folder.mkdir()
    files = [Path(shutil.copy2(path, folder)) for path in falls.files]
    given = command(folder, "--jobs", 1, "-o", out)
    with subprocess.Popen(given, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        until(lambda: bool(kept(out)))
        files[3].unlink()
        _, said = run.communicate(timeout=LIMIT_S)
    assert run.returncode == 1, said
    found = told(out)
    assert [path for path, _ in found["not_read"]] == [str(files[3])]
    assert found["archive"]["segments"] == len(kept(out)) == 3
    assert "left out: " in said and "Traceback" not in said
    subprocess.run(given, check=True, timeout=LIMIT_S, stderr=subprocess.DEVNULL)
    assert told(out)["not_read"] == []


def test_ctrl_c_keeps_what_is_done_and_the_same_command_goes_on(
    falls: Live, tmp_path: Path
) -> None:
    """As a terminal tells it: to all processes at once."""
    out = tmp_path / "out"
    given = command(falls.files[0].parent, "--jobs", 2, "-o", out)
    with subprocess.Popen(
        given, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as stopped:
        until(lambda: bool(kept(out)))
        os.killpg(stopped.pid, signal.SIGINT)
        said, errors = stopped.communicate(timeout=LIMIT_S)
    assert (stopped.returncode, said) == (130, "")
    lines = errors.splitlines()
    assert lines[-1] == (
        "lamproom reanalyse: stopped. What is done is kept: give the same command again to go on"
    )
    assert all(line.startswith("lamproom reanalyse: ") for line in lines), errors
    there = len(kept(out))
    assert 1 <= there < 4
    done = subprocess.run(given, check=True, timeout=LIMIT_S, capture_output=True, text=True)
    assert f"{there} of 4 segments were done before" in done.stderr


def test_what_searches_on_something_else_is_not_mixed_in(
    falls: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A GPU moves a score in its last digits: what comes out there has another name."""
    (one,) = find([falls.files[0]]).segments
    here, there = job_of(one, SAME), job_of(one, SAME, "x86_64, CUDA")
    assert here.searches_on == searches_on()
    assert here.key != there.key and here.name != there.name
    with pytest.raises(LamproomError, match=r"searches on .*, CPU here and not on x86_64, CUDA"):
        segment.reanalysed(there)
