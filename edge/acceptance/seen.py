"""Tell who of those told is seen by cameras, and not only thought to be somewhere.

Knows nothing about who truly walks.
"""

from scene.messages import Position, Positions

FRESH_S = 1.0
"""Whom no camera has seen for so long is no longer seen."""


def seen_people(told: Positions) -> list[Position]:
    """List those whom a camera sees; of the others the place is only a prediction."""
    return [one for one in told.people if _is_seen(one, told.captured_at_ns)]


def _is_seen(person: Position, at_ns: int) -> bool:
    return bool(person.cameras) and at_ns - person.seen_at_ns <= FRESH_S * 1e9
