"""The detector: the newest frames of all cameras in, boxes per camera out.

Knows nothing about the cameras' geometry, tracks or MQTT.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from detection.letterbox import Letterbox, fill, fit, to_camera
from detection.manifest import check_manifest
from detection.model import SHIPPED, Model, candidates, load_model
from detection.nms import best_boxes
from detection.tiles import Finds, Tile, cut, merged, tiles_of
from scene.messages import Detections, Frame, YuvImage
from scene.site import DetectionConfig, TilesConfig

LARGEST_PX = 8192
"""A side longer than this no camera has; in the model's input nobody would be left to be seen."""
MAX_BATCH = 16
"""Pictures run at once where the model takes any number; more need memory and gain nothing."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class View:
    """A picture for the model: a camera's whole frame, or a tile of it."""

    frame: int
    """Index into the frames."""
    tile: Tile | None
    image: YuvImage
    box: Letterbox


class Detector:
    """Runs one model over the frames of all cameras; not for several threads at once."""

    def __init__(
        self,
        model: Model,
        *,
        score_threshold: float,
        iou_threshold: float,
        tiles: TilesConfig | None = None,
    ) -> None:
        """Take a loaded model; boxes that overlap more than `iou_threshold` are one."""
        self.model = model
        self.score_threshold = score_threshold
        self.iou_threshold = iou_threshold
        self.tiles = tiles
        self.problems: dict[str, str] = {}
        """Why cameras were left out of the last answer, by camera."""
        used = [kind for kind in model.kinds if kind >= 0]
        self._kinds_differ = len(set(used)) == len(used)
        self._tensors: dict[tuple[int, int, int], NDArray[np.float32]] = {}

    @property
    def provider(self) -> str:
        """The ONNX Runtime provider that is really in use."""
        return self.model.session.provider

    @property
    def degraded(self) -> str:
        """Why inference does not run as the site file asks for; empty when it does."""
        return self.model.session.degraded

    def detect(self, frames: Sequence[Frame]) -> tuple[Detections, ...]:
        """Find people and helmets in one frame per camera, in the frames' order.

        A frame that can't be judged (no pixels, or the model gave no numbers) is left out, since
        "nothing known" is not "nobody there"; `problems` then says why, by camera.
        """
        self.problems = {}
        views = [view for i, frame in enumerate(frames) for view in self._views(i, frame)]
        found: dict[int, Finds] = {}
        for size in dict.fromkeys(view.box.input_size for view in views):
            members = [i for i, view in enumerate(views) if view.box.input_size == size]
            step = self.model.batch or MAX_BATCH
            for start in range(0, len(members), step):
                batch = members[start : start + step]
                answers = self._run(frames, [views[i] for i in batch])
                for i, finds in zip(batch, answers, strict=True):
                    if finds is not None:
                        found[i] = finds
        return tuple(self._detections(frames, views, found))

    def _views(self, number: int, frame: Frame) -> Iterator[View]:
        """Cut a frame into what the model shall see of it; the whole of it comes first."""
        size = frame.image.size_px
        if min(size) < 2 or max(size) > LARGEST_PX:
            self._fails(frame, f"a frame of {size[0]}x{size[1]} pixels can't be searched")
            return
        tiles: tuple[Tile | None, ...] = (None,)
        if self.tiles is not None and self.tiles.wanted_for(frame.camera):
            tiles += tiles_of(
                size,
                self.model.input_size,
                size_px=self.tiles.size_px,
                overlap=self.tiles.overlap,
            )
        for tile in tiles:
            image = frame.image if tile is None else cut(frame.image, tile)
            box = fit(image.size_px, self.model.input_size, stride=self.model.stride)
            yield View(frame=number, tile=tile, image=image, box=box)

    def _fails(self, frame: Frame, why: str) -> None:
        self.problems[frame.camera] = why

    def _run(self, frames: Sequence[Frame], views: Sequence[View]) -> list[Finds | None]:
        """Run one batch; gives what was found in each view, or none where that is not known."""
        width, height = views[0].box.input_size
        count = self.model.batch or len(views)
        tensor = self._tensors.get((count, height, width))
        if tensor is None:
            tensor = np.zeros((count, 3, height, width), np.float32)
            self._tensors[count, height, width] = tensor
        finds: list[Finds | None] = [None] * len(views)
        filled = []
        for row, view in enumerate(views):
            try:
                fill(view.box, view.image, tensor[row])
                filled.append(row)
            except (cv2.error, ValueError) as error:
                why = f"its planes don't belong together: {str(error)[:200]}"
                self._fails(frames[view.frame], why)
        try:
            out = self.model.run(tensor)
        except Exception as error:  # the runtime's exceptions have no common class of their own
            for row in filled:
                self._fails(frames[views[row].frame], f"inference failed: {str(error)[:200]}")
            return finds
        for row in filled:
            if np.isfinite(out[row]).all():
                finds[row] = self._judge(views[row], out[row])
            else:
                why = f"{self.model.path.name} gave no numbers (NaN)"
                self._fails(frames[views[row].frame], why)
        return finds

    def _judge(self, view: View, output: NDArray[np.float32]) -> Finds:
        """Read one view's output; boxes are in the camera's pixels."""
        model = self.model
        some = candidates(
            output, model.layout, classes=len(model.names), score_threshold=self.score_threshold
        )
        known = (some.classes >= 0) & (some.classes < len(model.kinds))
        kinds = np.where(known, np.array(model.kinds)[np.where(known, some.classes, 0)], -1)
        wanted = kinds >= 0
        inside, scores, kinds = some.boxes[wanted], some.scores[wanted], kinds[wanted]
        if model.layout == "final" and self._kinds_differ:
            keep = np.argsort(-scores, kind="stable")  # the model has suppressed doubles itself
        else:
            keep = best_boxes(inside, scores, kinds, self.iou_threshold)
        boxes_px = to_camera(view.box, inside[keep])
        if view.tile is not None:
            boxes_px += (view.tile.left, view.tile.top, view.tile.left, view.tile.top)
        seen = ((boxes_px[:, 2:] - boxes_px[:, :2]) > 0).all(axis=1)
        return Finds(
            boxes_px=boxes_px[seen],
            scores=np.clip(scores[keep][seen], 0, 1),
            kinds=kinds[keep][seen].astype(np.int64),
        )

    def _detections(
        self, frames: Sequence[Frame], views: Sequence[View], found: Mapping[int, Finds]
    ) -> Iterator[Detections]:
        """Bring each frame's views together; a frame with a view that failed is left out."""
        own: dict[int, list[tuple[Tile | None, Finds | None]]] = {}
        for i, view in enumerate(views):
            own.setdefault(view.frame, []).append((view.tile, found.get(i)))
        for number, parts in own.items():
            frame = frames[number]
            whole = [(tile, finds) for tile, finds in parts if finds is not None]
            if len(whole) < len(parts):
                continue
            finds = whole[0][1] if len(whole) == 1 else merged(whole, frame.image.size_px)
            yield Detections(
                camera=frame.camera,
                captured_at_ns=frame.captured_at_ns,
                boxes_px=finds.boxes_px,
                scores=finds.scores,
                kinds=finds.kinds,
            )


def open_detector(config: DetectionConfig) -> Detector:
    """Load the model that a site file asks for, or the shipped one; raises `ModelError`."""
    path = config.model or SHIPPED
    check_manifest(path, manifest=config.manifest, key=config.manifest_key)
    model = load_model(
        path,
        providers=config.providers,
        threads=config.threads,
        class_names=config.class_names,
        kinds=config.kinds,
    )
    return Detector(
        model,
        score_threshold=config.score_threshold,
        iou_threshold=config.iou_threshold,
        tiles=config.tiles,
    )
