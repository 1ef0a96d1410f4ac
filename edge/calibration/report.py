"""Make and write the report of a calibration: figures and pictures in, one HTML file out.

Knows nothing about the command line. It holds no date and no path: the same pictures give the same
bytes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge.calibration.advice import Advice, advice
from edge.calibration.drawings import camera_drawing, pair_drawing, panorama_drawing
from edge.calibration.figures import Figures, PairFit
from edge.calibration.measure import figures_of
from edge.calibration.page import Drawing, page
from edge.calibration.pictures import (
    Fineness,
    Overlay,
    brightened,
    data_uri,
    overlay_of,
    panorama_bgr,
    still_of,
)
from edge.calibration.ruler import floor_marks, ruler
from edge.calibration.verdict import Check, checks
from scene.arrays import Bytes
from scene.errors import LamproomError
from scene.floor import Floor
from scene.messages import Frame, YuvImage
from scene.site import Site
from scene.whole_file import write_whole
from stitching.calibrate import Calibration
from stitching.maps import CameraMap, camera_map
from stitching.stitcher import Stitcher

MOST_BYTES = 5_000_000
LADDER = (
    Fineness(quality=84, widest_px=1280),
    Fineness(quality=72, widest_px=960),
    Fineness(quality=60, widest_px=800),
    Fineness(quality=45, widest_px=640),
    Fineness(quality=30, widest_px=480),
)
"""Tried in turn until the file is small enough."""
PANORAMA_PX = 2560
MOST_PAIRS = 14
"""Pairs that are drawn: neighbours first, then those with the most matches."""

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """What there is to say of a calibration, before any picture is drawn."""

    calibration: Calibration
    site: Site
    figures: Figures
    checks: tuple[Check, ...]
    advice: tuple[Advice, ...]
    maps: list[CameraMap]
    stills: list[YuvImage]
    """By camera of the rig."""


def judge(calibration: Calibration, site: Site, pictures: dict[str, list[YuvImage]]) -> Judged:
    """Measure and judge a calibration that was made of some pictures per camera, by name."""
    rig = calibration.rig
    maps = [camera_map(camera, rig.surface) for camera in rig.cameras]
    figures = figures_of(calibration, site, maps, min(len(many) for many in pictures.values()))
    return Judged(
        calibration=calibration,
        site=site,
        figures=figures,
        checks=checks(figures),
        advice=advice(figures),
        maps=maps,
        stills=[
            still_of(pictures[camera.name], calibration.lumas[camera.name])
            for camera in rig.cameras
        ],
    )


def report_html(judged: Judged, progress: Progress) -> str:
    """Draw the whole report; it takes at most `MOST_BYTES`."""
    progress("painting the panorama", 0.05)
    panorama, painter = _panorama(judged)
    cameras = [brightened(still) for still in judged.stills]
    overlays: list[tuple[PairFit, Overlay]] = []
    chosen = _chosen(judged.figures)
    for number, pair in enumerate(chosen):
        progress(f"overlaying {pair.first} and {pair.second}", 0.5 + 0.4 * number / len(chosen))
        overlay = _overlay(judged, pair)
        if overlay is not None:
            overlays.append((pair, overlay))
    html = ""
    for fineness in LADDER:
        progress("writing the page", 0.95)
        html = _page(judged, fineness, (panorama, painter), cameras, overlays)
        if len(html.encode()) <= MOST_BYTES:
            break
    progress("done", 1.0)
    return html


def write_report(html: str, path: Path) -> None:
    """Write it so that the file is the old or the new one, never a part. Raises `LamproomError`."""
    try:
        write_whole(path, html.encode())
    except OSError as error:
        raise LamproomError(
            f"{path}: the report can't be written: {error.strerror}; the rig file is written; give "
            "another file with --report, or --no-report"
        ) from None


def _page(
    judged: Judged,
    fineness: Fineness,
    panorama: tuple[Bytes, Bytes],
    cameras: list[Bytes],
    overlays: list[tuple[PairFit, Overlay]],
) -> str:
    found, rig = judged.figures, judged.calibration.rig
    wide = Fineness(
        quality=fineness.quality, widest_px=PANORAMA_PX * fineness.widest_px // LADDER[0].widest_px
    )
    drawn = panorama_drawing(
        size_px=rig.surface.size_px,
        uri=data_uri(panorama[0], wide),
        painter=panorama[1],
        names=[camera.name for camera in rig.cameras],
        marks=ruler(rig),
        floor=floor_marks(rig, Floor(judged.site.floor)),
    )
    shown = []
    for camera, bgr in zip(found.cameras, cameras, strict=True):
        svg, times = camera_drawing(camera, data_uri(bgr, fineness))
        shown.append(Drawing(of=camera.name, svg=svg, times=times))
    laid = []
    for pair, overlay in overlays:
        x0, _, x1, _ = overlay.box
        svg, times = pair_drawing(pair, overlay.box, data_uri(overlay.bgr, fineness), x1 - x0)
        laid.append(Drawing(of=f"{pair.first}-{pair.second}", svg=svg, times=times))
    return page(
        found=found,
        rows=judged.checks,
        advices=judged.advice,
        panorama_svg=drawn,
        cameras=shown,
        pairs=laid,
    )


def _panorama(judged: Judged) -> tuple[Bytes, Bytes]:
    """Give the panorama of the still pictures (H, W, 3), and who painted it (H, W)."""
    rig = judged.calibration.rig
    stitcher = Stitcher(rig, judged.site.panorama)
    frames = [
        Frame(camera=camera.name, captured_at_ns=0, image=still)
        for camera, still in zip(rig.cameras, judged.stills, strict=True)
    ]
    panorama = stitcher.stitch(frames)
    bgr = panorama_bgr(panorama, stitcher.maps, stitcher.exposure.gains, judged.stills)
    return bgr, panorama.painter


def _chosen(found: Figures) -> list[PairFit]:
    ranked = sorted(found.pairs, key=lambda pair: (not pair.neighbours, -pair.agreeing))
    kept = {id(pair) for pair in ranked[:MOST_PAIRS]}
    return [pair for pair in found.pairs if id(pair) in kept]


def _overlay(judged: Judged, pair: PairFit) -> Overlay | None:
    names = [camera.name for camera in judged.calibration.rig.cameras]
    first, second = names.index(pair.first), names.index(pair.second)
    lumas = judged.calibration.lumas
    return overlay_of(
        (judged.maps[first], lumas[pair.first]),
        (judged.maps[second], lumas[pair.second]),
        judged.calibration.rig.surface.size_px,
    )
