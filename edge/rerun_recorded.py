"""What live had, as its recording tells it: positions, alarms, and what else the rules hear.

Knows nothing about second runs.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from delivery.recordings.reader import RecordingFile
from edge.live import STARTED_ANEW
from edge.rerun_compare import Results
from scene.messages import Anomaly, GatewayHealth, Machines, Order, PanoramaPacket, Positions, Tags
from scene.wire import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """What live had."""

    results: Results = field(default_factory=Results)
    other: list[Message] = field(default_factory=list)
    """What else the rules hear."""
    said: list[tuple[int, Anomaly]] = field(default_factory=list)
    """The alarms of `results`, each with the time at which it was recorded."""
    positions: dict[int, Positions] = field(default_factory=dict)
    """By instant; only where they are asked for whole."""
    heard_at_ns: dict[int, int] = field(default_factory=dict)
    """When these were recorded."""
    left: set[str] = field(default_factory=set)
    """Alarms that a gateway cleared when it was started anew: no rule did, so none are in here."""


def read_live(
    paths: Iterable[Path],
    *,
    from_ns: int | None = None,
    whole: bool = False,
    on_missing: Callable[[str], None] | None = None,
) -> Live:
    """Read it from a run's files, `from_ns` on by the recorder's clock; raises `RecordingError`."""
    live = Live()
    for path in paths:
        for record in RecordingFile(path, on_missing=on_missing).records(from_ns=from_ns):
            body = record.body
            if isinstance(body, Anomaly):
                live.said.append((record.at_ns, body))
            elif isinstance(body, Positions | PanoramaPacket):
                places = body.positions if isinstance(body, PanoramaPacket) else body
                live.results.add(places)
                if whole:
                    live.positions.setdefault(places.captured_at_ns, places)
                    live.heard_at_ns.setdefault(places.captured_at_ns, record.at_ns)
            elif isinstance(body, GatewayHealth | Machines | Order | Tags):
                live.other.append(body)
    # What was left over of a run before is cleared by the gateway, not by the rules.
    live.left.update(one.id for _, one in live.said if one.evidence == STARTED_ANEW)
    live.said[:] = [(at_ns, one) for at_ns, one in live.said if one.id not in live.left]
    live.results.alarms = [one for _, one in live.said]
    return live
