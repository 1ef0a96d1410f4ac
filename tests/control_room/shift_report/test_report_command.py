"""`lamproom report` on the command line, with both databases."""

from pathlib import Path
from typing import Any

import pytest

from control_room.journal.database import Place
from edge.main import main
from tests.control_room.shift_report.shift_journal import ShiftJournal, gateway, heads, word

SPAN = ("--from", "2024-10-27T08:00Z", "--to", "2024-10-27T09:00Z")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_report_is_written(place: Place, tmp_path: Path, capsys: Any) -> None:
    shift = ShiftJournal(place)
    shift.looks(0, 1800, heads=heads(), gateways={"gw1": gateway()})
    shift.alarms([(100, word("one", 100))])
    assert main(["report", "--journal", str(place), *SPAN, "-o", "shift.html"]) == 0
    said = capsys.readouterr().out
    assert "MISSING: The control room did not run, or wrote nothing down: 30 min 00 s" in said
    assert "wrote shift.html" in said
    assert "1 alarms, 1 of them ask for somebody" in said
    html = (tmp_path / "shift.html").read_text(encoding="utf-8")
    assert "<title>Shift report: all sites" in html
    assert "Man down" in html


def test_it_only_reads(tmp_path: Path) -> None:
    journal = tmp_path / "journal.sqlite"
    ShiftJournal(journal).alarms([(100, word("one", 100))])
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()}
    assert main(["report", "--journal", str(journal), *SPAN, "-o", "shift.html"]) == 0
    after = {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()}
    after.pop("shift.html")
    assert after == before


@pytest.mark.parametrize("ending", [".conditions", ".positions"])
def test_a_broken_file_beside_the_journal_costs_only_what_is_in_it(
    tmp_path: Path, ending: str, capsys: Any
) -> None:
    journal = tmp_path / "journal.sqlite"
    shift = ShiftJournal(journal)
    shift.looks(0, 3600, heads=heads())
    shift.positions([(10.0, 1, None)])
    shift.alarms([(100, word("one", 100))])
    (tmp_path / f"journal.sqlite{ending}").write_bytes(b"garbage" * 1000)
    assert main(["report", "--journal", str(journal), *SPAN, "-o", "shift.html"]) == 0
    said = capsys.readouterr().out
    assert f"journal.sqlite{ending}" in said
    assert "Man down" in (tmp_path / "shift.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--from", "2024-10-27T08:00Z", "--to", "2024-10-27T07:00Z"), "must be earlier than --to"),
        ((*SPAN, "--shift", "8h"), "only two of them"),
        (("--from", "2200-01-01T00:00Z"), "yet to come"),
        ((*SPAN, "-o", "no/such/folder.html"), "no/such/folder.html: can't be written"),
        ((*SPAN, "--site", "a\ud800"), "no text that can be stored"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, words: Any, why: str, capsys: Any) -> None:
    journal = tmp_path / "journal.sqlite"
    ShiftJournal(journal)
    assert main(["report", "--journal", str(journal), *words]) == 2
    said = capsys.readouterr().err
    assert why in said
    assert len(said.splitlines()) == 1


def test_a_site_that_the_journal_does_not_know_is_refused_and_the_known_ones_named(
    place: Place, tmp_path: Path, capsys: Any
) -> None:
    asked = ["report", "--journal", str(place), *SPAN, "--site", "nosuch", "-o", "shift.html"]
    ShiftJournal(place)
    assert main(asked) == 2
    assert "--site: the journal knows no site 'nosuch'; it knows none yet" in (
        capsys.readouterr().err
    )
    ShiftJournal(place, "alarmed").alarms([(100, word("one", 100))])
    ShiftJournal(place, "counted").looks(0, 3600, heads=heads())
    ShiftJournal(place, "walked").positions([(10.0, 1, None)])
    assert main(asked) == 2
    assert "it knows alarmed, counted, walked\n" in capsys.readouterr().err
    assert not (tmp_path / "shift.html").exists()


def test_that_sites_could_not_be_read_is_said_where_one_is_not_known(
    tmp_path: Path, capsys: Any
) -> None:
    journal = tmp_path / "journal.sqlite"
    ShiftJournal(journal).looks(0, 3600, heads=heads())
    (tmp_path / "journal.sqlite.conditions").write_bytes(b"garbage" * 1000)
    assert main(["report", "--journal", str(journal), *SPAN, "--site", "roadway"]) == 2
    said = capsys.readouterr().err
    assert "it knows none yet (some may be missing: " in said
    assert "journal.sqlite.conditions" in said


def test_a_file_that_is_there_already_is_never_written_over(tmp_path: Path, capsys: Any) -> None:
    journal, file = tmp_path / "journal.sqlite", tmp_path / "shift.html"
    ShiftJournal(journal)
    file.write_text("the shift before", encoding="utf-8")
    asked = ["report", "--journal", str(journal), *SPAN]
    assert main([*asked, "-o", "shift.html"]) == 2
    assert "shift.html: is there already, and is never written over" in capsys.readouterr().err
    assert file.read_text(encoding="utf-8") == "the shift before"
    assert main(asked) == 0
    assert main(asked) == 2, "nor is the report that was made before, unless it is named anew"
    assert "give another -o FILE" in capsys.readouterr().err
    assert main([*asked, "-o", str(journal)]) == 2, "least of all the journal"


@pytest.mark.parametrize("words", [("--shift", "8"), ("--shift", "0h"), ("--operators", "0")])
def test_bad_options_are_refused(tmp_path: Path, words: Any) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["report", "--journal", str(tmp_path / "journal.sqlite"), *words])
    assert ended.value.code == 2


def test_without_a_journal_it_is_said_where_the_demos_is(tmp_path: Path, capsys: Any) -> None:
    assert main(["report", "--journal", str(tmp_path / "no.sqlite")]) == 2
    assert "build/demo/journal.sqlite" in capsys.readouterr().err


def test_the_last_hours_are_the_default_and_name_the_file(tmp_path: Path, capsys: Any) -> None:
    journal = tmp_path / "journal.sqlite"
    shift = ShiftJournal(journal, "north")
    shift.alarms([(100, word("one", 100)), (300, word("one", 300, "cleared", raised_s=100))])
    shift.act("one", 400, "acknowledge")
    asked = ("--shift", "90min", "--site", "north")
    assert main(["report", "--journal", str(journal), *asked]) == 0
    assert "nothing is known of a site 'north' in this time" in capsys.readouterr().out
    [file] = tmp_path.glob("shift-report-*.html")
    assert "1 h 30 min" in file.read_text(encoding="utf-8")
