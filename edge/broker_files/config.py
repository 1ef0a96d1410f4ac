"""Write the files of a Mosquitto broker: configuration, access list, revocation list.

Knows nothing about how certificates are made.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edge.broker_files.access_list import access_list, bridged
from edge.broker_files.templates import fill
from edge.certificates.register import Entry
from edge.certificates.safe_files import write_file
from scene.errors import CertificateError

FOLDER = Path("/etc/mosquitto/lamproom")
STATE = Path("/var/lib/mosquitto")
PORT = 8883
TO_MOSQUITTO = """\
bridge_protocol_version mqttv50
# What waits here for the surface outlives a cut, and what the surface had for us does not: with
# mqttv50 Mosquitto 2.0 gives a bridge's session there no time to live (with mqttv311 it would).
# Nothing depends on it: after a cut, alarms are said again until their receipts come, and the
# control room says orders again until they are carried out.
cleansession false"""
TO_NATS = """\
bridge_protocol_version mqttv311
# NATS knows no bridges: it is told that we are a client.
try_private false
# What waits here for the surface outlives a cut. Of what the surface has for us nothing is kept
# there: it would grow for as long as a gateway is away. Nothing depends on it: after a cut, alarms
# are said again until their receipts come, and the control room says orders again until they are
# carried out.
cleansession true
local_cleansession false"""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSettings:
    """What a broker's configuration says that is not the same everywhere."""

    folder: Path = FOLDER
    """Where its files lie on the broker's machine."""
    state: Path = STATE
    port: int = PORT
    bind: str = ""
    """The address it listens on; empty for all."""
    gateway: str | None = None
    """The gateway on whose machine it runs; none for the site's own."""
    surface: str = ""
    """Of a gateway's: the site's broker, `host` or `host:port`; of a cluster its nodes, `a,b,c`."""
    to_nats: bool | None = None
    """Whether the surface is a NATS cluster, with which a bridge speaks differently; none for what
    the site's certificates tell."""


def write_config(folder: Path, site: str, settings: BrokerSettings) -> None:
    """Write `mosquitto.conf`; raises `CertificateError` for what Mosquitto can't take."""
    for path in (settings.folder, settings.state):
        if not path.is_absolute() or re.search(r"\s", str(path)):
            raise CertificateError(f"{path}: give a whole path without spaces, /etc/… for instance")
    values = {
        "SITE": site,
        "FOLDER": str(settings.folder),
        "STATE": str(settings.state),
        "PORT": str(settings.port),
        "BIND": settings.bind,
    }
    template = "mosquitto/site.conf"
    if settings.gateway is not None:
        template = "mosquitto/gateway.conf"
        values |= {
            "GATEWAY": settings.gateway,
            "SURFACE": _surface(settings.surface),
            "SPEECH": TO_NATS if settings.to_nats else TO_MOSQUITTO,
            "TOPICS": bridged(site, settings.gateway),
        }
    text = re.sub(r"[ \t]+\n", "\n", fill(template, values))
    write_file(folder / "mosquitto.conf", text.encode())


def write_lists(
    folder: Path, site: str, users: Iterable[Entry], revocations: bytes, gateway: str | None
) -> None:
    """Write `acl` and `crl.pem`."""
    write_file(folder / "acl", access_list(site, users, gateway=gateway).encode())
    write_file(folder / "crl.pem", revocations)


def hosts_of(surface: str) -> tuple[str, ...]:
    """Name the hosts that a gateway's broker calls.

    >>> hosts_of("a.mine:8883,b.mine")
    ('a.mine', 'b.mine')
    """
    return tuple(one.partition(":")[0] for one in surface.split(",") if one)


def _surface(said: str) -> str:
    called = []
    for one in said.split(","):
        found = re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9.-]*)(?::(\d{1,5}))?", one)
        if not found or int(found[2] or PORT) > 65535:
            raise CertificateError(
                f"--surface {said}: give the site's broker as host or host:port, as in its "
                "certificate; of a cluster all nodes: a:8883,b:8883,c:8883"
            )
        called.append(f"{found[1]}:{found[2] or PORT}")
    return " ".join(called)
