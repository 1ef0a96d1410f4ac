"""Run a pipeline on cameras that go on by themselves: three loops, none waits for another.

Knows nothing about where results go. The panorama keeps the cameras' frame rate; detection takes
the newest frames as often as the machine holds; a third loop sees whether cameras still hang as
the rig has them.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from delivery.link import Link
from delivery.mqtt import Connection, say
from delivery.outbox import Outbox
from edge.calibration.made_for import check_same_site, doubt
from edge.cameras.kept import Kept
from edge.cameras.process import (
    NO_PACKETS,
    CameraHandle,
    failures,
    soon_ns,
    start_cameras,
    stop_cameras,
)
from edge.cameras.source import is_live
from edge.coverage import Roadway
from edge.detection_watch import DetectionWatch
from edge.drift.loop import DriftLoop
from edge.encoder import PanoramaEncoder
from edge.health import HealthReport
from edge.inlet import Inlet
from edge.late_start import late_start
from edge.line import LineOut
from edge.newest import NewestFrames
from edge.no_rig import wait_for_rig
from edge.options import RunOptions
from edge.outlet import LIMITS, LineOutlet, Outlet
from edge.packets import packet_of
from edge.people_file import PeopleFile
from edge.pipeline import Frames, Hanging, Pipeline
from edge.rig_watch import RigWatch
from edge.run_words import RunWords
from edge.services import Context
from edge.site_watch import SiteWatch
from edge.step_log import StepLog
from edge.steps import SteppedPipeline
from edge.tag_file import TagFile, TagPlayer, length_s
from edge.taps import Taps
from edge.together import Together
from edge.watch_steps import open_watches
from scene.alarms import ALARMS
from scene.arrays import Floats
from scene.clock import Clock, SystemClock
from scene.errors import CameraError, LamproomError
from scene.messages import Anomaly
from scene.rig import Rig, load_rig
from scene.site import Site
from scene.topics import HEARTBEAT_S
from scene.wire import Message

IDLE_S = 0.004
"""How long to rest when no camera has a new frame."""
STOP_LIMIT_S = 2.0
"""A search that hangs is not waited for longer."""
START_FAILED_S = 0.5
"""So long the disk is waited for when a start has failed; the supervisor kills after 5 s in all."""
STARTED_ANEW = "the gateway was started anew, and nothing there watches this any more"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parts:
    """What a live run is made of."""

    site: Site
    rig: Rig
    pipeline: Pipeline
    cameras: tuple[CameraHandle, ...]
    outlet: Outlet
    clock: Clock
    heard: Callable[[], tuple[Message, ...]] = tuple
    """Gives what has come in over MQTT since it was last asked."""
    settle: Callable[[float], object] = bool
    """Waits until alarms are safe on disk, for so many seconds at most."""
    site_watch: SiteWatch | None = None
    steps: StepLog | None = None
    """Where it is written down by what cameras are judged, if it is recorded."""
    rig_doubt: Callable[[], str] = str
    """Says why the rig file may not fit the site file as they are now; empty when it does."""


class Live:
    """One live run; `run` returns when all cameras have ended or it is told to."""

    def __init__(self, parts: Parts, alive: Callable[[], None]) -> None:
        self._parts = parts
        self._alive = alive
        self._over = threading.Event()
        self._newest = NewestFrames()
        self._watch, self._view, drift = open_watches(
            parts.site, parts.rig, parts.clock, parts.steps
        )
        self._health = HealthReport(parts.site, parts.rig, parts.clock)
        self._detection = DetectionWatch(parts.clock)
        self._drift = DriftLoop(parts.site, parts.rig, parts.clock, drift)
        self._view_error = ""
        self._rig_watch = RigWatch(parts.site.rig.file, parts.rig, self._prepare, parts.clock)
        self._spreads: Mapping[str, Floats | None] = {}
        self._shown: Frames = ()
        self._detection_error = ""
        self._rig_doubt = parts.rig_doubt()
        self._unsearched: frozenset[str] = frozenset()
        self._encoder: PanoramaEncoder | None = None
        self._heartbeat_due_s = 0.0
        self._site_watch = parts.site_watch
        self._words = RunWords(parts.clock)
        self._people = PeopleFile(parts.site.state_folder)
        before = self._people.load()
        if before is not None:
            parts.pipeline.take_back(before)

    def take_over(self, alarms: Iterable[Anomaly]) -> None:
        """Carry on what was active when the gateway went down, before `run`.

        Alarms about the system go on until all has been well for a while; those that nobody
        watches any more (a camera taken out of the site, say) are cleared at once.
        """
        now_ns = self._parts.clock.now_ns()
        cameras = {camera.name for camera in self._parts.cameras}
        people, left = [], []
        for alarm in alarms:
            if alarm.kind in ALARMS and ALARMS[alarm.kind].about == "person":
                people.append(alarm)
            elif alarm.camera in cameras and (
                self._watch.adopt(alarm) or self._drift.watch.adopt(alarm)
            ):
                continue
            elif not (self._view.adopt(alarm) or self._health.adopt(alarm)):
                left.append(alarm)
        for alarm in (*left, *self._parts.pipeline.adopt(people)):
            self._parts.outlet.send(
                replace(alarm, state="cleared", captured_at_ns=now_ns, evidence=STARTED_ANEW)
            )

    def run(self, stopped: Callable[[], bool]) -> None:
        """Show, see and report until the cameras end or `stopped` says so."""
        seeing = threading.Thread(target=self._see, name="detection", daemon=True)
        seeing.start()
        self._drift.start()
        together = Together(self._parts.cameras, self._parts.site.limits.camera.max_skew_s)
        try:
            while not stopped():
                frames = together.newest()
                unfit = self._parts.pipeline.unfit(frames)
                self._watch.look(self._parts.cameras, frames, unfit)
                if frames:
                    self._look_at_views(frames)
                    self._detection.fed()
                    self._newest.give(frames)
                    self._drift.give(frames)
                    self._show(frames)
                elif together.ended():
                    break
                else:
                    self._listen()
                    self._parts.clock.sleep(IDLE_S)
                self._report()
                self._alive()
        finally:
            self._over.set()
            self._drift.stop(0.0)  # all end at the same time: the limit is for them together
            left = _left(STOP_LIMIT_S)
            self._parts.settle(left())  # alarms come first, the others share what is left
            for kept in (self._people, self._view):
                kept.settle(left())
            seeing.join(timeout=left())
            self._drift.stop(left())

    def _look_at_views(self, frames: Frames) -> None:
        """See whether cameras still see; the picture goes on should that fail, and it is said."""
        try:
            self._view.look(frames)
            self._drift.blind = self._view.blind
            self._view_error = ""
        except Exception as error:
            self._view_error = f"whether cameras are covered can't be told: {error!r}"

    def _prepare(self, rig: Rig) -> tuple[Hanging, Roadway]:
        """Make all that takes long of another rig: pictures go on meanwhile."""
        return self._parts.pipeline.prepare(rig, self._shown), self._health.roadway_of(rig)

    def _follow_the_rig(self) -> None:
        """Go over to another rig once it is ready, and trust cameras as far as they deserve."""
        ready = self._rig_watch.poll()
        if ready is not None:
            hanging, roadway = ready
            self._parts.pipeline.rehang(hanging)
            self._drift.watch.rehung(hanging.rig)
            self._view.rehung(hanging.rig)
            self._health.rehung(roadway)
            self._rig_doubt = self._parts.rig_doubt()
        spreads = self._drift.watch.untrusted()
        if spreads is not self._spreads:
            self._spreads = spreads
            self._parts.pipeline.distrust(spreads)

    def _listen(self) -> None:
        """Take in what was heard over MQTT, also while no camera gives pictures."""
        for message in self._parts.heard():
            for anomaly in self._parts.pipeline.hear(message):
                self._parts.outlet.send(anomaly)

    def _show(self, frames: Frames) -> None:
        parts = self._parts
        self._follow_the_rig()
        self._listen()
        self._shown = frames
        parts.pipeline.take_for_blind(self._view.blind)
        picture = parts.pipeline.show(frames)
        for anomaly in picture.anomalies:
            parts.outlet.send(anomaly)
        parts.outlet.send(picture.positions)
        if self._encoder is None:
            self._encoder = PanoramaEncoder(
                parts.rig.surface.size_px,
                10.0,
                parts.site.panorama.bitrate_kbit_s,
                full_range=all(camera.status().full_range for camera in parts.cameras),
            )
        parts.outlet.send(packet_of(picture, self._encoder))
        self._health.panorama_rate.tick()

    def _see(self) -> None:
        clock, pace_s = self._parts.clock, 1 / self._parts.site.detection.max_fps
        while not self._over.is_set():
            frames = self._newest.take(wait_s=0.2)
            if frames is None:
                continue
            started_s = clock.monotonic_s()
            try:
                people = self._parts.pipeline.see(frames)
                self._drift.people = {found.camera: found for found in people}
                problems = dict(self._parts.pipeline.detector.problems)
                self._unsearched = frozenset(problems)
                self._detection_error = "; ".join(
                    f"{camera} is not searched: {why}" for camera, why in sorted(problems.items())
                )
            except Exception as error:  # the panorama goes on without detection, and says so
                self._detection_error = f"detection fails: {error}"
                clock.sleep(0.5)
                continue
            if people:  # else not one of the frames was searched
                self._health.detected_at_ns = max(found.captured_at_ns for found in people)
                self._detection.searched()
            clock.sleep(pace_s - (clock.monotonic_s() - started_s))

    def _report(self) -> None:
        parts, now_s = self._parts, self._parts.clock.monotonic_s()
        for anomaly in (
            *self._watch.changes(),
            *self._view.changes(),
            *self._drift.watch.changes(),
        ):
            parts.outlet.send(anomaly)
        if now_s < self._heartbeat_due_s:
            return
        self._heartbeat_due_s = now_s + HEARTBEAT_S
        changed = self._site_watch.poll() if self._site_watch else None
        if changed is not None:
            parts.pipeline.change(changed)
        mistake = self._site_watch.trouble if self._site_watch else ""
        self._words.site_file(changed=changed is not None, mistake=mistake)
        self._words.cameras(self._watch.health())
        detector = parts.pipeline.detector
        slow = _said(self._detection.look(), self._detection_error, parts.pipeline.degraded)
        trouble = _said(
            self._rig_doubt,
            self._view_error or self._view.trouble,
            parts.pipeline.trouble,
            self._people.trouble,
            mistake,
        )
        degraded = _said(slow, trouble)
        changes = (
            *self._health.complaints("degraded_inference", slow),
            *self._health.complaints("gateway_trouble", trouble),
        )
        health = self._health.report(
            self._drift.judged(self._view.judged(self._watch.health()), self._rig_watch.trouble),
            detector.provider,
            degraded,
            detection_fps=self._detection.rate.per_s(),
            unsearched=self._unsearched,
            blind=self._detection.blind,
            gone=self._view.gone,
        )
        if self._health.detected_at_ns is not None:  # else it knows nobody of before yet
            self._people.save(parts.pipeline.kept())
        parts.pipeline.hear(health)
        parts.outlet.send(health)
        for anomaly in changes:
            parts.outlet.send(anomaly)


def main(context: Context) -> None:
    """Run the pipeline's process: cameras in, results to the sender, until the run ends."""
    options = context.options
    site = options.site()
    line = LineOut(context.door_out, LIMITS)
    connection = Connection(
        site.broker,
        client_id=f"{site.gateway}-{site.site}-inlet",
        log=options.broker_log(say),
    )
    connection.connect(timeout_s=0.0)
    outlet = LineOutlet(line, lambda: Outbox(site.state_folder, SystemClock()))
    try:
        waited = wait_for_rig(context, outlet)
        if context.stopped():
            return
        begin = _run_late if waited else run_cameras
        begin(
            options,
            outlet,
            context.alive,
            context.stopped,
            in_processes=True,
            before=outlet.active(),
            settle=outlet.settle,
            link=connection,
            kept=context.cameras,
            taps=context.taps,
        )
    finally:
        outlet.settle(START_FAILED_S)  # else it was waited for already
        connection.close()
        line.close()


def run_cameras(
    options: RunOptions,
    outlet: Outlet,
    alive: Callable[[], None],
    stopped: Callable[[], bool],
    *,
    in_processes: bool,
    before: Iterable[Anomaly] = (),
    link: Link | None = None,
    settle: Callable[[float], object] = bool,
    kept: Kept = (),
    taps: Taps | None = None,
) -> None:
    """Start a site's cameras and show, see and report until they end or `stopped` says so.

    `before` are the alarms that were active when the gateway, or only its pipeline, went down;
    `link` is where others speak to the gateway, and where `options.tags` is played; `settle` waits
    until alarms are safe on disk, for so many seconds at most; `kept` are cameras that go on
    already; `taps` take what a recording needs for a second run.
    """
    site, clock = options.site(), SystemClock()
    rig = load_rig(site.rig.file)
    check_same_site(site.rig.file, site)

    def open_pipeline() -> Pipeline:
        return SteppedPipeline(site, rig, taps.steps) if taps else Pipeline(site, rig)

    # Live cameras take a second or two to answer, and need not wait for the model to be loaded.
    pipeline = None if all(map(is_live, site.cameras)) else open_pipeline()
    start_at_ns = soon_ns(len(site.cameras), clock, in_processes=in_processes)
    heard = _ears(options, site, link, clock, start_at_ns)
    cameras = start_cameras(
        site.cameras,
        clock,
        loop=options.loop,
        in_processes=in_processes,
        start_at_ns=start_at_ns,
        kept=kept,
        packets=taps.packets if taps else NO_PACKETS,
    )
    try:
        pipeline = pipeline or open_pipeline()
        parts = Parts(
            site=site,
            rig=rig,
            pipeline=pipeline,
            steps=pipeline.steps if isinstance(pipeline, SteppedPipeline) else None,
            cameras=cameras,
            outlet=outlet,
            clock=clock,
            site_watch=SiteWatch(options.site_file, site, options.site_as_written),
            heard=heard,
            settle=settle,
            rig_doubt=lambda: _rig_doubt(options),
        )
        alive()
        live = Live(parts, alive)
        live.take_over(before)
        _run(live, stopped)
        failed = failures(cameras)
        if len(failed) == len(cameras) and not stopped():
            raise CameraError("; ".join(failed))
    finally:
        stop_cameras(cameras)


def _run_late(
    options: RunOptions, outlet: Outlet, alive: Callable[[], None], *more: Any, **named: Any
) -> None:
    """Run cameras after something was waited for: the gateway runs for long, and is to go on.

    What is wrong now (a model that is being copied) may be right at the next start.
    """
    try:
        with late_start(alive) as alive_late:
            run_cameras(options, outlet, alive_late, *more, **named)
    except LamproomError as error:
        raise RuntimeError(str(error)) from error


def _run(live: Live, stopped: Callable[[], bool]) -> None:
    """Run; what goes wrong from now on is nobody's bad input, and no reason to end for good."""
    try:
        live.run(stopped)
    except LamproomError as error:
        raise RuntimeError(str(error)) from error


def _left(limit_s: float) -> Callable[[], float]:
    """Give what tells how much of a time is left, down to 0."""
    until_s = time.monotonic() + limit_s
    return lambda: max(0.0, until_s - time.monotonic())


def _said(*reasons: str) -> str:
    return "; ".join(reason for reason in reasons if reason)


def _ears(
    options: RunOptions, site: Site, link: Link | None, clock: Clock, start_at_ns: int
) -> Callable[[], tuple[Message, ...]]:
    """Hear what comes in over MQTT, and play the file of tag fixes there, if there is one."""
    if link is None:
        return tuple
    inlet = Inlet(site, link)
    if options.tags is None:
        return inlet.take
    loop_s = length_s(Path(site.cameras[0].url)) if options.loop else None
    player = TagPlayer(TagFile(options.tags, start_at_ns, loop_s), link, site.site)

    def take() -> tuple[Message, ...]:
        player.play(clock.now_ns())
        return inlet.take()

    return take


def _rig_doubt(options: RunOptions) -> str:
    """Hold the rig file against the site file as it is now: it may have been edited since."""
    try:
        site = options.site()
    except LamproomError:  # somebody is at it
        return ""
    return doubt(site.rig.file, site)
