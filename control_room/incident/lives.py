"""The whole life of each alarm: raised, told again, stored, acknowledged, shelved, ended, cleared.

Knows nothing about formats. What a gateway said is in the recording; what people did is in the
control room's journal, and here only if that is given.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from control_room.incident.gather import Gathered, Heard
from control_room.lifecycle import CONTROL_ROOM, Act
from scene.messages import Anomaly

What = Literal[
    "raised", "told again", "cleared", "stored", "order", "acknowledge", "shelve", "unshelve", "end"
]
ActsOf = Callable[[str], Sequence[Act]]
"""Gives what people did with an alarm of this gateway, by its id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to an alarm."""

    at_ns: int
    what: What
    by: str = ""
    """Who did it, as far as it was somebody."""
    reason: str = ""
    until_ns: int | None = None
    """Of a shelved alarm: when it comes back."""
    word: Anomaly | None = None
    """What the gateway said."""
    trust: str = ""
    """How the message came: signed, unsigned, unchecked; `journal` for what people did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One alarm from beginning to end, as far as that is known."""

    first: Anomaly
    """The first word on it."""
    last: Anomaly
    raised_at_ns: int
    cleared_at_ns: int | None
    """None: not cleared in this recording."""
    events: tuple[Event, ...]

    @property
    def raise_is_there(self) -> bool:
        """Whether the word that raised it is in the recording, not only later ones."""
        return self.first.state == "active" and self.first.captured_at_ns == self.raised_at_ns


def lives_of(found: Gathered, acts_of: ActsOf | None = None) -> tuple[Life, ...]:
    """Tell all alarms' lives, by when they were raised."""
    words: dict[str, list[Heard[Anomaly]]] = {}
    for one in found.alarms:
        words.setdefault(one.body.id, []).append(one)
    lives = [_life(id, said, found, acts_of) for id, said in words.items()]
    return tuple(sorted(lives, key=lambda one: (one.raised_at_ns, one.first.id)))


def in_span(lives: Iterable[Life], from_ns: int, to_ns: int) -> tuple[Life, ...]:
    """Keep those that were active at some instant of a time."""
    return tuple(
        one
        for one in lives
        if one.raised_at_ns < to_ns and (one.cleared_at_ns is None or one.cleared_at_ns >= from_ns)
    )


def as_plain(life: Life) -> dict[str, Any]:
    """Give it as plain values for JSON, times in UTC nanoseconds."""
    return {
        "id": life.first.id,
        "kind": life.first.kind,
        "severity": life.last.severity,
        "raised_at_ns": life.raised_at_ns,
        "raise_is_in_recording": life.raise_is_there,
        "cleared_at_ns": life.cleared_at_ns,
        "events": [asdict(one) for one in life.events],
    }


def _life(id: str, said: list[Heard[Anomaly]], found: Gathered, acts_of: ActsOf | None) -> Life:
    said = sorted(said, key=lambda one: one.body.captured_at_ns)
    first, last = said[0].body, said[-1].body
    cleared_ns = next(
        (one.body.captured_at_ns for one in said if one.body.state == "cleared"), None
    )
    events = [*_words(said), *_machine(id, found)]
    if acts_of is not None:
        events += [
            Event(
                at_ns=act.at_ns,
                what=act.action,
                by=act.by,
                reason=act.reason,
                until_ns=act.until_ns,
                trust="journal",
            )
            for act in acts_of(id)
        ]
    return Life(
        first=first,
        last=last,
        raised_at_ns=min(one.body.raised_at_ns for one in said),
        cleared_at_ns=cleared_ns,
        events=tuple(sorted(events, key=lambda one: one.at_ns)),
    )


def _words(said: list[Heard[Anomaly]]) -> list[Event]:
    """Tell what the gateway said, each word once: it is sent again until it is receipted."""
    events, before = list[Event](), None
    for one in said:
        body = one.body
        if before is not None and body == before:
            continue
        what: What = "told again"
        if body.state == "cleared":
            what = "cleared"
        elif before is None and body.captured_at_ns == body.raised_at_ns:
            what = "raised"
        events.append(Event(at_ns=body.captured_at_ns, what=what, word=body, trust=one.trust))
        before = body
    return events


def _machine(id: str, found: Gathered) -> list[Event]:
    """Tell that it was stored, and of orders to end it, each once."""
    events = list[Event]()
    for receipt in found.receipts:
        one = receipt.body
        ids = {one.alarm: one.state} | {also.alarm: also.state for also in one.also}
        if id in ids:
            told = Event(
                at_ns=one.stored_at_ns,
                what="stored",
                by=CONTROL_ROOM,
                reason=ids[id],
                trust=receipt.trust,
            )
            events.append(told)
    for order in found.orders:
        given = order.body
        if given.alarm == id:
            events.append(
                Event(
                    at_ns=given.ordered_at_ns,
                    what="order",
                    by=given.by,
                    reason=given.reason,
                    trust=order.trust,
                )
            )
    unique = {(one.at_ns, one.what, one.by, one.reason): one for one in events}
    return list(unique.values())
