import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from control_room.journal.audit import faults_of
from control_room.journal.database import Place, SqliteDatabase
from control_room.journal.journal import Journal
from control_room.journal.query import Question, answer
from control_room.journal.schema import VERSION, JournalError
from control_room.lifecycle import Act, Action, Key
from scene.messages import Anomaly
from tests.control_room.fake_gateway import alarm

KEY = Key(site="roadway", gateway="gw1", alarm="man_down-3")
BIG_NS = 1_790_000_000_123_456_789


def seen(at_ns: int = 6, by: str = "Li Wei") -> Act:
    return Act(action="acknowledge", by=by, reason="", at_ns=at_ns)


def shelf(at_ns: int = 6, until_ns: int = 100) -> Act:
    return Act(action="shelve", by="Li Wei", reason="repair", at_ns=at_ns, until_ns=until_ns)


def done(action: Action, at_ns: int) -> Act:
    return Act(action=action, by="Li Wei", reason="x", at_ns=at_ns)


@pytest.fixture
def journal(place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Journal]:
    monkeypatch.chdir(tmp_path)  # a server's heads are kept in `state/` there
    opened = Journal(place, required=True)
    yield opened
    opened.close()


def test_an_alarm_that_arrives_twice_is_stored_once(journal: Journal) -> None:
    assert journal.store(KEY, alarm(at_ns=BIG_NS), stored_at_ns=1)
    assert not journal.store(KEY, alarm(at_ns=BIG_NS), stored_at_ns=2)
    entry = journal.entry(KEY)
    assert entry is not None
    assert entry.stored_at_ns == 1
    assert entry.last == alarm(at_ns=BIG_NS)
    assert len(journal.history()) == 1


def test_a_later_word_replaces_and_an_earlier_one_does_not(journal: Journal) -> None:
    journal.store(KEY, alarm(at_ns=5, severity="warning"), stored_at_ns=1)
    assert journal.store(KEY, alarm(at_ns=9, raised_at_ns=5), stored_at_ns=2)
    assert not journal.store(KEY, alarm(at_ns=7, severity="notice"), stored_at_ns=3)
    entry = journal.entry(KEY)
    assert entry is not None
    assert (entry.last.severity, entry.last.captured_at_ns) == ("critical", 9)
    assert entry.stored_at_ns == 1


def test_the_same_id_of_another_gateway_is_another_alarm(journal: Journal) -> None:
    other = Key(site="roadway", gateway="gw2", alarm=KEY.alarm)
    assert journal.store(KEY, alarm(at_ns=5), stored_at_ns=1)
    assert journal.store(other, alarm(at_ns=5), stored_at_ns=1)


@pytest.mark.parametrize("order", [("active", "cleared"), ("cleared", "active")])
def test_cleared_wins_in_whatever_order_it_arrives(
    journal: Journal, order: tuple[str, str]
) -> None:
    for state in order:
        at_ns = 5 if state == "active" else 9
        journal.store(KEY, alarm(at_ns=at_ns, raised_at_ns=5, state=state), stored_at_ns=1)
    entry = journal.entry(KEY)
    assert entry is not None
    assert entry.last.state == "cleared"
    assert entry.cleared_at_ns == 9


def test_a_cleared_alarm_stays_open_until_somebody_has_seen_it(journal: Journal) -> None:
    journal.store(KEY, alarm(at_ns=5), stored_at_ns=1)
    journal.note(KEY, seen())
    assert [entry.key for entry in journal.open_entries()] == [KEY], "active, though seen"
    journal.store(KEY, alarm(at_ns=7, state="cleared"), stored_at_ns=7)
    assert journal.open_entries() == []

    unseen = Key(site="roadway", gateway="gw1", alarm="quick")
    journal.store(unseen, alarm("quick", at_ns=5), stored_at_ns=1)
    journal.store(unseen, alarm("quick", at_ns=6, state="cleared"), stored_at_ns=1)
    assert [entry.key for entry in journal.open_entries()] == [unseen]
    journal.note(unseen, seen(8))
    assert journal.open_entries() == []
    entry = journal.entry(unseen)
    assert entry is not None
    assert entry.acknowledged == seen(8)


def test_only_a_latched_kind_stays_when_it_is_over(journal: Journal) -> None:
    for kind in ("immobile", "of_tomorrow"):
        key = Key(site="roadway", gateway="gw1", alarm=kind)
        for state, at_ns in (("active", 5), ("cleared", 6)):
            said = alarm(kind, at_ns=at_ns, kind=kind, state=state, severity="warning")
            journal.store(key, said, stored_at_ns=1)
    assert [entry.key.alarm for entry in journal.open_entries()] == ["of_tomorrow"]
    assert len(journal.history()) == 2, "history keeps both"


@pytest.mark.parametrize("state", ["active", "cleared"])
def test_an_alarm_that_got_worse_is_unacknowledged_and_off_the_shelf(
    journal: Journal, state: str
) -> None:
    journal.store(KEY, alarm(at_ns=5, severity="warning"), stored_at_ns=1)
    journal.note(KEY, seen())
    journal.note(KEY, shelf())
    journal.store(KEY, alarm(at_ns=7, raised_at_ns=5, severity="warning"), stored_at_ns=2)
    entry = journal.entry(KEY)
    assert entry is not None
    assert (entry.acknowledged, entry.shelved) == (seen(), shelf()), "no worse than it was"
    journal.store(KEY, alarm(at_ns=9, raised_at_ns=5, state=state), stored_at_ns=3)
    entry = journal.entry(KEY)
    assert entry is not None
    assert (entry.acknowledged, entry.shelved) == (None, None)
    assert [one.key for one in journal.open_entries()] == [KEY]
    assert journal.acts(KEY) == [seen(), shelf()], "what was done stays written down"


def test_after_it_got_better_it_can_get_worse_again(journal: Journal) -> None:
    for at_ns, severity in ((5, "critical"), (7, "warning"), (9, "critical")):
        journal.store(KEY, alarm(at_ns=at_ns, raised_at_ns=5, severity=severity), stored_at_ns=1)
        entry = journal.entry(KEY)
        assert entry is not None
        assert (entry.acknowledged is None) == (at_ns != 7)
        journal.note(KEY, seen(at_ns))


def test_what_operators_do_outlives_the_control_room(journal: Journal, place: Place) -> None:
    first = journal
    first.store(KEY, alarm(at_ns=5), stored_at_ns=1)
    acts = [seen(), shelf(), done("unshelve", 7), seen(8, "Wang"), shelf(9), done("end", 10)]
    for act in acts:
        first.note(KEY, act)
    # Not closed: a second connection sees only what has really been committed to the file.
    second = Journal(place)
    assert second.acts(KEY) == acts
    entry = second.entry(KEY)
    assert entry is not None
    assert (entry.acknowledged, entry.shelved, entry.ending) == (acts[3], acts[4], acts[5])
    assert second.shelved() == second.ending() == [entry]
    second.store(KEY, alarm(at_ns=11, raised_at_ns=5, state="cleared"), stored_at_ns=11)
    assert second.shelved() == second.ending() == [], "a cleared alarm needs neither"
    ended = second.entry(KEY)
    assert ended is not None
    assert ended.ending == acts[5], "who ended it stays known"
    second.close()


def test_off_the_shelf_it_is_as_new_and_an_end_is_an_acknowledgement(journal: Journal) -> None:
    journal.store(KEY, alarm(at_ns=5), stored_at_ns=1)
    for act in (seen(), shelf(), done("unshelve", 7)):
        journal.note(KEY, act)
    entry = journal.entry(KEY)
    assert entry is not None
    assert (entry.acknowledged, entry.shelved) == (None, None)
    journal.note(KEY, done("end", 8))
    entry = journal.entry(KEY)
    assert entry is not None
    assert entry.acknowledged == entry.ending == done("end", 8)


def test_figures_for_the_alarm_rate(journal: Journal) -> None:
    for i, (state, at_ns) in enumerate(
        [("active", 10), ("active", 20), ("cleared", 20), ("active", 30)]
    ):
        key = Key(site="roadway", gateway="gw1", alarm=f"a{at_ns}")
        said = alarm(key.alarm, at_ns=i, kind="gateway_silent", camera="c1", state=state)
        journal.store(key, said, stored_at_ns=at_ns)
    since = sorted(journal.raised_since(20), key=lambda one: one.stored_at_ns)
    assert [one.key.alarm for one in since] == ["a20", "a30"]
    assert (since[0].kind, since[0].place) == ("gateway_silent", "c1")
    assert since[0].severity == "critical"
    assert [one.key.alarm for one in journal.standing_since(30)] == ["a10"], "active, and older"


FORMER_TABLES = """
CREATE TABLE change (
    site TEXT NOT NULL,
    gateway TEXT NOT NULL,
    alarm TEXT NOT NULL,
    state TEXT NOT NULL,
    kind TEXT NOT NULL,
    severity TEXT NOT NULL,
    raised_at_ns INTEGER NOT NULL,
    captured_at_ns INTEGER NOT NULL,
    stored_at_ns INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (site, gateway, alarm, state)
) WITHOUT ROWID;
CREATE TABLE acknowledgement (
    site TEXT NOT NULL,
    gateway TEXT NOT NULL,
    alarm TEXT NOT NULL,
    acknowledged_at_ns INTEGER NOT NULL,
    PRIMARY KEY (site, gateway, alarm)
) WITHOUT ROWID;
CREATE INDEX change_by_time ON change (raised_at_ns);
"""


def former_journal(file: Path, said: list[tuple[Anomaly, int]], seen: dict[str, int]) -> None:
    """Write a journal as it was before operators could do more than acknowledge."""
    with sqlite3.connect(file) as db:
        db.executescript(FORMER_TABLES)
        for one, stored_at_ns in said:
            times = (one.raised_at_ns, one.captured_at_ns, stored_at_ns)
            body = json.dumps(asdict(one))
            row = ("roadway", "gw1", one.id, one.state, one.kind, one.severity, *times, body)
            db.execute("INSERT INTO change VALUES (?,?,?,?,?,?,?,?,?,?)", row)
        for id, at_ns in seen.items():
            db.execute(
                "INSERT INTO acknowledgement VALUES (?,?,?,?)", ("roadway", "gw1", id, at_ns)
            )
    db.close()


def test_a_journal_of_the_former_version_is_taken_over_whole(tmp_path: Path) -> None:
    file = tmp_path / "journal.sqlite"
    words = [
        (alarm("over", at_ns=5), 2),
        (alarm("over", at_ns=BIG_NS, raised_at_ns=5, state="cleared", evidence="got up"), 9),
        (alarm("seen", at_ns=6), 3),
        (alarm("unseen", at_ns=7, kind="camera_lost", severity="warning", camera="c1"), 4),
        (alarm("only cleared", at_ns=8, state="cleared"), 5),
    ]
    former_journal(file, words, {"over": 7, "seen": 8})
    for _ in range(2):
        journal = Journal(file)
        found = {entry.key.alarm: entry for entry in journal.history()}
        assert list(found) == ["only cleared", "unseen", "seen", "over"]
        assert found["over"].last == words[1][0]
        assert (found["over"].stored_at_ns, found["over"].cleared_at_ns) == (2, BIG_NS)
        assert found["over"].acknowledged == seen(7, "operator")
        assert found["seen"].last == words[2][0]
        assert found["seen"].acknowledged == seen(8, "operator")
        assert found["unseen"].acknowledged is None
        opened = [entry.key.alarm for entry in journal.open_entries()]
        assert opened == ["seen", "unseen", "only cleared"]
        assert [one.place for one in journal.raised_since(4)] == ["c1", "conveyor"]
        assert not journal.store(KEY_OVER, words[0][0], stored_at_ns=99), "known already"
        journal.close()
    with sqlite3.connect(file) as db:
        assert db.execute("SELECT COUNT(*) FROM change").fetchone() == (5,)
        assert db.execute("SELECT COUNT(*) FROM act").fetchone() == (2,)
        assert db.execute("PRAGMA user_version").fetchone() == (VERSION,)
    db.close()


TABLES_2 = """
CREATE TABLE IF NOT EXISTS change (
    site TEXT NOT NULL,
    gateway TEXT NOT NULL,
    alarm TEXT NOT NULL,
    state TEXT NOT NULL,
    kind TEXT NOT NULL,
    severity TEXT NOT NULL,
    raised_at_ns INTEGER NOT NULL,
    captured_at_ns INTEGER NOT NULL,
    stored_at_ns INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (site, gateway, alarm, state)
) WITHOUT ROWID;
CREATE TABLE act (
    number INTEGER PRIMARY KEY,
    site TEXT NOT NULL,
    gateway TEXT NOT NULL,
    alarm TEXT NOT NULL,
    action TEXT NOT NULL,
    by TEXT NOT NULL,
    reason TEXT NOT NULL,
    at_ns INTEGER NOT NULL,
    until_ns INTEGER
);
CREATE INDEX act_by_alarm ON act (site, gateway, alarm);
CREATE TABLE alarm (
    site TEXT NOT NULL,
    gateway TEXT NOT NULL,
    alarm TEXT NOT NULL,
    kind TEXT NOT NULL,
    place TEXT NOT NULL,
    rank INTEGER NOT NULL,
    latched INTEGER NOT NULL,
    over INTEGER NOT NULL,
    raised_at_ns INTEGER NOT NULL,
    stored_at_ns INTEGER NOT NULL,
    cleared_at_ns INTEGER,
    acknowledged INTEGER,
    shelved INTEGER,
    ending INTEGER,
    open INTEGER GENERATED ALWAYS AS (NOT over OR (latched AND acknowledged IS NULL)) VIRTUAL,
    PRIMARY KEY (site, gateway, alarm)
) WITHOUT ROWID;
CREATE INDEX alarm_open ON alarm (open, over, rank, raised_at_ns DESC);
CREATE INDEX alarm_by_raise ON alarm (raised_at_ns);
CREATE INDEX alarm_by_store ON alarm (stored_at_ns);
CREATE INDEX alarm_shelved ON alarm (shelved) WHERE shelved IS NOT NULL;
CREATE INDEX alarm_ending ON alarm (ending) WHERE ending IS NOT NULL AND NOT over;
PRAGMA user_version = 2;
"""


def test_a_journal_of_version_2_gets_its_audit(tmp_path: Path) -> None:
    file = tmp_path / "journal.sqlite"
    words = [
        (alarm("a", at_ns=5, worker="李伟", zone="conveyor"), 1),
        (alarm("a", at_ns=9, raised_at_ns=5, state="cleared", zone=None, track=None), 2),
        (alarm("b", at_ns=6), 3),
    ]
    with sqlite3.connect(file) as db:
        db.executescript(TABLES_2)
        for one, stored_at_ns in words:
            times = (one.raised_at_ns, one.captured_at_ns, stored_at_ns)
            row = ("roadway", "gw1", one.id, one.state, one.kind, one.severity, *times)
            db.execute(
                "INSERT INTO change VALUES (?,?,?,?,?,?,?,?,?,?)", (*row, json.dumps(asdict(one)))
            )
        for id, over, number in (("a", 1, 1), ("b", 0, 3)):
            db.execute(
                "INSERT INTO alarm VALUES ('roadway','gw1',?,'man_down','conveyor',0,1,?,5,1,?,?,"
                "NULL,NULL)",
                (id, over, 9 if over else None, number),
            )
        for number, id in ((1, "a"), (3, "b")):
            db.execute(
                "INSERT INTO act VALUES (?,'roadway','gw1',?,'acknowledge','Li Wei','',6,NULL)",
                (number, id),
            )
    db.close()
    for _ in range(2):
        journal = Journal(file)
        found = {entry.key.alarm: entry for entry in journal.history()}
        assert found["a"].acknowledged == found["b"].acknowledged == seen()
        assert [entry.key.alarm for entry in journal.open_entries()] == ["b"]
        assert journal.ending() == []
        assert journal.head().number == 3
        head, faults = faults_of(journal._database, [])
        assert (head, faults) == (journal.head(), [])
        assert journal._heads is not None
        assert journal._heads.settle(10)
        [kept] = Path(f"{file}.heads").read_text().splitlines()
        assert kept.endswith(str(head)), "what was taken over can't be written anew"
        question = Question(person="李伟")
        assert [row["alarm"] for _, row in answer(journal._database, question)] == ["a"]
        journal.close()


KEY_OVER = Key(site="roadway", gateway="gw1", alarm="over")


def test_a_former_journal_that_can_not_be_taken_over_stays_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "journal.sqlite"
    former_journal(file, [(alarm("good", at_ns=5), 1)], {"good": 6})
    with sqlite3.connect(file) as db:
        db.execute("UPDATE change SET body = '{}'")
    db.close()
    with pytest.raises(JournalError, match=r"journal\.sqlite.*alarm good of gw1.*--journal"):
        Journal(file)
    with sqlite3.connect(file) as db:
        names = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
        assert {"change", "acknowledgement"} <= names
        assert "alarm" not in names
    db.close()


def test_a_journal_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "journal.sqlite"
    with sqlite3.connect(file) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    db.close()
    with pytest.raises(JournalError, match=f"version {VERSION + 1}"):
        Journal(file)


def test_looking_takes_no_longer_with_ten_thousand_alarms(tmp_path: Path) -> None:
    """Not by the time, which is the machine's: by the rows that SQLite goes through."""
    file = tmp_path / "journal.sqlite"
    words = []
    for i in range(10_000):
        said = alarm(f"a{i}", at_ns=i, kind="immobile", severity="warning")
        words += [(said, i), (replace(said, state="cleared"), i)]
    former_journal(file, words, {})
    journal = Journal(file)
    for i in range(3):
        key = Key(site="roadway", gateway="gw1", alarm=f"now-{i}")
        journal.store(key, alarm(key.alarm, at_ns=20_000 + i), stored_at_ns=20_000 + i)
        journal.note(key, shelf())
        journal.note(key, done("end", 7))
    # A callback every 100 steps of SQLite's machine; a walk through the table takes 100,000.
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 100
        return 0

    assert isinstance(journal._database, SqliteDatabase)
    journal._database._db.set_progress_handler(count, 100)
    looks: dict[str, Callable[[], Sequence[object]]] = {
        "open": journal.open_entries,
        "history": lambda: journal.history(3),
        "shelved": journal.shelved,
        "ending": journal.ending,
        "raised": lambda: journal.raised_since(20_000),
        "standing": lambda: journal.standing_since(30_000),
        "one": lambda: [journal.entry(key)],
    }
    for name, look in looks.items():
        steps = 0
        assert len(look()) == (1 if name == "one" else 3)
        assert steps < 1000, name
    steps = 0
    assert len(journal.history(10_003)) == 10_003
    assert steps > 100_000, "the count can fail"
    journal.close()


def test_no_flood_pushes_an_active_alarm_out_of_what_is_open(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("control_room.journal.entries.MAX_UNSEEN", 5)
    journal.store(KEY, alarm(at_ns=1), stored_at_ns=1)
    for i in range(10):
        key = Key(site="roadway", gateway="gw1", alarm=f"lost-{i}")
        for state in ("active", "cleared"):
            said = alarm(key.alarm, at_ns=10 + i, state=state, severity="warning")
            journal.store(key, said, stored_at_ns=2)
    for i in range(10):
        key = Key(site="roadway", gateway="gw1", alarm=f"still-{i}")
        journal.store(key, alarm(key.alarm, at_ns=30 + i, severity="warning"), stored_at_ns=2)
    listed = [entry.key.alarm for entry in journal.open_entries()]
    assert listed[0] == KEY.alarm, "the worst first, however old"
    assert listed[1:11] == [f"still-{i}" for i in reversed(range(10))], "active ones have no limit"
    assert listed[11:] == [f"lost-{i}" for i in (9, 8, 7, 6, 5)]


def test_history_is_newest_first(journal: Journal) -> None:
    for at_ns in (30, 10, 20):
        key = Key(site="roadway", gateway="gw1", alarm=f"a{at_ns}")
        journal.store(key, alarm(f"a{at_ns}", at_ns=at_ns), stored_at_ns=1)
    assert [entry.key.alarm for entry in journal.history(2)] == ["a30", "a20"]


def test_alarms_outlive_the_control_room(journal: Journal, place: Place) -> None:
    journal.store(KEY, alarm(at_ns=5), stored_at_ns=1)
    # Not closed: a second connection sees only what has really been committed to the file.
    second = Journal(place)
    assert [entry.key for entry in second.history()] == [KEY]
    second.close()


def test_a_file_that_is_no_journal_is_named(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("not a database, but long enough to be read as one" * 20)
    with pytest.raises(JournalError, match=r"notes\.txt.*--journal"):
        Journal(file)


def test_a_folder_that_can_not_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match="file/journal"):
        Journal(tmp_path / "file" / "journal.sqlite")


def test_a_full_disk_is_an_error_and_not_a_receipt(tmp_path: Path) -> None:
    file = tmp_path / "journal.sqlite"
    journal = Journal(file)
    with sqlite3.connect(file) as other:
        other.execute("DROP TABLE change")
    other.close()
    with pytest.raises(JournalError, match=r"journal\.sqlite"):
        journal.store(KEY, alarm(at_ns=5), stored_at_ns=1)
    journal.close()
