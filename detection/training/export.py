"""Write trained weights as ONNX, in the layout of Ultralytics; and as int8, for processors.

Knows nothing about training. torch, ultralytics, onnx and the quantiser are imported when needed.
"""

import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from detection.letterbox import PADDING, fit
from detection.training.network import LAYERS, from_checkpoint, load_weights, new_network
from detection.training.pictures import Labelled, decoded
from scene.errors import ModelError

LAYER = re.compile(r"/model\.(\d+)/")
CALIBRATION = 160
"""Pictures from which ranges are taken."""


def export(
    checkpoint: Path,
    model: Path,
    size_px: tuple[int, int],
    *,
    layers: Path = LAYERS,
    fixed: bool = False,
) -> None:
    """Write the averaged weights of a checkpoint as ONNX, for any batch.

    Its input is `size_px` (width, height) if `fixed`, else at most that: what a picture needs.
    """
    import onnx
    import ultralytics

    network = new_network(layers)
    load_weights(network, from_checkpoint(checkpoint)["average"], checkpoint)
    yolo = ultralytics.YOLO(str(layers), task="detect")
    network.args = vars(network.args)
    yolo.model = network
    width, height = size_px
    with tempfile.TemporaryDirectory() as folder:
        network.yaml_file = str(Path(folder) / model.stem)
        written = yolo.export(format="onnx", imgsz=[height, width], dynamic=True, simplify=True)
        graph = onnx.load(str(written))
        Path(written).unlink()
    if fixed:
        dims = graph.graph.input[0].type.tensor_type.shape.dim
        for dim, size in zip(list(dims)[2:], (height, width), strict=True):
            dim.Clear()
            dim.dim_value = size
    onnx.checker.check_model(graph)
    model.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(graph, str(model))


def quantise(
    model: Path, pictures: Sequence[Labelled], written: Path, size_px: tuple[int, int]
) -> None:
    """Write a model's int8 variant: convolutions in eight bits, the head in floats.

    Ranges come from up to `CALIBRATION` of the pictures. Raises ModelError without pictures.
    """
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    if not pictures:
        raise ModelError("int8: there are no pictures to take ranges from; give a --set")
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(model), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(written),
            _Reader(prepared, pictures, size_px),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=_head(prepared),
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"CalibMovingAverage": True},
        )


def _head(model: Path) -> list[str]:
    """Name the nodes of the last layer: eight bits are too few for boxes."""
    import onnx

    names = [node.name for node in onnx.load(str(model)).graph.node]
    layers = {name: int(found[1]) for name in names if (found := LAYER.match(name))}
    last = max(layers.values(), default=-1)
    return [name for name, layer in layers.items() if layer == last]


class _Reader:
    """Gives the quantiser pictures, one at a time, as the detector would."""

    def __init__(self, model: Path, pictures: Sequence[Labelled], size_px: tuple[int, int]) -> None:
        import onnx

        (given,) = onnx.load(str(model)).graph.input
        self._name = given.name
        self._width, self._height = size_px
        step = max(1, len(pictures) // CALIBRATION)
        self._tensors = self._all(pictures[::step][:CALIBRATION])

    def get_next(self) -> dict[str, Any] | None:
        tensor = next(self._tensors, None)
        return None if tensor is None else {self._name: tensor}

    def _all(self, pictures: Sequence[Labelled]) -> Iterator[Any]:
        import cv2

        for one in pictures:
            rgb = decoded(one, 4096).rgb
            box = fit((rgb.shape[1], rgb.shape[0]), (self._width, self._height))
            (width, height), left, top = box.picture_size, box.left, box.top
            canvas = np.full((self._height, self._width, 3), round(255 * PADDING), np.uint8)
            canvas[top : top + height, left : left + width] = cv2.resize(rgb, (width, height))
            yield canvas.transpose(2, 0, 1)[None].astype(np.float32) / 255
