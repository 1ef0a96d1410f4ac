"""Judge a recording by the rules that were in force: the alarms that its positions raise.

Knows nothing about files, MQTT or pictures.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

from location.rules.inbox import COUNTS_AFTER_S
from location.tag_check import TagCheck
from location.watch import Watch
from scene.alarms import ALARMS
from scene.floor import Floor
from scene.messages import (
    Anomaly,
    GatewayHealth,
    Machines,
    Order,
    Positions,
    SiteDescription,
    Tags,
)
from scene.site import Site, parse_site
from scene.wire import Message

_NUMBERS = count()
"""Messages of one instant are heard in the order in which they were given."""


def site_of(description: SiteDescription, *, name: str) -> Site:
    """Read the site file that a recording carries; `name` is used in errors (`SiteError`)."""
    return parse_site(
        description.site_yaml, name=f"{name}: site file", folder=Path(), check_files=False
    )


def judge(
    site: Site,
    positions: Iterable[Positions],
    recorded: Iterable[Anomaly] = (),
    messages: Iterable[Message] = (),
    changes: Iterable[tuple[int, Site]] = (),
) -> tuple[Anomaly, ...]:
    """Run the site's rules over positions; gives every raise, clear and carrying on, in order.

    The same instant may be given twice, as it is recorded both by MQTT and with its picture; the
    order does not matter. Of the `recorded` alarms those from before the first instant are taken
    as active then, as the gateway took them back when it started. `messages` are what else was
    recorded, in any order; those that the rules hear (health, machines, tags, orders) count from
    when they did, live. `changes` are the site as it was changed while running, each with the
    instant from which it counts.
    """
    instants = {one.captured_at_ns: one for one in positions}
    judge = Judge(site, active_at(min(instants, default=0), recorded), changes)
    for message in messages:
        judge.hear(message)
    return tuple(word for at_ns in sorted(instants) for word in judge.see(instants[at_ns]))


class Judge:
    """Judges instants as they are given, in the order of capture, each once."""

    def __init__(
        self,
        site: Site,
        adopted: Sequence[Anomaly],
        changes: Iterable[tuple[int, Site]] = (),
    ) -> None:
        """Begin with the alarms that were active then; `changes` as `judge` takes them."""
        self._watch = Watch(site)
        self._check = TagCheck(site.limits.tags, Floor(site.floor))
        self._watch.adopt(adopted)
        self._check.adopt(adopted)
        self._changing = deque(sorted(changes, key=lambda item: item[0]))
        self._waiting: list[tuple[int, int, Message]] = []

    def hear(self, message: Message) -> None:
        """Take what the rules hear; it must come before the instants from which it counts."""
        said_ns = _said_at_ns(message)
        if said_ns is not None:
            heapq.heappush(self._waiting, (said_ns, next(_NUMBERS), message))

    def change(self, at_ns: int, site: Site) -> None:
        """Go by other rules from an instant on, one that has not been seen yet."""
        self._changing.append((at_ns, site))

    def see(self, positions: Positions) -> tuple[Anomaly, ...]:
        """Judge an instant; gives what is new about alarms."""
        at_ns = positions.captured_at_ns
        while self._changing and self._changing[0][0] <= at_ns:
            self._watch.change(self._changing.popleft()[1])
        while self._waiting and self._waiting[0][0] + COUNTS_AFTER_S * 1e9 <= at_ns:
            said = heapq.heappop(self._waiting)[2]
            self._watch.hear(said)
            self._check.hear(said)
        return (*self._watch.update(positions), *self._check.update(positions))


def active_at(from_ns: int, recorded: Iterable[Anomaly]) -> tuple[Anomaly, ...]:
    """List the alarms that were active at an instant, each as it was last told before it."""
    before: dict[str, Anomaly] = {}
    for one in sorted(recorded, key=lambda one: one.captured_at_ns):
        if one.captured_at_ns < from_ns:
            before[one.id] = one
        elif one.raised_at_ns < from_ns:
            # Nothing of it was recorded before, e.g. but its end.
            before.setdefault(one.id, replace(one, state="active"))
    return tuple(one for one in before.values() if one.state == "active")


def _said_at_ns(message: Message) -> int | None:
    """Tell when something was said that rules hear; none for anything else."""
    if isinstance(message, Order):
        return message.ordered_at_ns
    if isinstance(message, GatewayHealth | Machines | Tags):
        return message.captured_at_ns
    return None


def about_people(anomaly: Anomaly) -> bool:
    """Tell whether the rules can raise it again; a system alarm can only be passed on."""
    kind = ALARMS.get(anomaly.kind)
    return kind is not None and kind.about == "person"


def once_each(anomalies: Iterable[Anomaly]) -> tuple[Anomaly, ...]:
    """Drop repetitions: an alarm is sent again until it is receipted."""
    seen: set[tuple[str, str]] = set()
    kept = []
    for anomaly in anomalies:
        if (anomaly.id, anomaly.state) not in seen:
            seen.add((anomaly.id, anomaly.state))
            kept.append(anomaly)
    return tuple(kept)


def differences(
    recorded: Iterable[Anomaly],
    judged: Iterable[Anomaly],
    *,
    from_ns: int,
    counts: Callable[[Anomaly], bool] = about_people,
) -> list[str]:
    """Compare two lists of alarms; gives one line per difference, none if equal.

    Only those that `counts` says are compared, by default those about people. Alarms that were
    raised before `from_ns`, the first recorded instant, are left out: what led to them is not in
    the recording.
    """
    lines = []
    first, second = (
        {(one.id, one.state): one for one in once_each(given) if counts(one)}
        for given in (recorded, judged)
    )
    for key in sorted(first.keys() | second.keys()):
        was, now = first.get(key), second.get(key)
        if was is not None and was.raised_at_ns < from_ns:
            continue
        name = f"{key[0]} {key[1]}"
        if was is None:
            lines.append(f"{name}: raised by the replay, not in the recording")
        elif now is None:
            lines.append(f"{name}: in the recording, not raised by the replay")
        elif was != now:
            fields = [
                f"{field} {getattr(was, field)!r} became {getattr(now, field)!r}"
                for field in Anomaly.__dataclass_fields__
                if getattr(was, field) != getattr(now, field)
            ]
            lines.append(f"{name}: {'; '.join(fields)}")
    return lines
