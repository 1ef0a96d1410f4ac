"""Who came, who was refused, who changed users and who took a copy: in the audit, over HTTP."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from control_room.access.audited import BURST, MOST_WAITING, PER_S, Audited
from control_room.access.gate import ACTS_BURST
from control_room.access.users_file import change_users
from control_room.journal.database import JournalError, UnfitAlarmError
from scene.clock import ReplayClock
from tests.control_room.access.house import PASSWORD, House, house, wait_for
from tests.control_room.conftest import Tab


@pytest.fixture
def home(users_file: Path) -> Iterator[House]:
    file = users_file.with_name("journal.sqlite")
    with house(users_file.parent, journal_file=file, video=True) as opened:
        yield opened


def entries(folder: Path) -> list[tuple[str, str, str, dict[str, Any]]]:
    """Give who, what, about what, and more, of each entry."""
    with closing(sqlite3.connect(folder / "journal.sqlite")) as db:
        rows = db.execute("SELECT who, what, about, body FROM audit ORDER BY number").fetchall()
    return [(who, what, about, json.loads(body)) for who, what, about, body in rows]


def of(folder: Path, what: str) -> list[tuple[str, str, str, dict[str, Any]]]:
    return [entry for entry in entries(folder) if entry[1] == what]


def test_logging_in_and_out_is_in_the_audit(home: House) -> None:
    folder = home.users.parent
    with home.log_in("li wei") as browser:
        assert entries(folder) == [
            ("Li Wei", "log_in", "", {"role": "operator", "address": "127.0.0.1"})
        ]
        browser.post("/logout")
    assert entries(folder)[1:] == [("Li Wei", "log_out", "", {})]
    with home.log_in("Ada") as ada:
        found = ada.get("/api/history", params={"what": "acts", "order": "oldest"}).json()["rows"]
    assert [(row["what"], row["who"]) for row in found] == [
        ("log_in", "Li Wei"), ("log_out", "Li Wei"), ("log_in", "Ada"),
    ]  # fmt: skip
    assert PASSWORD not in str(found)


def test_however_many_guess_the_audit_stays_readable(home: House) -> None:
    folder = home.users.parent
    with home.client() as browser:
        for i in range(BURST + 30):
            name = "Li Wei" if i % 2 else "my secret password"
            answer = browser.post("/login", data={"name": name, "password": "a wrong one"})
            assert answer.status_code in (401, 429)
    assert wait_for(lambda: len(of(folder, "log_in_refused")) == BURST)
    who, _, about, body = of(folder, "log_in_refused")[1]
    assert (who, about) == ("somebody", "Li Wei"), "it need not have been Li Wei"
    assert body == {"address": "127.0.0.1", "why": "wrong name or password"}
    home.clock.ahead_s += 1 / PER_S
    assert wait_for(lambda: len(of(folder, "log_in_refused")) == BURST + 1)
    *_, body = of(folder, "log_in_refused")[-1]
    assert body["times"] == 30
    assert body["names"] == {"Li Wei": 15, "somebody unknown": 15}
    assert body["addresses"] == {"127.0.0.1": 30}
    assert "my secret password" not in str(entries(folder)), "typed into the wrong field"


def test_what_was_counted_is_told_at_the_end(users_file: Path) -> None:
    folder = users_file.parent
    with (
        house(folder, journal_file=folder / "journal.sqlite") as home,
        home.client() as browser,
    ):
        for _ in range(BURST + 3):
            browser.post("/login", data={"name": "Ada", "password": "a wrong one"})
    assert of(folder, "log_in_refused")[-1][3]["times"] == 3


def test_changes_of_users_are_in_the_audit_whoever_makes_them(home: House) -> None:
    folder = home.users.parent
    with home.log_in("Ada") as ada:
        new = {"name": "Zhang San", "role": "viewer", "password": PASSWORD}
        assert ada.post("/api/users/add", json=new).status_code == 200
        # What comes by another way is told apart, however soon the page changes something, too.
        change_users(home.users, lambda users: users.add("Eve", "admin", PASSWORD))
        assert ada.post("/api/users/role", json=new | {"role": "operator"}).status_code == 200
    change_users(home.users, lambda users: users.change("Wall", role="admin"))
    assert wait_for(lambda: of(folder, "user_added"))
    change_users(home.users, lambda users: users.remove("Zhang San"))
    change_users(home.users, lambda users: users.log_out("Far Away"))
    assert wait_for(lambda: len(of(folder, "user_changed")) == 2)
    found = [entry for entry in entries(folder) if entry[1].startswith("user_")]
    assert sorted(found, key=str) == sorted([
        ("Ada", "user_add", "Zhang San", {"role": "viewer"}),
        ("Ada", "user_role", "Zhang San", {"role": "operator"}),
        ("somebody", "user_added", "Eve", {"role": "admin", "by": "users file"}),
        ("somebody", "user_changed", "Wall",
         {"change": "role", "role": "admin", "by": "users file"}),
        ("somebody", "user_removed", "Zhang San", {"role": "operator", "by": "users file"}),
        ("somebody", "user_changed", "far away", {"change": "logout", "by": "users file"}),
    ], key=str)  # fmt: skip
    assert PASSWORD not in str(entries(folder))


def test_a_disk_that_is_full_keeps_nobody_out_and_nothing_is_lost() -> None:
    written: list[tuple[str, int]] = []
    trouble: list[Exception] = []

    def write(*, who: str, what: str, at_ns: int, about: str, body: dict[str, Any]) -> None:
        if who == "unfit":
            raise UnfitAlarmError("can't be stored")
        if trouble:
            raise trouble[0]
        written.append((f"{who} {what} {body}", at_ns))

    clock, said = ReplayClock(now_ns=7), list[str]()
    audited = Audited(clock, said.append)
    audited.note("Ada", "log_in")
    audited.flush()
    audited.begin(write)
    trouble.append(JournalError("disk is full"))
    for _ in range(3):
        audited.flush()
    assert said == ["log-ins can't be written into the audit now: disk is full"]
    clock.sleep(60)
    for _ in range(MOST_WAITING + 4):
        audited.note("Wang", "log_in")
    trouble.clear()
    audited.flush()
    audited.flush()
    assert written[:2] == [("Ada log_in {}", 7), ("Wang log_in {}", 60_000_000_007)]
    assert len(written) == MOST_WAITING + 1
    assert written[-1][0] == "control room audit_gap {'entries': 5}"
    audited.note("unfit", "log_in")
    audited.note("Ada", "log_out")
    audited.flush()
    assert written[-1][0] == "Ada log_out {}", "one that is unfit holds up nobody"


def test_a_copy_is_given_to_our_own_page_alone(home: House) -> None:
    folder = home.users.parent
    with home.log_in("Li Wei") as browser:
        del browser.headers["origin"]
        ask = {"what": "alarms", "format": "csv"}
        for headers, status in (
            ({}, 403),
            ({"sec-fetch-site": "none"}, 403),
            ({"sec-fetch-site": "cross-site"}, 403),
            ({"sec-fetch-site": "same-site"}, 403),
            ({"origin": "http://evil.example"}, 403),
            ({"sec-fetch-site": "same-origin"}, 200),
            ({"origin": home.url.rstrip("/")}, 200),
        ):
            assert browser.get("/api/history", params=ask, headers=headers).status_code == status
        assert browser.get("/api/history", params={"what": "alarms"}).status_code == 200
    assert of(folder, "export") == 2 * [("Li Wei", "export", "alarms", ask)]
    with home.log_in("Wall") as viewer:
        assert viewer.get("/api/history", params=ask).status_code == 403


def test_copies_have_a_pace(home: House) -> None:
    with home.log_in("Li Wei") as browser:
        home.clock.stopped_s = 0.0
        status = [
            browser.get("/api/history", params={"format": "csv"}).status_code
            for _ in range(ACTS_BURST + 2)
        ]
    assert set(status) == {200, 429}, "nobody fills the disk with entries"
    assert len(of(home.users.parent, "export")) == status.count(200)


class Foreign(BaseHTTPRequestHandler):
    """A page of another port of this host: browsers send it our cookie, too."""

    to = ""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(f'<a id="link" href="{self.to}">a link</a>'.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_browser_downloads_from_our_page_and_from_no_other(home: House, tab: Tab) -> None:
    page = tab.page
    page.goto(f"{home.url}login")
    page.get_by_label("Name").fill("Li Wei")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_function("() => window.lamproom && lamproom.connected")
    page.click("#past > summary")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "lamproom-alarms.csv"
    assert (
        Path(download.value.path()).read_text(encoding="utf-8-sig").startswith("site,gateway,alarm")
    )
    assert tab.complaints == []
    with HTTPServer(("127.0.0.1", 0), Foreign) as foreign:
        Foreign.to = f"{home.url}api/history?what=alarms&format=csv"
        threading.Thread(target=foreign.serve_forever, daemon=True).start()
        page.goto(f"http://127.0.0.1:{foreign.server_port}/")
        with page.expect_response(Foreign.to) as answered:
            page.click("#link")
        foreign.shutdown()
    assert answered.value.status == 403
    assert len(of(home.users.parent, "export")) == 1
