"""Who may say and hear what: one decision for every topic of `scene/topics.py`.

Knows nothing about how a broker writes it down. A topic without a row here is closed to everybody,
and a test fails.
"""

from dataclasses import dataclass
from typing import Literal

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


RIGHTS: dict[str, Right] = {
    # A gateway hears what it says itself, too: its recorder writes down what went over the broker.
    "state": _by("gateway", "gateway", "control_room", "subscriber"),
    "site": _by("gateway", "gateway", "control_room", "subscriber"),
    "positions": _by("gateway", "gateway", "control_room", "subscriber"),
    "alarm": _by("gateway", "gateway", "control_room", "subscriber"),
    "health": _by("gateway", "gateway", "control_room", "subscriber"),
    # There may be several control rooms: each may look at what another has said.
    "receipt": _by("control_room", "gateway", "control_room"),
    "order": _by("control_room", "gateway", "control_room"),
    "control_room": _by("control_room", "gateway", "control_room"),
    "tags": _by("system", "gateway", "control_room"),
    "machines": _by("system", "gateway", "control_room"),
}
