import http.client
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from control_room.journal.journal import Journal
from control_room.lifecycle import Key, NotNow, Wish
from control_room.room import Room
from control_room.server import (
    ServerError,
    bind,
    serving,
    url_of,
)
from scene.clock import SystemClock
from scene.packet import unpack
from tests.control_room.fake_gateway import GATEWAY, SITE, LocalGateway, alarm


@pytest.fixture
def journal() -> Iterator[Journal]:
    opened = Journal(None)
    yield opened
    opened.close()


@pytest.fixture
def gateway(journal: Journal) -> Iterator[LocalGateway]:
    room = Room(journal, SystemClock(), lambda *_: None, lambda *_: None, prefix="mine")
    with LocalGateway(room.hear) as started:
        started.room = room
        yield started


@pytest.fixture
def url(gateway: LocalGateway) -> Iterator[str]:
    with serving(gateway.room, gateway.open_stream) as address:
        yield address


@contextmanager
def opened(url: str, path: str, **more: Any) -> Iterator[Connection]:
    address = url.replace("http", "ws").rstrip("/") + path
    more.setdefault("origin", url.rstrip("/"))
    with connect(address, max_size=None, **more) as connection:
        yield connection


def hear(connection: Connection, wanted: str) -> dict[str, Any]:
    """Give the next message of one sort."""
    for _ in range(200):
        said: dict[str, Any] = json.loads(connection.recv(timeout=10))
        if said["is"] == wanted:
            return said
    raise AssertionError(f"no {wanted} among 200 messages")


@pytest.mark.parametrize("path", ["/messages", f"/panorama/{SITE}/{GATEWAY}"])
@pytest.mark.parametrize("origin", ["http://evil.example", "null", None])
def test_foreign_pages_get_no_websocket(url: str, path: str, origin: str | None) -> None:
    with pytest.raises(InvalidStatus, match="403"), opened(url, path, origin=origin):
        pass


def test_a_foreign_name_for_this_machine_gets_no_websocket(url: str) -> None:
    upgrade = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
    }
    ours = url.removeprefix("http://").rstrip("/")
    for host, status in ((ours, 101), ("evil.example", 403)):
        line = http.client.HTTPConnection(ours, timeout=10)
        headers = {"Host": host, "Origin": f"http://{host}"}
        line.request("GET", "/messages", headers=headers | upgrade)
        answer = line.getresponse()
        assert answer.status == status
        answer.close()
        line.close()


def test_messages_start_with_a_snapshot_and_go_on(url: str, gateway: LocalGateway) -> None:
    with opened(url, "/messages") as browser:
        snapshot = json.loads(browser.recv(timeout=10))
        assert snapshot["is"] == "snapshot"
        said = hear(browser, "message")
        assert (said["site"], said["gateway"]) == (SITE, GATEWAY)
        assert said["envelope"]["schema"].startswith("lamproom/")
        gateway.say(alarm(at_ns=1_790_000_000_123_456_789))
        told = hear(browser, "alarm")
        assert told["anomaly"]["raised_at_ns"] == 1_790_000_000_123_456_789
        assert post(url, "acknowledge").status_code == 200
        told = hear(browser, "alarm")
        assert told["acknowledged_at_ns"] is not None
        assert hear(browser, "groups")["groups"] == [[f"{SITE}/{GATEWAY}/man_down-3"]]


def test_too_much_from_a_browser_closes_only_its_own_line(url: str) -> None:
    with opened(url, "/messages") as well, opened(url, "/messages") as bad:
        bad.send("x" * 100_000)
        with pytest.raises(ConnectionClosed):
            while True:
                bad.recv(timeout=10)
        hear(well, "clock")


@pytest.mark.parametrize("junk", ["", "{", '{"is": "acknowledge"}'])
def test_what_a_browser_says_on_the_line_is_passed_over(url: str, junk: str) -> None:
    with opened(url, "/messages") as browser:
        browser.send(junk)
        for _ in range(3):
            hear(browser, "clock")


def post(url: str, action: str, body: object = None, **headers: str) -> httpx.Response:
    """Act as the page does; `origin` in the headers replaces its own."""
    said = {"site": SITE, "gateway": GATEWAY, "id": "man_down-3"}
    if isinstance(body, dict):
        body = said | body
    content = body if isinstance(body, bytes) else json.dumps(said if body is None else body)
    headers = {"origin": url.rstrip("/")} | headers
    return httpx.post(f"{url}api/alarms/{action}", content=content, headers=headers)


def test_every_act_is_stored_and_gives_the_alarm_as_it_is_then(
    url: str, gateway: LocalGateway, journal: Journal
) -> None:
    gateway.say(alarm(at_ns=1))
    seen = post(url, "acknowledge", {"by": "Li Wei"}).json()
    assert (seen["phase"], seen["acknowledged_by"]) == ("acknowledged", "Li Wei")
    shelved = post(url, "shelve", {"by": "Wang", "reason": "repair", "minutes": 10}).json()
    assert shelved["phase"] == "shelved"
    assert shelved["shelved"]["until_ns"] - shelved["shelved"]["at_ns"] == 600_000_000_000
    assert post(url, "unshelve").json()["phase"] == "unacknowledged"
    ended = post(url, "end", {"reason": "carried out"}).json()
    assert (ended["phase"], ended["ending"]["reason"]) == ("acknowledged", "carried out")
    acts = journal.acts(Key(site=SITE, gateway=GATEWAY, alarm="man_down-3"))
    assert [(act.action, act.by, act.reason) for act in acts] == [
        ("acknowledge", "Li Wei", ""),
        ("shelve", "Wang", "repair"),
        ("unshelve", "operator", ""),
        ("end", "operator", "carried out"),
    ]


@pytest.mark.parametrize(
    ("action", "body", "told"),
    [
        ("acknowledge", {"id": "none"}, "404 none: there is no such alarm"),
        ("explode", {}, "404 there is no such thing here"),
        ("shelve", {"minutes": 5}, "400 shelve: give a reason"),
        ("shelve", {"reason": "x", "minutes": 31}, "400 shelve: 31 minutes; at most 30"),
        ("end", {"id": "lost", "reason": "x"}, "409 the alarm stays as it is: it ends by itself"),
        ("end", b"{", "400 the body is no JSON"),
        ("end", b"[" * 50_000, "400 the body is no JSON"),
        ("end", b"7", "400 end: the body must be a JSON object"),
        ("end", b"x" * 100_000, "413 the body is longer than 65536 bytes"),
    ],
)
def test_what_can_not_be_done_is_refused_in_one_sentence(
    url: str, gateway: LocalGateway, action: str, body: object, told: str
) -> None:
    gateway.say(alarm(at_ns=1))
    gateway.say(alarm("lost", at_ns=1, kind="camera_lost"))
    answer = post(url, action, body)
    assert f"{answer.status_code} {answer.json()['error']}".startswith(told)
    assert list(answer.json()) == ["error"]


def test_foreign_pages_can_not_act(url: str, gateway: LocalGateway, journal: Journal) -> None:
    gateway.say(alarm(at_ns=1))
    for origin in ("http://evil.example", "null", ""):
        assert post(url, "acknowledge", origin=origin).status_code == 403
    assert post(url, "acknowledge", host="evil.example").status_code == 421
    assert httpx.get(f"{url}api/alarms/acknowledge").status_code == 405
    assert journal.acts(Key(site=SITE, gateway=GATEWAY, alarm="man_down-3")) == []


def test_the_alarm_rate_is_there_for_others_too(url: str, gateway: LocalGateway) -> None:
    for i in range(12):
        gateway.say(alarm(f"a{i}", at_ns=1))
    rate = httpx.get(f"{url}api/alarm-rate").json()
    assert (rate["operators"], rate["last_hour"], rate["flood"]) == (1, 12, True)
    assert (rate["acceptable_per_hour"], rate["most_per_hour"]) == (6, 12)


def test_heads_are_counted_for_others_too(url: str, gateway: LocalGateway) -> None:
    assert httpx.get(f"{url}api/muster/{SITE}-2").status_code == 404
    told = httpx.get(f"{url}api/muster/{SITE}").json()
    assert told["site"] == SITE
    assert {"count", "at_least"} & set(told)


def test_without_a_journal_nobody_is_told_that_it_was_done(
    url: str, gateway: LocalGateway, journal: Journal
) -> None:
    gateway.say(alarm(at_ns=1))
    journal.close()
    answer = post(url, "acknowledge")
    assert answer.status_code == 503
    assert answer.json() == {
        "error": "the journal can't be used now; why is in the control room's log"
    }
    assert httpx.get(f"{url}api/alarm-rate").status_code == 503


def test_many_viewers_share_one_upstream_and_see_the_same_bytes(
    url: str, gateway: LocalGateway
) -> None:
    path = f"/panorama/{SITE}/{GATEWAY}"
    with opened(url, path) as first, opened(url, path) as second:
        seen: list[dict[int, bytes]] = [{}, {}]
        for packets, viewer in zip(seen, (first, second), strict=True):
            for i in range(12):
                data = viewer.recv(timeout=10)
                assert isinstance(data, bytes)
                packet = unpack(data)
                assert i > 0 or packet.key_frame, "a viewer starts at a key frame"
                packets[packet.captured_at_ns] = data
        common = seen[0].keys() & seen[1].keys()
        assert len(common) >= 5
        assert all(seen[0][at_ns] == seen[1][at_ns] for at_ns in common)
        assert gateway.upstreams == 1
    deadline_s = time.monotonic() + 10
    while gateway.listening and time.monotonic() < deadline_s:
        time.sleep(0.02)
    assert gateway.listening == 0, "nobody looks, nothing is streamed"


def test_an_unknown_panorama_is_refused(url: str) -> None:
    with opened(url, "/panorama/roadway/none") as viewer, pytest.raises(ConnectionClosed):
        viewer.recv(timeout=10)


def test_a_taken_port_is_named() -> None:
    first = bind("127.0.0.1", 0)
    port = int(url_of(first).rsplit(":", 1)[1].rstrip("/"))
    with pytest.raises(ServerError, match=f"{port}.*--port"):
        bind("127.0.0.1", port)
    first.close()


def test_the_address_of_a_page_for_all_is_what_its_certificate_is_made_out_to() -> None:
    bound = bind("0.0.0.0", 0)
    port = bound.getsockname()[1]
    assert url_of(bound, tls=True, name="room.mine") == f"https://room.mine:{port}/"
    assert url_of(bound, tls=True) == f"https://127.0.0.1:{port}/"
    bound.close()
    bound = bind("127.0.0.1", 0)
    assert url_of(bound, tls=True, name="room.mine").startswith("https://127.0.0.1:")
    bound.close()


def test_an_unknown_host_is_named() -> None:
    with pytest.raises(ServerError, match=r"nowhere\.invalid.*--host"):
        bind("nowhere.invalid", 0)


class Hanging(Room):
    """A room whose past hangs, as on a disk that is away."""

    def __init__(self, *words: Any, **more: Any) -> None:
        super().__init__(*words, **more)
        self.go_on = threading.Event()
        self.inside = threading.Semaphore(0)

    def do(self, wish: Wish) -> dict[str, Any]:
        self.inside.release()
        self.go_on.wait(60)
        raise NotNow("it hung")


def test_requests_that_hang_do_not_hold_up_watching(tmp_path: Path) -> None:
    """However many: they take all threads that asyncio has."""
    journal = Journal(tmp_path / "journal.sqlite")
    room = Hanging(journal, SystemClock(), lambda *_: None, lambda *_: None, prefix="mine")
    threads = min(32, (os.cpu_count() or 1) + 4)
    ticked = threading.Semaphore(0)
    with closing(journal), LocalGateway(room.hear) as gw, serving(room, gw.open_stream) as url:
        callers = [
            threading.Thread(target=post, args=(url, "acknowledge")) for _ in range(threads + 4)
        ]
        for caller in callers:
            caller.start()
        for _ in range(threads):
            assert room.inside.acquire(timeout=30)
        room.join(lambda about, _text: ticked.release() if about == "clock" else None)
        try:
            assert all(ticked.acquire(timeout=10) for _ in range(3))
        finally:
            room.go_on.set()
            for caller in callers:
                caller.join()
