"""Says, in English and Chinese, that people before a camera are not placed, and how many it shows.

Knows nothing about why the camera is not trusted. Where nobody can say how a camera hangs location
leaves it out, and that must never look like nobody being there.
"""

import numpy as np

from detection.nms import best_boxes
from edge.detection_watch import BLIND_AFTER_S
from scene.messages import KINDS, Detections

PEOPLE = tuple(KINDS.index(kind) for kind in ("person", "fallen"))
SAME_BODY = 0.7
"""Boxes that cover each other by more than this are one body, found standing and fallen."""
NOT_PLACED = "PEOPLE NOT PLACED: whom only this camera sees is not placed and not counted"
"""What the evidence of an alarm says while it is so. A run that takes the alarm over reads it
there."""
NOT_PLACED_ZH = "人员未定位：仅由该摄像机看到的人员未被定位，也未计入人数"


def bodies(found: Detections) -> int:
    """Count the people found in one picture, each once."""
    person = np.isin(found.kinds, PEOPLE)
    boxes, scores = found.boxes_px[person], found.scores[person]
    return len(best_boxes(boxes, scores, np.zeros(len(boxes), np.int64), SAME_BODY))


def shown(found: Detections | None, at_ns: int | None) -> int | None:
    """Count the people in a camera's newest finds; none when they are much older than `at_ns`."""
    if found is None or at_ns is None or at_ns - found.captured_at_ns > BLIND_AFTER_S * 1e9:
        return None
    return bodies(found)


def unplaced(found: Detections | None, at_ns: int | None, *, lasting: bool) -> str:
    """Say that people are not placed, and how many a camera's newest finds show.

    `at_ns` is when its newest picture was taken; finds that are much older count for nothing. What
    is `lasting` is read when the number is another one, and says so.
    """
    en, zh = "how many its pictures show is not known", "其画面中的人数未知"
    count = shown(found, at_ns)
    if count is not None:
        people = "1 person was" if count == 1 else f"{count} people were"
        en = f"{people} found in its picture {'when this was said' if lasting else 'just now'}"
        zh = f"{'报告时' if lasting else '此刻'}其画面中检出 {count} 人"
    return f"{NOT_PLACED}; {en} / {NOT_PLACED_ZH}；{zh}"
