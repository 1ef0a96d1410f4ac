"""The mine that `fleet.py` simulates: where everybody walks, and what each gateway says of it.

Knows nothing about MQTT. Ten gateways lie along each drift, 60 m each, 6 m of which the next one
sees as well; people walk up and down, from one gateway's sight into another's. Positions are
written as `scene.wire.encode` would, byte by byte, only quicker: a test compares them.
"""

from dataclasses import dataclass, field

import numpy as np

from scene.messages import (
    Anomaly,
    CameraDescription,
    CameraHealth,
    GatewayHealth,
    RulerMark,
    ServiceHealth,
    SiteDescription,
    ZoneDescription,
)

SITE = "fleet"
IN_A_DRIFT = 10
REACH_M, STEP_M, APART_M = 60.0, 54.0, 40.0
AMPLITUDE_M = 18.0
NAMED = 0.6
"""So many of all people have names."""
FIGURES = (
    '"covariance_m2":[[0.0121948362,-0.0031220451],[-0.0031220451,0.0087713604]],'
    '"velocity_m_s":[%r,0.0],"height_m":1.7362118403,"posture":"upright",'
    '"certainty":"certainly","seen_at_ns":%d,"cameras":["cam3","cam4"],"worker":%s,'
    '"worker_probability":%s,"helmet":0.9713206481,"panorama_xy":[%r,611.3312044],'
    '"panorama_head_xy":[%r,402.7710935],"seen_xy_m":[%r,%r],'
    '"seen_covariance_m2":[[0.0101948362,-0.0030220451],[-0.0030220451,0.0077713604]],'
    '"height_at_ns":%d}'
)


def name_of(number: int) -> str:
    """Name a gateway."""
    return f"gw{number + 1:03d}"


@dataclass(slots=True)
class Drift:
    """The people of one drift, walking to and fro; everything follows from the time."""

    number: int
    people: int
    centres_m: np.ndarray = field(init=False)
    lanes_m: np.ndarray = field(init=False)
    speeds_m_s: np.ndarray = field(init=False)
    phases_m: np.ndarray = field(init=False)
    names: list[str] = field(init=False)

    def __post_init__(self) -> None:
        """Spread everybody over the drift."""
        dice = np.random.default_rng(self.number)
        length_m = STEP_M * IN_A_DRIFT
        self.centres_m = (np.arange(self.people) + 0.5) / self.people * length_m + 3.0
        self.lanes_m = APART_M * self.number + dice.uniform(-1.8, 1.8, self.people)
        self.speeds_m_s = dice.uniform(0.6, 1.4, self.people)
        self.phases_m = dice.uniform(0, 4 * AMPLITUDE_M, self.people)
        named = dice.uniform(size=self.people) < NAMED
        self.names = [
            f'"worker {self.number}-{n}"' if named[n] else "null" for n in range(self.people)
        ]

    def at(self, time_s: float) -> tuple[np.ndarray, np.ndarray]:
        """Tell everybody's x in metres and speed along it."""
        way = (self.phases_m + self.speeds_m_s * time_s) % (4 * AMPLITUDE_M)
        there = way < 2 * AMPLITUDE_M
        aside = np.where(there, way, 4 * AMPLITUDE_M - way) - AMPLITUDE_M
        return self.centres_m + aside, np.where(there, self.speeds_m_s, -self.speeds_m_s)


class Gateway:
    """One gateway's words; `run` is its start."""

    def __init__(self, number: int, drift: Drift, cameras: int) -> None:
        self.name = name_of(number)
        self.from_m = STEP_M * (number % IN_A_DRIFT)
        self._drift, self._cameras = drift, [f"cam{n + 1}" for n in range(cameras)]
        self._tracks: dict[int, int] = {}
        self._last_track = 0

    def people(self, at_ns: int) -> str:
        """Write the body of `positions` at an instant."""
        x_m, speed = self._drift.at(at_ns / 1e9 % 1e6)
        inside = np.flatnonzero((x_m >= self.from_m) & (x_m <= self.from_m + REACH_M)).tolist()
        for one in self._tracks.keys() - set(inside):
            del self._tracks[one]
        for one in inside:
            if one not in self._tracks:
                self._last_track += 1
                self._tracks[one] = self._last_track
        texts = []
        for one in inside:
            x, y = float(x_m[one]), float(self._drift.lanes_m[one])
            worker = self._drift.names[one]
            sure = "null" if worker == "null" else "0.9823640112"
            column = (x - self.from_m) * 64.0
            texts.append(
                f'{{"track":{self._tracks[one]},"xyz_m":[{x!r},{y!r},0.0],'
                + FIGURES % (float(speed[one]), at_ns, worker, sure, column, column, x, y, at_ns)
            )
        return f'{{"captured_at_ns":{at_ns},"people":[{",".join(texts)}]}}'

    def some_track(self) -> int:
        """Give the number of somebody who is here; 1 while nobody is."""
        return next(iter(self._tracks.values()), 1)

    def site(self) -> SiteDescription:
        """Write what is retained."""
        y, x = APART_M * self._drift.number, self.from_m
        return SiteDescription(
            site=SITE,
            gateway=self.name,
            software="lamproom fleet",
            geometry=f"rig-{self.name}",
            panorama_size_px=(3840, 720),
            centre_line_m=((x, y, 0.0), (x + REACH_M, y, 0.0)),
            left_m=2.4,
            right_m=2.4,
            zones=(
                ZoneDescription(
                    name=f"transformer {self.name}",
                    kind="restricted",
                    polygon_m=(
                        *((x + 25, y + 0.8), (x + 28, y + 0.8)),
                        *((x + 28, y + 2.2), (x + 25, y + 2.2)),
                    ),
                ),
            ),
            cameras=tuple(
                CameraDescription(
                    name=name,
                    xyz_m=(x + 7.5 * n + 3, y + 2.0, 2.5),
                    view_m=(
                        *((x + 7.5 * n, y - 2), (x + 7.5 * n, y + 2)),
                        *((x + 7.5 * n + 9, y + 2), (x + 7.5 * n + 9, y - 2)),
                    ),
                )
                for n, name in enumerate(self._cameras)
            ),
            stream_url="ws://127.0.0.1:1/panorama",
            ruler=tuple(
                RulerMark(
                    chainage_m=x + metre,
                    across_px=tuple((64.0 * metre, 500.0 + 20 * n) for n in range(9)),
                    left_m=(2.4, -2.4),
                )
                for metre in range(1, int(REACH_M))
            ),
            site_yaml="# as it is in force\n" * 150,
        )

    def health(self, at_ns: int, beats_ns: tuple[int, ...]) -> GatewayHealth:
        """Write the heartbeat."""
        metres = int(REACH_M)
        return GatewayHealth(
            captured_at_ns=at_ns,
            cameras=tuple(
                CameraHealth(name=name, state="ok", fps=12.4, last_frame_at_ns=at_ns)
                for name in self._cameras
            ),
            panorama_fps=10.0,
            detection_fps=5.2,
            detection_age_s=0.14,
            detection_provider="CUDAExecutionProvider",
            coverage_from_x_m=self.from_m,
            coverage=(2,) * metres,
            coverage_sigma_m=(0.1132,) * metres,
            coverage_unseen_since_ns=(None,) * metres,
            services=tuple(
                ServiceHealth(
                    name=name, up=True, cpu_cores=0.21, memory_mb=183.2, restarts=0, up_s=512.0
                )
                for name in ("pipeline", "sender", *(f"camera {one}" for one in self._cameras))
            ),
            alarms_waiting=0,
            heard_beats_ns=beats_ns,
        )

    def alarm(self, number: int, at_ns: int) -> Anomaly:
        """Write an alarm about somebody who is here."""
        x, y = self.from_m + REACH_M / 2, APART_M * self._drift.number
        return Anomaly(
            id=f"immobile-{self.name}-{number}",
            kind="immobile",
            severity="warning",
            state="active",
            captured_at_ns=at_ns,
            raised_at_ns=at_ns,
            probability=0.97,
            certainty="certainly",
            track=self.some_track(),
            xyz_m=(x, y, 0.0),
            evidence="Has moved 0.1 m in 60 s; the limit is 0.3 m.",
        )
