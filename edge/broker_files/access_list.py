"""Write Mosquitto's access list: every user's topics, one by one.

Knows nothing about keys. The list names each user; Mosquitto's patterns (`%u`) are not used, for
they hold for everybody: a reader called `gw9` could speak as a gateway that nobody has hung up.
"""

from collections.abc import Iterable, Iterator

from edge.broker_files.rights import RIGHTS, grants
from edge.certificates.register import Entry
from scene.topics import LIVE_PREFIX, TOPICS, topic_filter

HEAD = """\
# Who may say and hear what at the broker of site {site}. Written by `lamproom certs`, anew with
# every certificate: changes by hand are lost. What is not listed is refused.
"""
END = "# The end."
"""The last line: without it a broker is not told to reload (mosquitto.service.d/lamproom.conf)."""


def access_list(site: str, users: Iterable[Entry], *, gateway: str | None = None) -> str:
    """Write the access list of a site's broker, or of the broker on one `gateway`.

    On a gateway's broker only that gateway itself and readers are known: orders, receipts and the
    mine's systems come over its bridge.
    """
    parts = [HEAD.format(site=site)]
    for user in users:
        if gateway is not None and user.role != "subscriber" and user.name != gateway:
            continue
        lines = sorted(set(_lines(site, user, gateway)))
        parts.append("\n".join([f"user {user.name}", *lines]) + "\n")
    return "\n".join([*parts, f"{END}\n"])


def _lines(site: str, user: Entry, gateway: str | None) -> Iterator[str]:
    for one in grants(user, gateway or "+"):
        place = topic_filter(one.topic, prefix=one.prefix, site=site, gateway=one.gateway)
        yield f"topic {one.does} {place}"


def bridged(site: str, gateway: str) -> str:
    """Write the bridge's topics: what goes from a gateway's broker to the surface, what comes."""
    lines = []
    for topic, row in TOPICS.items():
        right = RIGHTS.get(topic)
        if right is None or "gateway" not in right.write | right.read:
            continue
        direction = "out" if "gateway" in right.write else "in"
        place = topic_filter(topic, prefix=LIVE_PREFIX, site=site, gateway=gateway)
        lines.append(f"topic {place} {direction} {row.qos}")
    return "\n".join(lines)
