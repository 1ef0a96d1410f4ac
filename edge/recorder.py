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

LAST_WORDS_S = 0.5
"""So long the recorder goes on after the others."""


class Recorder:
    """Writes one gateway's messages and panorama to a file until it is closed."""

    def __init__(self, path: Path, site: Site, stream_url: str, clock: Clock) -> None:
        _make_folder(path)
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


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordingError(
            f"--record {path}: there can't be a folder {path.parent}: {error.strerror}; "
            "give another file"
        ) from None


def main(context: Context) -> None:
    """Record the run until it ends."""
    site = context.options.site()
    assert context.options.record is not None
    clock = SystemClock()
    recorder = Recorder(context.options.record, site, context.options.stream_url(), clock)
    try:
        while not context.rest(0.5):
            if recorder.trouble is not None:
                raise RecordingError(f"{context.options.record}: {recorder.trouble}")
            context.alive()
        # Pipeline and sender have ended; their last words are still on the way.
        clock.sleep(LAST_WORDS_S)
    finally:
        recorder.close()
