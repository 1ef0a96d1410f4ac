"""When the gateway or a camera was not as it should be, as stretches of time.

Knows nothing about formats. Where nothing was said, that is a stretch of its own: silence is never
health.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from control_room.incident.gather import Gathered
from control_room.incident.span import Span
from scene.messages import GatewayHealth
from scene.topics import HEARTBEAT_S, SILENT_AFTER_S

SILENT_NS = round(SILENT_AFTER_S * 1e9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A time in which something was wrong."""

    from_ns: int
    to_ns: int
    what: str
    """`gateway`, `camera`, `detection`."""
    name: str
    state: str
    detail: str


def outages_of(found: Gathered, span: Span) -> tuple[Outage, ...]:
    """List what was wrong within a span, cut to it, by time."""
    heard = [one.body for one in found.health]
    near = [
        one
        for one in heard
        if span.from_ns - SILENT_NS <= one.captured_at_ns <= span.to_ns + SILENT_NS
    ]
    stretches = [*_silences(found, near, span), *_states(near), *_offline(found, span)]
    cut = [
        replace(one, from_ns=max(one.from_ns, span.from_ns), to_ns=min(one.to_ns, span.to_ns))
        for one in stretches
        if one.from_ns < span.to_ns and one.to_ns > span.from_ns
    ]
    return tuple(sorted(cut, key=lambda one: (one.from_ns, one.what, one.name)))


def _silences(found: Gathered, near: list[GatewayHealth], span: Span) -> Iterator[Outage]:
    """Find where no heartbeat is recorded for longer than a gateway may be silent."""
    told = [
        span.from_ns - SILENT_NS - 1,
        *(one.captured_at_ns for one in near),
        span.to_ns + SILENT_NS + 1,
    ]
    for before_ns, after_ns in pairwise(sorted(told)):
        if after_ns - before_ns > SILENT_NS:
            yield Outage(
                from_ns=before_ns + round(HEARTBEAT_S * 1e9),
                to_ns=after_ns,
                what="gateway",
                name=found.gateway,
                state="unknown",
                detail="no heartbeat is recorded: what its cameras saw then is not known",
            )


def _states(near: list[GatewayHealth]) -> Iterator[Outage]:
    """Join heartbeats in which a camera, or detection, was equally wrong; the last detail stays."""
    open_now: dict[tuple[str, str], Outage] = {}
    for beat in near:
        at_ns = beat.captured_at_ns
        wrong: dict[tuple[str, str], tuple[str, str]] = {
            ("camera", one.name): (one.state, one.detail)
            for one in beat.cameras
            if one.state != "ok"
        }
        if beat.degraded:
            wrong["detection", ""] = ("degraded", beat.degraded)
        for key, was in list(open_now.items()):
            ends = key not in wrong or wrong[key][0] != was.state
            if ends or at_ns - was.to_ns > SILENT_NS:
                del open_now[key]
                yield replace(was, to_ns=at_ns if at_ns - was.to_ns <= SILENT_NS else was.to_ns)
        for key, (state, detail) in wrong.items():
            was_ns = open_now[key].from_ns if key in open_now else at_ns
            open_now[key] = Outage(
                from_ns=was_ns, to_ns=at_ns, what=key[0], name=key[1], state=state, detail=detail
            )
    for one in open_now.values():
        yield replace(
            one, to_ns=one.to_ns + 1_000_000_000
        )  # until the next heartbeat, which isn't there


def _offline(found: Gathered, span: Span) -> Iterator[Outage]:
    """Find where the broker, or the gateway itself, said that it is gone."""
    gone_ns: int | None = None
    for one in found.states:
        if not one.body.online and gone_ns is None:
            gone_ns = one.at_ns
        elif one.body.online and gone_ns is not None:
            yield _gone(found, gone_ns, one.at_ns)
            gone_ns = None
    if gone_ns is not None and gone_ns < span.to_ns:
        yield _gone(found, gone_ns, span.to_ns)


def _gone(found: Gathered, from_ns: int, to_ns: int) -> Outage:
    return Outage(
        from_ns=from_ns,
        to_ns=to_ns,
        what="gateway",
        name=found.gateway,
        state="offline",
        detail="it, or the broker for it, said that it is offline",
    )
