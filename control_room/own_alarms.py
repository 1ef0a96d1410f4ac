"""How an alarm that the control room raises itself about a gateway is written.

Knows nothing about when one is raised.
"""

from dataclasses import replace

from scene.alarms import system_alarm
from scene.messages import Anomaly

SILENT, REFUSED, MISSING = "gateway_silent", "message_refused", "messages_missing"
TWINS, CLOCK = "two_gateways", "clock_off"
OWN_KINDS = (SILENT, REFUSED, MISSING, TWINS, CLOCK)
"""Raised by the control room itself, so that no gateway can end them."""


def raised(kind: str, gateway: str, now_ns: int, evidence: str) -> Anomaly:
    """Write one that begins now."""
    return system_alarm(kind, now_ns, evidence, about=gateway)


def cleared(alarm: Anomaly, now_ns: int, evidence: str) -> Anomaly:
    """Write that it is over."""
    return replace(alarm, state="cleared", captured_at_ns=now_ns, evidence=evidence)
