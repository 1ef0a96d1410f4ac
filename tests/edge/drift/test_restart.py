"""A gateway that is started anew does not forget which cameras had moved."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.drift.alarms import CLEAR_AFTER_S
from edge.drift.book import references_file
from edge.health import HealthReport
from tests.edge.knock_day import DARK, Day, covered
from tests.stitching.knocks import turn

BY = turn(1.4, (0.3, 1.0, -0.4))


def test_an_alarm_of_the_run_before_goes_on_or_is_cleared(tmp_path: Path) -> None:
    day = Day(tmp_path)
    day.run(10)
    day.knock("cam2", BY)
    day.until_alarm()
    (raised,) = day.alarms
    day.start()
    assert day.watch.adopt(raised)
    assert not day.watch.adopt(raised)
    assert not day.watch.adopt(replace(raised, kind="camera_lost", camera="cam1"))
    assert not day.watch.adopt(replace(raised, camera="cam9"))
    day.run(15)
    assert len(day.alarms) == 1, "it holds still"
    day.start()
    day.watch.adopt(raised)
    day.knock("cam2", BY.T)
    day.run(30, only=("cam1",))
    assert len(day.alarms) == 1, "nobody has looked at it yet"
    day.run(CLEAR_AFTER_S + 8)
    assert day.alarms[1:] and (day.alarms[1].id, day.alarms[1].state) == (raised.id, "cleared")


def test_after_a_restart_in_the_dark_a_knocked_camera_is_not_trusted_nor_its_alarm_cleared(
    tmp_path: Path,
) -> None:
    day = Day(tmp_path)
    report = HealthReport(day.site, day.rig, day.clock)
    day.run(10)
    both = covered(day, report)
    day.knock("cam2", BY)
    day.until_alarm()
    (raised,) = day.alarms
    day.shows["cam2"] = DARK
    day.start()
    day.watch.adopt(raised)
    for seconds in (0, 0.5, 90):  # at once, before the first look, and on
        day.run(seconds)
        spread = day.watch.untrusted()["cam2"]
        assert spread is not None
        assert np.degrees(np.sqrt(spread[0, 0])) == pytest.approx(3.0)
        assert day.health("cam2").state == "moved"
        assert "had moved when the gateway ran before" in day.health("cam2").detail
        assert covered(day, report) < both
    assert "too dark" in day.health("cam2").detail
    assert len(day.alarms) == 1, "nobody can see that all is well"
    del day.shows["cam2"]
    day.run(10)
    assert "turned by 1.4" in day.health("cam2").detail
    assert len(day.alarms) == 1
    day.knock("cam2", BY.T)
    day.run(6)
    assert day.health("cam2").state == "ok"
    day.shows["cam2"] = DARK
    day.run(60)
    assert len(day.alarms) == 1, "all was not well for long enough to be sure"
    del day.shows["cam2"]
    day.run(CLEAR_AFTER_S + 8)
    assert (day.alarms[1].id, day.alarms[1].state) == (raised.id, "cleared")
    assert "hangs as the rig has it" in day.alarms[1].evidence


def test_a_camera_that_had_moved_and_whose_reference_is_lost_is_not_learned_as_it_hangs(
    tmp_path: Path,
) -> None:
    day = Day(tmp_path)
    day.run(10)
    day.knock("cam2", BY)
    day.until_alarm()
    references_file(tmp_path / "state" / "references", day.rig.id).unlink()
    day.start()
    day.watch.adopt(day.alarms[0])
    day.run(30)
    assert day.health("cam2").state == "moved"
    assert "run `lamproom calibrate`" in day.health("cam2").detail
    assert len(day.alarms) == 1
