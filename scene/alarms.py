"""The table of alarm kinds: severity and what an operator reads.

Knows nothing about how an alarm is found. A new kind is a new row.
"""

from dataclasses import dataclass

from scene.messages import Anomaly, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmKind:
    """One kind of alarm."""

    severity: Severity
    english: str
    chinese: str
    about: str
    """`person` or `system`."""
    latched: bool = False
    """Whether it stays in the operator's list, though over, until somebody has acknowledged it."""


ALARMS: dict[str, AlarmKind] = {
    "man_down": AlarmKind(
        severity="critical", english="Man down", chinese="人员倒地", about="person", latched=True
    ),
    "restricted_zone": AlarmKind(
        severity="critical",
        english="In restricted zone",
        chinese="进入限制区域",
        about="person",
        latched=True,
    ),
    "immobile": AlarmKind(
        severity="warning", english="Not moving", chinese="长时间静止", about="person"
    ),
    "near_danger": AlarmKind(
        severity="critical",
        english="Too near to danger",
        chinese="靠近危险区域",
        about="person",
        latched=True,
    ),
    "over_capacity": AlarmKind(
        severity="warning", english="Too many people", chinese="区域超员", about="person"
    ),
    "over_time": AlarmKind(
        severity="warning", english="Too long in the zone", chinese="超时停留", about="person"
    ),
    "lone_worker": AlarmKind(
        severity="warning", english="Working alone", chinese="单独作业", about="person"
    ),
    "helmet_missing": AlarmKind(
        severity="warning", english="No helmet", chinese="未戴安全帽", about="person"
    ),
    "worker_lost": AlarmKind(
        severity="critical",
        english="Person lost from view",
        chinese="人员失联",
        about="person",
        latched=True,
    ),
    "wrong_way": AlarmKind(
        severity="warning", english="Going the wrong way", chinese="逆向通行", about="person"
    ),
    "person_without_tag": AlarmKind(
        severity="warning",
        english="Person without a tag",
        chinese="人员未携带标识卡",
        about="person",
    ),
    "tag_without_person": AlarmKind(
        severity="warning", english="Tag without a person", chinese="标识卡无人携带", about="person"
    ),
    "two_tags": AlarmKind(
        severity="warning", english="Two tags on one person", chinese="一人多卡", about="person"
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
    "camera_obscured": AlarmKind(
        severity="warning", english="Camera can't see", chinese="摄像机被遮挡", about="system"
    ),
    "camera_dark": AlarmKind(
        severity="warning", english="Camera in the dark", chinese="摄像机画面全黑", about="system"
    ),
    "camera_dusty": AlarmKind(
        severity="notice", english="Camera needs cleaning", chinese="摄像机需清洁", about="system"
    ),
    "light_lost": AlarmKind(
        severity="notice", english="Less light than usual", chinese="照明减弱", about="system"
    ),
    "degraded_inference": AlarmKind(
        severity="warning", english="Detection degraded", chinese="检测性能下降", about="system"
    ),
    "gateway_trouble": AlarmKind(
        severity="warning", english="Gateway needs a look", chinese="网关需检查", about="system"
    ),
    "delivery_trouble": AlarmKind(
        severity="warning", english="Delivery in trouble", chinese="消息传送异常", about="system"
    ),
    "messages_missing": AlarmKind(
        severity="warning", english="Messages missing", chinese="消息缺失", about="system"
    ),
    "message_refused": AlarmKind(
        severity="critical",
        english="Message refused",
        chinese="消息被拒",
        about="system",
        latched=True,
    ),
    "two_gateways": AlarmKind(
        severity="critical",
        english="Two gateways of one name",
        chinese="网关重名",
        about="system",
    ),
    "clock_off": AlarmKind(
        severity="warning", english="Clock wrong", chinese="时钟不准", about="system"
    ),
    "service_failing": AlarmKind(
        severity="critical",
        english="Gateway service failing",
        chinese="网关服务异常",
        about="system",
    ),
    "storage": AlarmKind(
        severity="warning", english="Storage full", chinese="存储空间不足", about="system"
    ),
    "gateway_silent": AlarmKind(
        severity="critical",
        english="Gateway silent",
        chinese="网关无响应",
        about="system",
        latched=True,
    ),
    "drill": AlarmKind(severity="notice", english="Drill", chinese="演练", about="system"),
}


def system_alarm(
    kind: str, at_ns: int, evidence: str, *, about: str = "", camera: str | None = None
) -> Anomaly:
    """Write an alarm about the system that begins now, for certain.

    `about` tells alarms of one kind apart that may begin together; none takes the camera.

    >>> system_alarm("storage", 5_000_000, "no room").id
    'storage-5'
    >>> system_alarm("camera_dark", 5_000_000, "lights out", camera="cam2").id
    'camera_dark-cam2-5'
    """
    named = about or camera
    return Anomaly(
        id="-".join([kind, *([named] if named else []), str(at_ns // 1_000_000)]),
        kind=kind,
        severity=ALARMS[kind].severity,
        state="active",
        captured_at_ns=at_ns,
        raised_at_ns=at_ns,
        probability=1.0,
        certainty="certainly",
        camera=camera,
        evidence=evidence,
    )
