"""Judge a recording by the rules that were in force: the alarms that its positions raise.

Knows nothing about files, MQTT or pictures.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import replace
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
    watch, check = Watch(site), TagCheck(site.limits.tags, Floor(site.floor))
    adopted = _active_at(min(instants, default=0), recorded)
    watch.adopt(adopted)
    check.adopt(adopted)
    heard = ((_said_at_ns(one), one) for one in messages)
    waiting = deque(
        sorted(((ns, one) for ns, one in heard if ns is not None), key=lambda item: item[0])
    )
    changing = deque(sorted(changes, key=lambda item: item[0]))
    found: list[Anomaly] = []
    for at_ns in sorted(instants):
        while changing and changing[0][0] <= at_ns:
            watch.change(changing.popleft()[1])
        while waiting and waiting[0][0] + COUNTS_AFTER_S * 1e9 <= at_ns:
            said = waiting.popleft()[1]
            watch.hear(said)
            check.hear(said)
        found += watch.update(instants[at_ns])
        found += check.update(instants[at_ns])
    return tuple(found)


def _active_at(from_ns: int, recorded: Iterable[Anomaly]) -> tuple[Anomaly, ...]:
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
    recorded: Iterable[Anomaly], judged: Iterable[Anomaly], *, from_ns: int
) -> list[str]:
    """Compare two lists of alarms about people; gives one line per difference, none if equal.

    Alarms that were raised before `from_ns`, the first recorded instant, are left out: what led to
    them is not in the recording.
    """
    lines = []
    first, second = (
        {(one.id, one.state): one for one in once_each(given) if about_people(one)}
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
