"""`lamproom control-room` as a process: when it starts, when it refuses, and without a broker."""

import argparse
import contextlib
import os
import re
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

import httpx
import pytest

from control_room.access.options import door_of
from control_room.access.roles import AccessError
from control_room.access.sessions import Sessions
from control_room.main import add_arguments
from scene.clock import SystemClock
from tests.control_room.access.house import PASSWORD, wait_for
from tests.control_room.access.pages import make_certificate
from tests.delivery.keys import Keys
from tests.delivery.parts import MOSQUITTO, NO_MOSQUITTO, free_port

NO_BROKER = ("--broker", "mqtt://127.0.0.1:9", "--port", "0")


@dataclass
class Started:
    process: "subprocess.Popen[str]"
    said: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        found = re.search(r"https?://(?:127|localhost)\S+", "".join(self.said))
        return found.group() if found else ""

    def has(self, text: str) -> bool:
        return any(text in line for line in self.said)


@contextlib.contextmanager
def started(*words: str) -> Iterator[Started]:
    process = subprocess.Popen(
        [sys.executable, "-m", "edge.main", "control-room", *words],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    one = Started(process)
    assert process.stdout is not None
    reader = Thread(target=lambda: one.said.extend(process.stdout or ()))
    reader.start()
    try:
        yield one
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        reader.join()
        process.stdout.close()


def refused(*words: str) -> str:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    args = parser.parse_args([*NO_BROKER, *words])
    with pytest.raises(AccessError) as error:
        door_of(args, SystemClock(), print, args.journal.parent)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_keys_without_our_own_are_said(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    keys.add("gateway", "roadway", "gw1")
    keys.add("control_room")
    line = "--keys without --signing-key: gateways that trust a key will refuse our receipts"
    words = ("--journal", str(tmp_path / "journal.sqlite"), "--keys", str(keys.trusted))
    with started(*NO_BROKER, *words, "--require-signed") as room:
        assert wait_for(lambda: bool(room.url))
        assert room.has(f"lamproom control-room: {line}")
    with started(*NO_BROKER, *words, "--signing-key", str(keys.private["control_room"])) as room:
        assert wait_for(lambda: bool(room.url))
        assert not room.has("--signing-key")


def test_it_does_not_start_and_says_why_in_one_line(tmp_path: Path) -> None:
    words = ("--journal", str(tmp_path / "journal.sqlite"), "--host", "0.0.0.0")
    with started(*NO_BROKER, *words) as room:
        assert room.process.wait(60) == 2
    [line] = room.said
    assert "lamproom users add NAME --role admin" in line


@pytest.mark.parametrize("bad", ["certificate", "oidc"])
def test_who_refuses_to_start_has_taken_no_alarm(tmp_path: Path, bad: str) -> None:
    """A gateway forgets what was receipted, and nobody could see it here."""
    certificate, key = make_certificate(tmp_path)
    file = certificate if bad == "certificate" else tmp_path / "oidc.yaml"
    file.write_text("neither a certificate nor settings\n")
    tls = ("--tls-certificate", str(certificate), "--tls-key", str(key))
    words = tls if bad == "certificate" else ("--oidc", str(file))
    with socket.create_server(("127.0.0.1", 0)) as broker:
        broker.setblocking(False)
        journal = ("--port", "0", "--journal", str(tmp_path / "journal.sqlite"))
        url = f"mqtt://127.0.0.1:{broker.getsockname()[1]}"
        with started("--broker", url, *journal, *words) as room:
            assert room.process.wait(60) == 2
        assert room.has(str(file))
        with pytest.raises(BlockingIOError):
            broker.accept()


def test_where_strangers_could_act_it_does_not_start(tmp_path: Path, users_file: Path) -> None:
    nobody = ("--journal", str(tmp_path / "empty" / "journal.sqlite"))
    somebody = ("--journal", str(users_file.parent / "journal.sqlite"))
    certificate, key = make_certificate(tmp_path)
    tls = ("--tls-certificate", str(certificate), "--tls-key", str(key))
    assert "lamproom users add NAME --role admin" in refused(*nobody, "--host", "0.0.0.0")
    assert "lamproom users add NAME --role admin" in refused(*nobody, "--host", "0.0.0.0", *tls)
    assert "lamproom users add NAME --role admin" in refused(*nobody, "--behind-proxy")
    assert "in the clear" in refused(*somebody, "--host", "0.0.0.0")
    assert "give both" in refused(*somebody, *tls[:2])
    assert "leave out" in refused(*somebody, *tls, "--behind-proxy")
    assert "is not there" in refused(*nobody, "--users", str(tmp_path / "none.yaml"))
    users_file.chmod(0o644)
    assert "chmod 600" in refused(*somebody)


@pytest.mark.parametrize("trouble", ["points to itself", "points nowhere", "no name", "no folder"])
def test_users_that_can_not_be_looked_for_are_not_nobody(tmp_path: Path, trouble: str) -> None:
    """Else anybody could act without a login."""
    file = tmp_path / "there" / "users.yaml"
    if trouble == "no folder":
        file.parent.touch()
    else:
        file.parent.mkdir()
        nowhere = tmp_path / ("a" * (300 if trouble == "no name" else 3))
        file.symlink_to(file if trouble == "points to itself" else nowhere)
    words = ("--journal", str(file.with_name("journal.sqlite")))
    assert f"{file}: the users can't be read" in refused(*words)
    assert str(file) in refused(*words, "--users", str(file))


def test_without_users_it_says_that_it_asks_for_no_login(tmp_path: Path) -> None:
    with started(*NO_BROKER, "--journal", str(tmp_path / "journal.sqlite")) as room:
        assert wait_for(lambda: room.url and room.has("no login is asked for"), 60)
        assert wait_for(lambda: answers(room.url), 60)
        assert httpx.get(f"{room.url}api/me").json()["login"] is False
        assert "Lamproom" in httpx.get(room.url).text


def answers(url: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(url, verify=False).status_code > 0
    return False


def test_with_users_and_tls_it_serves_other_computers(users_file: Path) -> None:
    folder = users_file.parent
    certificate, key = make_certificate(folder)
    words = ("--host", "0.0.0.0", "--tls-certificate", str(certificate), "--tls-key", str(key))
    with started(*NO_BROKER, *words, "--journal", str(folder / "journal.sqlite")) as room:
        assert wait_for(lambda: room.url, 60)
        assert room.url.startswith("https://")
        assert wait_for(lambda: answers(room.url), 60)
        context = ssl.create_default_context(cafile=certificate)
        with httpx.Client(base_url=room.url, verify=context) as browser:
            assert browser.get("/").status_code == 401
            origin = {"origin": room.url.rstrip("/")}
            form = {"name": "Ada", "password": PASSWORD}
            assert browser.post("/login", data=form, headers=origin).status_code == 303
            assert browser.get("/").status_code == 200


@pytest.mark.skipif(not MOSQUITTO, reason=NO_MOSQUITTO)
def test_without_a_broker_it_serves_and_keeps_trying(tmp_path: Path) -> None:
    """Nobody there, then one that wants a password, then the right one: no restart is needed."""
    port = free_port()
    words = ("--broker", f"mqtt://127.0.0.1:{port}", "--port", "0")
    with started(*words, "--journal", str(tmp_path / "journal.sqlite")) as room:
        assert wait_for(lambda: room.url and answers(room.url), 60)
        assert wait_for(lambda: room.has("refused"), 60), "why the broker is not reached"
        with mosquitto(tmp_path, port, "allow_anonymous false\n"):
            assert wait_for(lambda: room.has("Not authorized"), 60), room.said
        with mosquitto(tmp_path, port, "allow_anonymous true\n"):
            assert wait_for(lambda: room.has(f"connected to mqtt://127.0.0.1:{port}"), 60), (
                room.said
            )
        assert room.process.poll() is None


@contextlib.contextmanager
def mosquitto(folder: Path, port: int, settings: str) -> Iterator[None]:
    file = folder / "mosquitto.conf"
    file.write_text(f"listener {port} 127.0.0.1\n{settings}")
    process = subprocess.Popen(
        [str(MOSQUITTO), "-c", str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )

    def listens() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
            return True
        return False

    try:
        assert wait_for(listens)
        yield
    finally:
        process.terminate()
        process.wait(30)


def session_file(tmp_path: Path) -> tuple[Path, str]:
    file, said = tmp_path / "sessions.sqlite", list[str]()
    sessions = Sessions(file, SystemClock(), said.append)
    token = sessions.start("Ada", "admin", "local", "x")
    sessions.close()
    assert said == []
    return file, token


@pytest.mark.parametrize(
    "damage",
    [
        "garbage",
        "UPDATE secret SET value = 'short'",
        "DELETE FROM secret",
        "UPDATE sessions SET role = 'queen'",
        "UPDATE sessions SET name = x'ff'",
        "UPDATE sessions SET used_ns = 'never'",
    ],
)
def test_damaged_sessions_are_moved_aside_and_all_log_in_again(tmp_path: Path, damage: str) -> None:
    file, token = session_file(tmp_path)
    if damage == "garbage":
        file.write_bytes(b"garbage" * 1000)
    else:
        with contextlib.closing(sqlite3.connect(file)) as db, db:
            db.execute("PRAGMA ignore_check_constraints = ON")
            db.execute(damage)
    said: list[str] = []
    sessions = Sessions(file, SystemClock(), said.append)
    if damage == "DELETE FROM secret":  # a new one is made
        assert said == []
        sessions.close()
        return
    [line] = said
    assert f"{file}: is damaged" in line
    assert (tmp_path / "sessions.sqlite.damaged").exists()
    assert sessions.find(token) is None
    token = sessions.start("Ada", "admin", "local", "x")
    sessions.close()
    assert len(Sessions(file, SystemClock(), said.append).all()) == 1, "kept as ever"
    assert len(said) == 1


def test_sessions_that_nothing_can_be_written_to_are_kept_in_memory(tmp_path: Path) -> None:
    file, said = tmp_path / "sessions.sqlite", list[str]()
    file.mkdir()
    sessions = Sessions(file, SystemClock(), said.append)
    assert sessions.find(sessions.start("Ada", "admin", "local", "x")) is not None
    sessions.close()
    [line] = said
    assert "a restart ends them" in line


def test_sessions_that_somebody_holds_are_not_taken_for_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("control_room.access.sessions.WAIT_S", 0.01)
    file, _token = session_file(tmp_path)
    said: list[str] = []
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        Sessions(file, SystemClock(), said.append)
        holder.execute("ROLLBACK")
    [line] = said
    assert "locked" in line
    assert len(Sessions(file, SystemClock(), said.append).all()) == 1
