"""Recordings of two gateways are never run again as one run."""

from dataclasses import replace
from pathlib import Path

import pytest

from delivery.recordings.run_record import RunRecord
from delivery.recordings.writer import RecordingWriter
from edge import main
from scene.clock import ReplayClock
from tests.control_room.fake_gateway import GATEWAY, SITE
from tests.control_room.recorded_story import START_NS, everything, live_alarms, told, write
from tests.control_room.replay.hour_files import RUN


def with_cameras(path: Path, run: RunRecord) -> Path:
    writer = RecordingWriter(path, ReplayClock(START_NS), replace(run, cameras="c1"))
    writer.close()
    return path


@pytest.mark.parametrize("other", [{"gateway": "gw2"}, {"site": "longwall"}])
def test_recordings_of_two_gateways_are_refused_with_their_names(
    other: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = with_cameras(tmp_path / "mine.mcap", RUN)
    others = with_cameras(tmp_path / "others.mcap", replace(RUN, **other))
    assert main.main(["rerun", str(mine), str(others)]) == 2
    said = capsys.readouterr()
    whose = f"{other.get('site', SITE)} / {other.get('gateway', GATEWAY)}"
    assert said.out == ""
    assert f"{others}: is of {whose}, and {mine} of {SITE} / {GATEWAY}" in said.err
    assert "one gateway's recordings" in said.err


def test_so_are_those_that_only_tell_it_in_their_messages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at_ns, site = everything(())[0][0], told()
    mine = write(tmp_path / "mine.mcap", *everything(live_alarms()))
    others = write(tmp_path / "others.mcap", (at_ns, replace(site, gateway="gw2")))
    assert main.main(["rerun", str(mine), str(others)]) == 2
    assert f"{others}: is of {SITE} / gw2" in capsys.readouterr().err
