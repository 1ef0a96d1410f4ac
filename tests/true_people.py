"""What stitching would be told of people by a perfect detector and tracker: the truth.

Knows nothing about how well anything is painted.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from scene.messages import KINDS, Detections, Panorama, Position, Posture
from stitching.stitcher import Stitcher
from tests.sample_site import START_AT_NS, boxes, instants, masks, read, rig_of, site_of, world

VISIBLE = 0.3
"""Share of a body from which a detector finds it."""
SIGMA_M = 0.05


def panoramas(folder: Path, unplaced: int | None = None) -> Iterator[tuple[int, Panorama]]:
    """Stitch a clip, told who truly is where; gives the frames for which there are masks.

    Somebody `unplaced` is only found, as long as the tracker is not sure of them.
    """
    site, rig = site_of(folder), rig_of(folder)
    stitcher, judged = Stitcher(rig, site.panorama), masks(folder)
    fps = float(read(folder, "scene.json")["fps"])
    for frames in instants(site):
        at_ns = max(frame.captured_at_ns for frame in frames)
        number = round((at_ns - START_AT_NS) / 1e9 * fps)
        people = [one for one in people_at(folder, number, at_ns) if one.track != unplaced]
        panorama = stitcher.stitch(frames, people, finds_at(folder, number, at_ns))
        if number in judged:
            yield number, panorama


def people_at(folder: Path, frame: int, at_ns: int) -> list[Position]:
    """Give everybody's true position; tracks are the people's ids."""
    people = []
    for person in world(folder)[frame]["people"]:
        feet_m, top_m = person["xyz_m"], person["head_xyz_m"][2] - person["xyz_m"][2]
        posture: Posture = "lying" if top_m < 0.8 else "crouching" if top_m < 1.4 else "upright"
        people.append(
            Position(
                track=person["id"],
                xyz_m=(feet_m[0], feet_m[1], feet_m[2]),
                covariance_m2=((SIGMA_M**2, 0.0), (0.0, SIGMA_M**2)),
                velocity_m_s=_velocity_m_s(folder, frame, person["id"]),
                height_m=max(top_m, 0.4),
                posture=posture,
                certainty="certainly",
                seen_at_ns=at_ns,
                cameras=tuple(
                    camera
                    for camera, of_all in boxes(folder).items()
                    if person["id"] in of_all[frame].people[of_all[frame].visibility > VISIBLE]
                ),
            )
        )
    return people


def finds_at(folder: Path, frame: int, at_ns: int) -> list[Detections]:
    """Give the true boxes of everybody who can be seen."""
    finds = []
    for camera, of_all in boxes(folder).items():
        seen = of_all[frame].visibility > VISIBLE
        finds.append(
            Detections(
                camera=camera,
                captured_at_ns=at_ns,
                boxes_px=of_all[frame].edges_px[seen].astype(float),
                scores=np.ones(int(seen.sum())),
                kinds=np.full(int(seen.sum()), KINDS.index("person")),
            )
        )
    return finds


def _velocity_m_s(folder: Path, frame: int, person: int) -> tuple[float, float]:
    """Give how fast somebody moves from this frame to the next one; 0 at the clip's end."""
    places = {
        number: one["xyz_m"]
        for number in (frame, frame + 1)
        for one in (world(folder)[number]["people"] if number < len(world(folder)) else ())
        if one["id"] == person
    }
    if len(places) < 2:
        return 0.0, 0.0
    fps = float(read(folder, "scene.json")["fps"])
    (x0, y0, _), (x1, y1, _) = places[frame], places[frame + 1]
    return (x1 - x0) * fps, (y1 - y0) * fps
