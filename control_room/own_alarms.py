"""How an alarm that the control room raises itself about a gateway is written.

Knows nothing about when one is raised.
"""

from dataclasses import replace

from delivery.trust import CONTROL_ROOM
from scene.alarms import system_alarm
from scene.messages import Anomaly

SILENT, REFUSED, MISSING = "gateway_silent", "message_refused", "messages_missing"
TWINS, CLOCK = "two_gateways", "clock_off"
TROUBLE = "delivery_trouble"
"""Raised by gateways, too, each about itself; ours are about `OURSELVES`."""
OWN_KINDS = (SILENT, REFUSED, MISSING, TWINS, CLOCK)
"""Raised by the control room itself, so that no gateway can end them."""
OURSELVES = ("-", CONTROL_ROOM)
"""Site and gateway of an alarm about the control room itself: its gateways may be of many sites."""


def is_own(kind: str, site: str, gateway: str) -> bool:
    """Tell whether an alarm is one that the control room raised itself, so that it ends it, too."""
    return kind in OWN_KINDS or (site, gateway) == OURSELVES


def raised(kind: str, gateway: str, now_ns: int, evidence: str) -> Anomaly:
    """Write one that begins now."""
    return system_alarm(kind, now_ns, evidence, about=gateway)


def cleared(alarm: Anomaly, now_ns: int, evidence: str) -> Anomaly:
    """Write that it is over: later than its last word, though the clock was set back since."""
    at_ns = max(now_ns, alarm.captured_at_ns + 1)
    return replace(alarm, state="cleared", captured_at_ns=at_ns, evidence=evidence)
