"""The detector: the newest frames of all cameras in, boxes per camera out.

Knows nothing about the cameras' geometry, tracks or MQTT.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from detection.letterbox import Letterbox, fill, fit, to_camera
from detection.model import SHIPPED, Model, candidates, load_model
from detection.nms import best_boxes
from scene.messages import Detections, Frame
from scene.site import DetectionConfig


class Detector:
    """Runs one model over the frames of all cameras; not for several threads at once."""

    def __init__(self, model: Model, *, score_threshold: float, iou_threshold: float) -> None:
        """Take a loaded model; boxes that overlap more than `iou_threshold` are one."""
        self.model = model
        self.score_threshold = score_threshold
        self.iou_threshold = iou_threshold
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
        boxes = [self._place(frame) for frame in frames]
        found: dict[int, Detections] = {}
        sizes = dict.fromkeys(box.input_size for box in boxes if box is not None)
        for size in sizes:
            members = [
                i for i, box in enumerate(boxes) if box is not None and box.input_size == size
            ]
            step = self.model.batch or len(members)
            for start in range(0, len(members), step):
                self._run(frames, boxes, members[start : start + step], found)
        return tuple(found[i] for i in range(len(frames)) if i in found)

    def _place(self, frame: Frame) -> Letterbox | None:
        width, height = frame.image.size_px
        if width < 2 or height < 2:
            self.problems[frame.camera] = f"{frame.camera}: a frame of {width}x{height} pixels"
            return None
        return fit((width, height), self.model.input_size, stride=self.model.stride)

    def _run(
        self,
        frames: Sequence[Frame],
        boxes: Sequence[Letterbox | None],
        members: Sequence[int],
        found: dict[int, Detections],
    ) -> None:
        """Run one batch and add what was found to `found`, by the frame's number."""
        placed = [(i, box) for i in members if (box := boxes[i]) is not None]
        width, height = placed[0][1].input_size
        count = self.model.batch or len(placed)
        tensor = self._tensors.get((count, height, width))
        if tensor is None:
            tensor = np.zeros((count, 3, height, width), np.float32)
            self._tensors[count, height, width] = tensor
        for row, (i, box) in enumerate(placed):
            fill(box, frames[i].image, tensor[row])
        try:
            out = self.model.run(tensor)
        except Exception as error:  # the runtime's exceptions have no common class of their own
            for i, _ in placed:
                name = frames[i].camera
                self.problems[name] = f"{name}: inference failed: {str(error)[:200]}"
            return
        for row, (i, box) in enumerate(placed):
            if np.isfinite(out[row]).all():
                found[i] = self._judge(frames[i], box, out[row])
            else:
                name = frames[i].camera
                self.problems[name] = f"{name}: {self.model.path.name} gave no numbers (NaN)"

    def _judge(self, frame: Frame, box: Letterbox, output: NDArray[np.float32]) -> Detections:
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
        boxes_px = to_camera(box, inside[keep])
        seen = ((boxes_px[:, 2:] - boxes_px[:, :2]) > 0).all(axis=1)
        return Detections(
            camera=frame.camera,
            captured_at_ns=frame.captured_at_ns,
            boxes_px=boxes_px[seen],
            scores=np.clip(scores[keep][seen], 0, 1),
            kinds=kinds[keep][seen].astype(np.int64),
        )


def open_detector(config: DetectionConfig) -> Detector:
    """Load the model that a site file asks for, or the shipped one; raises `ModelError`."""
    model = load_model(
        config.model or SHIPPED,
        providers=config.providers,
        threads=config.threads,
        class_names=config.class_names,
        kinds=config.kinds,
    )
    return Detector(
        model, score_threshold=config.score_threshold, iou_threshold=config.iou_threshold
    )
