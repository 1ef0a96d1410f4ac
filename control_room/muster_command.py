"""`lamproom muster`: count heads over all gateways of a site, once or again and again.

Knows nothing about the page or the journal: it is an ordinary subscriber, as yours would be.
"""

import argparse
import contextlib
import json
import sys
import threading
import time
from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path

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
from control_room.complaints import Complaints, printable
from control_room.muster import Muster, muster, to_json
from control_room.muster_text import left_out_text, text_of
from control_room.refusals import RefusalWatch
from control_room.roster import Worker, read_roster
from control_room.whole_mine import WholeMine
from delivery.guard import Guard
from delivery.mqtt import Connection
from delivery.signing import RefusedError
from delivery.subscriber import Subscriber
from scene.clock import Clock, SystemClock
from scene.errors import LamproomError, WireError
from scene.messages import Anomaly, GatewayHealth, Positions
from scene.topics import LIVE_PREFIX, REPLAY_PREFIX, Address, parse_topic
from scene.wire import Envelope

HELP = """\
Count heads: how many are in which zone, who is there, who is missing and where each was seen last,
and which metres no camera sees. Where cameras can't see, a count says "at least".

Without --every it listens for as long as it takes every gateway to speak, 5 s at most, and so knows
of nobody who went out of view before; with --every it goes on and remembers them. With --keys only
what is signed is counted, and what was refused is said.

exit codes (of the last count):
  0    everybody is accounted for, and every metre is seen
  1    somebody is missing or out of view, a place can't be seen, a gateway is silent, the broker
       carries another site and no --site was given, or messages were refused because they may be
       forged
  2    the broker can't be reached, or an option is wrong

examples:
  lamproom muster --roster shift.csv       (name or name,tag a line)
  lamproom muster --language zh --every 10
  lamproom muster --keys certs/trusted --require-signed
  lamproom muster --json | jq .at_least"""

CONNECT_S = 10.0
LISTEN_S = 5.0
ENOUGH_POSITIONS = 12
"""So many messages of a gateway, a good second: who is there for less is not certainly anybody."""
MOST_SITES = 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `lamproom muster`."""
    add_broker_arguments(parser)
    add_prefix_argument(parser)
    add_trust_arguments(parser)
    add_memory_argument(parser, Path("state/muster"))
    parser.add_argument(
        "--site",
        help="which site; give it where the broker carries several. Without it the only one that "
        "is not offline is counted, the others are said to be left out, and the exit code is 1",
    )
    parser.add_argument(
        "--roster", type=Path, metavar="FILE", help="who is underground: name or name,tag a line"
    )
    parser.add_argument(
        "--language", choices=["en", "zh"], default="en", help="of the table (default en)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, one line a count")
    parser.add_argument("--once", action="store_true", help="count once (that is the default)")
    parser.add_argument(
        "--every", type=_seconds, metavar="S", help="count again every so many seconds"
    )


def run(args: argparse.Namespace) -> int:
    """Print the muster; gives the exit code.

    Raises `BrokerError`, `RosterError`, and `SigningError` for keys that can't be used.
    """
    roster = read_roster(args.roster) if args.roster else ()
    broker, clock = broker_of(args), SystemClock()
    every_s = None if args.once else args.every
    guard, expected = guard_of(args, clock, say, memory_of(args, say, "heard.json"))
    listener = MusterListener(
        clock, args.site, guard, expected if args.prefix == LIVE_PREFIX else ()
    )
    connection = Connection(broker, client_id=client_name("muster"), log=in_options(say))
    complain = Complaints(say)

    def on_bad(topic: str, error: WireError) -> None:
        complain(topic, error)
        if isinstance(error, RefusedError):
            listener.refuse(parse_topic(topic), error)

    Subscriber(connection, args.prefix, on_message=listener.hear, on_bad=on_bad, guard=guard)
    everybody = False
    said: dict[str, bool] = {}
    try:
        connection.connect(CONNECT_S, wait=True)
        listener.wait(LISTEN_S)
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                told, left_out = listener.count(roster)
                told = replace(told, replay=args.prefix == REPLAY_PREFIX)
                refused = listener.refused()
                for site, speaks in sorted(left_out.items() - said.items()):
                    say(left_out_text(site, speaks))
                said = left_out
                everybody = told.everybody and connection.connected and not refused
                if not connection.connected:
                    say("LOST THE BROKER: this count is an old one")
                for text in refused:
                    say(f"MESSAGES REFUSED, this count may lack people: {text}")
                line = json.dumps(to_json(told) | {"left_out": list(left_out)}, ensure_ascii=False)
                print(line if args.json else text_of(told, args.language, left_out), flush=True)
                if every_s is None:
                    break
                clock.sleep(every_s)
                sys.stdout.write("" if args.json else "\n")
    finally:
        connection.close()
        guard.remember()
    return 0 if everybody else 1


class MusterListener:
    """Hears the gateways and counts; thread-safe."""

    def __init__(
        self,
        clock: Clock,
        site: str | None,
        guard: Guard | None = None,
        expected: Iterable[tuple[str, str]] = (),
    ) -> None:
        """Of one `site`, or of the only one; gateways (site, gateway) that are `expected` count.

        They are silent until they speak. `guard` knows which files of keys can't be used.
        """
        self._clock = clock
        self._site = site
        self._guard = guard or Guard(clock=clock)
        self._expected = {one: clock.now_ns() for one in expected if site in (None, one[0])}
        self._refusals = RefusalWatch(clock)
        self._refused: dict[tuple[str, str], Anomaly] = {}
        self._mines: dict[str, WholeMine] = {}
        self._positions: dict[tuple[str, str], int] = {}
        self._beats: set[tuple[str, str]] = set()
        self._known = set(self._expected)
        self._counted: str | None = site
        """The site to count, from the first count on: a watch never turns to another by itself."""
        self._lock = threading.Lock()

    def hear(self, address: Address, envelope: Envelope) -> None:
        """Take one MQTT message."""
        if self._site not in (None, address.site):
            return
        place = (address.site, address.gateway)
        with self._lock:
            if address.site not in self._mines and len(self._mines) >= MOST_SITES:
                return
            mine = self._mines.setdefault(address.site, WholeMine(address.site))
            mine.hear(address, envelope, self._clock.now_ns())
            if address.gateway:
                self._known.add(place)
            if isinstance(envelope.body, Positions):
                self._positions[place] = self._positions.get(place, 0) + 1
            elif isinstance(envelope.body, GatewayHealth):
                self._beats.add(place)

    def refuse(self, address: Address, error: RefusedError) -> None:
        """Take note of a message that was refused."""
        if self._site not in (None, address.site):
            return
        with self._lock:
            anomaly = self._refusals.refuse(address.site, address.gateway, address.topic, error)
            if anomaly is not None:
                self._refused[address.site, address.gateway] = anomaly

    def refused(self) -> tuple[str, ...]:
        """Say whose messages are refused now, and why: the count may lack what they say."""
        with self._lock:
            for site, gateway, anomaly in (
                *self._refusals.distrust(self._guard.distrusted()),
                *self._refusals.check(),
            ):
                self._refused[site, gateway] = anomaly
            return tuple(
                printable(f"{site}/{gateway}: {one.evidence}")
                for (site, gateway), one in sorted(self._refused.items())
                if one.state == "active"
            )

    def wait(self, limit_s: float) -> None:
        """Wait until every gateway has said enough, `limit_s` at most."""
        until_s = time.monotonic() + limit_s
        while time.monotonic() < until_s and not self._enough():
            time.sleep(0.05)

    def count(self, roster: tuple[Worker, ...]) -> tuple[Muster, dict[str, bool]]:
        """Count heads now; gives also which sites are left out, and whether each speaks.

        One that leaves any out is no count of all, even where all that is left out is offline: the
        power may have failed there. Raises `LamproomError` where several sites speak at the first
        count and none was named.
        """
        at_ns = self._clock.now_ns()
        with self._lock:
            if self._counted is None:
                self._counted = self._site_to_count()
            site = self._counted or ""
            mine = self._mines.get(site) or WholeMine(site)
            gateways = mine.gateways(at_ns)
            told = muster(
                mine.people(at_ns),
                gateways,
                roster,
                at_ns,
                site=mine.site,
                tags=mine.tags(),
                listening_since_ns=mine.listening_since_ns,
                never_heard=self._never_heard(site, {one.gateway for one in gateways}),
            )
            left_out = {
                name: not one.ended for name, one in sorted(self._mines.items()) if name != site
            }
        return (replace(told, complete=False, everybody=False) if left_out else told), left_out

    def _site_to_count(self) -> str | None:
        """Choose the only site, or the only one that has not ended; none while there is none."""
        sites = sorted({*self._mines, *(site for site, _ in self._expected)})
        # Which should speak has not ended: it is silent, and that must be told.
        named = {site for site, _ in self._expected}
        live = [one for one in sites if one in named or not self._mines[one].ended]
        if len(sites) > 1 and len(live) != 1:
            names = printable(", ".join(live or sites))
            raise LamproomError(f"--site: there are several sites; give one of {names}")
        return next(iter(live or sites), None)

    def _never_heard(self, site: str, heard: Collection[str]) -> dict[str, int]:
        """List those of a site that should have spoken, and since when they are waited for."""
        return {
            name: since_ns
            for (place, name), since_ns in self._expected.items()
            if place == site and name not in heard
        }

    def _enough(self) -> bool:
        with self._lock:
            return bool(self._known) and all(
                place in self._beats and self._positions.get(place, 0) >= ENOUGH_POSITIONS
                for place in self._known
            )


def say(text: object) -> None:
    """Tell the operator something on stderr."""
    print(f"lamproom muster: {text}", file=sys.stderr, flush=True)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.5 <= seconds <= 3600:
        raise argparse.ArgumentTypeError("give seconds, 0.5 to 3600")
    return seconds
