"""A gateway on live RTSP cameras, a real broker, and somebody who hears what comes of it.

Each camera is a server of its own, so that one can be stopped and the others go on.
"""

import contextlib
import itertools
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from delivery.mqtt import Connection
from delivery.stream import StreamFollower
from scene.messages import Anomaly, GatewayHealth, Positions
from scene.site import BrokerConfig
from scene.topics import topic_filter
from scene.wire import decode
from tests.bench.gateway_load import DEBIAN_PYTHON, SAMPLES, SERVER, faster
from tests.delivery.parts import free_port, mosquitto
from tests.edge.processes import below, name_of, pid_below

HANG_S = 120.0
RIG = SAMPLES / "rig.yaml"
NAMES = ("cam1", "cam2", "cam3", "cam4")


@dataclass(kw_only=True)
class Heard:
    """What has come from the gateway, each with the time when it was heard (monotonic)."""

    panoramas_s: list[float] = field(default_factory=list)
    positions_s: list[float] = field(default_factory=list)
    beats: list[tuple[float, GatewayHealth]] = field(default_factory=list)
    alarms: list[tuple[float, Anomaly]] = field(default_factory=list)

    def hear(self, topic: str, payload: bytes, retained: bool) -> None:
        body, now_s = decode(payload).body, time.monotonic()
        if isinstance(body, GatewayHealth):
            self.beats.append((now_s, body))
        elif isinstance(body, Positions):
            self.positions_s.append(now_s)
        elif isinstance(body, Anomaly):
            self.alarms.append((now_s, body))


@dataclass(kw_only=True)
class LiveStage:
    """All processes of one trial."""

    folder: Path
    gateway: "subprocess.Popen[bytes]"
    cameras: "dict[str, subprocess.Popen[bytes]]"
    """Each camera's server."""
    heard: Heard

    def pid(self, name: str) -> int:
        """Find one of the gateway's processes by its name."""
        return pid_below(self.gateway.pid, name)

    def pids(self, name: str) -> list[int]:
        """List all of the gateway's processes of one name."""
        return sorted(pid for pid in below(self.gateway.pid) if name_of(pid) == name)

    def has_spare(self, service: str) -> bool:
        """Tell whether a process waits to take over, and is ready: the kernel may take it first."""
        for pid in self.pids(f"{service}-spare"):
            with contextlib.suppress(OSError):
                return Path(f"/proc/{pid}/oom_score_adj").read_text().strip() == "1000"
        return False

    def wait_until(self, condition: Callable[[], bool], limit_s: float = HANG_S) -> float:
        """Wait for something; gives the monotonic time when it was so."""
        until_s = time.monotonic() + limit_s
        while not condition():
            assert time.monotonic() < until_s, (
                f"not within {limit_s:.0f} s; active: {self.active()}\n{self.log()[-3000:]}"
            )
            time.sleep(0.02)
        return time.monotonic()

    def log(self) -> str:
        """Give what the gateway has said."""
        return (self.folder / "log").read_text(errors="replace")

    def well(self, count: int = 2) -> Callable[[], bool]:
        """Give what tells whether so many heartbeats from now on have all cameras at work."""
        since = len(self.heard.beats)

        def are_well() -> bool:
            beats = [beat for _, beat in self.heard.beats[since:]][-count:]
            return len(beats) == count and all(
                camera.state == "ok" for beat in beats for camera in beat.cameras
            )

        return are_well

    def after(self, times_s: list[float], since_s: float) -> float:
        """Wait for the first of these after an instant; gives the seconds from then."""
        self.wait_until(lambda: bool(times_s) and times_s[-1] > since_s)
        return next(at_s for at_s in times_s if at_s > since_s) - since_s

    def pictures_again(self, name: str, since_s: float) -> float:
        """Wait for a heartbeat that knows of a picture taken later than an instant.

        Gives the seconds from then to the heartbeat, of which there is one a second.
        """
        since_ns = time.time_ns() - round((time.monotonic() - since_s) * 1e9)
        found: list[float] = []

        def are_back() -> bool:
            for at_s, beat in self.heard.beats:
                one = next(one for one in beat.cameras if one.name == name)
                if at_s > since_s and one.state == "ok" and (one.last_frame_at_ns or 0) > since_ns:
                    found.append(at_s - since_s)
            return bool(found)

        self.wait_until(are_back)
        return found[0]

    def beats_since(self, since_s: float, *, count: int) -> list[GatewayHealth]:
        """Wait for so many heartbeats later than an instant, and one after now."""
        now_s = time.monotonic()

        def found() -> list[GatewayHealth]:
            return [beat for at_s, beat in self.heard.beats if at_s > since_s]

        self.wait_until(lambda: len(found()) >= count and self.heard.beats[-1][0] > now_s)
        return found()

    def is_alarmed(self, camera: str) -> bool:
        """Tell whether an alarm about a camera is active."""
        return any(one.camera == camera for one in self.active())

    def active(self) -> list[Anomaly]:
        """Give the alarms that are active now: what was cleared is over, whatever is sent again."""
        heard = [one for _, one in tuple(self.heard.alarms)]
        over = {one.id for one in heard if one.state == "cleared"}
        return [*{one.id: one for one in heard if one.id not in over}.values()]

    def count(self, times_s: list[float], from_s: float, to_s: float) -> int:
        """Count what was heard between two instants."""
        return sum(from_s < at_s <= to_s for at_s in times_s)

    def longest_gap_s(self, from_s: float, to_s: float) -> float:
        """Tell the longest time without a panorama."""
        within = [at_s for at_s in self.heard.panoramas_s if from_s < at_s < to_s]
        return max(b - a for a, b in itertools.pairwise([from_s, *within, to_s]))


@contextmanager
def live_stage(
    folder: Path,
    *,
    length_s: float = 600.0,
    record: bool = False,
    rig: Path = RIG,
    names: Sequence[str] = NAMES,
) -> Iterator[LiveStage]:
    """Start cameras, broker and gateway, and wait until all cameras are at work."""
    with ExitStack() as stack:
        ports = {name: free_port() for name in names}
        cameras = {}
        for name, port in ports.items():
            clip = faster(SAMPLES / f"{name}.mp4", folder / f"{name}.mp4", length_s)
            cameras[name] = stack.enter_context(_camera(port, clip))
        broker = stack.enter_context(mosquitto(folder))
        stream_port = free_port()
        site = folder / "site.yaml"
        site.write_text(site_text(ports, stream_port, folder / "state", rig))
        heard = Heard()
        connection = Connection(BrokerConfig(url=broker.url), client_id="hear", log=lambda _: None)
        stack.enter_context(closing(connection))
        for topic in ("health", "positions", "alarm"):
            connection.subscribe(topic_filter(topic), 1, heard.hear)
        connection.connect(10.0, wait=True)
        follower = StreamFollower(
            f"ws://127.0.0.1:{stream_port}/panorama",
            lambda _: heard.panoramas_s.append(time.monotonic()),
        )
        stack.enter_context(closing(follower))
        words = ["run", str(site), "--broker", broker.url]
        words += ["--record", str(folder / "run.mcap")] if record else []
        gateway = stack.enter_context(_gateway(folder, words))
        stage = LiveStage(folder=folder, gateway=gateway, cameras=cameras, heard=heard)
        stage.wait_until(stage.well())
        yield stage


def site_text(ports: dict[str, int], stream_port: int, state: Path, rig: Path) -> str:
    """Write the sample roadway's site file for cameras at these ports."""
    site = yaml.safe_load((SAMPLES / "site.yaml").read_text())
    site["cameras"] = [camera for camera in site["cameras"] if camera["name"] in ports]
    points = site["rig"]["survey_points"]
    site["rig"]["survey_points"] = [point for point in points if point["camera"] in ports]
    for camera in site["cameras"]:
        camera["url"] = f"rtsp://127.0.0.1:{ports[camera['name']]}/cam0"
    site["rig"]["file"] = str(rig)
    site["panorama"] = site.get("panorama", {}) | {"port": stream_port}
    site["state_folder"] = str(state)
    text: str = yaml.safe_dump(site)
    return text


@contextmanager
def _camera(port: int, clip: Path) -> "Iterator[subprocess.Popen[bytes]]":
    words = [DEBIAN_PYTHON, str(SERVER), str(port), str(clip)]
    server = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert server.stdout is not None
        server.stdout.readline()
        yield server
    finally:
        server.kill()
        server.wait()
        assert server.stdout is not None
        server.stdout.close()


@contextmanager
def _gateway(folder: Path, words: list[str]) -> "Iterator[subprocess.Popen[bytes]]":
    with (folder / "log").open("ab") as log:
        gateway = subprocess.Popen(
            [sys.executable, "-m", "edge.main", *words], stdout=log, stderr=log
        )
    try:
        yield gateway
    finally:
        gateway.terminate()
        try:
            gateway.wait(timeout=60)
        finally:
            gateway.kill()
            gateway.wait()
