"""The file that keeps people's numbers over a restart."""

import os
from pathlib import Path

import pytest

from edge.people_file import NAME, PeopleFile
from location.person import Kept, KeptPerson

HANG_S = 60.0
KEPT = Kept(
    at_ns=5,
    tracks=9,
    people=(
        KeptPerson(
            track=9,
            at_ns=5,
            xy_m=(1.0, 2.0),
            covariance_m2=((0.1, 0.0), (0.0, 0.1)),
            steady_m_s=(1.2, 0.0),
            seen_at_ns=5,
            born_at_ns=1,
            share=1.0,
            covering=2,
            hits=30,
            cameras=("cam1",),
            heights=((5, 1.8),),
        ),
    ),
)


def saved(folder: Path) -> None:
    file = PeopleFile(folder)
    file.save(KEPT)
    assert file.settle(HANG_S)


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    assert PeopleFile(tmp_path / "state").load() is None
    saved(tmp_path / "state")
    assert PeopleFile(tmp_path / "state").load() == KEPT


@pytest.mark.parametrize("text", ["", "{", '{"at_ns": 1}', '{"at_ns": "x", "tracks": 1}', "[" * 99])
def test_a_broken_file_is_told_of_and_done_without(tmp_path: Path, text: str) -> None:
    (tmp_path / NAME).write_text(text)
    file = PeopleFile(tmp_path)
    assert file.load() is None
    assert str(tmp_path / NAME) in file.trouble
    file.save(KEPT)
    assert file.settle(HANG_S)
    assert file.trouble == ""
    assert PeopleFile(tmp_path).load() == KEPT


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file, not a folder")
    file = PeopleFile(tmp_path / "state")
    file.save(KEPT)
    assert file.settle(HANG_S)
    assert "can't be written" in file.trouble


def test_a_note_without_sense_is_refused(tmp_path: Path) -> None:
    saved(tmp_path)
    text = (tmp_path / NAME).read_text()
    (tmp_path / NAME).write_text(text.replace("[0.1,0.0],[0.0,0.1]", "[0.1,0.0],[0.0,-0.1]"))
    file = PeopleFile(tmp_path)
    assert file.load() is None
    assert "covariance" in file.trouble


def test_a_disk_that_hangs_is_told_of_and_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.people_file.PATIENCE_S", 0.1)
    os.mkfifo(tmp_path / NAME)  # who reads it waits for a writer
    file = PeopleFile(tmp_path)
    assert file.load() is None
    assert file.trouble.startswith(f"{tmp_path / NAME}: can't be read: its disk does not answer")
    file.save(KEPT)
    assert file.settle(HANG_S)
    assert file.trouble == ""
    assert PeopleFile(tmp_path).load() == KEPT
