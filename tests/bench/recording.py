"""What recording takes beyond encoding, with four cameras, 1280x720 at 25 pictures a second.

A recorder's own process is fed in real time, over a real broker, a real panorama stream and the
cameras' shared memory, with pictures of 4 Mbit/s each (random bytes: coded video compresses no
further). Told is the processor time of that process, and what handing over takes in the cameras'
and the pipeline's processes. Processor time says little about how busy a machine is, so that these
figures hold on a shared one.
"""

import json
import multiprocessing
import os
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av

from delivery.broker import EmbeddedBroker
from delivery.mqtt import Connection
from delivery.stream import StreamServer
from edge.byte_ring import ByteRing
from edge.cameras.tap import CameraTap
from edge.line import new_door
from edge.options import RunOptions
from edge.recorder import main as recorder_main
from edge.service import Context, Signs
from edge.step_log import StepLog
from edge.taps import PACKETS_BYTES, STEPS_BYTES, Taps
from scene.messages import GatewayHealth, PanoramaPacket, Position, Positions
from scene.site import BrokerConfig
from scene.topics import topic_name
from scene.wire import encode
from tests.bench.gateway_load import cpu_s
from tests.delivery.parts import free_port

CAMERAS, FPS, SEARCHES_PER_S = 4, 25, 7
MBIT_S = 4.0
PICTURE_BYTES = round(MBIT_S * 1e6 / 8 / FPS)
SETTLE_S = 3.0
MEASURE_S = float(os.environ.get("LAMPROOM_RECORDING_S", "20"))
SITE = """
version: 1
site: bench
gateway: gw1
cameras: [{cameras}]
rig: {{mount: {{xyz_m: [0, 0, 2.5], yaw_deg: 0}}}}
floor: {{centre_line_m: [[0, 0, 0], [40, 0, 0]], left_m: 2.0, right_m: 2.0}}
panorama: {{port: {port}}}
"""
PEOPLE = tuple(
    Position(
        track=number,
        xyz_m=(10.123 + number, 0.456, 0.01),
        covariance_m2=((0.0123, 0.0011), (0.0011, 0.0234)),
        velocity_m_s=(1.123, -0.021),
        height_m=1.78,
        posture="upright",
        certainty="certainly",
        seen_at_ns=1_790_000_000_000_000_000,
        cameras=("cam1", "cam2"),
        panorama_xy=(812.5, 512.25),
        panorama_head_xy=(812.5, 401.75),
    )
    for number in range(1, 7)
)
Figures = dict[str, float | str]


def measure() -> Figures:
    """Measure with cameras' packets and without."""
    plain, plain_gb = _recorder(with_cameras=False)
    whole, whole_gb = _recorder(with_cameras=True)
    handing_over, steps = _handing_over_cores(), _steps_cores()
    return {
        "recording.recorder_core_share": plain,
        "recording.recorder_with_cameras_core_share": whole,
        "recording.four_cameras_handing_over_core_share": handing_over,
        "recording.pipeline_steps_core_share": steps,
        "recording.all_with_cameras_core_share": whole + handing_over + steps,
        "recording.panorama_gb_per_hour": plain_gb,
        "recording.with_cameras_gb_per_hour": whole_gb,
    }


def _recorder(*, with_cameras: bool) -> tuple[float, float]:
    """Feed a recorder; gives its share of one core, and GB of recording per hour."""
    names = [f"cam{number}" for number in range(1, CAMERAS + 1)]
    taps = _taps(names) if with_cameras else None
    signs, spawn = Signs(), multiprocessing.get_context("spawn")
    door_out, door_in = new_door()
    with (
        tempfile.TemporaryDirectory(prefix="lamproom-recording-") as name,
        EmbeddedBroker() as broker,
        door_out,
        door_in,
    ):
        folder, port = Path(name), free_port()
        rows = ", ".join(f'{{name: {one}, url: "rtsp://x/{one}"}}' for one in names)
        (folder / "site.yaml").write_text(SITE.format(cameras=rows, port=port), encoding="utf-8")
        options = RunOptions(
            site_file=folder / "site.yaml",
            broker_url=broker.url,
            record=folder / "run.mcap",
            record_cameras=with_cameras,
        )
        stream = StreamServer("127.0.0.1", port)
        sender = Connection(BrokerConfig(url=broker.url), client_id="bench", log=lambda _: None)
        sender.connect(10.0, wait=True)
        context = Context(
            options=options, door_out=door_out, door_in=door_in, signs=signs, taps=taps
        )
        process = spawn.Process(target=recorder_main, args=(context,), daemon=True)
        process.start()
        assert process.pid is not None
        feed = _Feed(sender, stream, taps)
        feed.until(lambda: signs.alive_s.value > 0)
        feed.play(SETTLE_S)
        before_s, size = cpu_s(process.pid), _size(folder)
        feed.play(MEASURE_S)
        # By what was fed, not by how long that took on a machine that can't keep up.
        share = (cpu_s(process.pid) - before_s) / MEASURE_S
        grown = _size(folder) - size
        signs.stop.value = 1
        process.join(30.0)
        sender.close()
        stream.close()
        lost = {ring.name: ring.lost for ring in taps.packets.values()} if taps else {}
    if any(lost.values()):
        raise RuntimeError(f"the recorder was too late: {lost}")
    return share, grown / MEASURE_S * 3600 / 1e9


class _Feed:
    """Says and shows what a gateway would, in real time."""

    def __init__(self, sender: Connection, stream: StreamServer, taps: Taps | None) -> None:
        self._sender, self._stream, self._taps = sender, stream, taps
        self._chance = random.Random(1)
        self._cameras = _camera_taps(taps) if taps else {}
        self._packets = _packets()
        self._count = 0

    def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(int(60 * FPS)):
            if condition():
                return
            self.play(1 / FPS)
        raise RuntimeError("the recorder does not start")

    def play(self, duration_s: float) -> None:
        began_s = time.monotonic()
        for number in range(round(duration_s * FPS)):
            self._instant()
            time.sleep(max(0.0, began_s + (number + 1) / FPS - time.monotonic()))

    def _instant(self) -> None:
        self._count += 1
        at_ns = time.time_ns()
        positions = Positions(captured_at_ns=at_ns, people=PEOPLE)
        for number, tap in enumerate(self._cameras.values()):
            # No two alike within a chunk: they would be stored once.
            _hand_over(tap, self._packets[(self._count % FPS) * CAMERAS + number], at_ns)
        self._stream.send(
            PanoramaPacket(
                captured_at_ns=at_ns,
                key_frame=self._count % 12 == 1,
                geometry="0123456789ab",
                size_px=(2560, 1056),
                positions=positions,
                payload=self._chance.randbytes(PICTURE_BYTES),
            )
        )
        self._say("positions", positions, 0)
        if self._taps is not None:
            frames = [[name, at_ns] for name in self._cameras]
            for do in ("show", *(["see"] if self._count % FPS < SEARCHES_PER_S else [])):
                step = {"do": do, "pipeline": 1, "number": 1, "at_ns": at_ns, "frames": frames}
                self._taps.steps.put(json.dumps(step).encode())
        if self._count % FPS == 0:
            self._say("health", _health(at_ns), 0)

    def _say(self, topic: str, message: Positions | GatewayHealth, qos: int) -> None:
        payload = encode(message, gateway="gw1", seq=self._count, sent_at_ns=1)
        self._sender.publish(
            topic_name(topic, site="bench", gateway="gw1"), payload, qos=qos, retain=False
        )


def _handing_over_cores() -> float:
    """Tell what the taps of all cameras take, in their own processes."""
    taps = _taps(["cam1"])
    tap, packets = _camera_taps(taps)["cam1"], _packets()
    count = 2000
    started_s = time.process_time()
    for number in range(count):
        _hand_over(tap, packets[number % len(packets)], number)
        if number % 200 == 0:
            taps.packets["cam1"].pass_over()
    return (time.process_time() - started_s) / count * FPS * CAMERAS


def _steps_cores() -> float:
    """Tell what writing down its steps takes in the pipeline's process."""
    ring = _taps([]).steps
    log = StepLog(ring)
    frames = [(f"cam{number}", time.time_ns()) for number in range(CAMERAS)]
    count = 5000
    started_s = time.process_time()
    for _ in range(count):
        log.put("show", at_ns=time.time_ns(), frames=frames)
    return (time.process_time() - started_s) / count * (FPS + SEARCHES_PER_S)


def _taps(names: list[str]) -> Taps:
    taps = Taps(
        packets={name: ByteRing(name, PACKETS_BYTES) for name in names},
        steps=ByteRing("steps", STEPS_BYTES),
    )
    for ring in (*taps.packets.values(), taps.steps):
        ring.want()
    return taps


def _camera_taps(taps: Taps) -> dict[str, CameraTap]:
    """Give taps that were told of a stream, as a real one is coded."""
    clip = Path(__file__).parents[2] / "sample_videos" / "roadway" / "cam1.mp4"
    found = {}
    with av.open(str(clip)) as container:
        for name, ring in taps.packets.items():
            found[name] = CameraTap(ring)
            found[name].opened(name, container.streams.video[0], time.time_ns())
    return found


def _hand_over(tap: CameraTap, packet: "av.Packet", at_ns: int) -> None:
    tap.began(packet, at_ns)  # type: ignore[arg-type]
    tap.shown(packet.pts, at_ns)
    tap.ended()


def _packets() -> list["av.Packet"]:
    chance = random.Random(2)
    made = []
    for number in range(FPS * CAMERAS):
        packet = av.Packet(chance.randbytes(PICTURE_BYTES))
        packet.pts = packet.dts = number * 3600
        made.append(packet)
    return made


def _health(at_ns: int) -> GatewayHealth:
    return GatewayHealth(
        captured_at_ns=at_ns,
        cameras=(),
        panorama_fps=25.0,
        detection_fps=7.0,
        detection_age_s=0.1,
        detection_provider="CPUExecutionProvider",
        coverage=(2,) * 40,
        coverage_sigma_m=(0.12,) * 40,
    )


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.mcap"))


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
