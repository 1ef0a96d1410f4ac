"""The sending process: MQTT and the panorama stream, fed by the pipeline's line.

Knows nothing about frames or people; it could be killed and started again at any time without an
alarm being lost, because alarms are in the outbox on disk.
"""

import contextlib
import os
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

from delivery.attendance import Attendance
from delivery.guard import guard_of
from delivery.mqtt import Connection, say
from delivery.outbox import Outbox
from delivery.publisher import Publisher
from delivery.signing import Signer
from delivery.voice import Voice, next_run
from edge.line import LineIn, ReplacedError
from edge.local_alarm import LocalAlarm, open_local_alarm
from edge.options import RunOptions
from edge.outlet import DirectOutlet, pass_on
from edge.port import PortError, take_port
from edge.service import Context
from scene.clock import SystemClock
from scene.messages import GatewayState
from scene.site import MetricsConfig, PanoramaConfig, Site
from scene.topics import topic_name

if TYPE_CHECKING:  # imported only where they are used: alarms wait for all that is imported here
    from delivery.stream import StreamServer
    from edge.metrics import MetricsServer

LAST_WORDS_S = 2.0
"""So long at most the sender goes on after it is told to stop."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sending:
    """Connection, outbox and stream of one gateway; close it with `with`."""

    connection: Connection
    publisher: Publisher
    outbox: Outbox
    stream: "StreamServer"
    outlet: DirectOutlet
    local_alarm: LocalAlarm | None
    metrics: "MetricsServer | None"
    new_run: Callable[[int], int]
    """Gives a number for a new start, higher than the one that it is given."""

    def look_around(self) -> None:
        """Take the word back if another gateway of our name has had it, and is gone."""
        outlived = self.publisher.attendance.outlived()
        if outlived:
            self.publisher.speak_anew(self.new_run(outlived))
            say(
                "another gateway with our name and key was heard after us, and is gone; the "
                "control room believes the newest only, so we speak as after a new start"
            )

    def __enter__(self) -> "Sending":
        """Nothing to do: everything runs already."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Say goodbye to the broker and stop."""
        if self.local_alarm is not None:
            self.local_alarm.close()
        if self.metrics is not None:
            self.metrics.close()
        self.publisher.going_offline()
        self.connection.close()
        self.stream.close()


def open_sending(site: Site, options: RunOptions) -> Sending:
    """Connect to the broker (in the background, for ever) and serve the panorama.

    What waits in the outbox goes out first. Raises `SigningError` for a key file that can't be
    used, and `LamproomError` where the panorama can't be served.
    """
    if not options.again:
        _refuse_a_taken_port(site.panorama)
    with contextlib.ExitStack() as at_once:
        taken = _metrics_port(site.metrics)
        if taken is not None:
            at_once.callback(taken.close)
        sending = _open_sending(site, options, taken)
        at_once.pop_all()
    return sending


def _open_sending(site: Site, options: RunOptions, taken: socket.socket | None) -> Sending:
    clock, state = SystemClock(), site.state_folder
    key_file = site.signing.key_file if site.signing is not None else None
    signer = None if key_file is None else Signer.from_file(key_file)
    guard = guard_of(site.signing, clock, state / "heard-by-sender.json", say)
    voice = Voice(clock, run=next_run(state / "run", clock), signer=signer)
    topic = topic_name("state", site=site.site, gateway=site.gateway)
    gone = GatewayState(online=False, since_ns=clock.now_ns())
    will = (topic, voice.last_will(topic, gone, gateway=site.gateway))
    connection = Connection(
        site.broker,
        client_id=f"{site.gateway}-{site.site}",
        will=will,
        log=options.broker_log(say),
        watch_spares=True,
    )
    outbox = Outbox(state, clock)
    attendance = Attendance(
        clock,
        run=voice.run,
        expected=site.local_alarm is not None and site.local_alarm.expected,
        memory=state / "control-room-heard",
    )
    publisher = Publisher(
        site, connection, outbox, clock, voice=voice, guard=guard, attendance=attendance
    )
    connection.connect(timeout_s=10.0)
    try:
        stream, outlet, metrics = _serve_viewers(
            site, options, publisher, outbox=outbox, connection=connection, taken=taken
        )
    except BaseException:
        publisher.going_offline()
        connection.close()
        raise
    return Sending(
        connection=connection,
        publisher=publisher,
        outbox=outbox,
        stream=stream,
        outlet=outlet,
        local_alarm=open_local_alarm(site, outbox, publisher, clock),
        metrics=metrics,
        new_run=lambda after: next_run(state / "run", clock, after=after),
    )


def _refuse_a_taken_port(panorama: PanoramaConfig) -> None:
    """Raise `StreamError` before the broker hears us: who has the port may be our very gateway."""
    host, port = panorama.host or None, panorama.port
    try:
        places = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, _, _, address in places:
            with socket.socket(family, kind) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind(address)
    except (OSError, OverflowError):
        from delivery.stream import StreamServer

        StreamServer(panorama.host, port).close()  # says why, if it can't either


def _metrics_port(config: MetricsConfig) -> socket.socket | None:
    """Take the port of the figures at once, if there shall be some: who asks early waits there.

    Where it can't be had `MetricsServer` says so, and goes on trying: alarms need no figures.
    """
    if config.port is None:
        return None
    try:
        return take_port(config.host, config.port, field="metrics.port")
    except PortError:
        return None


def _serve_viewers(
    site: Site,
    options: RunOptions,
    publisher: Publisher,
    *,
    outbox: Outbox,
    connection: Connection,
    taken: socket.socket | None,
) -> "tuple[StreamServer, DirectOutlet, MetricsServer | None]":
    """Serve what only viewers need; it takes longer to import than an alarm takes to arrive."""
    from delivery.stream import StreamServer
    from edge.announcement import Announcement
    from edge.metrics import Figures, MetricsServer
    from edge.probes import Probes

    # Who was here before and can't be killed may hold the port: alarms need none.
    panorama, clock = site.panorama, SystemClock()
    stream = StreamServer(panorama.host, panorama.port, waits_for_port=options.again)
    try:
        outlet = DirectOutlet(
            publisher, stream, Announcement(site, options, publisher, stream.url).follow
        )
        if site.metrics.port is None:
            return stream, outlet, None
        figures = Figures(site, outlet, outbox, connection, options.folders(site), clock=clock)
        probes = Probes(outlet, outbox, site.state_folder, clock)

        def tell(reason: str) -> None:
            publisher.troubles.set("metrics", reason)

        return stream, outlet, MetricsServer(site.metrics, figures.text, probes, taken, tell)
    except BaseException:
        stream.close()
        raise


def main(context: Context) -> None:
    """Send what the pipeline hands over until the run ends."""
    site = context.options.site()
    line = LineIn(context.door_in)
    with open_sending(site, context.options) as sending:
        try:
            _send(context, line, sending)
        except ReplacedError:
            _leave_it_to_another()
    line.close()


def _send(context: Context, line: LineIn, sending: Sending) -> None:
    while not context.stopped():
        context.alive()
        sending.look_around()
        if context.leaving():  # now, not last: the pipeline may take seconds to stop
            sending.publisher.leaving()
        pass_on(line, sending.outlet, wait_s=0.2)
    # What the pipeline said last still goes out, if that is not endless.
    until_s = time.monotonic() + LAST_WORDS_S
    while time.monotonic() < until_s and pass_on(line, sending.outlet, wait_s=0.3):
        context.alive()


def _leave_it_to_another() -> None:
    """End at once, and without a goodbye: whoever sends in our place is the same gateway."""
    say("this sender was given up as one that hangs, and another one sends; ending")
    sys.stderr.flush()
    os._exit(0)
