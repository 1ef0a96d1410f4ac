"""The gateway's figures, served for Prometheus at `http://host:port/metrics`, and its probes.

Knows nothing about how they come about: it reads the last heartbeat, positions and outbox. It lives
in the sending process, and whatever goes wrong here stops nothing else there.
"""

import contextlib
import socket
import socketserver
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version
from pathlib import Path
from typing import get_args

from delivery.aside import Aside, StalledError
from delivery.link import Link
from delivery.outbox import Outbox, OutboxError
from edge import log
from edge.exposition import CONTENT_TYPE, Family, family, render
from edge.outlet import DirectOutlet
from edge.port import PortError, take_port
from edge.probes import ALIVE, READY, Probes
from edge.storage_watch import look_at
from scene.clock import Clock
from scene.messages import CameraState, GatewayHealth
from scene.site import MetricsConfig, Site

PATH = "/metrics"
CLIENT_LIMIT_S = 2.0
"""A client that has not asked after so long is cut off: others wait meanwhile."""
PATIENCE_S = 2.0
"""So long a disk may take to be looked at: who asks whether we live waits meanwhile."""
TRY_AGAIN_S = 5.0
MOST_ALARMS = 10_000


class Figures:
    """Gathers the figures of one gateway when it is asked."""

    def __init__(
        self,
        site: Site,
        outlet: DirectOutlet,
        outbox: Outbox,
        connection: Link,
        folders: tuple[Path, ...],
        *,
        clock: Clock,
    ) -> None:
        self._site, self._outlet, self._outbox = site, outlet, outbox
        self._connection, self._folders, self._clock = connection, folders, clock

    def text(self) -> str:
        """Write all figures down."""
        return render(self._families())

    def _families(self) -> Iterator[Family]:
        now_s = self._clock.monotonic_s()
        last = self._outlet.last
        labels = {
            "site": self._site.site,
            "gateway": self._site.gateway,
            "version": version("lamproom"),
        }
        yield family("lamproom_gateway_info", "Which gateway this is.", [(1, labels)])
        yield family(
            "lamproom_heartbeat_age_seconds",
            "Time since the pipeline last said that it is alive.",
            [(_age(last.health_s if last.health else None, now_s), {})],
        )
        if last.health is not None:
            yield from _of_health(last.health, now_s - last.health_s)
        yield family(
            "lamproom_panorama_age_seconds",
            "Time since the last picture of the panorama came.",
            [(_age(last.panorama_s, now_s), {})],
        )
        yield family(
            "lamproom_people",
            "People whose place is known or carried on.",
            [(last.people, {})],
        )
        yield family(
            "lamproom_people_age_seconds",
            "Time since the last positions came.",
            [(_age(last.people_s, now_s), {})],
        )
        yield from self._of_delivery()
        yield from _of_services(self._outlet)
        rooms = [(look_at(folder), {"folder": str(folder)}) for folder in self._folders]
        yield family(
            "lamproom_disk_free_bytes",
            "Room that is left on the disk of a folder.",
            [(room.free_bytes, labels) for room, labels in rooms],
        )
        yield family(
            "lamproom_disk_size_bytes",
            "Size of the disk of a folder.",
            [(room.size_bytes, labels) for room, labels in rooms],
        )
        yield family(
            "lamproom_disk_low",
            "Whether there is too little room, or nothing can be written.",
            [(bool(room.low), labels) for room, labels in rooms],
        )

    def _of_delivery(self) -> Iterator[Family]:
        yield family(
            "lamproom_broker_connected",
            "Whether the MQTT broker can be reached.",
            [(self._connection.connected, {})],
        )
        try:
            waiting, active = self._outbox.waiting(), self._outbox.active(MOST_ALARMS)
        except OutboxError:
            yield family("lamproom_outbox_up", "Whether the outbox can be read.", [(0, {})])
            return
        yield family("lamproom_outbox_up", "Whether the outbox can be read.", [(1, {})])
        yield family(
            "lamproom_outbox_waiting_alarms",
            "Alarms that the control room has not receipted.",
            [(waiting.count, {})],
        )
        oldest_s = 0.0
        if waiting.since_ns is not None:
            oldest_s = max(0.0, (self._clock.now_ns() - waiting.since_ns) / 1e9)
        yield family(
            "lamproom_outbox_oldest_waiting_seconds",
            "For how long the oldest of them has waited.",
            [(oldest_s, {})],
        )
        counts = Counter((alarm.kind, alarm.severity) for alarm in active)
        yield family("lamproom_active_alarms", "Alarms that are active.", [(len(active), {})])
        yield family(
            "lamproom_active_alarms_by_kind",
            "Alarms that are active, of those kinds that have any.",
            [
                (count, {"kind": kind, "severity": severity})
                for (kind, severity), count in sorted(counts.items())
            ],
        )


def _of_health(health: GatewayHealth, old_s: float) -> Iterator[Family]:
    cameras = [(camera, {"camera": camera.name}) for camera in health.cameras]
    yield family(
        "lamproom_camera_frames_per_second",
        "Pictures that a camera gives.",
        [(camera.fps, labels) for camera, labels in cameras],
    )
    yield family(
        "lamproom_camera_state",
        "1 for the state that a camera is in, 0 for all others.",
        [
            (camera.state == state, {**labels, "state": state})
            for camera, labels in cameras
            for state in get_args(CameraState)
        ],
    )
    yield family(
        "lamproom_camera_frame_age_seconds",
        "Age of a camera's newest picture.",
        [
            ((health.captured_at_ns - camera.last_frame_at_ns) / 1e9 + old_s, labels)
            for camera, labels in cameras
            if camera.last_frame_at_ns is not None
        ],
    )
    yield family(
        "lamproom_panorama_frames_per_second",
        "Pictures of the panorama.",
        [(health.panorama_fps, {})],
    )
    yield family(
        "lamproom_detection_searches_per_second",
        "How often the newest pictures are searched for people.",
        [(health.detection_fps, {})],
    )
    age_s = health.detection_age_s
    yield family(
        "lamproom_detection_age_seconds",
        "Age of the newest pictures that were searched.",
        [(None if age_s is None else age_s + old_s, {})],
    )
    yield family(
        "lamproom_degraded",
        "Whether something is not as the site file asks.",
        [(bool(health.degraded), {})],
    )
    metres = len(health.coverage)
    yield family(
        "lamproom_coverage_ratio",
        "Part of the roadway's metres that a healthy camera sees.",
        [(sum(count > 0 for count in health.coverage) / metres if metres else None, {})],
    )


def _of_services(outlet: DirectOutlet) -> Iterator[Family]:
    rows = [(service, {"service": service.name}) for service in outlet.services]
    yield family(
        "lamproom_service_up",
        "Whether a process of the gateway gives signs of life.",
        [(row.up, labels) for row, labels in rows],
    )
    yield family(
        "lamproom_service_cpu_cores",
        "Processor time that a process takes, in cores.",
        [(row.cpu_cores, labels) for row, labels in rows],
    )
    yield family(
        "lamproom_service_memory_bytes",
        "Memory that a process takes; shared memory counts in parts.",
        [(round(row.memory_mb * 1e6), labels) for row, labels in rows],
    )
    yield family(
        "lamproom_service_restarts_total",
        "How often a process was started again.",
        [(row.restarts, labels) for row, labels in rows],
        kind="counter",
    )
    yield family(
        "lamproom_service_uptime_seconds",
        "Time since a process was started.",
        [(row.up_s, labels) for row, labels in rows],
    )


def _age(at_s: float | None, now_s: float) -> float | None:
    return None if at_s is None else max(0.0, now_s - at_s)


class _Server(HTTPServer):
    timeout = 0.2  # so soon it sees that it shall end

    def __init__(self, taken: socket.socket, handler: type[BaseHTTPRequestHandler]) -> None:
        """Serve on a socket that listens already."""
        address = taken.getsockname()
        # Not HTTPServer's: it asks a name server for our own name, which may take for ever.
        socketserver.BaseServer.__init__(self, address, handler)
        self.socket, self.server_name, self.server_port = taken, "lamproom", address[1]

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that is gone is nobody's trouble."""


class MetricsServer:
    """Serves figures and probes in a thread of its own until it is closed."""

    def __init__(
        self,
        config: MetricsConfig,
        text: Callable[[], str],
        probes: Probes,
        taken: socket.socket | None = None,
        tell: Callable[[str], None] = lambda reason: None,
    ) -> None:
        """Serve on `taken`, which listens at `config`'s address; without it that is tried for ever.

        `tell` gets the reason when the second try was in vain, too, and an empty one once there is
        a port: who was here before us may hold it for a moment, or for ever.
        """
        self._config, self._text, self._probes, self._taken = config, text, probes, taken
        self._tell = tell
        self._server: _Server | None = None
        self._looking = Aside("metrics-looking")
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int | None:
        """The port that is really used; none while there is none."""
        server = self._server
        return None if server is None else server.server_port

    def close(self) -> None:
        """Stop; may be called twice."""
        self._closing.set()
        self._thread.join(timeout=CLIENT_LIMIT_S + 1.0)

    def _run(self) -> None:
        tries = 0
        while not self._closing.is_set():
            try:
                with self._open() as server:
                    self._server = server
                    self._tell("")
                    while not self._closing.is_set():
                        server.handle_request()
                    return
            except (OSError, PortError) as error:
                tries += 1
                if tries == 1:
                    log.say(f"{error}. Trying again: alarms go out without figures", "warning")
                if tries == 2:
                    self._tell(f"figures and probes can't be asked for: {error}")
            self._closing.wait(TRY_AGAIN_S)

    def _open(self) -> _Server:
        taken, self._taken = self._taken, None
        return _Server(taken or take_metrics_port(self._config), self._handler())

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        answers: dict[str, Callable[[], tuple[HTTPStatus, str, str]]] = {
            PATH: lambda: (HTTPStatus.OK, self._look(self._text), CONTENT_TYPE),
            ALIVE: lambda: _probed(self._probes.trouble()),
            READY: lambda: _probed(self._look(self._probes.unready)),
        }

        class Handler(BaseHTTPRequestHandler):
            timeout = CLIENT_LIMIT_S
            server_version, sys_version = "lamproom", ""

            def setup(self) -> None:
                """Begin to listen, for so long and no longer, however slowly somebody speaks."""
                super().setup()
                self._limit = threading.Timer(CLIENT_LIMIT_S, self._hang_up)
                self._limit.daemon = True
                self._limit.start()

            def finish(self) -> None:
                """Be done."""
                self._limit.cancel()
                super().finish()

            def do_GET(self) -> None:
                """Answer one question."""
                self._limit.cancel()
                answer = answers.get(self.path.partition("?")[0])
                if answer is None:
                    said = f"only {', '.join(answers)} are here\n"
                    self._answer(HTTPStatus.NOT_FOUND, said, "text/plain")
                    return
                try:
                    found = answer()
                except StalledError:
                    found = _probed("it takes too long to look: a disk may hang")
                except Exception as error:
                    log.crash(error, "metrics")
                    found = HTTPStatus.INTERNAL_SERVER_ERROR, "see the log\n", "text/plain"
                self._answer(*found)

            def _answer(self, status: HTTPStatus, body: str, kind: str) -> None:
                data = body.encode()
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def _hang_up(self) -> None:
                with contextlib.suppress(OSError):
                    self.connection.shutdown(socket.SHUT_RDWR)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing about who asks."""

        return Handler

    def _look(self, at: Callable[[], str]) -> str:
        """Ask for what needs a disk; raises `StalledError`. A disk that hangs is no dead gateway.

        To be started again would take along the alarms that wait for the disk.
        """
        return self._looking.do(at, PATIENCE_S)


def _probed(trouble: str) -> tuple[HTTPStatus, str, str]:
    status = HTTPStatus.SERVICE_UNAVAILABLE if trouble else HTTPStatus.OK
    return status, f"{trouble or 'ok'}\n", "text/plain; charset=utf-8"


def take_metrics_port(config: MetricsConfig) -> socket.socket:
    """Listen where the figures are served; raises `PortError` that names the field."""
    return take_port(config.host, config.port or 0, field="metrics.port")
