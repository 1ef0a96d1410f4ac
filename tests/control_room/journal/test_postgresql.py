"""What only a server can do: be away, hang, refuse, be full."""

import json
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from secrets import token_hex

import httpx
import pytest

from control_room.journal.audit import faults_of
from control_room.journal.database import (
    AGAIN_S,
    ANSWER_S,
    JournalError,
    SqliteDatabase,
    UnfitAlarmError,
    place_of,
)
from control_room.journal.journal import Journal
from control_room.journal.options import Keeping
from control_room.journal.postgresql import Pace
from control_room.journal.query import open_for
from control_room.lifecycle import Act, Key
from control_room.main import open_room
from control_room.room import Room
from control_room.server import serving
from scene.clock import SystemClock
from scene.messages import Anomaly
from scene.site import BrokerConfig
from tests.control_room.fake_gateway import LocalGateway, alarm
from tests.control_room.postgres import (
    NO_POSTGRES,
    Postgres,
    has_postgres,
    pids_of,
    postgres,
    stopped,
    wait_until,
)
from tests.control_room.slow_link import slow_link
from tests.control_room.test_whole_way import BrokerGateway
from tests.delivery.parts import MOSQUITTO, NO_MOSQUITTO, mosquitto

KEY = Key(site="roadway", gateway="gw1", alarm="man_down-3")
SECRET = "correct-horse-battery"


@pytest.fixture(scope="module")
def own_server() -> Iterator[Postgres]:
    """A server that is stopped, locked and filled, so that no other test should use it."""
    if not has_postgres():
        pytest.skip(NO_POSTGRES)
    pytest.importorskip("psycopg")
    with postgres() as started:
        yield started


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PGPASSWORD", raising=False)
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "none"))


def can_store(journal: Journal, said: Anomaly) -> bool:
    try:
        journal.store(KEY, said, stored_at_ns=1)
    except JournalError:
        return False
    return True


def test_a_server_that_goes_away_is_an_error_and_found_again(own_server: Postgres) -> None:
    journal = Journal(own_server.new_database(), required=True)
    journal.store(KEY, alarm(at_ns=5), stored_at_ns=1)
    own_server.stop()
    for _ in range(2):  # the first one notices, the second one knows
        with pytest.raises(JournalError, match=r"postgresql://lamproom@.*can't be written"):
            journal.store(KEY, alarm(at_ns=6, raised_at_ns=5), stored_at_ns=1)
    with pytest.raises(JournalError, match="can't be read"):
        journal.open_entries()
    own_server.start()
    wait_until(lambda: can_store(journal, alarm(at_ns=7, raised_at_ns=5)))
    entry = journal.entry(KEY)
    assert entry is not None
    assert entry.last.captured_at_ns == 7
    journal.close()


def test_while_it_is_away_nobody_waits(own_server: Postgres) -> None:
    """Not for a connection: that is the work of a thread of its own."""
    journal = Journal(own_server.new_database(), required=True)
    own_server.stop()
    with pytest.raises(JournalError):
        journal.store(KEY, alarm(at_ns=5), stored_at_ns=1)
    began_s = time.thread_time()
    for _ in range(20):
        with pytest.raises(JournalError, match="is away"):
            journal.history()
    assert time.thread_time() - began_s < 1.0
    own_server.start()
    journal.close()


def test_a_server_that_hangs_is_given_up_and_found_again(own_server: Postgres) -> None:
    journal = Journal(own_server.new_database(), required=True)
    with stopped(pids_of("lamproom", own_server)):
        began_s = time.monotonic()
        with pytest.raises(JournalError, match=f"no answer for {ANSWER_S:g} s"):
            journal.store(KEY, alarm(at_ns=5), stored_at_ns=1)
        assert time.monotonic() - began_s < 10 * ANSWER_S
        # The server itself still lets us in.
        wait_until(lambda: can_store(journal, alarm(at_ns=6)))
    journal.close()


def test_a_locked_table_is_not_waited_for_long(own_server: Postgres) -> None:
    import psycopg

    place = own_server.new_database()
    journal = Journal(place, required=True)
    with psycopg.connect(place) as somebody:
        somebody.execute("LOCK TABLE change")
        with pytest.raises(JournalError, match="lock timeout"):
            journal.store(KEY, alarm(at_ns=5), stored_at_ns=1)
    assert journal.store(KEY, alarm(at_ns=5), stored_at_ns=1), "the connection is as good as before"
    journal.close()


def test_a_control_room_may_start_before_its_server(
    own_server: Postgres, capfd: pytest.CaptureFixture[str]
) -> None:
    place = own_server.new_database()
    own_server.stop()
    with pytest.raises(JournalError, match=r"^postgresql://lamproom@"):
        Journal(place, required=True)
    journal = Journal(place)
    assert "postgresql://lamproom@" in capfd.readouterr().err
    with pytest.raises(JournalError, match="is away"):
        journal.open_entries()
    own_server.start()
    wait_until(lambda: can_store(journal, alarm(at_ns=5)))
    journal.close()


def test_two_control_rooms_write_one_chain(own_server: Postgres) -> None:
    place = own_server.new_database()
    rooms = [Journal(place, required=True) for _ in range(2)]

    def log_in(journal: Journal) -> None:
        for i in range(25):
            journal.audit(who="x", what="log_in", at_ns=i)

    with ThreadPoolExecutor() as threads:
        list(threads.map(log_in, rooms))
    assert {journal.head().number for journal in rooms} == {50}
    assert faults_of(rooms[0]._database, []) == (rooms[1].head(), [])
    for journal in rooms:
        journal.close()


def test_what_no_database_takes_is_the_alarms_fault(own_server: Postgres) -> None:
    journal = Journal(own_server.new_database(), required=True)
    for said in (alarm(at_ns=2**63), alarm(at_ns=5, kind="a\0b"), alarm(at_ns=5, kind="\ud800")):
        with pytest.raises(UnfitAlarmError):
            journal.store(KEY, said, stored_at_ns=1)
    assert can_store(journal, alarm(at_ns=5, zone="采煤工作面"))
    journal.close()


def test_a_database_that_can_not_hold_chinese_is_refused(own_server: Postgres) -> None:
    own_server.run_sql(
        "CREATE DATABASE old ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    )
    with pytest.raises(JournalError, match=r"LATIN1.*UTF8"):
        Journal(own_server.address("old"))


def test_who_may_make_no_temporary_table_can_write_all_the_same(own_server: Postgres) -> None:
    own_server.run_sql(
        "CREATE ROLE poor LOGIN",
        "CREATE DATABASE strict OWNER poor",
        "REVOKE TEMPORARY ON DATABASE strict FROM PUBLIC, poor",
    )
    with closing(Journal(own_server.address("strict", "poor"), required=True)) as journal:
        journal.check_writable()


def test_a_journal_of_a_newer_version_is_left_alone(own_server: Postgres) -> None:
    place = own_server.new_database()
    Journal(place, required=True).close()
    import psycopg

    with psycopg.connect(place) as somebody:
        somebody.execute("UPDATE journal_version SET version = 99")
    with pytest.raises(JournalError, match=r"version 99.*--journal"):
        Journal(place)


@pytest.fixture
def locked(own_server: Postgres) -> Iterator[str]:
    """A user who needs a password."""
    own_server.run_sql(
        f"CREATE ROLE miner LOGIN PASSWORD '{SECRET}'", "CREATE DATABASE locked OWNER miner"
    )
    own_server.trust("local all lamproom trust\nlocal all miner scram-sha-256\n")
    yield own_server.address("locked", user="miner")
    own_server.trust("local all all trust\n")
    own_server.run_sql("DROP DATABASE locked", "DROP ROLE miner")


def test_the_password_comes_from_a_file_and_is_never_said(
    locked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "pgpass"
    file.write_text(f"*:*:locked:miner:{SECRET}\n")
    file.chmod(stat.S_IRUSR | stat.S_IWUSR)
    monkeypatch.setenv("PGPASSFILE", str(file))
    journal = Journal(locked, required=True)
    assert can_store(journal, alarm(at_ns=5))
    journal.close()
    file.write_text(f"*:*:locked:miner:not-{SECRET}\n")
    with pytest.raises(JournalError, match="miner") as refused:
        Journal(locked, required=True)
    assert SECRET not in str(refused.value)
    monkeypatch.setenv("PGPASSWORD", SECRET)
    Journal(locked, required=True).close()
    assert SECRET not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    "address",
    [
        f"postgresql://miner:{SECRET}@db.mine/journal",
        f"postgres://db.mine/journal?user=miner&password={SECRET}",
        f"postgresql://db.mine/journal?sslpassword={SECRET}",
    ],
)
def test_a_password_in_the_address_is_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(JournalError, match="PGPASSFILE") as refused:
        place_of(address)
    assert SECRET not in str(refused.value)


def test_an_address_that_is_none_is_not_repeated() -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(JournalError, match="postgresql://user@host") as refused:
        Journal(f"postgresql://db.mine/journal?pasword={SECRET}")
    assert SECRET not in str(refused.value)


def fill(journal: Journal) -> bool:
    """Store alarms until there is no room; tells whether that came to pass."""
    for i in range(60):
        key = Key(site="roadway", gateway="gw1", alarm=f"big-{i}")
        try:
            journal.store(
                key, alarm(key.alarm, at_ns=i, evidence=token_hex(400_000)), stored_at_ns=1
            )
        except JournalError as error:
            return not isinstance(error, UnfitAlarmError)
    return False


def full_sqlite(journal: Journal, _server: Postgres | None) -> Callable[[], None]:
    database = journal._database
    assert isinstance(database, SqliteDatabase)
    database.rows("PRAGMA max_page_count = 2000")

    def free() -> None:
        database.rows("PRAGMA max_page_count = 1000000")

    return free


def full_server(_journal: Journal, server: Postgres | None) -> Callable[[], None]:
    assert server is not None
    pids = pids_of("lamproom", server)
    # As much as a log segment of the server, so that it can write those.
    server.limit_files(pids, "17000000")
    return lambda: server.limit_files(pids, "unlimited")


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_full_database_takes_no_alarm_and_takes_them_again(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    server: Postgres | None = None
    if kind == "postgresql":
        server = request.getfixturevalue("own_server")
        assert isinstance(server, Postgres)
        journal = Journal(server.new_database(), required=True)
        free = full_server(journal, server)
    else:
        journal = Journal(tmp_path / "journal.sqlite")
        free = full_sqlite(journal, None)
    assert fill(journal)
    known = len(journal.history(1000))
    assert known > 0, "what was stored can still be read"
    free()
    assert can_store(journal, alarm(at_ns=5))
    journal.note(KEY, Act(action="acknowledge", by="x", reason="", at_ns=6))
    assert len(journal.history(1000)) == known + 1
    journal.close()


def test_without_the_driver_the_extra_is_named(tmp_path: Path) -> None:
    (tmp_path / "psycopg.py").write_text("raise ImportError('not installed')")
    code = (
        "from control_room.journal.journal import Journal; Journal('postgresql://db.mine/journal')"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {code}"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[3],
    )
    assert "install lamproom with its extra `postgresql`" in done.stderr


class Page:
    """What somebody who looks at the page is told."""

    def __init__(self) -> None:
        self.alarms: list[str] = []
        self.words: list[tuple[str, str]] = []
        """Of each alarm that was told: its id and state."""
        self.trouble = ""

    def listen(self, about: str, text: str) -> None:
        said = json.loads(text)
        if about == "alarm":
            self.alarms.append(said["anomaly"]["id"])
            self.words.append((said["anomaly"]["id"], said["anomaly"]["state"]))
        elif about == "clock":
            self.trouble = said["trouble"]


@pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)
def test_while_the_database_is_away_people_hear_and_gateways_keep_their_alarms(
    own_server: Postgres, tmp_path: Path
) -> None:
    """As with a disk that is full: shown, not receipted, said; and all is made good later."""
    (tmp_path / "broker").mkdir()
    page, place = Page(), own_server.new_database()
    with mosquitto(tmp_path / "broker") as broker:
        config = BrokerConfig(url=broker.url)
        with (
            open_room(config, place, SystemClock(), keeping=Keeping()) as room,
            BrokerGateway(broker.url, tmp_path / "state") as gateway,
        ):
            room.join(page.listen)
            gateway.publisher.alarm(alarm("before", at_ns=time.time_ns()))
            wait_until(lambda: gateway.outbox.pending() == [])
            own_server.stop()
            gateway.publisher.alarm(alarm("meanwhile", at_ns=time.time_ns()))
            wait_until(lambda: "meanwhile" in page.alarms)
            room.tick()
            assert "the journal can't be" in page.trouble
            assert [one.id for one in gateway.outbox.pending()] == ["meanwhile"]
            own_server.start()
            wait_until(lambda: gateway.outbox.pending() == [])
            room.tick()
            assert page.trouble == ""
            with closing(open_for(place, "positions")) as database:
                wait_until(lambda: len(database.rows("SELECT * FROM position")) >= 2)
    journal = Journal(place, required=True)
    assert {entry.key.alarm for entry in journal.history()} >= {"before", "meanwhile"}
    journal.close()


def test_a_server_that_is_slow_counts_as_away(own_server: Postgres) -> None:
    """Alarms wait behind every answer; without a journal people hear at once."""
    with slow_link(own_server.new_database()) as link:
        journal = Journal(link.address)
        wait_until(lambda: can_store(journal, alarm(at_ns=5)))
        link.delay_s = 0.5
        asked = 0
        with pytest.raises(JournalError, match=r"is away: it takes 0\.\d s for an answer"):
            for asked in range(10):  # noqa: B007
                journal.shelved()
        assert asked <= 4, "noticed in some 2 s"
        for _ in range(3):  # a connection that is as slow is none either
            time.sleep(AGAIN_S)
            with pytest.raises(JournalError, match="is away"):
                journal.shelved()
        link.delay_s = 0.0
        wait_until(lambda: can_store(journal, alarm(at_ns=7, raised_at_ns=5)))
        journal.close()
        tool = Journal(link.address, required=True)
        link.delay_s = 0.5  # who only looks may wait
        for _ in range(4):
            assert tool.shelved() == []
        tool.close()


def test_one_slow_answer_is_no_slow_server() -> None:
    pace = Pace()
    for _ in range(20):
        pace.note(0.002, 1)
    pace.note(0.6, 1)
    assert not pace.is_slow, "somebody held a table for a moment"
    pace.note(0.6, 1)
    assert pace.is_slow
    assert pace.why == "it takes 0.3 s for an answer"
    pace.note(2.0, 1000)
    assert not pace.is_slow, "much was done in that time"


def test_what_is_stored_is_told_though_it_can_not_be_read_again(own_server: Postgres) -> None:
    with closing(Vanishing(own_server.new_database(), required=True)) as journal:
        page = Page()
        room = Room(journal, SystemClock(), lambda *_: None, lambda *_: None, prefix="mine")
        with LocalGateway(room.hear) as gateway:
            room.join(page.listen)
            gateway.say(alarm("before", at_ns=5))
            assert page.alarms == ["before"]
            journal.vanishes = own_server.stop
            gateway.say(alarm("stored", at_ns=6))
            assert page.alarms == ["before", "stored"]
        own_server.start()


class Vanishing(Journal):
    """A journal whose server goes away just after it has stored something."""

    vanishes: Callable[[], None] | None = None

    def store_all(self, changes: Sequence[tuple[Key, Anomaly]], *, stored_at_ns: int) -> list[bool]:
        done = super().store_all(changes, stored_at_ns=stored_at_ns)
        if self.vanishes is not None:
            self.vanishes()
        return done


def test_viewers_are_not_told_where_the_database_is(
    own_server: Postgres, capfd: pytest.CaptureFixture[str]
) -> None:
    with closing(Journal(own_server.new_database(), required=True)) as journal:
        room = Room(journal, SystemClock(), lambda *_: None, lambda *_: None, prefix="mine")
        with LocalGateway(room.hear) as gateway, serving(room, gateway.open_stream) as url:
            own_server.stop()
            for path in ("alarm-rate", "alarms/history", "history"):
                for _ in range(2):
                    answer = httpx.get(f"{url}api/{path}")
                    assert answer.status_code == 503
                    assert answer.json()["error"] == (
                        "the journal can't be used now; why is in the control room's log"
                    )
        own_server.start()
    said = capfd.readouterr().err
    assert "postgresql://lamproom@" in said


def test_a_server_that_only_reads_is_named_and_written_to_once_it_does(
    own_server: Postgres,
) -> None:
    with closing(Journal(own_server.new_database(), required=True)) as journal:
        assert can_store(journal, alarm(at_ns=5))
        read_only(own_server, "on")
        wait_until(lambda: not can_store(journal, alarm(at_ns=6, state="cleared")))
        with pytest.raises(JournalError, match=r"read-only.*target_session_attrs"):
            journal.store(KEY, alarm(at_ns=6, state="cleared"), stored_at_ns=1)
        read_only(own_server, "off")
        wait_until(lambda: can_store(journal, alarm(at_ns=6, state="cleared")))


def read_only(server: Postgres, how: str) -> None:
    server.run_sql(
        "SET default_transaction_read_only = off",
        f"ALTER SYSTEM SET default_transaction_read_only = {how}",
        "SELECT pg_reload_conf()",
    )


def test_a_server_with_no_connection_to_spare_is_named_and_found_once_there_is_one(
    own_server: Postgres, capfd: pytest.CaptureFixture[str]
) -> None:
    import psycopg

    role = f"few_{token_hex(4)}"
    own_server.run_sql(
        f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 1",
        f"CREATE SCHEMA {role} AUTHORIZATION {role}",
    )
    place = own_server.address("postgres", role) + f"&options=-csearch_path%3D{role}"
    with psycopg.connect(place):
        capfd.readouterr()
        journal = Journal(place)
        assert "raise the role's CONNECTION LIMIT" in capfd.readouterr().err
        assert not can_store(journal, alarm(at_ns=5))
    with closing(journal):
        wait_until(lambda: can_store(journal, alarm(at_ns=5)))
        with pytest.raises(JournalError, match="CONNECTION LIMIT"), journal.apart():
            pass
        assert can_store(journal, alarm(at_ns=6, state="cleared")), "alarms have one of their own"
