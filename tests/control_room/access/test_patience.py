"""Slow, oversize and all too many callers, over real sockets; alarms go on meanwhile."""

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from control_room import server
from control_room.access import crowd
from control_room.access.patience import PatientProtocol, patient
from tests.control_room.access.house import House, house, wait_for
from tests.control_room.fake_gateway import alarm

PATIENCE_S = 1.0


@pytest.fixture
def home(users_file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    short = patient(request_s=PATIENCE_S, read_s=PATIENCE_S)
    monkeypatch.setattr(server, "PatientProtocol", short)
    monkeypatch.setattr(crowd, "MOST_EACH", 40)
    with house(users_file.parent) as opened:
        yield opened


def call(home: House) -> socket.socket:
    port = int(home.url.rsplit(":", 1)[1].rstrip("/"))
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def until_closed(line: socket.socket) -> bytes:
    """Read until the server closes; a timeout fails the test."""
    said = b""
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        while part := line.recv(65536):
            said += part
    return said


@contextlib.contextmanager
def an_alarm_is_heard(home: House) -> Iterator[None]:
    """Somebody watches all the time, and hears an alarm that is raised meanwhile."""
    with home.as_role("viewer") as wall, home.line(wall) as line:
        yield
        home.gateway.say(alarm("meanwhile", at_ns=1))
        for _ in range(1000):
            said: dict[str, Any] = json.loads(line.recv(timeout=30))
            if said["is"] == "alarm":
                assert said["anomaly"]["id"] == "meanwhile"
                return
        raise AssertionError("no alarm")


HEAD = b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://127.0.0.1\r\n"
SLOW = {
    "silent": (b"", b""),
    "headers byte by byte": (b"GET / HTTP/1.1\r\nX-A: ", b"a"),
    "a body byte by byte": (HEAD + b"Content-Length: 60000\r\n\r\n", b"a"),
    "chunks byte by byte": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
    "a WebSocket with a body": (
        b"GET /messages HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nContent-Length: 60000\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", b"",
    ),
    "a body that nobody reads": (
        b"GET /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 60000\r\n\r\n", b"a",
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", SLOW)
def test_slow_callers_are_closed(home: House, how: str) -> None:
    first, then = SLOW[how]
    with an_alarm_is_heard(home), call(home) as line:
        line.sendall(first)
        line.settimeout(0.1)
        closed, until_s = False, time.monotonic() + 60
        while not closed and time.monotonic() < until_s:
            try:
                if then:
                    line.sendall(then)
                closed = line.recv(65536) == b""
            except TimeoutError:
                continue
            except OSError:
                closed = True
        assert closed


def test_two_hundred_slow_callers_keep_nobody_out(home: House) -> None:
    with an_alarm_is_heard(home), contextlib.ExitStack() as stack:
        for _ in range(200):
            with contextlib.suppress(OSError):
                stack.enter_context(call(home)).sendall(b"GET / HTTP/1.1\r\nX-A: ")

        def gets_in() -> bool:
            with contextlib.suppress(Exception), home.client() as other:
                return other.get("/login").status_code == 200
            return False

        assert wait_for(gets_in)


def test_a_caller_that_does_not_read_is_closed(home: House) -> None:
    with home.as_role("viewer") as viewer, call(home) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        cookie = f"Cookie: lamproom={viewer.cookies['lamproom']}"
        asked = f"GET /words.js HTTP/1.1\r\nHost: 127.0.0.1\r\n{cookie}\r\n\r\n".encode()
        with contextlib.suppress(OSError):
            for _ in range(3000):  # pipelined, until nothing fits any more
                line.settimeout(0.2)
                line.sendall(asked)
        port = line.getsockname()[1]
        assert wait_for(lambda: not is_known(home, port), 60)


def is_known(home: House, port: int) -> bool:
    """Tell whether the server still holds the connection from this port (/proc/net/tcp)."""
    served = int(home.url.rsplit(":", 1)[1].rstrip("/"))
    for row in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, here, there, state = row.split()[:4]
        if (int(here[-4:], 16), int(there[-4:], 16), state) == (served, port, "01"):
            return True
    return False


BIG = b"x" * 200_000
OVERSIZE = {
    "headers": (b"GET / HTTP/1.1\r\nX-A: " + BIG + b"\r\n\r\n", b"400"),
    "a path": (b"GET /" + BIG + b" HTTP/1.1\r\n\r\n", b"400"),
    "a body": (HEAD + b"Content-Length: 200000\r\n\r\n" + BIG, b"413"),
    "chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n30D40\r\n" + BIG, b"413"),
    "two lengths": (HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n", b"40"),
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
}


@pytest.mark.parametrize("what", OVERSIZE)
def test_oversize_and_odd_requests_are_refused(home: House, what: str) -> None:
    sent, status = OVERSIZE[what]
    with an_alarm_is_heard(home), call(home) as line:
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            line.sendall(sent)
        said = until_closed(line)
        assert said == b"" or said.startswith(b"HTTP/1.1 " + status), said[:100]


def test_oversize_frames_close_their_own_line(home: House) -> None:
    with an_alarm_is_heard(home), home.as_role("viewer") as viewer:
        with home.line(viewer) as line:
            line.send("x" * 100_000)
            with pytest.raises(ConnectionClosed):
                while True:
                    line.recv(timeout=30)
        with home.line(viewer) as line:
            with contextlib.suppress(ConnectionClosed):
                line.send("x" * 3000 for _ in range(40))  # in fragments
            with pytest.raises(ConnectionClosed):
                while True:
                    line.recv(timeout=30)


def test_one_address_gets_so_many_connections_and_no_more(home: House) -> None:
    with contextlib.ExitStack() as stack:
        lines = []
        for _ in range(60):
            with contextlib.suppress(OSError):  # one too many may be cut while it still connects
                lines.append(stack.enter_context(call(home)))
        for line in lines:
            with contextlib.suppress(OSError):
                line.sendall(b"GET /login HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        answered = 0
        for line in lines:
            with contextlib.suppress(OSError):
                answered += line.recv(20).startswith(b"HTTP/1.1 200")
        assert 1 <= answered <= 40


def test_how_patient_it_is_when_nothing_else_is_said() -> None:
    assert (PatientProtocol.request_s, PatientProtocol.read_s) == (10.0, 30.0)
    assert (crowd.MOST, crowd.MOST_EACH, crowd.HANDSHAKE_S) == (1500, 256, 5.0)
