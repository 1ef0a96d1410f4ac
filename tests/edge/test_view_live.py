"""A gateway in threads whose camera was covered while it was off: said, and counted as blind."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge import live
from edge.coverage import Roadway
from edge.drift.watch import DriftWatch
from edge.options import RunOptions
from edge.outlet import Result
from edge.view.watch import ViewWatch
from scene.arrays import Bytes
from scene.clock import ReplayClock
from scene.floor import Floor
from scene.messages import Anomaly, GatewayHealth, Panorama, YuvImage
from scene.rig import load_rig
from scene.site import load_site
from stitching.stitcher import Stitcher
from tests.delivery.parts import alarm
from tests.edge.drift.test_live import write_part
from tests.edge.view_day import CLIP, Spoil, cloth, film
from tests.sample_site import START_AT_NS

HANG_S = 120.0

pytestmark = pytest.mark.skipif(not CLIP.exists(), reason="the sample clip is not here")


@pytest.fixture
def site_file(tmp_path: Path) -> Path:
    """Make a site whose second camera films a cloth, and that knows what it showed before."""
    return spoilt_site(tmp_path, cloth)


def half_cloth(luma: Bytes) -> Bytes:
    """Cover the lower half of the lens."""
    middle = len(luma) // 2
    return np.vstack([luma[:middle], cloth(luma[middle:])])


def spoilt_site(tmp_path: Path, spoil: Spoil) -> Path:
    text = (CLIP / "site.yaml").read_text(encoding="utf-8").replace("../rig.yaml", "rig.yaml")
    (tmp_path / "rig.yaml").write_bytes((CLIP.parent / "rig.yaml").read_bytes())
    path = tmp_path / "site.yaml"
    path.write_text(text + 'broker: {url: "mqtt://127.0.0.1:1"}\n', encoding="utf-8")
    (tmp_path / "cam1.mp4").write_bytes((CLIP / "cam1.mp4").read_bytes())
    covered = [
        YuvImage(y=spoil(frames[1].image.y), u=frames[1].image.u, v=frames[1].image.v)
        for frames in film()
    ]
    write_part(covered, tmp_path / "cam2.mp4")
    site = load_site(path)
    clock = ReplayClock(START_AT_NS)
    watch = ViewWatch(site, load_rig(site.rig.file), clock)
    for frames in film():
        clock.sleep(0.4)
        watch.look(frames)
    return path


class Taken:
    """Takes results until the covered camera is in the alarms and in the coverage."""

    def __init__(self) -> None:
        self.results: list[Result] = []
        self._until_s = time.monotonic() + HANG_S

    def send(self, result: Result) -> None:
        self.results.append(result)

    def stopped(self) -> bool:
        assert time.monotonic() < self._until_s, "it never happened"
        said = any(one.kind == "camera_obscured" for one in self.alarms())
        return said and any(any(beat.coverage) and self.blind(beat) for beat in self.beats())

    def alarms(self) -> list[Anomaly]:
        return [one for one in self.results if isinstance(one, Anomaly)]

    def beats(self) -> list[GatewayHealth]:
        return [one for one in self.results if isinstance(one, GatewayHealth)]

    @staticmethod
    def blind(beat: GatewayHealth) -> bool:
        return {one.name: one.state for one in beat.cameras}.get("cam2") == "obscured"


def test_a_covered_camera_is_said_and_what_it_looks_at_is_unseen(
    site_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marked: list[frozenset[str]] = []
    stitch = Stitcher.stitch

    def stitching(self: Stitcher, *args: Any) -> Panorama:
        marked.append(frozenset(args[3]))
        return stitch(self, *args)

    monkeypatch.setattr(Stitcher, "stitch", stitching)
    look = DriftWatch.look
    covered: list[frozenset[str]] = []

    def looking(self: DriftWatch, *args: Any) -> None:
        covered.append(frozenset(args[2]))
        look(self, *args)

    monkeypatch.setattr(DriftWatch, "look", looking)
    before = replace(alarm("light"), kind="light_lost", camera=None, evidence="cam1: dark")
    taken = Taken()

    def stopped() -> bool:
        return taken.stopped() and {"cam2"} in covered  # else it were judged as moved besides

    options = RunOptions(site_file=site_file, loop=True)
    live.run_cameras(options, taken, lambda: None, stopped, in_processes=False, before=[before])
    assert (marked[0], marked[-1]) == (frozenset(), frozenset({"cam2"}))
    (said,) = (one for one in taken.alarms() if one.kind == "camera_obscured")
    assert (said.camera, said.severity, said.state) == ("cam2", "warning", "active")
    assert live.STARTED_ANEW not in {one.evidence for one in taken.alarms()}
    blind = [beat for beat in taken.beats() if any(beat.coverage) and taken.blind(beat)][-1]
    assert {one.name: one.state for one in blind.cameras} == {"cam1": "ok", "cam2": "obscured"}
    site = load_site(site_file)
    roadway = Roadway(load_rig(site.rig.file), Floor(site.floor), site.floor)
    assert blind.coverage == roadway.covered(["cam1"]).cameras
    assert sum(blind.coverage) < sum(roadway.covered(["cam1", "cam2"]).cameras)
    both = roadway.covered(["cam1", "cam2"]).cameras
    lost = [seen > 0 and not now for seen, now in zip(both, blind.coverage, strict=True)]
    assert [since is not None for since in blind.coverage_unseen_since_ns] == lost


def test_floor_behind_a_lens_that_is_covered_in_part_is_unseen(tmp_path: Path) -> None:
    options = RunOptions(site_file=spoilt_site(tmp_path, half_cloth), loop=True)
    site = load_site(options.site_file)
    roadway = Roadway(load_rig(site.rig.file), Floor(site.floor), site.floor)
    both, less = (sum(roadway.covered(names).cameras) for names in (["cam1", "cam2"], ["cam1"]))
    assert less < both
    taken, until_s = Taken(), time.monotonic() + HANG_S

    def stopped() -> bool:
        assert time.monotonic() < until_s, "it never happened"
        beats = [beat for beat in taken.beats() if all(one.state == "ok" for one in beat.cameras)]
        return any(less <= sum(beat.coverage) < both for beat in beats)

    live.run_cameras(options, taken, lambda: None, stopped, in_processes=False)
