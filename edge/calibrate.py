"""`lamproom calibrate`: find out how a site's cameras hang, from their own pictures.

Knows nothing about how a rig is solved; it takes pictures and writes the rig file.
"""

import argparse
import os
from pathlib import Path

from rich.progress import Progress

from edge.camera_source import open_source
from scene.clock import SystemClock
from scene.errors import CameraError, LamproomError, RigError
from scene.messages import YuvImage
from scene.rig import save_rig
from scene.site import Site, load_site
from stitching.calibrate import calibrate

HELP = """\
Find out how the cameras of a site hang together and where they are in the mine, from what they
see now and from the surveyed points (or the mount) in the site file. Writes the rig file.
The same pictures give the same rig file."""

OTHER_PLACE = "give another file with --out"


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


def run(args: argparse.Namespace) -> int:
    """Calibrate and say how good it is."""
    for option, value in (("--frames", args.frames), ("--every", args.every)):
        if value < 1:
            raise LamproomError(f"{option} {value}: give a number from 1 up")
    site = load_site(args.site)
    path = args.out or site.rig.file
    _check_writable(path)
    with Progress(transient=True) as progress:
        task = progress.add_task("taking pictures", total=1.0)

        def show(stage: str, share: float) -> None:
            progress.update(task, description=stage, completed=share)

        images = take_pictures(site, args.frames, args.every)
        rig = calibrate(images, site.rig, site.panorama, site.floor, show)
    try:
        save_rig(rig, path)
    except OSError as error:
        raise RigError(f"{path}: can't be written: {error.strerror}; {OTHER_PLACE}") from None
    print(f"{path}: {len(rig.cameras)} cameras, anchored by {rig.anchor}, geometry {rig.id}")
    for name, value in rig.quality.items():
        print(f"  {name:32} {value:g}")
    return 0


def _check_writable(path: Path) -> None:
    """Raise before minutes of work whose result could not be kept."""
    if path.is_dir():
        raise RigError(f"{path}: is a folder; {OTHER_PLACE}")
    if not path.parent.is_dir():
        raise RigError(f"{path}: there is no folder {path.parent}; make it, or {OTHER_PLACE}")
    if not os.access(path.parent, os.W_OK):
        raise RigError(f"{path}: the folder can't be written to; {OTHER_PLACE}")


def take_pictures(site: Site, count: int, every: int) -> dict[str, list[YuvImage]]:
    """Take up to `count` pictures from each camera, every `every` frames."""
    clock = SystemClock()
    taken: dict[str, list[YuvImage]] = {}
    for camera in site.cameras:
        source = open_source(
            camera, clock, pace="as_fast_as_possible", loop=False, start_at_ns=None
        )
        try:
            images = taken.setdefault(camera.name, [])
            for index, frame in enumerate(source.frames()):
                if index % every == 0:
                    images.append(frame.image)
                if len(images) >= count:
                    break
        finally:
            source.close()
        if not taken[camera.name]:
            raise CameraError(f"camera {camera.name}: {camera.url} gives no picture")
    return taken
