"""The options that say where the MQTT broker is and whose messages are believed.

The same for every command. Knows nothing about MQTT itself.
"""

import argparse
import re
import secrets
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from delivery.guard import Guard
from delivery.trust import Trust
from scene.clock import Clock
from scene.errors import BrokerError, LamproomError
from scene.site import BROKER_FORMS, BrokerConfig
from scene.topics import LIVE_PREFIX, REPLAY_PREFIX

DEFAULT_URL = "mqtt://127.0.0.1:1883"


def add_broker_arguments(
    parser: argparse.ArgumentParser, *, default: str | None = DEFAULT_URL
) -> None:
    """Add `--broker`, and how to be let in there."""
    said = f"default {default}" if default else "default: one of its own"
    parser.add_argument(
        "--broker",
        metavar="URL",
        default=default,
        help="the MQTT broker, mqtt://host:port or mqtts://host:port; several of one cluster are "
        f"tried in turn: mqtts://a:8883,b:8883 ({said})",
    )
    parser.add_argument("--username", help="for a broker that asks for one")
    parser.add_argument(
        "--password-file", type=Path, metavar="FILE", help="holds nothing but the password"
    )
    parser.add_argument(
        "--ca-file",
        type=Path,
        metavar="FILE",
        help="with mqtts://: the authority that vouches for the broker (ca.pem)",
    )
    parser.add_argument(
        "--certificate-file", type=Path, metavar="FILE", help="who we are (client.pem)"
    )
    parser.add_argument("--key-file", type=Path, metavar="FILE", help="its key (client.key)")


def add_prefix_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--prefix`."""
    parser.add_argument(
        "--prefix",
        choices=[LIVE_PREFIX, REPLAY_PREFIX],
        default=LIVE_PREFIX,
        help=f"{LIVE_PREFIX}: the live mine; {REPLAY_PREFIX}: a recording that is being replayed",
    )


def add_trust_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `--keys`, `--require-signed` and `--expect`."""
    parser.add_argument(
        "--keys",
        type=Path,
        metavar="FOLDER",
        help="public keys of gateways (certs/trusted): their messages must be signed with them, "
        "and their silence from the start is an alarm",
    )
    parser.add_argument(
        "--require-signed",
        action="store_true",
        help="refuse gateways whose key is not in --keys, too",
    )
    parser.add_argument(
        "--expect",
        action="append",
        type=_place,
        default=[],
        metavar="SITE/GATEWAY",
        help="a gateway whose silence from the start is an alarm; may be given several times",
    )


def add_memory_argument(parser: argparse.ArgumentParser, usual: Path) -> None:
    """Add `--memory`; with `--keys` it is `usual` where nothing else is said."""
    parser.add_argument(
        "--memory",
        type=Path,
        metavar="FILE",
        help="remember over restarts what came last, in FILE.heard.json and the like, so that "
        f"nobody can play old messages again (default with --keys: {usual}; else nothing is kept)",
    )
    parser.set_defaults(usual_memory=usual)


def memory_of(args: argparse.Namespace, say: Callable[[str], None], ending: str) -> Path | None:
    """Give the file of this ending that remembers; none where nothing is to be remembered."""
    memory: Path | None = args.memory or (args.usual_memory if args.keys else None)
    if memory is None or args.prefix != LIVE_PREFIX:
        return None
    file = memory.with_name(f"{memory.name}.{ending}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("ab"):
            pass
    except OSError as error:
        say(
            f"{file}: can't be written: {error.strerror}; what is heard now is forgotten at the "
            "end, and can be played again; give --memory FILE"
        )
    return file


def guard_of(
    args: argparse.Namespace, clock: Clock, say: Callable[[str], None], memory: Path | None = None
) -> tuple[Guard, tuple[tuple[str, str], ...]]:
    """Give what checks messages, and the gateways that are expected; raises `SigningError`.

    `memory` keeps over restarts which messages came last, so that older ones are not believed.
    """
    expected = set(args.expect)
    if args.keys is None:
        if args.require_signed:
            raise LamproomError("--require-signed: give the public keys, too: --keys FOLDER")
        return Guard(clock=clock), tuple(sorted(expected))
    trust = Trust([args.keys], clock, say)
    guard = Guard(trust, required=args.require_signed, memory=memory, clock=clock)
    return guard, tuple(sorted(expected | set(trust.gateways())))


def _place(text: str) -> tuple[str, str]:
    site, slash, gateway = text.partition("/")
    if not site or not slash or not gateway or "/" in gateway:
        raise argparse.ArgumentTypeError(f"{text}: give SITE/GATEWAY, e.g. roadway/gw1")
    return site, gateway


def client_name(what: str) -> str:
    """Name a client at the broker: two of one name, also on two machines, would cut each other off.

    >>> client_name("alarms") == client_name("alarms")
    False
    """
    return f"{what}-{secrets.token_hex(4)}"


def broker_of(args: argparse.Namespace) -> BrokerConfig:
    """Give the broker that the options name; raises `BrokerError`."""
    try:
        return BrokerConfig(
            url=args.broker,
            username=args.username,
            password_file=args.password_file,
            ca_file=args.ca_file,
            certificate_file=args.certificate_file,
            key_file=args.key_file,
        )
    except ValidationError as error:
        raise BrokerError(f"--broker {args.broker}: {_remedy(error)}") from None


_FIELD = re.compile(r"\bbroker\.(url|username|password_file|ca_file|certificate_file|key_file)\b")


def as_options(text: object) -> str:
    """Name the site file's fields in a text about the broker as the options are called here.

    >>> as_options("give broker.certificate_file, or mend broker.url")
    'give --certificate-file, or mend --broker'
    """
    return _FIELD.sub(
        lambda found: "--broker" if found[1] == "url" else f"--{found[1].replace('_', '-')}",
        str(text),
    )


def in_options(say: Callable[[str], None]) -> Callable[[str], None]:
    """Make a log that says `as_options` what it is told."""
    return lambda text: say(as_options(text))


def _remedy(error: ValidationError) -> str:
    first = error.errors()[0]
    if first["type"] == "value_error":
        return str(first["ctx"]["error"]).replace("_", "-")
    return f"give {BROKER_FORMS}"
