"""`lamproom check` sees whether the rig file is that of the site as it is now."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge.calibration.made_for import changed_since, made_for, maker_of
from edge.check import LOOKS
from edge.main import main
from scene.rig import load_rig, save_rig
from scene.site import load_site
from tests import sample_site
from tests.delivery.keys import Keys
from tests.edge.calibration.sites import changed, write_site


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = write_site(tmp_path_factory.mktemp("mine"))
    assert main(["calibrate", str(site), "--no-report"]) == 0
    return site


def checked(site: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Check a site; gives the exit code and the line about the rig."""
    capsys.readouterr()
    code = main(["check", str(site)])
    lines = capsys.readouterr().out.splitlines()
    return code, next(line for line in lines if line[6:].startswith("rig:"))


def beside(calibrated: Path, name: str, change: Callable[[dict[str, Any]], Any]) -> Path:
    """Write a changed copy of the site file beside it, so that it shares pictures and rig."""
    path = calibrated.with_name(f"{name}.yaml")
    path.write_bytes(calibrated.read_bytes())
    changed(path, change)
    return path


def test_a_rig_that_belongs_to_the_site_is_right(
    calibrated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, line = checked(calibrated, capsys)
    assert code == 0 and line.startswith("ok ")
    assert "doesn't say" not in line


def move_a_point(content: dict[str, Any]) -> None:
    content["rig"]["survey_points"][5]["mine_m"][2] += 0.02


def rename_a_camera(content: dict[str, Any]) -> None:
    content["cameras"][2]["name"] = "east"
    for point in content["rig"]["survey_points"]:
        point["camera"] = {"right": "east"}.get(point["camera"], point["camera"])


def swap_cameras(content: dict[str, Any]) -> None:
    content["cameras"].reverse()


def take_a_camera_away(content: dict[str, Any]) -> None:
    content["cameras"].pop()
    points = content["rig"]["survey_points"]
    content["rig"]["survey_points"] = [p for p in points if p["camera"] != "right"]


def give_another_lens(content: dict[str, Any]) -> None:
    content["rig"]["lens"]["hfov_deg"] = 80


def ask_for_a_finer_panorama(content: dict[str, Any]) -> None:
    content["panorama"] = {"px_per_degree": 20}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (move_a_point, "changed since: survey points or markers; run"),
        (rename_a_camera, "since: cameras (rig.kind, names, order), survey points or markers; run"),
        (swap_cameras, "since: cameras (rig.kind, names, order); run"),
        (take_a_camera_away, "since: cameras (rig.kind, names, order), survey points"),
        (give_another_lens, "since: lens; run"),
        (ask_for_a_finer_panorama, "since: panorama surface; run"),
    ],
)
def test_a_rig_that_is_older_than_the_site_is_refused(
    calibrated: Path,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[dict[str, Any]], Any],
    words: str,
) -> None:
    code, line = checked(beside(calibrated, change.__name__, change), capsys)
    assert code == 1
    assert line.startswith(f"FAIL  rig: {calibrated.parent / 'rig.yaml'}: is older than the site")
    assert words in line
    assert line.endswith("run `lamproom calibrate` again")


def give_a_password(content: dict[str, Any]) -> None:
    content["broker"] = {"url": "mqtts://10.0.0.1:8883", "username": "me"}


def widen_the_floor(content: dict[str, Any]) -> None:
    content["floor"]["left_m"] = 5.0


def rename_the_site(content: dict[str, Any]) -> None:
    content["site"] = "south"


def copy_the_pictures(content: dict[str, Any]) -> None:
    content["cameras"][0]["url"] = "./left/../left"


@pytest.mark.parametrize(
    "change", [give_a_password, widen_the_floor, rename_the_site, copy_the_pictures]
)
def test_what_calibration_does_not_look_at_may_change(
    calibrated: Path, capsys: pytest.CaptureFixture[str], change: Callable[[dict[str, Any]], Any]
) -> None:
    code, line = checked(beside(calibrated, change.__name__, change), capsys)
    assert (code, line[:2]) == (0, "ok")


def test_key_files_are_looked_at_as_running_does(
    calibrated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def lines(signing: dict[str, Any]) -> str:
        site = beside(calibrated, "signs", lambda content: content.update(signing=signing))
        capsys.readouterr()
        code = main(["check", str(site)])
        said = capsys.readouterr().out.splitlines()
        [line] = [line for line in said if line[6:].startswith("signing:")]
        assert code == int(line.startswith("FAIL"))
        return line

    (tmp_path / "keys").mkdir()
    keys = Keys(tmp_path / "keys")
    keys.add("control_room")
    good = {"key_file": str(keys.private["control_room"]), "trusted": str(keys.trusted)}
    assert lines(good).startswith("ok    signing: signed with ")
    assert "no such key file or folder" in lines({"trusted": str(tmp_path / "gone")})
    assert "there is no such key file" in lines(good | {"key_file": str(tmp_path / "gone.key")})
    (keys.trusted / "gateway-x-y.pub").write_text("half a file")
    assert "gateway-x-y.pub: is no public key in PEM" in lines(good)


def test_two_sites_that_share_a_rig_file_are_told_apart(
    calibrated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def another_site(content: dict[str, Any]) -> None:
        take_a_camera_away(content)
        content["site"] = "south"

    south = beside(calibrated, "south", another_site)
    code, line = checked(south, capsys)
    assert code == 1
    assert line == (
        f"FAIL  rig: {calibrated.with_name('rig.yaml')}: is the rig of site painted, from which "
        "site south differs in cameras (rig.kind, names, order), survey points or markers; give "
        "this one a file of its own (rig.file: south.rig.yaml) and run `lamproom calibrate`"
    )
    changed(south, lambda content: content["rig"].update(file="south.rig.yaml"))
    assert main(["calibrate", str(south), "--no-report"]) == 0
    assert checked(south, capsys)[0] == checked(calibrated, capsys)[0] == 0


def test_a_rig_without_a_word_of_what_it_was_made_for_is_only_noted(
    calibrated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_rig(load_rig(calibrated.with_name("rig.yaml")), tmp_path / "old.yaml")
    file = str(tmp_path / "old.yaml")
    site = beside(calibrated, "old", lambda content: content["rig"].update(file=file))
    code, line = checked(site, capsys)
    assert code == 0
    assert "doesn't say what it was calibrated with" in line


def test_the_fingerprint_holds_no_address(calibrated: Path) -> None:
    site = load_site(calibrated)
    made = made_for(site)
    assert set(made) == {"site", "cameras", "survey", "mount", "lens", "floor", "panorama"}
    assert all(len(value) == 10 for name, value in made.items() if name != "site")
    told = yaml.safe_load(calibrated.with_name("rig.yaml").read_text(encoding="utf-8"))["made_for"]
    assert told == made


@pytest.mark.parametrize(
    "path", sorted(sample_site.SAMPLES.glob("**/site.yaml")), ids=lambda path: path.parent.name
)
def test_the_sample_sites_have_rigs_of_their_own(path: Path) -> None:
    site = load_site(path)
    assert maker_of(site.rig.file)
    assert changed_since(site.rig.file, site) == []


def spoil_everything(content: dict[str, Any]) -> None:
    """Make mistakes in the file's fields, between its parts, and in all that it names."""
    content["gatway"] = content.pop("gateway")
    content["floor"]["left_m"] = -1
    content["metrics"] = {"port": 99999}
    content["zones"] = [
        {"name": "bay", "polygon_m": [[1, 1], [2, 1], [2, "two"]]},
        {"name": "bay", "polygon_m": [[1, 1], [2, 1], [2, 2]]},
    ]
    content["rig"]["survey_points"][3]["camera"] = "nobody"
    content["detection"] = {"model": "gone.onnx"}
    content["broker"] = {"password_file": "gone.txt", "username": "me"}
    content["signing"] = {"key_file": "gone.key"}


def test_one_mistake_hides_no_other(calibrated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = beside(calibrated, "spoilt", spoil_everything)
    capsys.readouterr()
    assert main(["check", str(site)]) == 2
    said = capsys.readouterr()
    for mistake in (
        "gateway: is missing",
        "gatway: not a field; did you mean gateway?",
        "floor.left_m: give a number greater than 0",
        "metrics.port: give a number of at most 65535",
        "zones.0.polygon_m.2.1: give a number",
        "zones.1.name: the name 'bay' is given twice",
        "rig.survey_points.3.camera: 'nobody' is not one of left, ",
    ):
        assert said.err.count(mistake) == 1, mistake
    assert "ok    cameras: left " in said.out
    assert "-     survey: not looked at before floor is right in the site file" in said.out
    assert "FAIL  model: " in said.out and "gone.onnx" in said.out
    assert "FAIL  broker: " in said.out and "gone.txt" in said.out
    assert "FAIL  signing: " in said.out and "gone.key" in said.out


def test_zones_beyond_the_floor_are_told_beside_other_mistakes(
    calibrated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def spoil(content: dict[str, Any]) -> None:
        content["limits"] = {"man_down": {"after": 3}}
        far = [[900, 1], [902, 1], [902, 2]]
        content["zones"] = [{"name": "far", "polygon_m": far}, {"name": 7, "polygon_m": far}]

    assert main(["check", str(beside(calibrated, "far", spoil))]) == 2
    said = capsys.readouterr()
    assert "zones.0.polygon_m: the zone lies " in said.err
    assert "zones.1.name: give a text" in said.err
    assert "limits.man_down.after: not a field; did you mean after_s?" in said.err
    assert "ok    survey: " in said.out, "it is looked at: it has no mistakes of its own"
    assert "ok    rig: " in said.out


def test_every_camera_that_can_not_be_read_is_told_and_survey_points_all_the_same(
    calibrated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.mp4").write_bytes(b"no video")

    def spoil(content: dict[str, Any]) -> None:
        for camera, name in zip(content["cameras"], ("a", "b"), strict=False):
            camera["url"] = str(tmp_path / f"{name}.mp4")
        content["rig"]["survey_points"][0]["mine_m"] = [900, 0, 0]

    assert main(["check", str(beside(calibrated, "unread", spoil))]) == 1
    said = capsys.readouterr().out
    [cameras] = [line for line in said.splitlines() if line.startswith("FAIL  cameras:")]
    assert "a.mp4" in cameras and "b.mp4" in cameras
    assert "FAIL  survey: rig.survey_points.0" in said


def test_a_mistake_of_ours_is_no_mistake_of_the_site_file(
    calibrated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = beside(calibrated, "spoilt", spoil_everything)
    monkeypatch.setitem(LOOKS, "cameras", lambda site: "".nothing)  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="nothing"):
        main(["check", str(site)])


def test_it_counts_what_there_is_and_says_what_it_did_not_ask(
    calibrated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def with_real_cameras(content: dict[str, Any]) -> None:
        content["zones"] = [{"name": "bay", "polygon_m": [[1, 1], [2, 1], [2, 2]]}]
        content["supports"] = {"first": 4, "last": 2, "chainage_m": 2, "spacing_m": 1}
        content["marks"] = [{"name": "K1", "chainage_m": 1}, {"name": "K9", "chainage_m": 900}]
        content["cameras"][1]["url"] = "rtsp://127.0.0.1:9/main"

    site = beside(calibrated, "counted", with_real_cameras)
    capsys.readouterr()
    main(["check", str(site)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"ok    {site}: 3 cameras, 1 zone, 0 gates"
    [found] = [line for line in lines if line[6:].startswith("landmarks:")]
    assert found.startswith("?     landmarks: 3 supports, 2 marks; K9 at 900 m: beyond this floor")
    [cameras] = [line for line in lines if line[6:].startswith("cameras:")]
    assert cameras.startswith("?     cameras: left ") and "; not asked: middle (use `" in cameras
    assert "`lamproom doctor SITE`" in cameras
    [broker] = [line for line in lines if line[6:].startswith("broker:")]
    assert broker.startswith("?     broker: mqtt://") and "not asked (use `lamproom" in broker


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("left", "./left/../left"),
        ("rtsp://127.0.0.1:9/main?ch=1", "rtsp://me:secret@127.0.0.1:9/main?ch=1"),
    ],
)
def test_two_cameras_with_one_address_are_refused(
    calibrated: Path, capsys: pytest.CaptureFixture[str], first: str, second: str
) -> None:
    def mix_up(content: dict[str, Any]) -> None:
        content["cameras"][0]["url"], content["cameras"][2]["url"] = first, second

    capsys.readouterr()
    assert main(["check", str(beside(calibrated, "twice", mix_up))]) == 1
    said = capsys.readouterr().out
    assert "cameras left and right have the same url; give each its own" in said
    assert "secret" not in said


def test_channels_of_one_recorder_are_two_cameras(
    calibrated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def from_a_recorder(content: dict[str, Any]) -> None:
        for number, camera in enumerate(content["cameras"]):
            camera["url"] = f"rtsp://127.0.0.1:9/main?ch={number}"

    capsys.readouterr()
    main(["check", str(beside(calibrated, "recorder", from_a_recorder))])
    assert "?     cameras: not asked: left, middle, right" in capsys.readouterr().out


def test_limits_that_are_hardly_meant_are_told(
    calibrated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corners = [[1, 1], [2, 1], [2, 2]]

    def hurry(content: dict[str, Any]) -> None:
        content["zones"] = [{"name": "bay", "hours": ["22:00-06:00"], "polygon_m": corners}]
        content["limits"] = {"lost": {"after_s": 1}}

    def take_care(content: dict[str, Any]) -> None:
        hurry(content)
        content["limits"] = {"lost": {"after_s": 3.5}, "time_zone": "Asia/Shanghai"}

    lines = []
    for name, change in (("hurried", hurry), ("careful", take_care)):
        capsys.readouterr()
        assert main(["check", str(beside(calibrated, name, change))]) == 0, "no mistake"
        said = capsys.readouterr().out.splitlines()
        lines += [line for line in said if line[6:].startswith("limits:")]
    assert lines[0].startswith("?     limits: bay: hours without limits.time_zone")
    assert "nobody counts as lost before 3.5 s" in lines[0]
    assert lines[1] == "ok    limits: fit together"
