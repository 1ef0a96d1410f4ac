"""Carries cameras' packets and the pipeline's steps out of shared memory into the recording.

Knows nothing about MQTT or the panorama. A file that is begun in the midst of a run starts with
what each camera has sent since its last key frame, so that every file can be decoded by itself.
"""

import contextlib
import threading
from collections import Counter, deque
from collections.abc import Iterator

from delivery.recordings.camera_packets import Handed, taken
from delivery.recordings.format import FLUSH_S
from delivery.recordings.writer import RecordingWriter
from edge.byte_ring import ByteRing, Place
from edge.run_words import Say
from edge.taps import Taps
from scene.clock import Clock
from scene.errors import RecordingError, WireError

EVERY_S = 0.2
"""What comes meanwhile waits in memory; who wakes more often takes more of the processor."""
MOST_SINCE_KEY_BYTES = 16_000_000
"""A camera that sends more than this without a key frame is begun without."""
TELL_EVERY_S = 60.0
"""That something is lost is not said more often."""
STOP_LIMIT_S = 2.0
SAFE_S = 2.5 * FLUSH_S
"""What was written so long ago is on the disk; until then a recorder that dies is not relied on."""


class Intake:
    """A thread that writes into whatever file it was given last; none while there is none."""

    def __init__(self, taps: Taps, clock: Clock, say: Say) -> None:
        """`say` is told, with the level `warning`, of what is lost."""
        self._taps, self._clock, self._say = taps, clock, say
        self._writer: RecordingWriter | None = None
        self._begun = False
        """Until there is a first file, what comes waits: the recorder before may have died."""
        self._since_key = {name: _SinceKey() for name in taps.packets}
        self._odd = Counter[str]()
        """Of each camera, what was left out as it is no packet; counts as lost as well."""
        self._lost = {ring.name: ring.lost for ring in self._rings()}
        self._died: Exception | None = None
        self._told_s = -TELL_EVERY_S
        self._unsafe: deque[tuple[float, ByteRing, Place]] = deque()
        """What was read lately and may not be on the disk yet."""
        self._working = threading.Lock()
        self._over = threading.Event()
        for ring in self._rings():
            ring.want()
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)
        self._thread.start()

    def into(self, writer: RecordingWriter | None) -> None:
        """Write into another file from now on; with none what comes is passed over."""
        with self._working:
            if self._begun:
                self._round(self._writer)
            self._writer, self._begun = writer, True
            if writer is not None:
                with contextlib.suppress(RecordingError):  # its `trouble` tells of it
                    for since in self._since_key.values():
                        for packet in since.packets:
                            with contextlib.suppress(WireError):  # counted when it came
                                writer.camera(packet)

    @property
    def trouble(self) -> str:
        """Why it takes nothing in any more; empty while it does."""
        if self._over.is_set() or self._thread.is_alive():
            return ""
        return f"what cameras send is not taken in any more: {self._died!r}"

    def close(self) -> None:
        """Write what is there, and end."""
        self._over.set()
        self._thread.join(STOP_LIMIT_S)
        self.into(None)

    def _run(self) -> None:
        try:
            while not self._over.wait(EVERY_S):
                with self._working:
                    if self._begun:
                        self._round(self._writer)
        except Exception as error:  # `trouble` tells of it, and another recorder is started
            self._died = error
            for ring in self._rings():  # which is not to die of the same
                ring.commit(ring.place)

    def _round(self, writer: RecordingWriter | None) -> None:
        """Carry over all that is there: packets first, since steps speak of their pictures.

        Without a writer packets are kept up with, so that the next file can begin with a key frame.
        """
        packets = [(name, one) for name in self._taps.packets for one in self._packets(name)]
        steps = self._taps.steps.take()
        if writer is not None:
            with contextlib.suppress(RecordingError):  # its `trouble` tells of it
                for name, packet in packets:
                    try:
                        writer.camera(packet)
                    except WireError as error:
                        self._leave_out(name, error)
                for step in steps:
                    writer.step(step)
                self._count(writer)
        self._commit()

    def _commit(self) -> None:
        """Let the next recorder begin behind what is on the disk."""
        now_s = self._clock.monotonic_s()
        self._unsafe.extend((now_s, ring, ring.place) for ring in self._rings())
        while now_s - self._unsafe[0][0] > SAFE_S:
            _, ring, place = self._unsafe.popleft()
            ring.commit(place)

    def _packets(self, camera: str) -> Iterator[Handed]:
        for record in self._taps.packets[camera].take():
            try:
                packet = taken(record)
            except WireError as error:  # whatever a process that died has left
                self._leave_out(camera, error)
                continue
            self._since_key[camera].add(packet)
            yield packet

    def _leave_out(self, camera: str, error: WireError) -> None:
        if not self._odd:
            self._say(f"of {camera} a record is left out, and further ones: {error}", "warning")
        self._odd[camera] += 1

    def _count(self, writer: RecordingWriter) -> None:
        """Write down what did not get here, and say so now and then."""
        lost = {ring.name: ring.lost + self._odd[ring.name] for ring in self._rings()}
        news = {name: count - self._lost[name] for name, count in lost.items()}
        self._lost = lost
        for name, count in news.items():
            if count:
                writer.lost(name, count)
        now_s = self._clock.monotonic_s()
        if any(news.values()) and now_s - self._told_s >= TELL_EVERY_S:
            self._told_s = now_s
            told = ", ".join(f"{name} {count}" for name, count in lost.items() if count)
            self._say(f"packets are missing in the recording, so far: {told}", "warning")

    def _rings(self) -> tuple[ByteRing, ...]:
        return (*self._taps.packets.values(), self._taps.steps)


class _SinceKey:
    """What a camera has sent since its last key frame."""

    def __init__(self) -> None:
        self.packets: list[Handed] = []
        self._bytes = 0

    def add(self, packet: Handed) -> None:
        if packet.key_frame:
            self.packets, self._bytes = [], 0
        elif not self.packets:
            return
        self.packets.append(packet)
        self._bytes += len(packet.message)
        if self._bytes > MOST_SINCE_KEY_BYTES:
            self.packets, self._bytes = [], 0
