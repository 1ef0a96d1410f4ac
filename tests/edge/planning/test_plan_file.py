"""Plan files: what is refused, with its place."""

from pathlib import Path

import pytest

from edge.planning.file import load_plan, parse_plan
from scene.errors import SiteError

PLAN = """\
version: 1
name: gate
floor: {centre_line_m: [[0, 0, 0], [40, 0, 0.8]], left_m: 2.4, right_m: 2.4}
height_m: 2.8
lenses:
  - {name: wide, hfov_deg: 84}
  - {name: fish, hfov_deg: 140, size_px: [1920, 1080]}
mounts: {sides: [left, roof], height_m: 2.5}
no_mounts:
  - {along_m: [30, 34], sides: [left]}
obstacles:
  - {name: feed cabinet, along_m: [14, 16], across_m: [-2.4, -1.4], height_m: 1.6}
hung:
  - {name: cam1, chainage_m: 3, left_m: 2.1, height_m: 2.4, yaw_deg: 0, pitch_deg: -20, lens: fish}
"""


def test_a_whole_plan_is_read() -> None:
    plan = parse_plan(PLAN, name="gate.yaml", folder=Path())
    assert [lens.kind for lens in plan.lenses] == ["brown", "fisheye"]
    assert plan.obstacles[0].name == "feed cabinet"
    assert plan.line_m == pytest.approx((0.0, 40.0))
    assert plan.wishes.person_px > plan.wishes.lying_px > 0


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("obstacles:", "obstacels:", "gate.yaml:11:1: obstacels: not a field; did you mean obst"),
        ("along_m: [14, 16]", "along_m: [16, 14]", "gate.yaml:12:26: obstacles.0.along_m: give th"),
        ("hfov_deg: 84", "hfov_dge: 84", "lenses.0.hfov_dge: not a field; did you mean hfov_deg?"),
        ("hfov_deg: 84", "hfov_deg: 5", "lenses.0.hfov_deg: "),
        ("name: fish", "name: wide", "lenses: the name 'wide' is given twice"),
        ("lens: fish", "lens: tele", "hung: lens 'tele' is not one of wide, fish"),
        ("height_m: 2.5}", "height_m: 2.8}", "mounts.height_m (2.8) must be at most 2.65"),
        ("name: gate", "name: gate\nname: gate", "gate.yaml:3:1: name: is given twice"),
        ("name: gate", "stretch_m: [10, 50]", "stretch_m leaves the centre line, 0 to 40 m"),
        ("[40, 0, 0.8]", "[0, 0, 0.8]", "floor.centre_line_m: all its points are one in plan"),
        ("[[0, 0, 0], [40, 0, 0.8]]", "[[40, 0, 0], [0, 0, 0.8]]", "runs towards falling x; turn"),
        ("sides: [left]", "sides: [floor]", "no_mounts.0.sides.0: "),
        ("height_m: 1.6", "height_m: 1.6, bottom_m: 2", "bottom_m must be below height_m"),
        ("version: 1", "version: [", "not YAML"),
        (PLAN, "- 1\n", "starts with `version: 1`"),
    ],
)
def test_mistakes_are_told_with_their_place(before: str, after: str, expected: str) -> None:
    assert before in PLAN
    with pytest.raises(SiteError) as refused:
        parse_plan(PLAN.replace(before, after, 1), name="gate.yaml", folder=Path())
    assert expected in str(refused.value)
    assert str(refused.value).startswith("gate.yaml:")


def test_all_mistakes_come_at_once() -> None:
    text = PLAN.replace("hfov_deg: 84", "hfov_deg: 5").replace("height_m: 1.6", "height_m: -1")
    with pytest.raises(SiteError) as refused:
        parse_plan(text, name="gate.yaml", folder=Path())
    assert len(str(refused.value).splitlines()) == 2


def test_a_plan_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match="there is no such plan file"):
        load_plan(tmp_path / "gate.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SiteError, match="can't be read"):
        load_plan(tmp_path / "binary.yaml")
