"""The sample clips under the drift watch: the knock is found as it was, and nothing else is one."""

from pathlib import Path

import numpy as np
import pytest

from edge.drift.watch import DriftWatch
from scene.arrays import Floats
from scene.clock import ReplayClock
from scene.messages import Anomaly
from scene.rig import save_rig
from scene.rig_history import load_proposal
from stitching.drift.turn import small_turn
from tests.sample_site import SAMPLES, START_AT_NS, instants, read, rig_of, site_of

EVENTS = SAMPLES / "events"
needs_samples = pytest.mark.skipif(
    not (EVENTS / "camera_knock").exists(), reason="the sample clips are not here"
)
KNOCKED_AT_S = 4.0


def watched(folder: Path, kept: Path) -> list[tuple[float, Anomaly]]:
    """Run the watch over a clip; gives its alarms, each with the clip's time."""
    rig = rig_of(folder)
    save_rig(rig, kept / "rig.yaml")
    site = site_of(folder)
    changes = {
        "rig": site.rig.model_copy(update={"file": kept / "rig.yaml"}),
        "state_folder": kept / "state",
    }
    clock = ReplayClock(START_AT_NS)
    watch = DriftWatch(site.model_copy(update=changes), rig, clock)
    alarms = []
    for frames in instants(site):
        at_ns = max(frame.captured_at_ns for frame in frames)
        clock.set(at_ns)
        watch.look(frames)
        alarms += [((at_ns - START_AT_NS) / 1e9, alarm) for alarm in watch.changes()]
    return alarms


def true_turn(folder: Path, camera: str) -> Floats:
    """Give the (3, 3) turn by which the clip's camera is knocked."""
    item = next(one for one in read(folder, "scene.json")["cameras"] if one["id"] == camera)
    before, after = (np.array(pose["R"], float) for pose in item["poses"])
    return np.asarray(after @ before.T)


@needs_samples
def test_the_knock_is_found_and_its_proposal_is_the_true_one(tmp_path: Path) -> None:
    folder = EVENTS / "camera_knock"
    ((at_s, alarm),) = watched(folder, tmp_path)
    assert (alarm.kind, alarm.camera) == ("camera_moved", "cam2")
    assert KNOCKED_AT_S < at_s < KNOCKED_AT_S + 4
    proposal = load_proposal(tmp_path / "rig.yaml")
    before, after = rig_of(folder).camera("cam2"), proposal.rig.camera("cam2")
    turn = after.camera_from_mine[:3, :3] @ before.camera_from_mine[:3, :3].T
    off = small_turn(turn @ true_turn(folder, "cam2").T)
    assert np.degrees(np.linalg.norm(off)) < 0.04
    assert np.linalg.norm(after.centre_m - before.centre_m) < 1e-6
    (camera,) = proposal.cameras
    assert camera.old_px == pytest.approx(16.8, abs=0.5)
    assert camera.new_px < 0.6
    assert camera.overlap_old_px is not None
    assert camera.overlap_new_px is not None
    assert camera.overlap_old_px > 10
    assert camera.overlap_new_px < 0.5
    sigma = np.sqrt(np.diag(after.pose_covariance)[:3])
    assert (sigma > np.abs(off) / 3).all(), "its covariance knows of its error"


@needs_samples
@pytest.mark.parametrize("name", ["lamp_outage", "lens_dust", "belt_moving", "quiet"])
def test_light_dust_machines_and_people_are_no_knock(name: str, tmp_path: Path) -> None:
    assert watched(EVENTS / name, tmp_path) == []


@needs_samples
def test_on_a_strip_rig_a_shearer_is_no_knock(tmp_path: Path) -> None:
    if not (SAMPLES / "longwall").exists():
        pytest.skip("the sample longwall is not here")
    assert watched(SAMPLES / "longwall", tmp_path) == []
