import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from control_room.journal import Journal, JournalError, Key
from tests.control_room.fake_gateway import alarm

KEY = Key(site="roadway", gateway="gw1", alarm="man_down-3")
BIG_NS = 1_790_000_000_123_456_789


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path / "new folder" / "journal.sqlite")
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
    journal.acknowledge(KEY, acknowledged_at_ns=6)
    assert [entry.key for entry in journal.open_entries()] == [KEY], "active, though seen"
    journal.store(KEY, alarm(at_ns=7, state="cleared"), stored_at_ns=7)
    assert journal.open_entries() == []

    unseen = Key(site="roadway", gateway="gw1", alarm="quick")
    journal.store(unseen, alarm("quick", at_ns=5), stored_at_ns=1)
    journal.store(unseen, alarm("quick", at_ns=6, state="cleared"), stored_at_ns=1)
    assert [entry.key for entry in journal.open_entries()] == [unseen]
    assert journal.acknowledge(unseen, acknowledged_at_ns=8)
    assert not journal.acknowledge(unseen, acknowledged_at_ns=9)
    assert journal.open_entries() == []
    entry = journal.entry(unseen)
    assert entry is not None
    assert entry.acknowledged_at_ns == 8


def test_no_flood_pushes_an_active_alarm_out_of_what_is_open(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("control_room.journal.MAX_UNSEEN", 5)
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


def test_alarms_outlive_the_control_room(tmp_path: Path) -> None:
    file = tmp_path / "journal.sqlite"
    first = Journal(file)
    first.store(KEY, alarm(at_ns=5), stored_at_ns=1)
    # Not closed: a second connection sees only what has really been committed to the file.
    second = Journal(file)
    assert [entry.key for entry in second.history()] == [KEY]
    first.close()
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
