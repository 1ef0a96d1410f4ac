"""Write Mosquitto's access list: every user's topics, one by one.

Knows nothing about keys. The list names each user; Mosquitto's patterns (`%u`) are not used, for
they hold for everybody: a reader called `gw9` could speak as a gateway that nobody has hung up.
"""

from collections.abc import Iterable, Iterator

from edge.broker_files.rights import RIGHTS, Party
from edge.certificates.register import Entry
from scene.topics import LIVE_PREFIX, REPLAY_PREFIX, TOPICS, topic_filter

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
    for topic in TOPICS:
        right = RIGHTS.get(topic)
        if right is None:
            continue
        place = topic_filter(topic, site=site, gateway=_gateway_in(user, gateway))
        if _is(user, right.write, topic):
            yield f"topic write {place}"
        if _is(user, right.read, topic):
            yield f"topic read {place}"
        replayed = topic_filter(topic, prefix=REPLAY_PREFIX, site=site)
        if user.role == "control_room":
            yield f"topic readwrite {replayed}"
        elif user.role == "subscriber" and "subscriber" in right.read:
            yield f"topic read {replayed}"


def _is(user: Entry, parties: frozenset[Party], topic: str) -> bool:
    return user.role in parties and (user.role != "system" or user.speaks == topic)


def _gateway_in(user: Entry, gateway: str | None) -> str:
    if user.role == "gateway":
        return user.name
    return gateway or "+"


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
