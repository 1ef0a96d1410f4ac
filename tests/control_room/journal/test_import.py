"""A journal moves from a file to a server: all of it, once, wherever that is cut off."""

import contextlib
import multiprocessing
import os
import random
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from control_room.heads_file import Heads
from control_room.journal import import_alarms as journal_import_alarms
from control_room.journal import importing as journal_import
from control_room.journal.database import JournalError, Row, Session, open_database
from control_room.journal.importing import Copied, import_journal
from control_room.journal.journal import Journal
from control_room.journal.positions import POSITIONS
from control_room.journal.schema import ANOMALY, prepare
from control_room.lifecycle import Act, Key
from edge.main import main
from scene.clock import SystemClock
from scene.messages import Anomaly
from tests.control_room.fake_gateway import alarm
from tests.control_room.postgres import BINARIES, Postgres
from tests.control_room.random_history import T0, History, S

KILLS = 20
TABLES = {
    "change": "site, gateway, alarm, state",
    "alarm": "site, gateway, alarm",
    "act": "number",
    "audit": "number",
    "condition": "what, site, gateway, from_ns",
    "position": "at_ns, site, gateway, track",
}
FORK = multiprocessing.get_context("fork")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.mktemp("filled") / "journal.sqlite"
    History(7, alarms=200, positions=600).write(source)
    return source


@pytest.fixture
def target(server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(journal_import, "AT_ONCE", 37)
    return server.new_database()


def whole(place: Path | str) -> dict[str, list[Row]]:
    """Read every row of every table."""
    found = {}
    for table, order in TABLES.items():
        where = place
        if isinstance(place, Path) and table in ("condition", "position"):
            where = place.with_name(f"{place.name}.{table}s")
        columns = "*" if table != "alarm" else journal_import_alarms.ALARM
        with closing(open_database(where, lambda _: None)) as database:
            found[table] = database.rows(f"SELECT {columns} FROM {table} ORDER BY {order}")
    return found


def silent(_copied: Copied) -> None:
    pass


def run(source: Path, target: str) -> Any:
    return import_journal(source, target, SystemClock(), silent)


def test_every_row_arrives_and_the_chain_is_whole(
    filled: Path, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["journal", "import", str(filled), "--journal", target]) == 0
    said = capsys.readouterr()
    there = whole(filled)
    assert whole(target) == there
    assert len(there["position"]) > 500
    assert f"alarms: {len(there['alarm'])} copied, 0 were there, 0 left out" in said.out
    number, *_, hash = there["audit"][-1]
    assert f"{number} entries in the audit; head {number}:{hash}" in said.out
    assert "TAMPERED" not in said.out
    assert "the control room may be started with --journal postgresql://" in said.err
    heads = Path("state/journal.heads").read_text()
    assert heads == filled.with_name("journal.sqlite.heads").read_text()
    assert main(["journal", "verify", "--journal", target]) == 0
    capsys.readouterr()
    assert main(["journal", "import", str(filled), "--journal", target]) == 0, "once more"
    assert "positions: 0 copied" in capsys.readouterr().out
    assert whole(target) == there


def killed_at(statement: int, source: Path, target: str) -> bool:
    """Run in a process that is killed when it says so manieth a thing; tells whether it was."""

    def work() -> None:
        said = 0
        for name in ("rows", "change", "change_all", "alone"):
            real = getattr(Session, name)

            def counted(self: Session, *words: Any, real: Any = real) -> Any:
                nonlocal said
                said += 1
                if said == statement:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(self, *words)

            setattr(Session, name, counted)
        import_journal(source, target, SystemClock(), silent)
        os._exit(0)

    process = FORK.Process(target=work)
    process.start()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def test_killed_at_twenty_places_it_goes_on_and_doubles_nothing(
    filled: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_import, "AT_ONCE", 9)
    chance, kills = random.Random(3), 0
    with closing(Journal(target, required=True)) as room:  # which goes on meanwhile
        while kills < KILLS and killed_at(chance.randrange(1, 60), filled, target):
            kills += 1
            key = Key(site="roadway", gateway="live", alarm=f"live-{kills}")
            room.store(key, alarm(key.alarm, at_ns=T0), stored_at_ns=T0)
    assert kills == KILLS, "it must be far from done after each"
    assert run(filled, target).faults == ()
    there = whole(target)
    live = [row[2] for row in there["alarm"] if row[1] == "live"]
    assert len(live) == KILLS
    for table in ("alarm", "change"):
        there[table] = [row for row in there[table] if row[1] != "live"]
    assert there == whole(filled)


def test_two_imports_at_once_double_nothing(filled: Path, target: str) -> None:
    """Where one waits too long for the other it ends, and may be begun again."""

    def work() -> None:
        with contextlib.suppress(JournalError):
            import_journal(filled, target, SystemClock(), silent)
        os._exit(0)

    both = [FORK.Process(target=work) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
        assert process.exitcode == 0
    assert run(filled, target).faults == ()
    assert whole(target) == whole(filled)


def test_what_is_done_is_not_done_again(filled: Path, target: str) -> None:
    """Who is killed near the end begins near the end."""

    def stop(copied: Copied) -> None:
        if copied.part == "positions" and copied.rows > 400:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_journal(filled, target, SystemClock(), stop)
    done = import_journal(filled, target, SystemClock(), silent)
    by_part = {one.part: one for one in done.parts}
    assert (by_part["alarms"].rows, by_part["conditions"].rows) == (0, 0)
    assert 0 < by_part["positions"].rows < 200
    assert whole(target) == whole(filled)


def test_a_source_that_has_gone_on_is_copied_again_from_the_start(
    filled: Path, target: str, tmp_path: Path
) -> None:
    source = copy_of(filled, tmp_path / "copy")

    def stop(copied: Copied) -> None:
        if copied.part == "conditions":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_journal(source, target, SystemClock(), stop)
    with closing(Journal(source)) as journal:
        first = Key(site="!", gateway="!", alarm="!")  # sorts before all that is copied
        journal.store(first, alarm("!", at_ns=T0), stored_at_ns=T0)
        journal.note(first, Act(action="acknowledge", by="王芳", reason="", at_ns=T0 + S))
    assert run(source, target).faults == ()
    assert whole(target) == whole(source)


def copy_of(source: Path, folder: Path) -> Path:
    folder.mkdir()
    for file in source.parent.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder / source.name


def test_a_control_room_writes_to_the_target_meanwhile(filled: Path, target: str) -> None:
    """What it says is newer: acts stay done, cleared stays cleared, nothing of either is lost."""
    before = whole(filled)
    active = [row for row in before["alarm"] if row[7] == 0]
    cleared, seen = [key_of(row) for row in active if row[11] is None][:2]
    acknowledged = [row for row in active if row[11] is not None]
    told = next(key_of(row) for row in acknowledged if row[5] > 0)  # not critical yet
    again = next(key_of(row) for row in acknowledged if key_of(row) != told)
    fresh, late_ns = Key(site="roadway", gateway="gw9", alarm="new"), 2**61
    words = {key_of(row): row for row in before["change"] if row[3] == "active"}

    def word(key: Key, later_ns: int = 0, **changes: Any) -> Anomaly:
        found = ANOMALY.validate_json(words[key][9])
        return replace(found, captured_at_ns=found.captured_at_ns + later_ns, **changes)

    def meanwhile(copied: Copied) -> None:
        if copied.part == "acts":
            room.store(fresh, alarm("new", at_ns=T0), stored_at_ns=T0 + 99)
            room.store(again, word(again), stored_at_ns=late_ns)  # retained: told again, not new
            room.store(cleared, word(cleared, 5, state="cleared"), stored_at_ns=late_ns)
            room.store(told, word(told, 5, severity="critical"), stored_at_ns=late_ns)
            room.store(seen, word(seen), stored_at_ns=late_ns)
            room.note(seen, Act(action="acknowledge", by="王芳", reason="", at_ns=T0 + 99 * S))

    with closing(Journal(target, required=True)) as room:
        done = import_journal(filled, target, SystemClock(), meanwhile)
        assert done.faults == ()
        assert done.head == room.head()
        assert done.head.number == len(before["audit"]) + 1
        found = {entry.key: entry for entry in room.history(1000)}
    assert fresh in found
    assert found[cleared].last.state == "cleared"
    assert found[told].last == word(told, 5, severity="critical")
    assert found[told].acknowledged is None, "it got worse: somebody must look again"
    assert found[seen].acknowledged, "after the move"
    assert found[again].acknowledged, "before the move"
    firsts = {key_of(row): row[9] for row in before["alarm"]}
    changed = (again, cleared, told, seen)
    assert [found[key].stored_at_ns for key in changed] == [firsts[key] for key in changed]
    after = whole(target)
    for table in ("change", "alarm"):
        mine = [row for row in after[table] if key_of(row) not in (fresh, *changed)]
        assert mine == [row for row in before[table] if key_of(row) not in changed]
    assert after["audit"][:-1] == before["audit"]
    assert (after["position"], after["condition"]) == (before["position"], before["condition"])


def key_of(row: Row) -> Key:
    return Key(site=row[0], gateway=row[1], alarm=row[2])


def test_a_target_with_acts_of_its_own_is_refused_and_left_alone(
    filled: Path, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(Journal(target, required=True)) as room:
        room.audit(who="admin", what="log_in", at_ns=1)
    before = Path("state/journal.heads").read_text()
    assert main(["journal", "import", str(filled), "--journal", target]) == 2
    said = capsys.readouterr().err
    assert "its audit has 1 entries of its own" in said
    assert "createdb" in said
    assert [len(rows) for rows in whole(target).values()] == [0, 0, 0, 1, 0, 0]
    assert Path("state/journal.heads").read_text() == before


def text(folder: Path) -> Path:
    (folder / "x.sqlite").write_text("no database, but long enough" * 50)
    return folder / "x.sqlite"


def positions_only(folder: Path) -> Path:
    with closing(open_database(folder / "p.sqlite", POSITIONS.prepare)):
        return folder / "p.sqlite"


def newer(folder: Path) -> Path:
    with closing(open_database(folder / "n.sqlite", prepare)):
        pass
    with closing(sqlite3.connect(folder / "n.sqlite")) as database:
        database.execute("PRAGMA user_version = 9")
    return folder / "n.sqlite"


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (text, "not a database"),
        (positions_only, "only the positions beside a journal"),
        (newer, "version 9"),
        (lambda folder: folder / "none.sqlite", "there is no journal"),
    ],
)
def test_what_is_no_journal_is_refused(
    make: Callable[[Path], Path],
    why: str,
    target: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["journal", "import", str(make(tmp_path)), "--journal", target]) == 2
    assert why in capsys.readouterr().err


def test_a_copy_by_pg_dump_is_the_whole_journal(
    filled: Path, target: str, server: Postgres, tmp_path: Path
) -> None:
    """As docs/journal.md says to do it."""
    run(filled, target)
    schema, copy = target.rpartition("%3D")[2], str(tmp_path / "copy")
    server.run_sql("CREATE DATABASE restored")
    try:
        for words in (
            ["pg_dump", "-Fc", "-n", schema, "-f", copy, "-d", server.address("postgres")],
            ["pg_restore", "-d", server.address("restored"), copy],
        ):
            subprocess.run([BINARIES[-1] / words[0], *words[1:]], check=True)
        restored = f"{server.address('restored')}&options=-csearch_path%3D{schema}"
        assert whole(restored) == whole(filled)
        assert main(["journal", "verify", "--journal", restored]) == 0
    finally:
        server.run_sql("DROP DATABASE restored WITH (FORCE)")


def test_only_a_server_can_be_the_target(
    filled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(tmp_path / "other.sqlite")
    assert main(["journal", "import", str(filled), "--journal", file]) == 2
    assert "goes to a PostgreSQL server" in capsys.readouterr().err


def test_what_no_server_takes_is_named_and_costs_no_other_row(
    filled: Path, target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = copy_of(filled, tmp_path / "odd")
    with closing(sqlite3.connect(f"{source}.positions")) as database, database:
        database.execute("UPDATE position SET worker = 'a' || char(0) WHERE at_ns = ?", (T0,))
        odd = database.execute("SELECT COUNT(*) FROM position WHERE at_ns = ?", (T0,)).fetchone()[0]
    with closing(Journal(source)) as journal:
        key = Key(site="s", gateway="g", alarm="odd")
        journal.store(key, alarm("odd", at_ns=5, zone="\0"), stored_at_ns=1)
    assert odd > 0
    assert main(["journal", "import", str(source), "--journal", target]) == 1
    said = capsys.readouterr()
    assert f"{odd} left out" in said.out
    assert "alarms: 's g odd' can't be stored" in said.err
    there, here = whole(source), whole(target)
    assert here["position"] == [row for row in there["position"] if row[3] != T0]
    assert here["alarm"] == [row for row in there["alarm"] if row[2] != "odd"]


def test_signed_heads_of_both_sides_stay_in_order(
    filled: Path, target: str, tmp_path: Path
) -> None:
    """A control room that began before the import ended has kept heads of its own."""
    source = copy_of(filled, tmp_path / "signed")
    run(source, target)
    with closing(Journal(target, required=True, sign=lambda _line: "sig")) as room:
        room.audit(who="admin", what="log_in", at_ns=T0)
    run(source, target)
    kept, faults = Heads(Path("state/journal.heads")).read()
    assert faults == []
    numbers = [one.head.number for one in kept]
    assert numbers == sorted(set(numbers))
    assert kept[-1].signature == "sig"
