"""One click on the control room's page: an alarm's minutes, as a .zip that verifies."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from control_room.access.doorkeeper import Doorkeeper
from control_room.access.options import Door
from control_room.access.roles import Role
from control_room.incident.jobs import Jobs
from control_room.incident.options import exports_of
from control_room.incident.verify import verify
from control_room.journal import Journal
from control_room.room import Room
from control_room.server import serving
from control_room.turns import BusyError
from delivery.signing import public_keys_of
from scene.clock import SystemClock
from tests.control_room.access.house import NAMES, PASSWORD, make_users, wait_for
from tests.control_room.conftest import Tab
from tests.control_room.fake_gateway import GATEWAY, SITE, LocalGateway, alarm
from tests.control_room.incident.recordings import at, record
from tests.delivery.keys import pair

DOWN = alarm("man_down-3", at_ns=at(2))
WHICH = {"site": SITE, "gateway": GATEWAY, "id": DOWN.id}


@dataclass(kw_only=True)
class Place:
    url: str
    room: Room
    gateway: LocalGateway
    public: Path

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=60, headers={"origin": self.url.rstrip("/")})

    @contextlib.contextmanager
    def as_role(self, role: Role) -> Iterator[httpx.Client]:
        with self.client() as made:
            answer = made.post("/login", data={"name": NAMES[role], "password": PASSWORD})
            assert answer.status_code == 303
            yield made


@contextlib.contextmanager
def place(
    folder: Path, *, recordings: bool = True, users: bool = False, signed: bool = True
) -> Iterator[Place]:
    """Serve a control room beside a folder of recordings; one of them has the alarm."""
    private, public = pair(folder, "room")
    (folder / "recordings").mkdir()
    record(folder / "recordings/run.mcap", 6, (2, DOWN))
    (folder / "recordings/other.mcap").write_bytes(b"not a recording")
    journal, clock = Journal(folder / "journal.sqlite"), SystemClock()
    room = Room(journal, clock, lambda *_: None, lambda *_: None, prefix="mine")
    door = Door()
    if users:
        make_users(folder / "users.yaml")
        keeper = Doorkeeper(folder / "users.yaml", folder / "sessions.sqlite", clock, print)
        door = Door(doorkeeper=keeper)
    where = folder / "recordings" if recordings else None
    with (
        contextlib.closing(journal),
        contextlib.closing(door),
        exports_of(where, private if signed else None, print) as exports,
        LocalGateway(room.hear) as gateway,
        serving(room, gateway.open_stream, door=door, exports=exports) as url,
    ):
        gateway.say(DOWN)
        yield Place(url=url, room=room, gateway=gateway, public=public)


def ended(client: httpx.Client, job: str) -> dict[str, Any]:
    """Wait for the end of an export."""
    found: dict[str, Any] = {}

    def over() -> bool:
        found.update(client.get(f"/api/exports/{job}").json())
        return bool(found["state"] != "running")

    assert wait_for(over, timeout_s=120)
    return found


def choose_alarm(page: Any) -> None:
    page.locator("#alarms button[data-kind='man_down']").click()
    page.locator("#details .actions .close").wait_for()


def test_one_click_gives_a_zip_that_verifies(tmp_path: Path, tab: Tab) -> None:
    with place(tmp_path) as here:
        page = tab.open(here.url)
        choose_alarm(page)
        button = page.locator("#details .actions .export")
        button.wait_for()
        assert button.inner_text() == "Export"
        with page.expect_download(timeout=120_000) as download:
            button.click()
        file = tmp_path / "got.zip"
        download.value.save_as(file)
        assert download.value.suggested_filename == "incident-20260921T141322Z.zip"
        verdict = verify(file, public_keys_of(here.public))
        assert (verdict.faults, verdict.doubts) == ((), ())
        assert verdict.told["alarm"] == DOWN.id
        link = page.locator("#details .exporting a")
        link.wait_for()
        in_sight = """(link) => { const box = link.getBoundingClientRect();
          return link.contains(document.elementFromPoint(box.x + 5, box.y + 5)); }"""
        assert link.evaluate(in_sight), "nobody need scroll to it"
        assert "missing in it or not proven" in page.locator("#details .exporting").inner_text()
        tab.shoot("ready")
        page.locator("#lang-zh").click()
        page.locator("#details .exporting a", has_text="导出文件").wait_for()
        assert button.inner_text() == "导出"
        assert tab.complaints == []


def test_what_failed_is_said_beside_the_alarm(tmp_path: Path, tab: Tab) -> None:
    with place(tmp_path) as here:
        (tmp_path / "recordings/run.mcap").unlink()
        page = tab.open(here.url)
        choose_alarm(page)
        page.locator("#details .actions .export").click()
        said = page.locator("#details .exporting.trouble", has_text="no recording of roadway")
        said.wait_for(timeout=60_000)
        tab.shoot("failed")
        page.locator("#lang-zh").click()
        page.locator("#details .exporting.trouble", has_text="没有 roadway / gw1 在").wait_for()


def test_without_recordings_there_is_no_button_and_no_export(tmp_path: Path, tab: Tab) -> None:
    with place(tmp_path, recordings=False) as here:
        with here.client() as client:
            assert client.get("/api/exports").json() == {"available": False}
            answer = client.post("/api/exports", json=WHICH)
            assert answer.status_code == 404
            assert "--recordings" in answer.json()["error"]
        page = tab.page
        with page.expect_response("**/api/exports"):
            tab.open(here.url)
        choose_alarm(page)
        page.locator("#details .actions .acknowledge").wait_for()
        assert page.locator("#details .actions .export").count() == 0


def test_viewers_may_not_export_and_who_exports_is_in_the_audit(tmp_path: Path, tab: Tab) -> None:
    with place(tmp_path, users=True) as here:
        with here.as_role("viewer") as viewer:
            assert viewer.post("/api/exports", json=WHICH).status_code == 403
            assert viewer.get("/api/exports").status_code == 403
        with here.as_role("operator") as operator:
            foreign = operator.post("/api/exports", json=WHICH, headers={"origin": "http://evil"})
            assert foreign.status_code == 403, "no other site's page begins one"
            job = operator.post("/api/exports", json=WHICH).json()["job"]
            assert ended(operator, job)["state"] == "ready"
        with here.as_role("viewer") as viewer:
            assert viewer.get(f"/api/exports/{job}/file").status_code == 403
        with here.as_role("admin") as admin:
            assert admin.get(f"/api/exports/{job}/file").content[:4] == b"PK\3\4"
            rows = admin.get("/api/history", params={"what": "acts", "kind": "incident_export"})
            (entry,) = rows.json()["rows"]
            assert (entry["who"], entry["about"]) == (NAMES["operator"], DOWN.id)
        page = tab.page
        page.goto(here.url)
        page.locator("[name=name]").fill(NAMES["viewer"])
        page.locator("[name=password]").fill(PASSWORD)
        page.locator("[name=password]").press("Enter")
        page.wait_for_function("() => window.lamproom && lamproom.connected && lamproom.role")
        choose_alarm(page)
        assert page.locator("#details .actions .export").count() == 0


def test_who_did_what_with_the_alarm_is_in_it_and_unsigned_is_told(tmp_path: Path) -> None:
    import zipfile

    with place(tmp_path, signed=False) as here, here.client() as client:
        acknowledged = client.post("/api/alarms/acknowledge", json=WHICH | {"by": "王芳"})
        assert acknowledged.status_code == 200
        job = client.post("/api/exports", json=WHICH).json()["job"]
        told = ended(client, job)
        assert (told["state"], told["signed"]) == ("ready", False)
        (tmp_path / "got.zip").write_bytes(client.get(f"/api/exports/{job}/file").content)
        assert told["bytes"] == (tmp_path / "got.zip").stat().st_size
    with zipfile.ZipFile(tmp_path / "got.zip") as file:
        (life,) = json.loads(file.read("alarms.json"))
    acts = [one for one in life["events"] if one["trust"] == "journal"]
    assert [(one["what"], one["by"]) for one in acts] == [("acknowledge", "王芳")]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"7", b'{"site":1,"gateway":"g","id":"x"}', b'{"site":"a"}',
             b'{"site":"a","gateway":"g","id":""}', b'{"site":"a","gateway":"g","id":"\\ud800"}'],
)  # fmt: skip
def test_a_wrong_request_is_one_clear_error(tmp_path: Path, body: bytes) -> None:
    with place(tmp_path) as here, here.client() as client:
        answer = client.post("/api/exports", content=body)
        assert answer.status_code == 400
        assert answer.json() == {"error": "give site, gateway and id of an alarm"}


def test_what_is_not_there_is_404(tmp_path: Path) -> None:
    with place(tmp_path) as here, here.client() as client:
        assert client.post("/api/exports", json=WHICH | {"id": "x"}).status_code == 404
        for path in ("abc", "abc/file", "..%2f..%2fetc%2fpasswd/file"):
            assert client.get(f"/api/exports/{path}").status_code == 404


def test_one_at_a_time_and_what_hangs_or_dies_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = list[str]()
    monkeypatch.setattr("control_room.incident.jobs.COMMAND", ("sleep", "1000"))
    with contextlib.closing(Jobs(said.append)) as jobs:
        first = jobs.start("a.zip", lambda folder: "order\n")
        with pytest.raises(BusyError):
            jobs.start("b.zip", lambda folder: "order\n")
        running = jobs._running
        assert running is not None
        running.kill()

        def over() -> bool:
            job = jobs.job(first.id)
            return job is not None and job.state == "failed"

        assert wait_for(over)
        second = jobs.start("b.zip", lambda folder: "order\n")
        assert second.state == "running"
        place = jobs._place
        process = jobs._running
    assert process is not None
    assert process.wait(timeout=10) != 0, "nothing runs on"
    assert place is not None
    assert not place.exists(), "nothing is left behind"
    assert said[0].startswith("an export failed")


def test_the_job_gives_way_to_all_others() -> None:
    """Alarms wait neither for the processor nor for memory."""
    code = "from control_room.incident import job; import os; job.give_way(); print(os.nice(0))"
    code += "; print(open('/proc/self/oom_score_adj').read())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    nice, oom = map(int, told.stdout.split())
    assert (nice - os.nice(0), oom) == (10, 1000) or nice == 19
