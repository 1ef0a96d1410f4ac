"""Tracks boxes camera by camera with the PyPI package `trackers`; knows nothing of ours.

Started with a JSON file of boxes by instant and camera; prints for each of its trackers and
settings the rows `x1 y1 x2 y2 id`.
"""

import itertools
import json
import sys
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")
import numpy as np  # noqa: E402
import supervision as sv  # noqa: E402
import trackers  # noqa: E402

FPS = 4.0


def main() -> None:
    """Track everything with every setting."""
    given = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    low, found = given["score"], {}
    for iou, buffer in itertools.product((0.05, 0.2), (30, 120)):
        some = {"minimum_consecutive_frames": 1, "lost_track_buffer": buffer, "frame_rate": FPS}
        kinds = {
            "ByteTrack": lambda some=some, iou=iou: trackers.ByteTrackTracker(
                track_activation_threshold=low + 0.1,
                high_conf_det_threshold=low + 0.1,
                minimum_iou_threshold=iou,
                **some,
            ),
            "OC-SORT": lambda some=some, iou=iou: trackers.OCSORTTracker(
                high_conf_det_threshold=low, minimum_iou_threshold=iou, **some
            ),
        }
        for name, make in kinds.items():
            found[f"{name} {iou} {buffer}"] = _track(given["boxes"], make)
    print(json.dumps(found))


def _track(boxes, make):
    """Give the rows of every instant and camera."""
    each = [make() for _ in boxes[0]]
    out = []
    for instant in boxes:
        rows = []
        for tracker, here in zip(each, instant, strict=True):
            there = np.array(here, np.float32).reshape(-1, 5)
            seen = (
                sv.Detections(
                    xyxy=there[:, :4], confidence=there[:, 4], class_id=np.zeros(len(there), int)
                )
                if len(there)
                else sv.Detections.empty()
            )
            known = tracker.update(seen)
            rows.append(
                [
                    [*box.tolist(), int(number)]
                    for box, number in zip(known.xyxy, known.tracker_id, strict=True)
                    if number is not None and number >= 0
                ]
                if len(known)
                else []
            )
        out.append(rows)
    return out


if __name__ == "__main__":
    main()
