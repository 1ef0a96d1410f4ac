"""A service in the pipeline's place: it raises alarms and gives heartbeats as a live run does.

What it notes has been given back by the outbox, so it must arrive whatever happens afterwards.
"""

import time
from pathlib import Path

from delivery.outbox import Outbox
from edge.line import LineOut
from edge.outlet import LIMITS, LineOutlet
from edge.service import Context
from scene.clock import SystemClock
from scene.messages import Anomaly, GatewayHealth
from scene.topics import HEARTBEAT_S

EVERY_S = 0.05
SETTLE_S = 2.0
NOTES = "raised"
ENOUGH = "enough"
"""Once a file of this name lies beside the site file, no more alarms are raised."""


def main(context: Context) -> None:
    """Raise one alarm after the other until told to stop."""
    folder = context.options.site_file.parent
    outlet = LineOutlet(
        LineOut(context.door_out, LIMITS),
        lambda: Outbox(context.options.site().state_folder, SystemClock()),
    )
    outlet.active()  # opens the outbox before the first alarm
    with (folder / NOTES).open("a", encoding="utf-8") as notes:
        number, heartbeat_s = 0, 0.0
        while not context.rest(EVERY_S):
            context.alive()
            if time.monotonic() - heartbeat_s >= HEARTBEAT_S:
                heartbeat_s = time.monotonic()
                outlet.send(a_heartbeat(time.time_ns()))
            if (folder / ENOUGH).exists():
                continue
            number += 1
            at_ns = time.time_ns()  # in the id, too: process numbers come again
            alarm = an_alarm(f"man_down-{at_ns}-{number}", at_ns)
            outlet.send(alarm)
            if outlet.settle(SETTLE_S):
                notes.write(f"{alarm.id}\n")
                notes.flush()


def a_heartbeat(at_ns: int) -> GatewayHealth:
    """Write the heartbeat of a gateway that is well."""
    return GatewayHealth(
        captured_at_ns=at_ns,
        cameras=(),
        panorama_fps=10.0,
        detection_fps=5.0,
        detection_age_s=0.1,
        detection_provider="CPUExecutionProvider",
        degraded="",
        coverage_from_x_m=0.0,
        coverage=(),
    )


def an_alarm(id: str, at_ns: int) -> Anomaly:
    """Write an alarm about somebody who has fallen."""
    return Anomaly(
        id=id,
        kind="man_down",
        severity="critical",
        state="active",
        captured_at_ns=at_ns,
        raised_at_ns=at_ns,
        probability=0.97,
        certainty="certainly",
        track=7,
        xyz_m=(12.0, 0.5, 0.0),
        evidence="0.4 m high for 3.0 s",
    )


def noted(folder: Path) -> list[str]:
    """List the alarms that must arrive; a line that a kill cut short is none."""
    text = (folder / NOTES).read_text(encoding="utf-8") if (folder / NOTES).exists() else ""
    return [line.strip() for line in text.splitlines(keepends=True) if line.endswith("\n")]
