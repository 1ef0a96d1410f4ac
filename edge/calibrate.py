"""`lamproom calibrate`: find out how a site's cameras hang, from their own pictures.

Knows nothing about how a rig is solved or judged; it takes pictures, writes the rig file and the
report beside it, and says in short how good it is.
"""

import argparse
import contextlib
import os
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from edge.calibration.figures import AWAY_M, CameraFit
from edge.calibration.made_for import changed_since, made_for, maker_of, write_rig
from edge.calibration.verdict import MIDDLE, headline, worst
from edge.cameras.source import is_live, open_source, place_of
from edge.drift.book import keep_references
from scene.clock import Clock, SystemClock
from scene.errors import CameraError, LamproomError, RigError
from scene.messages import YuvImage
from scene.rig import load_rig, save_rig
from scene.rig_history import MADE_FOR, kept_file
from scene.site import CameraConfig, Site, load_site
from stitching.calibrate import calibrate_with_evidence
from stitching.calibration.survey import Survey

if TYPE_CHECKING:
    from edge.calibration.report import Judged

HELP = """\
Find out how the cameras of a site hang together and where they are in the mine, from what they
see now and from the surveyed points (or the mount) in the site file. Writes the rig file, and
beside it a report to open in a browser: verdict, errors in px and cm, pictures, what to improve.
The same pictures give the same files. A rig file that is there already is kept in rig.history/.
A running gateway takes a new rig file over within seconds. A rig that is not good enough (red) does
not replace the one that is there: it is written to rig.rejected.yaml, and the exit status is 1."""

REACH_IT = (
    "; check its address and password (cameras.url), that it has power and that the network leads "
    "there: `lamproom doctor SITE` listens to all of them; nothing was written"
)
OTHER_PLACE = "give another file with --out"
OTHER_REPORT = "give another file with --report, or --no-report"
STYLES = {"green": "green", "amber": "yellow", "red": "bold red"}
MOST_ADVICE = 5
USUAL_FPS = 10
"""So many pictures a second most cameras give."""

Told = Callable[[str, float], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `lamproom calibrate`."""
    parser.add_argument("site", type=Path, help="the site file, e.g. mine/site.yaml")
    parser.add_argument(
        "--frames", type=int, default=5, help="pictures per camera; people walk away (default 5)"
    )
    parser.add_argument(
        "--every", type=int, default=20, metavar="N", help="take every Nth frame (default 20)"
    )
    parser.add_argument("--out", type=Path, help="where to write the rig instead of rig.file")
    parser.add_argument(
        "--accept", action="store_true", help="put the new rig in force even if its verdict is red"
    )
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--report", type=Path, metavar="FILE", help="the report (default: rig.report.html)"
    )
    group.add_argument("--no-report", action="store_true", help="write no report")


def run(args: argparse.Namespace) -> int:
    """Calibrate and say how good it is."""
    from edge.calibration.report import judge, report_html, write_report

    for option, value in (("--frames", args.frames), ("--every", args.every)):
        if value < 1:
            raise LamproomError(f"{option} {value}: give a number from 1 up")
    site = load_site(args.site)
    path = args.out or site.rig.file
    report = None if args.no_report else (args.report or report_file(path))
    _check_writable(path, OTHER_PLACE)
    if report is not None:
        _check_writable(report, OTHER_REPORT)
        if report.resolve() == path.resolve():
            raise LamproomError(f"{report}: is the rig file itself; {OTHER_REPORT}")
    html = ""
    say_listening(site, args.frames, args.every)
    with _bars() as bars:
        images = take_pictures(site, args.frames, args.every, _bar(bars, "taking pictures"))
        calibration = calibrate_with_evidence(
            images, site.rig, site.panorama, site.floor, _bar(bars, "calibrating")
        )
        judged = judge(calibration, site, images)
        red = worst(judged.checks) == "red"
        rejected = red and not args.accept and _holds_a_rig(path)
        written = rejected_file(path) if rejected else path
        if rejected and args.report is None and report is not None:
            report = report_file(written)
        # Before the report: that one can be drawn again.
        notes = _write_rejected(judged, written, path) if rejected else _write(judged, path, images)
        if report is not None:
            html = report_html(judged, _bar(bars, "drawing the report"))
    if report is not None:
        write_report(html, report)
    _say(judged, written, report)
    for note in (*notes, *_unseen_markers(site, calibration.survey)):
        print(note)
    if red and not rejected:
        print(f"warning: {path} is in force, though its verdict is red; calibrate again")
    return int(red and not args.accept)


def _write(judged: "Judged", path: Path, images: dict[str, list[YuvImage]]) -> list[str]:
    """Put a rig in force; gives what is to be said about it."""
    site, rig = judged.site, judged.calibration.rig
    belonged = _belonged_to(path, site)
    former = write_rig(rig, path, site)
    unwatched = keep_references(rig, images, path)
    notes = []
    if unwatched:
        notes.append(
            f"note: {', '.join(unwatched)}: too dark or bare to notice when it is knocked; "
            "give it light"
        )
    if belonged:
        notes.append(
            f"note: {path} was the rig of site {belonged}; give each site a rig.file of its own"
            + (f" (that one is kept as {kept_file(path, former)})" if former else "")
        )
    return notes


def _write_rejected(judged: "Judged", rejected: Path, path: Path) -> list[str]:
    """Write a rig beside the one that stays in force; gives what is to be said about it."""
    save_rig(judged.calibration.rig, rejected, {MADE_FOR: made_for(judged.site)})
    return [
        f"{path} stays in force: the new rig's verdict is red, so it is written to {rejected}; "
        "mend what is said above and calibrate again, or give --accept to put it in force"
    ]


def _holds_a_rig(path: Path) -> bool:
    try:
        load_rig(path)
    except RigError:
        return False
    return True


def rejected_file(path: Path) -> Path:
    """Tell where a rig goes that is not good enough to replace the one in a rig file."""
    return path.with_suffix(".rejected.yaml")


def _unseen_markers(site: Site, survey: Survey | None) -> list[str]:
    """Say which surveyed markers no camera shows: nobody would miss them otherwise."""
    markers = site.rig.markers
    if markers is None:
        return []
    seen = set() if survey is None else {name.split(",")[0] for name in survey.names}
    missed = [str(tag.id) for tag in markers.tags if f"rig.markers: marker {tag.id}" not in seen]
    if not missed:
        return []
    return [
        f"note: markers {', '.join(missed)} were found in no picture; are they in sight, large "
        f"enough, and of rig.markers.dictionary {markers.dictionary}?"
    ]


def report_file(path: Path) -> Path:
    """Tell where the report of a rig file lies: `rig.report.html` beside `rig.yaml`."""
    return path.with_suffix(".report.html")


def take_pictures(
    site: Site, count: int, every: int, progress: Told | None = None
) -> dict[str, list[YuvImage]]:
    """Take up to `count` pictures from each camera, every `every` frames."""
    clock = SystemClock()
    taken: dict[str, list[YuvImage]] = {}
    for number, camera in enumerate(site.cameras):
        if progress:
            progress(f"from {camera.name}", number / len(site.cameras))
        images = taken.setdefault(camera.name, [])
        for image in _pictures_of(camera, clock, count, every):
            images.append(image)
            if progress:
                share = (number + len(images) / count) / len(site.cameras)
                progress(f"{camera.name}: {len(images)} of {count}", share)
    if progress:
        progress("done", 1.0)
    return taken


def _pictures_of(camera: CameraConfig, clock: Clock, count: int, every: int) -> Iterator[YuvImage]:
    """Give up to `count` pictures of a camera; raises `CameraError` where there is none."""
    found = False
    try:
        source = open_source(
            camera, clock, pace="as_fast_as_possible", loop=False, start_at_ns=None
        )
        with contextlib.closing(source):
            for frame in islice(source.frames(), 0, (count - 1) * every + 1, every):
                found = True
                yield frame.image
        if not found:
            raise CameraError(f"camera {camera.name}: {place_of(camera.url)} gives no picture")
    except CameraError as error:
        raise CameraError(f"{error}{REACH_IT if is_live(camera) else ''}") from None


def say_listening(site: Site, count: int, every: int) -> None:
    """Say how long real cameras will be listened to: nobody should wait without a word."""
    live = sum(is_live(camera) for camera in site.cameras)
    if live:
        long_s = live * ((count - 1) * every + 1) / USUAL_FPS
        print(
            f"listening to {live} camera{'s' * (live > 1)} for about {long_s:.0f} s "
            f"({count} pictures of each, every {every}th; more at less than {USUAL_FPS} a second)",
            flush=True,
        )


def _check_writable(path: Path, remedy: str) -> None:
    """Raise before minutes of work whose result could not be kept."""
    if path.is_dir():
        raise RigError(f"{path}: is a folder; {remedy}")
    if not path.parent.is_dir():
        raise RigError(f"{path}: there is no folder {path.parent}; make it, or {remedy}")
    if not os.access(path.parent, os.W_OK):
        raise RigError(f"{path}: the folder can't be written to; {remedy}")


def _belonged_to(path: Path, site: Site) -> str | None:
    """Tell which other site a rig file belongs to, if it does and fits that one only."""
    other = maker_of(path).get("site")
    return other if other not in (None, site.site) and changed_since(path, site) else None


def _bars() -> Progress:
    return Progress(
        TextColumn("{task.fields[stage]:20}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
        transient=True,
    )


def _bar(bars: Progress, stage: str) -> Told:
    """Give a bar of its own to a stage."""
    task = bars.add_task("", total=1.0, stage=stage)

    def show(what: str, share: float) -> None:
        bars.update(task, description=what, completed=share)

    return show


def _say(judged: "Judged", path: Path, report: Path | None) -> None:
    """Print the short of it: verdict, one line per camera, what to do first, where to read on."""
    found, rig = judged.figures, judged.calibration.rig
    print(f"{path}: {len(rig.cameras)} cameras, anchored by {rig.anchor}, geometry {rig.id}")
    console = Console(highlight=False, markup=False, emoji=False)
    console.print(headline(found, judged.checks)[0], style=STYLES[worst(judged.checks)])
    away = f"{AWAY_M[MIDDLE]:g} m"
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for head in (
        "camera",
        "matches",
        "points",
        "worst px",
        "worst cm",
        "place cm",
        f"floor {away} cm",
    ):
        table.add_column(head, justify="left" if head == "camera" else "right")
    for camera in found.cameras:
        table.add_row(*_row(camera))
    console.print(table)
    for row in judged.checks:
        if row.colour != "green":
            print(f"{row.colour}: {row.name[0]} {row.value} ({row.limit}): {row.why[0]}")
    for one in judged.advice[:MOST_ADVICE]:
        print(f"- {one.text[0]}")
    if len(judged.advice) > MOST_ADVICE:
        print(f"- {len(judged.advice) - MOST_ADVICE} more in the report")
    if report is not None:
        print(f"report: {report}")


def _row(camera: CameraFit) -> list[str]:
    floor = camera.floor_cm[MIDDLE]
    points = [point.miss_cm for point in camera.points]
    return [
        camera.name,
        str(camera.matches),
        str(len(points)),
        f"{camera.worst_px:.1f}" if points else "-",
        f"{max(points):.1f}" if points else "-",
        f"{camera.place_sigma_cm:.1f}",
        "-" if floor is None else f"{floor:.1f}",
    ]
