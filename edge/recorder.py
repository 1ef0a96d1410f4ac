"""Record a run: an ordinary subscriber of the messages and of the panorama stream.

Knows nothing about cameras or the pipeline; whatever it writes, any viewer could have seen.
"""

import threading
from pathlib import Path

from delivery.mqtt import Connection
from delivery.recording import RecordingWriter
from delivery.stream import StreamFollower
from edge.services import Context
from scene.clock import Clock, SystemClock
from scene.errors import RecordingError
from scene.messages import PanoramaPacket
from scene.site import Site
from scene.topics import LIVE_PREFIX, TOPICS, topic_name


class Recorder:
    """Writes one gateway's messages and panorama to a file until it is closed."""

    def __init__(self, path: Path, site: Site, stream_url: str, clock: Clock) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = RecordingWriter(path, clock)
        self._clock = clock
        self._writing = threading.Lock()
        self._closed = False
        self.trouble: Exception | None = None
        """Why nothing is recorded any more; none while all is well."""
        self._connection = Connection(site.broker, client_id=f"{site.gateway}-recorder")
        for topic, row in TOPICS.items():
            name = topic_name(
                topic, site=site.site, gateway=site.gateway, id="+", prefix=LIVE_PREFIX
            )
            self._connection.subscribe(name, row.qos, self._on_message)
        self._connection.connect(timeout_s=10.0)
        self._follower = StreamFollower(stream_url, self._on_packet, self._on_error)

    def close(self) -> None:
        """Finish the file."""
        self._follower.close()
        self._connection.close()
        with self._writing:
            self._closed = True
            self._writer.close()

    def _on_message(self, topic: str, payload: bytes, retained: bool) -> None:
        with self._writing:
            if not self._closed:
                self._writer.message(topic, payload, self._clock.now_ns())

    def _on_packet(self, packet: PanoramaPacket) -> None:
        with self._writing:
            if not self._closed:
                self._writer.packet(packet)

    def _on_error(self, error: Exception) -> None:
        self.trouble = error


def main(context: Context) -> None:
    """Record the run until it ends."""
    site = context.options.site()
    assert context.options.record is not None
    recorder = Recorder(context.options.record, site, context.options.stream_url(), SystemClock())
    try:
        while not context.stopping.wait(0.5):
            if recorder.trouble is not None:
                raise RecordingError(f"{context.options.record}: {recorder.trouble}")
            context.alive()
        # The last words of the pipeline and of the sender still come.
        context.stopping.wait(0.5)
    finally:
        recorder.close()
