"""What another model or other rules would have changed over an archive, as data.

Knows nothing about how it is shown (`page.py`). It holds no time of its making: the same archive
gives the same report.
"""

import shlex
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from control_room.journal.export import moment
from edge.reanalysis.archive import Archive
from edge.reanalysis.joined import Done, Row, chains, joined
from edge.reanalysis.tally import Hour

LEAD_S = 5.0
"""A replay begins so long before what is to be seen."""
WHATS = ("gained", "lost", "moved", "same")
MOST_FILES = 5
"""So many are named of those that share a limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the archive was run again with, in words."""

    sites: tuple[str, ...]
    model: str
    """Name and hash; empty for the recorded one."""
    software: str
    searches_on: str


def report(
    archive: Archive, done: Sequence[Done], failed: Sequence[tuple[Path, str]], given: Given
) -> dict[str, Any]:
    """Put the whole report together; `failed` are segments that could not be run again."""
    found = [joined(chain) for chain in chains(done)]
    rows = sorted((row for one in found for row in one.rows), key=_order)
    spans = [one.body["recorded_ns"] for one in done]
    return {
        "format": 1,
        "with": {
            "sites": list(given.sites),
            "model": given.model,
            "software": given.software,
            "searches_on": given.searches_on,
        },
        "complete": not failed and not archive.left_out and all(one.body["whole"] for one in done),
        "in_part": sum(not one.body["whole"] for one in done),
        "not_read": [[str(path), why] for path, why in (*archive.left_out, *failed)],
        "limits": _limits(done),
        "borders": {
            "all": sum(one.borders for one in found),
            "alarms_differ": sum(one.apart for one in found),
        },
        "archive": {
            "segments": len(done),
            "gateways": sorted({"/".join(one.segment.gateway) for one in done}),
            "recorded_h": round(sum(to_ns - from_ns for from_ns, to_ns in spans) / 3.6e12, 3),
            "from": moment(min(span[0] for span in spans)) if spans else "",
            "to": moment(max(span[1] for span in spans)) if spans else "",
            "begins": dict(Counter(str(one.body["begins"]) for one in done)),
            "instants": sum(one.body["instants"] for one in done),
            "compared": sum(one.body["compared"] for one in done),
        },
        "alarms": {
            "by_kind": _counted(rows, lambda row: _known(row).kind),
            "by_day": _counted(rows, lambda row: day(row.change.at_ns)),
            "by_gateway": _counted(rows, lambda row: "/".join(row.done.segment.gateway)),
            "changed": [_told(row) for row in rows if _what(row) != "same"],
        },
        "people": {"hours": _hours(done), "moments": _moments(done)},
    }


def day(at_ns: int) -> str:
    """Name the day of an instant, UTC."""
    return datetime.fromtimestamp(at_ns // 10**9, UTC).date().isoformat()


def _order(row: Row) -> tuple[Any, ...]:
    return (row.change.at_ns, row.done.segment.gateway, row.change.text, _known(row).id)


def _known(row: Row) -> Any:
    cause = row.change.was or row.change.now
    assert cause is not None
    return cause.first


def _what(row: Row) -> str:
    if row.change.was is None:
        return "gained"
    if row.change.now is None:
        return "lost"
    return "moved" if row.change.text else "same"


def _counted(rows: Sequence[Row], by: Any) -> dict[str, dict[str, int]]:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        found[by(row)][_what(row)] += 1
    return {name: {what: found[name][what] for what in WHATS} for name in sorted(found)}


def _told(row: Row) -> dict[str, Any]:
    alarm, was, now = _known(row), row.change.was, row.change.now
    both = was is not None and now is not None
    return {
        "what": _what(row),
        "kind": alarm.kind,
        "zone": alarm.zone,
        "gateway": "/".join(row.done.segment.gateway),
        "at": moment(row.change.at_ns),
        "xyz_m": None if alarm.xyz_m is None else [round(one, 2) for one in alarm.xyz_m],
        "raised_later_s": _later_s(was.first.raised_at_ns, now.first.raised_at_ns)
        if was and now
        else None,
        "ended_later_s": _later_s(was.ended_at_ns, now.ended_at_ns) if was and now else None,
        "ended": [_when(one.ended_at_ns) if one else None for one in (was, now)] if both else None,
        "doubtful": row.doubtful,
        "file": str(row.done.segment.path),
        "replay": replay(row.done, row.recorded_at_ns),
    }


def _later_s(was_ns: int | None, now_ns: int | None) -> float | None:
    return None if was_ns is None or now_ns is None else round((now_ns - was_ns) / 1e9, 2)


def _when(at_ns: int | None) -> str | None:
    return None if at_ns is None else moment(at_ns)


def replay(done: Done, recorded_at_ns: int) -> str:
    """Give the command that shows a moment."""
    at_ns = max(recorded_at_ns - round(LEAD_S * 1e9), done.body["recorded_ns"][0])
    return f"lamproom replay {shlex.quote(str(done.segment.path))} --at {moment(at_ns)}"


def _limits(done: Sequence[Done]) -> list[dict[str, Any]]:
    """List what was not whole, each with the files of which it is true."""
    files = defaultdict[str, list[str]](list)
    for one in done:
        for text in one.body["limits"]:
            files[text].append(str(one.segment.path))
    return [
        {"text": text, "segments": len(names), "files": names[:MOST_FILES]}
        for text, names in sorted(files.items())
    ]


def _hours(done: Sequence[Done]) -> list[dict[str, Any]]:
    """Add up people by gateway and hour."""
    hours: dict[tuple[str, int], Hour] = {}
    for one in done:
        for at_ns, said in one.body["hours"].items():
            name = ("/".join(one.segment.gateway), int(at_ns))
            hours.setdefault(name, Hour()).add(said)
    return [
        {
            "gateway": gateway,
            "hour": moment(at_ns),
            "instants": hour.instants,
            "recorded": _mean(hour.both + hour.only_was, hour.instants),
            "now": _mean(hour.both + hour.only_now, hour.instants),
            "only_recorded": _mean(hour.only_was, hour.instants),
            "only_now": _mean(hour.only_now, hour.instants),
            "apart_m": [hour.apart_m(0.5), hour.apart_m(0.95)] if hour.both else None,
        }
        for (gateway, at_ns), hour in sorted(hours.items())
    ]


def _mean(count: int, instants: int) -> float:
    return round(count / instants, 3) if instants else 0.0


def _moments(done: Sequence[Done]) -> list[dict[str, Any]]:
    return [
        {
            "gateway": "/".join(one.segment.gateway),
            "at": moment(said["at_ns"]),
            "only_recorded": said["only_was"],
            "only_now": said["only_now"],
            "replay": replay(one, said["recorded_at_ns"]),
        }
        for one in done
        for said in one.body["moments"]
    ]
