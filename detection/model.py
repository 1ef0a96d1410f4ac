"""Any detection model that `yolo export format=onnx` writes, told by its shapes and metadata.

Knows nothing about cameras. Segmentation, classification, rotated boxes and other families of
models are refused in words.
"""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from detection.kinds import kinds_of
from detection.runtime import Session, open_session
from scene.arrays import Floats, Ints
from scene.errors import ModelError

SHIPPED = Path(__file__).with_name("models") / "lamproom-m1.onnx"
DEFAULT_SIDE_PX = 640
MAX_FINAL_ROWS = 1000
"""More rows than this, without metadata, is another family's raw grid, not a list of boxes."""

Layout = Literal["raw", "final"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidates:
    """What a model says about one picture, before suppression; N boxes."""

    boxes: Floats
    """(N, 4) `x1 y1 x2 y2` in input pixels, edges."""
    scores: Floats
    classes: Ints
    """(N,) the model's own class numbers."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Model:
    """A model ready to run."""

    path: Path
    session: Session
    input_name: str
    output_name: str
    batch: int | None
    """How many pictures a run takes, or none for any number."""
    input_size: tuple[int, int]
    """Width, height; the largest if the size is dynamic."""
    stride: int | None
    """Only where the input size is dynamic: it must be whole strides."""
    dtype: np.dtype[Any]
    layout: Layout
    names: tuple[str, ...]
    kinds: tuple[int, ...]
    """Per class the index into `scene.messages.KINDS`, or -1."""

    def run(self, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run a batch (B, 3, H, W); gives the output as float32."""
        fed = tensor if self.dtype == np.float32 else tensor.astype(self.dtype)
        (out,) = self.session.inner.run([self.output_name], {self.input_name: fed})
        return np.asarray(out, np.float32)


def load_model(
    path: Path,
    *,
    providers: Sequence[str] = (),
    threads: int = 1,
    class_names: Sequence[str] | None = None,
    kinds: Mapping[str, str] | None = None,
) -> Model:
    """Load a model and try it once on an empty picture; raises `ModelError` naming file and remedy.

    `class_names` are for models without metadata; `kinds` says which class is what.
    """
    session = open_session(path, providers=providers, threads=threads)
    metadata: dict[str, str] = dict(session.inner.get_modelmeta().custom_metadata_map)
    task = metadata.get("task", "detect")
    if task not in ("detect", "pose"):
        raise ModelError(
            f"{path}: this is a {task} model; Lamproom needs boxes: "
            "export a detect (or pose) model with `yolo export format=onnx`"
        )
    inputs, outputs = session.inner.get_inputs(), session.inner.get_outputs()
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or len(outputs) != 1:
        raise ModelError(
            f"{path}: not an Ultralytics detect export: it has {len(inputs)} input(s) "
            f"{inputs[0].shape if inputs else ''} and {len(outputs)} output(s); "
            "one picture batch in, one list of boxes out is needed"
        )
    names = names_of(metadata, class_names, path)
    batch, channels, height, width = inputs[0].shape
    if channels != 3:
        raise ModelError(f"{path}: takes {channels} colour channels; only RGB models (3) are read")
    dtype = {"tensor(float)": np.float32, "tensor(float16)": np.float16}.get(inputs[0].type)
    if dtype is None:
        raise ModelError(f"{path}: its input is {inputs[0].type}; export it with float input")
    dynamic = not (isinstance(height, int) and isinstance(width, int))
    asked = literal(metadata, "imgsz", path) or [DEFAULT_SIDE_PX, DEFAULT_SIDE_PX]
    if not isinstance(asked, list | tuple) or [type(side) for side in asked] != [int, int]:
        raise ModelError(f"{path}: metadata imgsz is {asked!r}, not [height, width]")
    size = (int(asked[1]), int(asked[0])) if dynamic else (width, height)
    stride = whole(metadata, "stride", 32, path) if dynamic else None
    probe = np.zeros((batch if isinstance(batch, int) else 1, 3, size[1], size[0]), dtype)
    try:
        (out,) = session.inner.run([outputs[0].name], {inputs[0].name: probe})
    except Exception as error:  # the runtime's exceptions have no common class of their own
        raise ModelError(
            f"{path}: can't be run on a picture of {size[0]}x{size[1]}: {str(error)[:300]}"
        ) from None
    points = literal(metadata, "kpt_shape", path) if task == "pose" else None
    layout = layout_of(
        np.shape(out),
        classes=len(names),
        extra=int(np.prod(points)) if points else 0,
        described="names" in metadata,
        path=path,
    )
    if layout == "final":
        refuse_other_lists(np.asarray(out, np.float32), path)
    if not isinstance(batch, int):
        # `nms=True` is traced for a number of pictures: more come out empty, as if nobody were
        # there. Only the end-to-end families take any number.
        takes_any = layout == "raw" or literal(metadata, "end2end", path) is True
        batch = None if takes_any else whole(metadata, "batch", 1, path)
    return Model(
        path=path,
        session=session,
        input_name=inputs[0].name,
        output_name=outputs[0].name,
        batch=batch,
        input_size=size,
        stride=stride,
        dtype=np.dtype(dtype),
        layout=layout,
        names=names,
        kinds=kinds_of(names, kinds or {}, model=str(path)),
    )


def literal(metadata: Mapping[str, str], key: str, path: Path) -> Any:
    """Read a metadata value, which is Python text; none if it is missing."""
    if key not in metadata:
        return None
    try:
        return ast.literal_eval(metadata[key])
    except (ValueError, SyntaxError, RecursionError):
        raise ModelError(f"{path}: metadata {key} can't be read: {metadata[key][:80]!r}") from None


def whole(metadata: Mapping[str, str], key: str, default: int, path: Path) -> int:
    """Read a metadata value that is a whole number above 0."""
    found = literal(metadata, key, path)
    if found is None:
        return default
    if type(found) is not int or found < 1:
        raise ModelError(f"{path}: metadata {key} is {found!r}, not a whole number above 0")
    return found


def names_of(
    metadata: Mapping[str, str], class_names: Sequence[str] | None, path: Path
) -> tuple[str, ...]:
    """Give the class names in order: from the metadata, else as configured."""
    found = literal(metadata, "names", path)
    if found is None:
        if not class_names:
            raise ModelError(
                f"{path}: has no metadata, so its classes are unknown: give them in order as "
                "detection.class_names, or export it again with `yolo export format=onnx`"
            )
        return tuple(class_names)
    if isinstance(found, list | tuple):
        found = dict(enumerate(found))
    if not isinstance(found, dict) or sorted(found) != list(range(len(found))) or not found:
        raise ModelError(f"{path}: metadata names is not a list of classes: {str(found)[:80]!r}")
    names = tuple(str(found[number]) for number in range(len(found)))
    if class_names and tuple(class_names) != names:
        raise ModelError(
            f"{path}: detection.class_names are given, but the model names its own classes "
            f"{', '.join(names[:5])}…; leave them out (detection.kinds says which is what)"
        )
    return names


def layout_of(
    shape: Sequence[int], *, classes: int, extra: int, described: bool, path: Path
) -> Layout:
    """Tell the output's layout by its shape (B, rows, columns).

    `raw` is (B, 4 + classes + extra, anchors): centre, size and a score per class. `final` is
    (B, boxes, 6 + extra): corners, score, class. `extra` are key points' numbers; `described`
    means that the model has metadata.
    """
    if len(shape) == 3:
        _, rows, columns = shape
        if rows == 4 + classes + extra and columns != 6 + extra:
            return "raw"
        if columns == 6 + extra and (described or rows <= MAX_FINAL_ROWS):
            return "final"
        if rows == 4 + classes + extra:
            return "raw"
        if columns == 5 + classes:
            raise ModelError(
                f"{path}: output {tuple(shape)} has a column of its own for objectness, as YOLOX "
                "and YOLOv5 do; only Ultralytics exports (YOLOv8 and later, YOLOv5u) are read"
            )
    raise ModelError(
        f"{path}: output {tuple(shape)} does not fit {classes} class(es): an Ultralytics detect "
        f"export gives (batch, {4 + classes + extra}, anchors) or (batch, boxes, {6 + extra})"
    )


def refuse_other_lists(output: NDArray[np.float32], path: Path) -> None:
    """Refuse other families' lists of as many columns, told by what they hold for a black picture.

    YOLOv5's sixth column is a probability where a class number should be; RT-DETR's boxes are
    parts of the picture, centre and size, where pixels should be.
    """
    boxes, classes = output[..., :4], output[..., 5]
    if not np.array_equal(classes, np.rint(classes)):
        raise ModelError(
            f"{path}: output {output.shape} has no class numbers in its sixth column; only "
            "Ultralytics exports (YOLOv8 and later, YOLOv5u) are read"
        )
    if boxes.any() and boxes.min() >= 0 and boxes.max() <= 1:
        raise ModelError(
            f"{path}: its boxes are parts of the picture, not pixels, as RT-DETR gives them; "
            "only the YOLO families are read (YOLOv8 and later, YOLOv5u)"
        )


def candidates(
    output: NDArray[np.float32], layout: Layout, *, classes: int, score_threshold: float
) -> Candidates:
    """Read one picture's output (rows, columns): all boxes above the threshold."""
    if layout == "final":
        rows = output[output[:, 4] > score_threshold].astype(np.float64)
        return Candidates(boxes=rows[:, :4], scores=rows[:, 4], classes=rows[:, 5].astype(np.int64))
    best = output[4 : 4 + classes].max(axis=0)
    (chosen,) = np.nonzero(best > score_threshold)
    columns = output[:, chosen].astype(np.float64)
    centre, half = columns[:2].T, columns[2:4].T / 2
    return Candidates(
        boxes=np.hstack([centre - half, centre + half]),
        scores=columns[4 : 4 + classes].max(axis=0),
        classes=columns[4 : 4 + classes].argmax(axis=0).astype(np.int64),
    )
