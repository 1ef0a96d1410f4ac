"""Two who are one: a person whom two cameras place apart may be begun twice.

Knows nothing about pictures: only who is where, and which camera saw whom.
"""

import numpy as np

from location.person import Person

NEAR_M = 0.4


def without_doubles(
    people: list[Person], seen: dict[int, list[int]], step_s: float
) -> list[Person]:
    """Drop the younger of two who are at one place while no camera sees both at once.

    `seen` tells which views saw whom, by order of birth; `step_s` is the time since the last look.
    """
    gone: set[int] = set()
    near: set[int] = set()
    for one, two in _close_pairs(people, NEAR_M):
        both = set(seen.get(one.born, [])) & set(seen.get(two.born, []))
        if both:
            continue
        older, younger = (one, two) if _rank(one) < _rank(two) else (two, one)
        near.add(younger.born)
        # Half a second at most for one look: two who pass each other stay two.
        if younger.beside_s + min(step_s, 0.5) > 1.0 or not younger.track:
            gone.add(younger.born)
            if younger.seen_at_ns > older.seen_at_ns and younger.track:
                older.motion, older.doubt = younger.motion, younger.doubt
                older.seen_at_ns, older.evidence = younger.seen_at_ns, younger.evidence
                older.cameras, older.cameras_at_ns = younger.cameras, younger.cameras_at_ns
                older.take_heights(younger)
    for person in people:
        person.beside_s = person.beside_s + step_s if person.born in near else 0.0
    return [person for person in people if person.born not in gone]


def _close_pairs(people: list[Person], within_m: float) -> list[tuple[Person, Person]]:
    if len(people) < 2:
        return []
    xy = np.array([person.motion.mean[:2] for person in people])
    apart = np.linalg.norm(xy[:, None] - xy[None], axis=2)
    rows, columns = np.nonzero(np.triu(apart <= within_m, 1))
    return [(people[i], people[j]) for i, j in zip(rows.tolist(), columns.tolist(), strict=True)]


def _rank(person: Person) -> tuple[bool, int]:
    return (not person.track, person.born)
