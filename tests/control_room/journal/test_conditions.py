"""What was watched when, written down as stretches: a gap must never look like all is well."""

import json
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from control_room.conditions import Looks
from control_room.head_count import HeadCount
from control_room.journal import conditions as journal_conditions
from control_room.journal.conditions import (
    CONDITIONS,
    GAP_S,
    STRETCH_NS,
    Condition,
    ConditionLog,
    Stretches,
)
from control_room.journal.database import JournalError, Place, Row, open_database
from control_room.journal.journal import Journal
from control_room.journal.options import Keeping, conditions_kept
from control_room.journal.side_log import AT_ONCE, SideLog
from control_room.journal.side_table import SideTable
from control_room.lifecycle import Key
from control_room.main import open_room
from delivery.broker import EmbeddedBroker
from scene.clock import ReplayClock, SystemClock
from scene.messages import GatewayHealth
from scene.site import BrokerConfig
from scene.topics import Address
from scene.wire import Envelope, type_name
from tests.control_room.fake_gateway import GATEWAY, SITE, alarm, description, health, people_at
from tests.control_room.postgres import wait_until

NOW_NS = 1_790_000_000_000_000_000
S = 1_000_000_000
DAY_S = 86_400


def condition(body: str = "{}", gateway: str = "gw1", **changes: Any) -> Condition:
    return Condition(what="gateway", site="roadway", gateway=gateway, body=body, **changes)


def spans(stretches: Stretches) -> list[tuple[float, float, str]]:
    """From, until in seconds, and the body, of all that has changed."""
    return [
        ((row[3] - NOW_NS) / S, (row[4] - NOW_NS) / S, row[5])  # type: ignore[operator,misc]
        for row in stretches.take()
    ]


def look(stretches: Stretches, at_s: float, body: str = "{}", **changes: Any) -> None:
    stretches.look([condition(body, **changes)], NOW_NS + round(at_s * S), at_s)


def test_what_stays_the_same_is_one_stretch() -> None:
    stretches = Stretches()
    for at_s in range(0, 100, 5):
        look(stretches, at_s)
    assert spans(stretches) == [(0, 95, "{}")]


def test_a_change_ends_a_stretch_where_the_next_begins() -> None:
    stretches = Stretches()
    for at_s, body in ((0, "a"), (5, "a"), (10, "b"), (15, "b")):
        look(stretches, at_s, body)
    assert spans(stretches) == [(0, 10, "a"), (10, 15, "b")]


def test_figures_that_are_no_news_begin_no_stretch() -> None:
    stretches = Stretches()
    look(stretches, 0, "0.81 a second", same="slow")
    look(stretches, 5, "0.79 a second", same="slow")
    assert spans(stretches) == [(0, 5, "0.81 a second")]


def test_nobody_knows_what_was_while_nobody_looked() -> None:
    stretches = Stretches()
    look(stretches, 0)
    look(stretches, 5)
    look(stretches, 5 + GAP_S + 1)
    assert spans(stretches) == [(0, 5, "{}"), (21, 21, "{}")]


@pytest.mark.parametrize("set_s", [-3600, 3600])
def test_a_clock_that_is_set_begins_a_new_stretch(set_s: float) -> None:
    stretches = Stretches()
    look(stretches, 0)
    stretches.look([condition()], NOW_NS + round((5 + set_s) * S), 5)
    assert [end - start for start, end, _ in spans(stretches)] == [0, 0]


def test_no_stretch_is_longer_than_a_reader_looks_back() -> None:
    stretches, step_s = Stretches(), 10
    for at_s in range(0, round(2.5 * STRETCH_NS / S), step_s):
        look(stretches, at_s)
    found = spans(stretches)
    assert len(found) == 3
    assert all(end - start <= STRETCH_NS / S + step_s for start, end, _ in found)
    assert [one[1] for one in found[:-1]] == [one[0] for one in found[1:]], "no gap between"


def test_gateways_beyond_the_most_are_left_out_and_that_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_conditions, "MOST_KEYS", 2)
    log = Log(tmp_path / "journal.sqlite")
    log.found = [condition(gateway=f"gw{number}") for number in range(4)]
    for _ in range(3):
        log.look_again()
    log.log.close()
    assert {row[2] for row in log.rows()} == {"gw1", "gw0"}
    assert log.said == [
        "there are more than 2 gateways and sites; how the others are is not written down"
    ]


class Log:
    """A log with a clock that is moved by hand."""

    def __init__(self, place: Place, **more: Any) -> None:
        self.clock = ReplayClock(NOW_NS)
        self.place, self.found, self.said = place, [condition()], list[str]()
        self.looks = 0
        self.log = ConditionLog(place, self.clock, self.said.append, self.look, look_s=0.01, **more)

    def look(self) -> list[Condition]:
        self.looks += 1
        return self.found

    def look_again(self) -> None:
        """Return when it has looked at what holds now, and written that."""
        before = self.looks
        wait_until(lambda: self.looks >= before + 3)

    def rows(self) -> list[Row]:
        with closing(
            open_database(CONDITIONS.place_of(self.place), CONDITIONS.prepare)
        ) as database:
            return database.rows("SELECT * FROM condition ORDER BY from_ns, gateway")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_it_is_written_down_and_goes_on(place: Place) -> None:
    log = Log(place)
    wait_until(lambda: len(log.rows()) == 1)
    log.clock.sleep(5)
    log.look_again()
    log.found = [condition("{}"), condition('{"silent":true}', "网关 2")]
    log.clock.sleep(5)
    log.log.close()
    rows = log.rows()
    assert [(row[2], (row[4] - row[3]) / S, row[5]) for row in rows] == [
        ("gw1", 10, "{}"),
        ("网关 2", 0, '{"silent":true}'),
    ]
    assert log.said == []


def test_old_conditions_are_forgotten(place: Place) -> None:
    log = Log(place, keep_days=8.0)
    wait_until(lambda: len(log.rows()) == 1)
    log.clock.sleep(9 * DAY_S)
    log.look_again()
    log.clock.sleep(7 * DAY_S)  # on a server a week goes when all of it is old
    wait_until(lambda: [(row[3] - NOW_NS) / S for row in log.rows()] == [9 * DAY_S, 16 * DAY_S])
    log.log.close()


def test_what_can_not_be_written_is_told_and_written_later(tmp_path: Path) -> None:
    log = Log(tmp_path / "journal.sqlite")
    wait_until(lambda: len(log.rows()) == 1)
    log.log._database.rows("PRAGMA query_only = ON")
    log.clock.sleep(5)
    wait_until(lambda: bool(log.said))
    assert "conditions are not written down" in log.said[0]
    log.log._database.rows("PRAGMA query_only = OFF")
    wait_until(lambda: len(log.said) == 2)
    assert "written down again; 0 never will be" in log.said[1]
    log.log.close()
    assert [row[4] - row[3] for row in log.rows()] == [5 * S], "with its own time, nothing lost"


def test_a_database_that_stays_away_fills_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_conditions, "MOST_ROWS", 3)
    log = Log(tmp_path / "journal.sqlite")
    wait_until(lambda: len(log.rows()) == 1)
    log.log._database.rows("PRAGMA query_only = ON")
    log.found = [condition(gateway=f"new {number}") for number in range(10)]
    wait_until(lambda: log.log.dropped >= 7)
    assert len(log.log._rows) == 3
    log.log._database.rows("PRAGMA query_only = OFF")
    log.log.close()


def test_a_row_that_no_database_takes_costs_no_other(place: Place) -> None:
    log = Log(place)
    log.found = [condition(gateway="a"), condition(gateway="b\ud800"), condition(gateway="c")]
    log.look_again()
    log.log.close()
    assert {"a", "c"} <= {row[2] for row in log.rows()}
    assert "b\ud800" not in {row[2] for row in log.rows()}


def test_while_old_ones_are_forgotten_it_goes_on_looking(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Millions take long."""
    log, forgotten = None, threading.Event()

    def never_done(*_: object) -> int:
        forgotten.set()
        return 0 if log is not None and log.looks > 5 else AT_ONCE

    monkeypatch.setattr(SideTable, "forget", never_done)
    log = Log(place)
    wait_until(forgotten.is_set)
    wait_until(lambda: log.looks > 5)
    log.log.close()
    assert [row[3] for row in log.rows()] == [NOW_NS]


def test_a_disk_that_takes_no_rows_is_made_room_on(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise JournalError("no space left")

    with closing(open_database(CONDITIONS.place_of(place), CONDITIONS.prepare)) as database:
        old = ("gateway", "s", "g", 0, 1, "{}")
        database.write(lambda session: session.change(CONDITIONS.insert, *old))
    monkeypatch.setattr(SideLog, "_insert", full)
    log = Log(place)
    wait_until(lambda: log.rows() == [])
    log.log.close()
    assert log.said == ["conditions are not written down: no space left"]


def test_a_look_that_fails_costs_no_later_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fails = True

    def look() -> list[Condition]:
        if fails:
            raise RuntimeError("on purpose")
        return [condition()]

    place, clock = tmp_path / "journal.sqlite", ReplayClock(NOW_NS)
    log = ConditionLog(place, clock, print, look, look_s=0.01)
    wait_until(lambda: "on purpose" in capsys.readouterr().err)
    fails = False
    with closing(open_database(CONDITIONS.place_of(place), CONDITIONS.prepare)) as database:
        wait_until(lambda: bool(database.rows("SELECT 1 FROM condition")))
    log.close()


def test_an_alarm_never_waits_for_conditions(tmp_path: Path) -> None:
    """They have a file of their own: whoever holds that holds up no alarm."""
    place = tmp_path / "journal.sqlite"
    log = Log(place)
    other = open_database(CONDITIONS.place_of(place), CONDITIONS.prepare)
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


def newer(file: Path) -> None:
    with closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA user_version = 7")


class NoRoom:
    """A control room that hears nobody."""

    def __init__(self) -> None:
        self.heads = HeadCount()

    def how_it_is(self) -> dict[str, Any]:
        return {"broker": True, "trouble": "", "operators": 1, "positions_lost": {}}


@pytest.mark.parametrize(
    "damage", [lambda file: file.write_bytes(b"garbage" * 1000), lambda file: file.mkdir(), newer]
)
def test_a_damaged_file_costs_the_conditions_only(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    file = tmp_path / "journal.sqlite.conditions"
    damage(file)
    said: list[str] = []
    with (
        closing(Journal(tmp_path / "journal.sqlite")) as journal,
        conditions_kept(Keeping(), journal, ReplayClock(NOW_NS), said.append, NoRoom()),
    ):
        key = Key(site="roadway", gateway="gw1", alarm="man_down-3")
        assert journal.store(key, alarm(at_ns=5), stored_at_ns=1)
    [line] = said
    assert line.startswith(f"conditions are not written down: {file}: ")
    assert "--journal" not in line
    with pytest.raises(JournalError):
        Log(tmp_path / "journal.sqlite")


def test_with_0_days_nothing_is_written_down_and_all_is_forgotten(place: Place) -> None:
    log = Log(place)
    wait_until(lambda: len(log.rows()) == 1)
    log.log.close()
    with (
        closing(Journal(place)) as journal,
        conditions_kept(
            Keeping(conditions_days=0.0), journal, ReplayClock(NOW_NS + S), print, NoRoom()
        ),
    ):
        wait_until(lambda: log.rows() == [])


def hear(room: Any, body: Any) -> None:
    address = Address(prefix="mine", site=SITE, gateway=GATEWAY, topic=type_name(body))
    now_ns = time.time_ns()
    envelope = Envelope(type=address.topic, gateway=GATEWAY, seq=1, sent_at_ns=now_ns, body=body)
    room.hear(address, envelope)


def told(rows: list[Row], what: str, gateway: str) -> dict[str, Any]:
    """Read the newest condition of something."""
    found = [row for row in rows if (row[0], row[2]) == (what, gateway)]
    read: dict[str, Any] = json.loads(max(found, key=lambda row: row[3])[5]) if found else {}
    return read


def test_a_control_room_writes_down_itself_its_count_its_gateways_and_their_roadways(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_conditions, "FIRST_S", 0.0)
    monkeypatch.setattr(ConditionLog.__init__, "__kwdefaults__", {"look_s": 0.05, "keep_days": 9.0})
    with (
        EmbeddedBroker() as broker,
        open_room(
            BrokerConfig(url=broker.url),
            place,
            SystemClock(),
            operators=3,
            keeping=Keeping(),
            expected=[(SITE, "gw9")],
        ) as room,
        closing(open_database(CONDITIONS.place_of(place), CONDITIONS.prepare)) as database,
    ):

        def rows() -> list[Row]:
            return database.rows("SELECT * FROM condition")

        wait_until(lambda: told(rows(), "room", "").get("operators") == 3)
        assert told(rows(), "room", "")["broker"] is True
        wait_until(lambda: told(rows(), "gateway", "gw9").get("never_heard") is True)

        def speaks() -> bool:
            hear(room, description())
            hear(room, health(time.time_ns()))
            hear(room, people_at(0, time.time_ns()))
            heads, gateway = told(rows(), "heads", ""), told(rows(), "gateway", GATEWAY)
            return heads.get("people") == 2 and bool(gateway.get("cameras"))

        wait_until(speaks)
        heads, gateway = told(rows(), "heads", ""), told(rows(), "gateway", GATEWAY)
        assert (heads["metres_seen"], heads["metres"], heads["complete"]) == (37, 40, False)
        assert heads["blind"] == [[0.0, 3.0, GATEWAY]]
        assert heads["areas"][0][0] == "conveyor"
        assert gateway["cameras"] == {"c1": "ok", "c2": "lost"}
        assert gateway["silent"] is False
        roadway = told(rows(), "roadway", GATEWAY)
        assert roadway["centre_line_m"][0] == [0.0, 0.0, 0.0]
        assert "password" not in json.dumps(roadway)
        wait_until(lambda: told(rows(), "gateway", GATEWAY)["silent"])  # it says no more
        wait_until(lambda: told(rows(), "heads", "")["metres_seen"] == 0)


def test_detection_that_gives_nothing_is_written_as_uncounted_not_as_0(
    tmp_path: Path,
) -> None:
    room = NoRoom()
    well: GatewayHealth = health(NOW_NS)
    blind = replace(well, degraded="detection is too slow", coverage=(0,) * 40)
    for body in (description(), blind):
        address = Address(prefix="mine", site=SITE, gateway=GATEWAY, topic=type_name(body))
        envelope = Envelope(type="x", gateway=GATEWAY, seq=1, sent_at_ns=NOW_NS, body=body)
        room.heads.hear(address, envelope, NOW_NS)
    [heads] = [one for one in Looks(room).now(ReplayClock(NOW_NS)) if one.what == "heads"]
    body = json.loads(heads.body)
    assert (body["uncounted"], body["metres_seen"], body["complete"]) == ([GATEWAY], 0, False)


def test_a_gateway_that_spoke_while_heads_were_counted_is_not_silent() -> None:
    """Counting a large mine takes long; the gateway is asked for by the time after that."""
    clock, room = ReplayClock(NOW_NS), NoRoom()
    counts = room.heads.muster

    def hear(body: Any) -> None:
        address = Address(prefix="mine", site=SITE, gateway=GATEWAY, topic=type_name(body))
        now_ns = clock.now_ns()
        envelope = Envelope(type="x", gateway=GATEWAY, seq=1, sent_at_ns=now_ns, body=body)
        room.heads.hear(address, envelope, now_ns)

    def slowly(site: str, now_ns: int) -> Any:
        counted = counts(site, now_ns)
        clock.sleep(30)
        hear(health(clock.now_ns()))
        return counted

    hear(description())
    hear(health(NOW_NS))
    room.heads.muster = slowly  # type: ignore[method-assign]
    [gateway] = [one for one in Looks(room).now(clock) if one.what == "gateway"]
    assert json.loads(gateway.body)["silent"] is False
