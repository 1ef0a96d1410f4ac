"""`lamproom check`: see that a site file is right and all that it names exists and fits.

Knows nothing about how to mend it beyond what the errors say.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

from scene.errors import LamproomError, ModelError, RigError
from scene.messages import KINDS
from scene.rig import load_rig
from scene.site import Site, load_site

HELP = """\
Check a site file: its fields, the camera files, the rig file and the model.
Every mistake is one line with its place in the file."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `lamproom check`."""
    parser.add_argument("site", type=Path, help="the site file, e.g. mine/site.yaml")


def run(args: argparse.Namespace) -> int:
    """Print one line per part; 0 when all of them are right, 1 otherwise."""
    site = load_site(args.site)
    print(f"ok    {args.site}: {len(site.cameras)} cameras, {len(site.zones)} zones")
    return int(any([not _check("rig", _rig, site), not _check("model", _model, site)]))


def _check(what: str, look: Callable[[Site], str], site: Site) -> bool:
    try:
        print(f"ok    {what}: {look(site)}")
    except LamproomError as error:
        print(f"FAIL  {what}: {error}")
        return False
    return True


def _rig(site: Site) -> str:
    rig = load_rig(site.rig.file)
    known = {camera.name for camera in rig.cameras}
    missing = [camera.name for camera in site.cameras if camera.name not in known]
    if missing:
        raise RigError(
            f"{site.rig.file}: cameras {', '.join(missing)} of the site are not in it; "
            "run `lamproom calibrate`"
        )
    figures = ", ".join(f"{name} {value:g}" for name, value in rig.quality.items())
    return f"{site.rig.file}: {rig.id}, anchored by {rig.anchor}; {figures}"


def _model(site: Site) -> str:
    from detection.detector import open_detector

    detector = open_detector(site.detection)
    model = detector.model
    if KINDS.index("person") not in model.kinds:
        raise ModelError(
            f"{model.path}: none of its classes ({', '.join(model.names)}) is a person; "
            "say which one is: detection.kinds"
        )
    text = f"{model.path}: {', '.join(model.names)}; runs on {detector.provider}"
    return text + (f"; degraded: {detector.degraded}" if detector.degraded else "")
