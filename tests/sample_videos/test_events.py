"""Events on hand-made scenes whose instants are known; the scene and points told beside them."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from sample_videos.generator import events
from sample_videos.generator.camera import Camera, make_camera
from sample_videos.generator.events import Visible, find_events, inside, runs
from sample_videos.generator.plates import plate_rays
from sample_videos.generator.poses import STAND
from sample_videos.generator.scene_file import (
    CameraSpec,
    HappeningSpec,
    LongwallSpec,
    MinerSpec,
    Point,
    Point3,
    RoadwaySpec,
    SceneSpec,
    ZoneSpec,
)
from sample_videos.generator.script import Moment
from sample_videos.generator.truth import scene_truth, survey_points, tie_points, world_line

FPS = 10
SQUARE = ((4.0, -1.0), (6.0, -1.0), (6.0, 1.0), (4.0, 1.0))
CAMERAS = tuple(
    CameraSpec(id=name, at_m=(x, -2.0, 2.5), yaw_deg=60.0, pitch_deg=-15.0, hfov_deg=70.0)
    for name, x in (("cam1", 3.0), ("cam2", 8.0))
)
FIELDS = {"type", "id", "camera", "zone", "t_start_s", "t_end_s", "xyz_m"}


def make_scene(frames: int, **changes: Any) -> SceneSpec:
    plain: dict[str, Any] = {
        "schema": "",
        "name": "test",
        "seed": 3,
        "fps": FPS,
        "duration_s": frames / FPS,
        "cameras": CAMERAS,
        "miners": (MinerSpec(id=1, at_m=(0.0, 0.0)), MinerSpec(id=2, at_m=(0.0, 0.0), tag="t2")),
        "roadway": RoadwaySpec(length_m=20.0),
    }
    return SceneSpec(**{**plain, **changes})


def course(
    places: Sequence[Point], states: str | Sequence[str] = "walk", bare: Sequence[int] = ()
) -> list[Moment]:
    names = [states] * len(places) if isinstance(states, str) else states
    return [
        Moment(xy_m=xy, yaw_rad=0.0, state=state, pose=STAND, helmet_on=i not in bare)
        for i, (xy, state) in enumerate(zip(places, names, strict=True))
    ]


def walk(
    frames: int, start_m: float = 0.0, step_m: float = 0.1, left_m: float = 0.0
) -> list[Point]:
    return [(start_m + step_m * i, left_m) for i in range(frames)]


def find(
    scene: SceneSpec, *people: list[Moment], visible: Visible | None = None
) -> list[dict[str, Any]]:
    found = find_events(scene, dict(enumerate(people, start=1)), visible or {})
    assert all(set(event) - {"t_whole_s"} == FIELDS for event in found)
    return found


def spans(found: list[dict[str, Any]], kind: str) -> list[tuple[Any, ...]]:
    return [(e["id"], e["zone"], e["t_start_s"], e["t_end_s"]) for e in found if e["type"] == kind]


def test_fall_lasts_until_they_get_up_and_is_where_they_lie() -> None:
    states = ["walk"] * 5 + ["fall"] * 4 + ["lie"] * 6 + ["rise"] * 5
    places = [*walk(9), *[(0.95, 0.2)] * 11]
    found = find(make_scene(20), course(places, states))
    assert spans(found, "fall") == [(1, None, 0.5, 1.5)]
    assert found[0]["xyz_m"] == [0.95, 0.2, 0.0]
    assert spans(find(make_scene(15), course(places[:15], states[:15])), "fall")[0][3] is None


def test_immobile_starts_when_the_stillness_began() -> None:
    scene = make_scene(40, immobile_after_s=2.0)
    places = [*walk(10), *[(1.0, 0.0)] * 20, *walk(10, 1.1)]
    states = ["walk"] * 10 + ["stand"] * 10 + ["crouch"] * 10 + ["walk"] * 10
    assert spans(find(scene, course(places, states)), "immobile") == [(1, None, 1.0, 3.0)]
    longer = replace(scene, immobile_after_s=2.1)
    assert spans(find(longer, course(places, states)), "immobile") == []
    working = ["work" if s == "stand" else s for s in states]
    assert spans(find(scene, course(places, working)), "immobile") == []


def test_immobile_to_the_end_is_open() -> None:
    scene = make_scene(40, immobile_after_s=2.0)
    places = [*walk(10), *[(1.0, 0.0)] * 30]
    states = ["walk"] * 8 + ["fall"] * 2 + ["lie"] * 30
    assert spans(find(scene, course(places, states)), "immobile") == [(1, None, 1.0, None)]


@pytest.mark.parametrize(("drift_m", "still"), [(0.0115, True), (0.014, False)])
def test_who_drifts_a_quarter_metre_is_not_immobile(drift_m: float, still: bool) -> None:
    scene = make_scene(21, immobile_after_s=2.0)
    drifting = course(walk(21, step_m=drift_m), "stand")
    assert bool(spans(find(scene, drifting), "immobile")) == still


def test_stillness_may_begin_in_the_midst_of_standing() -> None:
    """A slow step first: stillness counts from where they stayed, not from where they stood."""
    scene = make_scene(40, immobile_after_s=2.0)
    places = [*walk(11, step_m=0.05), *[(0.5, 0.0)] * 29]
    found = spans(find(scene, course(places, "stand")), "immobile")
    assert found == [(1, None, 0.6, None)]  # 0.30 m: the first place within 0.25 m of 0.5 m


def test_zone_entry() -> None:
    zones = (
        ZoneSpec(id="z", kind="restricted", polygon_m=SQUARE),
        ZoneSpec(id="danger", kind="danger", polygon_m=((30.0, 0.0), (31.0, 0.0), (31.0, 1.0))),
    )
    places = [*walk(71, 0.05), *walk(30, 7.05, -0.1)]
    found = find(make_scene(101, zones=zones), course(places))
    assert [e["type"] for e in found] == ["zone_entry", "zone_entry"]
    assert spans(found, "zone_entry") == [(1, "z", 4.0, 6.0), (1, "z", 8.2, None)]
    assert found[0]["xyz_m"] == [4.05, 0.0, 0.0]


def test_near_danger_inside_a_polygon() -> None:
    zones = (ZoneSpec(id="belt", kind="danger", polygon_m=SQUARE),)
    found = find(make_scene(70, zones=zones), course(walk(70, 0.05)))
    assert [e["type"] for e in found] == ["near_danger"]
    assert spans(found, "near_danger") == [(1, "belt", 4.0, 6.0)]


def longwall_scene(frames: int, at_m: float, speed_m_s: float, around_m: float) -> SceneSpec:
    return make_scene(
        frames,
        roadway=None,
        longwall=LongwallSpec(shearer_at_m=at_m, shearer_m_s=speed_m_s),
        zones=(ZoneSpec(id="shearer", kind="danger", around_shearer_m=around_m),),
    )


def test_near_danger_moves_with_the_shearer() -> None:
    # Its end is at 10 + 6.5 m and comes nearer by 0.1 m a frame; beside it they are 1.25 m away.
    scene = longwall_scene(80, 10.0, 1.0, 2.0)
    stands = course([(20.0, 2.0)] * 80, "work")
    reach_m = math.sqrt(2.0**2 - 1.25**2)
    first = math.ceil((20.0 - reach_m - 16.5) / 0.1)
    assert first == 20
    assert spans(find(scene, stands), "near_danger") == [(1, "shearer", 2.0, None)]
    far = course([(20.0, 1.2)] * 80, "work")
    assert spans(find(scene, far), "near_danger") == []  # 2.05 m beside it all the time


def test_no_shearer_no_danger() -> None:
    scene = longwall_scene(10, 60.0, 0.0, 30.0)
    assert find(scene, course([(41.0, 2.0)] * 10, "work")) == []


def test_over_capacity() -> None:
    zones = (ZoneSpec(id="room", kind="capacity", polygon_m=SQUARE, capacity=1),)
    scene = make_scene(70, zones=zones)
    first, second = course(walk(70, 0.05)), course(walk(70, 2.05, left_m=0.5))
    found = find(scene, first, second)  # in from 4.0 to 6.0 s and from 2.0 to 4.0 s
    assert spans(found, "over_capacity") == []
    second = course(walk(70, 1.05, left_m=0.5))  # from 3.0 to 5.0 s
    found = find(scene, first, second)
    assert spans(found, "over_capacity") == [(None, "room", 4.0, 5.0)]
    assert found[0]["xyz_m"] == [4.55, 0.25, 0.0]
    assert find(make_scene(70, zones=(replace(zones[0], capacity=2),)), first, second) == []


def test_helmet_off() -> None:
    found = find(make_scene(20), course(walk(20), bare=range(5, 12)), course(walk(20), bare=[19]))
    assert spans(found, "helmet_off") == [(1, None, 0.5, 1.2), (2, None, 1.9, None)]


def seen_from(*frames_of: tuple[str, range, float]) -> dict[str, list[dict[int, float]]]:
    out: dict[str, list[dict[int, float]]] = {c.id: [{} for _ in range(60)] for c in CAMERAS}
    for camera, frames, visibility in frames_of:
        for frame in frames:
            out[camera][frame][1] = visibility
    return out


def test_left_coverage() -> None:
    scene, steps = make_scene(60), course(walk(60))
    visible = seen_from(
        ("cam1", range(5, 20), 0.5),
        ("cam2", range(18, 25), 0.9),
        ("cam2", range(25, 45), 0.09),  # too little to count
        ("cam1", range(40, 46), 0.0996),  # 0.100 in the files
    )
    found = find(scene, steps, visible=visible)
    # Not before they were first seen, and not the last 1.4 s.
    assert spans(found, "left_coverage") == [(1, None, 2.5, 4.0)]
    assert (found[0]["camera"], found[0]["xyz_m"]) == ("cam2", [2.5, 0.0, 0.0])
    visible["cam1"][45] = {}
    assert spans(find(scene, steps, visible=visible), "left_coverage")[1:] == [(1, None, 4.5, None)]


def test_a_short_gap_and_a_handover_do_not_leave_the_coverage() -> None:
    visible = seen_from(("cam1", range(20), 1.0), ("cam2", range(34, 60), 1.0))
    assert find(make_scene(60), course(walk(60)), visible=visible) == []
    del visible["cam2"][34:]  # cam2 died
    visible["cam1"][30] = {1: 1.0}
    found = find(make_scene(60), course(walk(60)), visible=visible)
    assert spans(found, "left_coverage") == [(1, None, 3.1, None)]


HAPPENINGS = (
    HappeningSpec(kind="lens_dust", at_s=2.0, camera="cam1"),
    HappeningSpec(kind="camera_knock", at_s=1.01, camera="cam2", turn_deg=(2.0, 0.0, 0.0)),
    HappeningSpec(kind="camera_dead", at_s=3.0, camera="cam2"),
    HappeningSpec(kind="lamp_outage", at_s=0.5, lamps=(0, 1)),
)


def test_happenings() -> None:
    twice = (*HAPPENINGS, HAPPENINGS[0], replace(HAPPENINGS[1], at_s=3.5))
    found = find(make_scene(40, happenings=twice), course(walk(40)))
    assert [(e["type"], e["camera"], e["t_start_s"], e["t_end_s"]) for e in found] == [
        ("lamp_outage", None, 0.5, None),
        ("camera_knock", "cam2", 1.01, None),
        ("lens_dust", "cam1", 2.0, None),
        ("camera_dead", "cam2", 3.0, None),  # and it is not knocked any more
    ]
    assert [e["xyz_m"] for e in found] == [
        None,
        [8.0, -2.0, 2.5],
        [3.0, -2.0, 2.5],
        [8.0, -2.0, 2.5],
    ]
    assert all(e["id"] is None and e["zone"] is None for e in found)
    assert [e.get("t_whole_s") for e in found] == [None, None, 5.0, None], "dust takes 3 s to come"


def test_belt_moving() -> None:
    scene = make_scene(40, roadway=RoadwaySpec(length_m=20.0, belt_m_s=2.0, belt_from_s=1.5))
    found = find(scene, course(walk(40)))
    assert [(e["type"], e["t_start_s"], e["xyz_m"]) for e in found] == [("belt_moving", 1.5, None)]
    assert find(make_scene(40), course(walk(40))) == []
    assert find(replace(scene, duration_s=1.5), course(walk(15))) == []


def test_every_kind_of_happening_has_its_event() -> None:
    told = ", ".join(events.KINDS)
    assert all(happening.kind in told for happening in HAPPENINGS)


def test_order_is_by_start_type_and_miner_and_repeats() -> None:
    zones = tuple(ZoneSpec(id=n, kind="restricted", polygon_m=SQUARE) for n in ("b", "a"))
    scene = make_scene(70, zones=zones, happenings=HAPPENINGS)
    people = {2: course(walk(70, 0.05), bare=[40]), 1: course(walk(70, 0.05), bare=[40])}
    found = find_events(scene, people, {})
    keys = [(e["t_start_s"], e["type"], -1 if e["id"] is None else e["id"]) for e in found]
    assert keys == sorted(keys)
    assert [(e["id"], e["zone"]) for e in found if e["type"] == "zone_entry"] == [
        (1, "a"), (1, "b"), (2, "a"), (2, "b"),
    ]  # fmt: skip
    again = find_events(scene, dict(reversed(people.items())), {})
    assert again == found
    assert len({str(event) for event in found}) == len(found)


def test_places_are_in_the_mine() -> None:
    line = ((100.0, 50.0, -300.0), (100.0, 70.0, -298.0))  # along y, rising by one in ten
    scene = make_scene(20, line_m=line, cross_fall=0.02, happenings=HAPPENINGS[:1])
    walked = [(x + 100.0, y) for x, y in walk(20, left_m=1.0)]  # chainage starts at the line's x
    found = find(scene, course(walked, bare=range(10, 20)))
    assert found[0]["xyz_m"] == pytest.approx([99.0, 51.0, -299.88], abs=1e-9)


def test_runs_and_inside() -> None:
    assert runs([]) == [] and runs([True]) == [(0, None)] and runs([True, False]) == [(0, 1)]
    shape = [(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (2.0, 1.0), (0.0, 4.0)]
    assert inside((0.5, 1.0), shape)
    assert not inside((2.0, 2.0), shape)


def test_scene_truth_tells_knocks_and_deaths() -> None:
    outage = HappeningSpec(kind="lamp_outage", at_s=0.7, lamps=(0,))
    scene = make_scene(40, happenings=(*HAPPENINGS, outage))
    first, second = scene_truth(scene)["cameras"]
    assert first["lens"] == "brown" and len(first["dist"]) == 5
    assert [p["from_frame"] for p in first["poses"]] == [0]  # a lamp's outage moves no camera
    assert [p["from_frame"] for p in second["poses"]] == [0, 11]
    assert second["poses"][0] == {"from_frame": 0, "R": second["R"], "t": second["t"]}
    before, after = (np.array(p["R"]) for p in second["poses"])
    angle = math.acos((np.trace(before.T @ after) - 1) / 2)
    assert math.degrees(angle) == pytest.approx(2.0, abs=1e-6)
    centre = -after.T @ np.array(second["poses"][1]["t"])
    assert centre == pytest.approx(second["position_m"], abs=1e-6)
    assert (first["dead_from_frame"], second["dead_from_frame"]) == (None, 30)


def test_scene_truth_has_zones_tags_and_happenings() -> None:
    zones = (
        ZoneSpec(id="room", kind="capacity", polygon_m=SQUARE, capacity=1),
        ZoneSpec(id="near", kind="danger", around_shearer_m=1.5),
    )
    line = ((100.0, 50.0, 0.0), (100.0, 70.0, 0.0))
    scene = make_scene(40, zones=zones, line_m=line, happenings=HAPPENINGS)
    told = scene_truth(scene)
    assert told["schema"] == "lamproom-sample-truth/2"
    room, near = told["zones"]
    assert room["capacity"] == 1 and near["around_shearer_m"] == 1.5 and near["polygon_m"] == []
    assert room["polygon_m"][1] == [101.0, -44.0]  # 94 m before the line's start, 1 m right
    assert [m["tag"] for m in told["miners"]] == ["tag-1", "t2"]
    assert told["tags"]["every_s"] == scene.tags.every_s
    assert told["happenings"][1] == {
        "kind": "camera_knock", "at_s": 1.01, "camera": "cam2", "turn_deg": [2.0, 0.0, 0.0],
    }  # fmt: skip
    assert told["happenings"][3] == {"kind": "lamp_outage", "at_s": 0.5, "lamps": [0, 1]}


@pytest.mark.parametrize("fall", [0.0, 0.05])
def test_floor_is_as_a_site_has_it(fall: float) -> None:
    """The walkway's edges and middle on the site's floor are at the height that the mine has."""
    from scene.floor import Floor
    from scene.site import FloorConfig

    line: tuple[Point3, ...] = ((0, 0, 0), (20, 0, -1), (45, 8, -2))
    scene = make_scene(10, roadway=None, longwall=LongwallSpec(), line_m=line, cross_fall=fall)
    told = scene_truth(scene)["floor"]
    floor = Floor(FloorConfig(**told))
    on = scene.axis.floor_m([(x, y) for x in np.arange(1, 41, 1.7) for y in (0.91, 1.6, 2.34)])
    assert floor.z_m(on[:, :2]) == pytest.approx(on[:, 2], abs=5e-3)  # a bend is cut otherwise
    assert (floor.outside_m(on[:, :2]) == 0).all()
    off = scene.axis.floor_m([(10.0, 0.8), (30.0, 2.45)])
    assert floor.outside_m(off[:, :2]) == pytest.approx([0.1, 0.1], abs=1e-3)


def test_a_world_line_has_movers_only_where_there_are() -> None:
    people = [{"id": 1}]
    plain = {"frame": 20, "t_s": 2.0, "people": people}
    assert json.loads(world_line(20, FPS, people)) == json.loads(world_line(20, FPS, people, {}))
    assert json.loads(world_line(20, FPS, people)) == plain
    movers = {"shearer_xyz_m": [1.0, 2.0, 3.0]}
    assert json.loads(world_line(20, FPS, people, movers)) == {**plain, "movers": movers}


def floor_seen(camera: Camera) -> Any:
    """Give the plate's mine points (H, W, 3) of an endless floor at z = 0, and a far wall."""
    rays = plate_rays(camera).astype(float)
    with np.errstate(divide="ignore"):
        reach = np.where(rays[..., 2] < -0.02, -camera.centre_m[2] / rays[..., 2], 60.0)
    return camera.centre_m + np.minimum(reach, 60.0)[..., None] * rays


@pytest.mark.parametrize("lens", ["brown", "fisheye"])
def test_tie_points_and_survey_points_by_opencv_alone(lens: str) -> None:
    dist = (-0.1, 0.01, 0.0, 0.0, 0.0) if lens == "brown" else (0.02, -0.01, 0.0, 0.0)
    cameras = [
        make_camera(
            name, (x, 0.0, 2.5), yaw_deg=yaw, pitch_deg=-25, hfov_deg=90, size_px=(320, 180),
            lens=lens, distortion=dist,
        )
        for name, x, yaw in (("a", 0.0, 0.0), ("b", 4.0, 20.0), ("away", -1.0, 180.0))
    ]  # fmt: skip
    positions = [floor_seen(camera) for camera in cameras]
    ties = tie_points(cameras, positions, seed=1)
    assert {tuple(p["cameras"]) for p in ties} == {("a", "b")}
    places = np.array([p["pixels"] for p in ties]).reshape(-1, 2)
    assert (np.ptp(places, axis=0) > [200, 45]).all()
    assert (places >= 4).all() and (places <= [315, 175]).all()
    marks = survey_points(cameras, positions, seed=1, noise_px=0.0)
    assert len(marks) == 24
    rows = [
        (name, p["xyz_m"], px)
        for p in ties
        for name, px in zip(p["cameras"], p["pixels"], strict=True)
    ]
    rows += [(p["camera"], p["mine_m"], p["pixel"]) for p in marks]
    project = cv2.fisheye.projectPoints if lens == "fisheye" else cv2.projectPoints
    for camera in cameras[:2]:
        told = [(xyz, px) for name, xyz, px in rows if name == camera.name]
        points = np.array([xyz for xyz, _ in told]).reshape(-1, 1, 3)
        turn, _ = cv2.Rodrigues(camera.rotation)
        shown, _ = project(points, turn, camera.translation, camera.k, camera.distortion)
        assert np.abs(shown.reshape(-1, 2) - [px for _, px in told]).max() < 0.05
