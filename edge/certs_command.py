"""`lamproom certs`: a site's own certificates, brokers' access lists and signing keys.

Knows nothing about cryptography; see `edge/certificates/`.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from edge.broker_files import nats
from edge.broker_files.config import FOLDER, PORT, STATE, BrokerSettings
from edge.certificates.authority import make_authority, utc_now
from edge.certificates.workshop import CONTROL_ROOM, Parcel, Workshop, control_room_name
from scene.errors import CertificateError
from scene.topics import TOPICS
from scene.zones import Name

HELP = """\
Make a site's own authority (CA) and everything that it vouches for: a certificate for each gateway,
the control room, each reader and each of the mine's systems; the brokers with their configuration
and access lists; the keys that messages are signed with. Nobody without a certificate speaks to
the broker, and everybody only on their own topics. docs/security.md tells more.

a new site, on a machine without a network:
  lamproom certs init north-gate                 the authority
  lamproom certs broker broker.mine 10.0.0.5     the broker, under these names and addresses
  lamproom certs control-room
  lamproom certs control-room spare              a second one, with keys of its own
  lamproom certs gateway gw1                     once for each gateway
  lamproom certs system tags                     the mine's tag system
  lamproom certs subscriber siren1               who only listens
  lamproom certs gateway-broker gw1 --surface broker.mine    a broker on the gateway itself
  lamproom certs nats a.mine b.mine c.mine       instead of `broker`: a cluster of three nodes

later:
  lamproom certs list                            who, until when; exit code 1 if something ends soon
  lamproom certs renew gw1                       a new end for the same keys
  lamproom certs gateway gw1 --replace           new keys; the former ones count until
  lamproom certs revoke gw1 --former             ... they are taken back
  lamproom certs revoke gw1                      nobody is let in as gw1 any more
  lamproom certs signing gw1                     new signing keys, then --finish

Every command says which files go to which machine. Keys are readable for their owner only, and no
key is overwritten without --replace. Make back-ups of the folder: whoever has ca/ca.key can let
anybody in, and without it no certificate can be renewed."""

DAYS = 730


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the commands of `lamproom certs`."""
    parser.set_defaults(act=None)
    parser.add_argument(
        "--folder",
        type=Path,
        metavar="FOLDER",
        default=Path("certs"),
        help="where they all are (default certs)",
    )
    commands = parser.add_subparsers(dest="certs_command", metavar="command", title="commands")

    def add(
        name: str, act: Callable[[argparse.Namespace], int], help: str
    ) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=help, description=help[0].upper() + help[1:] + ".")
        made.set_defaults(act=act)
        return made

    init = add("init", _init, "make a site's authority")
    init.add_argument("site", metavar="SITE", type=_name, help="its name, as in site files")
    _add_replace(init)
    gateway = add("gateway", _gateway, "certificate and signing keys of a gateway")
    gateway.add_argument("name", metavar="NAME", type=_name, help="its name, as in its site file")
    room = add("control-room", _control_room, "certificate and signing keys of a control room")
    room.add_argument(
        "name",
        metavar="NAME",
        nargs="?",
        type=_room_name,
        help="of a further one, a spare for instance; the first has none",
    )
    reader = add("subscriber", _subscriber, "certificate of somebody who only listens")
    reader.add_argument("name", metavar="NAME", type=_name)
    system = add("system", _system, "certificate of one of the mine's own systems")
    system.add_argument("topic", choices=_systems(), help="what it publishes")
    system.add_argument("--name", type=_name, help="default: the topic's")
    broker = add("broker", _broker, "certificate, configuration and access list of the broker")
    _add_broker_options(broker)
    local = add(
        "gateway-broker", _gateway_broker, "the same of a broker on a gateway, with its bridge"
    )
    local.add_argument("name", metavar="GATEWAY", type=_name)
    local.add_argument(
        "--surface",
        metavar="HOST[:PORT][,…]",
        required=True,
        help="the site's broker on the surface; of a NATS cluster all nodes, with commas",
    )
    _add_broker_options(local, hosts="*")
    nodes = add("nats", _nats, "the same of a NATS cluster's nodes; see docs/brokers.md")
    _add_node_options(nodes)
    renew = add("renew", _renew, "give certificates a new end; keys stay")
    renew.add_argument("name", metavar="NAME", help="as `list` says it")
    for one in (gateway, room, reader, system, broker, local, nodes):
        _add_replace(one)
    for one in (gateway, room, reader, system, broker, local, nodes, renew):
        one.add_argument(
            "--days", type=_days, default=DAYS, help=f"how long it counts (default {DAYS})"
        )
    revoke = add("revoke", _revoke, "take certificates back")
    revoke.add_argument("name", metavar="NAME", help="as `list` says it")
    revoke.add_argument(
        "--former", action="store_true", help="only those that were replaced or renewed"
    )
    signing = add("signing", _signing, "new signing keys, without a gap: see docs/security.md")
    signing.add_argument("name", metavar="NAME", help=f"a gateway, or {CONTROL_ROOM}[-NAME]")
    signing.add_argument(
        "--finish", action="store_true", help="let the former key not count any more"
    )
    signer = add("signer", _signer, "the key that signs site files (`lamproom sign`)")
    _add_replace(signer)
    add("list", _list, "who has which certificate, and until when")


def run(args: argparse.Namespace) -> int:
    """Do it; raises `CertificateError`."""
    if args.act is None:
        raise CertificateError("say what: `lamproom certs --help`")
    return int(args.act(args))


def _init(args: argparse.Namespace) -> int:
    folder = args.folder / "ca"
    if args.replace and (folder / "certificates.json").exists():
        raise CertificateError(
            f"{folder}: has issued certificates, which a new authority would make worthless; "
            "make the new one in another --folder (docs/security.md)"
        )
    made = make_authority(folder, args.site, utc_now(), replace=args.replace)
    print(f"Authority of site {made.site}: {made.certificate_file}, until {made.until:%Y-%m-%d}.")
    print(f"Keep {made.key_file} secret and backed up; it never leaves this machine.")
    return 0


def _gateway(args: argparse.Namespace) -> int:
    workshop = Workshop(args.folder)
    return _tell(
        workshop, workshop.issue("gateway", args.name, days=args.days, replace=args.replace)
    )


def _control_room(args: argparse.Namespace) -> int:
    workshop = Workshop(args.folder)
    return _tell(
        workshop,
        workshop.issue(
            "control_room", control_room_name(args.name), days=args.days, replace=args.replace
        ),
    )


def _subscriber(args: argparse.Namespace) -> int:
    workshop = Workshop(args.folder)
    return _tell(
        workshop, workshop.issue("subscriber", args.name, days=args.days, replace=args.replace)
    )


def _system(args: argparse.Namespace) -> int:
    workshop = Workshop(args.folder)
    name = args.name or args.topic
    return _tell(
        workshop,
        workshop.issue("system", name, days=args.days, replace=args.replace, speaks=args.topic),
    )


def _broker(args: argparse.Namespace) -> int:
    return _make_broker(args, gateway=None, surface="", hosts=tuple(args.hosts))


def _gateway_broker(args: argparse.Namespace) -> int:
    hosts = dict.fromkeys(("localhost", "127.0.0.1", *args.hosts))
    return _make_broker(args, gateway=args.name, surface=args.surface, hosts=tuple(hosts))


def _make_broker(
    args: argparse.Namespace, *, gateway: str | None, surface: str, hosts: tuple[str, ...]
) -> int:
    workshop = Workshop(args.folder)
    settings = BrokerSettings(
        folder=args.installed_in,
        state=args.state,
        port=args.port,
        bind=args.bind,
        gateway=gateway,
        surface=surface,
    )
    return _tell(
        workshop, workshop.issue_broker(settings, hosts, days=args.days, replace=args.replace)
    )


def _nats(args: argparse.Namespace) -> int:
    workshop = Workshop(args.folder)
    nodes = [
        nats.NodeSettings(
            hosts=tuple(one.split(",")),
            folder=args.installed_in,
            state=args.state,
            port=args.port,
            route_port=args.route_port,
            bind=args.bind or "0.0.0.0",
            disk_bytes=round(args.disk_gb * 1e9),
        )
        for one in args.nodes
    ]
    return _tell(workshop, workshop.issue_nodes(nodes, days=args.days, replace=args.replace))


def _renew(args: argparse.Namespace) -> int:
    workshop = Workshop(args.folder)
    return _tell(workshop, workshop.renew(args.name, days=args.days))


def _revoke(args: argparse.Namespace) -> int:
    workshop = Workshop(args.folder)
    parcels = workshop.revoke(args.name, former=args.former)
    if not any("crl.pem" in parcel.files for parcel in parcels):
        print("No broker was made here yet: nobody asks for the list of revoked certificates.")
    _tell(workshop, parcels)
    print("Until a broker has reloaded these files it lets the revoked ones in.")
    if args.former:
        print("Who is connected with a former key stays connected: start the broker anew if it")
        print("may be in wrong hands.")
    return 0


def _signing(args: argparse.Namespace) -> int:
    workshop = Workshop(args.folder)
    if args.finish:
        return _tell(workshop, workshop.drop_former_signing_keys(args.name))
    code = _tell(workshop, workshop.new_signing_keys(args.name))
    print(f"Then `lamproom certs signing {args.name} --finish`. Is the former key in wrong hands?")
    print("Then say so at once, and bring the files to all machines without delay.")
    return code


def _signer(args: argparse.Namespace) -> int:
    workshop = Workshop(args.folder)
    return _tell(workshop, workshop.make_signer(replace=args.replace))


def _list(args: argparse.Namespace) -> int:
    workshop = Workshop(args.folder)
    print(f"site {workshop.authority.site}, authority until {workshop.authority.until:%Y-%m-%d}")
    kept = {entry.serial for entry in workshop.register.newest()}
    rows = [
        (
            entry.name,
            entry.role.replace("_", " "),
            entry.files,
            f"{entry.until:%Y-%m-%d}",
            entry.status(workshop.now)
            + (" (former)" if entry.counts and entry.serial not in kept else ""),
            f"{entry.serial:x}"[:16],
        )
        for entry in workshop.register.entries
    ]
    _print_table([("name", "role", "files", "until", "status", "serial"), *rows])
    return int(_warn(workshop))


def _tell(workshop: Workshop, parcels: Sequence[Parcel]) -> int:
    rows = [
        (parcel.machine, str(parcel.folder), " ".join(parcel.files), parcel.note)
        for parcel in parcels
    ]
    if rows:
        _print_table([("to", "from", "files", ""), *rows])
    _warn(workshop)
    return 0


def _warn(workshop: Workshop) -> bool:
    warnings = workshop.warnings()
    for warning in warnings:
        print(f"WARNING: {warning}")
    return bool(warnings)


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print(
            "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        )


def _add_replace(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--replace", action="store_true", help="make new keys where there are some already"
    )


def _add_broker_options(parser: argparse.ArgumentParser, hosts: str = "+") -> None:
    parser.add_argument(
        "hosts",
        metavar="HOST",
        nargs=hosts,
        help="each name and address that clients reach it under",
    )
    parser.add_argument(
        "--installed-in",
        type=Path,
        metavar="FOLDER",
        default=FOLDER,
        help=f"where the files will lie on its machine (default {FOLDER})",
    )
    parser.add_argument(
        "--state",
        type=Path,
        metavar="FOLDER",
        default=STATE,
        help=f"where it keeps messages (default {STATE})",
    )
    parser.add_argument("--port", type=int, default=PORT, help=f"default {PORT}")
    parser.add_argument("--bind", default="", metavar="ADDRESS", help="default: all addresses")


def _add_node_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "nodes",
        metavar="HOST[,HOST…]",
        nargs="+",
        help="each node's name or address, by which the others call it; further ones after commas",
    )
    folder, state = nats.FOLDER, nats.STATE
    parser.add_argument(
        "--installed-in",
        type=Path,
        metavar="FOLDER",
        default=folder,
        help=f"where the files will lie on its machine (default {folder})",
    )
    parser.add_argument(
        "--state",
        type=Path,
        metavar="FOLDER",
        default=state,
        help=f"where it keeps messages (default {state})",
    )
    parser.add_argument("--port", type=_port, default=nats.PORT, help=f"default {nats.PORT}")
    parser.add_argument(
        "--route-port",
        type=_port,
        default=nats.ROUTE_PORT,
        help=f"for the other nodes (default {nats.ROUTE_PORT})",
    )
    parser.add_argument("--bind", default="", metavar="ADDRESS", help="default: all addresses")
    parser.add_argument(
        "--disk-gb",
        type=_gigabytes,
        default=4.0,
        help="what is kept takes no more, and must have that much room (default 4)",
    )


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text}: give a port, 1 to 65535")
    return int(text)


def _gigabytes(text: str) -> float:
    try:
        size = float(text)
    except ValueError:
        size = 0.0
    if not 0.1 <= size <= 10_000.0:
        raise argparse.ArgumentTypeError(f"{text}: give gigabytes, 0.1 to 10000")
    return size


def _systems() -> list[str]:
    return [topic for topic, row in TOPICS.items() if row.sender == "mine"]


def _name(text: str) -> str:
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(Name).validate_python(text)
    except ValidationError:
        raise argparse.ArgumentTypeError(
            f"{text}: give letters, digits, _ and -, at most 64, as in site files"
        ) from None


def _room_name(text: str) -> str:
    _name(control_room_name(text))
    return _name(text)


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 7300:
        raise argparse.ArgumentTypeError(f"{text}: give whole days, 1 to 7300")
    return int(text)
