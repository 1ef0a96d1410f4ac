import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from control_room.journal import audit as journal_audit
from control_room.journal.audit import START, AuditEntry, faults_of, hash_of, head_from
from control_room.journal.conditions import CONDITIONS
from control_room.journal.database import JournalError, Place, Session, beside, open_database
from control_room.journal.journal import Journal
from control_room.journal.positions import POSITIONS
from control_room.journal.reading import open_to_read
from control_room.journal.schema import check, prepare
from control_room.lifecycle import Act, Action, Key
from delivery.outbox import Outbox
from edge.main import main
from scene.clock import SystemClock
from tests.control_room.fake_gateway import alarm
from tests.control_room.postgres import Postgres, wait_until

KEY = Key(site="roadway", gateway="gw1", alarm="man_down-3")
DAY_NS = 86_400_000_000_000


def done(action: Action, at_ns: int, reason: str = "x") -> Act:
    return Act(action=action, by="李伟", reason=reason, at_ns=at_ns)


@pytest.fixture
def acted(place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Journal]:
    """A journal with six entries: 2, 3, 5 and 6 are acts on an alarm."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(journal_audit, "PAGE", 4)
    journal = Journal(place, required=True)
    journal.audit(who="admin", what="log_in", at_ns=1, body={"from": "10.0.0.7"})
    journal.store(KEY, alarm(at_ns=5), stored_at_ns=1)
    journal.note(KEY, done("acknowledge", 10))
    journal.note(KEY, done("end", 11, "carried out"))
    journal.audit(who="admin", what="user_added", about="王芳", at_ns=12, body={"role": "operator"})
    for at_ns in (20, 30):
        key = Key(site="roadway", gateway="gw1", alarm=f"lost-{at_ns}")
        journal.store(key, alarm(key.alarm, at_ns=at_ns), stored_at_ns=1)
        journal.note(key, done("acknowledge", at_ns))
    yield journal
    journal.close()


def spoil(place: Place, *changes: str) -> None:
    """Do as somebody would who has the database, but not the control room's program."""
    with closing(open_database(place, prepare)) as database:

        def work(session: Session) -> None:
            for sql in changes:
                session.change(sql)

        database.write(work)


def faults(place: Place, *kept: str) -> list[str]:
    with closing(open_database(place, prepare)) as database:
        return faults_of(database, [head_from(one) for one in kept])[1]


def test_an_untouched_chain_has_no_faults(acted: Journal, place: Place) -> None:
    assert faults(place, str(acted.head())) == []
    assert acted.head().number == 6


def test_the_hash_is_what_is_published(acted: Journal, place: Place) -> None:
    """Anybody must be able to check the chain with a program of their own."""
    entry = AuditEntry(at_ns=1, who="admin", what="log_in", body='{"from":"10.0.0.7"}')
    text = f'["{START}",1,1,"admin","log_in","","{{\\"from\\":\\"10.0.0.7\\"}}"]'
    assert hash_of(START, 1, entry) == hashlib.sha256(text.encode()).hexdigest()
    with closing(open_database(place, prepare)) as database:
        assert database.rows("SELECT hash FROM audit WHERE number = 1") == [
            (hash_of(START, 1, entry),)
        ]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        (["UPDATE audit SET who = 'x' WHERE number = 3"], ["entry 3 (1970-01-01"]),
        (["UPDATE audit SET about = 'x' WHERE number = 5"], ["entry 5", "act 5 on x"]),
        (["UPDATE audit SET at_ns = 99 WHERE number = 4"], ["entry 4"]),
        (["UPDATE audit SET body = '{{}}' WHERE number = 4"], ["entry 4"]),
        (["UPDATE audit SET what = 'log_out' WHERE number = 1"], ["entry 1"]),
        (["DELETE FROM audit WHERE number = 4"], ["entry 5", "none stand from 4 on"]),
        (["DELETE FROM audit WHERE number = 1"], ["entry 2", "none stand from 1 on"]),
        (
            ["INSERT INTO audit SELECT 0, 0, 'x', 'y', '', '{{}}', hash FROM audit LIMIT 1"],
            ["entry 0", "entry 1"],
        ),
        (
            [
                "UPDATE audit SET number = 99 WHERE number = 4",
                "UPDATE audit SET number = 4 WHERE number = 1",
                "UPDATE audit SET number = 1 WHERE number = 99",
            ],
            ["entry 1", "entry 4"],
        ),
        (["UPDATE act SET reason = 'y' WHERE number = 3"], ["act 3", "it was changed"]),
        (["UPDATE act SET by = 'y' WHERE number = 3"], ["act 3", "it was changed"]),
        (["DELETE FROM act WHERE number = 2"], ["act 2", "it was taken out"]),
        (["UPDATE act SET number = 77 WHERE number = 6"], ["act 77", "act 6"]),
    ],
)
def test_whatever_is_changed_is_found_and_named(
    acted: Journal, place: Place, changes: list[str], named: list[str]
) -> None:
    spoil(place, *changes)
    found = faults(place)
    assert found
    for words in named:
        assert any(words in fault for fault in found), (words, found)


def forge(place: Place) -> None:
    """Change entry 4 and calculate all hashes from there on anew."""
    with closing(open_database(place, prepare)) as database:
        rows = database.rows(
            "SELECT number, at_ns, who, what, about, body FROM audit ORDER BY number"
        )

        def work(session: Session) -> None:
            before = START
            for number, at_ns, who, what, about, body in rows:
                who = "nobody" if number == 4 else who  # noqa: PLW2901
                entry = AuditEntry(at_ns=at_ns, who=who, what=what, about=about, body=body)
                before = hash_of(before, number, entry)
                sql = "UPDATE audit SET who = ?, hash = ? WHERE number = ?"
                session.change(sql, who, before, number)

        database.write(work)


def cut(place: Place) -> None:
    spoil(place, "DELETE FROM audit WHERE number >= 5", "DELETE FROM act WHERE number >= 5")


@pytest.mark.parametrize(
    ("tamper", "words"), [(cut, "its end was cut off"), (forge, "were written anew")]
)
def test_a_chain_that_is_whole_in_itself_is_compared_with_heads_kept_elsewhere(
    acted: Journal, place: Place, tamper: Callable[[Place], None], words: str
) -> None:
    printed = str(acted.head())
    tamper(place)
    assert faults(place) == [], "nothing in the journal itself tells"
    [fault] = faults(place, printed)
    assert words in fault


def test_the_control_room_keeps_the_heads_itself(acted: Journal, place: Place) -> None:
    kept = beside(place, ".heads")
    assert kept is not None
    assert acted._heads is not None
    assert acted._heads.settle(10)
    lines = kept.read_text().splitlines()
    assert [line.split(" ")[1].split(":")[0] for line in lines] == list("123456")
    assert lines[-1].split(" ")[1] == str(acted.head())


def test_heads_that_can_not_be_kept_stop_no_act(
    acted: Journal, place: Place, capfd: pytest.CaptureFixture[str]
) -> None:
    kept = beside(place, ".heads")
    assert kept is not None
    heads = acted._heads
    assert heads is not None
    assert heads.settle(10)
    kept.unlink()
    kept.mkdir()
    acted.note(KEY, done("shelve", 50))
    assert len(acted.acts(KEY)) == 3
    assert heads.settle(10)
    acted.note(KEY, done("unshelve", 51))
    assert heads.settle(10)
    [said] = capfd.readouterr().err.splitlines()
    assert "can't be kept in" in said
    assert str(kept) in said
    kept.rmdir()
    acted.note(KEY, done("acknowledge", 52))
    assert heads.settle(10)
    numbers = [line.split(" ")[1].split(":")[0] for line in kept.read_text().splitlines()]
    assert numbers == ["7", "8", "9"], "what could not be kept is kept later"
    assert kept.read_text().endswith(f"{acted.head()}\n")


def test_a_heads_file_that_hangs_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """As a disk that is away: opening a pipe that nobody reads never returns."""
    monkeypatch.setattr("control_room.journal.heads.HANGS_S", 0.0)
    place = tmp_path / "journal.sqlite"
    kept = tmp_path / "journal.sqlite.heads"
    os.mkfifo(kept)
    journal = Journal(place)
    assert journal._heads is not None
    for at_ns in range(3):
        journal.audit(who="admin", what="log_in", at_ns=at_ns)
        wait_until(lambda: journal._heads is not None and journal._heads._aside.busy_s > 0.0)
    assert journal.store(KEY, alarm(at_ns=5), stored_at_ns=1)
    assert "hangs" in capfd.readouterr().err
    reader = os.open(kept, os.O_RDONLY | os.O_NONBLOCK)  # it is back
    assert journal._heads.settle(10)
    assert os.read(reader, 10_000).decode().endswith(f"{journal.head()}\n")
    os.close(reader)
    journal.close()


def test_heads_of_one_number_are_all_compared(acted: Journal, place: Place) -> None:
    """Who cuts the end off has the control room itself keep others of the same numbers."""
    printed = str(acted.head())
    cut(place)
    for at_ns in (40, 50):
        acted.audit(who="Eve", what="log_in", at_ns=at_ns)
    now = str(acted.head())
    assert now.startswith("6:")
    for kept in ([printed, now], [now, printed]):
        [fault] = faults(place, *kept)
        assert "entry 6 is not the one whose hash was kept" in fault
    assert faults(place, now, now) == []


Verify = Callable[..., tuple[int, str]]


@pytest.fixture
def verify(capfd: pytest.CaptureFixture[str]) -> Verify:
    def run(place: Place, *words: str) -> tuple[int, str]:
        capfd.readouterr()
        try:
            code = main(["journal", "verify", "--journal", str(place), *words])
        except SystemExit as end:  # argparse
            code = int(end.code or 0)
        return code, "".join(capfd.readouterr())

    return run


def test_the_command_tells_and_so_does_its_exit_code(
    acted: Journal, place: Place, verify: Verify
) -> None:
    printed = acted.head()
    assert acted._heads is not None
    assert acted._heads.settle(10)
    code, said = verify(place)
    assert code == 0, said
    assert f"6 entries; head {printed}" in said
    assert "6 heads kept in" in said
    cut(place)
    code, said = verify(place)
    assert code == 1
    assert "TAMPERED: the chain ends with entry 4, but entry 6 was there" in said
    kept = beside(place, ".heads")
    assert kept is not None
    kept.write_text("rubbish\n" + kept.read_text())
    assert "line 1: is no head of the chain" in verify(place)[1]
    kept.unlink()
    code, said = verify(place)
    assert code == 0
    assert "can't be told" in said
    assert verify(place, "--head", str(printed))[0] == 1
    assert verify(place, "--head", "6:abc")[0] == 2


@pytest.mark.parametrize(
    "change",
    [
        "who = x'00'",
        "hash = CAST(hash AS BLOB)",
        "about = CAST(x'41ff1b' AS TEXT)",
        "at_ns = 'yesterday'",
        "body = x'ff'",
        f"what = 'end', body = '{'[' * 100_000}'",
    ],
)
def test_what_is_no_text_is_tampering_too(tmp_path: Path, verify: Verify, change: str) -> None:
    place = tmp_path / "journal.sqlite"
    journal = Journal(place)
    for at_ns in range(3):
        journal.audit(who="admin", what="log_in", at_ns=at_ns)
    journal.close()
    with closing(sqlite3.connect(place)) as db, db:
        db.execute(f"UPDATE audit SET {change} WHERE number = 2")
    code, said = verify(place)
    assert code == 1, said
    assert "TAMPERED: entry 2 " in said


def test_who_looks_leaves_nothing_behind(
    tmp_path: Path, verify: Verify, capfd: pytest.CaptureFixture[str]
) -> None:
    """Root may verify a journal of the control room's user, who could not open root's files."""
    place = tmp_path / "journal.sqlite"
    journal = Journal(place)
    journal.audit(who="admin", what="log_in", at_ns=1)
    journal.close()
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert verify(place)[0] == 0
    assert main(["journal", "export", "--journal", str(place), "--what", "acts"]) == 0
    assert main(["journal", "export", "--journal", str(place), "--what", "positions"]) == 2
    assert "journal.sqlite.positions: is not there" in capfd.readouterr().err
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_who_looks_sees_what_is_written_meanwhile(tmp_path: Path) -> None:
    place = tmp_path / "journal.sqlite"
    Journal(place).close()
    with closing(open_to_read(place, check)) as reader:
        assert reader.rows("SELECT number FROM audit") == []
        journal = Journal(place)
        journal.audit(who="admin", what="log_in", at_ns=1)
        assert reader.rows("SELECT number FROM audit") == [(1,)]
        with pytest.raises(JournalError, match="for reading only"):
            reader.write(lambda session: session.change("DELETE FROM audit"))
        with pytest.raises(JournalError, match="can't be read"):
            reader.read(lambda session: session.change("DELETE FROM audit"))
        journal.close()


def test_who_looks_at_a_server_changes_nothing(server: Postgres) -> None:
    place = server.new_database()
    with pytest.raises(JournalError, match="version 0"):
        open_to_read(place, check)
    Journal(place, required=True).close()
    with (
        closing(open_to_read(place, check)) as reader,
        pytest.raises(JournalError, match="read-only"),
    ):
        reader.write(lambda session: session.change("DELETE FROM audit"))


def test_what_is_not_there_can_not_be_verified(tmp_path: Path, verify: Verify) -> None:
    code, said = verify(tmp_path / "none.sqlite")
    assert code == 2
    assert "there is no journal" in said
    assert not (tmp_path / "none.sqlite").exists()


@pytest.mark.parametrize("what", ["outbox", "positions", "conditions"])
def test_another_file_of_ours_is_told_from_a_journal(
    tmp_path: Path, verify: Verify, what: str
) -> None:
    if what == "outbox":
        outbox = Outbox(tmp_path, SystemClock())
        outbox.put(alarm(at_ns=5))
        outbox.close()
        file, words = tmp_path / "outbox.sqlite", "it is a gateway's outbox"
    else:
        file, words = tmp_path / f"j.{what}.sqlite", f"it holds only the {what} beside a jo"
        prepares = {"positions": POSITIONS.prepare, "conditions": CONDITIONS.prepare}
        open_database(file, prepares[what]).close()
    before = file.read_bytes()
    code, said = verify(file)
    assert code == 2
    assert f"{file}: {words}" in said
    assert "give it as --journal" in said and "brings it up to date" not in said
    with pytest.raises(JournalError, match="no journal"):
        open_database(file, prepare)
    assert file.read_bytes() == before


def test_old_alarms_are_forgotten_and_the_chain_stays_whole(acted: Journal, place: Place) -> None:
    for at_ns in (20, 30):  # 30 is acknowledged later than the limit
        key = Key(site="roadway", gateway="gw1", alarm=f"lost-{at_ns}")
        acted.store(key, alarm(key.alarm, at_ns=at_ns + 1, state="cleared"), stored_at_ns=1)
    fresh = Key(site="roadway", gateway="gw1", alarm="unseen")
    for state, at_ns in (("active", 1), ("cleared", 2)):
        acted.store(fresh, alarm("unseen", at_ns=at_ns, state=state), stored_at_ns=1)
    assert acted.forget(25, now_ns=DAY_NS) == 1
    assert {entry.key.alarm for entry in acted.history()} == {"man_down-3", "lost-30", "unseen"}
    assert acted.acts(Key(site="roadway", gateway="gw1", alarm="lost-20")) == []
    assert faults(place, str(acted.head())) == []
    assert acted.head().number == 7, "that something was forgotten is written down"
    assert acted.forget(25, now_ns=DAY_NS) == 0
    assert acted.head().number == 7, "once"
    spoil(place, "DELETE FROM act WHERE number = 6")
    [fault] = faults(place)
    assert "act 6" in fault, "retention excuses only what is old"


def test_forgetting_many_is_done_in_parts(
    acted: Journal, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("control_room.journal.journal.FORGOTTEN_AT_ONCE", 3)
    for i in range(7):
        key = Key(site="roadway", gateway="gw1", alarm=f"brief-{i}")
        said = alarm(key.alarm, at_ns=i, kind="immobile", severity="warning")
        acted.store(key, said, stored_at_ns=i)
        acted.note(key, done("acknowledge", i))
        said = alarm(key.alarm, at_ns=i, kind="immobile", severity="warning", state="cleared")
        acted.store(key, said, stored_at_ns=i)
    paused: list[float] = []
    monkeypatch.setattr("control_room.journal.journal.time.sleep", paused.append)
    assert acted.forget(10, now_ns=DAY_NS) == 7
    assert paused == [0.01, 0.01], "who waits for the database gets it in between"
    assert faults(place) == []
