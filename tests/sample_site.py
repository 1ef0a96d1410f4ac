"""The sample sites: their truth as it lies on disk, and one run of the whole product over each.

Knows nothing about scores. A folder with `scene.json` is a site or, under `events/`, an event's
clip. Where there is no `site.yaml` and rig, both are made from the truth: then everything runs but
the panorama.
"""

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from detection.detector import open_detector
from edge.acceptance import clip
from edge.acceptance.clip import START_AT_NS, WholePipeline, instants, run_clip
from edge.acceptance.truth import Boxes, Truth, read_boxes, read_truth
from edge.coverage import Roadway
from edge.pipeline import Frames
from location.tracker import Tracker
from location.watch import Watch
from scene.arrays import Bools, Floats
from scene.floor import Floor
from scene.geometry import CameraModel
from scene.messages import Anomaly, CameraHealth, Detections, Panorama, Positions
from scene.rig import Rig, load_rig
from scene.site import FloorConfig, PanoramaConfig, Site, load_site
from scene.wire import Message
from stitching.drift.proposal import distrusted
from stitching.layout import choose_surface
from stitching.lens import usable_angle

__all__ = ["START_AT_NS", "Boxes", "instants"]

SAMPLES = Path(__file__).parents[1] / "sample_videos"
FOLDER = SAMPLES / "roadway"
KEEP_EVERY = 10
"""Pictures of so many instants are one that is kept."""
TURN_SIGMA_RAD, SHIFT_SIGMA_M = 1e-3, 5e-3
"""What a rig made from the truth says of its poses: as a good survey would."""


def sites() -> list[Path]:
    """List the sites' folders that are there."""
    return sorted(path.parent for path in SAMPLES.glob("*/scene.json"))


def event_clips() -> list[Path]:
    """List the folders of the events' clips that are there."""
    return sorted(path.parent for path in SAMPLES.glob("events/*/scene.json"))


@cache
def read(folder: Path, name: str) -> Any:
    """Read one of the truth's JSON files; raises FileNotFoundError."""
    return json.loads((folder / name).read_text(encoding="utf-8"))


@cache
def world(folder: Path) -> list[dict[str, Any]]:
    """Read where everybody is, per frame."""
    lines = (folder / "world.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def duration_s(folder: Path) -> float:
    """Tell how long a clip is."""
    scene = read(folder, "scene.json")
    return float(scene["frames"] / scene["fps"])


@cache
def boxes(folder: Path) -> dict[str, tuple[Boxes, ...]]:
    """Read every camera's boxes, a tuple with one item per frame."""
    return read_boxes(folder, len(world(folder)))


@cache
def truth(folder: Path) -> Truth:
    """Read the truth as the acceptance test does."""
    return read_truth(folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """What one camera shows of a person, run-length encoded as COCO has it."""

    size_px: tuple[int, int]
    """Width and height."""
    counts: str | tuple[int, ...]
    area_px: int

    def pixels(self) -> Bools:
        """Decode into (H, W)."""
        width, height = self.size_px
        runs = _runs(self.counts) if isinstance(self.counts, str) else list(self.counts)
        inside = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
        return np.ascontiguousarray(inside.reshape(width, height).T)


def _mask_files(folder: Path) -> list[Path]:
    return sorted({*folder.glob("coco*.json"), *folder.glob("coco/**/*.json")})


@cache
def masks(folder: Path) -> dict[int, dict[str, dict[int, Mask]]]:
    """Read the visible masks, by frame, camera and person; raises FileNotFoundError."""
    paths = _mask_files(folder)
    if not paths:
        raise FileNotFoundError(f"{folder.name}: no coco.json: there are no masks")
    found: dict[int, dict[str, dict[int, Mask]]] = {}
    for path in paths:
        content = json.loads(path.read_text(encoding="utf-8"))
        places = {image["id"]: (image["frame"], image["camera"]) for image in content["images"]}
        for frame, camera in places.values():
            found.setdefault(frame, {}).setdefault(camera, {})
        for item in content["annotations"]:
            frame, camera = places[item["image_id"]]
            coded = item["segmentation"]
            height, width = coded["size"]
            counts = coded["counts"]
            found[frame][camera][item["track_id"]] = Mask(
                size_px=(width, height),
                counts=counts if isinstance(counts, str) else tuple(counts),
                area_px=item["area"],
            )
    return found


def _runs(text: str) -> list[int]:
    """Undo COCO's compression of run lengths (`rleFrString` of cocoapi)."""
    runs: list[int] = []
    value = shift = 0
    for character in text:
        code = ord(character) - 48
        value |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        if code & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    return runs


def cameras_from_truth(folder: Path) -> tuple[CameraModel, ...]:
    """Make the cameras exactly as they were at the clip's start."""
    return tuple(_camera(item) for item in read(folder, "scene.json")["cameras"])


def _camera(item: dict[str, Any]) -> CameraModel:
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = item["R"], item["t"]
    lens = item.get("lens", "brown")
    spread = np.repeat([TURN_SIGMA_RAD, SHIFT_SIGMA_M], 3) ** 2
    width, height = item["size_px"]

    def model(max_angle_rad: float) -> CameraModel:
        return CameraModel(
            name=item["id"],
            size_px=(width, height),
            lens=lens,
            k=np.array(item["K"], float),
            distortion=np.array(item["dist"], float),
            camera_from_mine=pose,
            pose_covariance=np.diag(spread),
            max_angle_rad=max_angle_rad,
        )

    return model(usable_angle(model(3.0 if lens == "fisheye" else 1.5)))


def rig_from_truth(folder: Path) -> Rig:
    """Make a rig of the cameras as they are, for sites that are not calibrated."""
    cameras = cameras_from_truth(folder)
    floor = FloorConfig.model_validate(read(folder, "scene.json")["floor"])
    centres_m = np.array([camera.centre_m for camera in cameras])
    strip = bool(np.ptp(centres_m, axis=0).max() > 1.0)
    surface = choose_surface(list(cameras), PanoramaConfig(), strip=strip, floor=floor)
    return Rig(cameras=cameras, surface=surface, anchor="survey", quality={})


@cache
def has_rig(folder: Path) -> bool:
    """Tell whether the site was calibrated, and so has a panorama."""
    return (folder / "site.yaml").exists() and load_site(folder / "site.yaml").rig.file.exists()


@cache
def rig_of(folder: Path) -> Rig:
    """Load the calibrated rig, or make one from the truth."""
    if has_rig(folder):
        return load_rig(load_site(folder / "site.yaml").rig.file)
    return rig_from_truth(folder)


@cache
def site_of(folder: Path) -> Site:
    """Load the site file, or make one from the truth, with default limits."""
    if (folder / "site.yaml").exists():
        return load_site(folder / "site.yaml")
    scene = read(folder, "scene.json")
    rows = [
        {"name": zone["id"], "kind": zone["kind"], "polygon_m": zone["polygon_m"]}
        for zone in scene["zones"]
        if zone["kind"] == "restricted"
    ]
    content = {
        "version": 1,
        "site": folder.name,
        "gateway": "bench",
        "cameras": [{"name": c["id"], "url": f"{c['id']}.mp4"} for c in scene["cameras"]],
        "rig": {"mount": {"xyz_m": scene["cameras"][0]["position_m"]}},
        "floor": scene["floor"],
        "zones": rows,
    }
    return Site.model_validate(content, context={"folder": folder})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Output:
    """What came out at one instant."""

    frame: int
    """Which frame of the truth it belongs to."""
    people: tuple[Detections, ...]
    positions: Positions
    painted: Panorama | None
    """At instants for which there are true masks; none without a calibrated rig."""
    frames: Frames
    """The cameras' pictures, of one instant in `KEEP_EVERY`; else empty."""
    panorama: Panorama | None
    """Of the same instants."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """What came out of one run over a clip."""

    outputs: tuple[Output, ...]
    anomalies: tuple[Anomaly, ...]
    """All that were raised or cleared, cameras' too."""


@cache
def run(folder: Path) -> Run:
    """Run everything over every frame of a clip, once; a camera that dies holds up nobody.

    The rules hear once a second what a live gateway would tell them: its health, and where the
    truth says that the shearer is.
    """
    with tempfile.TemporaryDirectory() as scratch:  # what the watches write is thrown away
        return _run(folder, Path(scratch))


def _run(folder: Path, scratch: Path) -> Run:
    """Run over a clip; what the watches write goes to `scratch`."""
    site, rig = site_of(folder), rig_of(folder)
    stages = WholePipeline(site, rig) if has_rig(folder) else _StagesWithoutPanorama(site, rig)
    judged = masks(folder) if _mask_files(folder) else {}
    outputs, anomalies = [], list[Anomaly]()
    roadway = roadway_of(folder)
    for now in run_clip(site, rig, truth(folder), scratch=scratch, stages=stages, roadway=roadway):
        anomalies += now.anomalies
        keep = now.frame % KEEP_EVERY == 0 and folder.parent == SAMPLES
        outputs.append(
            Output(
                frame=now.frame,
                people=now.people,
                positions=now.positions,
                painted=now.panorama if now.frame in judged else None,
                frames=now.frames if keep else (),
                panorama=now.panorama if keep else None,
            )
        )
    return Run(outputs=tuple(outputs), anomalies=tuple(anomalies))


@cache
def roadway_of(folder: Path) -> Roadway:
    """Tell what a site's cameras cover."""
    site = site_of(folder)
    return Roadway(rig_of(folder), Floor(site.floor), site.floor)


def told(
    folder: Path, number: int, at_ns: int, cameras: tuple[CameraHealth, ...]
) -> Iterator[Message]:
    """Give what the rules hear at a frame besides positions."""
    yield from clip.told(truth(folder), number, at_ns, cameras, roadway_of(folder))


_Step = tuple[tuple[Detections, ...], Positions, Panorama | None, tuple[Anomaly, ...]]


class _StagesWithoutPanorama:
    """The product's pipeline but for the panorama, for a rig that has no surface."""

    def __init__(self, site: Site, rig: Rig) -> None:
        self._detector = open_detector(site.detection)
        self._tracker = Tracker(rig, Floor(site.floor))
        self._watch = Watch(site)
        self._rig = rig

    def step(self, frames: Frames) -> _Step:
        people = self._detector.detect(frames)
        self._tracker.update(people)
        at_ns = max(frame.captured_at_ns for frame in frames)
        positions = Positions(captured_at_ns=at_ns, people=self._tracker.positions(at_ns))
        return people, positions, None, self._watch.update(positions)

    def hear(self, message: Message) -> None:
        self._watch.hear(message)

    def distrust(self, spreads: Mapping[str, Floats | None]) -> None:
        self._tracker.look_through(distrusted(self._rig, spreads))
