import contextlib
import math
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from delivery.memory import MemoryBroker
from delivery.outbox import Outbox
from delivery.publisher import Publisher
from delivery.stream import StreamServer
from edge.exposition import CONTENT_TYPE, family, render
from edge.metrics import Figures, MetricsServer, take_metrics_port
from edge.outlet import DirectOutlet, ServiceReport
from edge.port import PortError
from edge.probes import LOOK_EVERY_S, PIPELINE_LIMIT_S, SUPERVISOR_LIMIT_S, Probes
from scene.clock import SystemClock
from scene.errors import SiteError
from scene.messages import CameraHealth, GatewayHealth, ServiceHealth
from scene.site import MetricsConfig, parse_site
from tests.delivery.parts import SITE, alarm, free_port, packet, people, site, wait_until
from tests.edge.prometheus_text import read


def test_names_and_values_are_escaped_as_prometheus_reads_them() -> None:
    odd = 'a "quoted"\\ back\nline'
    text = render(
        [
            family("mine_one", "Back\\slash\nand line.", [(1.5, {"name": odd, "b": ""})]),
            family("mine_restarts_total", "Restarts.", [(3, {})], kind="counter"),
            family("mine_unknown", "Left out.", [(None, {})]),
            family("mine_odd", "Odd.", [(math.nan, {"i": "1"}), (math.inf, {"i": "2"})]),
        ]
    )
    found = read(text)
    assert list(found) == ["mine_one", "mine_restarts_total", "mine_odd"]
    assert found["mine_one"].samples == {(("name", odd), ("b", "")): 1.5}
    assert found["mine_one"].help == "Back\\\\slash\\nand line."
    assert "mine_restarts_total 3\n" in text
    assert 'mine_odd{i="1"} NaN\nmine_odd{i="2"} +Inf\n' in text


class Gateway:
    """A sender's parts, with a broker in memory."""

    def __init__(self, folder: Path) -> None:
        self.site = site(folder)
        self.clock = SystemClock()
        self.broker = MemoryBroker()
        self.connection = self.broker.connection()
        self.outbox = Outbox(folder / "state", self.clock)
        self.publisher = Publisher(self.site, self.connection, self.outbox, self.clock)
        self.stream = StreamServer()
        self.outlet = DirectOutlet(self.publisher, self.stream)
        folders = (folder / "state", folder)
        self.folder = folder / "state"
        self.figures = Figures(
            self.site, self.outlet, self.outbox, self.connection, folders, clock=self.clock
        )
        self.probes = Probes(self.outlet, self.outbox, self.folder, self.clock)

    def close(self) -> None:
        self.publisher.going_offline()
        self.stream.close()
        self.outbox.close()


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    made = Gateway(tmp_path)
    yield made
    made.close()


def health(clock: SystemClock) -> GatewayHealth:
    now_ns = clock.now_ns()
    return GatewayHealth(
        captured_at_ns=now_ns,
        cameras=(
            CameraHealth(name="c1", state="ok", fps=24.9, last_frame_at_ns=now_ns - 500_000_000),
            CameraHealth(name="c2", state="lost", fps=0.0, last_frame_at_ns=None),
        ),
        panorama_fps=10.0,
        detection_fps=4.0,
        detection_age_s=0.25,
        detection_provider="CPUExecutionProvider",
        coverage=(1, 2, 0, 0),
    )


def test_all_figures_of_a_gateway_are_there(gateway: Gateway, tmp_path: Path) -> None:
    service = ServiceHealth(
        name="camera c1", up=True, cpu_cores=0.25, memory_mb=61.5, restarts=2, up_s=17.0
    )
    gateway.outlet.send(ServiceReport(services=(service,)))
    gateway.outlet.send(health(gateway.clock))
    gateway.outlet.send(packet(0))
    gateway.outlet.send(people(count=3))
    for number in range(2):
        gateway.outlet.send(alarm(f"man_down-{number}"))
    gateway.outlet.send(replace(alarm("storage-1"), kind="storage", severity="warning"))
    found = read(gateway.figures.text())
    assert all(name.startswith("lamproom_") for name in found)

    def value(name: str, **labels: str) -> float:
        return found[f"lamproom_{name}"].samples[tuple(labels.items())]

    assert value("camera_frames_per_second", camera="c1") == 24.9
    assert value("camera_state", camera="c1", state="ok") == 1
    assert value("camera_state", camera="c2", state="ok") == 0
    assert value("camera_state", camera="c2", state="lost") == 1
    assert value("camera_frame_age_seconds", camera="c1") >= 0.5
    assert len(found["lamproom_camera_frame_age_seconds"].samples) == 1
    assert value("panorama_frames_per_second") == 10.0
    assert value("detection_searches_per_second") == 4.0
    assert value("detection_age_seconds") >= 0.25
    assert value("coverage_ratio") == 0.5
    assert value("people") == 3
    assert value("outbox_waiting_alarms") == 3
    assert value("outbox_oldest_waiting_seconds") >= 0
    assert value("active_alarms") == 3
    assert value("active_alarms_by_kind", kind="man_down", severity="critical") == 2
    assert value("broker_connected") == 1
    assert value("service_cpu_cores", service="camera c1") == 0.25
    assert value("service_memory_bytes", service="camera c1") == 61_500_000
    assert value("service_restarts_total", service="camera c1") == 2
    assert value("service_uptime_seconds", service="camera c1") == 17
    assert value("disk_free_bytes", folder=str(tmp_path)) > 0
    assert value("heartbeat_age_seconds") >= 0


def test_ages_grow_while_the_pipeline_says_nothing(gateway: Gateway) -> None:
    gateway.outlet.send(health(gateway.clock))
    gateway.outlet.last.health_s -= 30.0
    found = read(gateway.figures.text())
    assert found["lamproom_heartbeat_age_seconds"].samples[()] >= 30.0
    assert found["lamproom_detection_age_seconds"].samples[()] >= 30.25
    assert min(found["lamproom_camera_frame_age_seconds"].samples.values()) >= 30.5


def test_before_the_first_heartbeat_nothing_is_made_up(gateway: Gateway) -> None:
    found = read(gateway.figures.text())
    assert "lamproom_people" not in found
    assert "lamproom_heartbeat_age_seconds" not in found
    assert found["lamproom_outbox_waiting_alarms"].samples == {(): 0.0}


def test_a_broken_outbox_is_a_figure_too(gateway: Gateway, tmp_path: Path) -> None:
    for file in (tmp_path / "state").glob("outbox.sqlite*"):
        file.unlink()
    (tmp_path / "state" / "outbox.sqlite").mkdir()
    found = read(gateway.figures.text())
    assert found["lamproom_outbox_up"].samples == {(): 0.0}
    assert "lamproom_outbox_waiting_alarms" not in found
    assert "lamproom_disk_free_bytes" in found
    (tmp_path / "state" / "outbox.sqlite").rmdir()


@contextmanager
def serving(gateway: Gateway, text: str = "people 2\n") -> Iterator[MetricsServer]:
    config = MetricsConfig(port=0)
    taken = take_metrics_port(config)
    with closing(MetricsServer(config, lambda: text, gateway.probes, taken)) as server:
        wait_until(lambda: server.port is not None)
        yield server


def ask(port: int | None, path: str = "/metrics") -> tuple[str, str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
        return answer.read().decode(), answer.headers["Content-Type"]


def probe(port: int | None, path: str) -> tuple[int, str]:
    try:
        return 200, ask(port, path)[0]
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


def test_prometheus_gets_its_answer_and_nobody_holds_up_the_next(gateway: Gateway) -> None:
    with serving(gateway) as server:
        assert ask(server.port) == ("people 2\n", CONTENT_TYPE)
        assert probe(server.port, "/") == (404, "only /metrics, /healthz, /readyz are here\n")
        assert server.port is not None
        with socket.create_connection(("127.0.0.1", server.port)):  # and says nothing
            assert ask(server.port)[0] == "people 2\n"


def test_who_speaks_slowly_keeps_nobody_from_asking_whether_we_live(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.metrics.CLIENT_LIMIT_S", 0.5)
    over = threading.Event()
    with serving(gateway) as server:
        assert server.port is not None
        with socket.create_connection(("127.0.0.1", server.port)) as slow:

            def speak() -> None:
                with contextlib.suppress(OSError):
                    while not over.wait(0.05):
                        slow.sendall(b"G")

            speaking = threading.Thread(target=speak)
            speaking.start()
            try:
                assert probe(server.port, "/healthz") == (200, "ok\n")
            finally:
                over.set()
                speaking.join()


def test_a_disk_that_hangs_is_no_dead_gateway(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who starts it again for that takes along the alarms that wait for the disk."""
    monkeypatch.setattr("edge.metrics.PATIENCE_S", 0.1)
    go_on = threading.Event()
    monkeypatch.setattr("edge.probes.look_at", lambda _folder: go_on.wait())
    with serving(gateway) as server:
        said = "it takes too long to look: a disk may hang\n"
        assert probe(server.port, "/readyz") == (503, said)
        assert probe(server.port, "/metrics") == (503, said)
        assert probe(server.port, "/healthz") == (200, "ok\n")
        go_on.set()
        monkeypatch.undo()
        wait_until(lambda: probe(server.port, "/metrics") == (200, "people 2\n"))


def test_who_asks_before_anything_is_served_is_answered_then(gateway: Gateway) -> None:
    config = MetricsConfig(port=0)
    taken = take_metrics_port(config)
    with socket.create_connection(taken.getsockname()) as early:
        early.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        with closing(MetricsServer(config, lambda: "people 2\n", gateway.probes, taken)):
            assert b" 200 OK" in early.makefile("rb").readline()


def test_a_port_in_use_is_said_and_tried_again(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As by a sender that is started again while the one before can't be killed."""
    monkeypatch.setattr("edge.metrics.TRY_AGAIN_S", 0.05)
    config = MetricsConfig(port=free_port())
    with socket.socket() as other:
        other.bind(("127.0.0.1", config.port))
        other.listen()
        with pytest.raises(PortError, match=rf"^metrics\.port: 127\.0\.0\.1:{config.port} .*give"):
            take_metrics_port(config)
        with closing(MetricsServer(config, lambda: "people 2\n", gateway.probes)) as server:
            said = ""
            while "metrics.port: " not in said:
                said += capsys.readouterr().err
            assert server.port is None
            other.close()
            wait_until(lambda: server.port is not None)
            assert ask(server.port)[0] == "people 2\n"


def test_no_such_address_and_no_such_port_are_named(tmp_path: Path) -> None:
    with pytest.raises(PortError, match=r"metrics\.port: nowhere\.invalid:1: no such address"):
        take_metrics_port(MetricsConfig(host="nowhere.invalid", port=1))
    with pytest.raises(SiteError, match=r"metrics\.port: .* at most 65535"):
        parse_site(f"{SITE}metrics: {{port: 99999}}\n", name="s", folder=tmp_path)


def report(up_s: float) -> ServiceReport:
    row = ServiceHealth(
        name="supervisor", up=True, cpu_cores=0.0, memory_mb=9.0, restarts=0, up_s=up_s
    )
    return ServiceReport(services=(row,))


class Watch(SystemClock):
    """A clock that can be put forward."""

    ahead_s = 0.0

    def monotonic_s(self) -> float:
        return super().monotonic_s() + self.ahead_s


def test_a_gateway_is_alive_while_its_supervisor_comes_round(gateway: Gateway) -> None:
    watch = Watch()
    probes = Probes(gateway.outlet, gateway.outbox, gateway.folder, watch)
    for up_s in (1.0, 2.0, 3.0):
        watch.ahead_s += SUPERVISOR_LIMIT_S - 1.0
        assert probes.trouble() == "", "it may take its time to start"
        gateway.outlet.send(report(up_s))
        assert probes.trouble() == ""
    # Its caretaker, another thread, may go on reporting what the loop told last.
    watch.ahead_s += SUPERVISOR_LIMIT_S + 1.0
    gateway.outlet.send(report(3.0))
    assert "the supervisor has not come round for 16 s" in probes.trouble()
    assert probes.trouble() in probes.unready()
    gateway.outlet.send(report(4.0))
    assert probes.trouble() == ""


def test_ready_is_who_has_a_pipeline_and_an_outbox(gateway: Gateway, tmp_path: Path) -> None:
    watch = Watch()
    probes = Probes(gateway.outlet, gateway.outbox, gateway.folder, watch)
    assert probes.unready() == "the pipeline has not begun"
    gateway.outlet.send(health(gateway.clock))
    assert probes.unready() == ""
    watch.ahead_s = PIPELINE_LIMIT_S + 1.0
    assert "the pipeline has said nothing for 6 s" in probes.unready()
    for file in (tmp_path / "state").glob("outbox.sqlite*"):
        file.unlink()
    (tmp_path / "state" / "outbox.sqlite").mkdir()
    gateway.outlet.last.health_s = watch.monotonic_s()
    watch.ahead_s += LOOK_EVERY_S
    assert probes.unready() == "alarms can't be written to the outbox"
    (tmp_path / "state" / "outbox.sqlite").rmdir()
    watch.ahead_s += LOOK_EVERY_S
    assert probes.unready() == ""


def test_however_often_somebody_asks_the_outbox_is_alarms(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[object] = []
    monkeypatch.setattr(gateway.outbox, "receipts", tries.append)
    watch = Watch()
    monkeypatch.setattr(watch, "monotonic_s", lambda: watch.ahead_s)
    probes = Probes(gateway.outlet, gateway.outbox, gateway.folder, watch)
    for _ in range(10):
        probes.unready()
    watch.ahead_s += LOOK_EVERY_S
    probes.unready()
    assert len(tries) == 2


def test_probes_are_answered_beside_the_figures(gateway: Gateway) -> None:
    with serving(gateway) as server:
        assert probe(server.port, "/healthz") == (200, "ok\n")
        assert probe(server.port, "/readyz") == (503, "the pipeline has not begun\n")
        gateway.outlet.send(health(gateway.clock))
        assert probe(server.port, "/readyz") == (200, "ok\n")
