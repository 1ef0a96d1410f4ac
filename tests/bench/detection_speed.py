"""What the detector costs beside bare ONNX Runtime on the same tensors: side by side, one thread.

Four cameras' frames in one batch. The int8 variant of the shipped model is timed beside it.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np

from detection.detector import open_detector
from detection.letterbox import fill, fit
from detection.model import SHIPPED, Model, load_model
from scene.messages import Frame
from tests import sample_site

ROUNDS = 30
WARM = 3
INT8 = SHIPPED.with_name(f"{SHIPPED.stem}-int8.onnx")


def measure() -> dict[str, float | str]:
    """Time one batch of the roadway's first instant."""
    site = sample_site.site_of(sample_site.SAMPLES / "roadway")
    frames = next(iter(sample_site.instants(site)))
    detector = open_detector(site.detection)
    tensor = _tensor(detector.model, frames)
    ways: dict[str, Callable[[], object]] = {
        "whole": lambda: detector.detect(frames),
        "bare": lambda: detector.model.run(tensor),
    }
    if INT8.exists():
        quick = load_model(INT8)
        ways["int8"] = lambda: quick.run(tensor)
    ms = _in_turns(ways)
    figures: dict[str, float | str] = {
        "detect.batch_ms": ms["whole"],
        "detect.times_bare_runtime": ms["whole"] / ms["bare"],
        "detect.provider": f"on {detector.provider}, {len(frames)} cameras, one thread",
    }
    if "int8" in ms:
        figures["detect.int8_times_float"] = ms["int8"] / ms["bare"]
    return figures


def _tensor(model: Model, frames: tuple[Frame, ...]) -> np.ndarray:
    boxes = [fit(f.image.size_px, model.input_size, stride=model.stride) for f in frames]
    width, height = boxes[0].input_size
    tensor = np.zeros((len(frames), 3, height, width), np.float32)
    for row, (box, frame) in enumerate(zip(boxes, frames, strict=True)):
        fill(box, frame.image, tensor[row])
    return tensor


def _in_turns(ways: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Give the median ms of every way; each runs once per round."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS + WARM):
        for name, way in ways.items():
            began = time.process_time()
            way()
            taken[name].append(time.process_time() - began)
    return {name: 1e3 * float(np.median(seconds[WARM:])) for name, seconds in taken.items()}


if __name__ == "__main__":
    print(json.dumps(measure()))
