"""Milliseconds per tick of the tracker, 4 cameras x 15 people on one core.

Run: `python tests/bench/location_speed.py`. Prints one line of JSON with flat keys.
"""

import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np

from location.tracker import Tracker
from scene.floor import Floor
from scene.rig import Rig
from scene.surface import Cylinder
from tests.location import mine

TICKS = 60


def measure() -> dict[str, float]:
    """Time `update` + `positions` in process time, so that other work doesn't count."""
    rng = np.random.default_rng(0)
    cameras = mine.corners()
    surface = Cylinder(
        centre_m=mine.RIG_M, azimuth_left_rad=3.5, tan_top=0.3, px_per_rad=700, size_px=(2800, 700)
    )
    floor = Floor(mine.FLOOR)
    tracker = Tracker(Rig(cameras=cameras, surface=surface, anchor="survey", quality={}), floor)
    start = np.column_stack([rng.uniform(13, 19, 15), np.linspace(-2.2, 2.2, 15)])
    speed = rng.uniform(-0.4, 0.4, 15)
    spent, boxes, people = [], [], []
    for tick in range(TICKS):
        at_ns = tick * 100_000_000
        xy = start + np.column_stack([speed * tick * 0.1, np.zeros(15)])
        feet = np.column_stack([xy, floor.z_m(xy)])
        bodies = [mine.standing() + foot for foot in feet]
        seen = tuple(mine.detections(c, at_ns, bodies, rng=rng, missed=0.05) for c in cameras)
        began = time.process_time()
        tracker.update(seen)
        found = tracker.positions(at_ns)
        spent.append((time.process_time() - began) * 1e3)
        boxes.append(sum(len(one.boxes_px) for one in seen))
        people.append(len(found))
    return {
        "locate.tick_ms_median": round(float(np.median(spent)), 2),
        "locate.tick_ms_p95": round(float(np.percentile(spent, 95)), 2),
        "locate.tick_boxes": float(np.mean(boxes)),
        "locate.tick_people": float(np.mean(people)),
    }


if __name__ == "__main__":
    print(json.dumps(measure()))
