"""Record a run: an ordinary subscriber of the messages and of the panorama stream.

Knows nothing about cameras or the pipeline; whatever it writes, any viewer could have seen. A disk
that runs full stops it before anything else: see `edge/storage_watch.py`.
"""

import contextlib
import threading
from pathlib import Path

from delivery.mqtt import Connection
from delivery.recording import DiskFullError, RecordingWriter
from delivery.stream import StreamFollower
from edge import log
from edge.service import Context
from edge.storage_watch import look_at, make_folder
from scene.clock import Clock, SystemClock
from scene.errors import RecordingError
from scene.messages import PanoramaPacket
from scene.site import Site
from scene.topics import LIVE_PREFIX, TOPICS, topic_name

LOOK_EVERY_S = 0.5
PAUSE_S = 5.0
"""After the disk was full recording is not tried again sooner."""
NEW_FILE_AFTER_S = 3600.0
"""A file grows no longer than this. Its index is kept in memory until it is finished (measured: 653
bytes per chunk, 19 MB an hour), and what a damaged disk takes is an hour at most."""
HANG_UP_LIMIT_S = 1.0
LAST_WORDS_S = 0.5
"""So long the recorder goes on after the others."""


class Recorder:
    """Writes one gateway's messages and panorama to a file until it is closed."""

    def __init__(
        self, path: Path, site: Site, stream_url: str, clock: Clock, *, name: str = "recorder"
    ) -> None:
        """Begin; `name` is the client's at the broker: two at once need two names."""
        make_folder(path)
        self._writer = RecordingWriter(path, clock)
        self._clock = clock
        self._writing = threading.Lock()
        self._closed = False
        self._stream_trouble: Exception | None = None
        self._connection = Connection(site.broker, client_id=f"{site.gateway}-{name}")
        for topic, row in TOPICS.items():
            name = topic_name(
                topic, site=site.site, gateway=site.gateway, id="+", prefix=LIVE_PREFIX
            )
            self._connection.subscribe(name, row.qos, self._on_message)
        self._connection.connect(timeout_s=10.0)
        self._follower = StreamFollower(stream_url, self._on_packet, self._on_error)

    @property
    def path(self) -> Path:
        """The file that is written."""
        return self._writer.path

    @property
    def trouble(self) -> Exception | None:
        """Why nothing is recorded any more; none while all is well."""
        return self._writer.trouble or self._stream_trouble

    def close(self) -> None:
        """Finish the file; a network that does not answer is not waited for."""
        try:
            with self._writing:
                self._closed = True
                self._writer.close()
        finally:
            hanging_up = threading.Thread(target=self._hang_up, name="hang-up", daemon=True)
            hanging_up.start()
            hanging_up.join(HANG_UP_LIMIT_S)

    def _hang_up(self) -> None:
        self._follower.close()
        self._connection.close()

    def _on_message(self, topic: str, payload: bytes, retained: bool) -> None:
        with self._writing, contextlib.suppress(RecordingError):  # `trouble` tells of it
            if not self._closed:
                self._writer.message(topic, payload, self._clock.now_ns())

    def _on_packet(self, packet: PanoramaPacket) -> None:
        with self._writing:
            if not self._closed:
                self._writer.packet(packet)

    def _on_error(self, error: Exception) -> None:
        self._stream_trouble = error


class Recordings:
    """Records into one file after the other: each hour a new one, none while the disk is low."""

    def __init__(self, context: Context, clock: Clock) -> None:
        assert context.options.record is not None
        self._path = context.options.record
        self._context, self._clock = context, clock
        self._site, self._stream_url = context.options.site(), context.options.stream_url()
        self._recorder: Recorder | None = None
        self._again_s = 0.0
        self._new_file_s = 0.0
        self._files = 0
        self._paused = False

    def look(self) -> None:
        """Begin, go on, or stop for want of room; raises `RecordingError` for other troubles."""
        room = look_at(self._path.parent)
        if self._recorder is None:
            fits = room.enough if self._paused else not room.low
            if room.low:
                self._pause(room.low)
            elif fits and self._clock.monotonic_s() >= self._again_s:
                self._begin()
            return
        trouble = self._recorder.trouble
        if room.low or isinstance(trouble, DiskFullError):
            self._pause(room.low or str(trouble))
        elif trouble is not None:
            raise RecordingError(f"{self._path}: {trouble}")
        elif self._clock.monotonic_s() >= self._new_file_s:
            before = self._recorder
            self._begin()  # both hear what is said meanwhile, so that nothing is missed
            before.close()

    def close(self) -> None:
        """Finish the file, if one is open."""
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            recorder.close()

    def _begin(self) -> None:
        name = ("recorder", "recorder-2")[self._files % 2]
        try:
            self._recorder = Recorder(
                self._path, self._site, self._stream_url, self._clock, name=name
            )
        except DiskFullError as error:  # a quota, say: the disk itself has room
            self._pause(str(error))
            return
        self._files += 1
        self._new_file_s = self._clock.monotonic_s() + NEW_FILE_AFTER_S
        if self._paused:
            log.say(f"there is room again; recording goes on in {self._recorder.path}")
        self._context.pause(False)
        self._paused = False

    def _pause(self, why: str) -> None:
        """Close the file, so that the disk's rest is for alarms, and the file can be read."""
        self._again_s = self._clock.monotonic_s() + PAUSE_S
        if not self._paused:
            log.say(f"recording stops until there is room: {why}", "warning")
        self._context.pause(True)
        self._paused = True
        try:
            self.close()
        except RecordingError as error:  # without its index it can be read all the same
            log.say(str(error), "warning")


def main(context: Context) -> None:
    """Record the run until it ends."""
    clock = SystemClock()
    recordings = Recordings(context, clock)
    try:
        recordings.look()
        while not context.rest(LOOK_EVERY_S):
            recordings.look()
            context.alive()
        # Pipeline and sender have ended; their last words are still on the way.
        clock.sleep(LAST_WORDS_S)
    finally:
        recordings.close()
