"""`lamproom control-room`: hear the gateways, keep the journal, serve the page.

Knows nothing about cameras or about how alarms are found.
"""

import argparse
import contextlib
import importlib
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from control_room.access.options import Door, add_access_arguments, door_of
from control_room.broker_options import (
    add_broker_arguments,
    add_prefix_argument,
    add_trust_arguments,
    as_options,
    broker_of,
    client_name,
    guard_of,
    in_options,
)
from control_room.complaints import Complaints
from control_room.home_assistant import WILL, add_home_assistant_argument, home_assistant
from control_room.intake import Intake
from control_room.journal.database import Place, beside
from control_room.journal.journal import Journal
from control_room.journal.options import (
    Keeping,
    add_journal_argument,
    add_keeping_arguments,
    conditions_kept,
    keeping_of,
    positions_kept,
)
from control_room.our_key import OurKey
from control_room.page_address import bind, url_of
from control_room.room import Room
from control_room.roster import Worker, read_roster
from control_room.share import share_the_core
from control_room.signed_heads import signs_with
from control_room.standby import stand_by
from delivery.guard import Guard
from delivery.lane import Lane
from delivery.mqtt import Connection
from delivery.signing import RefusedError, Signer
from delivery.subscriber import Subscriber
from delivery.voice import Voice, next_run
from scene.clock import Clock, SystemClock
from scene.errors import WireError
from scene.messages import ControlRoomBeat, Order, Receipt
from scene.site import BrokerConfig
from scene.topics import LIVE_PREFIX, TOPICS, parse_topic, topic_name
from scene.wire import type_name

HELP = """\
Serve the page of the control room: the live panorama with a tag on every miner, the plan of the
mine, the alarms. It hears all gateways of one MQTT broker, stores every alarm in its journal and
receipts it; only then does a gateway forget the alarm. A gateway that falls silent is an alarm.
On the page alarms are acknowledged, shelved and ended (docs/alarms.md).

From this machine everybody may act, as long as `lamproom users` has named nobody. To look from
another computer, make a user and give --tls-certificate and --tls-key: browsers decode the panorama
only over https or from http://localhost (docs/access.md). A broker that can't be reached is said,
on the page, too, and tried for ever."""

CONNECT_S = 10.0
ALARMS_FIRST_S = 0.3
"""The page is not imported meanwhile: it would take the processor from alarms that have waited. A
broker that is away is waited for no longer."""
PAGE = (
    "control_room.access.certificate",
    "control_room.access.doorkeeper",
    "control_room.muster",
    "control_room.server",
    "delivery.stream",
)
"""Modules that serve it, imported once alarms are taken; those of its door, if any, before."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `lamproom control-room`."""
    add_broker_arguments(parser)
    add_prefix_argument(parser)
    add_trust_arguments(parser)
    parser.add_argument(
        "--signing-key",
        type=Path,
        metavar="FILE",
        help="private key of this control room: receipts, orders and heartbeats are signed with it",
    )
    add_access_arguments(parser)
    parser.add_argument(
        "--port", type=int, default=8080, help="of the page (default 8080; 0: any free one)"
    )
    add_journal_argument(parser)
    add_keeping_arguments(parser)
    add_home_assistant_argument(parser)
    parser.add_argument(
        "--operators",
        type=_some,
        metavar="N",
        default=1,
        help="how many people share the alarms: the alarm rate is told for each (default 1)",
    )
    parser.add_argument(
        "--roster",
        type=Path,
        metavar="FILE",
        help="who is underground, a worker a line (docs/muster.md), for /api/muster/SITE",
    )
    parser.add_argument(
        "--recordings",
        type=Path,
        metavar="FOLDER",
        help="where gateways' recordings lie: operators may export an alarm's minutes on the page, "
        "signed with --signing-key (docs/evidence.md)",
    )


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM; raises `AccessError`, `BrokerError`, `JournalError`.

    And `ServerError`, and `SigningError` for a key file that can't be used. `BrokerError` is for
    options and files only: a broker that is away, or refuses us, may be mended.

    A second process stands by (`standby.py`); it returns in the one that serves.
    """
    _serve(args, stand_by(_import_page, say))
    return 0


def _import_page() -> None:
    """Import what serves the page, and goes on after alarms have begun to come in."""
    for module in PAGE:
        importlib.import_module(module)


def _serve(args: argparse.Namespace, alive: Callable[[], None]) -> None:
    journal_file = args.journal if args.prefix == LIVE_PREFIX else None
    roster = read_roster(args.roster) if args.roster else ()
    signer = Signer.from_file(args.signing_key) if args.signing_key else None
    if args.keys and signer is None:
        say("--keys without --signing-key: gateways that trust a key will refuse our receipts")
    memory = beside(journal_file, ".heard.json")
    guard, expected = guard_of(args, SystemClock(), say, memory)
    bound = bind(args.host, args.port)
    with (
        contextlib.closing(bound),
        # Before an alarm is taken: its gateway forgets it, and who refuses here shows it to nobody.
        contextlib.closing(door_of(args, SystemClock(), say, _folder(args))) as door,
        open_room(
            broker_of(args),
            journal_file,
            SystemClock(),
            prefix=args.prefix,
            operators=args.operators,
            roster=roster,
            signer=signer,
            guard=guard,
            expected=expected if args.prefix == LIVE_PREFIX else (),
            wait=False,
            keeping=keeping_of(args) if args.prefix == LIVE_PREFIX else None,
            home_prefix=args.home_assistant if args.prefix == LIVE_PREFIX else None,
        ) as room,
    ):
        _serve_page(args, room, door, bound, alive)


def _serve_page(
    args: argparse.Namespace,
    room: Room,
    door: Door,
    bound: socket.socket,
    alive: Callable[[], None],
) -> None:
    """Serve browsers, now that alarms are taken: this takes longer to import than all else."""
    from control_room.incident.options import exports_of
    from control_room.server import make_server
    from delivery.stream import stream_packets

    share_the_core()
    with exports_of(args.recordings, args.signing_key, _folder(args), say) as exports:
        server = make_server(room, stream_packets, door, exports=exports, alive=alive)
        name = "" if door.certificate is None else door.certificate.first_name()
        url = url_of(bound, tls=door.certificate is not None, name=name)
        print(f"The control room is at {url}   (Ctrl-C stops it)", flush=True)
        if door.doorkeeper is None:
            say("no login is asked for: whoever works on this machine may act (`lamproom users`)")
        with contextlib.suppress(KeyboardInterrupt):
            if threading.current_thread() is threading.main_thread():
                # The web server ends tidily on a signal and then hands it on to us.
                signal.signal(signal.SIGTERM, signal.default_int_handler)
            server.run(sockets=[bound])


def _folder(args: argparse.Namespace) -> Path:
    """Tell where users, sessions and exports are kept if nothing else is said."""
    return args.journal.parent if isinstance(args.journal, Path) else Path("state")


@contextlib.contextmanager
def open_room(
    broker: BrokerConfig,
    journal_file: Place,
    clock: Clock,
    *,
    prefix: str = LIVE_PREFIX,
    operators: int = 1,
    roster: Sequence[Worker] = (),
    signer: Signer | None = None,
    guard: Guard | None = None,
    expected: Sequence[tuple[str, str]] = (),
    wait: bool = True,
    keeping: Keeping | None = None,
    home_prefix: str | None = None,
) -> Iterator[Room]:
    """Open the journal and listen to the broker for as long as the block lasts.

    With `keeping` it is written down where people were, and forgotten what is old; with
    `home_prefix` Home Assistant is told of gateways.
    `signer` signs what is said to gateways, `guard` looks at what they say. Without `wait` a broker
    that can't be reached, or refuses us, is tried for ever. Raises `JournalError`, `BrokerError`.
    """
    sign = None if signer is None else signs_with(signer)
    with (
        contextlib.closing(Journal(journal_file, sign=sign)) as journal,
        positions_kept(keeping, journal, clock, say) as also_kept,
    ):
        name = client_name(f"control-room-{prefix}")
        will = None if home_prefix is None else WILL
        connection = Connection(
            broker, client_id=name, will=will, log=in_options(say), watch_spares=True
        )
        run_file = beside(journal_file, ".run")

        def new_run(after: int) -> int:
            if run_file is None:
                return max(clock.now_ns(), after + 1)
            return next_run(run_file, clock, after=after)

        voice = Voice(clock, run=new_run(0), signer=signer)
        our_key = None if signer is None else OurKey(voice, signer, clock, say, new_run)

        def send(site: str, gateway: str, message: Receipt | Order | ControlRoomBeat) -> None:
            kind = type_name(message)
            id = None if isinstance(message, ControlRoomBeat) else message.alarm
            topic = topic_name(kind, site=site, gateway=gateway, id=id, prefix=prefix)
            if our_key is not None:
                our_key.take_back()
            _, payload = voice.write(topic, message, gateway=gateway)
            row = TOPICS[kind]
            connection.publish(topic, payload, qos=row.qos, retain=row.retain)

        def alarms_held_s() -> float:
            return intake.held_s()

        def forget_kept(site: str, gateway: str, alarms: Sequence[str]) -> None:
            topics = [
                *(
                    topic_name(one, site=site, gateway=gateway, prefix=prefix)
                    for one in ("state", "site")
                ),
                *(
                    topic_name("alarm", site=site, gateway=gateway, id=id, prefix=prefix)
                    for id in alarms
                ),
            ]
            for topic in topics:
                connection.publish(topic, b"", qos=1, retain=True)

        lane = Lane()
        room = Room(
            journal,
            clock,
            send,
            send,
            prefix=prefix,
            is_connected=lambda: connection.connected,
            broker_trouble=lambda: as_options(connection.away or connection.trouble),
            operators=operators,
            roster=roster,
            send_beat=send,
            expected=expected,
            distrusted=(guard or Guard()).distrusted,
            keyed=(guard or Guard()).gateways,
            alarms_held_s=alarms_held_s,
            shed=lane.shed,
            forget_kept=forget_kept,
        )
        intake = Intake(also_kept(room.hear), room.hear_alarms)
        lane.together = room.telling_together
        complain = Complaints(say)

        def on_bad(topic: str, error: WireError) -> None:
            complain(topic, error)
            if isinstance(error, RefusedError):
                room.refuse(parse_topic(topic), error)

        home_file = beside(journal_file, ".home_assistant")
        try:
            with home_assistant(
                connection, clock, prefix=home_prefix, memory=home_file
            ) as also_told:
                Subscriber(
                    connection,
                    prefix,
                    on_message=also_told(intake.hear),
                    on_bad=on_bad,
                    on_gap=room.miss,
                    guard=guard,
                    lane=lane,
                )
                if our_key is not None:
                    our_key.listen(connection, prefix)
                connection.connect(CONNECT_S, wait=wait)
                connection.wait(ALARMS_FIRST_S)
                with conditions_kept(keeping, journal, clock, say, room):
                    yield room
        finally:
            connection.close()
            lane.close()
            intake.close()


def _some(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: give a whole number, at least 1")
    return int(text)


def say(text: object) -> None:
    """Tell the operator something on stderr."""
    print(f"lamproom control-room: {text}", file=sys.stderr, flush=True)
