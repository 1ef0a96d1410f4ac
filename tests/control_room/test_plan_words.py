from dataclasses import replace

import pytest

from control_room.plan_words import plan_words
from tests.control_room.fake_gateway import description

YAML = """
zones:
  - {name: bay, kind: area, capacity: 4, polygon_m: [[2, -2], [8, -2], [8, 2], [2, 2]]}
  - {name: crossed, polygon_m: [[0, 0], [1, 1], [1, 0], [0, 1]]}
  - {name: round, kind: danger, follows: shearer, polygon_m: [[-1, -1], [4, -1], [4, 1]]}
gates:
  - {name: in, line_m: [[20, -2.5], [20, 2.5]], way: to_left}
  - {name: nowhere, line_m: [[1, 1], [1, 1]], way: to_left}
limits: {danger: {place_age_s: 2}}
of_a_newer_version: {x: 1}
"""


def test_what_can_be_read_is_given_and_the_rest_left_out() -> None:
    words = plan_words(replace(description(), site_yaml=YAML))
    assert [zone["name"] for zone in words["following"]] == ["round"]
    assert words["following"][0]["machine"] == "shearer"
    assert [gate["name"] for gate in words["gates"]] == ["in"]
    assert set(words["zones"]) == {"bay", "round"}
    assert words["zones"]["bay"]["capacity"] == 4
    assert words["place_age_s"] == 2


@pytest.mark.parametrize(
    "text",
    ["", "- a", "zones: 5", "zones: [1, null]", "gates: {a: 1}", "limits: [1]", "{", "[" * 50_000],
)
def test_text_that_is_no_site_file_gives_nothing(text: str) -> None:
    words = plan_words(replace(description(), site_yaml=text))
    assert words == {"zones": {}, "following": [], "gates": [], "place_age_s": 3.0}
