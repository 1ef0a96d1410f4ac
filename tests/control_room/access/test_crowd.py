"""Callers who connect and say nothing: few are let in, and others are served meanwhile."""

import contextlib
import os
import resource
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from control_room.access import crowd
from control_room.access.crowd import Entrance
from tests.control_room.access.house import House, wait_for
from tests.control_room.access.test_patience import until_closed
from tests.control_room.access.test_tls import tls_house, trusting

EACH, ALL = 10, 25


@pytest.fixture
def home(users_file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr(crowd, "MOST_EACH", EACH)
    monkeypatch.setattr(crowd, "MOST", ALL)
    monkeypatch.setattr(crowd, "HANDSHAKE_S", 300.0)  # none goes by itself
    with tls_house(users_file.parent) as opened:
        yield opened


def port_of(home: House) -> int:
    return int(home.url.rsplit(":", 1)[1].rstrip("/"))


@contextlib.contextmanager
def silent(home: House, address: str, count: int) -> Iterator[list[socket.socket]]:
    """Connect from an address of this machine and don't even begin with TLS."""
    lines = []
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            line = stack.enter_context(socket.socket())
            line.settimeout(30)
            line.bind((address, 0))
            with contextlib.suppress(OSError):
                line.connect(("127.0.0.1", port_of(home)))
            lines.append(line)
        yield lines


def held(home: House) -> int:
    """Count the connections that this process holds (/proc/net/tcp)."""
    mine = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            mine.add(os.readlink(f"/proc/self/fd/{name}"))
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(
        int(row[1][-4:], 16) == port_of(home) and row[3] == "01" and f"socket:[{row[9]}]" in mine
        for row in rows
    )


def gets_in(home: House, address: str) -> bool:
    context = trusting(home.users.parent)
    carried = httpx.HTTPTransport(local_address=address, verify=context)
    with contextlib.suppress(httpx.TransportError), httpx.Client(transport=carried) as other:
        return other.get(f"{home.url}login", timeout=5).status_code == 200
    return False


def settles(count: Callable[[], int], most: int) -> bool:
    return wait_for(lambda: 0 < count() <= most)


def test_who_does_not_begin_with_tls_keeps_nobody_else_out(
    home: House, capsys: pytest.CaptureFixture[str]
) -> None:
    with silent(home, "127.0.0.1", 60):
        assert settles(lambda: held(home), EACH)
        assert gets_in(home, "127.0.0.2")
        assert held(home) <= EACH + 1
    told = [line for line in capsys.readouterr().err.splitlines() if "too many" in line]
    assert len(told) == 1, "once a minute"
    assert "127.0.0.1 one more" in told[0]
    assert wait_for(lambda: gets_in(home, "127.0.0.1")), "who has gone is forgotten"


def test_a_handshake_that_does_not_come_is_not_waited_for(
    users_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crowd, "HANDSHAKE_S", 0.5)
    with tls_house(users_file.parent) as home, silent(home, "127.0.0.1", 1) as [line]:
        assert until_closed(line) == b""


def test_there_is_a_limit_for_all_together(home: House) -> None:
    with contextlib.ExitStack() as stack:
        for i in range(2, 8):
            stack.enter_context(silent(home, f"127.0.0.{i}", EACH))
        assert settles(lambda: held(home), ALL)
        assert not gets_in(home, "127.0.0.9")
    assert wait_for(lambda: gets_in(home, "127.0.0.9"))


def test_without_descriptors_callers_are_hung_up_on_and_later_served(
    capsys: pytest.CaptureFixture[str],
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.ExitStack() as stack:
        bound = stack.enter_context(socket.socket())
        bound.bind(("127.0.0.1", 0))
        bound.listen()
        entrance = stack.enter_context(Entrance(bound, most=5, most_each=5))
        first, second = (
            stack.enter_context(socket.create_connection(bound.getsockname(), timeout=30))
            for _ in range(2)
        )
        highest = max(int(name) for name in os.listdir("/proc/self/fd"))
        with contextlib.ExitStack() as fillers:
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 5, limits[1]))
            fillers.callback(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
            with contextlib.suppress(OSError):
                while True:
                    fillers.callback(os.close, os.open(os.devnull, os.O_RDONLY))
            with pytest.raises(ConnectionAbortedError):
                entrance.accept()
        assert until_closed(first) == b""
        assert "Too many open files" in capsys.readouterr().err
        guest, _ = entrance.accept()
        with guest:
            second.sendall(b"here")
            assert guest.recv(4) == b"here"
