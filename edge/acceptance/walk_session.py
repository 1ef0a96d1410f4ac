"""Hear a running gateway over the broker while somebody is led from station to station.

Knows nothing about limits or reports.
"""

import argparse
import contextlib
import signal
import sys
import termios
from pathlib import Path

from pydantic import ValidationError

from control_room.broker_options import as_options, client_name, guard_of
from delivery.mqtt import Connection
from delivery.signing import RefusedError
from delivery.subscriber import Subscriber
from edge.acceptance.figures import Figures
from edge.acceptance.listener import WalkListener
from edge.acceptance.record import Gateway
from edge.acceptance.stations import read_stations
from edge.acceptance.walk import Walk
from edge.acceptance.walk_figures import measure_walk, told_of
from edge.acceptance.walk_gateway import model_told
from edge.acceptance.watched import delay_of_s
from scene.clock import SystemClock
from scene.errors import BrokerError, RigError, WireError, printable
from scene.rig import Rig, load_rig
from scene.site import BrokerConfig, Site

CONNECT_S, FIRST_WORD_S, LAST_WORD_S = 10.0, 15.0, 2.0


def add_broker_options(parser: argparse.ArgumentParser) -> None:
    """Add where the broker is, and whom to believe there.

    Not as everywhere: `--key-file` signs the report here, and one gateway is expected anyway.
    """
    add = parser.add_argument_group("the broker of a walk").add_argument
    add("--broker", metavar="URL", help="default: the site file's")
    add("--username", help="for a broker that asks for one")
    add("--password-file", type=Path, metavar="FILE")
    add("--ca-file", dest="broker_ca", type=Path, metavar="FILE", help="with mqtts://: ca.pem")
    add("--certificate-file", type=Path, metavar="FILE", help="who we are (client.pem)")
    add("--certificate-key-file", type=Path, metavar="FILE", help="its key (client.key)")
    add("--keys", type=Path, metavar="FOLDER", help="public keys of gateways: believe these only")
    add("--require-signed", action="store_true", help="refuse gateways without a key there, too")
    parser.set_defaults(expect=[])


def walk_with(args: argparse.Namespace, site: Site) -> tuple[Figures, Rig | None, Gateway | None]:
    """Lead a walk as the options say; gives figures, the rig if it is here, what the gateway runs.

    Raises `StationsError` before anybody walks, `BrokerError` where the gateway is not heard, and
    `RigError` and `SigningError` for files that can't be used.
    """
    stops = read_stations(args.walk, site)
    rig = _rig_if_here(site)
    clock = SystemClock()
    guard, _ = guard_of(args, clock, say)
    listener = WalkListener(clock, site.site, site.gateway)
    broker = _broker(args, site)
    connection = Connection(broker, client_id=client_name("accept"), log=lambda t: say(_words(t)))
    Subscriber(
        connection,
        on_message=listener.hear,
        on_bad=lambda topic, error: _on_bad(listener, site, topic, error),
        guard=guard,
    )
    try:
        _connect(connection)
        place = f"{site.site}/{site.gateway}"
        if not listener.wait_until(WalkListener.is_there, FIRST_WORD_S):
            raise BrokerError(
                f"{broker.url}: gateway {place} is not heard there; is it running, and are `site` "
                "and `gateway` of the site file its own?"
            )
        print(_heard(place, len(stops), args.language), flush=True)
        began_ns = clock.now_ns()
        within_s = [_alarm_within_s(site, stop.expect, stop.zone) for stop in stops]
        # Whoever hangs up ends the walk, and what was measured is written all the same.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        people = None if args.others else args.people
        walk = Walk(
            listener,
            clock,
            ask=_ask,
            say=_tell,
            told=lambda visit: told_of(site, visit, listener),
            people=people,
            language=args.language,
        )
        visits = walk.go(stops, within_s)
        clock.sleep(LAST_WORD_S)
        told = listener.description
        figures = measure_walk(
            site,
            rig,
            visits,
            listener,
            began_ns=began_ns,
            ended_ns=clock.now_ns(),
            people=people,
            allowed=frozenset(args.allow),
            site_file=args.site,
        )
    finally:
        connection.close()
    if told is None:
        return figures, rig, None
    model = model_told([beat for _, beat in listener.health(began_ns)])
    return figures, rig, Gateway(software=printable(told.software), model=model)


def _rig_if_here(site: Site) -> Rig | None:
    try:
        return load_rig(site.rig.file)
    except RigError:
        if site.rig.file.exists():
            raise
        return None


def _connect(connection: Connection) -> None:
    try:
        connection.connect(CONNECT_S, wait=True)
    except BrokerError as error:
        raise BrokerError(_words(str(error))) from None


def _alarm_within_s(site: Site, kind: str | None, zone: str | None) -> float:
    """Tell how long an alarm is waited for, from the act on."""
    if kind is None:
        return 0.0
    return delay_of_s(site, kind, zone) + (site.acceptance.delay_s or 2.0)


def _on_bad(listener: WalkListener, site: Site, topic: str, error: WireError) -> None:
    if isinstance(error, RefusedError) and f"/{site.site}/" in topic:
        listener.refuse(printable(str(error), 200))


def _broker(args: argparse.Namespace, site: Site) -> BrokerConfig:
    """Give the broker: the site file's, or what the options say; raises `BrokerError`."""
    given = {
        "url": args.broker,
        "username": args.username,
        "password_file": args.password_file,
        "ca_file": args.broker_ca,
        "certificate_file": args.certificate_file,
        "key_file": args.certificate_key_file,
    }
    told = {name: value for name, value in given.items() if value is not None}
    # Another broker is another broker: nothing of the site file's goes there unasked.
    known = {} if args.broker else site.broker.model_dump(exclude_unset=True)
    try:
        return BrokerConfig.model_validate(known | told)
    except ValidationError as error:
        why = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
        why = why.replace("key_file", "--certificate-key-file")
        why = why.replace("certificate_file", "--certificate-file").replace("ca_file", "--ca-file")
        raise BrokerError(f"--broker {args.broker or site.broker.url}: {why}") from None


def _words(text: str) -> str:
    """Name fields of `broker` as the options are called here."""
    return as_options(text).replace("--key-file", "--certificate-key-file")


def say(text: object) -> None:
    """Tell the tester something on stderr."""
    with contextlib.suppress(OSError):
        print(f"lamproom accept: {text}", file=sys.stderr, flush=True)


def _heard(place: str, stations: int, language: str) -> str:
    if language == "zh":
        return f"{place}：已收到网关消息；共 {stations} 个站点"
    return f"{place}: heard; {stations} stations"


def _tell(text: str) -> None:
    # A terminal that is gone must not take with it what was measured.
    with contextlib.suppress(OSError):
        print(text, flush=True)


def _ask(prompt: str) -> str:
    """Ask at the terminal; raises `EOFError` where there is none any more."""
    try:
        if sys.stdin.isatty():
            # Enter pressed too often while somebody stood there is no answer to the next station.
            termios.tcflush(sys.stdin, termios.TCIFLUSH)
        print(prompt, end="", flush=True)
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        if not sys.stdin.isatty():
            print(flush=True)
    except (OSError, termios.error):
        raise EOFError from None
    return line.rstrip("\n")
