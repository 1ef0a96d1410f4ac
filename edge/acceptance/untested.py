"""List what a test says nothing about, so that nobody takes silence for proof.

Knows nothing about limits or pages.
"""

from collections.abc import Collection, Sequence

from edge.acceptance.figures import EventFigures, Station
from edge.acceptance.truth import Truth, hidden_looks
from edge.acceptance.words import kind_words
from location.watch import rules
from scene.html_page import Both
from scene.site import Site

SYSTEM = ("camera_lost", "camera_moved", "camera_obscured", "camera_dark", "light_lost")


def untested_in_clip(
    site: Site, truth: Truth, events: Sequence[EventFigures], stations: Sequence[Station]
) -> tuple[Both, ...]:
    """List what a clip could not test."""
    found: list[Both] = [
        (
            "Delay of a live gateway: a clip is searched at every frame, as slowly as need be. "
            "Measure it with a scripted walk (--walk).",
            "实时网关的延迟：录像按逐帧处理，不受机器速度影响。请用实地行走（--walk）测量。",
        ),
        (
            "Cameras' links, the broker, the control room: only a walk goes all the way.",
            "摄像机链路、消息服务器与调度室：只有实地行走才覆盖全程。",
        ),
    ]
    timed = [zone.name for zone in site.zones if zone.hours]
    if timed:
        names = ", ".join(timed)
        found.append(
            (f"Hours of zones: {names}.", f"区域的生效时段：{names}。"),
        )
    if not truth.boxes:
        found.append(
            (
                "Who is hidden from all cameras: nobody has marked it (mot/), so everybody counts.",
                "被遮挡人员：未标注（mot/），因此全部计入。",
            )
        )
    hidden, of = hidden_looks(truth)
    if hidden:
        share = f"{hidden / of:.0%} ({hidden} / {of})"
        found.append(
            (
                f"Whether people are found at {share} of the labels: there they are marked (mot/) "
                "as hidden from all cameras, or too small.",
                f"{share} 的标注中人员的检出情况：已标注（mot/）为所有摄像机均被遮挡或过小。",
            )
        )
    if truth.events is None:
        found.append(
            (
                "Alarms: the clip has no events.json.",
                "告警：该录像没有 events.json。",
            )
        )
    return (
        *found,
        *not_raised(site, {event.kind for event in events}),
        *not_walked(site, stations),
    )


def not_raised(site: Site, tested: Collection[str]) -> tuple[Both, ...]:
    """List the kinds of alarm that the site watches for and nothing asked for."""
    watched = dict.fromkeys([rule.kind for rule in rules(site)] + list(SYSTEM))
    left = [kind_words(kind) for kind in watched if kind not in tested]
    if not left:
        return ()
    english = ", ".join(en for en, _ in left)
    chinese = "、".join(zh for _, zh in left)
    return ((f"Alarms of these kinds: {english}.", f"以下类型的告警：{chinese}。"),)


def not_walked(site: Site, stations: Sequence[Station]) -> tuple[Both, ...]:
    """Say where nobody was, of the cameras' own roadway."""
    unseen = [camera.name for camera in site.cameras if not _showed(camera.name, stations)]
    if not unseen:
        return ()
    names = ", ".join(unseen)
    return ((f"Cameras that nobody was in front of: {names}.", f"无人经过的摄像机：{names}。"),)


def _showed(camera: str, stations: Sequence[Station]) -> bool:
    return any(camera in station.cameras for station in stations)
