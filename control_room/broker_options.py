"""The options that say where the MQTT broker is, the same for every command.

Knows nothing about MQTT itself.
"""

import argparse
from pathlib import Path

from pydantic import ValidationError

from scene.errors import BrokerError
from scene.site import BrokerConfig
from scene.topics import LIVE_PREFIX, REPLAY_PREFIX

DEFAULT_URL = "mqtt://127.0.0.1:1883"


def add_broker_arguments(
    parser: argparse.ArgumentParser, *, default: str | None = DEFAULT_URL
) -> None:
    """Add `--broker`, `--username` and `--password-file`."""
    said = f"default {default}" if default else "default: one of its own"
    parser.add_argument(
        "--broker",
        metavar="URL",
        default=default,
        help=f"the MQTT broker, mqtt://host:port or mqtts://host:port ({said})",
    )
    parser.add_argument("--username", help="for a broker that asks for one")
    parser.add_argument(
        "--password-file", type=Path, metavar="FILE", help="holds nothing but the password"
    )


def add_prefix_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--prefix`."""
    parser.add_argument(
        "--prefix",
        choices=[LIVE_PREFIX, REPLAY_PREFIX],
        default=LIVE_PREFIX,
        help=f"{LIVE_PREFIX}: the live mine; {REPLAY_PREFIX}: a recording that is being replayed",
    )


def broker_of(args: argparse.Namespace) -> BrokerConfig:
    """Give the broker that the options name; raises `BrokerError`."""
    try:
        return BrokerConfig(
            url=args.broker, username=args.username, password_file=args.password_file
        )
    except ValidationError:
        raise BrokerError(
            f"--broker {args.broker}: give mqtt://host:port or mqtts://host:port"
        ) from None
