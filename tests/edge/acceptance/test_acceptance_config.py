from pathlib import Path

import pytest

from scene.errors import SiteError
from scene.site import Site, parse_site

TEXT = """version: 1
site: s
gateway: g
cameras: [{name: cam1, url: "rtsp://c/1"}]
rig: {mount: {xyz_m: [20, -2, 2.5]}}
floor: {centre_line_m: [[0, 0, 0], [40, 0, 0]]}
"""


def site(section: str = "") -> Site:
    return parse_site(TEXT + section, name="site.yaml", folder=Path())


def test_limits_have_defaults_and_may_be_left_out() -> None:
    limits = site().acceptance
    assert (limits.false_share, limits.missed_share, limits.delay_s) == (0.05, 0.10, 2.0)
    assert site("acceptance: {delay_s: null, false_share: 0}\n").acceptance.delay_s is None


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("{missed: 0.1}", "site.yaml:7:14: acceptance.missed: not a field; did you mean missed_"),
        ("{missed_share: 10}", "acceptance.missed_share: give a number less than 1; given: 10"),
        ("{position_m: 0}", "acceptance.position_m: give a number greater than 0"),
        ("{delay_s: soon}", "acceptance.delay_s: give a number; given: 'soon'"),
        ("{coverage_m: [30, 10]}", "coverage_m: give the lower chainage first"),
        ("{coverage_m: [10, 60]}", "acceptance.coverage_m: 10 to 60 m reaches beyond the floor"),
        ("{certain: 7}", "acceptance.certain: give true or false"),
        ("[1]", "acceptance: give fields"),
    ],
)
def test_each_mistake_is_told_with_its_place(section: str, words: str) -> None:
    with pytest.raises(SiteError) as told:
        site(f"acceptance: {section}\n")
    assert words in str(told.value)
