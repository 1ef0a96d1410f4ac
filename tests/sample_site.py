"""The shipped sample site: its truth, one run of the whole pipeline over it, and the scores."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from detection.evaluate import Score as DetectionScore
from detection.evaluate import score_kind
from edge.fast import Instant as Output
from edge.fast import instants
from scene.arrays import Floats
from scene.messages import Anomaly
from scene.rig import Rig, load_rig
from scene.site import load_site
from stitching.quality import tie_point_errors_px
from tests.scoring import Instant, Score, score

FOLDER = Path(__file__).parents[1] / "sample_videos" / "roadway"
START_AT_NS = 1_790_000_000_000_000_000
WARM_UP_S = 1.0
"""Nobody can be known in the first second: a person is confirmed by several frames."""
ALARM_OF_EVENT = {"fall": "man_down", "zone_entry": "restricted_zone"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """What came out of one run over the clip."""

    outputs: tuple[Output, ...]
    anomalies: tuple[Anomaly, ...]


def read(name: str) -> Any:
    """Read one of the truth's JSON files."""
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def world() -> list[dict[str, Any]]:
    """Read where everybody is, per frame."""
    lines = (FOLDER / "world.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@cache
def run() -> Run:
    """Run detector, tracker, stitcher and rules over every frame of the clip, once."""
    site = load_site(FOLDER / "site.yaml")
    outputs = tuple(instants(site, load_rig(site.rig.file), START_AT_NS))
    return Run(
        outputs=outputs,
        anomalies=tuple(a for output in outputs for a in output.picture.anomalies),
    )


def location_score(radius_m: float = 1.0) -> Score:
    """Score the positions of those whom the cameras can see, after the warm-up."""
    truth: list[Instant] = []
    found: list[Instant] = []
    visible = visible_people()
    for output, moment in zip(run().outputs, world(), strict=True):
        if moment["t_s"] < WARM_UP_S:
            continue
        everybody = {p["id"]: (p["xyz_m"][0], p["xyz_m"][1]) for p in moment["people"]}
        seen = visible[moment["frame"]]
        given = {p.track: (p.xyz_m[0], p.xyz_m[1]) for p in output.picture.positions.people}
        # Who is there but hidden may be followed or not; neither counts.
        hidden = [spot for person, spot in everybody.items() if person not in seen]
        truth.append({person: spot for person, spot in everybody.items() if person in seen})
        found.append(
            {
                track: spot
                for track, spot in given.items()
                if not any(np.hypot(spot[0] - h[0], spot[1] - h[1]) < radius_m for h in hidden)
            }
        )
    return score(truth, found, radius_m)


def visible_people(least: float = 0.5, height_px: float = 60.0) -> dict[int, set[int]]:
    """Tell by frame who shows at least so much of the body to some camera, not too small."""
    seen: dict[int, set[int]] = {moment["frame"]: set() for moment in world()}
    for path in sorted(FOLDER.glob("mot/*/gt/gt.txt")):
        for row in np.loadtxt(path, delimiter=",", ndmin=2):
            if row[8] >= least and max(row[4], row[5]) >= height_px:
                seen[int(row[0]) - 1].add(int(row[1]))
    return seen


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmScore:
    """How the clip's events and the alarms fit together."""

    events: int
    raised: int
    """Events whose alarm came, for the right person's place."""
    false: int
    worst_delay_s: float
    """From the event's start (the fall, the first step into the zone) to the alarm."""
    worst_place_m: float


def alarm_score() -> AlarmScore:
    """Match alarms to the truth's events, by kind and place."""
    events = [event for event in read("events.json") if event["type"] in ALARM_OF_EVENT]
    alarms = [alarm for alarm in run().anomalies if alarm.state == "active"]
    delays, places = [0.0], [0.0]
    taken: set[str] = set()
    for event in events:
        for alarm in alarms:
            if alarm.kind != ALARM_OF_EVENT[event["type"]] or alarm.id in taken:
                continue
            at_s = (alarm.raised_at_ns - START_AT_NS) / 1e9
            where = _where(event["id"], at_s)
            assert alarm.xyz_m is not None
            apart = float(np.hypot(alarm.xyz_m[0] - where[0], alarm.xyz_m[1] - where[1]))
            if at_s >= event["t_start_s"] and apart < 1.0:
                taken.add(alarm.id)
                delays.append(at_s - event["t_start_s"])
                places.append(apart)
                break
    return AlarmScore(
        events=len(events),
        raised=len(taken),
        false=len({alarm.id for alarm in alarms} - taken),
        worst_delay_s=max(delays),
        worst_place_m=max(places),
    )


def _where(person: int, at_s: float) -> tuple[float, float]:
    nearest = min(world(), key=lambda moment: abs(moment["t_s"] - at_s))
    xyz = next(p["xyz_m"] for p in nearest["people"] if p["id"] == person)
    return float(xyz[0]), float(xyz[1])


def tie_point_errors(rig: Rig) -> Floats:
    """Tell how far static points that two cameras see miss each other through a rig, in pixels."""
    by_pair: dict[tuple[str, str], list[Any]] = {}
    for point in read("tiepoints.json"):
        first, second = point["cameras"]
        by_pair.setdefault((first, second), []).append(point["pixels"])
    return np.concatenate(
        [
            tie_point_errors_px(rig, *pair, *np.moveaxis(np.array(pixels, float), 1, 0))
            for pair, pixels in by_pair.items()
        ]
    )


def detection_score(threshold: float = 0.25) -> DetectionScore:
    """Score the person boxes of every camera against those at least half visible."""
    people: dict[tuple[int, str], Floats] = {}
    for path in sorted(FOLDER.glob("mot/*/gt/gt.txt")):
        camera = path.parents[1].name
        rows = np.loadtxt(path, delimiter=",", ndmin=2)
        rows = rows[rows[:, 8] >= 0.5]
        for frame in range(len(world())):
            left, top, width, height = rows[rows[:, 0] == frame + 1, 2:6].T
            # MOTChallenge counts pixel edges from 1, OpenCV pixel centres from 0.
            edges = np.column_stack([left, top, left + width, top + height]) - 1.5
            people[frame, camera] = edges
    found, truth = [], []
    for frame, output in enumerate(run().outputs):
        for finds in output.people:
            persons = finds.of_kind("person")
            found.append((persons.boxes_px, persons.scores))
            truth.append(people[frame, finds.camera])
    return score_kind(found, truth, threshold)
