"""What another site file says otherwise is listed, and nothing else."""

from pathlib import Path

from edge.rerun_otherwise import MOST_LINES, differences_of
from edge.rerun_pipeline import TAKEN_FROM_SITE
from scene.site import Site, parse_site

TEXT = """
version: 1
site: s
gateway: g
cameras: [{name: cam1, url: "rtsp://user:secret@c/1"}]
rig: {mount: {xyz_m: [20, -2, 2.5]}}
floor: {centre_line_m: [[0, 0, 0], [40, 0, 0]]}
"""
ZONE = "{name: %s, kind: restricted, polygon_m: [[1, 0], [3, 0], [3, %s], [1, 1]]}"


def site(more: str = "", text: str = TEXT) -> Site:
    return parse_site(text + more, name="site.yaml", folder=Path("/"), check_files=False)


def taken(was: Site, now: Site) -> list[str]:
    return differences_of(was, now, TAKEN_FROM_SITE)


def test_nothing_else_is_told_of_the_same_file() -> None:
    one = f"zones: [{ZONE % ('a', 1)}]\nlimits: {{man_down: {{after_s: 3}}}}\n"
    assert taken(site(one), site(one)) == []


def test_a_limit_that_is_another_is_told_with_both_values() -> None:
    lines = taken(site(), site("limits: {camera: {usual_light: 0.2}}\n"))
    assert lines == ["limits.camera.usual_light: 0.55 became 0.2"]


def test_zones_are_known_by_their_names() -> None:
    was = site(f"zones: [{ZONE % ('a', 1)}, {ZONE % ('b', 1)}]\n")
    now = site(f"zones: [{ZONE % ('b', 1.5)}, {ZONE % ('c', 1)}]\n")
    gone, moved, new = taken(was, now)
    assert (gone, new) == ("zones.a: gone", "zones.c: new")
    assert moved.startswith("zones.b.polygon_m: [[1.0, 0.0], ")
    assert taken(site(), site(f"zones: [{ZONE % ('a', 1)}]\n")) == ["zones.a: new"]
    assert taken(site(f"zones: [{ZONE % ('a', 1)}]\n"), site()) == ["zones.a: gone"]


def test_what_is_not_taken_is_found_in_its_own_section_only() -> None:
    moved = site(text=TEXT.replace("[20, -2, 2.5]", "[21, -2, 2.5]"))
    assert taken(site(), moved) == []
    assert differences_of(site(), moved, ("floor",)) == []
    (line,) = differences_of(site(), moved, ("rig",))
    assert line.startswith("rig.mount.xyz_m: ")


def test_no_password_is_told_and_the_list_ends() -> None:
    other = site(text=TEXT.replace("secret", "other"))
    assert differences_of(site(), other, ("cameras",)) == []
    many = ", ".join(ZONE % (f"z{number}", 1) for number in range(MOST_LINES + 5))
    lines = taken(site(), site(f"zones: [{many}]\n"))
    assert len(lines) == MOST_LINES + 1
    assert lines[-1] == "… and 5 more"
