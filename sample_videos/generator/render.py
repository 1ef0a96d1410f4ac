"""Renders a scene file: plates, clips, truth; one process per camera, picks up where it stopped.

Knows nothing about training pictures.
"""

# mypy: ignore-errors
# ruff: noqa: PLR0915

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import queue
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from sample_videos.generator import GENERATOR_VERSION, truth
from sample_videos.generator.camera import Camera, make_camera
from sample_videos.generator.scene_file import CameraSpec, MinerSpec, SceneError, SceneSpec
from sample_videos.generator.script import play

Progress = Callable[[str, int, int], None]
"""Called with a task's name, steps done, steps in all."""


def camera_of(spec: CameraSpec) -> Camera:
    """Make the camera that a scene file describes."""
    return make_camera(
        spec.id,
        spec.at_m,
        yaw_deg=spec.yaw_deg,
        pitch_deg=spec.pitch_deg,
        hfov_deg=spec.hfov_deg,
        size_px=spec.size_px,
        distortion=spec.distortion,
        roll_deg=spec.roll_deg,
    )


def _fingerprint(value: object) -> str:
    text = json.dumps([GENERATOR_VERSION, value], sort_keys=True, default=asdict)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _plate_file(scene: SceneSpec, work: Path, index: int) -> Path:
    spec = scene.cameras[index]
    look = (spec.at_m, spec.yaw_deg, spec.pitch_deg, spec.hfov_deg, spec.roll_deg)
    key = (look, spec.size_px, spec.distortion, scene.seed, index, scene.samples_per_pixel)
    return work / f"plate-{spec.id}-{_fingerprint([key, asdict(scene.roadway)])}.npz"


def _layout(scene: SceneSpec):
    from sample_videos.generator.roadway import roadway

    r = scene.roadway
    return roadway(
        length_m=r.length_m,
        width_m=r.width_m,
        leg_m=r.leg_m,
        lamp_every_m=r.lamp_every_m,
        seed=scene.seed,
    )


def _load(scene: SceneSpec):
    """Load the mine into Mitsuba: (mi, its scene, layout)."""
    from sample_videos.generator import plates
    from sample_videos.generator.textures import make_textures

    mi = plates.mitsuba()
    layout = _layout(scene)
    textures = make_textures(1024, scene.seed)
    return mi, plates.build_scene(mi, layout, textures, scene.roadway.lamp_power), layout


def _probes(mi, stage_scene, scene: SceneSpec, work: Path):
    """Give points along the roadway and the bounced light there, from the work folder if there."""
    from sample_videos.generator.plates import indirect_light

    xs = np.arange(1, scene.roadway.length_m, 2.0)
    points = np.array([[x, y, 1.1] for x in xs for y in (-1.3, -0.2, 0.7)])
    path = work / f"probes-{_fingerprint([scene.seed, asdict(scene.roadway)])}.npy"
    if path.exists():
        return points, np.load(path)
    light = indirect_light(mi, stage_scene, points)
    part = path.with_name(f"{path.stem}.{os.getpid()}.npy")
    np.save(part, light)
    part.replace(path)
    return points, light


def look_of(spec: MinerSpec):
    """Make the look that a scene file gives a miner."""
    from sample_videos.generator.miner import Look

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


def _pose_all(body, looks, course, frame):
    from sample_videos.generator.miner import pose_miner

    return [
        pose_miner(
            body, look, m[frame].pose, m[frame].xy_m, yaw_rad=m[frame].yaw_rad, floor_z_m=0.0
        )
        for look, m in zip(looks, course, strict=True)
    ]


def _render_camera(scene: SceneSpec, index: int, work: Path, out: Path, report: Progress) -> None:
    """Render one camera's plate and clip, and write what is seen in each frame."""
    import av
    import cv2

    from sample_videos.generator import plates
    from sample_videos.generator.frame import Stage, View, person_seen
    from sample_videos.generator.miner import build_body
    from sample_videos.generator.sensor import Sensor, SensorSettings, auto_exposure

    cv2.setNumThreads(1)
    spec = scene.cameras[index]
    camera = camera_of(spec)
    clip, seen_file = out / f"{spec.id}.mp4", work / f"seen-{spec.id}.jsonl"
    key = _fingerprint({**asdict(scene), "crf": 0})
    if seen_file.exists():
        with seen_file.open(encoding="utf-8") as lines:
            if json.loads(lines.readline())["scene"] == key:
                if not clip.exists():
                    encode(work / f"master-{spec.id}.mkv", clip, scene)
                report(spec.id, scene.frames, scene.frames)
                return
    report(spec.id, 0, scene.frames)
    mi, loaded, layout = _load(scene)
    path = _plate_file(scene, work, index)
    if not path.exists():
        seed = 1000 * index + scene.seed
        samples = scene.samples_per_pixel
        plates.render_plate(mi, loaded, camera, layout.lamps, samples=samples, seed=seed).save(path)
    plate = plates.Plate.load(path)
    stage = Stage(mi, loaded, layout.lamps, *_probes(mi, loaded, scene, work))
    view = View(camera, plate, stage, scene.dust_per_m)
    body = build_body()
    looks = [look_of(m) for m in scene.miners]
    course = [play(m, scene.fps, scene.frames) for m in scene.miners]
    exposure = auto_exposure(plate.radiance, spec.exposure)
    settings = SensorSettings(exposure=exposure, white_balance=spec.white_balance)
    sensor = Sensor(camera, settings, scene.seed * 100 + index)

    master = work / f"master-{spec.id}.mkv"
    lines = [json.dumps({"scene": key}) + "\n"]
    with av.open(str(master), "w") as container:
        stream = container.add_stream("libx264", rate=scene.fps)
        stream.width, stream.height, stream.pix_fmt = camera.width_px, camera.height_px, "yuv420p"
        stream.options = {"qp": "6", "preset": "ultrafast", "threads": "1"}
        for frame in range(scene.frames):
            posed = _pose_all(body, looks, course, frame)
            lighting = stage.lighting(looks, posed, scene.roadway.lamp_power)
            radiance, plate_ids = view.draw(body, looks, posed, lighting)
            picture = sensor.expose(radiance, frame)
            ids = sensor.deliver_ids(plate_ids)
            people = []
            for i, (miner, p) in enumerate(zip(scene.miners, posed, strict=True)):
                seen = person_seen(camera, sensor, i, p, ids)
                if seen is not None:
                    people.append({"id": miner.id, **asdict(seen)})
            lines.append(json.dumps(people) + "\n")
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")):
                container.mux(packet)
            report(spec.id, frame + 1, scene.frames)
        for packet in stream.encode():
            container.mux(packet)
    seen_file.write_text("".join(lines), encoding="utf-8")
    encode(master, clip, scene)


def encode(master: Path, clip: Path, scene: SceneSpec) -> None:
    """Compress a nearly lossless master to the shipped clip: H.264, a closed group a second."""
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
            "preset": "slow",
            "g": str(scene.fps),
            "keyint_min": str(scene.fps),
            "sc_threshold": "0",
            "flags": "+cgop",
            "threads": "1",
        }
        for number, picture in enumerate(pictures):
            fresh = av.VideoFrame.from_ndarray(picture.to_ndarray(), format="yuv420p")
            fresh.pts = number
            for packet in stream.encode(fresh):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    part.replace(clip)


def _worker(scene, index, work, out, messages) -> None:
    """Run one camera in a process of its own, kind to its neighbours."""
    os.nice(5)
    for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    try:
        _render_camera(scene, index, work, out, lambda *args: messages.put(args))
        messages.put((scene.cameras[index].id, None, None))
    except Exception as error:  # the parent shows it and stops
        messages.put((scene.cameras[index].id, error.__class__.__name__, str(error)))
        raise


def render(scene: SceneSpec, out: Path, work: Path, jobs: int, report: Progress) -> None:
    """Render every camera of the scene into `out`, then write its truth.

    Finished cameras and plates in `work` are kept: run it again to pick up where it stopped.
    """
    out.mkdir(parents=True, exist_ok=True)
    work.mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context("spawn")
    messages = context.Queue()
    waiting = list(range(len(scene.cameras)))
    running = {}
    while waiting or running:
        while waiting and len(running) < jobs:
            index = waiting.pop(0)
            process = context.Process(target=_worker, args=(scene, index, work, out, messages))
            process.start()
            running[scene.cameras[index].id] = process
        try:
            name, done, total = messages.get(timeout=5)
        except queue.Empty:
            for name, process in running.items():
                if process.exitcode not in (None, 0):
                    _stop(running)
                    raise SceneError(
                        f"{name}: its process ended with code {process.exitcode}"
                    ) from None
            continue
        if done is None:
            running.pop(name).join()
        elif isinstance(done, str):
            _stop(running)
            raise SceneError(f"{name}: {done}: {total}")
        else:
            report(name, done, total)
    write_truth(scene, out, work)


def _stop(running) -> None:
    for process in running.values():
        process.terminate()
        process.join()


def write_truth(scene: SceneSpec, out: Path, work: Path) -> None:
    """Write every truth file beside the clips."""
    from sample_videos.generator.miner import build_body
    from sample_videos.generator.plates import Plate

    cameras = [camera_of(c) for c in scene.cameras]
    positions = [Plate.load(_plate_file(scene, work, i)).position_m for i in range(len(cameras))]
    truth.write_json(out / "scene.json", truth.scene_truth(scene, cameras))
    body = build_body()
    looks = [look_of(m) for m in scene.miners]
    course = [play(m, scene.fps, scene.frames) for m in scene.miners]
    lines = []
    for frame in range(scene.frames):
        posed = _pose_all(body, looks, course, frame)
        people = [
            {
                "id": miner.id,
                "xyz_m": truth.rounded(p.feet_m, 3),
                "head_xyz_m": truth.rounded(p.head_m, 3),
                "height_m": truth.rounded(p.vertices[:, 2].max() - p.vertices[:, 2].min(), 2),
                "yaw_rad": truth.rounded(np.arctan2(np.sin(m.yaw_rad), np.cos(m.yaw_rad)), 4),
                "state": m.state,
                "helmet_on": miner.helmet_on,
                "lamp_on": miner.helmet_on and miner.lamp_on,
            }
            for miner, p, m in zip(
                scene.miners, posed, [moments[frame] for moments in course], strict=True
            )
        ]
        lines.append(truth.world_line(frame, scene.fps, people))
    (out / "world.jsonl").write_text("".join(lines), encoding="utf-8")
    moments = {miner.id: m for miner, m in zip(scene.miners, course, strict=True)}
    events = truth.find_events(scene.zones, moments, scene.fps)
    truth.write_json(out / "events.json", events)
    truth.write_json(out / "tiepoints.json", truth.tie_points(cameras, positions, scene.seed))
    truth.write_json(
        out / "survey_points.json", truth.survey_points(cameras, positions, scene.seed)
    )
    for camera in cameras:
        folder = out / "mot" / camera.name
        (folder / "gt").mkdir(parents=True, exist_ok=True)
        seen = (work / f"seen-{camera.name}.jsonl").read_text(encoding="utf-8").splitlines()[1:]
        text = [
            truth.mot_line(frame, person["id"], person["full_box"], person["visibility"])
            for frame, line in enumerate(seen)
            for person in json.loads(line)
        ]
        (folder / "gt" / "gt.txt").write_text("".join(text), encoding="utf-8")
        size = (camera.width_px, camera.height_px)
        (folder / "seqinfo.ini").write_text(
            truth.seqinfo(camera.name, scene.fps, scene.frames, size), encoding="utf-8"
        )
