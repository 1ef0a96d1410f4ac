"""How an alarm that the control room raises itself about a gateway is written.

Knows nothing about when one is raised.
"""

from dataclasses import replace

from scene.alarms import ALARMS
from scene.messages import Anomaly

SILENT, REFUSED, MISSING = "gateway_silent", "message_refused", "messages_missing"
OWN_KINDS = (SILENT, REFUSED, MISSING)
"""Raised by the control room itself, so that no gateway can end them."""


def raised(kind: str, gateway: str, now_ns: int, evidence: str) -> Anomaly:
    """Write one that begins now."""
    return Anomaly(
        id=f"{kind}-{gateway}-{now_ns}",
        kind=kind,
        severity=ALARMS[kind].severity,
        state="active",
        captured_at_ns=now_ns,
        raised_at_ns=now_ns,
        probability=1.0,
        certainty="certainly",
        evidence=evidence,
    )


def cleared(alarm: Anomaly, now_ns: int, evidence: str) -> Anomaly:
    """Write that it is over."""
    return replace(alarm, state="cleared", captured_at_ns=now_ns, evidence=evidence)
