"""The processes of a gateway as rows of a table, and the supervisor that keeps them going.

Knows nothing about what the services do. A service that dies or goes quiet is started again, with
growing pauses, for ever; nobody is there to do it by hand. Processes share no lock, only plain
numbers in memory and an `edge/line.py`, so that none can block another by the way it dies. Of each
service that alarms need, a second process waits to take over: `edge/spare.py`. Each live
camera has a process of its own besides, which the supervisor keeps going:
`edge/cameras/keeping.py`. (Those that play files belong to the pipeline.) Who looks after the
supervisor: systemd, told by `edge/sd_notify.py`, or `edge/guardian.py`.
"""

import contextlib
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess

from delivery.aside import Aside, StalledError
from edge import log
from edge.alone import alone
from edge.cameras.keeping import CameraKeeper
from edge.caretaker import SUPERVISOR, Caretaker, ServiceNow
from edge.faults import filler
from edge.faults.record import ProcessRecord, ServiceRecord
from edge.line import new_door
from edge.options import RunOptions
from edge.run_words import say_running
from edge.running import MOST_LEFT, Running, forget
from edge.sd_notify import Systemd
from edge.service import BAD_INPUT, Context, Signs, die_with_parent, told_to_end
from edge.spare import Spares, has_one_thread, start_process
from edge.taps import Taps, open_taps
from scene.clock import SystemClock
from scene.errors import LamproomError
from scene.messages import Severity

__all__ = ["SERVICES", "Context", "Service", "Signs", "Supervisor", "die_with_parent"]

LONGEST_PAUSE_S = 5.0
WORKED_S = 3.0
"""Who lived for so long is started again at once: so slow a loop of crashes costs little, and every
second without the service counts."""
STOP_LIMIT_S = 5.0
"""A service that is told to stop and does not within so long is killed."""
LOOK_EVERY_S = 0.1
GOING_S = 0.005
NEXT_AFTER_S = 10.0
"""The next service is not kept waiting longer by one that does not come up."""
STEADY_S = 60.0
"""After so long without a failure the next pause is none again."""
STOOD_STILL_S = 1.0
"""Who has not come round for so long itself (a machine that was paused, Ctrl-Z) can't tell for how
long others were quiet."""
SITE_PATIENCE_S = 2.0
"""The site file's disk is waited for no longer: others may have to be started again meanwhile."""
SPARE_AFTER_S = 2.0
"""When all have been up for so long, spare processes are made: who has just been started needs the
processor more."""
UNKILLABLE_S = 5.0
"""When a killed process is still there after so long, the kernel waits for a disk or a driver, and
nobody can end it, systemd neither: the rest of the gateway goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One row: `main(Context)` in `module` runs until it is told to stop."""

    module: str
    wanted: Callable[[RunOptions], bool]
    quiet_limit_s: float
    """Without a sign of life for so long it is killed and started again. A hang must be found in
    4 s: 3.5 s for a service that gives a sign once a second, less for one that gives more of them
    and takes longer to be back."""
    severity: Severity
    """Of the alarm when it fails."""
    ends_run: bool = False
    """When its `main` comes to its end, the run is over."""
    needed: bool = True
    """Whether bad input that keeps it from starting ends the run; else all others go on. And
    whether another one is started beside one that can't be killed."""
    spare: bool = True
    """Whether a process waits, everything imported, to take over when it fails."""
    later: tuple[str, ...] = ()
    """Modules that it imports only when it needs them; its spare has them already."""
    cameras: bool = False
    """Whether it looks at the live cameras, which go on while it is started again."""
    taps: bool = False
    """Whether it hands over, or takes, what a recording needs for a second run."""


SERVICES: dict[str, Service] = {
    "recorder": Service(
        module="edge.recorder",
        wanted=lambda options: options.record is not None,
        quiet_limit_s=3.5,
        severity="warning",
        needed=False,
        spare=False,
        taps=True,
    ),
    "sender": Service(
        module="edge.sender",
        wanted=lambda options: True,
        quiet_limit_s=3.5,
        severity="critical",
        later=("delivery.stream", "edge.announcement", "edge.metrics"),
    ),
    "pipeline": Service(
        module="edge.live",
        wanted=lambda options: True,
        quiet_limit_s=3.0,
        severity="critical",
        ends_run=True,
        later=("onnxruntime",),
        cameras=True,
        taps=True,
    ),
}
"""In the order in which they are started. They are stopped one by one in the opposite order, so
that the last words of each still find their way."""


class Supervisor:
    """Starts the services and keeps them going until the run is over."""

    def __init__(
        self,
        options: RunOptions,
        say: Callable[[str], None],
        services: Mapping[str, Service] = SERVICES,
        *,
        beat: Callable[[], None] = lambda: None,
        begun_anew: str = "",
        fresh: bool = False,
    ) -> None:
        """`beat` is called ten times a second; `begun_anew` is why there was one before this.

        `fresh`: nothing else goes on in this process, so that services may be forked out of it.
        """
        self._options = options
        self._fresh = fresh
        self._say = say
        self._services = services
        self._beat = beat
        self._begun_anew = begun_anew
        self._begun_s = time.monotonic()
        self._systemd = Systemd()
        self._ping_due_s = 0.0
        self._looked_s = time.monotonic()
        self._door_out, self._door_in = new_door()
        self._cameras = CameraKeeper()
        self._taps: Taps | None = None
        self._site_file: Aside | None = None
        """Reads it beside us, once we look after services."""
        self._spares = Spares(
            {name: (one.module, *one.later) for name, one in services.items() if one.spare},
            self._context,
        )
        self._started_s = 0.0
        self._running: dict[str, Running] = {}
        self._failures: dict[str, int] = {}
        self._restarts: dict[str, int] = {}
        self._slow: dict[str, int] = {}
        """How often each was killed as it worked, since it was steady."""
        self._due_s: dict[str, float] = {}
        self._left: list[tuple[str, BaseProcess]] = []
        """Processes that can't be killed, and whose work others do."""

    def run(self, until: Callable[[], bool] = lambda: False) -> int:
        """Keep the services going until the run ends, `until` says so, or a signal comes.

        Gives the exit code: 0, or 2 when a service can't start because of bad input. Raises
        `LamproomError` for a site file that can't be read, and where another gateway runs already.
        """
        with self._door_out, self._door_in, alone(self._options.site().state_folder):
            return self._run(until)

    def _run(self, until: Callable[[], bool]) -> int:
        self._taps = open_taps(self._options)
        if self._taps is not None:
            self._cameras = CameraKeeper(self._taps.packets)
        to_start = [name for name, one in self._services.items() if one.wanted(self._options)]
        ready = False
        with told_to_end() as told:
            self._begin(to_start)
            try:
                while not told() and not (ready and until()):
                    if self._may_go_on() and to_start:
                        self._start(to_start.pop(0))
                        self._spares.make(to_start[:1])  # it gets ready meanwhile
                    elif self._may_go_on() and not ready:
                        ready = True
                        self._systemd.ready()
                        say_running(self._options)
                    elif ready and self._are_steady():
                        self._spares.make(self._running)
                    code = self._look_after()
                    if code is not None:
                        return code
                    self._tell_of_life()
                    self._rest(LOOK_EVERY_S if ready else LOOK_EVERY_S / 5)
                return 0
            finally:
                self._stop()

    def _begin(self, to_start: list[str]) -> None:
        """Start the first service, and get the others ready; then have somebody look after us.

        Cameras come after whoever needs none: what the last run left unsent waits for the sender.
        """
        filler.remove(self._options.site().state_folder)  # of a drill that was cut short
        look = [name for name in to_start if self._services[name].cameras]
        forks = self._fresh and has_one_thread()
        try:
            if forks:
                self._spares.fork(name for name in to_start if name not in look)
            if to_start[:1] != look[:1]:
                self._start(to_start.pop(0))
            if look:
                self._want_cameras()
            if forks:
                self._spares.fork(look, self._cameras.holds)
            self._spares.make(to_start[:1])
            self._caretaker = self._new_caretaker()
            self._site_file = Aside("site-file")
        except BaseException:
            self._spares.close()
            for one in self._running.values():
                one.process.kill()
            self._cameras.close()
            raise

    def _rest(self, limit_s: float) -> None:
        """Wait until it is time for another look: also when somebody dies."""
        until_s = time.monotonic() + limit_s
        some = [one.process for one in self._running.values() if not one.killed_s]
        alive = [process for process in some if process.is_alive()]
        if not alive:
            time.sleep(limit_s)
            return
        told = wait([process.sentinel for process in alive], limit_s)
        ended = [process for process in alive if process.sentinel in told]
        # Who is going is gone in a moment; who has only closed what tells of it may live on.
        while any(one.is_alive() for one in ended) and time.monotonic() < until_s:
            time.sleep(GOING_S)

    def _may_go_on(self) -> bool:
        """Tell whether all who were started are up, or have been waited for long enough."""
        now_s = time.monotonic()
        return all(
            one.signs.alive_s.value or now_s - one.started_s > NEXT_AFTER_S or name in self._due_s
            for name, one in self._running.items()
        )

    def _are_steady(self) -> bool:
        """Tell whether all are up and none was started a moment ago."""
        return self._may_go_on() and time.monotonic() - self._started_s > SPARE_AFTER_S

    def _context(self, name: str, signs: Signs) -> Context:
        """Give a service what it needs; who looks at no camera holds no camera's memory."""
        return Context(
            options=self._options,
            door_out=self._door_out,
            door_in=self._door_in,
            signs=signs,
            cameras=self._cameras.kept if self._services[name].cameras else (),
            taps=self._taps if self._services[name].taps else None,
        )

    def _start(self, name: str) -> None:
        before = self._running.get(name)
        self._options = replace(self._settled(), again=before is not None)
        if self._services[name].cameras:
            self._want_cameras()
        started = self._spares.take(name, self._options) or start_process(
            name, self._services[name].module, self._context
        )
        if before is not None and before.process.is_alive():
            self._left.append((name, before.process))
        self._started_s = time.monotonic()
        self._running[name] = Running(
            process=started.process,
            signs=started.signs,
            started_s=self._started_s,
            is_first=name not in self._running,
        )

    def _settled(self) -> RunOptions:
        """Take the site file as it is now; as it last was right while its disk does not answer."""
        if self._site_file is None:  # nothing was started yet: there is nobody to be held up
            return self._options.settle()
        with contextlib.suppress(StalledError):
            return self._site_file.do(self._options.settle, SITE_PATIENCE_S)
        return self._options

    def _want_cameras(self) -> None:
        """Keep those cameras going that the site has now; spares know only the ones before.

        They stay as they are while the site can't be read: a file that it names may be gone.
        """
        before = self._cameras.kept
        try:
            self._cameras.want(self._options.settled_site().cameras)
        except LamproomError as error:
            self._say(f"the cameras stay as they are: {error}")
        if self._cameras.kept != before:
            self._spares.close([name for name, one in self._services.items() if one.cameras])

    def _look_after(self) -> int | None:
        """Start those again that have died or hang; gives the exit code when the run is over."""
        self._cameras.look_after()
        now_s = time.monotonic()
        stood_still, self._looked_s = now_s - self._looked_s > STOOD_STILL_S, now_s
        for name, running in list(self._running.items()):
            if stood_still:
                running.excused_s = now_s
            if not running.process.is_alive():
                code = self._end_of_run(name, running)
                if code is not None:
                    return code
                self._restart_when_due(name, running)
                continue
            if running.killed_s:
                self._leave_when_due(name, running, now_s)
                continue
            quiet_limit_s = self._services[name].quiet_limit_s
            limit_s = running.limit_s(quiet_limit_s, self._slow.get(name, 0))
            running.look(now_s, limit_s)
            if running.quiet_s(now_s) > limit_s:
                running.hung, running.killed_s = f"has been quiet for {limit_s:g} s", now_s
                self._slow[name] = self._slow.get(name, 0) + running.works
                self._tell(f"{name} {running.hung}; killing it", name)
                running.process.kill()
                running.process.join(timeout=0.5)
            elif now_s - running.started_s > STEADY_S:
                self._failures[name] = self._slow[name] = 0
        return None

    def _leave_when_due(self, name: str, running: Running, now_s: float) -> None:
        """Go on without a process that can't be killed.

        Another one does the work of a service that alarms need. One that alarms don't need is
        waited for: it would only hang like the first.
        """
        if now_s - running.killed_s < UNKILLABLE_S:
            return
        if not running.left:
            running.left = True
            self._tell(f"{name} {running.hung} and can't be killed; leaving it", name)
            said = running.signs.last_error()
            self._caretaker.stuck(name, f"it {running.hung} and can't be killed", said)
        self._left = [(whose, one) for whose, one in self._left if one.is_alive()]
        if self._services[name].needed and [one for one, _ in self._left].count(name) < MOST_LEFT:
            self._restart_when_due(name, running)

    def _end_of_run(self, name: str, running: Running) -> int | None:
        """Tell the exit code when the end of this service is the end of the run."""
        code, service = running.process.exitcode, self._services[name]
        if code == 0 and service.ends_run and running.signs.done.value:
            return 0
        never_up = running.signs.alive_s.value == 0.0
        refuses = code == BAD_INPUT and running.is_first and service.needed
        if refuses and (service.ends_run or never_up):
            return BAD_INPUT
        return None

    def _restart_when_due(self, name: str, running: Running) -> None:
        now_s = time.monotonic()
        if name not in self._due_s:
            lived_s = now_s - running.started_s
            failures = 0 if lived_s > WORKED_S else self._failures.get(name, 0)
            pause_s = 0.0 if failures == 0 else min(LONGEST_PAUSE_S, 0.25 * 2**failures)
            self._failures[name] = failures + 1
            self._restarts[name] = self._restarts.get(name, 0) + 1
            self._due_s[name] = now_s + pause_s
            why = running.hung or f"ended with {running.process.exitcode}"
            self._tell(f"{name} {why}; starting it again", name)
            said = running.signs.last_error()
            self._caretaker.restarted(name, why, hung=bool(running.hung), said=said)
        if now_s < self._due_s[name]:
            return
        try:
            self._start(name)
        except OSError as error:  # no memory for another process now
            self._due_s[name] = now_s + LONGEST_PAUSE_S
            self._tell(f"{name} can't be started: {error}; trying again", name)
        else:
            del self._due_s[name]

    def _tell(self, text: str, name: str) -> None:
        with log.about(about=name, restarts=self._restarts.get(name, 0)):
            self._say(text)

    # ---- who looks after us ----

    def _new_caretaker(self) -> Caretaker:
        site = self._options.site()
        self._record = ProcessRecord(site.state_folder)
        caretaker = Caretaker(
            state_folder=site.state_folder,
            folders=self._options.folders(site),
            cameras=tuple(camera.name for camera in site.cameras),
            severities={
                SUPERVISOR: "critical",
                **{name: one.severity for name, one in self._services.items()},
            },
            door=self._door_out,
            clock=SystemClock(),
        )
        if self._begun_anew:
            caretaker.restarted(SUPERVISOR, self._begun_anew, hung=True)
        return caretaker

    def _tell_of_life(self) -> None:
        """Say that the supervisor is alive, and how the services are."""
        now_s = time.monotonic()
        self._beat()
        period_s = self._systemd.period_s
        if period_s is not None and now_s >= self._ping_due_s:
            self._ping_due_s = now_s + period_s - LOOK_EVERY_S
            self._systemd.alive()
        rows = [
            ServiceNow(
                name=name,
                pid=one.process.pid,
                up=one.up(self._services[name].quiet_limit_s),
                restarts=self._restarts.get(name, 0),
                up_s=now_s - one.started_s,
                paused=one.signs.paused.value != 0 and one.process.is_alive(),
            )
            for name, one in self._running.items()
        ]
        self._record.note({row.name: ServiceRecord(pid=row.pid, up=row.up) for row in rows})
        us = ServiceNow(
            name=SUPERVISOR,
            pid=os.getpid(),
            up=True,
            restarts=bool(self._begun_anew),
            up_s=now_s - self._begun_s,
        )
        self._caretaker.look((*rows, us))

    def _stop(self) -> None:
        """Stop one after the other, the last one first; those that don't want to are killed."""
        self._systemd.stopping()
        for one in self._running.values():
            one.signs.leaving.value = 1
        self._spares.close()
        for name in reversed(list(self._services)):
            running = self._running.get(name)
            if running is None:
                continue
            if name == "sender":
                self._caretaker.close()  # what it has to say still goes out
            running.signs.stop.value = 1
            until_s = time.monotonic() + STOP_LIMIT_S
            while running.process.is_alive() and time.monotonic() < until_s and not running.left:
                self._beat()
                running.process.join(timeout=LOOK_EVERY_S)
            if running.process.is_alive() and not running.left:
                self._tell(f"{name} does not stop within {STOP_LIMIT_S:.0f} s; killing it", name)
                running.process.kill()
                running.process.join(timeout=2.0)
            forget(running.process)
            if self._services[name].cameras:
                self._cameras.close()
        self._cameras.close()  # also when nobody was started to look at them
        for _, process in self._left:
            forget(process)
        self._caretaker.close()
        self._record.close()
