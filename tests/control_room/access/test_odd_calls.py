"""Odd calls to every route: whatever somebody sends, no answer is a fault of ours."""

import contextlib
import json
import random
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from control_room.access import gate
from control_room.access.roles import ROUTES
from tests.control_room.access.house import NAMES, House, house
from tests.control_room.fake_gateway import GATEWAY, SITE, alarm

WORDS = (
    *("", "0", "-1", "1e400", "NaN", "\u0663", "9" * 30, "1" * 5000, "%00", "%ff%fe", "%ED%A0%80"),
    *("../../etc/passwd", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "\u202e", "李伟", "'; DROP TABLE"),
    *("{}", "[]", "null", "#12", "#9999999999999999999", "0001-01-01", "9999-12-31T23:59:59"),
    *("%0d%0aSet-Cookie:%20a=b", "csv", "json", "alarms", "acts", "positions", "[1,2]", "[" * 3000),
    *('[9223372036854775808,"a","b","c"]', '["\\ud800"]', "critical", "1000", SITE, GATEWAY),
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    *(None, True, -1, 1.5, float("nan"), float("inf"), 10**400, "", "\ud800", "\x00", "a" * 201),
    *([], {}, [[]], {"a": {"b": [1]}}, "operator", "short", "Ada", "\u202eabc", SITE, GATEWAY),
)
FIELDS = ("site", "gateway", "id", "by", "reason", "minutes", "name", "role", "password")
QUERY = (
    *("limit", "what", "from", "to", "person", "zone", "kind", "severity", "order", "after"),
    *("format", "site", "gateway", "id", "next", "lang", "odd"),
)
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND")
BRACKETS = ("[", "[::1", "[x]")
HEADERS = (
    *({"Host": host} for host in (*BRACKETS, "", "localhost:99999", "localhost:x", "a@localhost")),
    *({"Origin": origin} for origin in ("http://[", "http://[x]:1", "null", "\xff")),
    *({"Cookie": cookie} for cookie in ("lamproom=\xff", ';;=;,"')),
    *({"Range": part} for part in ("bytes=9999999-", "bytes=-", "bytes=a-b,1-2")),
    *({"If-Modified-Since": "x"}, {"If-None-Match": "\xff"}, {"Accept-Language": "\xff" * 100}),
    *({"Accept": "text/html"}, {"X-Forwarded-For": "\xff"}, {"Upgrade": "h2c"}),
    *({} for _ in range(12)),
)


@pytest.fixture
def home(users_file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr(gate, "LOOKS_BURST", 10_000)
    monkeypatch.setattr(gate, "ACTS_BURST", 10_000)
    with house(users_file.parent, journal_file=users_file.with_name("journal.sqlite")) as opened:
        opened.gateway.say(alarm("man_down-3", at_ns=1))
        yield opened


def ask(home: House, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """Send a request as it is; gives the answer."""
    port = int(home.url.rsplit(":", 1)[1].rstrip("/"))
    here = f"127.0.0.1:{port}"
    sent = {"Host": here, "Origin": f"http://{here}", "Connection": "close"} | headers
    if method not in gate.SAFE:
        sent["Content-Length"] = str(len(body))
    head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    line = f"{method} {path.replace(' ', '%20')} HTTP/1.1\r\n"
    said = b""
    there = ("127.0.0.1", port)
    with socket.create_connection(there, timeout=30) as call, contextlib.suppress(ConnectionError):
        call.sendall(line.encode() + head.encode("latin-1") + b"\r\n" + body)
        while part := call.recv(65536):
            said += part
    return said


def status(answer: bytes) -> int:
    """Tell the status; 0: hung up on."""
    return int(answer[9:12]) if answer.startswith(b"HTTP/1.1 ") else 0


@pytest.mark.parametrize("path", ["/", "/login", "/api/me", "/api/history", "/nothing"])
def test_a_host_or_origin_that_is_none_is_a_foreign_one(home: House, path: str) -> None:
    for host in BRACKETS:
        assert status(ask(home, "GET", path, {"Host": host})) == 421
        assert status(ask(home, "POST", path, {"Host": host})) == 421
        upgrade = {"Host": host, "Upgrade": "websocket", "Connection": "Upgrade"}
        key = {"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version": "13"}
        assert status(ask(home, "GET", "/messages", upgrade | key)) == 403
    for origin in ("http://[", "http://[x]:1"):
        assert status(ask(home, "POST", path, {"Origin": origin})) == 403


def test_whatever_is_sent_no_answer_is_a_fault(home: House) -> None:
    chance = random.Random(7)
    cookies = {}
    for role, name in NAMES.items():
        user = home.doorkeeper.users.need(name)
        token = home.doorkeeper.sessions.start(name, role, "local", user.stamp)
        cookies[role] = {"Cookie": f"lamproom={token}"}
    counted: dict[int, int] = {}
    for i in range(1500):
        row = chance.choice([one for one in ROUTES if not one.startswith("WS")])
        method, path = row.split()
        path = "/".join(word_of(chance) if "{" in part or part == "*" else part
                        for part in path.split("/"))  # fmt: skip
        if path == "/logout":
            continue
        if chance.random() < 0.7:
            path += f"?{chance.choice(QUERY)}={word_of(chance)}&{chance.choice(QUERY)}=1"
        if chance.random() < 0.3:
            method = chance.choice(METHODS)
        who = cookies[chance.choice(tuple(cookies))] if chance.random() < 0.9 else {}
        headers = {"Sec-Fetch-Site": "same-origin"} | who | chance.choice(HEADERS)
        body = b"" if method in ("GET", "HEAD") else body_of(chance)
        answer = ask(home, method, path, headers, body)
        found = status(answer)
        counted[found] = counted.get(found, 0) + 1
        assert found < 500, (i, method, path[:200], headers, body[:200], answer[-300:])
    assert all(counted.get(one, 0) > 10 for one in (200, 400, 401, 403, 404, 405, 421)), counted


def word_of(chance: random.Random) -> str:
    word = chance.choice(WORDS)
    return quote(word, safe="%") if chance.random() < 0.7 else word


def body_of(chance: random.Random) -> bytes:
    kind = chance.random()
    if kind < 0.1:
        return chance.randbytes(chance.randint(0, 3000))
    if kind < 0.2:
        return b"[" * chance.choice([10, 900, 60_000])
    if kind < 0.25:
        return chance.choice([b"a" * 70_000, b'"\xff\xfe', "{}".encode("utf-16")])
    fields = {name: chance.choice(VALUES) for name in FIELDS if chance.random() < 0.7}
    if chance.random() < 0.5:
        fields |= {"site": SITE, "gateway": GATEWAY, "id": "man_down-3"}
    return json.dumps(fields).encode()
