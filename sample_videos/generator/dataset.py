"""Training pictures: random cameras, lamps, people and dust in random roadways, with labels.

Labels are YOLO text (`0 person, 1 helmet, 2 head`), boxes of what is seen. Knows no video.
"""

# mypy: ignore-errors

from __future__ import annotations

import multiprocessing
import os
import queue
from collections.abc import Callable
from pathlib import Path

import numpy as np

from sample_videos.generator import poses
from sample_videos.generator.camera import make_camera
from sample_videos.generator.scene_file import SceneError

CLASSES = ("person", "helmet", "head")
HIDDEN_ABOVE = 0.8
MIN_PERSON_PX = 40
MIN_HEAD_PX = 12
SUITS = (
    (0.020, 0.030, 0.075),
    (0.50, 0.13, 0.02),
    (0.028, 0.028, 0.030),
    (0.03, 0.05, 0.10),
    (0.16, 0.14, 0.10),
    (0.05, 0.10, 0.22),
    (0.35, 0.30, 0.05),
    (0.10, 0.10, 0.11),
    (0.45, 0.06, 0.04),
)
HELMETS = (
    (0.70, 0.70, 0.66),
    (0.62, 0.42, 0.03),
    (0.45, 0.04, 0.03),
    (0.03, 0.10, 0.35),
    (0.55, 0.18, 0.02),
    (0.06, 0.25, 0.07),
)
VESTS = ((0.42, 0.55, 0.03), (0.6, 0.2, 0.02))


def random_pose(rng: np.random.Generator) -> tuple[str, poses.Pose]:
    """Draw what a person does: walk, stand, crouch, bend, lie or fall."""

    def loosen(pose: poses.Pose, degrees: float) -> poses.Pose:
        return {
            joint: angles
            if joint == "root"
            else tuple(np.asarray(angles) + rng.normal(0, degrees, 3) * [1, 0.6, 0.6])
            for joint, angles in pose.items()
        }

    shares = [0.38, 0.22, 0.12, 0.10, 0.10, 0.08]
    kind = str(rng.choice(["walk", "stand", "crouch", "lie", "fall", "bend"], p=shares))
    if kind == "walk":
        return kind, loosen(poses.gait(rng.random(), rng.uniform(0.5, 1.1), rng.normal(0, 20)), 3)
    if kind == "crouch":
        return kind, loosen(poses.mix(poses.STAND, poses.CROUCH, rng.uniform(0.6, 1.05)), 5)
    if kind == "lie":
        lying = poses.LIE_ON_SIDE if rng.random() < 0.5 else poses.LIE_ON_BACK
        return kind, loosen(lying, 8)
    if kind == "fall":
        return kind, poses.falling(poses.gait(rng.random(), 0.8), rng.uniform(0.2, 0.9))
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


def random_look(rng: np.random.Generator):
    """Draw a person's size, clothes and helmet; 15 % go bare-headed."""
    from sample_videos.generator.miner import Look

    suit = np.clip(np.array(SUITS[rng.integers(len(SUITS))]) * rng.uniform(0.6, 1.5), 0.01, 0.7)
    stripes = ((0.55, 0.60, 0.06), (0.6, 0.3, 0.05), tuple(suit))
    return Look(
        height_m=rng.uniform(1.60, 1.92),
        suit=tuple(suit),
        helmet=HELMETS[rng.integers(len(HELMETS))],
        stripe=stripes[rng.integers(3)],
        vest=VESTS[rng.integers(2)] if rng.random() < 0.35 else None,
        helmet_on=bool(rng.random() > 0.15),
        lamp_on=bool(rng.random() < 0.8),
        dirt=rng.uniform(0.1, 0.6),
    )


def random_camera(rng: np.random.Generator, length_m: float, size_px: tuple[int, int]):
    """Draw a fixed camera on a rib or near the roof, looking along or across the roadway."""
    y = rng.choice(
        [-2.0, rng.uniform(-1.8, 0.5), rng.uniform(-1.0, 0.5), 2.0], p=[0.4, 0.3, 0.1, 0.2]
    )
    along = rng.random() < 0.6 or abs(y) < 1
    if along:
        yaw = rng.choice([0, 180]) + rng.normal(0, 14)
    else:
        yaw = (90 if y < 0 else -90) + rng.uniform(-60, 60)
    return make_camera(
        "view",
        (rng.uniform(8, length_m - 8), y, rng.uniform(2.0, 3.0)),
        yaw_deg=yaw,
        pitch_deg=rng.uniform(-30, -10),
        hfov_deg=rng.uniform(60, 90),
        size_px=size_px,
        distortion=(rng.uniform(-0.22, -0.05), rng.uniform(0.01, 0.05), 0.0, 0.0, 0.0),
    )


def random_people(rng: np.random.Generator, camera, body):
    """Draw up to five people on the floor in view, none inside another."""
    from sample_videos.generator.miner import pose_miner

    wanted = int(rng.choice(6, p=[0.06, 0.2, 0.26, 0.24, 0.16, 0.08]))
    looks, posed = [], []
    for _ in range(80):
        if len(looks) == wanted:
            break
        x = camera.centre_m[0] + rng.uniform(-14, 14)
        at = np.array([x, rng.uniform(-1.5, 0.75), 0.0])
        px, depth = camera.plate_pixels([at, at + np.array([0, 0, 1.2])])
        within = (px[1] > [-30, -60]).all() and px[1, 0] < camera.width_px + 30
        if depth.min() < 1.2 or depth[0] > 15 or not within or px[1, 1] > camera.height_px:
            continue
        if rng.random() > 1.15 - depth[0] / 14:
            continue
        if any(np.hypot(*(p.feet_m[:2] - at[:2])) < 0.55 for p in posed):
            continue
        look = random_look(rng)
        kind, pose = random_pose(rng)
        yaw = rng.uniform(-np.pi, np.pi)
        if kind == "walk" and rng.random() < 0.7:
            yaw = rng.choice([0, np.pi]) + rng.normal(0, 0.3)
        looks.append(look)
        posed.append(
            pose_miner(body, look, pose, (at[0], at[1]), yaw_rad=float(yaw), floor_z_m=0.0)
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


def _render_view(seed: int, count: int, size_px, out: Path, report) -> None:
    """Render one random viewpoint's pictures."""
    import cv2

    from sample_videos.generator import plates
    from sample_videos.generator.frame import Stage, View, person_seen
    from sample_videos.generator.miner import build_body
    from sample_videos.generator.roadway import roadway
    from sample_videos.generator.sensor import Sensor, SensorSettings, auto_exposure
    from sample_videos.generator.textures import make_textures

    cv2.setNumThreads(1)
    rng = np.random.default_rng(seed)
    length_m, power = 40.0, float(rng.uniform(0.6, 1.4))
    mi = plates.mitsuba()
    layout = roadway(
        length_m=length_m,
        width_m=5.0,
        leg_m=1.5,
        lamp_every_m=float(rng.choice([6.0, 8.0, 10.0])),
        seed=int(rng.integers(1000)),
    )
    lamps = [lamp for lamp in layout.lamps if rng.random() > 0.15] or layout.lamps[:1]
    layout = type(layout)(meshes=layout.meshes, lamps=lamps)
    textures = make_textures(512, int(rng.integers(1000)))
    scene = plates.build_scene(mi, layout, textures, power)
    camera = random_camera(rng, length_m, size_px)
    plate = plates.render_plate(mi, scene, camera, lamps, samples=32, seed=seed)
    forward = camera.rotation[2, 0]
    spots = [
        [np.clip(camera.centre_m[0] + d * np.sign(forward), 1, length_m - 1), y, 1.1]
        for d in (1.5, 4.0, 7.0, 11.0)
        for y in (-1.0, 0.4)
    ]
    spots = np.array(spots)
    stage = Stage(mi, scene, lamps, spots, plates.indirect_light(mi, scene, spots, 256, seed))
    body = build_body()
    for k in range(count):
        dust = float(np.exp(rng.uniform(np.log(0.004), np.log(0.05))))
        view = View(camera, plate, stage, dust)
        looks, posed = random_people(rng, camera, body)
        lighting = stage.lighting(looks, posed, power)
        radiance, ids = view.draw(body, looks, posed, lighting)
        bias = float(np.exp(rng.uniform(np.log(0.45), np.log(2.0))))
        settings = SensorSettings(
            exposure=auto_exposure(radiance, bias),
            white_balance=(float(rng.uniform(0.92, 1.1)), 1.0, float(rng.uniform(0.92, 1.1))),
            full_well=float(rng.choice([1500.0, 4000.0, 8000.0])),
            read_noise=float(rng.uniform(2, 8)),
        )
        sensor = Sensor(camera, settings, seed * 1000 + k)
        picture = sensor.expose(radiance, 0, _lens_dust(rng, size_px))
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
