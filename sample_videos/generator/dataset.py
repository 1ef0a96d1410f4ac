"""Training pictures: random mines, cameras, lamps, people and dust, with labels.

Labels are YOLO text (`0 person, 1 helmet, 2 head`), boxes of what is seen. Knows no video.
"""

# mypy: ignore-errors

from __future__ import annotations

import multiprocessing
import os
import queue
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from sample_videos.generator import poses
from sample_videos.generator.mine import Phase, camera_of
from sample_videos.generator.random_scene import random_camera, random_miner, random_scene
from sample_videos.generator.scene_file import SceneError, SceneSpec

CLASSES = ("person", "helmet", "head")
HIDDEN_ABOVE = 0.8
MIN_PERSON_PX = 40
MIN_HEAD_PX = 12


def random_pose(rng: np.random.Generator) -> tuple[str, poses.Pose]:  # noqa: PLR0911
    """Draw what a person does: walk, stand, crouch, bend, work, lie, fall or get up."""

    def loosen(pose: poses.Pose, degrees: float) -> poses.Pose:
        return {
            joint: angles
            if joint == "root"
            else tuple(np.asarray(angles) + rng.normal(0, degrees, 3) * [1, 0.6, 0.6])
            for joint, angles in pose.items()
        }

    def lying(kinds: int) -> poses.Pose:
        pose = (poses.LIE_ON_SIDE, poses.LIE_ON_FRONT, poses.LIE_ON_BACK)[rng.integers(kinds)]
        return pose if rng.random() < 0.5 else poses.mirrored(pose)

    shares = {
        "walk": 0.34, "stand": 0.20, "crouch": 0.10, "lie": 0.12, "fall": 0.08, "bend": 0.06,
        "work": 0.06, "rise": 0.04,
    }  # fmt: skip
    kind = str(rng.choice(list(shares), p=list(shares.values())))
    if kind == "walk":
        return kind, loosen(poses.gait(rng.random(), rng.uniform(0.5, 1.1), rng.normal(0, 20)), 3)
    if kind == "crouch":
        low = poses.mix_carriages(poses.STANDING, poses.CROUCHING, rng.uniform(0.6, 1.0))
        return kind, loosen(poses.hold(low), 5)
    if kind == "lie":
        return kind, loosen(lying(3), 4)
    if kind == "fall":
        fall = poses.fall_to(lying(2))
        return kind, fall.pose(poses.gait(rng.random(), 0.8), rng.uniform(0.2, 0.95))
    if kind == "rise":
        return kind, poses.rising(lying(2), rng.uniform(0.1, 0.95))
    if kind == "work":
        work = poses.working(rng.uniform(0, poses.WORK_PERIOD_S))
        return kind, loosen(work if rng.random() < 0.5 else poses.mirrored(work), 3)
    pose = dict(poses.STAND)
    if kind == "bend":
        pose["spine"] = (rng.uniform(15, 40), 0, 0)
        pose["chest"] = (rng.uniform(10, 25), 0, rng.normal(0, 10))
    else:
        pose["head"] = (rng.normal(8, 8), 0, rng.normal(0, 25))
    for side, sign in (("L", -1), ("R", 1)):
        if kind == "bend" or rng.random() < 0.5:
            pose["sh" + side] = (-rng.uniform(0, 90), sign * rng.uniform(0, 20), 0)
            pose["el" + side] = (-rng.uniform(10, 90), 0, 0)
    return kind, loosen(pose, 3)


def random_people(rng: np.random.Generator, scene: SceneSpec, camera, body):
    """Draw up to five people on the walkway in view, none inside another."""
    from sample_videos.generator.clip import look_of
    from sample_videos.generator.miner import pose_miner

    axis, middle = scene.axis, scene.cameras[0].at_m[0]
    lefts = (-1.5, 0.75) if scene.roadway is not None else (1.3, 2.25)
    wanted = int(rng.choice(6, p=[0.06, 0.2, 0.26, 0.24, 0.16, 0.08]))
    looks, posed = [], []
    for _ in range(80):
        if len(looks) == wanted:
            break
        place = (middle + rng.uniform(-14, 14), rng.uniform(*lefts))
        at = axis.floor_m([place])[0]
        px, depth = camera.plate_pixels([at, at + np.array([0, 0, 1.2])])
        width, height = camera.plate_size_px
        within = (px[1] > [-30, -60]).all() and px[1, 0] < width + 30
        if depth.min() < 1.2 or depth[0] > 15 or not within or px[1, 1] > height:
            continue
        if rng.random() > 1.15 - depth[0] / 14:
            continue
        if any(np.hypot(*(p.feet_m[:2] - at[:2])) < 0.55 for p in posed):
            continue
        look = look_of(random_miner(rng, len(looks) + 1))
        kind, pose = random_pose(rng)
        yaw = rng.uniform(-np.pi, np.pi)
        if kind == "walk" and rng.random() < 0.7:
            yaw = axis.heading_rad(place[0]) + rng.choice([0, np.pi]) + rng.normal(0, 0.3)
        looks.append(look)
        posed.append(
            pose_miner(body, look, pose, (at[0], at[1]), yaw_rad=float(yaw), floor_z_m=float(at[2]))
        )
    return looks, posed


def labels(looks, seen, size_px: tuple[int, int]) -> list[str]:
    """Write YOLO lines for what is at least a fifth seen."""
    w, h = size_px
    lines = []

    def add(kind: int, box) -> None:
        x1, y1, x2, y2 = box
        lines.append(
            f"{kind} {(x1 + x2) / 2 / w:.6f} {(y1 + y2) / 2 / h:.6f} "
            f"{(x2 - x1) / w:.6f} {(y2 - y1) / h:.6f}"
        )

    for one in seen:
        if one.visible_px >= MIN_PERSON_PX and one.unhidden >= 1 - HIDDEN_ABOVE:
            add(0, one.visible_box)
        if one.head_px >= MIN_HEAD_PX and one.head_unhidden >= 1 - HIDDEN_ABOVE:
            add(1 if looks[one.person].helmet_on else 2, one.head_box)
    return lines


def random_view(seed: int, size_px: tuple[int, int]) -> tuple[SceneSpec, Phase]:
    """Draw a mine, one camera in it, and which of its lamps are out."""
    rng = np.random.default_rng([seed, 2])
    scene = random_scene(seed, size_px=size_px)
    camera = random_camera(rng, scene.longwall is not None, scene.mine.length_m, size_px)
    scene = replace(scene, cameras=(camera,), miners=())
    lamps = range(12 if scene.longwall is not None else 4)
    out = tuple(i for i in lamps if rng.random() < 0.15)
    return scene, Phase(first_frame=0, camera=camera_of(scene, camera), lamps_out=out)


def _render_view(seed: int, count: int, size_px, out: Path, report) -> None:
    """Render one random viewpoint's pictures."""
    import cv2

    from sample_videos.generator.clip import Still
    from sample_videos.generator.frame import View, person_seen
    from sample_videos.generator.miner import build_body
    from sample_videos.generator.movers import movers
    from sample_videos.generator.sensor import Sensor, SensorSettings, auto_exposure

    cv2.setNumThreads(1)
    rng = np.random.default_rng([seed, 3])
    scene, phase = random_view(seed, size_px)
    still, machines, body = Still(scene, phase, None), movers(scene), build_body()
    camera, power = phase.camera, scene.mine.lamp_power
    for k in range(count):
        dust = float(np.exp(rng.uniform(np.log(0.004), np.log(0.05))))
        view = View(camera, still.plate, still.stage, dust)
        looks, posed = random_people(rng, scene, camera, body)
        moved = [machine.at(float(rng.uniform(0, 60))) for machine in machines]
        lighting = still.stage.lighting(looks, posed, power, moved)
        radiance, ids = view.draw(body, looks, posed, lighting, moved)
        bias = float(np.exp(rng.uniform(np.log(0.45), np.log(2.0))))
        settings = SensorSettings(
            exposure=auto_exposure(radiance, bias),
            white_balance=(float(rng.uniform(0.92, 1.1)), 1.0, float(rng.uniform(0.92, 1.1))),
            full_well=float(rng.choice([1500.0, 4000.0, 8000.0, 16000.0])),
            read_noise=float(rng.uniform(2, 8)),
        )
        sensor = Sensor(camera, settings, seed * 1000 + k)
        picture = sensor.expose(radiance, 0, lens_dust=_lens_dust(rng, size_px))
        ids = sensor.deliver_ids(ids)
        seen = [person_seen(camera, sensor, i, p, ids) for i, p in enumerate(posed)]
        lines = labels(looks, [s for s in seen if s is not None], size_px)
        name = f"mine_{seed:06d}_{k:03d}"
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(55, 96))]
        cv2.imwrite(str(out / "images" / f"{name}.jpg"), picture, quality)
        text = "".join(line + "\n" for line in lines)
        (out / "labels" / f"{name}.txt").write_text(text, encoding="utf-8")
        report(1)


def _lens_dust(rng: np.random.Generator, size_px):
    """Draw a dusty lens, one picture in eight: cover (H, W) and colour."""
    if rng.random() > 0.12:
        return None
    import cv2

    w, h = size_px
    blot = cv2.GaussianBlur(rng.random((h, w), dtype=np.float32), (0, 0), w / 32)
    blot = (blot - blot.min()) / np.ptp(blot)
    cover = np.clip((blot - rng.uniform(0.4, 0.7)) * 2, 0, 0.85).astype(np.float32)
    return cover, np.float32([0.62, 0.58, 0.52])


def _worker(tasks, messages, size_px, out: Path) -> None:
    os.nice(5)
    for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    while True:
        task = tasks.get()
        if task is None:
            return
        seed, count = task
        try:
            _render_view(seed, count, size_px, out, messages.put)
            (out / "views" / f"{seed:06d}").write_text(f"{count}\n", encoding="utf-8")
        except Exception as error:  # the parent shows it and stops
            messages.put(f"view {seed}: {error.__class__.__name__}: {error}")
            raise


def make_dataset(
    n: int,
    out: Path,
    *,
    seed: int,
    per_view: int,
    size_px: tuple[int, int],
    jobs: int,
    report: Callable[[int, int], None],
) -> None:
    """Render `n` pictures with labels; finished viewpoints are kept when it is run again."""
    for folder in ("images", "labels", "views"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    views = [(seed + i, min(per_view, n - i * per_view)) for i in range(-(-n // per_view))]
    todo = [v for v in views if not (out / "views" / f"{v[0]:06d}").exists()]
    done = n - sum(count for _, count in todo)
    report(done, n)
    context = multiprocessing.get_context("spawn")
    tasks, messages = context.Queue(), context.Queue()
    jobs = min(jobs, len(todo))
    for task in [*todo, *([None] * jobs)]:
        tasks.put(task)
    workers = [
        context.Process(target=_worker, args=(tasks, messages, size_px, out)) for _ in range(jobs)
    ]
    for worker in workers:
        worker.start()
    try:
        while done < n:
            try:
                message = messages.get(timeout=5)
            except queue.Empty:
                broken = [w.exitcode for w in workers if w.exitcode not in (None, 0)]
                if broken:
                    message = f"a worker ended with code {broken[0]}"
                else:
                    continue
            if isinstance(message, str):
                raise SceneError(message)
            done += message
            report(done, n)
    except BaseException:
        for worker in workers:
            worker.terminate()
        raise
    finally:
        for worker in workers:
            worker.join()
