"""Speed of composition against the best that OpenCV's own stitching parts allow, side by side.

The same frames for all; one thread; the ways take turns, so that other work on the machine hits all
of them alike. Times are medians of the thread's own time, which leaves out what others run in
between; read the ratios. Cameras have exposures and vignetting of their own: no gain is flat.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import cv2
import numpy as np

from scene.geometry import CameraModel
from scene.messages import Frame, YuvImage
from scene.rig import Rig
from scene.site import PanoramaConfig
from stitching.composition.compose import OpenCvBackend, OpenCvRecipe
from stitching.seams.fading import Fading, mid_overlap
from stitching.stitcher import Stitcher
from tests.bench._isolated import python_with
from tests.stitching.views import camera, frame, rig_of, room, view

ROUNDS = 25
SLOW_ROUNDS = 8
"""For ways that take a tenth of a second or more."""
BANDS = 5
PX_PER_DEGREE = 16.5
CAMERAS = 4
COUNTS = (2, 4, 6, 8)

Way = Callable[[], float]
"""Composes once; gives the seconds it took."""
Figures = dict[str, float | str]


def measure() -> Figures:
    """Compose the same 4 x 1280 x 720 frames in every way, in turns."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        return _against_others() | _by_cameras()
    finally:
        cv2.setNumThreads(threads)


def _against_others() -> Figures:
    config, rig, frames = _rig(CAMERAS, 70.0, 48.0, PX_PER_DEGREE)
    started = time.perf_counter()
    stitcher = Stitcher(rig, config)
    set_up_s = time.perf_counter() - started
    pictures = [_bgr(given.image) for given in frames]
    panorama = stitcher.stitch(frames)
    planes = [panorama.image.y, panorama.image.u, panorama.image.v]
    copies = [plane.copy() for plane in planes]

    def copy() -> None:
        for plane, target in zip(planes, copies, strict=True):
            np.copyto(target, plane)

    backend, recipe, move = _recipe(stitcher, rig, config)
    ways: dict[str, Way] = {
        "ours": _timed(lambda: stitcher.stitch(frames)),
        "multiband": _timed(_blender(stitcher, rig, pictures, panorama.painter, feather=False)),
        "feather": _timed(_blender(stitcher, rig, pictures, panorama.painter, feather=True)),
        "copy": _timed(copy),
        "move": _timed(move),
    }
    figures: Figures = {}
    whole = _whole_stitcher(pictures)
    if isinstance(whole, str):
        figures["stitch.speedup_vs_cv2_stitcher"] = whole
    else:
        ways["cv2_stitcher"] = _timed(whole)
        height, width = whole().shape[:2]
        figures["stitch.cv2_stitcher_megapixels"] = width * height / 1e6
    with tempfile.TemporaryDirectory() as folder:
        package = _Package.start(Path(folder), pictures, rig)
        if isinstance(package, str):
            figures["stitch.speedup_vs_stitching_package"] = package
        else:
            ways["stitching_package"] = package.compose
            figures["stitch.stitching_package_megapixels"] = package.megapixels
            figures["stitch.stitching_package_registered"] = package.registered
        ms = _in_turns(ways)
        if isinstance(package, _Package):
            package.stop()
    width, height = rig.surface.size_px
    megapixels = width * height / 1e6
    figures |= {
        "stitch.ms_per_panorama": ms["ours"],
        "stitch.megapixels": megapixels,
        "stitch.ns_per_pixel": ms["ours"] / megapixels,
        "stitch.speedup_vs_cached_multiband": ms["multiband"] / ms["ours"],
        "stitch.speedup_vs_cached_feather": ms["feather"] / ms["ours"],
        "stitch.times_memcpy": ms["ours"] / ms["copy"],
        "stitch.tables_mb": _kept_mb(stitcher, recipe),
        "stitch.tables_read_mb": recipe.nbytes / 1e6,
        "stitch.map_kind": f"measured at start: {backend.kind}",
        "stitch.seam_move_ms": ms["move"],
        "stitch.set_up_s": set_up_s,
    }
    for other in ("cv2_stitcher", "stitching_package"):
        size = figures.get(f"stitch.{other}_megapixels")
        if other in ms and isinstance(size, float):
            faster = ms[other] / ms["ours"]
            figures[f"stitch.speedup_vs_{other}"] = faster
            figures[f"stitch.speedup_vs_{other}_per_pixel"] = faster * megapixels / size
    return figures


def _by_cameras() -> Figures:
    """Compose rigs of 2 to 8 cameras with the same overlap, in turns."""
    ways: dict[str, Way] = {}
    pixels: dict[str, int] = {}
    for count in COUNTS:
        config, rig, frames = _rig(count, 50.0, 34.0, 24.0)
        stitcher = Stitcher(rig, config)
        ways[str(count)] = _timed(lambda s=stitcher, f=frames: s.stitch(f))
        pixels[str(count)] = rig.surface.size_px[0] * rig.surface.size_px[1]
    ms = _in_turns(ways)
    cost = {name: ms[name] / pixels[name] for name in ways}
    mean = sum(cost.values()) / len(cost)
    figures: Figures = {f"stitch.cameras_{name}_ms": ms[name] for name in ways}
    worst = max(abs(one / mean - 1) for one in cost.values())
    return figures | {"stitch.cost_per_pixel_spread_share": worst}


def _rig(
    count: int, hfov_deg: float, apart_deg: float, px_per_degree: float
) -> tuple[PanoramaConfig, Rig, list[Frame]]:
    luma = room(2)
    cameras = [
        camera(
            f"cam{index + 1}",
            apart_deg * ((count - 1) / 2 - index),
            -10.0,
            hfov_deg=hfov_deg,
            size_px=(1280, 720),
            k1=-0.1,
        )
        for index in range(count)
    ]
    config = PanoramaConfig(px_per_degree=px_per_degree, max_width_px=8192)
    rig = rig_of(cameras, px_per_degree=px_per_degree, max_width_px=8192)
    frames = [
        frame(model.name, view(model, luma, 1 - 0.06 * (index % 3), vignette=0.2))
        for index, model in enumerate(cameras)
    ]
    return config, rig, frames


def _recipe(
    stitcher: Stitcher, rig: Rig, config: PanoramaConfig
) -> tuple[OpenCvBackend, OpenCvRecipe, Callable[[], object]]:
    """Give a backend of its own, its recipe, and what moves a third of the first seam."""
    width, height = rig.surface.size_px
    present = [True] * len(rig.cameras)
    labels = mid_overlap(stitcher.maps, present, (width, height))
    fading = Fading(stitcher.maps, config.blend_px, (width, height))
    sizes_px = [one.size_px for one in rig.cameras]
    backend = OpenCvBackend(stitcher.maps, stitcher.exposure.gains, sizes_px, (width, height))
    recipe = backend.recipe(fading.weights(present, labels))
    box = (stitcher.maps[1].box[0], height // 3, stitcher.maps[0].box[2], 2 * height // 3)
    x0, y0, x1, y1 = box
    labels[y0:y1, x0:x1][stitcher.maps[1].seen[y0:y1, : x1 - x0]] = 1
    weights = fading.weights(present, labels)
    return backend, recipe, lambda: recipe.moved(weights, [box])


def _kept_mb(stitcher: Stitcher, recipe: OpenCvRecipe) -> float:
    """Add up all that is kept of maps, gains, weights and curves."""
    tables: list[Any] = []
    for maps, gains in zip(stitcher.maps, stitcher.exposure.gains, strict=True):
        tables += [maps.luma_x, maps.luma_y, maps.chroma_x, maps.chroma_y, maps.seen]
        tables += [maps.closeness, gains.luma, gains.chroma]
        tables += [maps.closeness]  # weights are as large, for one lay-out of seams
    gains_read = sum(g.luma.nbytes + g.chroma.nbytes for g in stitcher.exposure.gains)
    return (sum(table.nbytes for table in tables) + recipe.nbytes - gains_read) / 1e6


def _timed(way: Callable[[], object]) -> Way:
    def run() -> float:
        started = time.thread_time()
        way()
        return time.thread_time() - started

    return run


def _in_turns(ways: dict[str, Way]) -> dict[str, float]:
    """Give the median ms of every way; each runs once per round, slow ones in the first rounds."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for index in range(ROUNDS + 2):
        for name, way in ways.items():
            if index <= SLOW_ROUNDS or min(taken[name]) < 0.1:
                taken[name].append(way())
    return {name: 1e3 * float(np.median(seconds[2:])) for name, seconds in taken.items()}


def _blender(
    stitcher: Stitcher, rig: Rig, pictures: list[np.ndarray], painter: np.ndarray, feather: bool
) -> Callable[[], object]:
    """Compose with cached maps and `cv2.detail`'s blender: the pattern of OpenCV's samples."""
    width, height = rig.surface.size_px
    parts = []
    for index, maps in enumerate(stitcher.maps):
        x0, y0, x1, y1 = maps.box
        fixed = cv2.convertMaps(maps.luma_x, maps.luma_y, cv2.CV_16SC2)
        mask = maps.seen if feather else painter[y0:y1, x0:x1] == index
        parts.append((fixed, mask.astype(np.uint8) * 255, (x0, y0)))

    def run() -> object:
        if feather:
            blender = cv2.detail.FeatherBlender(0.02)
        else:
            blender = cv2.detail.MultiBandBlender(0, BANDS)
        blender.prepare((0, 0, width, height))
        for picture, (fixed, mask, corner) in zip(pictures, parts, strict=True):
            warped = cv2.remap(picture, fixed[0], fixed[1], cv2.INTER_LINEAR)
            blender.feed(warped.astype(np.int16), mask, corner)
        mixed, _ = blender.blend(None, None)
        return np.clip(mixed, 0, 255).astype(np.uint8)

    return run


def _whole_stitcher(pictures: list[np.ndarray]) -> Callable[[], np.ndarray] | str:
    """Compose with `cv2.Stitcher`, its transform kept; a sentence if it can't register all."""
    for confidence in (1.0, 0.6):
        cv2.setRNGSeed(1)
        whole = cv2.Stitcher.create(cv2.Stitcher_PANORAMA)
        whole.setPanoConfidenceThresh(confidence)
        if whole.estimateTransform(pictures) == 0 and len(whole.component()) == len(pictures):
            return lambda whole=whole: whole.composePanorama(pictures)[1]
    return "not measured: cv2.Stitcher does not register all cameras of the bench's rig"


class _Package:
    """The package `stitching`, in a process and an environment of its own."""

    def __init__(self, process: "subprocess.Popen[str]", said: dict[str, Any]) -> None:
        self._process = process
        self.megapixels = said["size_px"][0] * said["size_px"][1] / 1e6
        self.registered = float(said["registered"])
        """How many cameras it registered by itself; if not all, it was given them."""

    @classmethod
    def start(cls, folder: Path, pictures: list[np.ndarray], rig: Rig) -> "_Package | str":
        python = python_with("stitching")
        if isinstance(python, str):
            return python
        np.savez(folder / "given.npz", pictures=np.array(pictures), **_known(rig.cameras))
        script = Path(__file__).with_name("_stitching_package.py").resolve()
        process = subprocess.Popen(
            [str(python.absolute()), str(script), str(folder / "given.npz")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env={k: v for k, v in os.environ.items() if not k.startswith("PYTHON")},
        )
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            _, said = process.communicate()
            last = (said.strip().splitlines() or ["it said nothing"])[-1]
            return f"not measured: the package stitching could not compose the frames ({last})"
        return cls(process, json.loads(line))

    def compose(self) -> float:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def stop(self) -> None:
        self._process.communicate()


def _known(cameras: tuple[CameraModel, ...]) -> dict[str, np.ndarray]:
    """Give focal lengths and rotations as OpenCV's stitching wants them: world y down, z ahead."""
    world_from_mine = np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]])
    rotations = [world_from_mine @ one.camera_from_mine[:3, :3].T for one in cameras]
    focal_px = [one.k[0, 0] for one in cameras]
    return {"focal_px": np.array(focal_px), "rotations": np.array(rotations)}


def _bgr(image: YuvImage) -> np.ndarray:
    width, height = image.size_px
    planes = np.concatenate([image.y.ravel(), image.u.ravel(), image.v.ravel()])
    return cv2.cvtColor(planes.reshape(height * 3 // 2, width), cv2.COLOR_YUV2BGR_I420)


if __name__ == "__main__":
    figures = measure()
    print(
        json.dumps(
            {k: v if isinstance(v, str) else round(v, 4) for k, v in figures.items()}, indent=2
        )
    )
