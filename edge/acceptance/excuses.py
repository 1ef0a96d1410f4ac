"""What a clip's own events do to a camera, so that this, and nothing else, speaks against nobody.

Knows nothing about how a camera was found to be.
"""

from collections.abc import Sequence

from edge.acceptance.alarm_scores import AFTER_S
from edge.acceptance.truth import Event

HUNG = "camera_knock"
STATES: dict[str, tuple[str, ...]] = {
    HUNG: ("moved",),
    "lens_dust": ("obscured",),
    "camera_dead": ("stalled", "lost", "frozen"),
    "lamp_outage": ("dark", "obscured"),
}
"""The states of a camera that each kind of event brings about; other kinds bring none."""


def going_on(events: Sequence[Event], camera: str, at_s: float) -> tuple[str, ...]:
    """List what the truth says is being done to a camera at a time; an outage is every camera's."""
    return tuple(
        event.type
        for event in events
        if event.type in STATES
        and event.camera in (None, camera)
        and event.t_start_s <= at_s
        and (event.t_end_s is None or at_s <= event.t_end_s + AFTER_S)
    )


def excused(state: str, going: Sequence[str]) -> bool:
    """Tell whether a camera is in a state because of what is being done to it.

    >>> excused("moved", ["camera_knock"]), excused("moved", ["lens_dust"])
    (True, False)
    """
    return any(state in STATES[kind] for kind in going)
