"""The stations of a scripted walk: places with known coordinates, and what is to happen there.

Knows nothing about who walks. A CSV file with a heading: `station`, then `x_m,y_m` (and `z_m`) or
`chainage_m` (and `left_m`); may have `stay_s`, `expect` (a kind of alarm), `zone`, `note`.
"""

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from location.watch import rules
from scene.alarms import ALARMS
from scene.errors import LamproomError, printable, why_unreadable
from scene.floor import Floor
from scene.html_page import Both
from scene.landmarks import by_landmark, nearest
from scene.landmarks_config import landmarks_of
from scene.messages import XY
from scene.site import Site

PLACES = (("x_m", "y_m"), ("chainage_m",))
COLUMNS = (
    "station",
    "x_m",
    "y_m",
    "z_m",
    "chainage_m",
    "left_m",
    "stay_s",
    "expect",
    "zone",
    "note",
)
USUAL_STAY_S = 10.0
STAY_S = (3.0, 600.0)
MOST_STATIONS, MOST_BYTES, LONGEST_TEXT = 200, 1_000_000, 80
BESIDE_M = 2.0
"""A station so far beside the floor is a slip."""


class StationsError(LamproomError):
    """The file of stations has mistakes; each is one line that names file, line and column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """One station of a walk."""

    name: str
    where: Both
    """By support or mark, or by chainage."""
    xy_m: XY
    stay_s: float
    expect: str | None
    """The kind of alarm that must come."""
    zone: str | None
    note: str


def read_stations(path: Path, site: Site) -> tuple[Stop, ...]:
    """Read the stations in the order in which they are walked; raises `StationsError`."""
    rows = _rows(path)
    stops, wrong = list[Stop](), list[str]()
    floor = Floor(site.floor)
    for line, row in rows:
        try:
            stops.append(_stop(row, site, floor))
        except ValueError as error:
            wrong.append(f"{path}:{line}: {printable(str(error))}")
    names = [stop.name for stop in stops]
    for name in sorted({name for name in names if names.count(name) > 1}):
        wrong.append(f"{path}: station: {printable(name)} is given twice; names are unique")
    if wrong:
        raise StationsError("\n".join(wrong))
    return tuple(stops)


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    try:
        data = path.read_bytes()
        text = data[: MOST_BYTES + 1].decode("utf-8-sig")
    except FileNotFoundError:
        raise StationsError(f"{path}: there is no such file of stations") from None
    except (OSError, UnicodeDecodeError) as error:
        raise StationsError(f"{path}: can't be read: {why_unreadable(error)}") from None
    if len(data) > MOST_BYTES:
        raise StationsError(f"{path}: is larger than {MOST_BYTES:,} bytes: no file of stations")
    try:
        reader = csv.DictReader(text.splitlines(), restkey="", restval="", strict=True)
        heads = [(head or "").strip() for head in reader.fieldnames or ()]
        _check_heads(heads, path)
        rows = []
        for row in reader:
            if row.get(""):
                raise StationsError(f"{path}:{reader.line_num}: has more fields than the heading")
            told = {(key or "").strip(): (value or "").strip() for key, value in row.items()}
            if any(told.values()):
                rows.append((reader.line_num, told))
    except csv.Error as error:
        raise StationsError(f"{path}: is no CSV: {error}") from None
    if not rows:
        raise StationsError(f"{path}: has no station; give one a line below the heading")
    if len(rows) > MOST_STATIONS:
        raise StationsError(f"{path}: has {len(rows)} stations; give at most {MOST_STATIONS}")
    return rows


def _check_heads(heads: list[str], path: Path) -> None:
    unknown = [head for head in heads if head not in COLUMNS]
    if unknown:
        raise StationsError(
            f"{path}:1: {printable(unknown[0], 40)!r} is not a column; known: {', '.join(COLUMNS)}"
        )
    if len(set(heads)) != len(heads):
        raise StationsError(f"{path}:1: a column is given twice")
    if "station" not in heads or not any(all(c in heads for c in one) for one in PLACES):
        raise StationsError(f"{path}:1: give the columns station, and x_m and y_m or chainage_m")


def _stop(row: Mapping[str, str], site: Site, floor: Floor) -> Stop:
    name, note = _text(row, "station"), _text(row, "note")
    if not name:
        raise ValueError("station: is empty; give each a name or number")
    xy_m = _place(row, floor)
    off_m = float(floor.outside_m(np.array([xy_m]))[0])
    if off_m > BESIDE_M:
        raise ValueError(
            f"station {name} lies {off_m:.0f} m beside the floor; is the unit metres, and are x_m "
            "and y_m in this order?"
        )
    stay_s = _number(row, "stay_s", USUAL_STAY_S)
    if not STAY_S[0] <= stay_s <= STAY_S[1]:
        raise ValueError(f"stay_s: give {STAY_S[0]:g} to {STAY_S[1]:g} seconds, not {stay_s:g}")
    expect, zone = _expected(row, site)
    return Stop(
        name=name,
        where=_where(site, floor, xy_m),
        xy_m=xy_m,
        stay_s=stay_s,
        expect=expect,
        zone=zone,
        note=note,
    )


def _place(row: Mapping[str, str], floor: Floor) -> XY:
    by_xy, by_chainage = bool(row.get("x_m") or row.get("y_m")), bool(row.get("chainage_m"))
    if by_xy == by_chainage:
        raise ValueError("give x_m and y_m, or chainage_m, and not both")
    if by_xy:
        return _number(row, "x_m"), _number(row, "y_m")
    point = floor.at(
        np.array([_number(row, "chainage_m")]), np.array([_number(row, "left_m", 0.0)])
    )[0]
    return float(point[0]), float(point[1])


def _expected(row: Mapping[str, str], site: Site) -> tuple[str | None, str | None]:
    """Read what alarm must come; only one that the site watches for can."""
    kind, zone = _text(row, "expect") or None, _text(row, "zone") or None
    if kind is None:
        if zone is not None:
            raise ValueError("zone: without `expect` there is no alarm that it could be of")
        return None, None
    if kind not in ALARMS or ALARMS[kind].about != "person":
        people = ", ".join(one for one, row in ALARMS.items() if row.about == "person")
        raise ValueError(f"expect: {kind} is no kind of alarm about people; known: {people}")
    names = [one.name for one in site.zones] + [one.name for one in site.gates]
    if zone is not None and zone not in names:
        raise ValueError(f"zone: {zone} is no zone or gate of the site file")
    watched = [rule for rule in rules(site) if rule.kind == kind and zone in (None, rule.zone)]
    if not watched:
        there = f" in {zone}" if zone else ""
        raise ValueError(f"expect: the site file does not watch for {kind}{there}")
    return kind, zone


def _where(site: Site, floor: Floor, xy_m: XY) -> Both:
    chainage_m = floor.chainage_m(xy_m)
    near = nearest(landmarks_of(site.supports, site.marks), chainage_m)
    if near is None:
        return f"metre {chainage_m:.1f}", f"里程 {chainage_m:.1f} 米"
    return by_landmark(near, chainage_m), by_landmark(near, chainage_m, "zh")


def _text(row: Mapping[str, str], column: str) -> str:
    text = row.get(column, "")
    if len(text) > LONGEST_TEXT or not text.isprintable():
        raise ValueError(f"{column}: give at most {LONGEST_TEXT} printable signs")
    return text


def _number(row: Mapping[str, str], column: str, usual: float | None = None) -> float:
    text = row.get(column, "")
    if not text and usual is not None:
        return usual
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or abs(number) > 1e6:
        raise ValueError(f"{column}: give a number, not {text!r}")
    return number
