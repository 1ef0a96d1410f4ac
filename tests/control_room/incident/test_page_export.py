"""One click on the control room's page: an alarm's minutes, as a .zip that verifies."""

import contextlib
import io
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from control_room.access.doorkeeper import Doorkeeper
from control_room.access.options import Door
from control_room.access.roles import Role
from control_room.incident import job
from control_room.incident.jobs import BUSY, BUSY_ZH, COMMAND, Jobs
from control_room.incident.options import exports_of
from control_room.incident.order import Order, line_of
from control_room.incident.own_folder import OwnFolder
from control_room.incident.verify import verify
from control_room.journal.database import JournalError
from control_room.journal.journal import Journal
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
        exports_of(where, private if signed else None, folder / "state", print) as exports,
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
            id = operator.post("/api/exports", json=WHICH).json()["job"]
            assert ended(operator, id)["state"] == "ready"
        with here.as_role("viewer") as viewer:
            assert viewer.get(f"/api/exports/{id}/file").status_code == 403
        with here.as_role("admin") as admin:
            assert admin.get(f"/api/exports/{id}/file").content[:4] == b"PK\3\4"
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
        id = client.post("/api/exports", json=WHICH).json()["job"]
        told = ended(client, id)
        assert (told["state"], told["signed"]) == ("ready", False)
        (tmp_path / "got.zip").write_bytes(client.get(f"/api/exports/{id}/file").content)
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
    with contextlib.closing(Jobs(said.append, tmp_path / "exports")) as jobs:
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
        (place,) = (tmp_path / "exports").iterdir()
        process = jobs._running
    assert process is not None
    assert process.wait(timeout=10) != 0, "nothing runs on"
    assert not place.exists(), "nothing is left behind"
    assert said[0].startswith("an export failed")


def test_the_job_gives_way_to_all_others() -> None:
    """Alarms wait neither for the processor nor for memory."""
    code = "from control_room.incident import job; import os; job.give_way(); print(os.nice(0))"
    code += "; print(open('/proc/self/oom_score_adj').read())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    nice, oom = map(int, told.stdout.split())
    assert (nice - os.nice(0), oom) == (10, 1000) or nice == 19


def test_where_exports_lie_may_be_cleaned_at_any_time(tmp_path: Path) -> None:
    """What is gone is not found; the next one is made all the same."""
    with place(tmp_path) as here, here.client() as client:
        first = client.post("/api/exports", json=WHICH).json()["job"]
        assert ended(client, first)["state"] == "ready"
        assert stat.S_IMODE(next((tmp_path / "state/exports").iterdir()).stat().st_mode) == 0o700
        shutil.rmtree(tmp_path / "state/exports")
        for path in (first, f"{first}/file"):
            assert client.get(f"/api/exports/{path}").status_code == 404
        second = client.post("/api/exports", json=WHICH).json()["job"]
        assert ended(client, second)["state"] == "ready"
        assert client.get(f"/api/exports/{second}/file").content[:4] == b"PK\3\4"
    assert list((tmp_path / "state/exports").iterdir()) == [], "nothing is left behind"


def test_what_a_killed_process_left_goes_and_what_another_holds_stays(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; "
        "from control_room.incident.own_folder import OwnFolder; "
        "made = OwnFolder(Path(sys.argv[1])).made(); (made / 'tracks.csv').write_text('x'); "
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    (left,) = tmp_path.iterdir()
    assert (left / "tracks.csv").exists()
    with contextlib.closing(OwnFolder(tmp_path)) as one:
        assert not left.exists()
        made = one.made()
        with contextlib.closing(OwnFolder(tmp_path)) as other:
            assert made.is_dir(), "it is held"
            assert other.made() != made


def test_a_job_that_would_fill_the_disk_ends_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Free space is looked at for each picture, and for each piece of the .zip."""
    recording = record(tmp_path / "run.mcap", 3, (2, DOWN))
    looked = list[bool]()
    """Each time: whether the .zip was being written."""

    def order_of(name: str) -> str:
        return line_of(
            Order(
                recordings=str(recording), site=SITE, gateway=GATEWAY, alarm=DOWN.id,
                raised_at_ns=at(2), cleared_at_ns=None, journal=None, key_file=None,
                folder=str(tmp_path / name / "export"),
            )
        )  # fmt: skip

    def carried_out(name: str, most: int) -> dict[str, Any]:
        """Let the disk be full when it is looked at for the so many-th time."""
        looked.clear()
        (tmp_path / name).mkdir()

        def usage(place: Path) -> SimpleNamespace:
            looked.append(any(place.glob(".*.zip")))
            return SimpleNamespace(free=999_000_000 if len(looked) > most else 10**12)

        monkeypatch.setattr("control_room.incident.job.shutil.disk_usage", usage)
        monkeypatch.setattr("sys.stdin", io.StringIO(order_of(name)))
        monkeypatch.setattr("control_room.incident.job.give_way", lambda: None)
        assert job.main() == (2 if len(looked) > most else 0)
        told: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
        return told

    assert "archive" in carried_out("whole", 10**9)
    often = len(looked)
    for name, most, packing in (("early", 5, False), ("late", often - 2, True)):
        told = carried_out(name, most)
        assert looked[-1] is packing
        assert "only 1.0 GB are free now" in told["error"]
        assert "磁盘仅剩" in told["error_zh"]
        assert list((tmp_path / name).iterdir()) == [], "nothing half done is left"


def test_an_orphan_ends_without_a_word_and_leaves_nothing(tmp_path: Path) -> None:
    """Whoever asked was killed: nobody reads what the job tells."""
    recording = record(tmp_path / "run.mcap", 3, (2, DOWN))
    order = Order(
        recordings=str(recording), site=SITE, gateway=GATEWAY, alarm=DOWN.id, raised_at_ns=at(2),
        cleared_at_ns=None, journal=None, key_file=None, folder=str(tmp_path / "place/export"),
    )  # fmt: skip
    (tmp_path / "place").mkdir()
    process = subprocess.Popen(
        COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    process.stdin.write(line_of(order))
    process.stdin.close()
    with process.stderr as stderr:
        assert stderr.read() == ""
    assert process.wait(timeout=60) == 2
    assert list((tmp_path / "place").iterdir()) == []


def audits(client: httpx.Client) -> int:
    rows = client.get("/api/history", params={"what": "acts", "kind": "incident_export"})
    return len(rows.json()["rows"])


def test_who_is_refused_is_told_why_and_is_not_in_the_audit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("control_room.incident.jobs.COMMAND", ("sleep", "1000"))

    with place(tmp_path) as here, here.client() as client:
        assert client.post("/api/exports", json=WHICH).status_code == 200
        busy = client.post("/api/exports", json=WHICH)
        assert (busy.status_code, audits(client)) == (503, 1)
        assert busy.json() == {"error": BUSY, "error_zh": BUSY_ZH}
    monkeypatch.setattr("control_room.incident.jobs.FREE_BYTES", 10**18)
    (tmp_path / "full").mkdir()
    with place(tmp_path / "full") as here, here.client() as client:
        full = client.post("/api/exports", json=WHICH)
        assert (full.status_code, audits(client)) == (503, 0)
        assert "so that it can't fill the disk" in full.json()["error"]
        assert "磁盘仅剩" in full.json()["error_zh"]


def test_what_can_not_be_noted_is_not_begun(tmp_path: Path) -> None:
    with contextlib.closing(Jobs(print, tmp_path / "exports")) as jobs:

        def fail() -> None:
            raise JournalError("full")

        with pytest.raises(JournalError):
            jobs.start("a.zip", lambda folder: "order\n", fail)
        assert jobs._jobs == {}
        assert jobs.start("b.zip", lambda folder: "order\n").state == "running"


def held_until(go: Path) -> tuple[str, ...]:
    """Give a command that tells 7 per cent, and exports when there is a file."""
    code = (
        "import pathlib, runpy, sys, time\n"
        "print('{\"percent\": 7}', flush=True)\n"
        f"while not pathlib.Path({str(go)!r}).exists(): time.sleep(0.05)\n"
        "runpy.run_module('control_room.incident.job', run_name='__main__')\n"
    )
    return (sys.executable, "-c", code)


def test_while_one_is_made_another_click_says_so_in_both_languages(
    tmp_path: Path, tab: Tab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever began the other: this page, or somebody elsewhere."""
    lost = alarm("camera_lost-1", at_ns=at(1), kind="camera_lost", track=None, camera="c1")
    go, said = tmp_path / "go", "#details .exporting.trouble"
    monkeypatch.setattr("control_room.incident.jobs.COMMAND", held_until(go))
    with place(tmp_path) as here, here.client() as client:
        here.gateway.say(lost)
        elsewhere = client.post("/api/exports", json=WHICH).json()["job"]
        page = tab.open(here.url)
        choose_alarm(page)
        page.locator("#details .actions .export").click()
        page.locator(said, has_text=BUSY).wait_for()
        page.locator("#lang-zh").click()
        page.locator(said, has_text=BUSY_ZH).wait_for()
        go.touch()
        assert ended(client, elsewhere)["state"] == "ready"
        go.unlink()
        page.locator("#details .actions .export").click()
        page.locator("#details .exporting", has_text="7%").wait_for()
        page.locator("#alarms button[data-kind='camera_lost']").click()
        page.locator("#details .actions .export").click()
        page.locator(said, has_text="另一个导出正在进行（7%）").wait_for()
        page.locator("#lang-en").click()
        page.locator(said, has_text="Not begun: another export is being made (7 %)").wait_for()
        tab.shoot("busy")
        with page.expect_download(timeout=120_000) as download:
            go.touch()
        file = tmp_path / "got.zip"
        download.value.save_as(file)
        assert verify(file, public_keys_of(here.public)).told["alarm"] == DOWN.id
        page.locator(said).wait_for(state="hidden")
