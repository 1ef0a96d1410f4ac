"""Who may say and hear what: one decision for every topic of `scene/topics.py`.

Knows nothing about how a broker writes it down. A topic without a row here is closed to everybody,
and a test fails.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from edge.certificates.register import Entry
from scene.topics import LIVE_PREFIX, REPLAY_PREFIX, TOPICS

Party = Literal["gateway", "control_room", "subscriber", "system"]
"""`gateway`: the one that stands in the topic, or any of the site where none does; `system`: that
one of the mine's own systems whose topic it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """Who may send to a topic, and who hears it."""

    write: frozenset[Party]
    read: frozenset[Party]


def _by(writer: Party, *readers: Party) -> Right:
    return Right(write=frozenset({writer}), read=frozenset(readers))


def _with_forgetting(*readers: Party) -> Right:
    return Right(write=frozenset({"gateway", "control_room"}), read=frozenset(readers))


RIGHTS: dict[str, Right] = {
    # The control room has a broker forget what it keeps of a gateway that somebody takes out of
    # service; it can't speak as one, which takes the gateway's key.
    # A gateway hears what it says itself, too: its recorder writes down what went over the broker.
    "state": _with_forgetting("gateway", "control_room", "subscriber"),
    "site": _with_forgetting("gateway", "control_room", "subscriber"),
    "positions": _by("gateway", "gateway", "control_room", "subscriber"),
    "alarm": _with_forgetting("gateway", "control_room", "subscriber"),
    "health": _by("gateway", "gateway", "control_room", "subscriber"),
    # There may be several control rooms: each may look at what another has said.
    "receipt": _by("control_room", "gateway", "control_room"),
    "order": _by("control_room", "gateway", "control_room"),
    "control_room": _by("control_room", "gateway", "control_room"),
    "tags": _by("system", "gateway", "control_room"),
    "machines": _by("system", "gateway", "control_room"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One user's right at one topic of the site."""

    does: Literal["write", "read"]
    topic: str
    """A key of `TOPICS`."""
    prefix: str
    gateway: str
    """`+` for every one."""


def grants(user: Entry, gateway: str = "+") -> Iterator[Grant]:
    """List what a user may do, at a site's broker or at the one on a `gateway`."""
    place = user.name if user.role == "gateway" else gateway
    for topic in TOPICS:
        right = RIGHTS.get(topic)
        if right is None:
            continue
        reads = _is(user, right.read, topic)
        if _is(user, right.write, topic):
            yield Grant(does="write", topic=topic, prefix=LIVE_PREFIX, gateway=place)
        if reads:
            yield Grant(does="read", topic=topic, prefix=LIVE_PREFIX, gateway=place)
        if user.role == "control_room":
            yield Grant(does="write", topic=topic, prefix=REPLAY_PREFIX, gateway="+")
        if user.role == "control_room" or (user.role == "subscriber" and reads):
            yield Grant(does="read", topic=topic, prefix=REPLAY_PREFIX, gateway="+")


def _is(user: Entry, parties: frozenset[Party], topic: str) -> bool:
    return user.role in parties and (user.role != "system" or user.speaks == topic)
