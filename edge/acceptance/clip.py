"""Run the whole product over a clip, every frame of it, and hear all that it says.

Knows nothing about scores. What a live gateway's processes do side by side happens here in one
process, instant by instant, on the clip's own time: the same clip gives the same.
"""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edge.acceptance.filmed_camera import FilmedCamera
from edge.acceptance.truth import Truth
from edge.cameras.source import is_live, open_source
from edge.cameras.watch import CameraWatch
from edge.coverage import Roadway
from edge.drift.book import beside
from edge.drift.watch import DriftWatch
from edge.frame_ring import SourceStatus
from edge.pipeline import Frames, Pipeline
from edge.together import lockstep
from edge.view.watch import ViewWatch
from scene.arrays import Floats
from scene.clock import ReplayClock, SystemClock
from scene.errors import CameraError
from scene.messages import (
    Anomaly,
    CameraHealth,
    Detections,
    GatewayHealth,
    MachinePlace,
    Machines,
    Panorama,
    Positions,
)
from scene.rig import Rig
from scene.site import CameraConfig, Site
from scene.wire import Message

START_AT_NS = 1_790_000_000_000_000_000
"""When a clip begins: any instant does, the same one gives the same ids."""


class Stages(Protocol):
    """What sees, places and judges: the product's own pipeline, or a part of it."""

    def step(
        self, frames: Frames
    ) -> tuple[tuple[Detections, ...], Positions, Panorama | None, tuple[Anomaly, ...]]:
        """Take one instant's frames."""
        ...

    def hear(self, message: Message) -> None:
        """Take what others say."""
        ...

    def distrust(self, spreads: Mapping[str, Floats | None]) -> None:
        """Take what is known of knocked cameras."""
        ...


class WholePipeline:
    """The product's own pipeline."""

    def __init__(self, site: Site, rig: Rig) -> None:
        self._pipeline = Pipeline(site, rig)

    def step(
        self, frames: Frames
    ) -> tuple[tuple[Detections, ...], Positions, Panorama | None, tuple[Anomaly, ...]]:
        """See and show one instant."""
        people = self._pipeline.see(frames)
        picture = self._pipeline.show(frames)
        return people, picture.positions, picture.panorama, picture.anomalies

    def hear(self, message: Message) -> None:
        """Hand it to the rules."""
        self._pipeline.hear(message)

    def distrust(self, spreads: Mapping[str, Floats | None]) -> None:
        """Place people with less trust in some cameras."""
        self._pipeline.distrust(spreads)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Instant:
    """Everything that came out at one instant."""

    frame: int
    """Which frame of the truth it belongs to."""
    at_ns: int
    frames: Frames
    people: tuple[Detections, ...]
    positions: Positions
    panorama: Panorama | None
    anomalies: tuple[Anomaly, ...]
    """What was raised or cleared, cameras' too."""
    cameras: tuple[CameraHealth, ...]
    """How each camera is, by all three watches."""


def with_clips(site: Site, folder: Path) -> Site:
    """Give the site with the clip's files in its cameras' place, where the folder has some.

    A file is named as its camera (`cam1.mp4`), a folder of pictures too. Raises `CameraError` for
    a camera that is live and has none.
    """
    return site.model_copy(update={"cameras": tuple(_clip(one, folder) for one in site.cameras)})


def _clip(camera: CameraConfig, folder: Path) -> CameraConfig:
    named = [path for path in sorted(folder.glob(f"{camera.name}.*")) if path.suffix != ".json"]
    if (folder / camera.name).is_dir():
        named.append(folder / camera.name)
    if named:
        return camera.model_copy(update={"url": str(named[0])})
    if is_live(camera):
        raise CameraError(
            f"camera {camera.name}: {folder} has no clip of it; put {camera.name}.mp4 there"
        )
    return camera


def instants(site: Site) -> Iterator[Frames]:
    """Give a clip's frames, instant by instant; a camera that ends early holds up nobody."""
    clock = SystemClock()
    sources = [
        open_source(camera, clock, pace="as_fast_as_possible", loop=False, start_at_ns=START_AT_NS)
        for camera in site.cameras
    ]
    try:
        yield from lockstep(sources, until="last_ends")
    finally:
        for source in sources:
            source.close()


def run_clip(
    site: Site, rig: Rig, truth: Truth, *, scratch: Path, stages: Stages, roadway: Roadway
) -> Iterator[Instant]:
    """Run everything over every frame of a clip.

    The rules hear once a second what a live gateway would tell them: its health, and where the
    truth says that the shearer is. What the watches write goes to `scratch`, as if this gateway
    ran for the first time; what calibration left beside the rig file they read all the same.
    """
    kept = site.rig.model_copy(update={"file": scratch / "rig.yaml"})
    learned = beside(site.rig.file)
    if learned.is_dir():
        shutil.copytree(learned, beside(kept.file), dirs_exist_ok=True)
    aside = site.model_copy(update={"rig": kept, "state_folder": scratch / "state"})
    clock = ReplayClock(START_AT_NS)
    cameras = _Filmed(site, clock)
    drift, view = DriftWatch(aside, rig, clock), ViewWatch(aside, rig, clock)
    every = max(1, round(truth.fps))
    for frames in instants(site):
        at_ns = max(frame.captured_at_ns for frame in frames)
        number = round((at_ns - START_AT_NS) / 1e9 * truth.fps)
        if number >= len(truth.moments):
            break
        clock.set(at_ns)
        if number % every == 0:
            healths = view.judged(cameras.watch.health())
            for message in told(truth, number, at_ns, healths, roadway):
                stages.hear(message)
        people, positions, panorama, found = stages.step(frames)
        cameras.look(frames)
        drift.look(frames, {one.camera: one for one in people})
        view.look(frames)
        stages.distrust(drift.untrusted())
        yield Instant(
            frame=number,
            at_ns=at_ns,
            frames=frames,
            people=people,
            positions=positions,
            panorama=panorama,
            anomalies=(*found, *cameras.watch.changes(), *drift.changes(), *view.changes()),
            cameras=drift.judged(view.judged(cameras.watch.health())),
        )


def told(
    truth: Truth, number: int, at_ns: int, cameras: tuple[CameraHealth, ...], roadway: Roadway
) -> Iterator[Message]:
    """Give what the rules hear at a frame besides positions."""
    covered = roadway.covered([c.name for c in cameras if c.state == "ok"])
    yield GatewayHealth(
        captured_at_ns=at_ns,
        cameras=cameras,
        panorama_fps=0.0,
        detection_fps=0.0,
        detection_age_s=None,
        detection_provider="",
        coverage_from_x_m=covered.from_m,
        coverage=covered.cameras,
    )
    shearer = truth.moments[number].movers.get("shearer_xyz_m")
    if shearer is not None:
        place = MachinePlace(machine="shearer", xy_m=shearer[:2], at_ns=at_ns)
        yield Machines(captured_at_ns=at_ns, machines=(place,))


class _Filmed:
    """The gateway's watch over its cameras, shown a clip's frames."""

    def __init__(self, site: Site, clock: ReplayClock) -> None:
        self.watch = CameraWatch(site.limits.camera, clock)
        running = SourceStatus(state="running")
        self._cameras = {one.name: FilmedCamera(one.name, running) for one in site.cameras}

    def look(self, frames: Frames) -> None:
        for frame in frames:
            self._cameras[frame.camera].count(frame.captured_at_ns)
        self.watch.look(list(self._cameras.values()), frames)
