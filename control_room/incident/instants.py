"""Recordings' records round a span, and its people's places, each instant once and in order.

Knows nothing about pictures or files.
"""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import replace

from control_room.incident.gather import Gathered, is_of, is_shown
from control_room.incident.span import Span
from delivery.recordings.format import Record
from scene.messages import PanoramaPacket, Position, Positions

AROUND_NS = 10_000_000_000
"""So much more is read before and behind: pictures are received later than they are taken."""
LATE_NS = 5_000_000_000
"""Positions are put in order over so long."""
FAR = 1e7
"""Metres and pixels further off are nobody's."""
FAR_NS = 2**63


def records_round(found: Gathered, span: Span) -> Iterator[Record]:
    """Read pictures and positions round a span, by when they were received."""
    files = [
        file.records(
            from_ns=span.from_ns - AROUND_NS,
            to_ns=span.to_ns + AROUND_NS,
            from_key_frame=True,
            wanted=is_shown,
        )
        for file in found.files
    ]
    for record in heapq.merge(*files, key=lambda one: one.at_ns):
        if not is_of(found, record):
            found.others += 1
            continue
        if isinstance(record.body, Positions) and span.has(record.body.captured_at_ns):
            found.trust[record.trust] += 1
        yield _with_possible_people(found, record)


def _with_possible_people(found: Gathered, record: Record) -> Record:
    """Leave out whoever has figures that no person has, and count them."""
    body = record.body
    said = body.positions if isinstance(body, PanoramaPacket) else body
    if not isinstance(said, Positions) or all(map(is_possible, said.people)):
        return record
    people = tuple(one for one in said.people if is_possible(one))
    found.impossible += len(said.people) - len(people)
    left = replace(said, people=people)
    if isinstance(body, PanoramaPacket):
        return replace(record, body=replace(body, positions=left))
    return replace(record, body=left)


def is_possible(person: Position) -> bool:
    """Tell whether somebody's figures can be a person's in a mine, however unsure."""
    lengths = (*person.xyz_m, person.height_m, *person.covariance_m2[0], *person.covariance_m2[1])
    pixels = (*(person.panorama_xy or ()), *(person.panorama_head_xy or ()))
    near = all(abs(one) < FAR for one in (*lengths, *pixels))
    return near and abs(person.track) < FAR_NS and abs(person.seen_at_ns) < FAR_NS


def in_order(records: Iterable[Record], span: Span) -> Iterator[tuple[Positions, str]]:
    """Give each instant's positions once, by time; a message counts more than a picture's own."""
    waiting = list[tuple[int, int, int, Positions, str]]()
    newest_ns, last_ns = span.from_ns, span.from_ns - 1

    def ready(until_ns: int | None) -> Iterator[tuple[Positions, str]]:
        nonlocal last_ns
        while waiting and (until_ns is None or waiting[0][0] < until_ns):
            at_ns, _, _, said, source = heapq.heappop(waiting)
            if at_ns != last_ns:
                last_ns = at_ns
                yield said, source

    for number, record in enumerate(records):
        body = record.body
        if isinstance(body, PanoramaPacket):
            said, rank, source = body.positions, 1, "picture"
        elif isinstance(body, Positions):
            said, rank, source = body, 0, record.trust
        else:
            continue
        if not span.has(said.captured_at_ns):
            continue
        heapq.heappush(waiting, (said.captured_at_ns, rank, number, said, source))
        newest_ns = max(newest_ns, said.captured_at_ns)
        yield from ready(newest_ns - LATE_NS)
    yield from ready(None)
