import hashlib
import json

import pytest

from detection.model import SHIPPED
from edge.health import CLEAR_AFTER_S, HealthReport
from scene.clock import ReplayClock
from scene.messages import Anomaly, CameraHealth, GatewayHealth
from scene.site import parse_site
from scene.wire import decode, encode
from tests.edge.test_coverage import FLOOR, rig

SITE = """
version: 1
site: s
gateway: g
cameras: [{name: ahead, url: "rtsp://c/1"}, {name: back, url: "rtsp://c/2"}]
rig: {mount: {xyz_m: [20, 0, 2.6]}}
floor: {centre_line_m: [[0, 0, 0], [60, 0, 0.6]], left_m: 2.4, right_m: 2.4}
"""


class Report:
    def __init__(self, tmp: "object") -> None:
        self.clock = ReplayClock(now_ns=1_700_000_000_000_000_000)
        site = parse_site(SITE, name="site.yaml", folder=tmp)  # type: ignore[arg-type]
        assert site.floor == FLOOR
        self.health = HealthReport(site, rig(), self.clock)
        self.alarms: list[Anomaly] = []

    def run(self, seconds: float, reason: str) -> None:
        for _ in range(round(seconds)):
            self.clock.sleep(1.0)
            self.alarms += self.health.complaints("degraded_inference", reason)

    def beat(self, *, unsearched: tuple[str, ...] = (), blind: bool = False) -> GatewayHealth:
        cameras = tuple(
            CameraHealth(name=name, state="ok", fps=10.0, last_frame_at_ns=1)
            for name in ("ahead", "back")
        )
        return self.health.report(
            cameras, "CPU", "", detection_fps=5.0, unsearched=unsearched, blind=blind
        )


@pytest.fixture
def report(tmp_path: object) -> Report:
    return Report(tmp_path)


def test_what_nobody_searches_is_not_covered(report: Report) -> None:
    assert report.beat().coverage[30] == report.beat().coverage[10] == 1
    assert report.beat(unsearched=("ahead",)).coverage[30] == 0
    assert report.beat(unsearched=("ahead",)).coverage[10] == 1
    assert not any(report.beat(blind=True).coverage)
    assert len(report.beat(blind=True).coverage) == 60


def test_the_model_is_named_with_its_hash_as_it_was_loaded(report: Report) -> None:
    digest = hashlib.sha256(SHIPPED.read_bytes()).hexdigest()
    beat = report.beat()
    assert (beat.detection_model, beat.detection_model_sha256) == (SHIPPED.name, digest)


def test_it_is_told_since_when_a_metre_is_unseen(report: Report) -> None:
    first = report.beat()
    started_ns = first.captured_at_ns
    assert first.coverage_unseen_since_ns[30] is None
    assert first.coverage[20] == 0, "below the cameras nobody looks"
    assert first.coverage_unseen_since_ns[20] is None, "it was never seen, so never lost"
    report.clock.sleep(5.0)
    lost = report.beat(unsearched=("ahead",))
    report.clock.sleep(60.0)
    later = report.beat(unsearched=("ahead",))
    assert lost.coverage_unseen_since_ns == later.coverage_unseen_since_ns
    assert later.coverage_unseen_since_ns[30] == started_ns + 5_000_000_000
    assert later.coverage_unseen_since_ns[20] is None
    assert later.coverage_unseen_since_ns[10] is None
    assert report.beat().coverage_unseen_since_ns[30] is None


def test_what_was_seen_once_and_lost_is_no_floor_that_was_never_seen(report: Report) -> None:
    assert set(report.beat(blind=True).coverage_unseen_since_ns) == {None}, "not seen yet"
    report.beat()
    report.clock.sleep(5.0)
    lost = report.beat(blind=True)
    assert lost.coverage_unseen_since_ns[30] == lost.captured_at_ns
    assert lost.coverage_unseen_since_ns[20] is None


def test_how_well_a_metre_is_seen_is_told_with_the_cameras_that_are_healthy(
    report: Report,
) -> None:
    whole, half = report.beat(), report.beat(unsearched=("ahead",))
    assert whole.coverage_sigma_m[30] is not None
    assert half.coverage_sigma_m[30] is None
    assert half.coverage_sigma_m[10] == whole.coverage_sigma_m[10]
    told = (whole.coverage, whole.coverage_sigma_m, whole.coverage_unseen_since_ns)
    assert {len(one) for one in told} == {60}


def test_a_heartbeat_of_before_and_one_of_after_are_read_alike(report: Report) -> None:
    beat = report.beat()
    sent = json.loads(encode(beat, gateway="g", seq=1, sent_at_ns=1))
    assert decode(json.dumps(sent).encode()).body == beat
    for field in ("coverage_sigma_m", "coverage_unseen_since_ns"):
        del sent["body"][field]
    old = decode(json.dumps(sent).encode()).body
    assert isinstance(old, GatewayHealth)
    assert old.coverage == beat.coverage
    assert old.coverage_sigma_m == ()


def test_a_rig_hung_anew_forgets_no_blind_spot(report: Report) -> None:
    since_ns = report.beat().coverage_unseen_since_ns
    report.clock.sleep(5.0)
    report.health.rehung(report.health.roadway_of(rig()))
    assert report.beat().coverage_unseen_since_ns == since_ns


def test_no_heartbeat_looks_into_a_camera_of_a_rig_hung_anew(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That takes long, and heartbeats are written where pictures are shown."""
    whole, half = report.beat().coverage, report.beat(unsearched=("back",)).coverage
    roadway = report.health.roadway_of(rig())
    monkeypatch.setattr("edge.coverage.project", lambda *_: pytest.fail("too late"))
    report.health.rehung(roadway)
    assert report.beat().coverage == whole
    assert report.beat(unsearched=("back",)).coverage == half


def test_a_reason_that_comes_and_goes_is_one_alarm(report: Report) -> None:
    for _ in range(10):
        report.run(3, "detection gives no answer")
        report.run(4, "")
    assert [alarm.state for alarm in report.alarms] == ["active"]
    report.run(CLEAR_AFTER_S, "")
    raised, cleared = report.alarms
    assert (cleared.id, cleared.state) == (raised.id, "cleared")
    report.run(2, "again")
    assert report.alarms[-1].state == "active"
    assert report.alarms[-1].id != raised.id


def test_an_alarm_of_the_run_before_goes_on_until_all_is_well(
    report: Report, tmp_path: object
) -> None:
    report.run(1, "slow")
    (raised,) = report.alarms
    after = Report(tmp_path)
    assert after.health.adopt(raised)
    assert not after.health.adopt(raised)
    after.run(5, "slow again")
    after.run(CLEAR_AFTER_S - 1, "")
    assert not after.alarms
    after.run(2, "")
    assert [(alarm.id, alarm.state) for alarm in after.alarms] == [(raised.id, "cleared")]


def test_inference_and_the_gateway_itself_complain_apart(report: Report) -> None:
    report.run(1, "slow")
    report.alarms += report.health.complaints("gateway_trouble", "a mistake in the site file")
    assert [one.kind for one in report.alarms] == ["degraded_inference", "gateway_trouble"]
    report.run(12, "")
    assert [(one.kind, one.state) for one in report.alarms][2:] == [
        ("degraded_inference", "cleared")
    ], "the other goes on"
    (over,) = report.health.complaints("gateway_trouble", "")
    assert (over.kind, over.state) == ("gateway_trouble", "cleared")
