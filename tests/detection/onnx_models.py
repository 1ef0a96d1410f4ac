"""Builds tiny ONNX models in the layouts of real exports, with an answer that is known."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper, save_model

from scene.arrays import Bytes
from scene.messages import Frame, YuvImage

NAMES = "{0: 'person', 1: 'helmet', 2: 'head'}"
METADATA = {"task": "detect", "names": NAMES, "imgsz": "[64, 96]", "stride": "32"}
Rows = Sequence[tuple[float, float, float, float, float, int]]
"""`x1 y1 x2 y2 score class` in input pixels."""


def raw(rows: Rows, *, classes: int, anchors: int = 50, extra: int = 0) -> NDArray[np.float32]:
    """Write boxes as (1, 4 + classes + extra, anchors)."""
    out = np.zeros((1, 4 + classes + extra, anchors), np.float32)
    for column, (x1, y1, x2, y2, score, label) in enumerate(rows):
        out[0, :4, 7 + column] = (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1
        out[0, 4 + label, 7 + column] = score
    return out


def final(rows: Rows, *, boxes: int = 300, extra: int = 0) -> NDArray[np.float32]:
    """Write boxes as (1, boxes, 6 + extra), zero-padded."""
    out = np.zeros((1, boxes, 6 + extra), np.float32)
    for row, values in enumerate(rows):
        out[0, row, :6] = values
    return out


def write_model(
    path: Path,
    answer: NDArray[np.float32],
    *,
    metadata: Mapping[str, str] = METADATA,
    shape: Sequence[int | str] = ("batch", 3, 64, 96),
    half: bool = False,
    nan_when_dark: bool = False,
    outputs: int = 1,
) -> Path:
    """Save a model that answers `answer` for every picture of a batch, whatever is on it.

    With `nan_when_dark` a picture that is darker than 0.3 on the whole gets NaN.
    """
    kind, number = (TensorProto.FLOAT16, np.float16) if half else (TensorProto.FLOAT, np.float32)
    constants = {
        "answer": answer.astype(number),
        "nothing": np.array(0, number),
        "dark": np.array(0.3, number),
    }
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["rows"], axes=[1, 2], keepdims=1),
        helper.make_node("ReduceMean", ["rows"], ["light"], axes=[3], keepdims=0),
    ]
    if nan_when_dark:
        nodes += [
            helper.make_node("Sub", ["light", "dark"], ["above"]),
            helper.make_node("Log", ["above"], ["logarithm"]),
            helper.make_node("Mul", ["logarithm", "nothing"], ["zero"]),
        ]
    else:
        nodes.append(helper.make_node("Mul", ["light", "nothing"], ["zero"]))
    nodes.append(helper.make_node("Add", ["zero", "answer"], ["output0"]))
    given: list[Any] = [helper.make_tensor_value_info("output0", kind, [None, *answer.shape[1:]])]
    for number_of in range(1, outputs):
        name = f"output{number_of}"
        nodes.append(helper.make_node("Identity", ["output0"], [name]))
        given.append(helper.make_tensor_value_info(name, kind, None))
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("images", kind, list(shape))],
        given,
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, dict(metadata))
    save_model(model, str(path))
    return path


def frame(
    camera: str = "cam1", size_px: tuple[int, int] = (192, 128), *, light: int = 200
) -> Frame:
    """Make a plain grey frame."""
    width, height = size_px

    def plane(value: int, part: int) -> Bytes:
        return np.full((height // part, width // part), value, np.uint8)

    image = YuvImage(y=plane(light, 1), u=plane(128, 2), v=plane(128, 2))
    return Frame(camera=camera, captured_at_ns=5, image=image)
