"""`lamproom alarms`: one line in the terminal for every alarm raised or cleared.

Knows nothing about the page or the journal: it is an ordinary subscriber, as yours would be.
"""

import argparse
import contextlib
import queue
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from control_room.alarm_line import line_of
from control_room.broker_loss import BrokerLoss
from control_room.broker_options import (
    add_broker_arguments,
    add_memory_argument,
    add_prefix_argument,
    add_trust_arguments,
    broker_of,
    client_name,
    guard_of,
    in_options,
    memory_of,
)
from control_room.complaints import Complaints
from control_room.heartbeat import HeartbeatWatch
from control_room.over import OverAlarms
from control_room.refusals import RefusalWatch
from control_room.twins import TwinWatch
from delivery.guard import FormerRunError
from delivery.mqtt import Connection
from delivery.signing import RefusedError
from delivery.subscriber import Subscriber
from delivery.trust import Distrusted
from scene.alarms import ALARMS
from scene.clock import Clock, SystemClock
from scene.errors import LamproomError, WireError
from scene.messages import Anomaly, GatewayHealth, GatewayState, SiteDescription
from scene.topics import LIVE_PREFIX, TOPICS, Address, parse_topic
from scene.wire import Envelope, encode

HELP = """\
Print one line for every alarm that a gateway raises or clears, for every gateway that falls
silent, and for messages that are refused because they may be forged. Alarms that are active when
you start are printed first.

exit codes:
  0    ended by --once after an alarm, by --timeout without --once, or by Ctrl-C
  2    the broker can't be reached, or an option is wrong
  3    --once, and no alarm came before --timeout
  4    --exec failed for at least one alarm

examples:
  lamproom alarms --kind man_down
  lamproom alarms --json | jq .body.kind
  lamproom alarms --exec './siren.sh --loud'      (the alarm's JSON comes on its stdin)
  lamproom alarms --once --timeout 60 || echo 'all quiet'"""

CONNECT_S = 10.0
EXEC_LIMIT_S = 30.0
MOST_WAITING = 1000
"""So many alarms may wait for `--exec`."""
MOST_TOLD = 10_000
"""So many alarms are known as told; then the one that was heard of first is forgotten."""
MOST_SITES = 256
"""Of so many gateways it is known where their supports and marks are; names are free to invent."""
NO_ALARM, EXEC_FAILED = 3, 4

Change = tuple[Address, Anomaly, bytes]
"""Who says it, what, and the whole message as JSON."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `lamproom alarms`."""
    add_broker_arguments(parser)
    add_prefix_argument(parser)
    add_trust_arguments(parser)
    add_memory_argument(parser, Path("state/alarms"))
    parser.add_argument(
        "--language", choices=("en", "zh"), default="en", help="of the lines (default: en)"
    )
    parser.add_argument("--json", action="store_true", help="print each message as one JSON line")
    parser.add_argument(
        "--kind",
        action="append",
        choices=sorted(ALARMS),
        help="only this kind; may be given several times",
    )
    parser.add_argument(
        "--exec",
        metavar="COMMAND",
        help="run this for every line (no shell), one after the other, "
        f"{EXEC_LIMIT_S:g} s each at most; the message is its standard input. Lines don't wait "
        "for it",
    )
    parser.add_argument("--once", action="store_true", help="stop after the first alarm")
    parser.add_argument("--timeout", type=float, metavar="S", help="stop after so many seconds")


def run(args: argparse.Namespace) -> int:
    """Print alarms until told to stop; gives the exit code. Raises `BrokerError`."""
    command = _command(args.exec)
    broker = broker_of(args)
    guard, expected = guard_of(args, SystemClock(), say, memory_of(args, say, "heard.json"))
    over = OverAlarms(memory_of(args, say, "over.jsonl"), most=MOST_TOLD)
    listener = AlarmListener(
        SystemClock(),
        live=args.prefix == LIVE_PREFIX,
        expected=expected,
        distrusted=guard.distrusted,
        over=over,
    )
    loss = BrokerLoss(in_options(say), "alarms do not arrive")
    connection = Connection(broker, client_id=client_name("alarms"), log=loss.log)
    complain = Complaints(say)

    def on_bad(topic: str, error: WireError) -> None:
        complain(topic, error)
        if isinstance(error, RefusedError):
            listener.refuse(parse_topic(topic), error)

    Subscriber(connection, args.prefix, on_message=listener.hear, on_bad=on_bad, guard=guard)
    caller = Caller(command) if command else None
    told, interrupted = 0, True
    try:
        connection.connect(CONNECT_S, wait=True)
        say(f"listening to {broker.url}")
        with contextlib.suppress(KeyboardInterrupt):
            for change in _changes(listener, connection, loss, args.timeout):
                address, anomaly, message = change
                if args.kind and anomaly.kind not in args.kind:
                    continue
                told += 1
                line = line_of(address, anomaly, listener.site_of(address), args.language)
                _print(message.decode() if args.json else line, sys.stdout)
                if caller is not None:
                    caller.put(message)
                if args.once:
                    break
            if caller is not None:
                caller.finish()
            interrupted = False
    finally:
        connection.close()
        over.settle()
        guard.remember()
    if args.once and not told and not interrupted:
        return NO_ALARM
    return EXEC_FAILED if caller is not None and caller.failures else 0


class Caller:
    """Runs a command for one message after the other; nobody waits for it.

    So a command that hangs delays no line, and no silence is noticed late.
    """

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._waiting: queue.Queue[bytes | None] = queue.Queue(MOST_WAITING)
        self.failures = 0
        """For how many messages it failed or was not run."""
        self._thread = threading.Thread(target=self._run, name="alarm-command", daemon=True)
        self._thread.start()

    def put(self, message: bytes) -> None:
        """Have it run for this message, after those before."""
        try:
            self._waiting.put_nowait(message)
        except queue.Full:
            self.failures += 1
            say(f"--exec: {MOST_WAITING} alarms wait for it; it is not run for this one")

    def finish(self) -> None:
        """Wait until it has run for all."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (message := self._waiting.get()) is not None:
            if not _call(self._command, message):
                self.failures += 1


class AlarmListener:
    """Turns messages into alarm changes, each once; thread-safe."""

    def __init__(
        self,
        clock: Clock,
        *,
        live: bool = True,
        expected: Iterable[tuple[str, str]] = (),
        distrusted: Callable[[], Iterable[Distrusted]] = tuple,
        over: OverAlarms | None = None,
    ) -> None:
        """Start; of gateways (site, gateway) that are `expected`, silence from now on counts.

        `distrusted` lists files of keys that can't be used; `over` knows which alarms ended before.
        """
        self._clock = clock
        self._distrusted = distrusted
        self._over = over or OverAlarms(None, most=MOST_TOLD)
        self._live = live
        self._started_at_ns = clock.now_ns()
        self._heartbeats = HeartbeatWatch(clock)
        self._refusals = RefusalWatch(clock)
        self._twins = TwinWatch(clock)
        for place in expected:
            self._heartbeats.expect(*place)
        self._told = dict.fromkeys(self._over.before, "cleared")
        self._sites: dict[tuple[str, str], SiteDescription] = {}
        self._changes: queue.Queue[Change] = queue.Queue()
        self._lock = threading.Lock()

    def hear(self, address: Address, envelope: Envelope) -> None:
        """Take one MQTT message."""
        if not TOPICS[address.topic].of_gateway:
            return
        place, body = (address.site, address.gateway), envelope.body
        with self._lock:
            self._tell_own(*place, self._twins.hear(*place, envelope))
            if isinstance(body, Anomaly):
                self._tell(address, body, envelope)
            elif isinstance(body, GatewayHealth):
                self._tell_own(*place, self._heartbeats.beat(*place))
            elif isinstance(body, GatewayState):
                self._tell_own(*place, self._heartbeats.hear(*place, body))
            else:
                self._heartbeats.expect(*place)
            if isinstance(body, SiteDescription) and (
                place in self._sites or len(self._sites) < MOST_SITES
            ):
                self._sites[place] = _roadway_of(body)

    def site_of(self, address: Address) -> SiteDescription | None:
        """Give what a gateway has said of its roadway and of the supports and marks along it."""
        with self._lock:
            return self._sites.get((address.site, address.gateway))

    def refuse(self, address: Address, error: RefusedError) -> None:
        """Take note of a message that was refused."""
        what = address.topic if address.id is None else f"{address.topic}/{address.id}"
        with self._lock:
            place = (address.site, address.gateway)
            if isinstance(error, FormerRunError) and self._twins.is_now(*place, error.envelope):
                anomaly = self._twins.hear(*place, error.envelope)
            else:
                anomaly = self._refusals.refuse(*place, what, error)
            self._tell_own(address.site, address.gateway, anomaly)

    def next(self, timeout_s: float) -> Change | None:
        """Wait for the next change; none when there was none in time."""
        with self._lock:
            distrust = self._refusals.distrust(self._distrusted())
            changed = (*self._refusals.check(), *self._twins.check())
            for own in (*self._heartbeats.check(), *distrust, *changed):
                self._tell_own(*own)
        try:
            return self._changes.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def _tell_own(self, site: str, gateway: str, anomaly: Anomaly | None) -> None:
        if anomaly is None or not self._live:
            return
        address = Address(
            prefix=LIVE_PREFIX, site=site, gateway=gateway, topic="alarm", id=anomaly.id
        )
        now_ns = self._clock.now_ns()
        envelope = Envelope(type="alarm", gateway=gateway, seq=0, sent_at_ns=now_ns, body=anomaly)
        self._tell(address, anomaly, envelope)

    def _tell(self, address: Address, anomaly: Anomaly, envelope: Envelope) -> None:
        key = (address.site, address.gateway, anomaly.id)
        told = self._told.get(key)
        word = "cleared" if anomaly.state == "cleared" else f"active, {anomaly.severity}"
        if told in (word, "cleared"):
            return  # sent again, or an old word on an alarm that is over
        # A retained "cleared" of an alarm that nobody here has heard of is history, not news.
        old = envelope.sent_at_ns < self._started_at_ns
        if not (told is None and anomaly.state == "cleared" and old):
            message = encode(
                anomaly,
                gateway=envelope.gateway,
                run=envelope.run,
                seq=envelope.seq,
                sent_at_ns=envelope.sent_at_ns,
            )
            self._changes.put((address, anomaly, message))
        self._told[key] = word
        if word == "cleared":
            self._over.note(key)
        if len(self._told) > MOST_TOLD:
            del self._told[next(iter(self._told))]


def _changes(
    listener: AlarmListener, connection: Connection, loss: BrokerLoss, timeout_s: float | None
) -> Iterator[Change]:
    until_s = None if timeout_s is None else time.monotonic() + timeout_s
    while until_s is None or time.monotonic() < until_s:
        loss.look(connection.connected, time.monotonic())
        left_s = 0.5 if until_s is None else min(0.5, max(0.0, until_s - time.monotonic()))
        change = listener.next(left_s)
        if change is not None:
            yield change


def _roadway_of(said: SiteDescription) -> SiteDescription:
    """Keep of a description what tells by which support or mark a place is."""
    return replace(
        said,
        software="",
        geometry="",
        zones=(),
        cameras=(),
        stream_url="",
        ruler=(),
        site_yaml="",
    )


def _command(text: str | None) -> list[str]:
    try:
        words = shlex.split(text) if text else []
    except ValueError as error:
        raise LamproomError(f"--exec {text}: {error}") from None
    if text is not None and not words:
        raise LamproomError("--exec: give a command")
    return words


def _call(command: list[str], message: bytes) -> bool:
    try:
        done = subprocess.run(command, input=message + b"\n", timeout=EXEC_LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        say(f"--exec {command[0]}: {error}")
        return False
    if done.returncode:
        say(f"--exec {command[0]}: exit code {done.returncode}")
    return done.returncode == 0


def _print(text: str, out: TextIO) -> None:
    print(text, file=out, flush=True)


def say(text: object) -> None:
    """Tell the operator something on stderr."""
    print(f"lamproom alarms: {text}", file=sys.stderr, flush=True)
