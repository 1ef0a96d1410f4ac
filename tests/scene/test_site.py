import json
from pathlib import Path

import pytest

from sample_videos.generator.scene_file import load_scene
from sample_videos.generator.site_file import SHEARER, event_site, shearer_corners_m
from scene.errors import SiteError
from scene.site import Site, load_site, parse_site

SAMPLES = Path(__file__).parents[2] / "sample_videos"
GOOD = """\
version: 1
site: roadway
gateway: gw1
cameras:
  - name: cam1
    url: rtsp://10.0.0.1/main
rig:
  mount: {xyz_m: [0, 0, 2.5]}
floor:
  centre_line_m: [[0, 0, 0], [40, 0, 0.4]]
zones:
  - name: cabinet
    polygon_m: [[1, 1], [2, 1], [2, 2]]
"""


def parse(text: str) -> Site:
    return parse_site(text, name="site.yaml", folder=Path("mine"))


def error_of(text: str) -> str:
    with pytest.raises(SiteError) as caught:
        parse(text)
    return str(caught.value)


def test_a_good_site_is_read_with_files_relative_to_it() -> None:
    site = parse(GOOD)
    assert site.rig.file == Path("mine/rig.yaml")
    assert site.floor.centre_line_m[1] == (40, 0, 0.4)
    assert site.zones[0].severity == "critical"


def test_an_unknown_key_is_named_with_its_place_and_its_likely_name() -> None:
    text = GOOD.replace("    url: rtsp://10.0.0.1/main", "    urll: rtsp://10.0.0.1/main")
    assert error_of(text).splitlines() == [
        "site.yaml:5:5: cameras.0.url: is missing; it must be given",
        "site.yaml:6:5: cameras.0.urll: not a field; did you mean url?",
    ]


def test_all_mistakes_come_at_once_in_file_order() -> None:
    text = GOOD.replace("gateway: gw1", "gateway: 'gw 1'").replace("[2, 1]", "[2, wide]")
    lines = error_of(text).splitlines()
    assert [line.split(": ")[0] for line in lines] == ["site.yaml:3:1", "site.yaml:13:29"]
    assert "wide" in lines[1]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (
            "version: 1",
            "version: 1\nversion: 1",
            "site.yaml:2:1: version: is given twice, first in line 1",
        ),
        (
            "xyz_m: [0, 0, 2.5]",
            "xyz_m: [0, 0, .nan]",
            "rig.mount.xyz_m.2: give a number that is finite",
        ),
        ("mount: {xyz_m: [0, 0, 2.5]}", "kind: rotation", "rig: the rig is not anchored"),
        ("url: rtsp://10.0.0.1/main", "url: nowhere.mp4", "cameras.0.url: there is no file"),
        ("url: rtsp://10.0.0.1/main", f"url: {'x' * 5000}", "cameras.0.url: there is no file"),
        ("site: roadway", "site: [", "not YAML"),
        ("    url", "\turl", "site.yaml:6:1: not YAML: line 6 has a tab where YAML wants spaces"),
        ("  - name", "\t- name", "site.yaml:5:1: not YAML: line 5 has a tab where YAML wants"),
        ("- name", "-\tname", "site.yaml:5:4: not YAML: line 5 has a tab where YAML wants"),
        ("name: cam1", "name: @cam1", "site.yaml:5:11: not YAML: found character that cannot"),
        (
            "mount: {xyz_m: [0, 0, 2.5]}",
            "survey_points: [{camera: cam1, pixel: [1, 2], mine_m: [1, 2, 0]}]",
            "rig: the rig is not anchored: it has 1 survey_points and needs at least 4",
        ),
        ("site: roadway", "site: a/b", "site.yaml:2:1: site: give up to 64 letters"),
    ],
)
def test_mistakes_name_field_and_remedy(before: str, after: str, expected: str) -> None:
    assert expected in error_of(GOOD.replace(before, after))


POLYGON = "[[1, 1], [2, 1], [2, 2]]"


@pytest.mark.parametrize(
    ("corners", "expected"),
    [
        ("[[0, 0], [2, 2], [2, 0], [0, 2]]", "the edges from corner 0 and from corner 2 cross"),
        ("[[0, 0], [1, 0], [2, 0]]", "encloses 0.000 m2"),
        ("[[0, 0], [2, 0], [2, 2], [0, 2], [0, 0]]", "each once"),
        ("[[0, 0], [3, 0], [1, 0], [1, 2]]", "the edges from corner 0 and from corner 1 cross"),
        ("[[0, 0], [0.1, 0], [0.1, 0.1]]", "more than 0.01 m2 is wanted"),
    ],
)
def test_a_zone_must_enclose_an_area(corners: str, expected: str) -> None:
    error = error_of(GOOD.replace(POLYGON, corners))
    assert error.startswith("site.yaml:13:5: zones.0.polygon_m: ")
    assert expected in error


@pytest.mark.parametrize(
    "corners",
    [
        "[[0, 0], [0, 2], [2, 2], [2, 0]]",
        "[[0, 0], [1, 0], [2, 0], [2, 2], [0, 2]]",
        "[[0, 0], [4, 0], [4, 4], [2, 1], [0, 4]]",
    ],
)
def test_a_zone_may_turn_either_way_bend_inwards_and_have_corners_on_an_edge(corners: str) -> None:
    assert len(parse(GOOD.replace(POLYGON, corners)).zones[0].polygon_m) >= 4


STRIP = GOOD.replace(
    "rig:\n  mount: {xyz_m: [0, 0, 2.5]}",
    "rig:\n  kind: strip\n  poses: [{camera: cam1, xyz_m: [0, 0, 2.5]}]",
)


def test_a_strip_rig_may_be_drawn_surveyed_or_marked() -> None:
    assert parse(STRIP).rig.poses[0].camera == "cam1"
    tag = "{id: 3, corners_m: [[1, 2, 2], [1.2, 2, 2], [1.2, 2, 1.8], [1, 2, 1.8]]}"
    marked = STRIP.replace(
        "poses: [{camera: cam1, xyz_m: [0, 0, 2.5]}]", f"markers: {{tags: [{tag}]}}"
    )
    assert parse(marked).rig.markers.by_id()[3].corners_m[0] == (1, 2, 2)  # type: ignore[union-attr]
    twice = marked.replace(f"[{tag}]", f"[{tag}, {tag}]")
    assert "marker 3 is given twice" in error_of(twice)
    assert "a strip rig hangs in several places" in error_of(
        STRIP.replace("kind: strip\n", "kind: strip\n  mount: {xyz_m: [0, 0, 2]}\n")
    )
    assert "not anchored" in error_of(STRIP.replace("[{camera: cam1, xyz_m: [0, 0, 2.5]}]", "[]"))
    assert "a rotation rig hangs in one place" in error_of(
        STRIP.replace("kind: strip", "kind: rotation\n  mount: {xyz_m: [0, 0, 2]}")
    )
    assert "rig.poses.0.camera: 'cam9' is not" in error_of(
        STRIP.replace("camera: cam1", "camera: cam9")
    )


@pytest.mark.parametrize(
    ("surface", "expected"),
    [
        ("{wall: middle}", "panorama.surface.wall"),
        ("{chainage_m: [20, 10]}", "the lower chainage first"),
        ("{section_m: [[2, 2], [2, 2]]}", "corners 0 and 1 are the same"),
        ("{section_m: [[2, 2]]}", "section_m"),
        ("{walls: both}", "did you mean wall?"),
    ],
)
def test_a_surface_that_makes_no_sense_is_named(surface: str, expected: str) -> None:
    assert expected in error_of(STRIP + f"panorama: {{surface: {surface}}}\n")


def test_a_lens_too_wide_for_its_model_is_refused() -> None:
    text = STRIP.replace("  poses:", "  lens: {model: brown, hfov_deg: 150}\n  poses:")
    assert "give fisheye" in error_of(text)


def test_limits_that_would_let_alarms_flap_are_refused() -> None:
    limits = """\
limits:
  zone: {enter_probability: 0.5, leave_probability: 0.8}
  man_down: {height_m: 1.0, up_height_m: 0.5}
"""
    lines = error_of(GOOD + limits).splitlines()
    assert lines[0].startswith(
        "site.yaml:15:3: limits.zone: leave_probability (0.8) must be below enter_probability (0.5)"
    )
    assert lines[1].startswith(
        "site.yaml:16:3: limits.man_down: up_height_m (0.5) must be above height_m (1)"
    )


def test_of_endless_mistakes_only_the_first_are_told() -> None:
    lines = error_of(GOOD.replace("cameras:\n", "cameras:\n" + "  - 0\n" * 999)).splitlines()
    assert len(lines) == 31
    assert lines[0].startswith("site.yaml:5:5: cameras.0: give fields, each as `name: value`")
    assert lines[-1] == "site.yaml: and 969 mistakes more"


def test_a_floor_leads_somewhere() -> None:
    error = error_of(GOOD.replace("[[0, 0, 0], [40, 0, 0.4]]", "[[0, 0, 0], [0, 0, 1]]"))
    assert error.startswith("site.yaml:10:3: floor.centre_line_m: all its points are one in plan")


def test_names_are_unique_and_survey_points_belong_to_a_camera() -> None:
    twice = GOOD.replace("rig:", "  - {name: cam1, url: rtsp://b/1}\nrig:")
    assert error_of(twice).startswith(
        "site.yaml:7:6: cameras.1.name: the name 'cam1' is given twice, first as cameras.0.name;"
    )
    foreign = GOOD.replace(
        "rig:", "rig:\n  survey_points: [{camera: cam9, pixel: [1, 2], mine_m: [1, 2, 3]}]"
    )
    assert error_of(foreign) == (
        "site.yaml:8:20: rig.survey_points.0.camera: 'cam9' is not one of cam1"
    )


def test_what_does_not_fit_together_comes_at_once_too() -> None:
    text = GOOD.replace(
        "rig:",
        "rig:\n  survey_points: [{camera: cam8, pixel: [1, 2], mine_m: [1, 2, 3]}]",
    )
    text += "  - {name: cabinet, polygon_m: [[180, 1], [190, 1], [190, 2]]}\n"
    text += "detection: {tiles: {cameras: [cam9]}}\n"
    assert [line.split(": ")[1] for line in error_of(text).splitlines()] == [
        "rig.survey_points.0.camera",
        "zones.1.name",
        "zones.1.polygon_m",
        "detection.tiles.cameras.0",
    ]


def test_what_is_no_path_comes_together_with_the_others() -> None:
    text = GOOD.replace("rig:", "rig:\n  file: [rig.yaml]")
    assert text != GOOD
    text += "detection: {tiles: {cameras: [cam9]}}\n"
    lines = error_of(text).splitlines()
    assert [line.split(": ")[1] for line in lines] == ["rig.file", "detection.tiles.cameras.0"]
    assert "give the path of a file" in lines[0]


@pytest.mark.parametrize(
    ("polygon", "off_m"),
    [
        ("[[180, -2], [200, -2], [200, 2], [180, 2]]", "140.0"),
        ("[[10, 12.5], [14, 12.5], [14, 14]]", "10.0"),
        ("[[-9, -1], [-2, -1], [-2, 1]]", "2.0"),
    ],
)
def test_a_zone_where_nobody_is_ever_found_is_a_mistake(polygon: str, off_m: str) -> None:
    error = error_of(GOOD.replace(POLYGON, polygon))
    assert error.startswith(f"site.yaml:13:5: zones.0.polygon_m: the zone lies {off_m} m beyond")
    follows = GOOD.replace(POLYGON, f"{polygon}\n    follows: loader")
    assert parse(follows).zones, "a machine may carry it onto the floor"
    text = GOOD.replace(POLYGON, polygon)
    assert parse_site(text, name="r", folder=Path(), check_files=False).zones, "as recorded"


@pytest.mark.parametrize(
    "polygon",
    [
        "[[-100, -50], [100, -50], [100, 50], [-100, 50]]",
        "[[39.9, -50], [39.95, -50], [39.95, 50], [39.9, 50]]",
        "[[10, 2.7], [12, 2.7], [12, 4]]",
    ],
)
def test_a_zone_may_hold_the_floor_cross_it_or_lie_close_beside_it(polygon: str) -> None:
    assert parse(GOOD.replace(POLYGON, polygon)).zones


def test_a_gate_that_nobody_can_pass_is_a_mistake() -> None:
    gate = "gates: [{{name: g, line_m: [[{x}, -2.5], [{x}, 2.5]], way: to_left}}]\n"
    error = error_of(GOOD + gate.format(x=1800))
    assert "gates.0.line_m: the gate lies 1760.0 m beyond the floor (chainage 0 to 40 m)" in error
    assert parse(GOOD + gate.format(x=18)).gates


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("[2, 1]", "[2]", "zones.0.polygon_m.1.1: is missing; it must be given"),
        ("[[1, 1], [2, 1], [2, 2]]", "[[1, 1], [2, 1]]", "give at least 3, not 2; given: [[1, 1]"),
        ("[[1, 1], [2, 1], [2, 2]]", "wide", "give a list, e.g. [1, 2]; given: 'wide'"),
        ("[2, 1]", "[2, wide]", "give a number; given: 'wide'"),
        ("[2, 1]", "[2, 10000000.5]", "give a number of at most 1000000; given: 10000000.5"),
        ("url: rtsp", "transport: tpc\n    url: rtsp", "give 'tcp' or 'udp'; given: 'tpc'"),
        ("version: 1", "version: 2", "version: give 1; given: 2"),
        ("name: cabinet", "name: 7", "give a text; given: 7"),
        ("gateway: gw1", "gateway: gw1\nmetrics: {port: a}", "metrics.port: give a whole number"),
        ("gateway: gw1", "gateway: gw1\nbroker: {url: b}", "give mqtt://host:port or mqtts://"),
    ],
)
def test_mistakes_are_told_in_plain_words(before: str, after: str, words: str) -> None:
    error = error_of(GOOD.replace(before, after))
    assert words in error
    for word in ("Input", "String", "Tuple", "pattern", "validation"):
        assert word not in error


def test_a_file_that_cannot_be_read_is_told_without_numbers(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match=r"can't be read: Is a directory$"):
        load_site(tmp_path)
    (tmp_path / "site.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(SiteError, match="it is no text"):
        load_site(tmp_path / "site.yaml")


@pytest.mark.parametrize("text", ["", "- 1", "version: 1", "\x00", "a: &a [*a]", "{" * 5000])
def test_junk_gives_one_clear_error(text: str) -> None:
    assert error_of(text).startswith("site.yaml:")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match="there is no such site file"):
        load_site(tmp_path / "site.yaml")


def test_a_recording_is_judged_where_the_cameras_are_not() -> None:
    text = GOOD.replace("url: rtsp://10.0.0.1/main", "url: nowhere.mp4")
    site = parse_site(text, name="recording", folder=Path(), check_files=False)
    assert site.cameras[0].url == "nowhere.mp4"


def test_tiles_are_for_cameras_that_there_are() -> None:
    assert parse(GOOD + "detection: {tiles: {cameras: [cam1]}}\n").detection.tiles
    assert "detection.tiles.cameras.0: 'cam9' is not one of cam1" in error_of(
        GOOD + "detection: {tiles: {cameras: [cam9]}}\n"
    )


# ---- zones, gates and limits ----


def zone(fields: str) -> str:
    return GOOD.replace("name: cabinet", f"name: cabinet\n    {fields}")


def test_a_zone_says_when_whom_and_how_many() -> None:
    site = parse(
        zone("kind: danger\n    hours: ['22:00-06:00']\n    exempt: [Li]\n    capacity: 2")
    )
    assert site.zones[0].hours == ("22:00-06:00",)
    assert (site.zones[0].exempt, site.zones[0].capacity) == (("Li",), 2)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("hours: ['22 to 6']", "zones.0.hours.0: '22 to 6' are no hours; give e.g. 22:00-06:00"),
        ("hours: ['06:00-06:00']", "are no hours"),
        ("kind: area\n    hours: ['22:00-06:00']", "hours and exempt go with kind: restricted"),
        ("kind: area\n    exempt: [Li]", "hours and exempt go with kind: restricted"),
        ("capacity: -1", "zones.0.capacity"),
        ("longest_s: 0", "zones.0.longest_s"),
        ("follows: 'the/loco'", "zones.0.follows"),
        ("kind: hole", "zones.0.kind"),
    ],
)
def test_a_zone_that_makes_no_sense_is_named(fields: str, expected: str) -> None:
    assert expected in error_of(zone(fields))


GATE = "gates: [{name: door, line_m: [[1, -2], [1, 2]], way: to_left}]\n"


@pytest.mark.parametrize(
    "name", ["泵房", "2号变电所（南）", "pump room 2", "Насосная", "a-", "a" * 64]
)
def test_zones_may_be_called_as_people_call_them(name: str) -> None:
    assert parse(GOOD.replace("name: cabinet", f"name: {name}")).zones[0].name == name


@pytest.mark.parametrize(
    "name", ["a/b", "a+b", "a#b", "a; b", "a: b", "a, b", "-a", "a ", "", "a" * 65]
)
def test_what_could_be_no_part_of_a_topic_or_a_sentence_is_no_zones_name(name: str) -> None:
    error = error_of(GOOD.replace("name: cabinet", f"name: '{name}'"))
    assert "zones.0.name: give up to 64 letters of any script" in error


def test_gateways_and_cameras_keep_plain_names() -> None:
    assert "gateway: give up to 64 letters (A-Z" in error_of(
        GOOD.replace("gateway: gw1", "gateway: 泵房")
    )


def test_a_full_width_sign_is_named_where_it_stands() -> None:
    error = error_of(GOOD.replace("zones:", "# 注：，\nzones："))
    line = GOOD[: GOOD.index("zones:")].count("\n") + 2
    assert f"site.yaml:{line}:6: here stands the full-width sign '：'; YAML wants ':'" in error
    assert error.count("full-width") == 1, "comments may have them"


def test_a_gate_is_a_line_with_a_way() -> None:
    assert parse(GOOD + GATE).gates[0].severity == "warning"
    point = GATE.replace("[1, 2]", "[1, -2]")
    assert "gates.0.line_m: both ends are the same point" in error_of(GOOD + point)
    assert "gates.0.way" in error_of(GOOD + GATE.replace("to_left", "left"))
    twice = GATE.replace("}]", "}, {name: door, line_m: [[2, 0], [2, 1]], way: to_right}]")
    assert "gates.1.name: the name 'door' is given twice" in error_of(GOOD + twice)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ("danger: {enter_probability: 0.1}", "limits.danger: leave_probability (0.2)"),
        ("capacity: {probability: 0.1}", "limits.capacity: clear_probability (0.1) must be below"),
        ("time_zone: Shanghai", "limits.time_zone: 'Shanghai' is no time zone; give e.g. Asia/"),
        ("time_zone: '+8'", "limits.time_zone: '+8' is no time zone"),
        ("time_zone: ../UTC", "is no time zone"),
        ("lost: {after_s: 0}", "limits.lost.after_s"),
    ],
)
def test_a_limit_that_makes_no_sense_is_named(limits: str, expected: str) -> None:
    assert expected in error_of(GOOD + f"limits: {{{limits}}}\n")


def test_limits_may_be_switched_off() -> None:
    limits = parse(GOOD + "limits: {immobile: null, lost: null, time_zone: '+08:00'}\n").limits
    assert (limits.immobile, limits.lost, limits.time_zone) == (None, None, "+08:00")


EVENTS = sorted((SAMPLES / "scenes" / "events").glob("*.yaml"))


@pytest.mark.parametrize("scene", EVENTS, ids=lambda path: path.stem)
def test_the_event_clips_site_files_are_what_the_generator_writes(scene: Path) -> None:
    points = json.loads((SAMPLES / "events/quiet/survey_points.json").read_text(encoding="utf-8"))
    about = scene.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
    shipped = SAMPLES / "events" / scene.stem / "site.yaml"
    assert shipped.read_text(encoding="utf-8") == event_site(load_scene(scene), about, points)
    load_site(shipped)


def test_the_longwalls_danger_goes_with_its_shearer() -> None:
    [zone] = load_site(SAMPLES / "longwall" / "site.yaml").zones
    assert (zone.kind, zone.follows) == ("danger", SHEARER)
    assert [list(corner) for corner in zone.polygon_m] == shearer_corners_m(1.6)


def test_what_can_not_be_printed_is_not_in_an_error() -> None:
    text = '{"version": 1, "si\\u200bte": "a", "gate\\u0007way": "b"}'
    with pytest.raises(SiteError) as told:
        parse_site(text, name="site.yaml", folder=Path())
    assert "si?te: not a field; did you mean site?" in str(told.value)
    assert all(letter.isprintable() or letter == "\n" for letter in str(told.value))
