"""The table of alarm kinds: severity and what an operator reads.

Knows nothing about how an alarm is found. A new kind is a new row.
"""

from dataclasses import dataclass

from scene.messages import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmKind:
    """One kind of alarm."""

    severity: Severity
    english: str
    chinese: str
    about: str
    """`person` or `system`."""


ALARMS: dict[str, AlarmKind] = {
    "man_down": AlarmKind(
        severity="critical", english="Man down", chinese="人员倒地", about="person"
    ),
    "restricted_zone": AlarmKind(
        severity="critical", english="In restricted zone", chinese="进入限制区域", about="person"
    ),
    "camera_lost": AlarmKind(
        severity="warning", english="Camera lost", chinese="摄像机离线", about="system"
    ),
    "camera_stalled": AlarmKind(
        severity="warning", english="Camera stalled", chinese="摄像机卡顿", about="system"
    ),
    "camera_moved": AlarmKind(
        severity="warning", english="Camera moved", chinese="摄像机被移动", about="system"
    ),
    "degraded_inference": AlarmKind(
        severity="warning", english="Detection degraded", chinese="检测性能下降", about="system"
    ),
    "gateway_silent": AlarmKind(
        severity="critical", english="Gateway silent", chinese="网关无响应", about="system"
    ),
}
