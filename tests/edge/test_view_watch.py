"""Covered, dusty, dark: said in time and of the right camera, and of no other clip."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.drift.watch import DriftWatch
from edge.view.book import views_file
from edge.view.watch import ViewWatch
from scene.arrays import Bytes
from scene.clock import ReplayClock
from scene.limits import CameraLimits
from scene.messages import Anomaly, CameraHealth
from scene.rig_history import replace_rig
from tests.edge.view_day import (
    CLIP,
    HANG_S,
    Day,
    Spoil,
    black,
    blur,
    cloth,
    dust,
    film,
    gain,
    noisy,
    printed,
)
from tests.sample_site import START_AT_NS, event_clips, instants, rig_of, site_of, sites
from tests.stitching.knocks import knocked, turn

LIMIT_S = 10.0
FAULTS = {
    "lens_dust": ("camera_obscured", "cam2", 3.0),
    "lamp_outage": ("light_lost", None, 4.0),
}
"""What has to be said of a clip, of which camera, and when it begins."""

pytestmark = pytest.mark.skipif(not CLIP.exists(), reason="the sample clips are not here")


@pytest.fixture
def day(tmp_path: Path) -> Day:
    """Have a gateway that has seen half a minute of a quiet shift."""
    day = Day(tmp_path)
    day.run(30)
    assert day.alarms == []
    return day


def watched(folder: Path, kept: Path) -> list[tuple[float, Anomaly]]:
    """Run the watch over a clip; gives its alarms, each with the clip's time."""
    clock = ReplayClock(START_AT_NS)
    site = site_of(folder).model_copy(update={"state_folder": kept})
    watch, alarms = ViewWatch(site, rig_of(folder), clock), []
    for frames in instants(site):
        at_ns = max(frame.captured_at_ns for frame in frames)
        clock.set(at_ns)
        watch.look(frames)
        alarms += [((at_ns - START_AT_NS) / 1e9, alarm) for alarm in watch.changes()]
    return alarms


@pytest.mark.parametrize("folder", [*event_clips(), *sites()], ids=lambda folder: folder.name)
def test_a_clip_has_the_alarm_of_its_fault_and_no_other(folder: Path, tmp_path: Path) -> None:
    found = watched(folder, tmp_path)
    if folder.name not in FAULTS:
        assert found == []
        return
    ((at_s, alarm),) = found
    kind, camera, began_s = FAULTS[folder.name]
    assert (alarm.kind, alarm.camera) == (kind, camera)
    assert began_s < at_s < began_s + LIMIT_S


@pytest.mark.parametrize(
    ("spoil", "kind", "state"),
    [
        (cloth, "camera_obscured", "obscured"),
        (dust(0.85), "camera_obscured", "obscured"),
        (blur(10), "camera_obscured", "obscured"),
        (black, "camera_dark", "dark"),
        (gain(0.1), "camera_dark", "dark"),
    ],
    ids=["cloth", "dust", "water", "cap", "night"],
)
def test_a_covered_lens_is_said_at_once_and_taken_back_when_it_is_clean(
    day: Day, spoil: Spoil, kind: str, state: str
) -> None:
    began_s = day.now_s
    day.run(LIMIT_S, cam2=spoil)
    assert day.kinds() == [(kind, "cam2", "active")]
    assert day.alarms[0][0] - began_s < 5
    assert day.health("cam2").state == state
    assert day.health("cam1").state == "ok"
    assert "nobody can be seen there / 该处人员不可见" in day.health("cam2").detail
    over_s = day.now_s
    day.run(25)
    assert day.kinds()[1:] == [(kind, "cam2", "cleared")]
    assert 10 <= day.alarms[1][0] - over_s < 15
    assert day.alarms[1][1].id == day.alarms[0][1].id
    assert day.health("cam2").state == "ok"


def test_a_camera_that_is_covered_suddenly_is_told_from_a_dusty_one(day: Day) -> None:
    day.run(5, cam2=cloth)
    assert "covered suddenly, within 1 s" in day.alarms[0][1].evidence


def test_slow_dust_asks_for_a_cloth_first_and_says_when_the_view_is_gone(day: Day) -> None:
    began_s = day.now_s
    for minute in range(20):
        day.run(60, step_s=3.0, cam2=dust(0.045 * minute))
    assert day.kinds() == [
        ("camera_dusty", "cam2", "active"),
        ("camera_obscured", "cam2", "active"),
        ("camera_dusty", "cam2", "cleared"),
    ]
    (dusty_s, _), (gone_s, gone), _ = day.alarms
    # Until 60 % of the light came from the veil the shipped model found all people it finds else.
    assert (dusty_s - began_s) / 60 * 0.045 < 0.6
    assert (gone_s - dusty_s) / 60 > 2
    assert "covered slowly" in gone.evidence
    assert "dust or dirt" in gone.evidence


def test_a_dusty_camera_goes_on_being_used_and_a_passing_cloud_is_no_dirt(day: Day) -> None:
    day.run(40, cam2=dust(0.5))
    day.run(30)
    assert day.alarms == []
    day.run(70, cam2=dust(0.5))
    assert day.kinds() == [("camera_dusty", "cam2", "active")]
    assert day.health("cam2").state == "ok"
    assert "clean the lens / " in day.health("cam2").detail


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [(cloth, ("camera_dusty", "cam1", "active")), (gain(0.0), ("light_lost", None, "active"))],
    ids=["mud", "night"],
)
def test_mud_on_a_part_of_the_lens_is_dirt_and_a_dark_part_of_the_view_is_not(
    day: Day, spoil: Spoil, expected: tuple[str, str | None, str]
) -> None:
    def partly(luma: Bytes) -> Bytes:
        spoilt = luma.copy()
        spoilt[:, :230] = spoil(spoilt[:, :230])
        return noisy(spoilt, 1)

    day.run(80, cam1=partly)
    assert day.kinds() == [expected]


def test_what_mud_covers_is_told_cell_by_cell_until_it_is_wiped_off(day: Day) -> None:
    width = film()[0][0].image.size_px[0]

    def muddy(luma: Bytes) -> Bytes:
        return np.hstack([cloth(luma[:, : width // 2]), luma[:, width // 2 :]])

    day.run(20)
    assert sum(map(len, day.watch.gone.values())) <= 3
    day.run(3, cam1=muddy)
    assert sum(map(len, day.watch.gone.values())) <= 3, "somebody may have passed by"
    day.run(7, cam1=muddy)
    assert {column for _, column in day.watch.gone["cam1"]} == set(range(8))
    assert len(day.watch.gone["cam1"]) > 40
    day.run(3)
    assert sum(map(len, day.watch.gone.values())) <= 3


@pytest.mark.parametrize(
    "spoil",
    [gain(0.7, sigma=8), gain(1.25), gain(1.0, sigma=12), blur(1.0)],
    ids=["darker", "brighter", "noise", "softer"],
)
def test_exposure_noise_and_compression_are_no_fault(day: Day, spoil: Spoil) -> None:
    day.run(120, step_s=1.0, cam1=spoil, cam2=spoil)
    assert day.alarms == []


def test_all_lamps_at_a_quarter_are_one_notice_and_nobody_calls_it_dust(day: Day) -> None:
    def soft(luma: Bytes) -> Bytes:
        """Leave less detail, too, as a camera's noise filter does in the dark."""
        return gain(0.25, sigma=0.5)(blur(1.4)(luma))

    day.run(100, step_s=1.0, cam1=soft, cam2=soft)
    assert day.kinds()[0] == ("light_lost", None, "active")
    assert "cam1, cam2: less light than usual" in day.alarms[-1][1].evidence
    assert {alarm.id for _, alarm in day.alarms} == {day.alarms[0][1].id}
    assert day.health("cam1").state == "ok"
    day.run(15)
    assert day.kinds()[-1] == ("light_lost", None, "cleared")


def test_after_a_day_less_light_is_usual(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.view.watch.USED_TO_IT_S", 60.0)
    day.run(90, cam1=gain(0.3), cam2=gain(0.3))
    assert day.kinds()[-1] == ("light_lost", None, "cleared")
    day.run(20, cam1=gain(0.3), cam2=gain(0.3))
    assert day.kinds()[-1] == ("light_lost", None, "cleared")


def test_a_cap_lamp_that_looks_into_the_lens_for_a_moment_is_no_alarm(day: Day) -> None:
    def white(luma: Bytes) -> Bytes:
        return np.full_like(luma, 234)

    day.run(5, cam1=white)
    day.run(10)
    assert day.alarms == []
    began_s = day.now_s
    day.run(LIMIT_S, cam1=white)
    ((at_s, alarm),) = day.alarms
    assert at_s - began_s < LIMIT_S
    assert "a light blinds it" in alarm.evidence


@pytest.mark.parametrize(("spoil", "state"), [(cloth, "obscured"), (black, "dark")])
def test_a_camera_that_is_covered_from_the_start_is_said_and_its_cover_not_learned(
    tmp_path: Path, spoil: Spoil, state: str
) -> None:
    day = Day(tmp_path)
    day.run(5, cam2=spoil)
    assert [kind for kind, _, _ in day.kinds()] == [f"camera_{state}"]
    assert day.health("cam2").state == state
    day.run(20, cam2=spoil)
    day.run(15)
    assert day.health("cam2").state == "ok"
    day.run(5, cam2=blur(10))
    assert day.health("cam2").state == "obscured", "its clear view has been learned since"


def test_what_a_camera_showed_before_the_gateway_was_off_is_known(day: Day) -> None:
    wet = blur(10)
    day.start()
    day.run(5, cam2=wet)
    assert day.kinds() == [("camera_obscured", "cam2", "active")]
    assert "since the gateway started" in day.alarms[0][1].evidence


def test_without_that_a_wet_lens_can_not_be_told(tmp_path: Path) -> None:
    day = Day(tmp_path)
    day.run(10, cam2=blur(10))
    assert day.alarms == []


def test_an_alarm_goes_on_over_a_restart_until_the_view_is_back(day: Day) -> None:
    day.run(5, cam2=cloth)
    ((_, alarm),) = day.alarms
    day.start(alarm)
    assert day.health("cam2").state == "obscured", "not before it has been looked at"
    day.run(5, cam2=cloth)
    assert len(day.alarms) == 1
    day.run(15)
    assert day.kinds()[1:] == [("camera_obscured", "cam2", "cleared")]
    assert day.alarms[1][1].id == alarm.id


def test_a_lamp_that_failed_stays_said_over_a_restart(day: Day) -> None:
    day.run(10, cam1=gain(0.3), cam2=gain(0.3))
    alarm = day.alarms[0][1]
    day.start(alarm)
    day.run(20, cam1=gain(0.3), cam2=gain(0.3))
    assert "cleared" not in {state for _, _, state in day.kinds()}
    day.run(15)
    assert day.kinds()[-1] == ("light_lost", None, "cleared")


def test_others_alarms_and_those_of_cameras_that_are_gone_are_not_taken(day: Day) -> None:
    day.run(5, cam2=cloth)
    ((_, alarm),) = day.alarms
    day.start()
    assert not day.watch.adopt(replace(alarm, kind="camera_lost"))
    assert not day.watch.adopt(replace(alarm, camera="cam9"))
    assert day.watch.adopt(alarm)
    assert not day.watch.adopt(alarm), "one of two about one camera"


def test_a_camera_that_is_lost_is_called_lost(day: Day) -> None:
    day.run(5, cam2=cloth)
    lost = CameraHealth(name="cam2", state="lost", fps=0.0, last_frame_at_ns=1, detail="gone")
    assert day.watch.judged([lost]) == (lost,)


def test_dust_that_comes_over_days_does_not_become_usual(
    day: Day, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.view.book.SETTLED_LOOKS", 30)
    monkeypatch.setattr("edge.view.book.DETAIL_LOOKS", 10.0)
    for share in (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45):
        day.run(90, step_s=2.0, cam2=dust(share))
    assert day.kinds() == [("camera_dusty", "cam2", "active")]


def test_a_camera_hung_anew_by_a_little_keeps_what_is_known_and_by_much_does_not(day: Day) -> None:
    first, second = day.rig.cameras
    for degrees, known in ((3.0, True), (40.0, False)):
        turned = replace(day.rig, cameras=(first, knocked(second, turn(degrees))))
        day.watch.rehung(turned)
        assert day.watch.settle(HANG_S)
        assert views_file(day.site.state_folder / "references", turned.id).exists()
        day.run(1)
        told = "what it usually shows is not known yet" not in day.health("cam2").detail
        assert told == known, degrees
        assert "not known yet" not in day.health("cam1").detail


def test_what_was_known_under_the_rig_before_is_known_at_a_start_under_another(day: Day) -> None:
    first, second = day.rig.cameras
    turned = replace(day.rig, cameras=(first, knocked(second, turn(3.0))))
    replace_rig(turned, day.site.rig.file)
    day.rig = turned
    day.start()
    day.run(5, cam2=blur(10))
    assert day.health("cam2").state == "obscured"


def test_a_damaged_file_is_learned_anew_and_one_that_cant_be_written_is_said(day: Day) -> None:
    path = views_file(day.site.state_folder / "references", day.rig.id)
    path.write_bytes(path.read_bytes()[:500])
    day.start()
    assert "can't be read, and is learned anew" in day.watch.trouble
    day.run(10)
    assert day.watch.trouble == ""
    assert "not known yet" not in day.health("cam2").detail
    path.unlink()
    path.mkdir()
    day.start()
    day.run(10)
    assert "can't be written" in day.watch.trouble


def test_a_camera_under_a_printed_cloth_is_covered_and_not_moved(day: Day) -> None:
    cover = printed(10.0, 12.0)
    drift = DriftWatch(day.site, day.rig, day.clock)
    moved: list[Anomaly] = []

    def run(seconds: float, **spoilt: Spoil) -> None:
        for _ in range(round(2 * seconds)):
            day.run(0.5, step_s=0.5, **spoilt)
            drift.look(day.frames(spoilt), blind=day.watch.blind)
            moved.extend(drift.changes())

    run(10)
    known = drift._book.references["cam2"]
    run(12, cam2=cover)
    assert day.kinds() == [("camera_obscured", "cam2", "active")]
    run(12)
    assert day.kinds()[1:] == [("camera_obscured", "cam2", "cleared")]
    assert moved == []
    assert drift._book.references["cam2"] is known, "the cloth is not learned"


def test_a_site_may_do_without_notices_but_not_without_being_told_of_blindness(
    day: Day, tmp_path: Path
) -> None:
    camera = CameraLimits(usual_detail=0, usual_light=0)
    limits = day.site.limits.model_copy(update={"camera": camera})
    day.site = day.site.model_copy(update={"limits": limits})
    day.start()
    day.run(80, cam1=gain(0.3), cam2=dust(0.5))
    assert day.alarms == []
    day.run(5, cam1=black, cam2=cloth)
    assert {(kind, camera) for kind, camera, _ in day.kinds()} == {
        ("camera_dark", "cam1"),
        ("camera_obscured", "cam2"),
    }
