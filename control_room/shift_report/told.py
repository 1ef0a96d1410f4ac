"""Reads conditions back: what the control room wrote down of itself, of head-counts and gateways.

Knows nothing about pages. Where two control rooms wrote, or a clock was set back, stretches
overlap: then at each instant the one that began last holds. Gaps that are no longer than between
two looks are none.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from control_room.journal.conditions import GAP_S, STRETCH_NS
from control_room.journal.database import Database, Row
from control_room.shift_report.span import NS, Span
from scene.messages import WIRE, SiteDescription

T = TypeVar("T")
PAGE = 1000
GAP_NS = round(GAP_S * NS)
MOST_KEYS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomTold:
    """How the control room was."""

    __pydantic_config__: ClassVar[ConfigDict] = WIRE
    what: ClassVar[str] = "room"
    broker: bool
    trouble: str
    operators: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadsTold:
    """How many were where in one site."""

    __pydantic_config__: ClassVar[ConfigDict] = WIRE
    what: ClassVar[str] = "heads"
    people: int
    at_least: int
    complete: bool
    metres_seen: int
    metres: int
    uncounted: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    areas: tuple[tuple[str | None, int, int, int, int], ...] = ()
    """Zone (none: outside all), people, at least, metres seen, metres."""
    blind: tuple[tuple[float, float, str], ...] = ()
    """Chainage from, to, whose."""
    more_areas: int = 0
    more_blind: int = 0
    """So many had no room in this look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayTold:
    """How one gateway and its cameras were."""

    __pydantic_config__: ClassVar[ConfigDict] = WIRE
    what: ClassVar[str] = "gateway"
    silent: bool
    told: bool = False
    """Whether it has ever said how it is."""
    never_heard: bool = False
    cameras: dict[str, str] = field(default_factory=dict)
    more_cameras: int = 0
    """So many had no room in this look."""
    degraded: str = ""
    clock_off_s: int = 0
    lost: float = 0.0


_READS: dict[str, TypeAdapter[Any]] = {
    **{one.what: TypeAdapter(one) for one in (RoomTold, HeadsTold, GatewayTold)},
    "roadway": TypeAdapter(SiteDescription),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch(Generic[T]):
    """A time in which something was so."""

    from_ns: int
    until_ns: int
    told: T

    @property
    def long_ns(self) -> int:
        """How long it is."""
        return self.until_ns - self.from_ns


def places(database: Database, what: str, site: str | None) -> list[tuple[str, str]]:
    """Name the sites and gateways of which there is anything; raises `JournalError`."""
    found: list[tuple[str, str]] = []
    last = ("", "") if site is None else (site, "")
    sign = ">="
    while len(found) < MOST_KEYS:  # from one to the next by the index, however many rows each has
        rows = database.rows(
            f"SELECT site, gateway FROM condition WHERE what = ? AND (site, gateway) {sign} (?,?) "
            "ORDER BY site, gateway LIMIT 1",
            (what, *last),
        )
        if not rows or (site is not None and rows[0][0] != site):
            break
        last, sign = (rows[0][0], rows[0][1]), ">"
        found.append(last)
    return found


def stretches(
    database: Database, told: type[T], site: str, gateway: str, span: Span
) -> Iterator[Stretch[T]]:
    """Give what was told of a site's gateway within the span, in order, nowhere twice.

    What can't be read is passed over, and is as if nobody had looked. Raises `JournalError`.
    """
    what: str = getattr(told, "what")  # noqa: B009  every one of them has it
    reads = _READS[what]
    before: Stretch[T] | None = None
    for from_ns, until_ns, body in _flat(_rows(database, what, site, gateway, span)):
        try:
            now = Stretch(from_ns=from_ns, until_ns=until_ns, told=reads.validate_json(body))
        except ValidationError:
            continue
        if before is not None:
            yield from _clipped(_joined(before, now.from_ns), span)
        before = now
    if before is not None:
        yield from _clipped(_joined(before, span.to_ns), span)


def roadways(
    database: Database, site: str, gateway: str, span: Span
) -> list[Stretch[SiteDescription]]:
    """Give how a gateway described itself within the span, each description once."""
    found: list[Stretch[SiteDescription]] = []
    for from_ns, until_ns, body in _flat(_rows(database, "roadway", site, gateway, span)):
        try:
            told = _READS["roadway"].validate_json(body)
        except ValidationError:
            continue
        if not found or found[-1].told != told:
            found.append(Stretch(from_ns=from_ns, until_ns=until_ns, told=told))
    return found


def _joined(before: Stretch[T], next_ns: int) -> Stretch[T]:
    """Carry a stretch on to the next one, where that is no further off than another look."""
    if 0 < next_ns - before.until_ns <= GAP_NS:
        return Stretch(from_ns=before.from_ns, until_ns=next_ns, told=before.told)
    return before


def _clipped(one: Stretch[T], span: Span) -> Iterator[Stretch[T]]:
    from_ns, until_ns = max(one.from_ns, span.from_ns), min(one.until_ns, span.to_ns)
    if from_ns < until_ns:
        yield Stretch(from_ns=from_ns, until_ns=until_ns, told=one.told)


def _rows(database: Database, what: str, site: str, gateway: str, span: Span) -> Iterator[Row]:
    """Give from, until and body of all stretches that may touch the span, by when they began."""
    after_ns = span.from_ns - STRETCH_NS - 60 * NS
    while True:
        page = database.rows(
            "SELECT from_ns, until_ns, body FROM condition WHERE what = ? AND site = ? "
            "AND gateway = ? AND from_ns > ? AND from_ns < ? ORDER BY from_ns LIMIT ?",
            (what, site, gateway, after_ns, span.to_ns, PAGE),
        )
        yield from (row for row in page if row[1] + GAP_NS >= span.from_ns)
        if len(page) < PAGE:
            return
        after_ns = page[-1][0]


def _flat(rows: Iterator[Row]) -> Iterator[tuple[int, int, Any]]:
    """Lay stretches that come by when they began beside each other: the later one lies on top."""
    stack: list[Row] = []
    at_ns = 0
    for row in rows:
        yield from _until(stack, at_ns, row[0])
        at_ns = row[0]
        stack.append(row)
    yield from _until(stack, at_ns, 2**63 - 1)


def _until(stack: list[Row], at_ns: int, end_ns: int) -> Iterator[tuple[int, int, Any]]:
    """Give what lies on top from `at_ns` to `end_ns`, and take away what is over by then."""
    while stack and at_ns < end_ns:
        top = stack[-1]
        if top[1] > at_ns:
            yield at_ns, min(top[1], end_ns), top[2]
            at_ns = min(top[1], end_ns)
        if top[1] <= at_ns:
            stack.pop()
