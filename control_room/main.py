"""`lamproom control-room`: hear the gateways, keep the journal, serve the page.

Knows nothing about cameras or about how alarms are found.
"""

import argparse
import contextlib
import itertools
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from control_room.broker_options import add_broker_arguments, add_prefix_argument, broker_of
from control_room.complaints import Complaints
from control_room.journal import Journal
from control_room.room import Room
from control_room.roster import Worker, read_roster
from control_room.server import LOOPBACK, bind, make_server, url_of
from delivery.mqtt import Connection
from delivery.stream import stream_packets
from delivery.subscriber import Subscriber
from scene.clock import Clock, SystemClock
from scene.messages import Order, Receipt
from scene.site import BrokerConfig
from scene.topics import LIVE_PREFIX, TOPICS, topic_name
from scene.wire import encode, type_name

HELP = """\
Serve the page of the control room: the live panorama with a tag on every miner, the plan of the
mine, the alarms. It hears all gateways of one MQTT broker, stores every alarm in its journal and
receipts it; only then does a gateway forget the alarm. A gateway that falls silent is an alarm.
On the page alarms are acknowledged, shelved and ended (docs/alarms.md).

Browsers decode the panorama only on a page from http://localhost or over https: to look from
another computer, put a proxy with TLS in front (plan and alarms work without)."""

CONNECT_S = 10.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `lamproom control-room`."""
    add_broker_arguments(parser)
    add_prefix_argument(parser)
    parser.add_argument(
        "--host", default="127.0.0.1", help="where the page is served (default 127.0.0.1)"
    )
    parser.add_argument(
        "--port", type=int, default=8080, help="of the page (default 8080; 0: any free one)"
    )
    parser.add_argument(
        "--journal",
        type=Path,
        metavar="FILE",
        default=Path("state/journal.sqlite"),
        help="where alarms are stored for good (default state/journal.sqlite)",
    )
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


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM; raises `BrokerError`, `JournalError`, `ServerError`."""
    journal_file = args.journal if args.prefix == LIVE_PREFIX else None
    roster = read_roster(args.roster) if args.roster else ()
    bound = bind(args.host, args.port)
    with (
        contextlib.closing(bound),
        open_room(
            broker_of(args),
            journal_file,
            SystemClock(),
            prefix=args.prefix,
            operators=args.operators,
            roster=roster,
        ) as room,
    ):
        print(f"The control room is at {url_of(bound)}   (Ctrl-C stops it)", flush=True)
        if args.host not in LOOPBACK:
            say(f"{args.host}: whoever reaches this address can look, and act on alarms")
        with contextlib.suppress(KeyboardInterrupt):
            if threading.current_thread() is threading.main_thread():
                # The web server ends tidily on a signal and then hands it on to us.
                signal.signal(signal.SIGTERM, signal.default_int_handler)
            make_server(room, stream_packets, host=args.host).run(sockets=[bound])
    return 0


@contextlib.contextmanager
def open_room(
    broker: BrokerConfig,
    journal_file: Path | None,
    clock: Clock,
    *,
    prefix: str = LIVE_PREFIX,
    operators: int = 1,
    roster: Sequence[Worker] = (),
) -> Iterator[Room]:
    """Open the journal and listen to the broker for as long as the block lasts.

    Raises `JournalError` and `BrokerError`.
    """
    with contextlib.closing(Journal(journal_file)) as journal:
        name = f"control-room-{prefix}-{os.getpid()}"
        connection = Connection(broker, client_id=name, log=say)
        seqs = {"receipt": itertools.count(1), "order": itertools.count(1)}

        def send(site: str, gateway: str, message: Receipt | Order) -> None:
            topic = type_name(message)
            row = TOPICS[topic]
            connection.publish(
                topic_name(topic, site=site, gateway=gateway, id=message.alarm, prefix=prefix),
                encode(message, gateway=gateway, seq=next(seqs[topic]), sent_at_ns=clock.now_ns()),
                qos=row.qos,
                retain=row.retain,
            )

        room = Room(
            journal,
            clock,
            send,
            send,
            prefix=prefix,
            is_connected=lambda: connection.connected,
            operators=operators,
            roster=roster,
        )
        Subscriber(connection, prefix, on_message=room.hear, on_bad=Complaints(say))
        try:
            connection.connect(CONNECT_S, wait=True)
            yield room
        finally:
            connection.close()


def _some(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: give a whole number, at least 1")
    return int(text)


def say(text: object) -> None:
    """Tell the operator something on stderr."""
    print(f"lamproom control-room: {text}", file=sys.stderr, flush=True)
