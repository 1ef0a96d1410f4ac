"""Write the files of a NATS cluster's nodes: configuration, and who is let in for what.

Knows nothing about how certificates are made. NATS knows MQTT's topics by its own subjects, with
dots for slashes.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.broker_files.rights import Grant, grants
from edge.broker_files.templates import fill
from edge.certificates.register import Entry
from edge.certificates.safe_files import write_file
from scene.errors import CertificateError
from scene.topics import topic_filter

FOLDER = Path("/etc/nats/lamproom")
STATE = Path("/var/lib/nats/lamproom")
PORT, ROUTE_PORT, CLIENT_PORT, MONITOR_PORT = 8883, 6248, 4222, 8222
COUNTS = (1, 3, 5)
"""So many nodes make a cluster: of two, one alone may decide nothing; one is for trials."""
INBOX = "$MQTT.sub.>"
"""Where NATS hands a subscriber what it kept (QoS 1); nobody can ask for another's."""
HEAD = """\
# Who may say and hear what at the NATS cluster of site {site}. Written by `lamproom certs`, anew
# with every certificate: changes by hand are lost. What is not listed is refused.
# Every certificate that counts is a user of its own: CN=name,O=site and its number.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """What a node's configuration says that is not the same everywhere."""

    hosts: tuple[str, ...]
    """Its names and addresses; the first is the one by which the other nodes call it."""
    folder: Path = FOLDER
    """Where its files lie on its machine."""
    state: Path = STATE
    port: int = PORT
    """For MQTT."""
    route_port: int = ROUTE_PORT
    """For the other nodes."""
    client_port: int = CLIENT_PORT
    monitor_port: int = MONITOR_PORT
    bind: str = "0.0.0.0"
    disk_bytes: int = 4_000_000_000
    """What is kept takes no more; it must be there."""


def check_nodes(nodes: Sequence[NodeSettings]) -> None:
    """Raise `CertificateError` for nodes that make no cluster."""
    if len(nodes) not in COUNTS:
        raise CertificateError(
            f"{len(nodes)} nodes: give 3 (or 5), each on a machine of its own; 1 for a trial. "
            "Half of an even number can decide nothing, so one more node would not help"
        )
    called = [(host, node.port) for node in nodes for host in node.hosts]
    if len(set(called)) < len(called):
        raise CertificateError(f"{' '.join(host for host, _ in called)}: a host stands there twice")
    for path in {path for node in nodes for path in (node.folder, node.state)}:
        if not path.is_absolute() or re.search(r'[\s"$\\]', str(path)):
            raise CertificateError(f"{path}: give a whole path without spaces, /etc/… for instance")


def write_node(folder: Path, site: str, name: str, nodes: Sequence[NodeSettings], at: int) -> None:
    """Write `nats.conf` of the node `nodes[at]`."""
    node = nodes[at]
    values = {
        "NODE": name,
        "SITE": site,
        "FOLDER": str(node.folder),
        "STATE": str(node.state),
        "BIND": _in_url(node.bind),
        "PORT": str(node.port),
        "ROUTE_PORT": str(node.route_port),
        "CLIENT_PORT": str(node.client_port),
        "MONITOR_PORT": str(node.monitor_port),
        "REPLICAS": str(len(nodes)),
        "DISK_BYTES": str(node.disk_bytes),
    }
    values["CLUSTER"] = ""
    if len(nodes) > 1:
        routes = [f'    "tls://{_in_url(one.hosts[0])}:{one.route_port}"' for one in nodes]
        values["CLUSTER"] = fill("nats/cluster.conf", values | {"ROUTES": "\n".join(routes)})
    write_file(folder / "nats.conf", fill("nats/node.conf", values).encode())


def write_users(folder: Path, site: str, users: Iterable[Entry]) -> None:
    """Write `users.conf`: all certificates of clients that count."""
    write_file(folder / "users.conf", user_list(site, users).encode())


def user_list(site: str, users: Iterable[Entry]) -> str:
    """Write out the users; a file that is cut off anywhere is none to NATS, not a shorter list."""
    found = "\n".join(_user(site, one) for one in users)
    return f"{HEAD.format(site=site)}\nUSERS: [\n{found}\n]\n"


def _user(site: str, user: Entry) -> str:
    rights = tuple(grants(user))
    says = [_subject(site, one) for one in rights if one.does == "write"]
    hears = [_subject(site, one) for one in rights if one.does == "read"]
    hears += [INBOX] if hears else []
    return f"""\
  {{
    user: "{distinguished_name(site, user)}"
    allowed_connection_types: ["MQTT"]
    permissions: {{
      publish: {_only(says)}
      subscribe: {_only(hears)}
    }}
  }}"""


def distinguished_name(site: str, user: Entry) -> str:
    """Name a certificate as NATS reads it: its subject, the last part first (RFC 2253)."""
    return f"SERIALNUMBER={user.serial:x},CN={user.name},O={site}"


def _only(subjects: Sequence[str]) -> str:
    if not subjects:
        return '{deny: ">"}'
    return "{allow: [" + ", ".join(f'"{one}"' for one in dict.fromkeys(subjects)) + "]}"


def _subject(site: str, one: Grant) -> str:
    """Write a topic as NATS's subject.

    A subscription that asks for more than is allowed is refused there, not narrowed as at
    Mosquitto, and readers ask for every site. They may: nobody of another site says anything here.
    """
    where = "+" if one.does == "read" and one.gateway == "+" else site
    place = topic_filter(one.topic, prefix=one.prefix, site=where, gateway=one.gateway)
    return place.replace("/", ".").replace("+", "*")


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
