"""`lamproom check`: see that a site file is right and all that it names exists and fits.

Knows nothing about how to mend it beyond what the errors say.
"""

import argparse
import os
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import cast

from delivery.mqtt import Connection
from delivery.signing import Signer, SigningError
from delivery.trust import Trust
from edge.calibration.made_for import check_made_for, maker_of
from edge.check_survey import survey_mistakes
from location.rules.ways import LOST_LATER_S, lost_after_s
from scene.clock import SystemClock
from scene.errors import CameraError, LamproomError, ModelError, RigError, SiteError
from scene.floor import Floor
from scene.landmarks_config import beyond_floor, landmarks_of
from scene.messages import KINDS
from scene.rig import load_rig
from scene.site import CameraConfig, Site, load_site, readable_parts


class Unasked(str):
    """What a look says where some of it is known only to somebody whom it does not ask."""


SHOWN = 5
"""So many mistakes of one part are told at once."""
HELP = """\
Check a site file: its fields, the camera files (one picture of each), the survey points, limits,
the rig file (is it there, and is it this site's, with the survey points as they are now), the model
and the broker's address and password file. Nobody is connected to: "?" marks what only asking would
tell, and says what asks; or what is allowed and perhaps not meant.
Every mistake is one line with its place in the file. A part of the file that has mistakes of its
own is looked into once they are mended; all others are at once."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `lamproom check`."""
    parser.add_argument("site", type=Path, help="the site file, e.g. mine/site.yaml")


def run(args: argparse.Namespace) -> int:
    """Print one line per part; 0 when none of them is known to be wrong, 1 otherwise.

    Raises `SiteError` with the mistakes of the file itself, once all else has been looked at.
    """
    try:
        site = load_site(args.site)
    except SiteError:
        # What has no mistakes of its own is looked at all the same: one mistake hides no other.
        parts = cast(Site, readable_parts(args.site))
        for what, look in LOOKS.items():
            _check(what, look, parts)
        raise
    print(f"ok    {args.site}: {_summary(site)}")
    return int(not all([_check(what, look, site) for what, look in LOOKS.items()]))


def _summary(site: Site) -> str:
    """Count what there is, so that who forgot something sees it."""
    counts = {"camera": len(site.cameras), "zone": len(site.zones), "gate": len(site.gates)}
    return ", ".join(many(count, what) for what, count in counts.items())


def many(count: int, what: str) -> str:
    """Write a number of things.

    >>> many(1, "zone"), many(2, "zone")
    ('1 zone', '2 zones')
    """
    return f"{count} {what}{'s' * (count != 1)}"


def _check(what: str, look: Callable[[Site], str], site: Site) -> bool:
    try:
        said = look(site)
        print(f"{'?    ' if isinstance(said, Unasked) else 'ok   '} {what}: {said}")
    except AttributeError as error:
        if isinstance(site, Site) or error.obj is not site:  # a mistake of ours
            raise
        print(f"-     {what}: not looked at before {error.name} is right in the site file")
        return False
    except LamproomError as error:
        print(f"FAIL  {what}: {error}")
        return False
    return True


def _cameras(site: Site) -> str:
    """Take one picture from each camera file; a real camera is not asked."""
    from edge.cameras.source import is_live

    pictures, wrong = _sizes_of(site)
    wrong += _unfit(site, pictures) + _same_address(site.cameras)
    if wrong:
        raise CameraError("; ".join(wrong))
    live = [camera.name for camera in site.cameras if is_live(camera)]
    said = ", ".join(f"{name} {width}x{height}" for name, (width, height) in pictures.items())
    if not live:
        return said
    asks = f"not asked: {', '.join(live)} (use `lamproom doctor SITE`, which listens to them)"
    return Unasked(f"{said}; {asks}" if said else asks)


def _sizes_of(site: Site) -> tuple[dict[str, tuple[int, int]], list[str]]:
    """Give the sizes of camera files' pictures by camera, and why others can't be read."""
    from edge.cameras.source import is_live

    sizes, wrong = {}, []
    for camera in site.cameras:
        try:
            if not is_live(camera):
                sizes[camera.name] = _size_of(camera)
        except CameraError as error:
            wrong.append(str(error))
    return sizes, wrong


def _size_of(camera: CameraConfig) -> tuple[int, int]:
    from edge.cameras.source import open_source

    source = open_source(camera, SystemClock(), pace="as_fast_as_possible")
    try:
        for frame in source.frames():
            return frame.image.size_px
        raise CameraError(f"camera {camera.name}: {camera.url}: there is no picture in it")
    finally:
        source.close()


def _unfit(site: Site, pictures: dict[str, tuple[int, int]]) -> list[str]:
    """List the cameras whose pictures are not of the size that the rig was calibrated with."""
    try:
        sizes = {camera.name: camera.size_px for camera in load_rig(site.rig.file).cameras}
    except RigError:  # said under "rig"
        return []
    return [
        f"camera {name}: its picture is {size[0]} x {size[1]}, the rig was calibrated at "
        f"{sizes[name][0]} x {sizes[name][1]}; run `lamproom calibrate` again"
        for name, size in pictures.items()
        if name in sizes and sizes[name] != size
    ]


def _same_address(cameras: Iterable[CameraConfig]) -> list[str]:
    """List cameras whose address another one has, too; who logs in there does not matter."""
    found, first = [], dict[str, str]()
    for camera in cameras:
        scheme, _, rest = camera.url.partition("://")
        address = rest.rpartition("@")[2] if rest else os.path.realpath(scheme)
        if address in first:
            found.append(
                f"cameras {first[address]} and {camera.name} have the same url; give each its own"
            )
        first.setdefault(address, camera.name)
    return found


def _limits(site: Site) -> str:
    """Find what is allowed and hardly meant."""
    doubts = []
    timed = [zone.name for zone in site.zones if zone.hours]
    if timed and site.limits.time_zone is None:
        doubts.append(
            f"{', '.join(timed[:SHOWN])}: hours without limits.time_zone are those of whichever "
            "computer judges; give e.g. time_zone: Asia/Shanghai"
        )
    lost = site.limits.lost
    if lost is not None and lost.after_s < lost_after_s(site):
        doubts.append(
            f"limits.lost.after_s: nobody counts as lost before {lost_after_s(site):g} s "
            f"(limits.camera.stalled_after_s + {LOST_LATER_S:g}), so {lost.after_s:g} can't be met"
        )
    return Unasked("; ".join(doubts)) if doubts else "fit together"


def _survey(site: Site) -> str:
    """See that survey points can be right, all of them at once."""
    sizes, _ = _sizes_of(site)  # what can't be read is said under "cameras"
    mistakes = survey_mistakes(site, sizes)
    if mistakes:
        more = f"; and {len(mistakes) - SHOWN} more" if len(mistakes) > SHOWN else ""
        raise RigError("; ".join(mistakes[:SHOWN]) + more)
    markers = len(site.rig.markers.tags) if site.rig.markers else 0
    counts = {"point": len(site.rig.survey_points), "marker": markers, "pose": len(site.rig.poses)}
    return ", ".join(many(count, what) for what, count in counts.items())


def _landmarks(site: Site) -> str:
    found = landmarks_of(site.supports, site.marks)
    counts = Counter(one.kind for one in found)
    said = f"{many(counts['support'], 'support')}, {many(counts['mark'], 'mark')}"
    low_m, high_m = sorted(Floor(site.floor).chainages_m)
    beyond = [f"{one.name} at {one.chainage_m:g} m" for one in beyond_floor(found, (low_m, high_m))]
    if not beyond:
        return said
    names = ", ".join(beyond[:SHOWN])
    more = f" and {len(beyond) - SHOWN} more" if len(beyond) > SHOWN else ""
    return Unasked(
        f"{said}; {names}{more}: beyond this floor, which reaches from {low_m:g} to {high_m:g} m; "
        "is the unit metres?"
    )


def _broker(site: Site) -> str:
    """Look at the address and the password file; the broker itself is not asked."""
    Connection(site.broker, client_id="lamproom-check")
    url = site.broker.url
    return Unasked(f"{url}: not asked (use `lamproom alarms --broker {url}`, which connects to it)")


def _signing(site: Site) -> str:
    """Read all key files, as running does."""
    signing = site.signing
    if signing is None:
        return "no keys: what is said is neither signed nor checked"
    said = ["unsigned"] if signing.key_file is None else [f"signed with {signing.key_file}"]
    if signing.key_file is not None:
        Signer.from_file(signing.key_file)
    if signing.trusted:
        trust = Trust(signing.trusted, SystemClock(), lambda _text: None)
        unusable = [one.text for one in trust.distrusted()]
        if unusable:
            raise SigningError("; ".join(unusable))
        said.append(f"checked with {', '.join(map(str, signing.trusted))}")
    return ", ".join(said)


def _rig(site: Site) -> str:
    rig = load_rig(site.rig.file)
    check_made_for(site.rig.file, site)
    known = {camera.name for camera in rig.cameras}
    missing = [camera.name for camera in site.cameras if camera.name not in known]
    if missing:
        raise RigError(
            f"{site.rig.file}: cameras {', '.join(missing)} of the site are not in it; "
            "run `lamproom calibrate`"
        )
    figures = ", ".join(f"{name} {value:g}" for name, value in rig.quality.items())
    text = f"{site.rig.file}: {rig.id}, anchored by {rig.anchor}; {figures}"
    if not maker_of(site.rig.file):
        text += "; it doesn't say what it was calibrated with: run `lamproom calibrate` if the "
        text += "survey points or cameras have changed since"
    return text


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


LOOKS: dict[str, Callable[[Site], str]] = {
    "cameras": _cameras,
    "survey": _survey,
    "landmarks": _landmarks,
    "limits": _limits,
    "rig": _rig,
    "model": _model,
    "broker": _broker,
    "signing": _signing,
}
