"""`lamproom calibrate` end to end: what it writes, keeps and says, and how it fails."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge.calibrate import say_listening
from edge.calibration.made_for import maker_of
from edge.main import main
from scene.rig import load_rig
from scene.rig_history import former_ids, roll_back
from scene.site import load_site
from tests.delivery.parts import SITE
from tests.edge.calibration.sites import changed, write_site
from tests.stitching.views import camera, fan

LIMIT_S = 120


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A site that is calibrated, and what was said."""
    site = write_site(tmp_path_factory.mktemp("mine"))
    code, said = lamproom("calibrate", site)
    assert code == 0, said
    return site, said


def lamproom(*words: str | Path) -> tuple[int, str]:
    ended = subprocess.run(
        [sys.executable, "-m", "edge.main", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_S,
        check=False,
        env=os.environ | {"COLUMNS": "100"},
    )
    assert "Traceback" not in ended.stdout
    return ended.returncode, ended.stdout


def test_it_says_in_short_how_good_the_rig_is_and_where_to_read_on(
    calibrated: tuple[Path, str],
) -> None:
    site, said = calibrated
    folder = site.parent
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    rig = load_rig(folder / "rig.yaml")
    assert lines[0] == (f"{folder / 'rig.yaml'}: 3 cameras, anchored by survey, geometry {rig.id}")
    assert lines[1].startswith("Good. 3/3 cameras are registered")
    assert (
        " ".join(lines[2].split())
        == "camera matches points worst px worst cm place cm floor 6 m cm"
    )
    assert [line.split()[0] for line in lines[4:7]] == ["left", "middle", "right"]
    assert lines[-1] == f"report: {folder / 'rig.report.html'}"
    assert (folder / "rig.report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert sorted(path.name for path in folder.iterdir() if path.is_file()) == [
        "painted.yaml",
        "rig.report.html",
        "rig.yaml",
    ]


def test_the_same_pictures_give_the_same_files_byte_for_byte(
    calibrated: tuple[Path, str],
) -> None:
    folder = calibrated[0].parent
    names = ("rig.yaml", "rig.report.html")
    before = [(folder / name).read_bytes() for name in names]
    code, said = lamproom("calibrate", calibrated[0])
    assert code == 0, said
    assert [(folder / name).read_bytes() for name in names] == before
    assert not (folder / "rig.history").exists()


def test_the_report_goes_where_it_is_told_or_nowhere(
    calibrated: tuple[Path, str], tmp_path: Path
) -> None:
    words = ["calibrate", str(calibrated[0]), "--out", str(tmp_path / "new.yaml")]
    assert main([*words, "--report", str(tmp_path / "other.html")]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "new.references",
        "new.yaml",
        "other.html",
    ]
    other = tmp_path / "other.html"
    assert other.read_bytes() == (calibrated[0].parent / "rig.report.html").read_bytes()
    other.unlink()
    assert main([*words, "--no-report"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.references", "new.yaml"]


def test_a_former_rig_is_kept_and_can_be_put_back(tmp_path: Path) -> None:
    site = write_site(tmp_path)
    rig = tmp_path / "rig.yaml"
    assert main(["calibrate", str(site), "--no-report"]) == 0
    first, made = load_rig(rig).id, maker_of(rig)

    def corrected(content: dict[str, Any]) -> None:
        content["rig"]["survey_points"][3]["mine_m"][0] += 0.01

    changed(site, corrected)
    assert main(["calibrate", str(site), "--no-report"]) == 0
    second = load_rig(rig).id
    assert second != first and former_ids(rig) == (first,)
    assert maker_of(rig)["survey"] != made["survey"]
    assert {**maker_of(rig), "survey": ""} == {**made, "survey": ""}
    once = rig.read_bytes()
    assert main(["calibrate", str(site), "--no-report"]) == 0
    assert rig.read_bytes() == once
    assert roll_back(rig) == (second, first)
    assert maker_of(rig) == made


def test_a_camera_that_can_not_be_registered_is_named_and_nothing_is_written(
    tmp_path: Path,
) -> None:
    site = write_site(tmp_path, [*fan()[:2], camera("attic", 180.0, -5.0)])

    def without_points(content: dict[str, Any]) -> None:
        points = content["rig"]["survey_points"]
        content["rig"]["survey_points"] = [p for p in points if p["camera"] != "attic"]

    changed(site, without_points)
    code, said = lamproom("calibrate", site)
    assert code == 2
    error = [line for line in said.splitlines() if line.strip()]
    assert len(error) == 1
    assert error[0].startswith("lamproom calibrate: camera attic: can't be registered")
    assert "overlaps a neighbour" in error[0]
    assert not list(tmp_path.glob("rig.*"))


def test_a_weak_survey_is_said_in_the_terminal_and_in_the_report(tmp_path: Path) -> None:
    """Four points in all, on the left camera's upper half: it works, but nothing checks them."""
    site = write_site(tmp_path)

    def few(content: dict[str, Any]) -> None:
        content["rig"]["survey_points"] = content["rig"]["survey_points"][:4]

    changed(site, few)
    code, said = lamproom("calibrate", site)
    assert code == 0
    assert "amber: Surveyed points 4" in said
    assert "- left has only 4 survey points: add 2" in said
    assert "leave the lower part of its picture empty" in said
    report = (tmp_path / "rig.report.html").read_text(encoding="utf-8")
    assert "left has only 4 survey points: add 2" in report
    assert "left 仅有 4 个测量点" in report


def test_a_point_that_misses_is_named(tmp_path: Path) -> None:
    site = write_site(tmp_path)

    def misclicked(content: dict[str, Any]) -> None:
        content["rig"]["survey_points"][9]["pixel"][1] += 6.5

    changed(site, misclicked)
    code, said = lamproom("calibrate", site)
    assert code == 0
    assert "- rig.survey_points.9 (middle" in said


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--report", "{folder}/nowhere/r.html"], "there is no folder {folder}/nowhere"),
        (["--report", "{folder}/left"], "{folder}/left: is a folder; give another file with --rep"),
        (["--report", "{folder}/rig.yaml"], "{folder}/rig.yaml: is the rig file itself"),
        (["--report", "{site}/r.html"], "there is no folder {site}"),
        (["--out", "{folder}/left"], "is a folder; give another file with --out"),
        (["--report", "x.html", "--no-report"], "not allowed with argument"),
    ],
)
def test_a_place_that_can_not_be_is_said_before_any_work(
    calibrated: tuple[Path, str], words: list[str], expected: str
) -> None:
    places = {"site": str(calibrated[0]), "folder": str(calibrated[0].parent)}
    before = (calibrated[0].parent / "rig.yaml").read_bytes()
    code, said = lamproom("calibrate", calibrated[0], *(word.format(**places) for word in words))
    assert code == 2
    assert expected.format(**places) in said
    assert (calibrated[0].parent / "rig.yaml").read_bytes() == before


def test_a_report_that_can_not_replace_the_old_one_leaves_the_rig_written(
    tmp_path: Path,
) -> None:
    site = write_site(tmp_path)
    report = tmp_path / ("r" * 250)  # no disk takes the longer name that it has at first
    code, said = lamproom("calibrate", site, "--report", report)
    assert code == 2
    assert [line for line in said.splitlines() if line.strip()] == [
        f"lamproom calibrate: {report}: the report can't be written: File name too long; the rig "
        "file is written; give another file with --report, or --no-report"
    ]
    assert load_rig(tmp_path / "rig.yaml").cameras[0].name == "left"


def test_the_rig_of_another_site_is_kept_and_the_mix_up_is_said(tmp_path: Path) -> None:
    north = write_site(tmp_path, name="north")
    assert main(["calibrate", str(north), "--no-report"]) == 0
    first = load_rig(tmp_path / "rig.yaml").id
    south = write_site(tmp_path, fan()[:2], name="south")
    code, said = lamproom("calibrate", south, "--no-report")
    assert code == 0
    assert "rig.yaml was the rig of site north" in said
    assert f"kept as {tmp_path}/rig.history/{first}.yaml" in said
    assert yaml.safe_load((tmp_path / "rig.yaml").read_text())["made_for"]["site"] == "south"


def poorly_surveyed(content: dict[str, Any]) -> None:
    content["rig"]["survey_sigma_m"] = 0.6


def test_a_red_rig_does_not_replace_the_one_in_force_unless_it_is_accepted(tmp_path: Path) -> None:
    site = write_site(tmp_path)
    assert main(["calibrate", str(site)]) == 0
    kept = ("rig.yaml", "rig.report.html", "rig.references")

    def content(name: str) -> dict[str, bytes]:
        path = tmp_path / name
        files = [path] if path.is_file() else sorted(path.iterdir())
        return {file.name: file.read_bytes() for file in files}

    before = {name: content(name) for name in kept}
    changed(site, poorly_surveyed)
    code, said = lamproom("calibrate", site)
    assert code == 1
    assert {name: content(name) for name in kept} == before
    assert not (tmp_path / "rig.history").exists()
    rejected = tmp_path / "rig.rejected.yaml"
    assert f"{tmp_path}/rig.yaml stays in force" in said and f"written to {rejected}" in said
    assert maker_of(rejected)["site"] == "painted"
    assert (tmp_path / "rig.rejected.report.html").exists()

    assert main(["calibrate", str(site), "--accept", "--no-report"]) == 0
    assert load_rig(tmp_path / "rig.yaml").quality == load_rig(rejected).quality
    assert maker_of(tmp_path / "rig.yaml") == maker_of(rejected)


def test_a_first_rig_that_is_red_is_written_and_warned_of(tmp_path: Path) -> None:
    site = write_site(tmp_path)
    changed(site, poorly_surveyed)
    code, said = lamproom("calibrate", site, "--no-report")
    assert code == 1
    assert f"warning: {tmp_path}/rig.yaml is in force, though its verdict is red" in said
    assert load_rig(tmp_path / "rig.yaml").anchor == "survey"
    assert not (tmp_path / "rig.rejected.yaml").exists()


def test_a_marker_that_no_picture_shows_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = write_site(tmp_path)

    def with_marker(content: dict[str, Any]) -> None:
        corners = [[1, 2, 2], [1.2, 2, 2], [1.2, 2, 1.8], [1, 2, 1.8]]
        content["rig"]["markers"] = {"tags": [{"id": 7, "corners_m": corners}]}

    changed(site, with_marker)
    assert main(["calibrate", str(site), "--no-report"]) == 0
    assert "markers 7 were found in no picture" in capsys.readouterr().out


def test_who_waits_for_real_cameras_is_told_how_long(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(SITE, encoding="utf-8")
    site = load_site(file)
    say_listening(site, 10, 25)
    said = capsys.readouterr().out
    live = sum(one.url.startswith("rtsp") for one in site.cameras)
    assert said.startswith(f"listening to {live} camera")
    assert f"for about {live * 22.6:.0f} s (10 pictures of each" in said
    files = [one.model_copy(update={"url": str(tmp_path)}) for one in site.cameras]
    say_listening(site.model_copy(update={"cameras": tuple(files)}), 10, 25)
    assert capsys.readouterr().out == ""


def test_a_camera_that_can_not_be_reached_is_said_with_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = write_site(tmp_path)
    changed(site, lambda content: content["cameras"][1].update(url="rtsp://u:pw@127.0.0.1:9/main"))
    assert main(["calibrate", str(site)]) == 2
    said = capsys.readouterr().err
    assert "rtsp://127.0.0.1:9/main: can't connect" in said and "pw" not in said.split("cameras")[0]
    assert "check its address and password (cameras.url)" in said
    assert "`lamproom doctor SITE`" in said
    assert not (tmp_path / "rig.yaml").exists()


def test_two_swapped_addresses_are_the_first_thing_it_asks_about(tmp_path: Path) -> None:
    site = write_site(tmp_path)

    def swap(content: dict[str, Any]) -> None:
        first, *_, last = content["cameras"]
        first["url"], last["url"] = last["url"], first["url"]

    changed(site, swap)
    code, said = lamproom("calibrate", site, "--no-report")
    assert code != 0
    assert "check that no two cameras have each other's url" in " ".join(said.split())
