"""A mine with every kind of zone, and a watch over it that is told a story, second by second."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from scene.messages import (
    Anomaly,
    CameraHealth,
    CameraState,
    GatewayHealth,
    MachinePlace,
    Machines,
    Order,
    Position,
    Positions,
)
from scene.site import Site, parse_site
from scene.wire import Message
from tests.location.test_watch import START_NS, People, Play, person

HEAD = """\
version: 1
site: roadway
gateway: gw1
cameras: [{name: c1, url: rtsp://10.0.0.1/main}]
rig: {mount: {xyz_m: [0, 0, 2.5]}}
floor: {centre_line_m: [[0, 0, 0], [40, 0, 0]]}
"""
ROADWAY_M = 40


def site(more: str) -> Site:
    return parse_site(HEAD + more, name="site.yaml", folder=Path())


def square(x_m: float, size_m: float = 4.0) -> str:
    low, high, half = x_m - size_m / 2, x_m + size_m / 2, size_m / 2
    return f"[[{low}, -{half}], [{high}, -{half}], [{high}, {half}], [{low}, {half}]]"


class Story(Play):
    """`Play` with what else a gateway hears: its own health once a second, if any."""

    def __init__(self, site: Site, *, healthy: bool = True, period_s: float = 0.1) -> None:
        super().__init__(site, period_s=period_s)
        self.site = site
        self.heard: list[Message] = []
        self.shown: list[Positions] = []
        self.covered: Sequence[int] = [1] * ROADWAY_M
        self.camera: CameraState = "ok"
        self.healthy = healthy

    def tell(self, people: tuple[Position, ...]) -> None:
        if self.healthy and self.ms % 1000 == 0:
            self.hear(self.health())
        self.shown.append(Positions(captured_at_ns=self.now_ns, people=people))
        super().tell(people)

    def hear(self, message: Message) -> None:
        self.heard.append(message)
        self.watch.hear(message)

    def health(self) -> GatewayHealth:
        camera = CameraHealth(name="c1", state=self.camera, fps=10.0, last_frame_at_ns=None)
        return GatewayHealth(
            captured_at_ns=self.now_ns,
            cameras=(camera,),
            panorama_fps=10.0,
            detection_fps=10.0,
            detection_age_s=0.1,
            detection_provider="CPU",
            coverage=tuple(self.covered),
        )

    @property
    def now_ns(self) -> int:
        return START_NS + self.ms * 1_000_000

    def machine(
        self, x_m: float, y_m: float = 0.0, *, heading_rad: float = 0.0, running: bool = True
    ) -> None:
        place = MachinePlace(
            machine="loco",
            xy_m=(x_m, y_m),
            at_ns=self.now_ns,
            heading_rad=heading_rad,
            running=running,
        )
        self.hear(Machines(captured_at_ns=self.now_ns, machines=(place,)))

    def end(self, alarm: Anomaly, reason: str = "carried out") -> None:
        order = Order(
            alarm=alarm.id, action="end", by="Li", reason=reason, ordered_at_ns=self.now_ns
        )
        self.hear(order)

    @property
    def last(self) -> Anomaly:
        return self.said[-1][1]


def stays(*people: Position) -> People:
    return lambda _: list(people)


def nobody(_: float) -> list[Position]:
    return []


def at(x_m: float, y_m: float = 0.0, track: int = 1, sigma_m: float = 0.1) -> Position:
    return person(track, xy_m=(x_m, y_m), sigma_m=sigma_m)


def named(one: Position, worker: str, probability: float = 0.99) -> Position:
    return replace(one, worker=worker, worker_probability=probability)
