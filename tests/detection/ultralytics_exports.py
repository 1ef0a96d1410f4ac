"""Makes models of Ultralytics' own families with random weights that find plenty, and exports them.

Needs the extra `train`: whoever imports this is skipped without it.
"""

import ast
import copy
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from scene.arrays import Bytes, Floats, Ints

pytest.importorskip("ultralytics", reason="needs the extra `train`")

import onnx
import torch
from torch.onnx import register_custom_op_symbolic, symbolic_helper
from ultralytics import YOLO
from ultralytics.data.augment import LetterBox
from ultralytics.models.yolo.detect import DetectionPredictor
from ultralytics.models.yolo.pose import PosePredictor
from ultralytics.utils import LOGGER

NAMES = ("person", "car", "helmet", "head", "fallen")
"""One class in the middle is none of ours."""
SCORE_THRESHOLD = 0.25
IOU_THRESHOLD = 0.6
MAX_BOXES = 300
USUALLY_FOUND = 60
"""So many places of half the pictures reach the threshold, before suppression."""
LOWEST = float(np.log(SCORE_THRESHOLD / (1 - SCORE_THRESHOLD)))
HIGHEST = 6.0
"""From usual to best, before the sigmoid: scores that all round to 1 would have no order."""

LOGGER.setLevel("ERROR")


@dataclass(frozen=True, kw_only=True)
class Export:
    """What `yolo export model=FAMILY format=onnx ...` is asked for."""

    family: str
    arguments: Mapping[str, object] = field(default_factory=dict)
    layout: str = "raw"
    """What the loader must take it for."""
    float16_input: bool = False
    """As an export on a GPU with half weights writes: float16 in and out."""


@symbolic_helper.parse_args("v", "v", "f")  # type: ignore[untyped-decorator]
def _suppression(g: Any, boxes: Any, scores: Any, iou_threshold: float) -> Any:
    """Write torchvision's `nms` as ONNX, as torchvision itself does (`_register_onnx_ops.py`)."""
    boxes = symbolic_helper._unsqueeze_helper(g, boxes, [0])
    scores = symbolic_helper._unsqueeze_helper(g, scores, [0, 1])
    most = g.op("Constant", value_t=torch.tensor([sys.maxsize], dtype=torch.long))
    threshold = g.op("Constant", value_t=torch.tensor([iou_threshold], dtype=torch.float))
    chosen = g.op("NonMaxSuppression", boxes, scores, most, threshold)
    third = g.op("Constant", value_t=torch.tensor([2], dtype=torch.long))
    return symbolic_helper._squeeze_helper(g, g.op("Gather", chosen, third, axis_i=1), [1])


def write_export(export: Export, folder: Path, network: Any) -> Path:
    """Export a network as `yolo export` does; with half weights also as it does on a GPU."""
    network.model.pt_path = str(folder / f"{export.family}.pt")
    register_custom_op_symbolic("torchvision::nms", _suppression, 11)
    path = Path(
        network.export(
            format="onnx",
            device="cpu",
            conf=SCORE_THRESHOLD,
            iou=IOU_THRESHOLD,
            **{"imgsz": 320, **export.arguments},
        )
    )
    if export.float16_input:
        from onnxruntime.transformers import float16

        loaded = onnx.load(path)
        onnx.save(float16.convert_float_to_float16(loaded, keep_io_types=False), path)
    return path


def random_network(
    family: str, pictures: Sequence[Bytes] = (), *, classes: Sequence[str] = NAMES
) -> YOLO:
    """Build a family's network from its YAML file, tuned to find plenty on `pictures` if given."""
    torch.set_num_threads(1)
    torch.manual_seed(5)
    whole = YOLO(f"{family}.yaml")
    config = {**copy.deepcopy(whole.model.yaml), "nc": len(classes)}
    fresh = type(whole.model)(config, verbose=False)
    fresh.args, fresh.task = whole.model.args, whole.task
    fresh.names = dict(enumerate(classes))
    whole.model = fresh
    if pictures:
        tune(fresh, pictures)
    return whole


def strip(path: Path) -> None:
    """Take all metadata out of an export, as some converters do."""
    model = onnx.load(path)
    del model.metadata_props[:]
    onnx.save(model, path)


@torch.no_grad()  # type: ignore[untyped-decorator]
def tune(network: Any, pictures: Sequence[Bytes]) -> None:
    """Set statistics and last layers so that boxes and scores differ from place to place.

    Takes BGR pictures of any size.
    """
    fit_in = LetterBox((192, 192))
    squares = np.stack([fit_in(image=each)[..., ::-1] for each in pictures])
    batch = torch.from_numpy(squares).permute(0, 3, 1, 2).float() / 255
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.reset_running_stats()
            layer.momentum = None  # the plain mean of what is seen
    network.train()
    network(batch)
    network.eval()
    head = network.model[-1]
    ways = [head.one2many]
    if getattr(head, "one2one_cv2", None) is not None:
        ways.append(head.one2one)
    middle = 4 if head.reg_max == 1 else 0  # strides from the middle to an edge, where given so
    for way in ways:
        _spread(network, way["box_head"], batch, 1.5, middle)
        _spread(network, way["cls_head"], batch, 1.5, 0)
        given = torch.cat([out.flatten(2) for out in _given(network, way["cls_head"], batch)], 2)
        best = given.amax(1).sort(1, descending=True).values
        usual = best[:, USUALLY_FOUND].median()
        scale = HIGHEST / (best.max() - usual)
        for part in way["cls_head"]:
            part[-1].weight *= scale
            part[-1].bias.copy_((part[-1].bias - usual) * scale + LOWEST)


def _spread(network: Any, branch: Any, batch: torch.Tensor, spread: float, middle: float) -> None:
    """Scale the last layers so that what they give has this mean and deviation."""
    for part, given in zip(branch, _given(network, branch, batch), strict=True):
        last = part[-1]
        scale = spread / given.std((0, 2, 3))
        last.weight *= scale[:, None, None, None]
        last.bias.copy_((last.bias - given.mean((0, 2, 3))) * scale + middle)


def _given(network: Any, branch: Any, batch: torch.Tensor) -> list[torch.Tensor]:
    """Collect what the last layer of each part gives."""
    given: list[torch.Tensor] = []
    hooks = [
        part[-1].register_forward_hook(lambda _, __, out: given.append(out)) for part in branch
    ]
    network(batch)
    for hook in hooks:
        hook.remove()
    return given


class _GivenPixels:
    """Ultralytics' prediction, which gets its tensor from us if it has the shape of its own."""

    given: NDArray[np.float32] | None = None
    own: NDArray[np.float32]

    def preprocess(self, pictures: Any) -> torch.Tensor:
        theirs: torch.Tensor = super().preprocess(pictures)  # type: ignore[misc]
        type(self).own = theirs.float().numpy()
        if self.given is None:
            return theirs
        ours = torch.from_numpy(self.given)
        assert ours.shape == theirs.shape
        return ours.to(theirs.dtype)


class _Detect(_GivenPixels, DetectionPredictor): ...  # type: ignore[misc]


class _Pose(_GivenPixels, PosePredictor): ...  # type: ignore[misc]


@dataclass(frozen=True, kw_only=True, eq=False)
class Prediction:
    """What Ultralytics finds on one picture; N boxes."""

    boxes: Floats
    """(N, 4) `x1 y1 x2 y2`, edges, in the picture's pixels."""
    scores: Floats
    classes: Ints
    tensor: NDArray[np.float32]
    """(1, 3, H, W) what its own way of fitting the picture in gives."""
    lowest: float
    """Only `MAX_BOXES` are told of: below this score there may be more."""


class Reference:
    """Ultralytics' own prediction with an exported model."""

    def __init__(self, path: Path) -> None:
        metadata = {each.key: each.value for each in onnx.load(path).metadata_props}
        self.size = ast.literal_eval(metadata["imgsz"])
        self.predictor: Any = {"detect": _Detect, "pose": _Pose}[metadata["task"]]
        self.model = YOLO(path, task=metadata["task"])

    def predict(self, bgr: Bytes, tensor: NDArray[np.float32] | None = None) -> Prediction:
        """Predict on a picture (H, W, 3); with `tensor` the network gets this instead of its own.

        Boxes wholly in the padding, which have no area once cut at the border, are left out.
        """
        self.predictor.given = tensor
        (result,) = self.model.predict(
            bgr,
            predictor=self.predictor,
            imgsz=self.size,
            conf=SCORE_THRESHOLD,
            iou=IOU_THRESHOLD,
            agnostic_nms=False,
            max_det=MAX_BOXES,
            device="cpu",
            verbose=False,
        )
        boxes = result.boxes.xyxy.double().numpy()
        scores = result.boxes.conf.double().numpy()
        solid = ((boxes[:, 2:] - boxes[:, :2]) > 0).all(axis=1)
        return Prediction(
            boxes=boxes[solid],
            scores=scores[solid],
            classes=result.boxes.cls.long().numpy()[solid],
            tensor=self.predictor.own,
            lowest=float(scores.min()) if len(scores) == MAX_BOXES else 0.0,
        )
