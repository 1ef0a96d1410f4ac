"""`lamproom plan` from the command line to the report."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from scene.errors import LamproomError
from tests.edge.planning.plans import lamproom_plan
from tests.sample_site import FOLDER

GATE = """\
version: 1
name: gate <1>
floor: {centre_line_m: [[0, 0, 0], [10, 0, 0.3], [20, 2, 0.4]], left_m: 2.4, right_m: 2.4}
lenses: [{name: wide, hfov_deg: 84}]
obstacles:
  - {name: feed cabinet, along_m: [9, 11], across_m: [-2.4, -0.4], height_m: 2.0}
no_mounts: [{along_m: [12, 20.2], sides: [right]}]
wishes: {detector_width_px: 1280}
hung:
  - {name: cam1, chainage_m: 1, left_m: -1.0, height_m: 2.5, yaw_deg: 6, pitch_deg: -24}
"""
SVG = "{http://www.w3.org/2000/svg}"


def drawing(report: Path) -> ElementTree.Element:
    text = report.read_text(encoding="utf-8")
    return ElementTree.fromstring(text[text.index("<svg") : text.index("</svg>") + len("</svg>")])


def test_a_plan_from_options_writes_a_report_and_says_where_to_mount(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "plan.html"
    words = "--length 14 --width 4.8 --height 2.8 --hfov 84 --resolution 1280x720 --rig strip"
    assert lamproom_plan(*words.split(), "--detector-width", "1280", "--out", report) == 0
    said = capsys.readouterr().out
    assert said.startswith("2 cameras cover every metre\n")
    assert re.search(r"cam1 +1 +\d+\.\d +(left|right) rib", said)
    text = report.read_text(encoding="utf-8")
    outside = re.findall(r"(?:src|href)\s*=|url\((?!#)|https?://(?!www\.w3\.org/2000/svg)", text)
    assert outside == [], "one file, nothing loaded from elsewhere"
    assert text.count('class="en"') == text.count('class="zh"') > 30
    names = [str(e.text) for e in drawing(report).iter(f"{SVG}tspan") if str(e.text)[:3] == "cam"]
    assert sorted(names) == ["cam1", "cam2"]


def test_json_says_the_same_as_the_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gate.yaml").write_text(GATE, encoding="utf-8")
    report = tmp_path / "r.html"
    assert lamproom_plan(tmp_path / "gate.yaml", "--json", "--out", report) == 1
    content = json.loads(capsys.readouterr().out)
    assert content["covered"] is False
    assert len(content["metres"]) == 20
    assert [camera["name"] for camera in content["cameras"]] == ["cam1"]
    by = {spot["by"] for spot in content["blind_spots"] if spot["cause"] == "hidden"}
    assert by == {"feed cabinet"}
    texts = [spot["text"] for spot in content["blind_spots"]]
    assert any("right part" in text and "feed cabinet hides it" in text for text in texts)
    page = report.read_text(encoding="utf-8")
    assert all(text in page for text in texts)
    assert content["verdict"] in page
    assert "gate &lt;1&gt;" in page
    assert "gate <1>" not in page
    seen = [metre for metre in content["metres"] if metre["seen_share"] > 0.9]
    assert seen
    assert all(0.1 < metre["look_radius_m"] < 3 for metre in seen)
    assert page.count("<tr class=bad>") == len(content["metres"]) - len(seen)
    assert content["metres"][0]["look_radius_m"] is None


def test_the_drawing_is_to_scale(tmp_path: Path) -> None:
    (tmp_path / "gate.yaml").write_text(GATE, encoding="utf-8")
    lamproom_plan(tmp_path / "gate.yaml", "--out", tmp_path / "r.html")
    svg = drawing(tmp_path / "r.html")
    ground = next(e for e in svg.iter(f"{SVG}rect") if e.get("fill") == "#eef1f4")
    cabinet = next(e for e in svg.iter(f"{SVG}rect") if e.get("fill") == "#5b6673")
    width, height = (float(ground.get(side, "")) for side in ("width", "height"))
    scale = height / 4.8
    assert width / scale == pytest.approx(20.2, abs=0.05), "the length of the centre line"
    x, y = (float(cabinet.get(at, "")) - float(ground.get(at, "")) for at in ("x", "y"))
    assert x / scale == pytest.approx(9.0, abs=0.05)
    assert float(cabinet.get("width", "")) / scale == pytest.approx(2.0, abs=0.05)
    assert y / scale == pytest.approx(2.4 + 0.4, abs=0.05), "left is up"


def test_the_proposed_layout_can_be_judged_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = GATE[: GATE.index("hung:")]
    (tmp_path / "gate.yaml").write_text(bare, encoding="utf-8")
    report = tmp_path / "r.html"
    first = lamproom_plan(tmp_path / "gate.yaml", "--out", report, "--json")
    proposed = json.loads(capsys.readouterr().out)
    page = report.read_text(encoding="utf-8")
    hung = page[page.index("<pre>") + 5 : page.index("</pre>")]
    (tmp_path / "again.yaml").write_text(bare + hung, encoding="utf-8")
    again = lamproom_plan(tmp_path / "again.yaml", "--out", report, "--json")
    judged = json.loads(capsys.readouterr().out)
    assert first == again
    assert judged["metres"] == proposed["metres"]
    assert judged["cameras"] == proposed["cameras"]


def test_a_wish_that_can_not_be_met_is_told_with_the_best_that_was_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out: list[str | Path] = ["--out", tmp_path / "plan.html", "--detector-width", "1280"]
    assert lamproom_plan("--length", "14", "--cameras", "1", *out) == 1
    said = capsys.readouterr().out.splitlines()[0]
    expected = r"no layout of up to 1 cameras covers every metre as wished, because it takes 2 "
    assert re.match(expected + r"cameras.*best found: 1 cameras, \d\d % of the floor", said)


def test_judging_a_site_does_not_overwrite_the_plan_of_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("plan.html").write_text("mine", encoding="utf-8")
    lamproom_plan("--site", FOLDER / "site.yaml", "--detector-width", "640")
    assert Path("plan.html").read_text(encoding="utf-8") == "mine"
    assert Path("roadway.plan.html").exists()


def test_a_report_that_takes_the_place_of_another_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words: list[str | Path] = ["--site", FOLDER / "site.yaml", "--out", tmp_path / "plan.html"]
    said = []
    for _ in range(2):
        lamproom_plan(*words)
        said.append(capsys.readouterr().err)
    assert "took the place" not in said[0]
    assert "plan.html: took the place of the report that was there" in said[1]


def test_the_sample_site_is_judged_as_it_hangs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = lamproom_plan("--site", FOLDER / "site.yaml", "--json", "--out", tmp_path / "plan.html")
    content = json.loads(capsys.readouterr().out)
    assert code == 1
    assert content["detector"] == {"name": "lamproom-m1.onnx", "size_px": [640, 640]}
    assert [camera["name"] for camera in content["cameras"]] == ["cam1", "cam2", "cam3", "cam4"]
    for camera, yaw in zip(content["cameras"], (165, 115, 65, 15), strict=True):
        assert camera["chainage_m"] == pytest.approx(20.0, abs=0.05)
        assert camera["height_m"] == pytest.approx(2.55, abs=0.05)
        assert camera["yaw_deg"] == pytest.approx(yaw, abs=0.5)
        assert camera["pitch_deg"] == pytest.approx(-16, abs=0.5)
    for overlap in content["overlaps"]:
        assert overlap["degrees"] == pytest.approx(20, abs=4), "70 degree lenses, 50 apart"
    below = [spot for spot in content["blind_spots"] if spot["from_m"] <= 20 < spot["to_m"]]
    why = {spot["stance"]: spot["cause"] for spot in below}
    assert why == {"standing": "cut", "lying": "outside"}, "a head is seen, nothing of who lies"


def rows_of(said: str) -> list[list[str]]:
    """Give the cells of the table of metres, columns two or more spaces or a bar apart."""
    lines = said.splitlines()
    head = next(n for n, line in enumerate(lines) if line.strip().startswith("metres"))
    end = next(n for n, line in enumerate(lines) if n > head + 1 and not line.strip())
    return [line.split() for line in lines[head + 2 : end]]


def test_table_and_reasons_agree_for_who_stands_and_who_lies(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words: list[str | Path] = ["--site", FOLDER / "site.yaml", "--out", tmp_path / "plan.html"]
    lamproom_plan(*words, "--metres")
    said = capsys.readouterr().out
    lamproom_plan(*words, "--json")
    metres = json.loads(capsys.readouterr().out)["metres"]
    rows = rows_of(said)
    assert len(rows) == len(metres) == 40
    short = {"cut": "cut", "small": "small", "outside": "view", "hidden": "hidden"}
    for row, metre in zip(rows, metres, strict=True):
        why = {one["stance"]: one["cause"] for one in metre["blind"]}
        assert bool(why) == (metre["seen_share"] < 0.9), "what is short has a reason"
        for stance, share in (("standing", "standing_share"), ("lying", "lying_share")):
            assert f"{metre[share]:.0%}" in row
            if stance in why:
                assert metre[share] <= 0.9
                assert short[why[stance]] in row
        assert set(why) <= {"standing", "lying"}
    far, below = metres[0], metres[20]
    assert (far["standing_share"], far["lying_share"]) == (1.0, 0.0)
    assert 40 <= far["person_px"] < 60, "in the detector's pixels; the camera has twice as many"
    assert far["lying_px"] < 32
    assert "0-9 m, whole width (100 %), who lies: too small for the detector" in said
    assert below["look_radius_m"] is None and rows[20][-2:] == ["-", "-"]
    assert "looks: along the roadway, to more (→) or less (←) chainage" in said


def test_a_stretch_in_which_one_metre_shows_nobody_does_not_hide_that(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lamproom_plan("--site", FOLDER / "site.yaml", "--out", tmp_path / "plan.html")
    said = capsys.readouterr().out
    for row in rows_of(said):
        low, high = (int(end) for end in row[0].split("-"))
        assert (row[-1] == "-") == (18 <= low < high <= 21), row


def test_what_two_cameras_show_apart_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    second = "  - {name: cam2, chainage_m: 18, left_m: -1.0, height_m: 2.5, yaw_deg: 182, "
    (tmp_path / "gate.yaml").write_text(GATE + second + "pitch_deg: -14}\n", encoding="utf-8")
    lamproom_plan(tmp_path / "gate.yaml", "--out", tmp_path / "r.html", "--json")
    content = json.loads(capsys.readouterr().out)
    [metre] = [one for one in content["metres"] if one["from_m"] == 3]
    assert metre["blind"] == [{"stance": "both", "cause": "apart"}]
    assert min(metre["standing_share"], metre["lying_share"]) > 0.9 > metre["seen_share"]
    texts = [spot["text"] for spot in content["blind_spots"] if spot["cause"] == "apart"]
    assert any("3-4 m" in text and "none both" in text for text in texts)


def test_a_site_whose_line_runs_the_other_way_is_judged_alike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = (FOLDER / "site.yaml").read_text(encoding="utf-8")
    site = site.replace("[[0, 0, 0], [40, 0, 0]]", "[[40, 0, 0], [0, 0, 0]]")
    for name in ("cam1.mp4", "cam2.mp4", "cam3.mp4", "cam4.mp4", "rig.yaml"):
        site = site.replace(name, str(FOLDER / name))
    (tmp_path / "site.yaml").write_text(site, encoding="utf-8")
    metres = []
    for path in (FOLDER / "site.yaml", tmp_path / "site.yaml"):
        lamproom_plan("--site", path, "--json", "--out", tmp_path / "plan.html")
        metres.append(json.loads(capsys.readouterr().out)["metres"])
    assert metres[0] == metres[1]


def test_a_plan_file_adds_what_stands_in_the_way_of_a_site(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gate = GATE[: GATE.index("hung:")].replace("[9, 11]", "[15, 16]").replace("2.0}", "2.5}")
    (tmp_path / "gate.yaml").write_text(gate, encoding="utf-8")
    words: list[str | Path] = [
        "--site",
        FOLDER / "site.yaml",
        "--json",
        "--out",
        tmp_path / "plan.html",
    ]
    lamproom_plan(*words, "--detector-width", "1280")
    bare = json.loads(capsys.readouterr().out)
    lamproom_plan(tmp_path / "gate.yaml", *words)
    full = json.loads(capsys.readouterr().out)
    assert [camera["name"] for camera in full["cameras"]] == ["cam1", "cam2", "cam3", "cam4"]
    assert bare["metres"][12]["hidden_share"] == 0
    assert full["metres"][12]["hidden_share"] > 0.2
    assert full["metres"][26] == bare["metres"][26]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "give a plan file, --site or --length"),
        (["--length", "0"], "--length 0: give a number"),
        (["--length", "nan"], "--length nan: give a number"),
        (["--length", "20", "--resolution", "HD"], "--resolution HD: give width and height"),
        (["--length", "20", "--hfov", "300"], "--hfov"),
        (["--length", "20", "--width", "0.4"], "the centre line; give less, or a wider roadway"),
        (["--length", "20", "--cameras", "0"], "--cameras"),
        (["--length", "20", "--mount-height", "5"], "must be at most 2.65"),
        (["--length", "20", "--detector-width", "3"], "--detector-width"),
        (["--length", "900"], "plan it piece by piece"),
        (["--length", "20", "--out", "/nowhere/plan.html"], "give another --out"),
        (["--site", "nowhere.yaml"], "there is no such site file"),
        (["nowhere.yaml"], "there is no such plan file"),
        (["nowhere.yaml", "--length", "20"], "not both"),
    ],
)
def test_mistakes_are_one_line(words: list[str], expected: str) -> None:
    with pytest.raises(LamproomError) as refused:
        lamproom_plan(*words)
    assert expected in str(refused.value)
    assert "\n" not in str(refused.value)


def test_when_everybody_is_too_small_everywhere_it_says_what_to_change(tmp_path: Path) -> None:
    with pytest.raises(LamproomError, match="give a longer lens, more pixels"):
        lamproom_plan(
            *("--length", "6", "--hfov", "150", "--resolution", "320x240"),
            *("--detector-width", "64", "--out", tmp_path / "plan.html"),
        )
