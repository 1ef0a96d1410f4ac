"""`lamproom accept --truth` over a sample clip: it passes, and with one camera turned it does not.

The smallest clip that has an event: two cameras, 10 s. Each test runs the whole product over it.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.acceptance.clip import START_AT_NS, Instant
from edge.acceptance.clip_figures import ClipRun
from edge.acceptance.figures import share_of
from edge.acceptance.judge import judge
from edge.acceptance.truth import Event, read_truth
from edge.coverage import Roadway
from edge.main import main
from scene.floor import Floor
from scene.geometry import CameraModel
from scene.messages import CameraHealth, CameraState, Positions
from scene.rig import load_rig, save_rig
from scene.site import load_site
from tests.edge.acceptance.test_judge import GOOD
from tests.sample_site import SAMPLES
from tests.stitching.knocks import knocked, turn

CLIP = SAMPLES / "events" / "zone_entry"
needs_samples = pytest.mark.skipif(not CLIP.exists(), reason="the sample clips are not here")


def site_of(
    folder: Path,
    hang: Callable[[CameraModel], CameraModel] = lambda one: one,
    source: Path = CLIP,
) -> Path:
    """Copy a clip, with its cameras hung otherwise in the rig file; gives its folder."""
    clip = folder / "clip"
    shutil.copytree(source, clip, ignore=shutil.ignore_patterns("coco"))
    rig = load_rig(CLIP.parent / "rig.yaml")
    cameras = tuple(hang(camera) for camera in rig.cameras)
    save_rig(replace(rig, cameras=cameras), folder / "rig.yaml")
    return clip


def accept(clip: Path, *words: str) -> tuple[int, dict[str, Any]]:
    out = clip.parent / "out"
    given = [str(clip / "site.yaml"), "--truth", str(clip), "--tester", "Li Wei", "-o", str(out)]
    code = main(["accept", *given, *words])
    file = out / "acceptance.json"
    return code, json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


@needs_samples
def test_a_sample_site_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, content = accept(site_of(tmp_path))
    said = capsys.readouterr().out
    verdicts = {check["name"]: check["verdict"] for check in content["checks"]}
    assert set(verdicts.values()) == {"passed"}, said
    assert (code, content["passed"], said.splitlines()[-2]) == (0, True, "PASSED")
    figures = content["figures"]
    (event,) = figures["events"]
    assert (event["kind"], event["raised"]) == ("restricted_zone", True)
    assert 0 <= event["delay_s"] <= 2
    assert all(camera["survey"]["deg"] < 0.1 for camera in figures["cameras"])
    assert max(station["median_m"] for station in figures["stations"]) < 0.3
    # One event proves little, and that is said beside the pass.
    missed = next(one for one in content["checks"] if one["name"] == "missed_alarms")
    assert "79%" in missed["why"][0][0]
    untested = " ".join(english for english, _ in figures["untested"])
    assert "Man down" in untested
    assert "In restricted zone" not in untested
    _is_self_contained((tmp_path / "out" / "report.html").read_text(encoding="utf-8"))
    assert "NOT SIGNED" in said


@needs_samples
def test_a_camera_turned_by_two_degrees_is_found_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    by = turn(2.0, (1.0, 0.0, 0.0))
    clip = site_of(tmp_path, lambda one: knocked(one, by) if one.name == "cam2" else one)
    code, content = accept(clip)
    said = capsys.readouterr().out
    assert (code, content["passed"]) == (1, False)
    checks = {check["name"]: check for check in content["checks"]}
    hang = checks["cameras_hang"]
    assert hang["verdict"] == "failed"
    (why,) = (english for english, _ in hang["why"])
    assert why.startswith("cam2 looks 2.")
    together = "people and neighbours together say "
    for words in (
        "survey points lie 2.0",
        together,
        "people are seen ",
        "miss each other",
        "m off",
    ):
        assert words in why
    cam1, cam2 = content["figures"]["cameras"]
    assert cam1["survey"]["deg"] < 0.1
    assert cam2["survey"]["deg"] == pytest.approx(2.0, abs=0.1)
    assert cam2["turn"]["deg"] == pytest.approx(2.0, abs=0.5)
    assert cam1["turn"]["deg"] - cam1["turn"]["sigma_deg"] < 0.5, "nobody else is blamed"
    assert cam2["overlaps"][0]["deg"] > 0.5
    assert cam2["alone_m"] > 0.2, "people whom it alone sees are told elsewhere: 0.08 m before"
    assert why in said


@needs_samples
@pytest.mark.parametrize("surveyed", [True, False])
def test_two_cameras_turned_together_are_both_found_though_they_agree(
    tmp_path: Path, surveyed: bool
) -> None:
    """They see each other's floor as before: only what has a place of its own in the mine tells."""
    by = turn(2.0, (0.0, 0.0, 1.0))  # about the mine's upright, so that both go the same way

    def swung(one: CameraModel) -> CameraModel:
        camera_from_mine = one.camera_from_mine[:3, :3]
        return knocked(one, camera_from_mine @ by @ camera_from_mine.T)

    clip = site_of(tmp_path, swung)
    if not surveyed:
        text = (clip / "site.yaml").read_text(encoding="utf-8")
        mount = "  mount: {xyz_m: [20, -2, 2.5], yaw_deg: 60}\n"
        head, tail = text[: text.index("  survey_points:")], text[text.index("floor:") :]
        (clip / "site.yaml").write_text(head + mount + tail, encoding="utf-8")
    code, content = accept(clip)
    checks = {check["name"]: check for check in content["checks"]}
    assert (code, checks["cameras_hang"]["verdict"]) == (1, "failed")
    for name, camera in zip(("cam1", "cam2"), content["figures"]["cameras"], strict=True):
        assert all(miss["deg"] < 0.3 for miss in camera["overlaps"]), "they agree"
        assert (camera["survey"] is not None) is surveyed
        whys = [why for why, _ in checks["cameras_hang"]["why"]]
        by_people = camera["people"] is not None
        words = f"{name} looks " if surveyed or by_people else f"{name}: nothing that it shows now"
        assert any(why.startswith(words) for why in whys), whys
    assert content["figures"]["cameras"][1]["turn"]["deg"] == pytest.approx(2.0, abs=0.7)


@needs_samples
def test_what_the_clip_itself_hides_is_not_held_against_where_cameras_look(tmp_path: Path) -> None:
    """Both cameras die by the script for four of ten seconds: what they look at is as it was."""
    clip = site_of(tmp_path)
    dead = {"type": "camera_dead", "t_start_s": 5.0, "t_end_s": 9.0}
    events = json.loads((clip / "events.json").read_text(encoding="utf-8"))
    scripted = [*events, *(dead | {"camera": name} for name in ("cam1", "cam2"))]
    truth = replace(read_truth(clip), events=tuple(Event(**one) for one in scripted))
    site = load_site(clip / "site.yaml")
    rig = load_rig(site.rig.file)
    roadway = Roadway(rig, Floor(site.floor), site.floor)
    for named, verdict in ((truth, "passed"), (read_truth(clip), "failed")):
        run = ClipRun(site, rig, named, roadway)
        for frame in range(len(named.moments)):
            run.take(instant(frame, "lost" if 50 <= frame < 90 else "ok"))
        figures = replace(GOOD, coverage=run.coverage())
        check = next(one for one in judge(figures, site) if one.name == "coverage")
        assert check.verdict == verdict, check.why
        assert check.why == () if verdict == "passed" else "Seen too seldom" in check.why[0][0]


@needs_samples
def test_a_few_looks_at_a_metre_are_no_measure_of_it(tmp_path: Path) -> None:
    """Both cameras are dead by the script but for half a second after the warm-up."""
    clip = site_of(tmp_path)
    site, truth = load_site(clip / "site.yaml"), read_truth(clip)
    rig = load_rig(site.rig.file)
    events = tuple(
        Event(type="camera_dead", camera=name, t_start_s=2.5) for name in ("cam1", "cam2")
    )
    roadway = Roadway(rig, Floor(site.floor), site.floor)
    run = ClipRun(site, rig, replace(truth, events=events), roadway)
    for frame in range(len(truth.moments)):
        run.take(instant(frame, "lost" if frame >= 25 else "ok"))
    figures = replace(GOOD, coverage=run.coverage())
    check = next(one for one in judge(figures, site) if one.name == "coverage")
    assert check.verdict == "not_measured", check.why


def instant(frame: int, state: CameraState) -> Instant:
    """Give one instant in which both cameras are in a state, and nobody is about."""
    at_ns = START_AT_NS + frame * 100_000_000
    cameras = tuple(
        CameraHealth(name=name, state=state, fps=10.0, last_frame_at_ns=at_ns)
        for name in ("cam1", "cam2")
    )
    return Instant(
        frame=frame,
        at_ns=at_ns,
        frames=(),
        people=(),
        positions=Positions(captured_at_ns=at_ns, people=()),
        panorama=None,
        anomalies=(),
        cameras=cameras,
    )


@needs_samples
def test_events_that_name_a_turned_camera_do_not_excuse_it(tmp_path: Path) -> None:
    """Who leaves the coverage does nothing to the camera; dust dims it, and turns it nowhere."""
    by = turn(2.0, (1.0, 0.0, 0.0))
    clip = site_of(
        tmp_path,
        lambda one: knocked(one, by) if one.name == "cam1" else one,
        CLIP.parent / "left_coverage",
    )
    events = json.loads((clip / "events.json").read_text(encoding="utf-8"))
    assert [(one["type"], one["camera"]) for one in events] == [("left_coverage", "cam1")]
    dust = {"type": "lens_dust", "camera": "cam1", "t_start_s": 0.0}
    (clip / "events.json").write_text(json.dumps([*events, dust]), encoding="utf-8")
    code, content = accept(clip)
    checks = {check["name"]: check for check in content["checks"]}
    assert (code, checks["cameras_hang"]["verdict"]) == (1, "failed")
    assert any(why.startswith("cam1 looks 2.") for why, _ in checks["cameras_hang"]["why"])
    well = checks["cameras_well"]
    assert well["verdict"] != "passed", "of cam1 nothing is left to be judged"
    assert any(why.startswith("cam1: ") for why, _ in well["why"])


@needs_samples
def test_labels_without_pictures_are_no_proof(tmp_path: Path) -> None:
    """Ten times as many labels as pictures; who raised the alarm is labelled only before it."""
    clip = site_of(tmp_path)
    moments = [json.loads(line) for line in (clip / "world.jsonl").read_text().splitlines()]
    for moment in moments:
        if moment["t_s"] > 1.55:
            moment["people"] = [one for one in moment["people"] if one["id"] != 1]
    moments += [moments[-1] | {"frame": i, "t_s": i / 10} for i in range(len(moments), 1000)]
    lines = "\n".join(json.dumps(moment) for moment in moments)
    (clip / "world.jsonl").write_text(lines, encoding="utf-8")
    scene = json.loads((clip / "scene.json").read_text(encoding="utf-8"))
    (clip / "scene.json").write_text(json.dumps(scene | {"frames": 1000}), encoding="utf-8")
    (event,) = json.loads((clip / "events.json").read_text(encoding="utf-8"))
    short = {"type": "fall", "id": 1, "t_start_s": 99.0}
    (clip / "events.json").write_text(json.dumps([event, short]), encoding="utf-8")
    code, content = accept(clip)
    assert code == 1
    checks = {check["name"]: check for check in content["checks"]}
    assert checks["labels_read"]["verdict"] == "not_measured"
    assert checks["labels_read"]["measured"][0] == "900 of 1000 without a picture"
    told = content["figures"]["missed_people"]
    like = share_of(told["count"], told["of"], told["of"] / 10)
    assert like is not None
    assert told["high"] == pytest.approx(like.high)
    untested = " ".join(english for english, _ in content["figures"]["untested"])
    assert "The event fall at 99.0 s (Man down, person 1): it is too short" in untested


def _is_self_contained(page: str) -> None:
    assert page.count("<svg") == 3, "plan, errors, delays"
    for word in ("src=", "href=", "@import", "url("):
        assert word not in page
    assert 'class="zh"' in page
    assert 'class="en"' in page
    assert "Acceptance test: event-zone-entry" in page
    assert "验收测试：event-zone-entry" in page
    assert "Tester: Li Wei" in page
    assert page.count("SHA-256 ") == 4


@needs_samples
def test_bad_labels_are_told_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = site_of(tmp_path)
    lines = (clip / "world.jsonl").read_text(encoding="utf-8").splitlines()

    def says(words: str, *content: str) -> None:
        (clip / "world.jsonl").write_text("\n".join(content), encoding="utf-8")
        assert accept(clip)[0] == 2
        assert words in capsys.readouterr().err

    says("world.jsonl: has 1 lines, but scene.json says frames: 100", lines[0])
    says("world.jsonl:2: frame: 5, where 1 should be", lines[0], lines[5])
    says("world.jsonl:1: is no JSON", "{")
    says("world.jsonl:1: people.0.height_m: ", lines[0].replace('"height_m"', '"heigth_m"'))
    says("world.jsonl:1: t_s: ", lines[0].replace('"t_s": 0.0', '"t_s": "x"'))
    (clip / "world.jsonl").unlink()
    assert accept(clip)[0] == 2
    assert "world.jsonl: there is no such file" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
