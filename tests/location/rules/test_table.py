"""The table of rules, the table of alarms and the document for the people of a mine agree."""

import re
from pathlib import Path

import pytest

from location.rules.table import KINDS, rules
from scene.alarms import ALARMS
from tests.location.rules.story import site, square

DOCUMENT = Path(__file__).parents[3] / "docs" / "alarms.md"
TAGS = {"person_without_tag", "tag_without_person", "two_tags"}
"""People's alarms that come from the comparison with tags."""


def rows() -> dict[str, list[str]]:
    """Read the document's table: cells by kind."""
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "|" in line]
    return {row[0].strip("`"): row for row in cells if re.fullmatch(r"`[a-z_]+`", row[0])}


def test_every_kind_about_people_has_its_rules() -> None:
    assert set(KINDS) | TAGS == {kind for kind, row in ALARMS.items() if row.about == "person"}


def test_every_kind_is_in_the_document_as_it_is() -> None:
    assert rows().keys() == ALARMS.keys()
    for kind, cells in rows().items():
        assert ALARMS[kind].english in cells[1]
        assert cells[3].startswith(ALARMS[kind].severity)
        assert ("until acknowledged" in cells[4]) == ALARMS[kind].latched


def test_a_site_has_the_rules_that_it_asks_for() -> None:
    plain = {rule.kind for rule in rules(site(""))}
    assert plain == {"man_down", "immobile", "worker_lost"}
    off = {rule.kind for rule in rules(site("limits: {immobile: null, lost: null}\n"))}
    assert off == {"man_down"}
    asked = site(
        f"zones: [{{name: bay, kind: area, capacity: 3, longest_s: 60, lone_after_s: 0, "
        f"polygon_m: {square(20)}}}]\nlimits: {{helmet: {{}}}}\n"
    )
    assert {rule.kind for rule in rules(asked)} - plain == {
        "over_capacity",
        "over_time",
        "lone_worker",
        "helmet_missing",
    }


@pytest.mark.parametrize(("lost_s", "stalled_s", "wanted_s"), [(15, 2, 15.0), (1, 2, 3.5)])
def test_nobody_is_lost_before_a_dead_camera_is_known_to_be_dead(
    lost_s: int, stalled_s: int, wanted_s: float
) -> None:
    limits = f"limits: {{lost: {{after_s: {lost_s}}}, camera: {{stalled_after_s: {stalled_s}}}}}\n"
    [rule] = [rule for rule in rules(site(limits)) if rule.kind == "worker_lost"]
    assert rule.raise_after_s == wanted_s
