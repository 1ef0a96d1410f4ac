"""Judge a recording by the rules that were in force: the alarms that its positions raise.

Knows nothing about files, MQTT or pictures.
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from location.watch import Watch
from scene.alarms import ALARMS
from scene.messages import Anomaly, Positions, SiteDescription
from scene.site import Site, parse_site


def site_of(description: SiteDescription, *, name: str) -> Site:
    """Read the site file that a recording carries; `name` is used in errors (`SiteError`)."""
    return parse_site(
        description.site_yaml, name=f"{name}: site file", folder=Path(), check_files=False
    )


def judge(
    site: Site, positions: Iterable[Positions], recorded: Iterable[Anomaly] = ()
) -> tuple[Anomaly, ...]:
    """Run the site's rules over positions; gives every raise, clear and carrying on, in order.

    The same instant may be given twice, as it is recorded both by MQTT and with its picture; the
    order does not matter. Of the `recorded` alarms those from before the first instant are taken
    as active then, as the gateway took them back when it started.
    """
    instants = {one.captured_at_ns: one for one in positions}
    watch = Watch(site)
    from_ns = min(instants, default=0)
    before = {one.id: one for one in recorded if one.raised_at_ns < from_ns}
    watch.adopt(tuple(replace(one, state="active") for one in before.values()))
    return tuple(anomaly for at_ns in sorted(instants) for anomaly in watch.update(instants[at_ns]))


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
