"""Small parts that the tests of delivery share."""

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from delivery.link import OnMessage, OnResult
from scene.messages import (
    AlarmState,
    Anomaly,
    GatewayHealth,
    PanoramaPacket,
    Position,
    Positions,
)
from scene.site import Site, parse_site

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
NO_MOSQUITTO = "mosquitto is not installed (apt-get install mosquitto)"
HANG_S = 60.0
"""Longer than this is a hang, whatever the machine."""

SITE = """
version: 1
site: roadway
gateway: gw1
cameras: [{name: c1, url: "rtsp://camera/1"}]
rig: {mount: {xyz_m: [0, 0, 2.5], yaw_deg: 0}}
floor: {centre_line_m: [[0, 0, 0], [40, 0, 0]], left_m: 2.0, right_m: 2.0}
"""

HEALTH = GatewayHealth(
    captured_at_ns=1,
    cameras=(),
    panorama_fps=10,
    detection_fps=5,
    detection_age_s=None,
    detection_provider="CPU",
)


@dataclass(slots=True, kw_only=True)
class Wire:
    """A connection to nobody, of which the test says what comes: `hears`, by filter."""

    connected: bool = True
    trouble: str = ""
    hears: dict[str, OnMessage] = field(default_factory=dict)

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int,
        retain: bool,
        on_result: OnResult | None = None,
    ) -> bool:
        return True

    def subscribe(self, filter: str, qos: int, on_message: OnMessage) -> None:
        self.hears[filter] = on_message

    def on_connect(self, hook: Callable[[], None]) -> None: ...

    def renew_will(self, topic: str, payload: bytes) -> None: ...

    def close(self) -> None: ...


def wait_until(condition: Callable[[], bool]) -> None:
    until_s = time.monotonic() + HANG_S
    while not condition():
        assert time.monotonic() < until_s, "it never happened"
        time.sleep(0.01)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def site(folder: Path) -> Site:
    return parse_site(SITE, name="site.yaml", folder=folder)


def alarm(id: str = "man_down-1", state: AlarmState = "active", at_ns: int = 1000) -> Anomaly:
    return Anomaly(
        id=id,
        kind="man_down",
        severity="critical",
        state=state,
        captured_at_ns=at_ns,
        raised_at_ns=1000,
        probability=0.9,
        certainty="certainly",
        xyz_m=(12.5, -1.0, 0.0),
        evidence="0.4 m high for 3.2 s",
    )


def people(at_ns: int = 5, count: int = 1) -> Positions:
    one = Position(
        track=1,
        xyz_m=(1.5, 0.5, 0.0),
        covariance_m2=((0.09, 0.0), (0.0, 0.04)),
        velocity_m_s=(1.0, 0.0),
        height_m=1.8,
        posture="upright",
        certainty="certainly",
        seen_at_ns=at_ns,
        cameras=("c1",),
    )
    return Positions(captured_at_ns=at_ns, people=(one,) * count)


def packet(i: int, *, key_every: int = 5, size: int = 300) -> PanoramaPacket:
    return PanoramaPacket(
        captured_at_ns=i,
        key_frame=i % key_every == 0,
        geometry="rig-1",
        size_px=(640, 160),
        positions=people(i),
        payload=b"\0\0\0\1" + bytes([i % 256]) * size,
    )


@dataclass(kw_only=True)
class Mosquitto:
    url: str
    process: "subprocess.Popen[bytes]"


@contextmanager
def mosquitto(
    folder: Path, *, port: int | None = None, rules: str | None = None
) -> Iterator[Mosquitto]:
    """Run the real broker; `rules` is its access list."""
    assert MOSQUITTO is not None
    port = port or free_port()
    config = f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n"
    if rules is not None:
        (folder / "acl").write_text(rules)
        (folder / "acl").chmod(0o644)
        folder.chmod(0o755)
        config += f"acl_file {folder / 'acl'}\nuser root\n"
    (folder / "mosquitto.conf").write_text(config)
    process = subprocess.Popen(
        [MOSQUITTO, "-c", str(folder / "mosquitto.conf")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: answers(port))
        yield Mosquitto(url=f"mqtt://127.0.0.1:{port}", process=process)
    finally:
        process.kill()
        process.wait()


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
    except OSError:
        return False
    return True
