import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from control_room.journal import positions as journal_positions
from control_room.journal.database import JournalError, Place, open_database
from control_room.journal.journal import Journal
from control_room.journal.options import Keeping, positions_kept
from control_room.journal.positions import POSITIONS, PositionLog
from control_room.journal.thinning import Row, Thinning
from control_room.lifecycle import Key
from scene.clock import ReplayClock
from scene.messages import Position, Positions, SiteDescription
from scene.topics import Address
from scene.wire import Envelope
from tests.control_room.fake_gateway import alarm, description, people_at
from tests.control_room.postgres import wait_until

HERE = ("roadway", "gw1")
ZONES = description().zones
DAY_NS = 86_400_000_000_000
NOW_NS = 1_790_000_000_000_000_000


def person(track: int = 1, x_m: float = 5.0, **changes: Any) -> Position:
    fields: dict[str, Any] = {"track": track, "xyz_m": (x_m, -1.0, 0.0), **changes}
    return replace(people_at(0, NOW_NS).people[0], **fields)


def said(*people: Position, at_ns: int = NOW_NS) -> Positions:
    return Positions(captured_at_ns=at_ns, people=people)


def tracks(rows: list[Row]) -> list[object]:
    return [row[2] for row in rows]


def test_a_person_has_a_row_per_interval() -> None:
    thinning = Thinning(every_s=10.0)
    rows = [thinning.rows(HERE, said(person()), ZONES, float(i)) for i in range(21)]
    assert [len(found) for found in rows] == [1] + [0] * 9 + [1] + [0] * 9 + [1]


@pytest.mark.parametrize(
    "changed",
    [person(x_m=28.0), person(posture="lying"), person(worker="李伟", worker_probability=0.95)],
)
def test_zone_posture_and_name_are_written_when_they_change(changed: Position) -> None:
    thinning = Thinning(every_s=10.0)
    thinning.rows(HERE, said(person()), ZONES, 0.0)
    assert len(thinning.rows(HERE, said(changed), ZONES, 1.0)) == 1
    assert thinning.rows(HERE, said(changed), ZONES, 2.0) == []


def test_where_somebody_was_last_is_written_however_it_ends() -> None:
    thinning = Thinning(every_s=10.0)
    thinning.rows(HERE, said(person(1), person(2)), ZONES, 0.0)
    thinning.rows(HERE, said(person(1, 6.0), person(2, 7.0), at_ns=NOW_NS + 5), ZONES, 3.0)
    [gone] = thinning.rows(HERE, said(person(1, 6.0)), ZONES, 4.0)
    assert (gone[2], gone[3], gone[6]) == (2, NOW_NS + 5, 7.0)
    assert thinning.silent(9.0) == []
    [silent] = thinning.silent(14.1)
    assert (silent[2], silent[6]) == (1, 6.0)
    assert thinning.silent(99.0) == []


def test_gateways_do_not_end_each_others_tracks() -> None:
    thinning = Thinning(every_s=10.0)
    thinning.rows(HERE, said(person(1)), ZONES, 0.0)
    thinning.rows(HERE, said(person(1, 6.0)), ZONES, 1.0)
    assert tracks(thinning.rows(("roadway", "gw2"), said(person(7)), (), 2.0)) == [7]


def test_what_is_in_a_row() -> None:
    one = person(4, 28.0, covariance_m2=((0.09, 0.0), (0.0, 0.16)), worker="李伟")
    [row] = Thinning().rows(HERE, said(one), ZONES, 0.0)
    assert row == (
        *("roadway", "gw1", 4, NOW_NS, "李伟", "conveyor", 28.0, -1.0, 0.4),
        *("upright", "certainly", one.seen_at_ns),
    )


def test_no_row_says_minus_nought_which_only_some_databases_keep() -> None:
    [row] = Thinning().rows(HERE, said(person(x_m=-0.0001)), ZONES, 0.0)
    assert str(row[6]) == "0.0"


class Log:
    """A log with a clock that is moved by hand."""

    def __init__(self, place: Place, **more: Any) -> None:
        self.clock = ReplayClock(NOW_NS)
        self.place = place
        self.said: list[str] = []
        self.log = PositionLog(place, self.clock, self.said.append, batch_s=0.01, **more)
        self.hear(description())

    def hear(self, body: Positions | SiteDescription) -> None:
        address = Address(prefix="mine", site="roadway", gateway="gw1", topic="positions")
        self.log.hear(
            address, Envelope(type="x", gateway="gw1", seq=1, sent_at_ns=NOW_NS, body=body)
        )

    def rows(self) -> list[Row]:
        with closing(open_database(POSITIONS.place_of(self.place), POSITIONS.prepare)) as database:
            return [*database.rows("SELECT * FROM position ORDER BY at_ns, track")]

    def until(self, condition: Callable[[list[Row]], bool]) -> list[Row]:
        wait_until(lambda: condition(self.rows()))
        return self.rows()


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_ten_a_second_become_one_in_ten_seconds(place: Place) -> None:
    log = Log(place)
    for i in range(300):
        at_ns = NOW_NS + i * 100_000_000
        log.clock.set(at_ns)
        log.hear(said(person(1, 28.0), person(2, 3.0), at_ns=at_ns))
        if i % 10 == 0:  # the log's thread looks by the same clock
            wait_until(log.log._waiting.empty)
    log.log.close()
    rows = log.rows()
    assert tracks(rows) == [1, 2] * 3
    assert {(row[2], row[5]) for row in rows} == {(1, "conveyor"), (2, "")}
    assert log.log.dropped == 0


def test_old_positions_are_forgotten(place: Place) -> None:
    pruned = threading.Event()
    log = Log(place, keep_days=2.0, prune_more=pruned.set)
    pruned.wait(10)
    log.hear(said(person(1), at_ns=NOW_NS - 3 * DAY_NS))
    log.clock.sleep(2)
    log.hear(said(person(2), at_ns=NOW_NS - DAY_NS))
    log.until(lambda rows: len(rows) >= 2)
    pruned.clear()
    log.clock.sleep(3601)
    assert pruned.wait(30)
    log.log.close()
    assert [row[2] for row in log.rows() if row[3] != NOW_NS] == [2]


def test_an_alarm_never_waits_for_positions(tmp_path: Path) -> None:
    """They have a file of their own: whoever holds that holds up no alarm."""
    place = tmp_path / "journal.sqlite"
    log = Log(place)
    other = open_database(POSITIONS.place_of(place), POSITIONS.prepare)
    inside, done = threading.Event(), threading.Event()

    def hold(_session: object) -> None:
        inside.set()
        done.wait(30)

    holder = threading.Thread(target=other.write, args=(hold,))
    holder.start()
    inside.wait(10)
    journal = Journal(place)
    key = Key(site="roadway", gateway="gw1", alarm="man_down-3")
    assert journal.store(key, alarm(at_ns=5), stored_at_ns=1)
    done.set()
    holder.join()
    for one in (journal, other, log.log):
        one.close()


def test_what_can_not_be_written_is_told_and_written_later(tmp_path: Path) -> None:
    place = tmp_path / "journal.sqlite"
    log = Log(place)
    log.log._database.rows("PRAGMA query_only = ON")
    log.hear(said(person(1)))
    wait_until(lambda: any("positions are not written down" in line for line in log.said))
    log.log._database.rows("PRAGMA query_only = OFF")
    log.until(lambda rows: len(rows) == 1)
    wait_until(lambda: "written down again; 0 never will be" in log.said[-1])
    log.log.close()
    assert sum("written down" in line for line in log.said) == 2


def test_a_database_that_stays_away_fills_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_positions, "MOST_ROWS", 3)
    log = Log(tmp_path / "journal.sqlite")
    log.log._database.rows("PRAGMA query_only = ON")
    log.hear(said(*(person(track) for track in range(10))))
    wait_until(lambda: log.log.dropped == 7)
    log.log._database.rows("PRAGMA query_only = OFF")
    assert tracks(log.until(lambda rows: len(rows) == 3)) == [7, 8, 9]
    log.log.close()


def test_a_row_that_no_database_takes_costs_no_other(place: Place) -> None:
    log = Log(place)
    log.hear(said(person(1), person(2**70), person(3)))
    log.log.close()
    assert tracks(log.rows()) == [1, 3]
    assert log.log.dropped == 1


def test_hearing_never_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_positions, "MOST_WAITING", 2)
    held = threading.Event()
    monkeypatch.setattr(Thinning, "rows", lambda *_: held.wait(30) and [])
    log = Log(tmp_path / "journal.sqlite")
    began_s = time.thread_time()
    for _ in range(8):
        log.clock.sleep(2)
        log.hear(said(person(1)))
    assert time.thread_time() - began_s < 5
    assert log.log.dropped >= 4
    held.set()
    wait_until(lambda: bool(log.said))
    assert f"not written down as fast as they come: {log.log.dropped} lost" in log.said[0]
    log.log.close()


def test_a_file_that_holds_no_positions_is_named(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite.positions").write_text("no database, but long enough" * 50)
    with pytest.raises(JournalError, match=r"journal\.sqlite\.positions"):
        Log(tmp_path / "journal.sqlite")


def newer(file: Path) -> None:
    with closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA user_version = 7")


@pytest.mark.parametrize(
    "damage", [lambda file: file.write_bytes(b"garbage" * 1000), lambda file: file.mkdir(), newer]
)
def test_a_damaged_file_costs_the_positions_only(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    file = tmp_path / "journal.sqlite.positions"
    damage(file)
    clock, said = ReplayClock(NOW_NS), list[str]()
    with closing(Journal(tmp_path / "journal.sqlite")) as journal:
        key = Key(site="roadway", gateway="gw1", alarm="brief")
        for state in ("active", "cleared"):
            word = alarm("brief", at_ns=5, kind="immobile", severity="warning", state=state)
            journal.store(key, word, stored_at_ns=1)
        keeping = Keeping(alarms_days=1.0)
        with positions_kept(keeping, journal, clock, said.append) as also:
            heard: list[object] = []
            also(lambda *words: heard.append(words))(
                Address(prefix="mine", site="roadway", gateway="gw1", topic="site"),
                Envelope(type="x", gateway="gw1", seq=1, sent_at_ns=NOW_NS, body=description()),
            )
            assert len(heard) == 1
            wait_until(lambda: journal.history() == [])  # old alarms are forgotten all the same
    [line] = said
    assert line.startswith(f"positions are not written down: {file}: ")
    assert "--journal" not in line
