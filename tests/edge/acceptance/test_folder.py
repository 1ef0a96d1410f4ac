"""What is written: whole, hashed, never over another; and which clip stands for which camera."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from control_room.incident.names import ACCEPTANCE
from control_room.incident.verify import verify
from delivery.signing import read_private_key
from edge.acceptance.clip import with_clips
from edge.acceptance.folder import FolderError, write_folder
from edge.acceptance.record import sha256_of, subject_of
from edge.main import main
from scene.errors import CameraError
from scene.site import parse_site
from tests.edge.acceptance.staged_walk import SITE_FILE, rig, site

LIVE = """version: 1
site: s
gateway: g
cameras: [{name: cam1, url: "rtsp://c/1"}, {name: cam2, url: "rtsp://c/2"}]
rig: {mount: {xyz_m: [20, -2, 2.5]}}
floor: {centre_line_m: [[0, 0, 0], [40, 0, 0]]}
"""
FILES = {"report.html": b"<p>", "acceptance.json": b"{}\n"}


def test_a_folder_is_written_whole_and_verified_and_never_over_another(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write_folder(folder, FILES, {"kind": "acceptance"}, None)
    assert verify(folder, []).faults == ()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["out"], "nothing is left beside it"
    with pytest.raises(FolderError, match="is there already"):
        write_folder(folder, FILES, {}, None)
    with pytest.raises(FolderError, match="there is no folder"):
        write_folder(tmp_path / "none" / "out", FILES, {}, None)
    (folder / "acceptance.json").write_bytes(b"{ }")
    assert "acceptance.json: CHANGED" in verify(folder, []).faults[0]


def test_clips_named_as_cameras_take_their_place(tmp_path: Path) -> None:
    live = parse_site(LIVE, name="site.yaml", folder=tmp_path)
    (tmp_path / "cam1.mp4").touch()
    with pytest.raises(CameraError, match=r"cam2: .* has no clip of it; put cam2\.mp4"):
        with_clips(live, tmp_path)
    (tmp_path / "cam2").mkdir()
    (tmp_path / "cam1.json").touch()
    urls = [camera.url for camera in with_clips(live, tmp_path).cameras]
    assert urls == [str(tmp_path / "cam1.mp4"), str(tmp_path / "cam2")]


def test_the_hash_of_a_clip_is_the_one_that_sha256sum_gives(tmp_path: Path) -> None:
    clip = tmp_path / "clip"
    (clip / "mot").mkdir(parents=True)
    (clip / "world.jsonl").write_text("x", encoding="utf-8")
    (clip / "mot" / "gt.txt").write_text("y", encoding="utf-8")
    told = subject_of(
        site(), SITE_FILE, rig(), tester="Li", truth=clip, began_at_ns=0, ended_at_ns=1
    )
    list_all = "find . -type f | LC_ALL=C sort | xargs sha256sum | sha256sum"
    said = subprocess.run(["sh", "-c", list_all], cwd=clip, capture_output=True, check=True)
    assert told.truth_sha256 == said.stdout.decode().split()[0]
    assert told.site_sha256 == hashlib.sha256(SITE_FILE.read_bytes()).hexdigest()
    assert told.rig_sha256 == sha256_of(site().rig.file)
    assert told.rig_id == rig().id
    assert told.model_sha256 is not None


def test_keys_and_names_are_looked_at_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["accept", str(SITE_FILE), "--truth", str(tmp_path), "-o", str(tmp_path / "out")]
    assert main([*given, "--tester", "Li", "--key-file", str(tmp_path / "no.key")]) == 2
    assert "no.key: there is no such key file" in capsys.readouterr().err
    assert main([*given, "--tester", "Li"]) == 2
    assert "scene.json: there is no such file; a labelled clip has" in capsys.readouterr().err
    for words in ([], ["--tester", " "], ["--tester", "Li", "--walk", "x.csv"]):
        with pytest.raises(SystemExit) as ended:
            main([*given, *words])
        assert ended.value.code == 2
    (tmp_path / "scene.json").write_text('{"fps": 0, "frames": 1}', encoding="utf-8")
    assert main([*given, "--tester", "Li"]) == 2
    assert "scene.json: fps: Input should be greater than 0" in capsys.readouterr().err
    (tmp_path / "scene.json").write_text(json.dumps({"fps": 10, "frames": 0}), encoding="utf-8")
    assert main([*given, "--tester", "Li"]) == 2


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not here")
def test_the_key_that_the_documentation_makes_signs_and_verifies(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "acceptance.md").read_text(encoding="utf-8")
    makes = [line for line in text.splitlines() if line.startswith("openssl ")]
    assert len(makes) == 2
    for line in makes:
        subprocess.run(["sh", "-c", line], cwd=tmp_path, check=True)
    assert "--key-file tester.key" in text
    folder = tmp_path / "out"
    write_folder(folder, FILES, {"kind": "acceptance"}, read_private_key(tmp_path / "tester.key"))
    assert main(["verify", str(folder), "--trusted", str(tmp_path / "tester.pub")]) == 0


def test_a_report_of_a_version_that_is_not_known_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    about = {"kind": "acceptance", "data": ACCEPTANCE, "passed": True}
    write_folder(tmp_path / "now", FILES, about, None)
    assert main(["verify", str(tmp_path / "now")]) == 1, "not signed"
    assert "acceptance report, PASSED" in capsys.readouterr().out
    later = about | {"data": "lamproom/acceptance/999"}
    write_folder(tmp_path / "later", FILES, later, None)
    assert main(["verify", str(tmp_path / "later")]) == 2
    out, err = capsys.readouterr()
    assert "of a version that is not known here (lamproom/acceptance/999; known: " in err
    assert "PASSED" not in out + err
