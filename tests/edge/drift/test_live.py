"""A gateway in threads whose camera was knocked while it was off: told, hung anew, taken back."""

import time
from collections.abc import Callable
from pathlib import Path

import av
import pytest

from edge import live
from edge.cameras.source import open_source
from edge.drift.watch import DriftWatch
from edge.main import main
from edge.options import RunOptions
from edge.outlet import Result
from scene.clock import ReplayClock, SystemClock
from scene.messages import Anomaly, CameraHealth, GatewayHealth, PanoramaPacket, Positions, YuvImage
from scene.rig import load_rig
from scene.rig_history import load_proposal
from scene.site import load_site
from tests.sample_site import SAMPLES, START_AT_NS, instants

CLIP = SAMPLES / "events" / "camera_knock"
KNOCKED_FROM = 40
HANG_S = 180.0

pytestmark = pytest.mark.skipif(not CLIP.exists(), reason="the sample clip is not here")


def write_part(images: list[YuvImage], path: Path, crf: int = 16) -> None:
    """Write pictures as a clip at 10 pictures a second; a `crf` of 0 loses nothing."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = images[0].size_px
        stream.pix_fmt = "yuv420p"
        stream.options = {"preset": "ultrafast", "crf": str(crf)}
        for index, image in enumerate(images):
            frame = av.VideoFrame(*images[0].size_px, "yuv420p")
            for plane, values in zip(frame.planes, (image.y, image.u, image.v), strict=True):
                rows = memoryview(plane).cast("B")
                for row, line in enumerate(values):
                    rows[row * plane.line_size : row * plane.line_size + len(line)] = line.tobytes()
            frame.pts = index
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


@pytest.fixture
def site_file(tmp_path: Path) -> Path:
    """Make a site whose cameras film what they see after the knock, and know what was before."""
    text = (CLIP / "site.yaml").read_text(encoding="utf-8").replace("../rig.yaml", "rig.yaml")
    (tmp_path / "rig.yaml").write_bytes((CLIP.parent / "rig.yaml").read_bytes())
    for name in ("cam1", "cam2"):
        (tmp_path / f"{name}.mp4").write_bytes((CLIP / f"{name}.mp4").read_bytes())
    path = tmp_path / "site.yaml"
    path.write_text(text + 'broker: {url: "mqtt://127.0.0.1:1"}\n', encoding="utf-8")
    site = load_site(path)
    clock = ReplayClock(START_AT_NS)
    watch = DriftWatch(site, load_rig(site.rig.file), clock)
    for index, frames in enumerate(instants(site)):
        if index == KNOCKED_FROM:
            break
        clock.set(frames[0].captured_at_ns)
        watch.look(frames)
    for camera in site.cameras:
        source = open_source(
            camera, SystemClock(), pace="as_fast_as_possible", loop=False, start_at_ns=0
        )
        images = [frame.image for frame in source.frames()]
        source.close()
        write_part(images[KNOCKED_FROM:], Path(camera.url))
    return path


class Taken:
    """Takes results, and lets the test do the next thing when it has seen enough."""

    def __init__(self) -> None:
        self.results: list[Result] = []
        self.steps: list[tuple[Callable[[], bool], Callable[[], None]]] = []
        self._since_s = time.monotonic()

    def send(self, result: Result) -> None:
        self.results.append(result)

    def stopped(self) -> bool:
        assert time.monotonic() - self._since_s < HANG_S, f"{len(self.steps)} steps are left"
        if self.steps and self.steps[0][0]():
            self.steps.pop(0)[1]()
        return not self.steps

    def alarms(self) -> list[Anomaly]:
        found = [one for one in self.results if isinstance(one, Anomaly)]
        return [one for one in found if one.kind == "camera_moved"]

    def packets(self) -> list[PanoramaPacket]:
        return [one for one in self.results if isinstance(one, PanoramaPacket)]

    def state(self, camera: str) -> str:
        return next((one.state for one in self._cameras() if one.name == camera), "")

    def detail(self, camera: str) -> str:
        return next((one.detail for one in self._cameras() if one.name == camera), "")

    def _cameras(self) -> tuple[CameraHealth, ...]:
        beats = [one for one in self.results if isinstance(one, GatewayHealth)]
        return tuple(beats[-1].cameras) if beats else ()


def test_a_knocked_camera_is_told_hung_anew_and_taken_back_while_the_panorama_goes_on(
    site_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.drift.alarms.CLEAR_AFTER_S", 1.0)
    before = load_rig(site_file.parent / "rig.yaml").id
    taken, proposed = Taken(), list[str]()

    def apply() -> None:
        proposed.append(load_proposal(site_file.parent / "rig.yaml").rig.id)
        assert main(["rig", "apply", str(site_file)]) == 0

    def roll_back() -> None:
        assert main(["rig", "rollback", str(site_file)]) == 0

    taken.steps = [
        (lambda: len(taken.alarms()) == 1 and taken.state("cam2") == "moved", apply),
        (
            lambda: (
                len(taken.alarms()) == 2
                and taken.state("cam2") == "ok"
                and taken.packets()[-1].geometry == proposed[0]
            ),
            roll_back,
        ),
        (
            lambda: len(taken.alarms()) == 3 and taken.packets()[-1].geometry == before,
            lambda: None,
        ),
    ]
    options = RunOptions(site_file=site_file, loop=True)
    live.run_cameras(options, taken, lambda: None, taken.stopped, in_processes=False)
    raised, cleared, again = taken.alarms()
    assert (raised.camera, raised.state, cleared.state, again.state) == (
        "cam2",
        "active",
        "cleared",
        "active",
    )
    assert raised.id == cleared.id != again.id
    assert "turned by 1.9" in raised.evidence
    packets = taken.packets()
    order = [packet.geometry for packet in packets]
    runs = [a for a, b in zip(order, [*order[1:], ""], strict=True) if a != b]
    assert runs == [before, proposed[0], before]
    stamps = [packet.captured_at_ns for packet in packets]
    assert stamps == sorted(set(stamps))
    assert stamps == [one.captured_at_ns for one in taken.results if isinstance(one, Positions)]
    assert len({packet.size_px for packet in packets}) == 1


def test_a_site_may_want_it_applied_by_itself(
    site_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.drift.loop.AUTO_APPLY_AFTER_S", 1.0)
    text = site_file.read_text(encoding="utf-8")
    site_file.write_text(text.replace("kind: rotation", "kind: rotation\n  auto_apply: true"))
    before, taken = load_rig(site_file.parent / "rig.yaml").id, Taken()

    def roll_back() -> None:
        assert main(["rig", "rollback", str(site_file)]) == 0

    taken.steps = [
        (
            lambda: (
                bool(taken.packets())
                and taken.packets()[-1].geometry != before
                and taken.state("cam2") == "ok"
            ),
            roll_back,
        ),
        (lambda: "not applied by itself" in taken.detail("cam2"), lambda: None),
    ]
    options = RunOptions(site_file=site_file, loop=True)
    live.run_cameras(options, taken, lambda: None, taken.stopped, in_processes=False)
    assert load_rig(site_file.parent / "rig.yaml").id == before
