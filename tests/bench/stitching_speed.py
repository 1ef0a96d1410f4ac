"""Speed of composition against the best that OpenCV's own stitching parts allow, side by side.

The same rig, frames, geometry and seams for all; one thread; the runs take turns, so that other
work on the machine hits all of them alike. Times are medians; read the ratios.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scene.messages import YuvImage
from scene.rig import Rig
from scene.site import PanoramaConfig
from stitching.stitcher import Stitcher
from tests.stitching.views import camera, frame, rig_of, room, view

ROUNDS = 25
BANDS = 5
PX_PER_DEGREE = 16.5
YAWS_DEG = (72.0, 24.0, -24.0, -72.0)


def measure() -> dict[str, float]:
    """Compose the same 4 x 1280 x 720 frames in every way, in turns."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        return _measure()
    finally:
        cv2.setNumThreads(threads)


def _measure() -> dict[str, float]:
    luma = room(2)
    cameras = [
        camera(f"cam{i}", yaw, -10.0, size_px=(1280, 720), k1=-0.1)
        for i, yaw in enumerate(YAWS_DEG, start=1)
    ]
    config = PanoramaConfig(px_per_degree=PX_PER_DEGREE, max_width_px=4096)
    rig = rig_of(cameras, px_per_degree=PX_PER_DEGREE, max_width_px=config.max_width_px)
    frames = [frame(model.name, view(model, luma)) for model in cameras]
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

    ways: dict[str, Callable[[], object]] = {
        "ours": lambda: stitcher.stitch(frames),
        "multiband": _blender(stitcher, rig, pictures, panorama.painter, feather=False),
        "feather": _blender(stitcher, rig, pictures, panorama.painter, feather=True),
        "copy": copy,
    }
    whole = _whole_stitcher(pictures)
    if whole is not None:
        ways["compose_panorama"] = whole
    ms = _in_turns(ways)
    width, height = rig.surface.size_px
    megapixels = width * height / 1e6
    tables = sum(
        table.nbytes
        for maps in stitcher.maps
        for table in (maps.luma_x, maps.luma_y, maps.chroma_x, maps.chroma_y)
    )
    figures = {
        "stitch.ms_per_panorama": ms["ours"],
        "stitch.megapixels": megapixels,
        "stitch.ns_per_pixel": ms["ours"] / megapixels,
        "stitch.speedup_vs_cached_multiband": ms["multiband"] / ms["ours"],
        "stitch.speedup_vs_cached_feather": ms["feather"] / ms["ours"],
        "stitch.times_memcpy": ms["ours"] / ms["copy"],
        "stitch.tables_mb": tables / 1e6,
        "stitch.set_up_s": set_up_s,
    }
    if "compose_panorama" in ms:
        figures["stitch.speedup_vs_cv2_stitcher"] = ms["compose_panorama"] / ms["ours"]
    return figures


def _in_turns(ways: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Give the median ms of every way; each runs once per round."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for index in range(ROUNDS + 2):
        for name, way in ways.items():
            if name == "compose_panorama" and index > 7:
                continue
            started = time.perf_counter()
            way()
            if index >= 2:
                times[name].append(time.perf_counter() - started)
    return {name: 1e3 * float(np.median(taken)) for name, taken in times.items()}


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


def _whole_stitcher(pictures: list[np.ndarray]) -> Callable[[], object] | None:
    """Compose with `cv2.Stitcher`, its transform kept; none where it can't register all cameras."""
    for confidence in (1.0, 0.6):
        cv2.setRNGSeed(1)
        whole = cv2.Stitcher.create(cv2.Stitcher_PANORAMA)
        whole.setPanoConfidenceThresh(confidence)
        if whole.estimateTransform(pictures) == 0 and len(whole.component()) == len(pictures):
            return lambda whole=whole: whole.composePanorama(pictures)
    return None


def _bgr(image: YuvImage) -> np.ndarray:
    width, height = image.size_px
    planes = np.concatenate([image.y.ravel(), image.u.ravel(), image.v.ravel()])
    return cv2.cvtColor(planes.reshape(height * 3 // 2, width), cv2.COLOR_YUV2BGR_I420)


if __name__ == "__main__":
    print(json.dumps({key: round(value, 4) for key, value in measure().items()}, indent=2))
