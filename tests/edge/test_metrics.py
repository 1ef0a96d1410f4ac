import math
import socket
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
from edge.metrics import Figures, MetricsServer, serve_metrics
from edge.outlet import DirectOutlet, ServiceReport
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
        self.figures = Figures(
            self.site, self.outlet, self.outbox, self.connection, folders, clock=self.clock
        )

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
def serving(text: str, port: int = 0) -> Iterator[MetricsServer]:
    with closing(MetricsServer("127.0.0.1", port, lambda: text)) as server:
        wait_until(lambda: server.port is not None)
        yield server


def ask(port: int | None, path: str = "/metrics") -> tuple[str, str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
        return answer.read().decode(), answer.headers["Content-Type"]


def test_prometheus_gets_its_answer_and_nobody_holds_up_the_next(gateway: Gateway) -> None:
    with serving("people 2\n") as server:
        assert ask(server.port) == ("people 2\n", CONTENT_TYPE)
        with pytest.raises(urllib.error.HTTPError) as refused:
            ask(server.port, "/")
        assert refused.value.code == 404
        refused.value.close()
        assert server.port is not None
        with socket.create_connection(("127.0.0.1", server.port)):  # and says nothing
            assert ask(server.port)[0] == "people 2\n"


def test_a_port_in_use_is_said_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("edge.metrics.TRY_AGAIN_S", 0.05)
    port = free_port()
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        with closing(MetricsServer("127.0.0.1", port, lambda: "people 2\n")) as server:
            said = ""
            while "metrics can't be served" not in said:
                said += capsys.readouterr().err
            assert server.port is None
            other.close()
            wait_until(lambda: server.port is not None)
            assert ask(server.port)[0] == "people 2\n"


def test_nothing_is_served_unless_the_site_gives_a_port(gateway: Gateway, tmp_path: Path) -> None:
    assert serve_metrics(gateway.site.metrics, gateway.figures) is None
    text = f"{SITE}metrics: {{port: 0}}\n"
    config = parse_site(text, name="site.yaml", folder=tmp_path).metrics
    assert config == MetricsConfig(host="127.0.0.1", port=0)
    with closing(serve_metrics(config, gateway.figures) or pytest.fail("none")) as server:
        wait_until(lambda: server.port is not None)
        assert "lamproom_gateway_info" in read(ask(server.port)[0])
    with pytest.raises(SiteError, match=r"metrics\.port: .* at most 65535"):
        parse_site(f"{SITE}metrics: {{port: 99999}}\n", name="s", folder=tmp_path)
