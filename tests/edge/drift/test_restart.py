"""A gateway that is started anew does not forget which cameras had moved."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.drift.alarms import CLEAR_AFTER_S
from edge.drift.book import references_file
from edge.drift.notes import notes_file
from edge.health import HealthReport
from scene.rig import load_rig
from scene.rig_history import apply_proposal
from tests.edge.knock_day import DARK, Day, covered
from tests.stitching.knocks import knocked, seen, turn

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


def misfit(day: Day) -> None:
    """Let a camera hang otherwise than the rig says from the start, and nobody know how it was."""
    day.knock("cam2", BY)
    day.until_alarm()
    day.run(5)
    assert sorted(day.told()) == [("cam1", "active"), ("cam2", "active")]


@pytest.mark.parametrize("adopts", [True, False])
def test_a_rig_that_does_not_fit_is_not_trusted_after_a_restart_though_all_holds_still(
    tmp_path: Path, adopts: bool
) -> None:
    day = Day(tmp_path)
    misfit(day)
    raised = tuple(day.alarms)
    before = {name: np.asarray(one) for name, one in day.watch.untrusted().items()}
    day.start()
    if adopts:
        assert all(day.watch.adopt(alarm) for alarm in raised)
    for seconds in (0, 0.5, CLEAR_AFTER_S + 80):  # at once, before the first look, and on
        day.run(seconds)
        assert day.watch.untrusted().keys() == {"cam1", "cam2"}
        for name, was in before.items():
            assert day.health(name).state == "moved"
            assert "overlap they miss each other by 1" in day.health(name).detail
            spread = day.watch.untrusted()[name]
            assert spread is not None
            assert spread == pytest.approx(was)
    again = [("cam1", "active"), ("cam2", "active")]
    assert sorted(day.told()[2:]) == ([] if adopts else again)
    day.knock("cam2", BY.T)  # the overlap alone tells that it is well: its reference is wrong
    day.run(40)
    assert "turned by 1.4" in day.health("cam2").detail
    assert day.health("cam1").state == "ok"
    assert day.told()[-1] == ("cam1", "cleared")


def test_one_whose_reference_was_learned_before_the_restart_is_told_by_its_overlap(
    tmp_path: Path,
) -> None:
    day = Day(tmp_path)
    day.knock("cam2", BY)
    day.run(5)
    assert not day.alarms, "its reference is learned by now, and no overlap has told yet"
    for _ in range(3):
        day.start()
        day.run(3)
    day.until_alarm()
    day.run(5)
    assert sorted(day.told()) == [("cam1", "active"), ("cam2", "active")]


def test_what_is_applied_while_the_gateway_is_off_proves_nothing(tmp_path: Path) -> None:
    day = Day(tmp_path)
    misfit(day)
    day.knock("cam1", turn(1.0))
    day.run(20)
    apply_proposal(day.site.rig.file)
    day.rig = load_rig(day.site.rig.file)
    day.alarms.clear()
    day.start()
    day.until_alarm()
    assert "overlap they miss each other by 1" in day.alarms[0].evidence


def test_notes_that_are_damaged_prove_nothing(tmp_path: Path) -> None:
    day = Day(tmp_path)
    misfit(day)
    day.alarms.clear()
    notes_file(tmp_path / "state" / "references", day.rig.id).write_text('{"version": 1, "unpro')
    day.start()
    day.until_alarm()
    assert "overlap they miss each other by 1" in day.alarms[0].evidence


def test_notes_that_can_not_be_kept_are_said(tmp_path: Path) -> None:
    day = Day(tmp_path)
    day.run(5)
    path = notes_file(tmp_path / "state" / "references", day.rig.id)
    path.unlink()
    (path / "in_the_way").mkdir(parents=True)
    day.knock("cam2", BY)

    day.start()
    day.run(10)
    assert f"{path}: what is known of the cameras can't be written" in day.health("cam1").detail
    assert day.told() == [("cam2", "active")], "the watch goes on"
    (path / "in_the_way").rmdir()
    path.rmdir()
    day.run(10)
    assert "can't be written" not in day.health("cam1").detail
    assert path.exists()


def test_an_overlap_that_came_apart_is_not_well_because_the_next_run_is_used_to_it(
    tmp_path: Path,
) -> None:
    day = Day(tmp_path)
    day.run(25)
    half_covered = seen(knocked(day.hangs["cam1"], turn(0.3)), 1)
    half_covered[:, :480] = 120
    day.shows["cam1"] = half_covered
    day.until_alarm()
    assert "overlap they miss each other by 2" in day.alarms[0].evidence
    day.start()
    day.watch.adopt(day.alarms[0])
    day.run(CLEAR_AFTER_S + 40)
    assert day.told() == [("cam1", "active")]
    assert day.health("cam1").state == "moved"
