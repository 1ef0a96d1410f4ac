"""Which detection models ran while something was recorded, by name and hash.

Knows nothing about models. What the gateway said itself counts: its heartbeat names what it loaded.
Where it says nothing, what the recorder found when the file was begun.
"""

from dataclasses import dataclass

from control_room.incident.gather import Gathered
from control_room.incident.span import Span
from delivery.recordings.run_record import RunRecord
from scene.errors import printable

MOST = 20
"""More than so many are no gateway's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model's file."""

    name: str
    sha256: str
    """Hexadecimal."""


def models_of(found: Gathered, span: Span, run: RunRecord | None) -> tuple[Model, ...]:
    """List the models that ran within a span, by time; empty where nobody says."""
    beats = [one.body for one in found.health if span.has(one.body.captured_at_ns)]
    told = [(beat.detection_model, beat.detection_model_sha256) for beat in beats]
    if not any(digest for _, digest in told) and run is not None:
        told = [(run.model, run.model_sha256)]
    each = dict.fromkeys(
        Model(name=printable(name, 120), sha256=printable(digest, 64))
        for name, digest in told
        if digest
    )
    return tuple(each)[:MOST]
