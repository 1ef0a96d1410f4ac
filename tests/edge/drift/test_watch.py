from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.drift.alarms import CLEAR_AFTER_S
from edge.drift.book import ReferenceBook, keep_references, references_file
from edge.health import HealthReport
from scene.messages import CameraHealth, Detections, YuvImage
from scene.rig import Rig, load_rig
from scene.rig_history import apply_proposal, load_proposal, proposal_file, roll_back
from stitching.drift.turn import small_turn
from tests.edge.knock_day import DARK, HALF, Day, covered
from tests.stitching.knocks import eye, knocked, seen, turn
from tests.stitching.views import rig_of

BY = turn(1.4, (0.3, 1.0, -0.4))


@pytest.mark.parametrize("degrees", [0.4, 1.4, 5.0])
def test_a_knock_is_an_alarm_within_seconds_and_its_trust_is_gone(
    tmp_path: Path, degrees: float
) -> None:
    day = Day(tmp_path)
    day.run(20)
    assert not day.alarms
    assert day.health("cam1") == CameraHealth(name="cam1", state="ok", fps=2.0, last_frame_at_ns=1)
    day.knock("cam2", turn(degrees))
    assert day.until_alarm() < 8
    (alarm,) = day.alarms
    assert (alarm.kind, alarm.camera, alarm.state) == ("camera_moved", "cam2", "active")
    assert alarm.severity == "warning"
    assert f"turned by {degrees:.1f}" in alarm.evidence
    assert "rig.proposed.yaml" in alarm.evidence
    assert day.health("cam2").state == "moved"
    assert "not trusted" in day.health("cam2").detail
    assert day.health("cam1").state == "ok"
    spread = day.watch.untrusted()["cam2"]
    assert spread is not None
    assert np.degrees(np.sqrt(np.trace(spread))) > degrees
    assert day.watch.untrusted().keys() == {"cam2"}
    day.run(60)
    assert len(day.alarms) == 1, "one knock is one alarm"


def test_the_proposal_hangs_it_where_it_looks_and_the_neighbour_agrees(tmp_path: Path) -> None:
    day = Day(tmp_path)
    day.run(10)
    day.knock("cam2", BY)
    day.until_alarm()
    proposal = load_proposal(day.site.rig.file)
    true = day.hangs["cam2"].camera_from_mine
    off = proposal.rig.camera("cam2").camera_from_mine[:3, :3] @ true[:3, :3].T
    assert np.degrees(np.linalg.norm(small_turn(off))) < 0.03
    (camera,) = proposal.cameras
    assert camera.camera == "cam2"
    assert camera.old_px > 10
    assert camera.new_px < 0.5
    assert camera.overlap_old_px is not None
    assert camera.overlap_new_px is not None
    assert camera.overlap_old_px > 5
    assert camera.overlap_new_px < 0.7
    assert proposal.of == day.rig.id
    assert day.watch.proposer.since_s is not None


def test_one_that_is_pushed_back_is_trusted_again_and_nothing_is_proposed(tmp_path: Path) -> None:
    day = Day(tmp_path)
    day.run(10)
    day.knock("cam2", BY)
    day.until_alarm()
    day.knock("cam2", BY.T)
    day.run(6)
    assert day.health("cam2").state == "ok"
    assert day.watch.untrusted() == {}
    assert not proposal_file(day.site.rig.file).exists()
    assert day.told() == [("cam2", "active")], "not before all has been well for a while"
    day.run(CLEAR_AFTER_S)
    assert day.told() == [("cam2", "active"), ("cam2", "cleared")]
    assert day.alarms[0].id == day.alarms[1].id


def test_a_camera_that_moves_on_gets_another_proposal_under_the_same_alarm(tmp_path: Path) -> None:
    day = Day(tmp_path)
    day.run(10)
    day.knock("cam2", BY)
    day.until_alarm()
    first = load_proposal(day.site.rig.file).rig.id
    day.run(10)
    assert load_proposal(day.site.rig.file).rig.id == first, "it is not written again and again"
    day.knock("cam2", BY)
    day.run(10)
    again = load_proposal(day.site.rig.file)
    assert again.rig.id != first
    assert again.cameras[0].turn_deg == pytest.approx(2.8, abs=0.05)
    assert len(day.alarms) == 1


def test_a_proposal_of_an_earlier_run_that_nothing_calls_for_is_deleted(tmp_path: Path) -> None:
    day = Day(tmp_path)
    day.run(10)
    day.knock("cam2", BY)
    day.until_alarm()
    day.knock("cam2", BY.T)
    day.start()
    day.run(0.5)
    assert proposal_file(day.site.rig.file).exists(), "not before both have been looked at"
    day.run(5)
    assert not proposal_file(day.site.rig.file).exists()


def test_a_proposal_of_an_earlier_run_stays_while_its_camera_is_turned(tmp_path: Path) -> None:
    day = Day(tmp_path)
    day.run(10)
    day.knock("cam2", BY)
    day.until_alarm()
    day.start()
    for _ in range(20):
        day.run(0.5)
        assert proposal_file(day.site.rig.file).exists()


def test_two_knocked_cameras_are_in_one_proposal(tmp_path: Path) -> None:
    day = Day(tmp_path)
    day.run(10)
    day.knock("cam1", turn(0.8))
    day.knock("cam2", BY)
    day.until_alarm()
    day.run(10)
    assert sorted(day.told()) == [("cam1", "active"), ("cam2", "active")]
    assert {one.camera for one in load_proposal(day.site.rig.file).cameras} == {"cam1", "cam2"}


def test_one_look_alone_is_no_knock(tmp_path: Path) -> None:
    day = Day(tmp_path)
    day.run(10)
    for _ in range(6):
        day.shows["cam2"] = seen(knocked(day.hangs["cam2"], BY), 3)
        day.run(1.0)
        del day.shows["cam2"]
        day.run(3.0)
    assert not day.alarms
    assert day.watch.untrusted() == {}


def test_people_who_walk_about_are_no_knock(tmp_path: Path) -> None:
    day = Day(tmp_path)
    day.run(60, people=8)
    assert not day.alarms
    assert day.health("cam2").state == "ok"


def test_who_can_not_be_told_is_said_to_be_so_and_raises_nothing(tmp_path: Path) -> None:
    day = Day(tmp_path)
    day.run(10)
    day.shows["cam2"] = DARK
    day.run(60)
    assert not day.alarms
    assert "can't be told: the picture is too dark" in day.health("cam2").detail
    del day.shows["cam2"]
    day.run(5)
    assert day.health("cam2").detail == ""


def test_one_turned_away_altogether_is_told_after_a_while_and_places_nobody(tmp_path: Path) -> None:
    day = Day(tmp_path)
    day.run(10)
    day.knock("cam2", turn(80.0, (0, 1, 0)))
    day.run(5)
    assert not day.alarms, "somebody may just stand before it"
    day.until_alarm(10 - 5)
    (alarm,) = day.alarms
    assert (alarm.camera, alarm.certainty) == ("cam2", "possibly")
    assert "turned far away" in alarm.evidence
    assert day.watch.untrusted() == {"cam2": None}
    assert day.health("cam2").state == "moved"


@pytest.mark.parametrize("count", [6, 8])
def test_one_of_many_turned_away_altogether_is_told_within_a_minute(
    tmp_path: Path, count: int
) -> None:
    names = [f"cam{index + 1}" for index in range(count)]
    eyes = [eye(name=name, yaw_deg=80.0 - 22.0 * index) for index, name in enumerate(names)]
    day = Day(tmp_path, rig_of(eyes))
    day.run(6)
    day.knock("cam3", turn(180.0, (0, 1, 0)))
    assert day.until_alarm(60) > 12, "somebody may just stand before it"
    assert day.alarms[0].camera == "cam3"
    assert "turned far away" in day.alarms[0].evidence


def test_a_knock_while_the_gateway_was_off_is_found(tmp_path: Path) -> None:
    day = Day(tmp_path)
    day.run(10)
    day.knock("cam2", BY)
    day.start()
    assert day.until_alarm() < 8
    assert day.told() == [("cam2", "active")]


def test_a_knock_between_calibration_and_the_first_run_is_found(tmp_path: Path) -> None:
    day = Day(tmp_path)
    images = {
        one.name: [YuvImage(y=seen(one, seed), u=HALF, v=HALF) for seed in range(5)]
        for one in day.rig.cameras
    }
    images["cam1"] = [YuvImage(y=DARK, u=HALF, v=HALF)] * 5
    assert keep_references(day.rig, images, day.site.rig.file) == ("cam1",)
    day.knock("cam2", BY)
    day.start()
    assert day.until_alarm() < 8
    assert day.told() == [("cam2", "active")]
    assert day.alarms[0].certainty == "certainly"


def test_a_reference_that_has_aged_is_renewed_and_the_turn_is_not_forgotten(
    tmp_path: Path,
) -> None:
    day = Day(tmp_path)
    day.run(80)
    file = tmp_path / "state" / "references" / f"{day.rig.id}.npz"
    learned = file.stat().st_mtime_ns
    day.knock("cam2", turn(0.1))  # too little to be told
    changed = {shot: seen(day.hangs["cam2"], shot, people=0) for shot in range(6)}
    for luma in changed.values():  # machines have been put up all over the place
        rng = np.random.default_rng(5)
        for _ in range(26):
            x, y = int(rng.integers(0, 560)), int(rng.integers(0, 300))
            luma[y : y + 60, x : x + 80] = rng.integers(40, 210, (60, 80))
    for shot in range(400):
        day.shows["cam2"] = changed[shot % 6]
        day.run(0.5)
        if file.stat().st_mtime_ns != learned:
            break
    assert file.stat().st_mtime_ns != learned
    day.run(10)
    assert not day.alarms
    with np.load(file) as content:
        known = float(np.degrees(np.linalg.norm(small_turn(content["cam2/turn"]))))
    assert known == pytest.approx(0.1, abs=0.03)


def test_a_rig_that_does_not_fit_from_the_start_is_told_by_its_overlap(tmp_path: Path) -> None:
    day = Day(tmp_path)
    day.knock("cam2", BY)
    day.until_alarm()
    day.run(5)
    assert sorted(day.told()) == [("cam1", "active"), ("cam2", "active")], "nobody knows which"
    assert day.alarms[0].certainty == "possibly"
    assert "overlap they miss each other by 1" in day.alarms[0].evidence
    assert day.watch.untrusted().keys() == {"cam1", "cam2"}


def test_a_neighbour_of_which_nothing_can_be_told_is_not_blamed_for_the_overlap(
    tmp_path: Path,
) -> None:
    day = Day(tmp_path)
    day.run(25)
    half_covered = seen(day.hangs["cam1"], 1)
    half_covered[:, :480] = 120
    day.shows["cam1"] = half_covered
    day.run(10)
    assert "can't be told" in day.health("cam1").detail
    day.knock("cam2", BY)
    day.run(60)
    assert day.told() == [("cam2", "active")]


def test_an_overlap_tells_of_a_knock_that_a_half_covered_picture_can_not(tmp_path: Path) -> None:
    day = Day(tmp_path)
    day.run(25)
    half_covered = seen(knocked(day.hangs["cam1"], BY), 1)
    half_covered[:, :480] = 120
    day.shows["cam1"] = half_covered
    day.until_alarm()
    assert day.told() == [("cam1", "active")]
    assert day.alarms[0].certainty == "possibly"
    assert "overlap" in day.alarms[0].evidence
    half_covered = seen(day.hangs["cam1"], 1)
    half_covered[:, :480] = 120
    day.shows["cam1"] = half_covered
    day.run(CLEAR_AFTER_S + 10)
    assert day.told() == [("cam1", "active"), ("cam1", "cleared")]
    assert "no overlap speaks against it any more" in day.alarms[1].evidence


def calibrated(day: Day, rig: Rig, *, keep: bool = True) -> None:
    """Let a calibration of the cameras as they hang give a rig, and go over to it."""
    images = {
        one.name: [YuvImage(y=seen(one, seed), u=HALF, v=HALF) for seed in range(5)]
        for one in day.hangs.values()
    }
    if keep:
        assert not keep_references(rig, images, day.site.rig.file)
    day.rig = rig
    day.watch.rehung(rig)


def test_what_a_calibration_learned_is_not_doubted_and_what_this_run_learned_is_again(
    tmp_path: Path,
) -> None:
    day = Day(tmp_path)
    day.knock("cam2", BY)  # the rig does not fit, and nobody knows how it was before
    day.until_alarm()
    first = day.rig
    calibrated(
        day, replace(first, cameras=(first.cameras[0], knocked(first.cameras[1], turn(0.2))))
    )
    day.run(CLEAR_AFTER_S + 30)
    assert day.health("cam1").state == day.health("cam2").state == "ok"
    assert sorted(day.told()[-2:]) == [("cam1", "cleared"), ("cam2", "cleared")]
    count = len(day.alarms)
    day.watch.rehung(first)
    day.run(60)
    assert sorted(day.told()[count:]) == [("cam1", "active"), ("cam2", "active")]


def test_a_knocked_camera_under_a_new_rig_of_which_nothing_was_kept_is_learned(
    tmp_path: Path,
) -> None:
    day = Day(tmp_path)
    day.run(10)
    day.knock("cam2", BY)
    day.until_alarm()
    second = day.hangs["cam2"]
    lens = second.k * np.array([[1.001], [1.001], [1.0]])  # no turn: another lens, and a true pose
    calibrated(
        day, replace(day.rig, cameras=(day.rig.cameras[0], replace(second, k=lens))), keep=False
    )
    day.run(0.5)
    assert day.health("cam2").state == "moved"
    day.run(20)
    assert day.health("cam2").state == "ok"


def test_applied_it_is_trusted_again_and_rolled_back_it_is_not(tmp_path: Path) -> None:
    day = Day(tmp_path)
    day.run(10)
    day.knock("cam2", BY)
    day.until_alarm()
    apply_proposal(day.site.rig.file)
    day.rig = load_rig(day.site.rig.file)
    day.watch.rehung(day.rig)
    day.run(0.5)
    assert day.health("cam2").state == "moved", "not before it has been looked at"
    day.run(6)
    assert day.health("cam2").state == "ok"
    assert day.watch.untrusted() == {}
    assert day.health("cam2").detail == "", "nothing had to be learned again"
    day.run(CLEAR_AFTER_S)
    assert day.told() == [("cam2", "active"), ("cam2", "cleared")]
    roll_back(day.site.rig.file)
    day.rig = load_rig(day.site.rig.file)
    day.watch.rehung(day.rig)
    assert day.until_alarm() < 8
    assert load_proposal(day.site.rig.file).cameras[0].turn_deg == pytest.approx(1.4, abs=0.03)


def test_applied_while_the_gateway_was_off_nothing_is_learned_anew(tmp_path: Path) -> None:
    day = Day(tmp_path)
    day.run(10)
    day.knock("cam2", BY)
    day.until_alarm()
    apply_proposal(day.site.rig.file)
    day.rig = load_rig(day.site.rig.file)
    day.start()
    day.run(1)
    assert "learned" not in day.health("cam2").detail
    day.knock("cam2", turn(1.0))
    day.until_alarm()
    assert "turned by 1.0" in day.alarms[-1].evidence


def test_a_reference_is_learned_without_those_who_stand_about(tmp_path: Path) -> None:
    day = Day(tmp_path)
    box = np.array([[100.0, 40.0, 300.0, 330.0]])
    found = {
        "cam1": Detections(
            camera="cam1",
            captured_at_ns=1,
            boxes_px=box,
            scores=np.array([0.9]),
            kinds=np.array([0]),
        )
    }
    day.run(5, found=found)
    files = list((tmp_path / "state" / "references").glob("*.npz"))
    assert [file.stem for file in files] == [day.rig.id]
    with np.load(files[0]) as content:
        points = content["cam1/points_px"]
    assert not ((points > box[0, :2]) & (points < box[0, 2:])).all(axis=1).any()


def test_what_can_not_be_kept_is_said_and_the_watch_goes_on(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "references").write_text("in the way", encoding="utf-8")
    day = Day(tmp_path)
    proposal_file(day.site.rig.file).mkdir()
    day.run(10)
    assert "references can't be written" in day.health("cam1").detail
    day.knock("cam2", BY)
    day.until_alarm()
    assert "nothing is proposed" in day.alarms[0].evidence


def test_a_damaged_reference_is_said_and_learned_anew(tmp_path: Path) -> None:
    day = Day(tmp_path)
    day.run(5)
    (file,) = (tmp_path / "state" / "references").glob("*.npz")
    file.write_bytes(b"rubbish")
    day.start()
    day.run(10)
    day.knock("cam2", BY)
    assert day.until_alarm() < 8


def test_no_bit_error_in_a_references_file_keeps_the_gateway_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = Day(tmp_path)
    day.run(5)
    file = references_file(tmp_path / "state" / "references", day.rig.id)
    good, rng, damaged = file.read_bytes(), np.random.default_rng(3), 0
    for _ in range(40):
        bad = bytearray(good)
        bad[int(rng.integers(len(bad)))] ^= 1 << int(rng.integers(8))
        file.write_bytes(bad)
        day.start()
        day.run(0.5)
        damaged += "learned" in day.health("cam1").detail
    assert damaged > 20
    day.run(10)
    day.knock("cam2", BY)
    assert day.until_alarm() < 8

    def broken(path: Path) -> None:
        raise RuntimeError(f"{path}: worse than damaged")

    monkeypatch.setattr("edge.drift.book.load_references", broken)
    book = ReferenceBook(day.rig, day.site.rig.file, day.site.state_folder)
    assert not book.references
    assert "worse than damaged" in book.trouble


def test_a_camera_that_is_not_ok_for_another_reason_stays_that(tmp_path: Path) -> None:
    day = Day(tmp_path)
    day.run(10)
    day.knock("cam2", BY)
    day.until_alarm()
    lost = CameraHealth(name="cam2", state="lost", fps=0.0, last_frame_at_ns=1, detail="gone")
    assert day.watch.judged([lost]) == (lost,)


def test_what_a_knocked_camera_looks_at_is_not_covered(tmp_path: Path) -> None:
    day = Day(tmp_path)
    report = HealthReport(day.site, day.rig, day.clock)
    day.run(10)
    both = covered(day, report)
    day.knock("cam2", BY)
    day.until_alarm()
    assert 0 < covered(day, report) < both
    apply_proposal(day.site.rig.file)
    day.rig = load_rig(day.site.rig.file)
    day.watch.rehung(day.rig)
    report.rehung(report.roadway_of(day.rig))
    day.run(6)
    assert covered(day, report) == pytest.approx(both, abs=2)
