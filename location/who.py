"""What an alarm's evidence calls a person: by name as soon as there is one, with the number.

Knows nothing about alarms.
"""


def who(track: int, worker: str | None) -> str:
    """Name a person at the head of a sentence.

    >>> who(66, None), who(66, "Li Wei")
    ('Person 66', 'Li Wei (person 66)')
    """
    return f"{worker} (person {track})" if worker else f"Person {track}"
