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
    """Of a gateway's: the site's broker, `host` or `host:port`."""


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


def _surface(said: str) -> str:
    found = re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9.-]*)(?::(\d{1,5}))?", said)
    if not found or int(found[2] or PORT) > 65535:
        raise CertificateError(
            f"--surface {said}: give the site's broker as host or host:port, as in its certificate"
        )
    return f"{found[1]}:{found[2] or PORT}"
