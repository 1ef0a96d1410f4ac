"""A database server whose disk is full, that is killed, or whose certificate is not valid.

People hear of alarms all the same and are told within 5 s; gateways keep what is not stored, and
all of it arrives once the server can write again.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from control_room.journal.database import JournalError, Place
from control_room.journal.journal import Journal
from control_room.journal.options import Keeping
from control_room.journal.query import Question, answer, open_for
from control_room.main import open_room
from control_room.room import Room
from scene.clock import SystemClock
from scene.site import BrokerConfig
from tests.control_room.access.pages import make_certificate
from tests.control_room.fake_gateway import alarm
from tests.control_room.journal.test_postgresql import Page
from tests.control_room.postgres import NO_POSTGRES, Postgres, has_postgres, postgres, wait_until
from tests.control_room.test_whole_way import BrokerGateway
from tests.delivery.parts import MOSQUITTO, NO_MOSQUITTO, free_port, mosquitto

SIZE_MB = 160
TOLD_S = 5.0
MOST = 400
Full = tuple[Place, Path, Callable[[], None]]


@contextmanager
def small_disk(at: Path) -> Iterator[Path]:
    """Mount a disk in memory that is soon full; skips where that may not be done."""
    at.mkdir(exist_ok=True)
    words = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "lamproom-test", str(at)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a small disk can't be mounted here: {done.stderr.strip()}")
    try:
        yield at
    finally:
        subprocess.run(["umount", "-l", str(at)], check=True, capture_output=True)


@pytest.fixture
def cramped() -> Iterator[tuple[Postgres, Path]]:
    """A server of its own, all of whose files lie on a small disk."""
    if not has_postgres():
        pytest.skip(NO_POSTGRES)
    pytest.importorskip("psycopg")
    if os.geteuid() != 0:
        pytest.skip("a disk of its own needs root")
    # Short, for the path of a socket is; pytest's own folders are not.
    folder = Path(tempfile.mkdtemp(prefix="pg-")) / "disk"
    folder.parent.chmod(0o755)
    with small_disk(folder):
        folder.chmod(0o755)
        (folder / "server").mkdir()
        server = Postgres(folder / "server")
        try:
            yield server, folder
        finally:
            server.stop()
    shutil.rmtree(folder.parent)


def ballast(disk: Path, leave_kb: int) -> Path:
    """Fill a disk until so much is left."""
    file = disk / f"ballast-{leave_kb}"
    with file.open("wb", buffering=0) as out, contextlib.suppress(OSError):
        while shutil.disk_usage(disk).free > leave_kb << 10:
            out.write(bytes(4096))
    return file


class Gateway(BrokerGateway):
    """One that raises alarms which take room."""

    raised = 0

    def __enter__(self) -> "Gateway":
        super().__enter__()
        return self

    def raise_one(self) -> str:
        Gateway.raised += 1
        id = f"big-{Gateway.raised}"
        evidence = os.urandom(20_000).hex()
        self.publisher.alarm(alarm(id, at_ns=time.time_ns(), evidence=evidence))
        return id


@pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)
def test_a_full_disk_is_told_and_nothing_is_lost(full: Full, tmp_path: Path) -> None:
    place, disk, go_on = full
    page = Page()
    (tmp_path / "broker").mkdir()
    with (
        mosquitto(tmp_path / "broker") as broker,
        open_room(BrokerConfig(url=broker.url), place, SystemClock(), keeping=Keeping()) as room,
        Gateway(broker.url, tmp_path / "state") as gateway,
    ):
        room.join(page.listen)
        said = [gateway.raise_one()]
        wait_until(lambda: gateway.outbox.pending() == [])
        files = []
        for leave_kb in (600, 0):  # the server may have set a little free again
            files.append(ballast(disk, leave_kb))
            took_s = until_told(room, page, gateway, said)
            assert took_s <= TOLD_S
            assert "make room on " in page.trouble
        wait_until(lambda: bool(ticked(room, page)) and own_alarms(page) != [])
        kept = {one.id for one in gateway.outbox.pending()}
        unstored = set(said) - stored(place)
        assert unstored, "the disk was full"
        assert unstored <= kept, "what is not stored was not acknowledged"
        assert unstored <= set(page.alarms)
        for file in files:
            file.unlink()
        go_on()
        wait_until(lambda: gateway.outbox.pending() == [])
        room.tick()
        wait_until(lambda: ticked(room, page) == "")
        wait_until(lambda: not ticked(room, page) and own_alarms(page)[-1] == "cleared")
    assert stored(place) >= set(said)


def own_alarms(page: Page) -> list[str]:
    """List what was told of the control room's own trouble: how each word left it."""
    return [state for id, state in page.words if id.startswith("delivery_trouble-")]


@pytest.fixture(params=["sqlite", "postgresql"])
def full(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Full]:
    """Where a journal lies, its small disk, and what has it go on after that was full."""
    if request.param == "postgresql":
        server, disk = request.getfixturevalue("cramped")
        yield server.new_database(), disk, lambda: restart(server)
        return
    if os.geteuid() != 0:
        pytest.skip("a disk of its own needs root")
    with small_disk(tmp_path / "disk") as disk:
        yield disk / "journal.sqlite", disk, lambda: None


def test_a_full_disk_is_noticed_though_nothing_is_stored(full: Full) -> None:
    place, disk, go_on = full
    with closing(Journal(place, required=True)) as journal:
        for _ in range(3):
            journal.check_writable()
        file = ballast(disk, 0)
        wait_until(lambda: not can_write(journal))
        file.unlink()
        go_on()
        wait_until(lambda: can_write(journal))
        assert (journal.head().number, journal.history()) == (0, []), "nothing is left of it"


def can_write(journal: Journal) -> bool:
    try:
        journal.check_writable()
    except JournalError:
        return False
    return True


def until_told(room: Room, page: Page, gateway: Gateway, said: list[str]) -> float:
    """Raise alarms until the page tells of trouble; gives seconds from the last one to that."""
    for _ in range(MOST):
        began_s = time.monotonic()
        said.append(gateway.raise_one())
        wait_until(lambda: said[-1] in page.alarms)
        if ticked(room, page):
            return time.monotonic() - began_s
    raise AssertionError("the disk was never full")


def stored(place: Place) -> set[str]:
    """Name the alarms that are in the journal."""
    with closing(open_for(place, "alarms")) as database:
        return {row["alarm"] for _, row in answer(database, Question())}


def ticked(room: Room, page: Page) -> str:
    room.tick()
    return page.trouble


def restart(server: Postgres) -> None:
    """Start the server where the full disk has ended it."""
    import psycopg

    try:
        psycopg.connect(server.address("postgres"), connect_timeout=5).close()
    except psycopg.OperationalError:
        server.start()


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def own_server() -> Iterator[Postgres]:
    """One with a door on the network, for TLS; no other test should use it."""
    if not has_postgres():
        pytest.skip(NO_POSTGRES)
    pytest.importorskip("psycopg")
    with postgres(port=free_port()) as started:
        yield started


@pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)
def test_a_server_killed_in_the_midst_costs_nothing(own_server: Postgres, tmp_path: Path) -> None:
    """Refused connections are told with what to do, and what was said meanwhile arrives."""
    page, place = Page(), own_server.new_database()
    (tmp_path / "broker").mkdir()
    said = list[str]()
    with (
        mosquitto(tmp_path / "broker") as broker,
        open_room(BrokerConfig(url=broker.url), place, SystemClock(), keeping=Keeping()) as room,
        Gateway(broker.url, tmp_path / "state") as gateway,
    ):
        room.join(page.listen)
        for number in range(12):
            said.append(gateway.raise_one())
            if number == 6:
                own_server.kill()
        wait_until(lambda: set(said) <= set(page.alarms))
        wait_until(lambda: bool(ticked(room, page)))
        assert {one.id for one in gateway.outbox.pending()} <= set(said)
        assert said[-1] in {one.id for one in gateway.outbox.pending()}
        wait_until(lambda: "is away" in ticked(room, page) and "start PostgreSQL" in page.trouble)
        wait_until(lambda: not (own_server.data / "postmaster.pid").exists() or started(own_server))
        wait_until(lambda: gateway.outbox.pending() == [])
        wait_until(lambda: ticked(room, page) == "")
    assert stored(place) >= set(said)


def started(server: Postgres) -> bool:
    """Start it once its processes are gone."""
    try:
        server.start()
    except AssertionError:
        return False
    return True


def test_a_server_whose_certificate_has_expired_is_named_with_what_to_do(
    own_server: Postgres, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    own_server.trust("local all all trust\nhostssl all all 127.0.0.1/32 trust\n")
    present(own_server, tmp_path, days=9)
    own_server.run_sql("ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()")
    place = (
        f"postgresql://lamproom@127.0.0.1:{own_server.port}/postgres"
        f"?sslmode=verify-full&sslrootcert={tmp_path / 'page.pem'}"
    )
    wait_until(lambda: can_open(place))
    with closing(Journal(place, required=True)) as journal:
        sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        assert journal._database.rows(sql) == [(True,)]
    present(own_server, tmp_path, days=0)
    wait_until(lambda: not can_open(place))
    with pytest.raises(JournalError, match=r"certificate has expired.*ssl_cert_file"):
        Journal(place, required=True)
    # A control room starts all the same, says so, and finds the server once that is mended.
    capfd.readouterr()
    with closing(Journal(place)) as journal:
        assert "certificate has expired" in capfd.readouterr().err
        with pytest.raises(JournalError, match="certificate has expired"):
            journal.history()
        present(own_server, tmp_path, days=9)
        wait_until(lambda: can_read(journal))


def present(server: Postgres, folder: Path, *, days: int) -> None:
    """Have a server show a certificate that is valid for so long, and clients trust it."""
    certificate, key = make_certificate(folder, days=days)
    server.give("server.crt", certificate.read_bytes())
    server.give("server.key", key.read_bytes())
    server.run_sql("SELECT pg_reload_conf()")


def can_open(place: str) -> bool:
    try:
        Journal(place, required=True).close()
    except JournalError:
        return False
    return True


def can_read(journal: Journal) -> bool:
    try:
        journal.history()
    except JournalError:
        return False
    return True
