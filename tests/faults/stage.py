"""The real processes between an alarm and the journal, each of which can be killed and comes back.

A broker (Mosquitto), a gateway (`tests/faults/gateway.py`) and a control room; what is killed is
started again at once, as systemd would.
"""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from delivery.outbox import Outbox
from scene.clock import SystemClock
from tests.delivery.parts import MOSQUITTO, free_port
from tests.faults.alarm_source import ENOUGH, noted
from tests.sample_site import FOLDER

REPOSITORY = Path(__file__).parents[2]
HANG_S = 120.0
SITE_YAML = """\
version: 1
site: fire
gateway: gw1
cameras: [{name: c1, url: "rtsp://127.0.0.1:9/none"}]
rig: {file: "RIG", mount: {xyz_m: [0, 0, 2.5]}}
floor: {centre_line_m: [[0, 0, 0], [40, 0, 0]]}
panorama: {port: 0}
state_folder: STATE
"""
PARTS = ("broker", "control room", "room-server", "gateway", "sender", "pipeline")
"""Who can be killed. The room's server is the control room's own to start again (what is started as
the control room stands by), sender and pipeline are the gateway's."""
PARENTS = ("control room", "gateway")


@dataclass(kw_only=True)
class Stage:
    """All processes of one trial."""

    folder: Path
    disk: Path
    """Where outbox and journal lie."""
    port: int
    host: str = "127.0.0.1"
    """Where the broker listens, and the gateway looks for it."""
    before: dict[str, list[str]] = field(default_factory=dict)
    """Words that stand before a part's command."""
    environment: dict[str, dict[str, str]] = field(default_factory=dict)
    """What a part's environment has besides."""
    processes: "dict[str, subprocess.Popen[bytes]]" = field(default_factory=dict)

    def pids(self) -> list[int]:
        """List all processes that are there now."""
        own = [process.pid for process in self.processes.values()]
        return own + [pid for part in PARENTS for pid in children(self.processes[part].pid)]

    @property
    def url(self) -> str:
        return f"mqtt://{self.host}:{self.port}"

    @property
    def journal(self) -> Path:
        return self.disk / "journal.sqlite"

    @property
    def state(self) -> Path:
        return self.disk / "state"

    def start(self, part: str) -> None:
        with (self.folder / f"{part.replace(' ', '-')}.log").open("ab") as log:
            self.processes[part] = subprocess.Popen(
                [*self.before.get(part, ()), *self._command(part)],
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | {"PYTHONUNBUFFERED": "1"} | self.environment.get(part, {}),
            )

    def _command(self, part: str) -> list[str]:
        if part == "broker":
            assert MOSQUITTO is not None
            return [MOSQUITTO, "-c", str(self.folder / "mosquitto.conf")]
        if part == "gateway":
            site = str(self.folder / "site.yaml")
            return [sys.executable, "-m", "tests.faults.gateway", site, self.url]
        words = ["control-room", "--broker", self.url, "--port", "0"]
        return [sys.executable, "-m", "edge.main", *words, "--journal", str(self.journal)]

    def pid(self, part: str) -> int | None:
        """Tell a part's process, none while it is not there."""
        if part in self.processes:
            return self.processes[part].pid
        for parent in PARENTS:
            for child in children(self.processes[parent].pid):
                if name_of(child) == part:
                    return child
        return None

    def kill(self, part: str) -> bool:
        """Kill a part with SIGKILL; tells whether it was there."""
        pid = self.pid(part)
        if pid is None:
            return False
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        if part in self.processes:
            self.processes[part].wait()
            self.start(part)
        return True

    def again(self) -> None:
        """Start what has ended by itself, as systemd would."""
        for part, process in list(self.processes.items()):
            if process.poll() is not None:
                self.start(part)

    def drain(self) -> None:
        """Raise no more, and wait until nothing waits for a receipt."""
        (self.folder / ENOUGH).touch()
        with closing(Outbox(self.state, SystemClock())) as outbox:
            self.wait_until(lambda: not outbox.pending(limit=1))

    def wait_until(self, condition: Callable[[], bool], limit_s: float = HANG_S) -> None:
        until_s = time.monotonic() + limit_s
        while not condition():
            self.again()
            if time.monotonic() > until_s:
                raise AssertionError(f"not within {limit_s:.0f} s:\n{self.logs()}")
            time.sleep(0.05)

    def logs(self) -> str:
        """Give the end of what everybody has said."""
        return "\n".join(
            f"--- {log.name}\n{log.read_text(errors='replace')[-2000:]}"
            for log in sorted(self.folder.glob("*.log"))
        )

    def arrived(self) -> dict[str, float]:
        """List who is in the journal, by alarm: seconds from its raise until it was stored."""
        return {alarm: delay_s for alarm, delay_s in self.rows()}

    def rows(self) -> list[tuple[str, float]]:
        """List the journal's rows: alarm, and seconds until it was stored."""
        return rows_of(self.journal)

    def kinds(self) -> list[str]:
        """List the kinds of all alarms in the journal."""
        with closing(sqlite3.connect(self.journal)) as db:
            return [kind for (kind,) in db.execute("SELECT kind FROM alarm")]

    def noted(self) -> list[str]:
        return noted(self.folder)


@contextmanager
def on_stage(folder: Path, disk: Path | None = None, **more: Any) -> Iterator[Stage]:
    """Start everything, and wait until alarms arrive; `more` are fields of the stage."""
    stage = Stage(folder=folder, disk=disk or folder, port=free_port(), **more)
    (folder / "site.yaml").write_text(
        SITE_YAML.replace("RIG", str(FOLDER / "rig.yaml")).replace("STATE", str(stage.state))
    )
    (folder / "mosquitto.conf").write_text(
        f"listener {stage.port} {stage.host}\nallow_anonymous true\npersistence false\n"
    )
    try:
        for part in ("broker", "control room", "gateway"):
            stage.start(part)
        stage.wait_until(lambda: len(stage.rows()) >= 3)
        yield stage
    finally:
        for process in stage.processes.values():
            process.kill()
            process.wait()


def rows_of(journal: Path) -> list[tuple[str, float]]:
    """List a journal's alarms, each with the seconds from its raise until it was stored."""
    if not journal.exists():
        return []
    sql = "SELECT alarm, stored_at_ns - raised_at_ns FROM change WHERE kind = 'man_down'"
    with closing(sqlite3.connect(journal)) as db:
        try:
            return [(alarm, delay_ns / 1e9) for alarm, delay_ns in db.execute(sql)]
        except sqlite3.OperationalError as error:
            if "no such table" not in str(error):
                raise
            return []  # not made yet


def children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(word) for word in text.split()]


def name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
