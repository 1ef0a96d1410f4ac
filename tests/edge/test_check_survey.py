"""`lamproom check` finds survey points that can't be right, all at once."""

from pathlib import Path
from typing import Any

import pytest

from edge.check_survey import survey_mistakes
from edge.main import main
from scene.site import Site, load_site
from tests.sample_site import SAMPLES

SIZES = {f"cam{number}": (1280, 720) for number in range(1, 7)}


def longwall(**points: Any) -> Site:
    site = load_site(SAMPLES / "longwall" / "site.yaml")
    changed = [
        point.model_copy(update=points.get(f"point_{number}", {}))
        for number, point in enumerate(site.rig.survey_points)
    ]
    kept = tuple(changed[: points.get("keep", len(changed))])
    return site.model_copy(update={"rig": site.rig.model_copy(update={"survey_points": kept})})


def test_the_sample_sites_have_none() -> None:
    for name in ("roadway", "longwall", "crossing"):
        assert survey_mistakes(load_site(SAMPLES / name / "site.yaml"), SIZES) == []


def test_another_unit_and_a_slip_are_named() -> None:
    x, y, z = longwall().rig.survey_points[3].mine_m
    slips = {
        "point_3": {"mine_m": (100 * x, 100 * y, 100 * z)},
        "point_9": {"mine_m": (10.0, 1.5, 23.0)},
        "point_20": {"pixel": (1500.0, 300.0)},
    }
    found = survey_mistakes(longwall(**slips), SIZES)
    assert len(found) == 3
    assert "rig.survey_points.3 (camera cam1)" in found[0] and "metres" in found[0]
    assert "rig.survey_points.9 (camera cam2)" in found[1] and "m up" in found[1]
    assert "rig.survey_points.20 (camera cam3)" in found[2] and "1280 x 720" in found[2]


def test_every_camera_of_a_strip_that_nothing_places_is_named() -> None:
    found = survey_mistakes(longwall(keep=35), SIZES)
    assert [text.split(":")[0] for text in found] == ["camera cam5", "camera cam6"]
    assert "3 survey points" in found[0]


def test_the_command_tells_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (SAMPLES / "longwall" / "site.yaml").read_text(encoding="utf-8")
    for number in range(1, 7):
        (tmp_path / f"cam{number}.mp4").symlink_to(SAMPLES / "longwall" / f"cam{number}.mp4")
    slip = text.replace("mine_m: [4.926, 4.36, 2.23]", "mine_m: [4926, 4360, 2230]")
    assert slip != text
    (tmp_path / "site.yaml").write_text(slip, encoding="utf-8")
    assert main(["check", str(tmp_path / "site.yaml")]) == 1
    said = capsys.readouterr().out
    assert "FAIL  survey: rig.survey_points.0 (camera cam1): 4926, 4360, 2230 lies" in said
