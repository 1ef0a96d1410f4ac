"""Those who read much: they are slowed down, and neither alarms nor other callers wait for them."""

import asyncio
import contextlib
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.types import Message

from control_room.access import gate
from control_room.access.users_file import change_users
from control_room.journal import api as journal_api
from control_room.journal.api import Slots, _File
from control_room.lifecycle import Key
from tests.control_room.access.house import PASSWORD, House, house, wait_for
from tests.control_room.fake_gateway import GATEWAY, SITE, alarm

COPY = "/api/history?what=alarms&format=json"
OURS = {"sec-fetch-site": "same-origin"}


@pytest.fixture
def home(users_file: Path) -> Iterator[House]:
    with house(users_file.parent, journal_file=users_file.with_name("journal.sqlite")) as opened:
        yield opened


def test_who_reads_without_end_is_slowed_down_and_others_are_not(
    users_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "LOOKS_BURST", 3)
    with (
        house(users_file.parent) as home,
        home.as_role("viewer") as wall,
        home.as_role("operator") as dispatcher,
    ):
        home.clock.stopped_s = time.monotonic()
        for path in ("/api/alarms/history", "/api/alarm-rate"):
            assert [wall.get(path).status_code for _ in range(5)] == [200] * 3 + [429] * 2
            assert wall.get(path).headers["retry-after"] == "1"
        assert [home.line_status(wall, "/messages") for _ in range(4)] == [101] * 3 + [429]
        assert [wall.get("/api/me").status_code for _ in range(9)] == [200] * 9
        assert dispatcher.get("/api/alarms/history").status_code == 200
        assert home.line_status(dispatcher, "/messages") == 101


def test_who_opens_or_closes_a_page_keeps_nobody_waiting(home: House) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(about: str, _text: str) -> None:
        if about == "alarm":
            begun.set()
            go_on.wait(60)

    home.room.join(slow)
    with home.as_role("viewer") as wall, home.line(wall) as line:
        line.recv(timeout=20)
        raising = threading.Thread(target=home.gateway.say, args=(alarm("a", at_ns=1),))
        raising.start()  # now the room is busy with telling somebody
        try:
            assert begun.wait(20)
            with home.line(wall):
                line.close()
                assert httpx.get(f"{home.url}login", timeout=20).status_code == 200
        finally:
            go_on.set()
            raising.join()


def exports(home: House) -> list[str]:
    with contextlib.closing(sqlite3.connect(home.users.with_name("journal.sqlite"))) as db:
        return [who for (who,) in db.execute("SELECT who FROM audit WHERE what = 'export'")]


def test_who_does_not_read_a_copy_holds_no_place_for_long(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_api, "STALLED_S", 2.0)
    change_users(home.users, lambda users: users.add("Wang Fang", "operator", PASSWORD))
    assert wait_for(lambda: home.doorkeeper.users.find("Wang Fang") is not None)
    home.journal.store_all(
        [
            (Key(site=SITE, gateway=GATEWAY, alarm=f"a{i}"), alarm(f"a{i}", at_ns=i + 1))
            for i in range(8_000)
        ],
        stored_at_ns=1,
    )
    with home.as_role("operator") as stalls, home.log_in("Wang Fang") as other:
        port = int(home.url.rsplit(":", 1)[1].rstrip("/"))
        with socket.socket() as line:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            line.connect(("127.0.0.1", port))
            cookie = f"Cookie: lamproom={stalls.cookies['lamproom']}"
            head = f"Host: 127.0.0.1:{port}\r\nSec-Fetch-Site: same-origin\r\n{cookie}"
            line.sendall(f"GET {COPY} HTTP/1.1\r\n{head}\r\n\r\n".encode())
            assert line.recv(15) == b"HTTP/1.1 200 OK"
            again = stalls.get(COPY, headers=OURS)
            assert (again.status_code, "on its way to you" in again.text) == (503, True)
            rows = other.get(COPY, headers=OURS)
            assert (rows.status_code, len(rows.json())) == (200, 8_000)
            assert exports(home) == ["Li Wei", "Wang Fang"], "only what was given is written down"
            said, busy = b"", 503
            while busy == 503:
                time.sleep(1.0)
                busy = stalls.get(COPY + "&site=elsewhere", headers=OURS).status_code
            assert busy == 200
            line.settimeout(30)
            with contextlib.suppress(ConnectionError):
                while part := line.recv(65536):
                    said += part
            assert not said.endswith(b"0\r\n\r\n"), "what is cut off does not look whole"


def test_who_has_all_of_a_file_may_ask_for_the_next_one_at_once() -> None:
    slots = Slots(1)
    free = list[bool]()

    async def send(message: Message) -> None:
        if not message.get("more_body", True):
            with slots.one("Ada"):
                free.append(True)

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    held = contextlib.ExitStack()
    held.enter_context(slots.one("Ada"))
    scope = {"type": "http", "asgi": {"spec_version": "2.4"}}
    asyncio.run(_File(iter(["a", "b"]), held)(scope, receive, send))
    assert free == [True]
