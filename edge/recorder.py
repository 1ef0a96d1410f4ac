"""Record a run: an ordinary subscriber of the messages and of the panorama stream.

Knows nothing about cameras or the pipeline; whatever it writes, any viewer could have seen.
"""

import asyncio
import contextlib
import threading
from pathlib import Path

from delivery.mqtt import Connection
from delivery.recording import RecordingWriter
from delivery.stream import stream_packets
from edge.services import Context
from scene.clock import Clock, SystemClock
from scene.site import BrokerConfig
from scene.topics import LIVE_PREFIX, TOPICS, topic_filter


class Recorder:
    """Writes one gateway's messages and panorama to a file until it is closed."""

    def __init__(
        self, path: Path, broker: BrokerConfig, site: str, gateway: str, clock: Clock
    ) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = RecordingWriter(path, clock)
        self._clock = clock
        self._prefix = f"{LIVE_PREFIX}/{site}/gw/{gateway}/"
        self._stopping = threading.Event()
        self._picture = threading.Thread(target=self._record_picture, name="record-panorama")
        self._stream_url = ""
        self._connection = Connection(broker, client_id=f"{gateway}-recorder")
        for topic, row in TOPICS.items():
            self._connection.subscribe(topic_filter(topic), row.qos, self._on_message)
        self._connection.connect(timeout_s=10.0)

    def record_panorama(self, stream_url: str) -> None:
        """Also record the panorama served at `stream_url`."""
        self._stream_url = stream_url
        self._picture.start()

    def close(self) -> None:
        """Finish the file."""
        self._stopping.set()
        if self._picture.ident is not None:
            self._picture.join(timeout=5.0)
        self._connection.close()
        self._writer.close()

    def _on_message(self, topic: str, payload: bytes, retained: bool) -> None:
        if topic.startswith(self._prefix) and not self._stopping.is_set():
            self._writer.message(topic, payload, self._clock.now_ns())

    def _record_picture(self) -> None:
        asyncio.run(self._follow_stream())

    async def _follow_stream(self) -> None:
        packets = stream_packets(self._stream_url)
        with contextlib.suppress(asyncio.TimeoutError):
            while not self._stopping.is_set():
                packet = await asyncio.wait_for(anext(packets), timeout=1.0)
                self._writer.packet(packet)


def main(context: Context) -> None:
    """Record the run until it ends."""
    site = context.options.site()
    assert context.options.record is not None
    recorder = Recorder(context.options.record, site.broker, site.site, site.gateway, SystemClock())
    recorder.record_panorama(f"ws://{site.panorama.host}:{site.panorama.port}/panorama")
    try:
        while not context.stopping.wait(0.5):
            context.alive()
    finally:
        recorder.close()
