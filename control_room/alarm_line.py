"""An alarm as one line in the terminal, in English or Chinese.

Knows nothing about where it came from.
"""

from datetime import datetime

from control_room.complaints import printable
from control_room.evidence_words import in_chinese
from scene.alarms import ALARMS
from scene.landmarks import by_landmark, chainage_of, nearest
from scene.messages import XYZ, Anomaly, SiteDescription
from scene.topics import Address

WORDS: dict[str, tuple[str, str]] = {
    "critical": ("CRITICAL", "严重"),
    "warning": ("WARNING", "警告"),
    "notice": ("NOTICE", "提示"),
    "active": ("RAISED ", "触发"),
    "cleared": ("cleared", "解除"),
    "place": ("x {x:.1f} m, y {y:.1f} m", "x {x:.1f} 米，y {y:.1f} 米"),
    "zone": ("zone {name}", "区域 {name}"),
    "camera": ("camera {name}", "摄像机 {name}"),
    "and": ("; ", "；"),
    "certainly": ("certainly (p={p:.2f})", "确定（概率 {p:.2f}）"),
    "possibly": ("possibly (p={p:.2f})", "可能（概率 {p:.2f}）"),
}


def line_of(
    address: Address,
    anomaly: Anomaly,
    site: SiteDescription | None = None,
    language: str = "en",
) -> str:
    """Write an alarm as one line, in local time; control characters are taken out.

    `site` is its gateway's description, by whose supports and marks the place is told; `language`
    is `en` (with the kind's Chinese name beside it) or `zh`.
    """
    chinese = language == "zh"

    def say(word: str, **fields: object) -> str:
        return WORDS[word][chinese].format(**fields) if word in WORDS else word

    kind = ALARMS.get(anomaly.kind)
    name = anomaly.kind
    if kind is not None:
        name = kind.chinese if chinese else f"{kind.english} {kind.chinese}"
    moment = anomaly.raised_at_ns if anomaly.state == "active" else anomaly.captured_at_ns
    clock = datetime.fromtimestamp(moment / 1e9).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    where = [f"{address.site}/{address.gateway}"]
    if anomaly.xyz_m is not None:
        near = near_words(site, anomaly.xyz_m, language)
        where += [near] if near else []
        where.append(say("place", x=anomaly.xyz_m[0], y=anomaly.xyz_m[1]))
    if anomaly.zone is not None:
        where.append(say("zone", name=anomaly.zone))
    if anomaly.camera is not None:
        where.append(say("camera", name=anomaly.camera))
    if anomaly.track is not None:
        where.append(f"#{anomaly.track}" + (f" {anomaly.worker}" if anomaly.worker else ""))
    # Of a clearing the probability is what is left of the cause: nothing to be sure of.
    sure = say(anomaly.certainty, p=anomaly.probability) if anomaly.state == "active" else ""
    evidence = in_chinese(anomaly.evidence) if chinese else anomaly.evidence
    severity = say(anomaly.severity)
    severity += " " * (0 if chinese else 8 - len(severity))
    parts = [clock, severity, say(anomaly.state), name, say("and").join(where), sure, evidence]
    return printable("  ".join(part for part in parts if part))


def near_words(site: SiteDescription | None, xyz_m: XYZ, language: str = "en") -> str:
    """Say by which support or mark a place is; empty where a gateway has told of none."""
    chainage_m = None if site is None else chainage_of(site, xyz_m)
    if site is None or chainage_m is None:
        return ""
    near = nearest(site.landmarks, chainage_m)
    return "" if near is None else by_landmark(near, chainage_m, language)
