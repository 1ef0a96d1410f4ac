"""Renders one camera's clip: plates, people drawn in frame by frame, the sensor, the encoder.

Plates and finished clips are kept in the work folder. Knows nothing about other cameras.
"""

# mypy: ignore-errors

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from sample_videos.generator import GENERATOR_VERSION
from sample_videos.generator.mine import (
    Phase,
    dead_from,
    frame_of,
    layout_of,
    lens_dust_of,
    phases,
    probe_places,
    still_geometry,
)
from sample_videos.generator.miner import Look, build_body, pose_miner
from sample_videos.generator.scene_file import CameraSpec, MinerSpec, SceneSpec
from sample_videos.generator.script import Moment, play

Progress = Callable[[str, int, int], None]
"""Called with a task's name, steps done, steps in all."""
FULL_WELL, NOISE_KEPT = 9000.0, 0.9
"""A camera for the dark: a large sensor, and noise reduction over time."""
ADAPT_S = 1.0
"""The camera's exposure follows a change of light within this time."""
GROUP_S = 4
"""A key frame so often."""


def fingerprint(*values: object) -> str:
    """Tell whether something was made from the same input by the same generator."""
    text = json.dumps([GENERATOR_VERSION, values], sort_keys=True, default=asdict)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def look_of(spec: MinerSpec) -> Look:
    """Make the look that a scene file gives a miner."""
    return Look(
        height_m=spec.height_m,
        suit=spec.suit,
        helmet=spec.helmet,
        stripe=spec.stripe,
        vest=spec.vest,
        helmet_on=spec.helmet_on,
        lamp_on=spec.lamp_on,
        dirt=spec.dirt,
    )


def courses(scene: SceneSpec) -> dict[int, list[Moment]]:
    """Play everybody's script: a moment per frame by miner."""
    return {m.id: play(m, scene.fps, scene.frames) for m in scene.miners}


def pose_all(scene: SceneSpec, body, looks, course, frame: int):
    """Stand everybody in the mine at one frame."""
    axis = scene.axis
    out = []
    for miner, look in zip(scene.miners, looks, strict=True):
        moment = course[miner.id][frame]
        x, y, z = axis.floor_m([moment.xy_m])[0]
        out.append(
            pose_miner(
                body,
                look,
                moment.pose,
                (x, y),
                yaw_rad=moment.yaw_rad + axis.heading_rad(moment.xy_m[0]),
                floor_z_m=z,
                helmet_on=moment.helmet_on,
            )
        )
    return out


class Still:
    """The empty mine as a camera sees it in one phase, ready to have people drawn into it.

    What takes long is kept in `folder` and taken from there; without one nothing is kept.
    """

    def __init__(self, scene: SceneSpec, phase: Phase, folder: Path | None) -> None:
        from sample_videos.generator import plates
        from sample_videos.generator.frame import Stage, View

        self._scene, self._phase, self._folder = scene, phase, folder
        mi, layout = plates.mitsuba(), layout_of(scene, phase.lamps_out)
        loaded = plates.build_scene(mi, layout, _textures(scene), scene.mine.lamp_power)
        self.plate = self._plate(mi, loaded, layout)
        points = np.array(probe_places(scene))
        light = self._probe_light(mi, loaded, points)
        self.stage = Stage(mi, loaded, layout.lamps, points, light)
        self.view = View(phase.camera, self.plate, self.stage, scene.dust_per_m)

    def _plate(self, mi, loaded, layout):
        from sample_videos.generator import plates

        scene, phase = self._scene, self._phase
        path = self._folder and plate_file(scene, phase, self._folder)
        if path and path.exists():
            return plates.Plate.load(path)
        samples = scene.samples_per_pixel
        plate = plates.render_plate(
            mi, loaded, phase.camera, layout.lamps, samples=samples, seed=scene.seed
        )
        if path:
            plate.save(path)
        return plate

    def _probe_light(self, mi, loaded, points):
        from sample_videos.generator.plates import indirect_light

        key = fingerprint(still_geometry(self._scene), self._phase.lamps_out)
        path = self._folder and self._folder / f"probes-{key}.npy"
        if path and path.exists():
            return np.load(path)
        light = indirect_light(mi, loaded, points)
        if path:
            part = path.with_name(f"{path.stem}.{os.getpid()}.npy")
            np.save(part, light)
            part.replace(path)
        return light


def plate_file(scene: SceneSpec, phase: Phase, folder: Path) -> Path:
    """Tell where a phase's plate is kept."""
    camera = phase.camera
    look = [camera.rotation.tolist(), camera.centre_m.tolist(), camera.plate_k.tolist()]
    key = fingerprint(still_geometry(scene), look, camera.plate_size_px, phase.lamps_out)
    return folder / f"plate-{camera.name}-{key}.npz"


def _textures(scene: SceneSpec):
    from sample_videos.generator import textures

    clean = textures.make_textures(1024, scene.seed)
    return clean if scene.roadway is not None else textures.dusty(clean)


def render_clip(
    scene: SceneSpec, spec: CameraSpec, work: Path, out: Path, report: Progress
) -> None:
    """Render one camera's clip into `out`; what it shows of whom goes to the work folder."""
    clip, seen_file = out / f"{spec.id}.mp4", seen_path(scene, spec.id, work)
    dead = dead_from(scene, spec.id)
    frames = scene.frames if dead is None else dead
    key = fingerprint({**asdict(scene), "crf": 0}, spec.id)
    master = work / scene.name / f"master-{spec.id}.mkv"
    if not _is_done(seen_file, key):
        shooting = Shooting(scene, spec, work / "plates")
        lines = [json.dumps({"scene": key}) + "\n"]
        with Master(master, scene.fps, spec.size_px) as film:
            for frame in range(frames):
                report(spec.id, frame, frames)
                picture, people = shooting.frame(frame)
                film.add(picture)
                lines.append(json.dumps(people) + "\n")
        seen_file.write_text("".join(lines), encoding="utf-8")
    encode(master, clip, scene)
    report(spec.id, frames, frames)


def seen_path(scene: SceneSpec, camera: str, work: Path) -> Path:
    """Tell where it is kept what a camera sees of whom."""
    return work / scene.name / f"seen-{camera}.jsonl"


def _is_done(seen_file: Path, key: str) -> bool:
    if not seen_file.exists():
        return False
    with seen_file.open(encoding="utf-8") as lines:
        return json.loads(lines.readline())["scene"] == key


class Shooting:
    """One camera at work, frame after frame, in order from 0."""

    def __init__(self, scene: SceneSpec, spec: CameraSpec, folder: Path) -> None:
        import cv2

        from sample_videos.generator.movers import movers

        cv2.setNumThreads(1)
        self._scene, self._spec, self._folder = scene, spec, folder
        self._waiting = phases(scene, spec)
        self._body, self._looks = build_body(), [look_of(m) for m in scene.miners]
        self._course, self._machines = courses(scene), movers(scene)
        self._enter(self._waiting.pop(0))
        self._exposure = self._wanted
        self._sensor = self._make_sensor()

    def frame(self, frame: int):
        """Take the next picture (H, W, 3) BGR; tell whom it shows (`frame.Seen` as mappings)."""
        from sample_videos.generator.frame import person_seen

        scene = self._scene
        while self._waiting and self._waiting[0].first_frame <= frame:
            self._enter(self._waiting.pop(0))
        adapted = min(1.0, 3.0 / (ADAPT_S * scene.fps))
        self._exposure += (self._wanted - self._exposure) * adapted
        posed = pose_all(scene, self._body, self._looks, self._course, frame)
        moved = [machine.at(frame / scene.fps) for machine in self._machines]
        still, power = self._still, scene.mine.lamp_power
        lighting = still.stage.lighting(self._looks, posed, power, moved)
        radiance, plate_ids = still.view.draw(self._body, self._looks, posed, lighting, moved)
        dust = _lens_dust(scene, self._spec, frame)
        picture = self._sensor.expose(radiance, frame, exposure=self._exposure, lens_dust=dust)
        ids = self._sensor.deliver_ids(plate_ids)
        people = []
        for i, (miner, p) in enumerate(zip(scene.miners, posed, strict=True)):
            seen = person_seen(self._camera, self._sensor, i, p, ids)
            if seen is not None:
                people.append({"id": miner.id, **asdict(seen)})
        return picture, people

    def _enter(self, phase: Phase) -> None:
        from sample_videos.generator.sensor import auto_exposure

        self._camera = phase.camera
        self._still = Still(self._scene, phase, self._folder)
        self._wanted = auto_exposure(self._still.plate.radiance, self._spec.exposure)

    def _make_sensor(self):
        from sample_videos.generator.sensor import Sensor, SensorSettings

        settings = SensorSettings(
            exposure=self._exposure,
            white_balance=self._spec.white_balance,
            full_well=FULL_WELL,
            vignette=self._spec.vignette,
            keep=NOISE_KEPT,
        )
        number = [c.id for c in self._scene.cameras].index(self._spec.id)
        return Sensor(self._camera, settings, self._scene.seed * 100 + number)


def _lens_dust(scene: SceneSpec, spec: CameraSpec, frame: int):
    """Give the lens's dust cover at a frame (H, W), and its colour; none on a clean lens."""
    import cv2

    happening = lens_dust_of(scene, spec.id)
    first = None if happening is None else frame_of(scene, happening.at_s)
    if first is None or frame < first:
        return None
    width, height = spec.size_px
    rng = np.random.default_rng([scene.seed, 77])
    blot = cv2.GaussianBlur(rng.random((height, width), dtype=np.float32), (0, 0), width / 40)
    blot = (blot - blot.min()) / np.ptp(blot)
    share = min(1.0, (frame - first) / scene.fps / max(happening.over_s, 1e-6))
    cover = np.clip(1.15 * share + (blot - 0.6) * 1.2 * share, 0, 0.97).astype(np.float32)
    return cover, np.float32([0.62, 0.58, 0.52])


class Master:
    """A nearly lossless film that clips are encoded from, as often as need be."""

    def __init__(self, path: Path, fps: int, size_px: tuple[int, int]) -> None:
        import av

        path.parent.mkdir(parents=True, exist_ok=True)
        self._container = av.open(str(path), "w")
        self._stream = self._container.add_stream("libx264", rate=fps)
        self._stream.width, self._stream.height = size_px
        self._stream.pix_fmt = "yuv420p"
        self._stream.options = {"qp": "6", "preset": "ultrafast", "threads": "1"}

    def __enter__(self) -> Master:
        """Nothing to do: it is open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Finish the file."""
        self._container.mux(self._stream.encode())
        self._container.close()

    def add(self, picture) -> None:
        """Append a BGR picture (H, W, 3)."""
        import av

        frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
        self._container.mux(self._stream.encode(frame))


def encode(master: Path, clip: Path, scene: SceneSpec) -> None:
    """Compress a master to the shipped clip: H.264, a closed group every `GROUP_S` seconds."""
    import av

    part = clip.with_suffix(".part.mp4")
    with av.open(str(master)) as source, av.open(str(part), "w") as container:
        pictures = source.decode(video=0)
        stream = container.add_stream("libx264", rate=scene.fps)
        stream.width = source.streams.video[0].width
        stream.height = source.streams.video[0].height
        stream.pix_fmt = "yuv420p"
        stream.options = {
            "crf": str(scene.crf),
            "preset": "slower",
            "g": str(GROUP_S * scene.fps),
            "keyint_min": str(GROUP_S * scene.fps),
            "sc_threshold": "0",
            "flags": "+cgop",
            "threads": "1",
        }
        for number, picture in enumerate(pictures):
            fresh = av.VideoFrame.from_ndarray(picture.to_ndarray(), format="yuv420p")
            fresh.pts = number
            container.mux(stream.encode(fresh))
        container.mux(stream.encode())
    part.replace(clip)
