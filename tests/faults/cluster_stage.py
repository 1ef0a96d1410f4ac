"""A gateway and a control room at a NATS cluster with the configuration that is shipped, or at two
brokers with a bridge between them; and what the gateway's siren did meanwhile.
"""

import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.delivery.nats_cluster import Cluster, cluster
from tests.edge.mine_certificates import SITE, make_mine
from tests.faults.stage import SITE_YAML, Stage
from tests.sample_site import FOLDER

SIREN = "siren"
NOTE = """\
import os, sys, time
with open(sys.argv[1], "a") as file:
    file.write(f"{time.time()} {os.environ['LAMPROOM_EVENT']}\\n")
"""
LOCAL_ALARM = """\
local_alarm:
  command: [PYTHON, FOLDER/siren.py, FOLDER/siren]
  end_command: [PYTHON, FOLDER/siren.py, FOLDER/siren]
  repeat_s: null
  unreceipted_after_s: 5
  expected: true
"""


@dataclass(kw_only=True)
class ApartStage(Stage):
    """A stage whose gateway and control room may have brokers of their own."""

    below: str
    """The URL of the gateway's broker, or brokers."""
    above: str
    """The control room's."""
    room_words: tuple[str, ...] = ()
    """Further options of the control room."""

    @property
    def url(self) -> str:
        return self.below

    def _command(self, part: str) -> list[str]:
        if part == "gateway":
            return super()._command(part)
        words = ["control-room", "--broker", self.above, "--port", "0", *self.room_words]
        return [sys.executable, "-m", "edge.main", *words, "--journal", str(self.journal)]

    def raised_s(self, kind: str, since_s: float) -> list[float]:
        """List when the control room raised alarms of a kind (`time.time()`), since an instant."""
        sql = "SELECT raised_at_ns FROM change WHERE kind = ? AND state = 'active'"
        with closing(sqlite3.connect(self.journal)) as db:
            found = [at_ns / 1e9 for (at_ns,) in db.execute(sql, (kind,))]
        return sorted(at_s for at_s in found if at_s >= since_s)

    def siren_is_off(self) -> bool:
        file = self.folder / SIREN
        return not file.exists() or file.read_text().endswith(" over\n")

    def siren(self, event: str, since_s: float = 0.0) -> list[float]:
        """List when the gateway's siren was told of something (`time.time()`), since an instant."""
        file = self.folder / SIREN
        lines = file.read_text().splitlines() if file.exists() else []
        told = (line.split() for line in lines)
        return [float(at_s) for at_s, what in told if what == event and float(at_s) >= since_s]


def write_site(stage: ApartStage, site: str, broker: str = "") -> None:
    """Write the gateway's site file, with a siren that notes down when it is told of what."""
    text = SITE_YAML.replace("RIG", str(FOLDER / "rig.yaml")).replace("STATE", str(stage.state))
    (stage.folder / f"{SIREN}.py").write_text(NOTE)
    siren = LOCAL_ALARM.replace("PYTHON", sys.executable).replace("FOLDER", str(stage.folder))
    text = text.replace("site: fire", f"site: {site}") + siren + broker
    (stage.folder / "site.yaml").write_text(text)


@contextmanager
def started(stage: ApartStage) -> Iterator[ApartStage]:
    """Start control room and gateway, and wait until alarms arrive and both hear each other."""
    try:
        for part in ("control room", "gateway"):
            stage.start(part)
        stage.wait_until(lambda: len(stage.rows()) >= 3)
        stage.wait_until(stage.siren_is_off)
        yield stage
    finally:
        for process in stage.processes.values():
            process.kill()
            process.wait()


@dataclass(kw_only=True)
class ClusterStage(ApartStage):
    nodes: Cluster


@contextmanager
def at_cluster(folder: Path, *, first_state: Path | None = None) -> Iterator[ClusterStage]:
    """Start everything, and a cluster of three nodes; the first may keep messages elsewhere."""
    mine = make_mine(folder)
    with cluster(mine, first_state=first_state) as nodes:
        room = mine.folder / "control_room"
        files = {
            "--ca-file": "ca.pem",
            "--certificate-file": "client.pem",
            "--key-file": "client.key",
        }
        words = [word for option, file in files.items() for word in (option, str(room / file))]
        stage = ClusterStage(
            folder=folder,
            disk=folder,
            port=0,
            below=nodes.url,
            above=nodes.url,
            room_words=tuple(words),
            nodes=nodes,
        )
        gateway = mine.folder / "gateways" / "gw1"
        broker = f"broker:\n  url: {nodes.url}\n  ca_file: {gateway / 'ca.pem'}\n"
        broker += f"  certificate_file: {gateway / 'client.pem'}\n"
        broker += f"  key_file: {gateway / 'client.key'}\n"
        write_site(stage, SITE, broker)
        with started(stage):
            yield stage


def now_s() -> float:
    """Tell the time as the siren notes it."""
    return time.time()
