"""Who a person is: surely, and what an alarm's evidence calls them.

Knows nothing about alarms.
"""

from scene.messages import Position

NAMED = 0.9
"""A name less sure than this exempts nobody and tells nobody from another."""


def surely(person: Position) -> str | None:
    """Tell who somebody surely is; none where that is not known."""
    sure = person.worker_probability is None or person.worker_probability >= NAMED
    return person.worker if sure else None


def who(track: int, worker: str | None) -> str:
    """Name a person at the head of a sentence: by name as soon as there is one, with the number.

    >>> who(66, None), who(66, "Li Wei")
    ('Person 66', 'Li Wei (person 66)')
    """
    return f"{worker} (person {track})" if worker else f"Person {track}"
