"""A gateway that tells exactly what a test has it tell, and a clock that makes it speak.

The site is a sample clip's, so site file, rig and coverage are real; nobody films.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

from edge.acceptance.listener import WalkListener
from edge.coverage import Roadway
from edge.description import describe
from edge.model_file import model_file
from scene.alarms import ALARMS
from scene.clock import ReplayClock
from scene.floor import Floor
from scene.messages import Anomaly, CameraHealth, GatewayHealth, Position, Positions
from scene.rig import Rig, load_rig
from scene.site import Site, load_site
from scene.topics import Address
from scene.wire import Envelope, Message, type_name
from tests.sample_site import SAMPLES

SITE_FILE = SAMPLES / "events" / "zone_entry" / "site.yaml"
START_NS = 1_790_000_000_000_000_000
S = 1_000_000_000
IN_ZONE = (24.6, -1.2)
"""Inside the zone `switchgear`."""


@cache
def site() -> Site:
    return load_site(SITE_FILE)


@cache
def rig() -> Rig:
    return load_rig(site().rig.file)


@cache
def coverage() -> tuple[int, ...]:
    roadway = Roadway(rig(), Floor(site().floor), site().floor)
    return roadway.covered([camera.name for camera in site().cameras]).cameras


def person(x_m: float, y_m: float, at_ns: int, track: int = 1) -> Position:
    return Position(
        track=track,
        xyz_m=(x_m, y_m, 0.0),
        covariance_m2=((0.01, 0.0), (0.0, 0.01)),
        velocity_m_s=(0.0, 0.0),
        height_m=1.8,
        posture="upright",
        certainty="certainly",
        seen_at_ns=at_ns,
        cameras=("cam1", "cam2"),
    )


def alarm(kind: str, at_ns: int, **changes: object) -> Anomaly:
    made = Anomaly(
        id=f"{kind}-{at_ns}",
        kind=kind,
        severity=ALARMS[kind].severity,
        state="active",
        captured_at_ns=at_ns,
        raised_at_ns=at_ns,
        probability=1.0,
        certainty="certainly",
        evidence=f"{kind} in a test",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


class Scene:
    """What the gateway tells of now: who is where, how cameras are."""

    def __init__(self) -> None:
        self.people: list[tuple[float, float]] = []
        self.states: dict[str, str] = {}
        self.details: dict[str, str] = {}
        self.degraded = ""
        self.model = model_file(site())
        self.silent = False

    def positions(self, at_ns: int) -> Positions:
        people = [person(x, y, at_ns, track) for track, (x, y) in enumerate(self.people, 1)]
        return Positions(captured_at_ns=at_ns, people=tuple(people))

    def health(self, at_ns: int) -> GatewayHealth:
        cameras = tuple(
            CameraHealth(
                name=camera.name,
                state=self.states.get(camera.name, "ok"),  # type: ignore[arg-type]
                fps=10.0,
                last_frame_at_ns=at_ns,
                detail=self.details.get(camera.name, ""),
            )
            for camera in site().cameras
        )
        return GatewayHealth(
            captured_at_ns=at_ns,
            cameras=cameras,
            panorama_fps=10.0,
            detection_fps=8.0,
            detection_age_s=0.1,
            detection_provider="CPU",
            detection_model=self.model.name,
            detection_model_sha256=self.model.sha256,
            degraded=self.degraded,
            coverage_from_x_m=0.0,
            coverage=coverage(),
        )


class Stage(ReplayClock):
    """Time passes only in `sleep`, and while it does the gateway speaks ten times a second."""

    def __init__(self, lag_s: float = 0.2, clock_off_s: float = 0.0) -> None:
        super().__init__(START_NS)
        self.scene = Scene()
        self.listener = WalkListener(self, site().site, site().gateway)
        self._lag_ns, self._off_ns = round(lag_s * S), round(clock_off_s * S)
        self._due: list[tuple[int, Callable[[], None]]] = []
        self.say(describe(site(), rig(), SITE_FILE.read_text(encoding="utf-8"), "ws://h/p"))
        self.sleep(1.0)

    def sleep(self, duration_s: float) -> None:
        until_ns = self.now_ns() + round(duration_s * S)
        while self.now_ns() < until_ns:
            self.set(min(until_ns, self.now_ns() + S // 10))
            for at_ns, what in [one for one in self._due if one[0] <= self.now_ns()]:
                self._due.remove((at_ns, what))
                what()
            if not self.scene.silent:
                self.say(self.scene.positions(self.now_ns() - self._lag_ns))
                self.say(self.scene.health(self.now_ns()))

    def in_s(self, seconds: float, what: Callable[[], None]) -> None:
        """Have something happen once time has come so far."""
        self._due.append((self.now_ns() + round(seconds * S), what))

    def raise_in_s(self, seconds: float, kind: str, **changes: object) -> None:
        """Raise an alarm then."""
        self.in_s(seconds, lambda: self.say(alarm(kind, self.now_ns(), **changes)))

    def say(self, message: Message) -> None:
        """Have the gateway say something now."""
        kind = type_name(message)
        address = Address(
            prefix="mine", site=site().site, gateway=site().gateway, topic=kind, id=None
        )
        envelope = Envelope(
            type=kind,
            gateway=site().gateway,
            seq=1,
            sent_at_ns=self.now_ns() + self._off_ns,
            body=message,
        )
        self.listener.hear(address, envelope)
