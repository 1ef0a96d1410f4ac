"""Record a run: an ordinary subscriber of the messages and of the panorama stream.

Knows nothing about cameras or the pipeline; whatever it writes, any viewer could have seen. What is
not believed (forged, altered, played again) is written down, too, but apart, with the reason; what
is believed is marked as signed or not. A disk that runs full stops the recorder before anything
else: see `edge/storage_watch.py`.
"""

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path

from delivery.guard import Guard
from delivery.mqtt import Connection, say
from delivery.recordings.format import DiskFullError, Trusted
from delivery.recordings.retention import Retention
from delivery.recordings.run_record import RunRecord
from delivery.recordings.writer import RecordingWriter
from delivery.signing import SigningError
from delivery.stream import StreamFollower
from delivery.trust import Trust, sender_name
from edge import log
from edge.batch import Batch
from edge.recorded_run import run_record
from edge.recording_intake import Intake
from edge.service import Context
from edge.storage_watch import Room, look_at, make_folder
from scene.clock import Clock, SystemClock
from scene.errors import LamproomError, RecordingError, WireError, printable
from scene.packet import split
from scene.site import Site
from scene.topics import LIVE_PREFIX, TOPICS, topic_name

LOOK_EVERY_S = 0.5
TEND_EVERY_S = 10.0
"""So often the oldest files are looked at, whether they are still to be kept."""
PAUSE_S = 5.0
"""After the disk was full recording is not tried again sooner."""
NEW_FILE_AFTER_S = 3600.0
"""A file grows no longer than this. Its index is kept in memory until it is finished (measured: 653
bytes per chunk, 19 MB an hour), and what a damaged disk takes is an hour at most."""
KEYS_AGAIN_S = 5.0
"""Where no key can be used, they are looked for again after so long."""
PASSED_OVER = "it was passed over: it was heard before, or newer ones were"
"""Why something lies apart that may well be honest: brokers may say things twice."""
MOST_TOLD = 100
"""Of so many topics' refused messages is told; a flood of further ones is not."""
OVERLAP_LIMIT_S = 60.0
"""Without a broker two files are not written for longer than this."""
HANG_UP_LIMIT_S = 1.0
LAST_WORDS_S = 0.5
"""So long the recorder goes on after the others."""


class Recorder:
    """Writes one gateway's messages and panorama to a file until it is closed."""

    def __init__(
        self,
        path: Path,
        site: Site,
        stream_url: str,
        clock: Clock,
        *,
        name: str = "recorder",
        guard: Guard | None = None,
        say: Callable[[str], None] = say,
        run: RunRecord | None = None,
    ) -> None:
        """Begin; `name` is the client's at the broker: two at once need two names.

        And a `guard` each: what both hear is not played again. `say` is told of the broker. `run`
        is written into the file.
        """
        make_folder(path)
        self.writer = RecordingWriter(path, clock, run)
        self._clock = clock
        self._guard = guard or Guard(clock=clock)
        self._told: set[str] = set()
        """Topics whose refused messages were told of."""
        self._heard = Batch()
        self._stream_trouble: Exception | None = None
        self._connection = Connection(site.broker, client_id=f"{site.gateway}-{name}", log=say)
        for topic, row in TOPICS.items():
            name = topic_name(
                topic, site=site.site, gateway=site.gateway, id="+", prefix=LIVE_PREFIX
            )
            self._connection.subscribe(name, row.qos, self._on_message)
        self._connection.connect(timeout_s=10.0)
        self._follower = StreamFollower(stream_url, self._on_packet, self._on_error, read=split)

    @property
    def path(self) -> Path:
        """The file that is written."""
        return self.writer.path

    @property
    def hears(self) -> bool:
        """Whether it is connected and subscribed now."""
        return self._connection.connected

    @property
    def trouble(self) -> Exception | None:
        """Why nothing is recorded any more; none while all is well."""
        return self.writer.trouble or self._stream_trouble or self._heard.trouble

    def check_with(self, guard: Guard) -> None:
        """Tell true messages from forged ones by other keys from now on."""
        self._guard = guard

    def close(self) -> None:
        """Finish the file; a network that does not answer is not waited for."""
        try:
            self._heard.close()
            self.writer.close()
        finally:
            self._guard.remember()
            hanging_up = threading.Thread(target=self._hang_up, name="hang-up", daemon=True)
            hanging_up.start()
            hanging_up.join(HANG_UP_LIMIT_S)

    def _hang_up(self) -> None:
        self._follower.close()
        self._connection.close()

    def _on_message(self, topic: str, payload: bytes, retained: bool) -> None:
        at_ns = self._clock.now_ns()
        self._heard.put(len(payload), lambda: self._write_message(topic, payload, at_ns))

    def _write_message(self, topic: str, payload: bytes, at_ns: int) -> None:
        if not payload:
            return
        trust: Trusted = "unchecked"
        why = ""
        guard = self._guard
        try:
            heard = guard.check(topic, payload)
            if guard.checks:
                trust = "signed" if heard.signed else "unsigned"
            # Nobody heeds it, so it is no evidence that it was said now; the first one is there.
            why = "" if heard.news else PASSED_OVER
        except WireError as error:
            why = str(error)
            self._say_refused(topic, why)
        with contextlib.suppress(RecordingError):  # `trouble` tells of it
            if why:
                self.writer.refused(topic, payload, why, at_ns)
            else:
                self.writer.message(topic, payload, at_ns, trust)

    def _say_refused(self, topic: str, why: str) -> None:
        if topic not in self._told and len(self._told) < MOST_TOLD:
            self._told.add(topic)
            text = f"{topic}: a message was refused, and is recorded apart: {why}"
            log.say(printable(text, 500), "warning")

    def _on_packet(self, packet: tuple[int, bytes, bytes]) -> None:
        at_ns = self._clock.now_ns()
        self._heard.put(len(packet[2]), lambda: self._write_packet(packet, at_ns))

    def _write_packet(self, packet: tuple[int, bytes, bytes], at_ns: int) -> None:
        with contextlib.suppress(RecordingError):  # `trouble` tells of it
            self.writer.split_packet(*packet, received_at_ns=at_ns)

    def _on_error(self, error: Exception) -> None:
        self._stream_trouble = error


class Recordings:
    """Records into one file after the other: each hour a new one, none while the disk is low."""

    def __init__(self, context: Context, clock: Clock) -> None:
        assert context.options.record is not None
        self._path = context.options.record
        self._context, self._clock = context, clock
        self._site, self._stream_url = context.options.site(), context.options.stream_url()
        self._trust: Trust | None = None
        self._keys_trouble = ""
        """Why signatures can't be checked; empty when they are, or nobody signs."""
        self._keys_again_s = 0.0
        self._recorder: Recorder | None = None
        self._former: Recorder | None = None
        self._former_until_s = 0.0
        self._again_s = 0.0
        self._new_file_s = 0.0
        self._files = 0
        self._newest = self._path
        self._paused = False
        self._intake = Intake(context.taps, clock, log.say) if context.taps else None
        self._retention = Retention(
            self._path,
            context.options.keep(self._site),
            log.say,
            site=self._site.site,
            gateway=self._site.gateway,
        )
        self._tend_s = 0.0

    def look(self) -> None:
        """Begin, go on, or stop for want of room; raises `RecordingError` for other troubles."""
        if self._intake is not None and self._intake.trouble:
            raise RecordingError(f"{self._path}: {self._intake.trouble}")
        room = self._made_room(look_at(self._path.parent))
        if self._recorder is None:
            fits = room.enough if self._paused else not room.low
            if room.low:
                self._pause(room.low)
            elif fits and self._clock.monotonic_s() >= self._again_s:
                self._begin()
            return
        self._look_for_keys(self._recorder)
        trouble = self._recorder.trouble
        if room.low or isinstance(trouble, DiskFullError):
            self._pause(room.low or str(trouble))
        elif trouble is not None:
            raise RecordingError(f"{self._path}: {trouble}")
        elif self._former is not None:
            if self._recorder.hears or self._clock.monotonic_s() >= self._former_until_s:
                former, self._former = self._former, None
                former.close()
        elif self._clock.monotonic_s() >= self._new_file_s:
            self._former = self._recorder  # goes on until the new one hears: nothing is missed
            self._former_until_s = self._clock.monotonic_s() + OVERLAP_LIMIT_S
            self._begin()

    def close(self) -> None:
        """Finish all files that are open."""
        if self._intake is not None:
            self._intake.into(None)
        recorders, self._recorder, self._former = (self._former, self._recorder), None, None
        with contextlib.ExitStack() as closing:  # one that fails leaves no other open
            for recorder in recorders:
                if recorder is not None:
                    closing.callback(recorder.close)

    def _made_room(self, room: Room) -> Room:
        """Delete what is not to be kept, now and then; gives the room that there is then.

        That comes before recording stops, and before the disk is so full that an alarm says so.
        Where a disk can't be written to, deleting gives no room.
        """
        now_s = self._clock.monotonic_s()
        if now_s < self._tend_s:
            return room
        self._tend_s = now_s + TEND_EVERY_S
        writing = [one.path for one in (self._recorder, self._former) if one is not None]
        self._retention.tend(
            self._clock.now_ns() / 1e9,
            now_s,
            writing,
            has_room=room.enough or bool(room.trouble),
        )
        return look_at(self._path.parent)

    def end(self) -> None:
        """Finish for good."""
        self.close()
        if self._intake is not None:
            self._intake.close()

    def say_where(self) -> None:
        """Say at the end where the recording lies."""
        if self._files:
            more = f", the last of {self._files} files" if self._files > 1 else ""
            log.say(f"the recording lies in {self._newest}{more}", recording=str(self._newest))

    def _begin(self) -> None:
        name = ("recorder", "recorder-2")[self._files % 2]
        try:
            self._recorder = Recorder(
                self._path,
                self._site,
                self._stream_url,
                self._clock,
                name=name,
                guard=self._new_guard(),
                say=self._context.options.broker_log(say),
                run=self._run(),
            )
        except DiskFullError as error:  # a quota, say: the disk itself has room
            self._pause(str(error))
            return
        self._files += 1
        self._newest = self._recorder.path
        if self._intake is not None:
            self._intake.into(self._recorder.writer)
        self._new_file_s = self._clock.monotonic_s() + NEW_FILE_AFTER_S
        if self._paused:
            log.say(f"there is room again; recording goes on in {self._recorder.path}")
        self._context.pause(False)
        self._paused = False

    def _run(self) -> RunRecord | None:
        """Say what is run; nothing where the site file can't be read now."""
        cameras = tuple(self._context.taps.packets) if self._context.taps else ()
        try:
            return run_record(self._context.options, self._files + 1, self._clock, cameras)
        except LamproomError as error:
            log.say(f"the recording does not say what was run: {error}", "warning")
            return None

    def _look_for_keys(self, recorder: Recorder) -> None:
        """Check signatures as soon as a key can be used."""
        if self._keys_trouble and self._clock.monotonic_s() >= self._keys_again_s:
            guard = self._new_guard()
            if guard.checks:
                recorder.check_with(guard)
                log.say("signatures are checked from now on")

    def _new_guard(self) -> Guard:
        """Give what tells true messages from forged ones; without usable keys, what tells none.

        Nothing is left unrecorded because a key can't be read: it is marked as unchecked then.
        """
        signing = self._site.signing
        if signing is None or not (signing.trusted or signing.key_file):
            return Guard(clock=self._clock)
        if self._trust is None:
            name = sender_name("gateway", self._site.site, self._site.gateway)
            own = (name, signing.key_file) if signing.key_file else None
            try:
                self._trust = Trust(signing.trusted, self._clock, log.say, own=own)
            except SigningError as error:
                if str(error) != self._keys_trouble:
                    log.say(f"signatures can't be checked, all is recorded: {error}", "warning")
                self._keys_trouble = str(error)
                self._keys_again_s = self._clock.monotonic_s() + KEYS_AGAIN_S
                return Guard(clock=self._clock)
            self._keys_trouble = ""
        # We know our own key, if we sign; the mine's systems need not.
        required = ("control_room",) if signing.required else ()
        memory = self._site.state_folder / "heard-by-recorder.json"
        return Guard(self._trust, required=required, memory=memory, clock=self._clock)

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
        recordings.end()
        recordings.say_where()
