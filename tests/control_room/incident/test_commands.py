"""`lamproom export` and `lamproom verify` as somebody types them."""

import re
from pathlib import Path

import pytest

from delivery.signing import read_private_key
from edge.acceptance.folder import write_folder
from edge.main import main
from tests.control_room.fake_gateway import alarm
from tests.control_room.incident.recordings import at, record
from tests.delivery.keys import pair

BEGINS, ENDS = "2026-09-21T14:13:20Z", "2026-09-21T14:13:22Z"


@pytest.fixture
def recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return record(tmp_path / "run.mcap", 3, (1, alarm("man_down-3", at_ns=at(1))))


def test_a_signed_export_verifies_and_a_changed_one_does_not(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    private, public = pair(tmp_path, "room")
    stranger = pair(tmp_path, "stranger")[1]
    words = ["--from", BEGINS, "--to", ENDS, "--key-file", str(private), "--zip"]
    assert main(["export", str(recording), *words]) == 0
    told = capsys.readouterr()
    assert "wrote incident-20260921T141320Z and incident-20260921T141320Z.zip" in told.out
    assert "MISSING OR NOT PROVEN: What people did with alarms" in told.out
    assert "NOT SIGNED" not in told.err
    folder = tmp_path / "incident-20260921T141320Z"
    for path in (str(folder), f"{folder}.zip"):
        assert main(["verify", path, "--trusted", str(stranger), str(public)]) == 0
        said = capsys.readouterr().out
        assert "none changed, signed with the key" in said
        assert ": incident export: " in said
        assert main(["verify", path, "--trusted", str(stranger)]) == 1
        assert "UNPROVEN: " in capsys.readouterr().out
        assert main(["verify", path]) == 1
        assert "give --trusted" in capsys.readouterr().out
    with (folder / "tracks.csv").open("a") as file:
        file.write("x")
    assert main(["verify", str(folder), "--trusted", str(public)]) == 1
    out = capsys.readouterr().out
    assert re.search(r"tracks\.csv: CHANGED: it has \d+ bytes, and had \d+", out)
    assert "CHANGED: 1 faults; it is not what was exported" in out


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({"kind": "acceptance", "passed": True}, "acceptance report, PASSED: "),
        ({"kind": "acceptance", "passed": False}, "acceptance report, NOT PASSED: "),
        ({"kind": "acceptance", "passed": "yes"}, "acceptance report, NOT PASSED: "),
        ({"kind": "acceptance"}, "acceptance report, NOT PASSED: "),
        ({"kind": "\x1b[2J"}, "of an unknown kind (?[2J): "),
        ({"kind": 7}, "of an unknown kind (7): "),
        ({}, "incident export: "),
    ],
)
def test_it_says_what_it_verified_and_whether_the_test_was_passed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], about: dict[str, object], said: str
) -> None:
    private, public = pair(tmp_path, "tester")
    folder = tmp_path / "report"
    write_folder(folder, {"report.html": b"<p>"}, about, read_private_key(private))
    words = ["verify", str(folder), "--trusted", str(public)]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert f"{folder}: {said}" in out
    assert "\x1b" not in out
    (folder / "report.html").write_bytes(b"<b>")
    assert main(words) == 1
    assert "PASSED" not in capsys.readouterr().out, "of a changed one nothing is believed"


def test_without_a_key_it_says_so_loudly(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--alarm", "man_down-3", "-o", str(tmp_path / "deep/er/out")]
    assert main(["export", str(recording), *words]) == 0
    told = capsys.readouterr()
    assert "NOT SIGNED: nobody vouches" in told.err
    page = (tmp_path / "deep/er/out/summary.html").read_text(encoding="utf-8")
    assert "未签名" in page
    assert main(["verify", str(tmp_path / "deep/er/out")]) == 1
    assert "NOT SIGNED" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["export", "none.mcap", "--from", BEGINS, "--to", ENDS], "no such recording"),
        (["export", "run.mcap"], "give both, or --alarm ID"),
        (["export", "run.mcap", "--alarm", "x"], "man_down-3"),
        (["export", "run.mcap", "--alarm", "x", "--key-file", "no.key"], "no.key"),
        (["export", "run.mcap", "--alarm", "x", "--journal", "no.sqlite"], "no.sqlite"),
        (["verify", "nothing"], "there is no such export"),
        (["verify", "run.mcap"], "packed by another program"),
        (["verify", ".", "--trusted", "no.pub"], "no.pub"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    recording: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(words) == 2
    told = capsys.readouterr().err.strip()
    assert said in told
    assert told.count("\n") == 0
    assert told.startswith(f"lamproom {words[0]}: ")


def test_a_time_that_is_none_is_refused(
    recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["export", "run.mcap", "--from", "yesterday", "--to", ENDS])
    assert caught.value.code == 2
    assert "is no time" in capsys.readouterr().err
