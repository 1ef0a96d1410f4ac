"""A gateway that paints its miners itself, so that a test knows where they are to the pixel."""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from scene.messages import (
    Anomaly,
    CameraDescription,
    CameraHealth,
    GatewayHealth,
    GatewayState,
    PanoramaPacket,
    Position,
    Positions,
    RulerMark,
    SiteDescription,
    ZoneDescription,
)
from scene.topics import Address
from scene.wire import Envelope, Message, type_name

SITE, GATEWAY = "roadway", "gw1"
WIDTH, HEIGHT, FPS, KEY_EVERY = 1280, 240, 10, 5
LENGTH_M = 40.0
BENT_END_M = (20.0 + 399.0**0.5, 1.0, 0.2)
"""The roadway's end, `LENGTH_M` along its line, which bends a little at 20 m."""
WALKER, FALLEN = 12, 3
EVIL_NAME = '<img src=x onerror="window.hacked=1">'
WALKER_RGB, FALLEN_RGB = (255, 0, 255), (255, 255, 0)


def walker_box(i: int) -> tuple[int, int, int, int]:
    """Where the walker is painted in frame `i`: left, top, right, bottom; right and bottom out.

    He never comes so near to the other that one's label covers the other.
    """
    left = 100 + 8 * (i % 80)
    return left, 70, left + 24, 170


def fallen_box() -> tuple[int, int, int, int]:
    return 900, 180, 990, 204


def people_at(i: int, at_ns: int, *, names: dict[int, str] | None = None) -> Positions:
    """Both miners; the tags belong exactly on what `paint` paints."""
    people = []
    for track, box, height_m, posture in (
        (WALKER, walker_box(i), 1.8, "upright"),
        (FALLEN, fallen_box(), 0.4, "lying"),
    ):
        left, top, right, bottom = box
        middle = (left + right - 1) / 2
        people.append(
            Position(
                track=track,
                xyz_m=(LENGTH_M * middle / WIDTH, 1.0 if track == WALKER else -1.0, 0.0),
                covariance_m2=((0.09, 0.02), (0.02, 0.04)),
                velocity_m_s=(0.9, 0.0) if track == WALKER else (0.0, 0.0),
                height_m=height_m,
                posture=posture,  # type: ignore[arg-type]
                certainty="certainly",
                seen_at_ns=at_ns,
                cameras=("c1",),
                worker=(names or {}).get(track),
                panorama_xy=(middle, bottom - 1.0),
                panorama_head_xy=(middle, float(top)),
            )
        )
    return Positions(captured_at_ns=at_ns, people=tuple(people))


def paint(i: int) -> NDArray[np.uint8]:
    """Paint a grey roadway with both miners."""
    picture = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    picture[:] = np.linspace(40, 90, WIDTH, dtype=np.uint8)[None, :, None]
    for box, colour in ((walker_box(i), WALKER_RGB), (fallen_box(), FALLEN_RGB)):
        left, top, right, bottom = box
        picture[top:bottom, left:right] = colour
    return picture


class Encoder:
    """H.264 as a gateway sends it: Annex B, parameter sets before every key frame."""

    def __init__(self) -> None:
        self._codec: Any = av.CodecContext.create("libx264", "w")
        self._codec.width, self._codec.height = WIDTH, HEIGHT
        self._codec.pix_fmt = "yuv420p"
        self._codec.time_base, self._codec.framerate = Fraction(1, FPS), Fraction(FPS)
        self._codec.gop_size, self._codec.thread_count = KEY_EVERY, 1
        self._codec.bit_rate = 4_000_000
        self._codec.options = {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "x264-params": "repeat-headers=1:annexb=1:scenecut=0",
        }
        self._i = 0

    def packet(self, at_ns: int, names: dict[int, str] | None = None) -> PanoramaPacket:
        i, self._i = self._i, self._i + 1
        frame = av.VideoFrame.from_ndarray(paint(i), format="rgb24").reformat(format="yuv420p")
        frame.pts = i
        (coded,) = self._codec.encode(frame)
        return PanoramaPacket(
            captured_at_ns=at_ns,
            key_frame=coded.is_keyframe,
            geometry="rig-1",
            size_px=(WIDTH, HEIGHT),
            positions=people_at(i, at_ns, names=names),
            payload=bytes(coded),
        )


def description(stream_url: str = "ws://127.0.0.1:1/panorama") -> SiteDescription:
    return SiteDescription(
        site=SITE,
        gateway=GATEWAY,
        software="lamproom test",
        geometry="rig-1",
        panorama_size_px=(WIDTH, HEIGHT),
        centre_line_m=((0.0, 0.0, 0.0), (20.0, 0.0, 0.0), BENT_END_M),
        left_m=2.5,
        right_m=2.5,
        zones=(
            ZoneDescription(
                name="conveyor",
                kind="restricted",
                polygon_m=((25.0, -2.4), (32.0, -2.2), (32.0, 0.5), (25.0, 0.3)),
            ),
        ),
        cameras=(
            CameraDescription(
                name="c1", xyz_m=(2.0, 2.3, 2.4), view_m=((4, 2), (20, 2.4), (20, -2.4), (4, -2))
            ),
            CameraDescription(
                name="c2",
                xyz_m=(18.0, 2.3, 2.4),
                view_m=((20, 2.4), (37, 3.0), (37, -1.6), (20, -2.4)),
            ),
        ),
        stream_url=stream_url,
        ruler=tuple(
            RulerMark(
                chainage_m=float(chainage_m),
                across_px=(
                    (chainage_m * WIDTH / LENGTH_M, 150.0),
                    (chainage_m * WIDTH / LENGTH_M, 230.0),
                ),
            )
            for chainage_m in range(1, int(LENGTH_M))
        ),
        site_yaml="secret: rtsp://user:password@camera",
    )


def health(at_ns: int, unplaced: int | None = None) -> GatewayHealth:
    return GatewayHealth(
        captured_at_ns=at_ns,
        cameras=(
            CameraHealth(
                name="c1", state="ok", fps=14.9, last_frame_at_ns=at_ns, unplaced=unplaced
            ),
            CameraHealth(
                name="c2", state="lost", fps=0.0, last_frame_at_ns=None, detail="Connection refused"
            ),
        ),
        panorama_fps=10.0,
        detection_fps=4.2,
        detection_age_s=0.21,
        detection_provider="CPUExecutionProvider",
        coverage_from_x_m=0.0,
        coverage=tuple(0 if i < 3 else 1 if i < 18 else 2 for i in range(40)),
    )


def alarm(id: str = "man_down-3", *, at_ns: int, state: str = "active", **changes: Any) -> Anomaly:
    fields: dict[str, Any] = {
        "id": id,
        "kind": "man_down",
        "severity": "critical",
        "state": state,
        "captured_at_ns": at_ns,
        "raised_at_ns": at_ns,
        "probability": 0.97,
        "certainty": "certainly",
        "track": FALLEN,
        "zone": "conveyor",
        "xyz_m": (29.5, -1.0, 0.0),
        "evidence": "0.4 m high for 3.2 s; the limit is 1.0 m for 3 s",
    }
    return Anomaly(**(fields | changes))


class LocalGateway:
    """Speaks straight to a room, without a broker: messages ten times a second, and a stream."""

    def __init__(self, hear: Callable[[Address, Envelope], None], name: str = GATEWAY) -> None:
        self._hear = hear
        self._name = name
        self._stopping = threading.Event()
        self.streaming = True
        self.change: Callable[[Positions], Positions] = lambda positions: positions
        self.unplaced: int | None = None
        """People before camera c1, which places nobody."""
        self.late_ns = 0
        """So old are its pictures when they come."""
        self.spoil = 0
        """So many packets are sent with a picture that is no picture."""
        self.names: dict[int, str] = {}
        self._listeners: list[tuple[asyncio.AbstractEventLoop, asyncio.Queue[PanoramaPacket]]] = []
        self._seq = 0
        self._thread = threading.Thread(target=self._run, name="fake-gateway")
        self.upstreams = 0
        self.sent_at_ns: set[int] = set()
        self.room: Any = None

    @property
    def listening(self) -> int:
        """How many upstream connections are open."""
        return len(self._listeners)

    def __enter__(self) -> "LocalGateway":
        self.say(GatewayState(online=True, since_ns=time.time_ns()))
        self.say(description(f"ws://{self._name}:1/panorama"))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def say(self, message: Message) -> None:
        topic = type_name(message)
        id = message.id if isinstance(message, Anomaly) else None
        address = Address(prefix="mine", site=SITE, gateway=self._name, topic=topic, id=id)
        self._seq += 1
        envelope = Envelope(
            type=topic, gateway=self._name, seq=self._seq, sent_at_ns=time.time_ns(), body=message
        )
        self._hear(address, envelope)

    async def open_stream(self, _url: str) -> AsyncGenerator[PanoramaPacket, None]:
        queue: asyncio.Queue[PanoramaPacket] = asyncio.Queue()
        listener = (asyncio.get_running_loop(), queue)
        self._listeners.append(listener)
        self.upstreams += 1
        try:
            while True:
                yield await queue.get()
        finally:
            self._listeners.remove(listener)

    def _run(self) -> None:
        encoder, i = Encoder(), 0
        while not self._stopping.wait(1 / FPS):
            packet = encoder.packet(time.time_ns() - self.late_ns, self.names)
            packet = replace(packet, positions=self.change(packet.positions))
            self.sent_at_ns.add(packet.captured_at_ns)
            if self.spoil:
                self.spoil -= 1
                packet = replace(packet, payload=bytes(range(200)))
            self.say(packet.positions)
            if i % FPS == 0:
                self.say(health(packet.captured_at_ns, self.unplaced))
            i += 1
            self._send(packet)

    def _send(self, packet: PanoramaPacket) -> None:
        for loop, queue in list(self._listeners) if self.streaming else []:
            with contextlib.suppress(RuntimeError):  # its server has stopped
                loop.call_soon_threadsafe(queue.put_nowait, packet)
