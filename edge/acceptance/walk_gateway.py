"""Gather how a gateway and its cameras were during a walk, and whether it is the one that is meant.

Knows nothing about who walked where.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from control_room.evidence_words import in_chinese
from edge.acceptance.camera_evidence import by_survey
from edge.acceptance.figures import WORST, CameraFigures, CoverageFigures
from edge.acceptance.listener import WalkListener
from edge.description import without_secrets
from edge.model_file import ModelFile, model_file
from scene.acceptance_config import AcceptanceConfig
from scene.errors import SiteError, printable
from scene.html_page import Both
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
    if listener.left_out:
        left = listener.left_out
        found.append(
            (
                f"{left} messages came beyond what is kept and were not measured: walk in parts",
                f"{left} 条消息超出可保留数量，未计入：请分段行走",
            )
        )
    return found


def degraded_of(health: Sequence[GatewayHealth]) -> list[Both]:
    """Say why inference was not what the site file asks for."""
    said = dict.fromkeys(beat.degraded for beat in health if beat.degraded)
    return [(f"degraded: {why}", f"性能下降：{in_chinese(why)}") for why in said]


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


def walk_coverage(health: Sequence[GatewayHealth], silent_s: float) -> CoverageFigures | None:
    """Tell at how many heartbeats each metre was seen; none where none ever told of any.

    A heartbeat that does not tell of a metre says that nobody sees it, and so does each second of
    the `silent_s` in which none came: there is one a second.
    """
    told = [
        {round(beat.coverage_from_x_m) + i for i, count in enumerate(beat.coverage) if count > 0}
        for beat in health
    ]
    lengths = [(round(beat.coverage_from_x_m), len(beat.coverage)) for beat in health]
    ends = [(first, first + metres) for first, metres in lengths if metres]
    if not ends:
        return None
    metres = range(min(first for first, _ in ends), max(end for _, end in ends))
    return CoverageFigures(
        from_m=metres.start,
        seen=tuple(sum(metre in one for one in told) for metre in metres),
        looks=(len(told) + round(silent_s),) * len(metres),
    )


def model_told(health: Sequence[GatewayHealth]) -> ModelFile | None:
    """Tell which model the gateway says it searches with; none where any heartbeat says nothing.

    Of several, the last one.
    """
    told = [(beat.detection_model, beat.detection_model_sha256) for beat in health]
    if not told or not all(name and digest for name, digest in told):
        return None
    name, digest = told[-1]
    return ModelFile(name=printable(name, 120), sha256=printable(digest, 64))


def differs_of(
    site: Site,
    rig: Rig | None,
    listener: WalkListener,
    health: Sequence[GatewayHealth],
    site_file: Path,
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
    return (*found, *_other_models(site, health))


def _other_models(site: Site, health: Sequence[GatewayHealth]) -> Iterator[Both]:
    """Say which models the gateway searched with that are not the file here, if there is one."""
    here = model_file(site)
    told = {beat.detection_model_sha256: beat.detection_model for beat in health}
    told.pop("", None)
    if len(told) > 1:
        yield ("its model changed during the test", "测试期间其检测模型有更换")
    for digest, name in told.items():
        if here.sha256 and digest != here.sha256:
            theirs = f"{printable(name, 120)} ({printable(digest[:12])}…)"
            ours = f"{here.name} ({here.sha256[:12]}…)"
            yield (
                f"it searches with the model {theirs}, the file here is {ours}",
                f"其检测模型为 {theirs}，本机文件为 {ours}",
            )


def _as_run(text: str, site_file: Path) -> Site | None:
    """Read a site file's text but for the limits of tests; none where it is none."""
    folder = site_file.parent.resolve()
    try:
        site = parse_site(text, name="the gateway's site file", folder=folder, check_files=False)
    except SiteError:
        return None
    return site.model_copy(update={"acceptance": AcceptanceConfig()})
