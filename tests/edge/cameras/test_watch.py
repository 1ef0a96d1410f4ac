from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from edge.acceptance.filmed_camera import FilmedCamera
from edge.cameras.watch import CLEAR_AFTER_S, NO_PROBLEMS, START_LIMIT_S, CameraWatch
from edge.frame_ring import SourceStatus
from scene.clock import ReplayClock
from scene.limits import CameraLimits
from scene.messages import Anomaly, CameraHealth, Frame, YuvImage
from tests.delivery.parts import alarm
from tests.edge.camera_clips import picture

LIMITS = CameraLimits(stalled_after_s=2.0, lost_after_s=4.0)
NOISE = np.random.default_rng(0).integers(0, 256, (500, 48, 64), np.uint8)


class Day:
    """Cameras in front of a watch, on a clock of the test's."""

    def __init__(self, *names: str) -> None:
        self.clock = ReplayClock(now_ns=1_700_000_000_000_000_000)
        self.watch = CameraWatch(LIMITS, self.clock)
        connecting = SourceStatus(state="connecting")
        self.cameras = {name: FilmedCamera(name, connecting) for name in names}
        self.alarms: list[Anomaly] = []

    def run(
        self,
        seconds: float,
        *filming: str,
        fps: float = 10,
        frozen: str = "",
        left_out: str = "",
        unfit: Mapping[str, str] = NO_PROBLEMS,
    ) -> None:
        for _ in range(round(seconds * fps)):
            self.clock.sleep(1 / fps)
            frames = []
            for name in filming:
                camera = self.cameras[name]
                camera.said = SourceStatus(state="running")
                captured_at_ns = self.clock.now_ns() - 50_000_000
                number = camera.count(captured_at_ns)
                image = picture(64, 48, 0)
                if name != frozen:
                    image = YuvImage(y=NOISE[number % 500], u=image.u, v=image.v)
                if name != left_out:
                    frames.append(Frame(camera=name, captured_at_ns=captured_at_ns, image=image))
            self.watch.look(list(self.cameras.values()), frames, unfit)
            self.alarms += self.watch.changes()

    def health(self, name: str) -> CameraHealth:
        return next(camera for camera in self.watch.health() if camera.name == name)

    def told(self) -> list[tuple[str, str]]:
        return [(alarm.kind, alarm.state) for alarm in self.alarms]


def test_cameras_that_film_are_ok_and_their_rate_is_told() -> None:
    day = Day("a", "b")
    day.run(5, "a", "b")
    assert [camera.name for camera in day.watch.health()] == ["a", "b"]
    assert day.health("a").state == "ok"
    assert day.health("a").fps == pytest.approx(10, rel=0.05)
    assert day.health("a").last_frame_at_ns == day.clock.now_ns() - 50_000_000
    assert not day.alarms


def test_a_camera_that_stops_is_stalled_then_lost_then_back() -> None:
    day = Day("a", "b")
    day.run(5, "a", "b")
    stopped_ns = day.clock.now_ns()
    day.run(1.9, "a")
    assert day.health("b").state == "ok"
    day.run(0.3, "a")
    assert day.health("b").state == "stalled"
    assert day.told() == [("camera_stalled", "active")]
    day.run(2.0, "a")
    assert day.health("b").state == "lost"
    assert day.told()[1:] == [("camera_stalled", "cleared"), ("camera_lost", "active")]
    assert day.alarms[-1].raised_at_ns - stopped_ns == pytest.approx(4e9, abs=0.2e9)
    day.run(3.0, "a")
    assert day.health("b").fps == 0
    assert len(day.alarms) == 3
    day.run(0.5, "a", "b")
    assert day.health("b").state == "ok"
    day.run(CLEAR_AFTER_S - 1, "a", "b")
    assert len(day.alarms) == 3, "not before all has been well for a while"
    day.run(1, "a", "b")
    assert day.told()[3:] == [("camera_lost", "cleared")]
    assert day.health("a").state == "ok"


def test_an_alarm_keeps_its_id_until_it_is_cleared_and_the_next_has_another() -> None:
    day = Day("a")
    for _ in range(2):
        day.run(5 + CLEAR_AFTER_S, "a")
        day.run(3)
    day.run(1 + CLEAR_AFTER_S, "a")
    first, cleared, second, _ = day.alarms
    assert first.id == cleared.id != second.id
    assert first.id == f"camera_stalled-a-{first.raised_at_ns // 1_000_000}"
    assert first.raised_at_ns == cleared.raised_at_ns
    assert (first.camera, first.severity, first.probability) == ("a", "warning", 1.0)
    assert "camera a: no picture for 2." in first.evidence


@pytest.mark.parametrize(("every_s", "kind"), [(2.5, "camera_stalled"), (4.5, "camera_lost")])
def test_a_camera_that_comes_and_goes_is_one_alarm(every_s: float, kind: str) -> None:
    day = Day("a", "b")
    day.run(5, "a", "b")
    for _ in range(24):
        day.run(0.1, "a", "b")
        day.run(every_s - 0.1, "b")
    kinds = [kind] if kind == "camera_stalled" else ["camera_stalled", kind]
    assert [one.kind for one in day.alarms if one.state == "active"] == kinds
    assert len(day.alarms) == 2 * len(kinds) - 1
    day.run(CLEAR_AFTER_S + 1, "a", "b")
    assert day.told()[-1] == (kind, "cleared")


def test_a_lost_camera_that_only_stalls_after_a_while_is_told_as_that() -> None:
    day = Day("a", "b")
    day.run(5, "a", "b")
    day.run(5, "b")
    day.run(CLEAR_AFTER_S + 5, "a", "b", frozen="a")
    assert day.health("a").state == "frozen"
    assert day.told()[-2:] == [("camera_lost", "cleared"), ("camera_stalled", "active")]


def test_a_camera_whose_pictures_fit_no_instant_is_not_ok() -> None:
    day = Day("a", "b")
    day.run(5, "a", "b")
    day.run(2.5, "a", "b", left_out="b")
    assert day.health("b").state == "ok"
    day.run(1.5, "a", "b", left_out="b")
    assert day.health("b").state == "stalled"
    assert day.health("b").fps == pytest.approx(10, rel=0.1)
    assert day.told() == [("camera_stalled", "active")]
    assert "fitted no instant" in day.alarms[0].evidence
    day.run(30, "a", "b", left_out="b")
    assert day.health("b").state == "stalled"
    assert len(day.alarms) == 1
    day.run(CLEAR_AFTER_S + 0.5, "a", "b")
    assert day.health("b").state == "ok"
    assert day.told()[1:] == [("camera_stalled", "cleared")]


def test_one_instant_without_it_before_a_gap_in_our_own_work_is_not_blamed_on_a_camera() -> None:
    day = Day("a", "b")
    day.run(5, "a", "b")
    day.run(0.1, "a", "b", left_out="b")
    day.clock.sleep(6.0)
    day.run(0.1, "a", "b", left_out="b")
    day.run(1, "a", "b")
    assert not day.alarms


def test_a_camera_that_comes_back_from_being_lost_gets_its_time_to_fit_in() -> None:
    day = Day("a", "b")
    day.run(5, "a", "b")
    day.run(6, "a")
    day.run(1, "a", "b", left_out="b")
    assert day.health("b").state == "ok"


def test_a_camera_whose_pictures_do_not_fit_the_rig_is_lost() -> None:
    day = Day("a", "b")
    day.run(5, "a", "b")
    day.run(5, "a", "b", unfit={"b": "its picture is 640 x 480"})
    assert day.health("a").state == "ok"
    assert day.health("b").state == "lost"
    assert day.health("b").detail == "its picture is 640 x 480"
    assert day.told() == [("camera_lost", "active")]
    day.run(CLEAR_AFTER_S + 0.5, "a", "b")
    assert day.told()[1:] == [("camera_lost", "cleared")]


def before(kind: str, camera: str) -> Anomaly:
    return replace(
        alarm(f"{kind}-{camera}-1"), kind=kind, severity="warning", camera=camera, xyz_m=None
    )


def test_alarms_of_the_run_before_are_cleared_once_all_is_well() -> None:
    day = Day("a", "b")
    lost = before("camera_lost", "a")
    assert day.watch.adopt(lost)
    assert not day.watch.adopt(before("camera_stalled", "a")), "the newest one only"
    assert not day.watch.adopt(before("degraded_inference", "a"))
    day.run(5, "b")
    day.run(CLEAR_AFTER_S - 1, "a", "b")
    assert not day.alarms
    day.run(2, "a", "b")
    (cleared,) = day.alarms
    assert (cleared.id, cleared.state) == (lost.id, "cleared")
    assert cleared.raised_at_ns == lost.raised_at_ns
    assert [camera.name for camera in day.watch.health()] == ["a", "b"]


def test_an_alarm_of_the_run_before_that_holds_again_goes_on_under_its_id() -> None:
    day = Day("a")
    assert day.watch.adopt(before("camera_lost", "a"))
    day.run(60)
    assert day.health("a").state == "lost"
    assert not day.alarms


def test_a_camera_that_says_it_failed_is_lost_sooner() -> None:
    day = Day("a")
    day.run(5, "a")
    day.cameras["a"].said = SourceStatus(state="reconnecting", detail="it does not answer")
    day.run(2.2)
    assert day.health("a").state == "lost"
    assert day.told() == [("camera_lost", "active")]
    assert "it does not answer" in day.alarms[0].evidence


def test_a_short_reconnect_is_no_alarm() -> None:
    day = Day("a")
    day.run(5, "a")
    day.cameras["a"].said = SourceStatus(state="reconnecting", detail="it ended the stream")
    day.run(1.5)
    day.run(5, "a")
    assert not day.alarms


def test_a_camera_is_never_ok_before_its_first_picture() -> None:
    day = Day("a")
    day.run(1)
    assert day.health("a").state == "stalled"
    assert day.health("a").detail == "connecting"
    assert day.health("a").last_frame_at_ns is None


def test_a_camera_that_starts_slowly_is_no_alarm_but_one_that_never_starts_is() -> None:
    day = Day("slow", "never")
    day.run(START_LIMIT_S - 1)
    assert not day.alarms
    day.run(5, "slow")
    assert [(alarm.camera, alarm.kind) for alarm in day.alarms] == [("never", "camera_lost")]


def test_a_camera_that_can_not_be_reached_at_the_start_is_lost_at_once() -> None:
    day = Day("a")
    day.cameras["a"].said = SourceStatus(state="reconnecting", detail="Connection refused")
    day.run(2.5)
    assert day.told() == [("camera_lost", "active")]


def test_the_same_picture_again_and_again_is_frozen_while_frames_arrive() -> None:
    day = Day("a", "b")
    day.run(5, "a", "b")
    day.run(2.5, "a", "b", frozen="b")
    assert day.health("b").state == "ok"
    day.run(1.5, "a", "b", frozen="b")
    assert day.health("b").state == "frozen"
    assert day.health("b").fps == pytest.approx(10, rel=0.1)
    assert day.told() == [("camera_stalled", "active")]
    assert "same picture" in day.alarms[0].evidence
    day.run(0.5, "a", "b")
    assert day.health("b").state == "ok"
    day.run(CLEAR_AFTER_S, "a", "b")
    assert day.told()[1:] == [("camera_stalled", "cleared")]
    assert day.health("a").state == "ok"


def test_one_pixel_that_moves_is_life() -> None:
    day = Day("a")
    for index in range(60):
        day.clock.sleep(0.1)
        camera = day.cameras["a"]
        camera.said = SourceStatus(state="running")
        camera.count(day.clock.now_ns())
        image = picture(64, 48, 50)
        image.y[30, 31] = index
        frame = Frame(camera="a", captured_at_ns=day.clock.now_ns(), image=image)
        day.watch.look([camera], [frame])
    assert day.health("a").state == "ok"


def test_a_gap_in_our_own_work_is_not_blamed_on_a_camera() -> None:
    day = Day("a")
    day.run(5, "a")
    day.clock.sleep(6.0)  # the pipeline was held up; pictures came all the same
    day.run(1, "a")
    assert not day.alarms
    assert day.health("a").state == "ok"


def test_a_camera_is_named_once_though_its_source_names_it_too() -> None:
    day = Day("a")
    day.run(1, "a")
    day.cameras["a"].said = SourceStatus(state="failed", detail="camera a: its process hung")
    day.run(5)
    assert day.alarms[-1].evidence.count("camera a") == 1
    assert day.alarms[-1].evidence.endswith(" s: its process hung")


def test_damaged_frames_are_told() -> None:
    day = Day("a")
    day.run(1, "a")
    day.cameras["a"].said = SourceStatus(state="running", corrupt_frames=3)
    day.cameras["a"].count(day.clock.now_ns())
    day.watch.look(list(day.cameras.values()), [])
    assert day.health("a").detail == "3 damaged frames left out"
    day.run(2.5)
    assert day.health("a").detail.endswith(" s; 3 damaged frames left out")
    assert day.health("a").detail.startswith("no picture for ")


class SetClock(ReplayClock):
    """A clock whose wall time can be set while its monotonic time goes on."""

    set_by_ns = 0

    def now_ns(self) -> int:
        return super().now_ns() + self.set_by_ns


@pytest.mark.parametrize("step_s", [-3600, 3600])
def test_setting_the_clock_raises_nothing_and_hides_nothing(step_s: int) -> None:
    day = Day("a")
    day.clock = clock = SetClock(now_ns=1_700_000_000_000_000_000)
    day.watch = CameraWatch(LIMITS, clock)
    day.run(5, "a")
    clock.set_by_ns = step_s * 1_000_000_000
    day.run(5, "a")
    assert not day.alarms
    assert day.health("a").fps == pytest.approx(10, rel=0.05)
    day.run(2.5)
    assert day.told() == [("camera_stalled", "active")]
