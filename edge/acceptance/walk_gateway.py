"""Gather how a gateway and its cameras were during a walk, and whether it is the one that is meant.

Knows nothing about who walked where.
"""

from collections.abc import Sequence
from pathlib import Path

from edge.acceptance.camera_evidence import by_survey
from edge.acceptance.figures import WORST, CameraFigures, CoverageFigures
from edge.acceptance.listener import WalkListener
from edge.description import without_secrets
from edge.html_page import Both
from scene.acceptance_config import AcceptanceConfig
from scene.errors import SiteError
from scene.messages import GatewayHealth
from scene.rig import Rig
from scene.site import Site, parse_site

LOST = WORST[0]
CANT_TELL = ("can't be told", "being learned", "being checked", "not known")
"""In what a gateway says of a camera: it does not know whether that still hangs as it did."""


def silences_of(listener: WalkListener, began_ns: int, ended_ns: int) -> list[Both]:
    """Say where no heartbeat came for too long, and what was not believed."""
    found: list[Both] = [
        (f"no heartbeat for {gap_s:.0f} s", f"{gap_s:.0f} 秒没有心跳")
        for _, gap_s in listener.silences(began_ns, ended_ns)
    ]
    found += [
        (f"{count} messages refused: {why}", f"{count} 条消息被拒：{why}")
        for why, count in listener.refused.items()
    ]
    return found


def degraded_of(health: Sequence[GatewayHealth]) -> list[Both]:
    """Say why inference was not what the site file asks for."""
    said = dict.fromkeys(beat.degraded for beat in health if beat.degraded)
    return [(f"degraded: {why}", f"性能下降：{why}") for why in said]


def walk_cameras(
    site: Site, rig: Rig | None, health: Sequence[GatewayHealth]
) -> tuple[CameraFigures, ...]:
    """Gather each camera's worst health, and how it hangs by survey points and the gateway."""
    found = []
    for camera in site.cameras:
        said = [one for beat in health for one in beat.cameras if one.name == camera.name]
        worst = min(said, key=lambda one: WORST.index(one.state), default=None)
        state: str = "" if worst is None else worst.state
        detail = "" if worst is None else worst.detail
        silent = sum(camera.name not in [one.name for one in beat.cameras] for beat in health)
        if said and silent:
            # Who does not speak of a camera does not say that it is well.
            state = LOST
            detail = f"{silent} of {len(health)} heartbeats do not name it; {detail}".rstrip("; ")
        survey = None
        if rig is not None and camera.name in [one.name for one in rig.cameras]:
            survey = by_survey(rig.camera(camera.name), site.rig.survey_points)
        found.append(
            CameraFigures(
                name=camera.name,
                state=state,
                detail=detail,
                survey=survey,
                still=_still([(one.state, one.detail) for one in said], whole=not silent),
            )
        )
    return tuple(found)


def _still(said: Sequence[tuple[str, str]], *, whole: bool) -> bool | None:
    """Tell whether a camera was found hanging as it did; none where nobody could tell."""
    if any(state == "moved" for state, _ in said):
        return False
    if not said or not whole or any(state != "ok" for state, _ in said):
        return None
    return None if any(words in said[-1][1] for words in CANT_TELL) else True


def walk_coverage(health: Sequence[GatewayHealth]) -> CoverageFigures | None:
    """Tell the least that was seen of each metre; none where the gateway never told anything.

    A heartbeat that does not tell of a metre says that nobody sees it.
    """
    told = [
        {round(beat.coverage_from_x_m) + i: count for i, count in enumerate(beat.coverage)}
        for beat in health
    ]
    metres = sorted({metre for one in told for metre in one})
    if not metres:
        return None
    least = tuple(
        min(one.get(metre, 0) for one in told) for metre in range(metres[0], metres[-1] + 1)
    )
    return CoverageFigures(from_m=metres[0], cameras=least)


def differs_of(
    site: Site, rig: Rig | None, listener: WalkListener, site_file: Path
) -> tuple[Both, ...]:
    """Say in what the gateway differs from the files given; the limits of tests are not its own."""
    told = listener.description
    if told is None:
        return (("the gateway has not said what it runs", "网关未说明其配置"),)
    found: list[Both] = []
    given = without_secrets(site_file.read_text(encoding="utf-8"), site)
    if _as_run(told.site_yaml, site_file) != _as_run(given, site_file):
        found.append(("it runs another site file than this one", "其站点文件与此文件不同"))
    if rig is None:
        found.append(
            (
                f"{site.rig.file} is not on this machine, so nobody can tell whether it is its rig",
                f"本机没有 {site.rig.file}，无法核对标定",
            )
        )
    elif told.geometry != rig.id:
        found.append(
            (
                f"its rig is {told.geometry}, the rig file here {rig.id}",
                f"其标定为 {told.geometry}，本机文件为 {rig.id}",
            )
        )
    return tuple(found)


def _as_run(text: str, site_file: Path) -> Site | None:
    """Read a site file's text but for the limits of tests; none where it is none."""
    folder = site_file.parent.resolve()
    try:
        site = parse_site(text, name="the gateway's site file", folder=folder, check_files=False)
    except SiteError:
        return None
    return site.model_copy(update={"acceptance": AcceptanceConfig()})
