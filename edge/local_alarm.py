"""The gateway's own alarm, a siren for instance, for when nobody in a control room can be told.

Knows nothing about MQTT. It runs a program of the site's while the control room is silent or a
critical alarm is not receipted, and another one when that is over. It has a thread of its own:
nothing else waits for it, however the programs behave.
"""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from delivery.aside import NewestAside
from delivery.mqtt import say
from delivery.outbox import Outbox, OutboxError
from delivery.publisher import Publisher
from scene.clock import Clock
from scene.messages import Anomaly
from scene.site import LocalAlarmConfig, Site

LOOK_EVERY_S = 0.5
AGAIN_S = 5.0
"""A program that failed is run again after so long."""
HOLD_S = 6.0
"""What an earlier run began goes on for so long: whether the control room is there is not known
before, and a siren that stops with every start would say that all is well."""
PATIENCE_S = 0.5
"""A disk that does not tell within so long whether a siren sounds already is not waited for."""
SILENT, UNRECEIPTED, OVER = "control_room_silent", "alarm_unreceipted", "over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why there is a local alarm."""

    event: str
    """`control_room_silent` or `alarm_unreceipted`."""
    text: str
    alarm: Anomaly | None = None


class LocalAlarm:
    """Looks for causes and runs the site's programs until it is closed."""

    def __init__(
        self,
        config: LocalAlarmConfig,
        cause: Callable[[], Cause | None],
        clock: Clock,
        *,
        memory: Path,
        names: dict[str, str],
        on_trouble: Callable[[str], None],
        log: Callable[[str], None] = say,
    ) -> None:
        """Start; `cause` says why there should be an alarm now, `memory` that it was begun.

        So an alarm that an earlier run began is ended by this one, unless that crashed before a
        disk that hung had taken it: then the siren goes on, and somebody must end it by hand.
        `names` go into the programs' environment, `on_trouble` takes what is wrong with them, or an
        empty text.
        """
        self._config, self._cause, self._clock = config, cause, clock
        self._memory, self._names = memory, names
        self._on_trouble, self._log = on_trouble, log
        self._on = False
        self._event = ""
        self._told = ""
        self._due_s = clock.monotonic_s()
        self._began_before = threading.Event()
        self._disk = NewestAside("local-alarm-memory", first=self._look_back)
        self._disk.settle(PATIENCE_S)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="local-alarm", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop looking. What was begun stays as it is: a siren does not end because we do."""
        self._closing.set()
        self._thread.join(timeout=2.0)
        self._disk.settle(PATIENCE_S)

    def _look_back(self) -> None:
        """See whether an earlier run began an alarm; a disk that hung tells it late."""
        with contextlib.suppress(OSError):
            if self._memory.exists():
                self._began_before.set()

    def _run(self) -> None:
        failed = False
        while not self._closing.wait(LOOK_EVERY_S):
            try:
                self._look()
                if failed:
                    self._on_trouble(self._told)
                failed = False
            except Exception as error:  # a siren must not fall silent over a mistake of ours
                failed = True
                self._on_trouble(f"the local alarm failed: {type(error).__name__}: {error}")

    def _look(self) -> None:
        cause, now_s = self._cause(), self._clock.monotonic_s()
        if self._began_before.is_set():
            self._began_before.clear()
            if not self._on:
                self._on, self._due_s = True, now_s + HOLD_S
        if cause is not None:
            new = not self._on or cause.event != self._event
            if not new and now_s < self._due_s:
                return
            self._on, self._event = True, cause.event
            self._disk.do(self._memory.touch)  # the siren does not wait for the disk
            if new:
                self._log(f"LOCAL ALARM: {cause.text}")
            done = self._call(self._config.command, cause.event, cause.text, cause.alarm)
            again_s = self._config.repeat_s or float("inf")
            self._due_s = self._clock.monotonic_s() + (again_s if done else AGAIN_S)
        elif self._on and (now_s >= self._due_s or self._event):
            # A cause that has just gone is acted on at once, a program that failed after a while.
            self._event = ""
            end, done = self._config.end_command, True
            if end is not None:
                done = self._call(end, OVER, "the control room is back", None)
            self._due_s = self._clock.monotonic_s() + AGAIN_S
            if done:
                self._on = False
                self._disk.do(lambda: self._memory.unlink(missing_ok=True))
                self._log("the local alarm is over")

    def _call(self, argv: Sequence[str], event: str, text: str, alarm: Anomaly | None) -> bool:
        """Run a program to its end, but not for ever; tells whether it did its work."""
        trouble = _run(argv, self._environment(event, text, alarm), self._config.limit_s)
        said = f"local_alarm: {argv[0]}: {trouble}" if trouble else ""
        self._on_trouble(said)
        if said and said != self._told:
            self._log(said)
        self._told = said
        return not trouble

    def _environment(self, event: str, text: str, alarm: Anomaly | None) -> dict[str, str]:
        about = {} if alarm is None else {"LAMPROOM_ALARM": alarm.id, "LAMPROOM_KIND": alarm.kind}
        said = {"LAMPROOM_EVENT": event, "LAMPROOM_TEXT": text.replace("\0", "")}
        return {**os.environ, **self._names, **about, **said}


def open_local_alarm(
    site: Site, outbox: Outbox, publisher: Publisher, clock: Clock
) -> LocalAlarm | None:
    """Start a site's local alarm; none where the site file has none."""
    config = site.local_alarm
    if config is None:
        return None

    unreceipted: Anomaly | None = None
    was_silent = False

    def cause() -> Cause | None:
        nonlocal unreceipted, was_silent
        silence = publisher.attendance.silence()
        if silence and not was_silent:  # the siren goes first, before a disk is asked anything
            was_silent = True
            return Cause(event=SILENT, text=silence)
        was_silent = bool(silence)
        with contextlib.suppress(OutboxError):  # told by the heartbeat; what was known counts on
            unreceipted = outbox.overdue(config.unreceipted_after_s)
        # What a hanging disk could not take yet counts as well.
        due = publisher.unstored.overdue(config.unreceipted_after_s) or unreceipted
        if silence:
            return Cause(event=SILENT, text=silence)
        if due is not None and publisher.attendance.known:
            text = f"nobody has receipted {due.id} for {config.unreceipted_after_s:g} s"
            return Cause(event=UNRECEIPTED, text=text, alarm=due)
        return None

    return LocalAlarm(
        config,
        cause,
        clock,
        memory=site.state_folder / "local-alarm-on",
        names={"LAMPROOM_SITE": site.site, "LAMPROOM_GATEWAY": site.gateway},
        on_trouble=lambda text: publisher.troubles.set("local_alarm", text),
    )


def _run(argv: Sequence[str], environment: dict[str, str], limit_s: float) -> str:
    """Run a program with its children; gives what went wrong, empty when all went well."""
    try:
        process = subprocess.Popen(
            argv,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        return f"can't be run: {error}"
    try:
        code = process.wait(timeout=limit_s)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return f"was killed: it took longer than {limit_s:g} s"
    return "" if code == 0 else f"ended with {code}"
