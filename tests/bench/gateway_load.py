"""A whole gateway on four live cameras, 1280x720 at 25 pictures a second: what does it take?

The sample roadway's clips are served over real RTSP, as they are coded, at 2.5 times their speed.
The gateway decodes, stitches, encodes, records and publishes; detection takes what is left. CPU is
told in cores, and for decoding, stitching and encoding also against bare decoding of the same
pictures in the same run.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import yaml

from delivery.mqtt import Connection
from scene.messages import GatewayHealth
from scene.site import BrokerConfig
from scene.topics import topic_filter
from scene.wire import decode
from tests.delivery.parts import MOSQUITTO, free_port, mosquitto

SAMPLES = Path(__file__).parents[2] / "sample_videos" / "roadway"
FPS = 25
SETTLE_S = float(os.environ.get("LAMPROOM_LOAD_SETTLE_S", "10"))
MEASURE_S = float(os.environ.get("LAMPROOM_LOAD_S", "20"))
DEBIAN_PYTHON = "/usr/bin/python3"
SERVER = Path(__file__).parent / "_rtsp_files.py"
Figures = dict[str, float | str]


def measure() -> Figures:
    """Measure with detection at the rate left over, and with hardly any."""
    if MOSQUITTO is None or not _has_gstreamer():
        return {"gateway.load": "Mosquitto or GStreamer's RTSP server is not installed"}
    with tempfile.TemporaryDirectory(prefix="lamproom-load-") as name:
        folder = Path(name)
        clips = [
            faster(file, folder / file.name, SETTLE_S + MEASURE_S + 60)
            for file in sorted(SAMPLES.glob("cam*.mp4"))
        ]
        whole = _run(folder, clips, "whole", max_fps=10.0)
        bare = _run(folder, clips, "bare", max_fps=0.02)
        decoding = decoding_cores(clips)
    return {
        "gateway.load_panorama_fps": whole["panorama_fps"],
        "gateway.load_detection_fps": whole["detection_fps"],
        "gateway.load_cores": whole["cores"],
        "gateway.load_memory_mb": whole["memory_mb"],
        "gateway.without_detection_panorama_fps": bare["panorama_fps"],
        "gateway.decode_stitch_encode_record_publish_cores": bare["cores"],
        "gateway.decode_stitch_encode_vs_decode": bare["cores"] / decoding,
        "gateway.bare_decode_cores": decoding,
    }


def faster(file: Path, out: Path, length_s: float) -> Path:
    """Write a clip again and again, its packets as they are, at `FPS`."""
    with av.open(str(out), "w") as target:
        made, begun = None, 0
        while begun < length_s * FPS:
            with av.open(str(file)) as source:
                stream = source.streams.video[0]
                if made is None:
                    made = target.add_stream_from_template(stream)
                step = round(1 / stream.average_rate / stream.time_base)
                tick = round(1 / FPS / stream.time_base)
                count = 0
                for packet in source.demux(stream):
                    if packet.dts is None:
                        continue
                    # Pictures may be coded in another order than they are shown in.
                    packet.pts = (begun + round(packet.pts / step)) * tick
                    packet.dts = (begun + round(packet.dts / step)) * tick
                    packet.stream = made
                    target.mux(packet)
                    count += 1
                begun += count
    return out


def decoding_cores(clips: list[Path]) -> float:
    """Tell how many cores bare decoding takes, at the cameras' rate."""
    started_s, frames = time.process_time(), 0
    for clip in clips:
        with av.open(str(clip)) as source:
            source.streams.video[0].codec_context.thread_count = 1
            for index, _ in enumerate(source.decode(video=0)):
                frames += 1
                if index >= 150:
                    break
    return (time.process_time() - started_s) / frames * FPS * len(clips)


def _run(folder: Path, clips: list[Path], name: str, *, max_fps: float) -> dict[str, float]:
    place = folder / name
    place.mkdir()
    port = free_port()
    site = yaml.safe_load((SAMPLES / "site.yaml").read_text())
    for number, camera in enumerate(site["cameras"]):
        camera["url"] = f"rtsp://127.0.0.1:{port}/cam{number}"
    site["rig"]["file"] = str(SAMPLES / "rig.yaml")
    site["panorama"] = site.get("panorama", {}) | {"port": free_port()}
    site["detection"] = site.get("detection", {}) | {"max_fps": max_fps}
    site["state_folder"] = str(place / "state")
    (place / "site.yaml").write_text(yaml.safe_dump(site))
    with mosquitto(place) as broker, _cameras(port, clips), _heartbeats(broker.url) as heard:
        command = [sys.executable, "-m", "edge.main", "run", str(place / "site.yaml")]
        more = ["--broker", broker.url, "--record", str(place / "run.mcap")]
        with (place / "log").open("w") as log:
            gateway = subprocess.Popen([*command, *more], stdout=log, stderr=log)
        try:
            _wait_for_pictures(heard, place / "log")
            time.sleep(SETTLE_S)
            before_s, began_s, first = cpu_s(gateway.pid), time.monotonic(), len(heard)
            time.sleep(MEASURE_S)
            cores = (cpu_s(gateway.pid) - before_s) / (time.monotonic() - began_s)
            memory_mb = sum(rss_mb(pid) for pid in tree(gateway.pid))
            beats = heard[first:]
        finally:
            gateway.terminate()
            gateway.wait(timeout=30)
    if not beats:
        raise RuntimeError("no heartbeat came")
    return {
        "cores": cores,
        "memory_mb": memory_mb,
        "panorama_fps": sum(beat.panorama_fps for beat in beats) / len(beats),
        "detection_fps": sum(beat.detection_fps for beat in beats) / len(beats),
    }


def _wait_for_pictures(heard: list[GatewayHealth], log: Path) -> None:
    until_s = time.monotonic() + 90
    while not any(beat.panorama_fps > 1 for beat in heard):
        if time.monotonic() > until_s:
            raise RuntimeError(f"the gateway shows nothing: {log.read_text()[-500:]}")
        time.sleep(0.2)


@contextmanager
def _cameras(port: int, clips: list[Path]) -> Iterator[None]:
    words = [DEBIAN_PYTHON, str(SERVER), str(port), *map(str, clips)]
    server = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert server.stdout is not None
        server.stdout.readline()
        yield
    finally:
        server.kill()
        server.wait()


@contextmanager
def _heartbeats(url: str) -> Iterator[list[GatewayHealth]]:
    heard: list[GatewayHealth] = []
    connection = Connection(BrokerConfig(url=url), client_id="load", log=lambda _: None)

    def hear(topic: str, payload: bytes, retained: bool) -> None:
        body = decode(payload).body
        if isinstance(body, GatewayHealth):
            heard.append(body)

    connection.subscribe(topic_filter("health"), 0, hear)
    connection.connect(10.0, wait=True)
    try:
        yield heard
    finally:
        connection.close()


def _has_gstreamer() -> bool:
    check = "import gi; gi.require_version('GstRtspServer', '1.0')"
    return (
        shutil.which(DEBIAN_PYTHON) is not None
        and subprocess.run(
            [DEBIAN_PYTHON, "-c", check], capture_output=True, check=False
        ).returncode
        == 0
    )


def tree(pid: int) -> list[int]:
    """List a process and all its descendants."""
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(one for child in found for one in tree(int(child)))]


def cpu_s(pid: int) -> float:
    """Tell the CPU time of a process and all its descendants, seconds."""
    total = 0
    for one in tree(pid):
        try:
            words = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += int(words[11]) + int(words[12])
    return total / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    """Tell the memory that is a process's share, MB."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) / 1e3


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
