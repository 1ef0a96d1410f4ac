"""`lamproom run`: run a gateway.

Knows nothing about the stages; it decides between processes, threads and one frame after another.
"""

import argparse
import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from delivery.address import addresses_of
from delivery.recordings.keep import read_keep
from edge import log
from edge.calibration.made_for import check_same_site
from edge.cameras.source import is_live
from edge.options import RunOptions
from edge.quick_start import importing
from edge.sd_notify import Systemd
from edge.storage_watch import make_folder
from scene.errors import BrokerError, LamproomError, RigError
from scene.rig import load_rig
from scene.site import Site

HELP = """\
Run a gateway: take the site's cameras, show one panorama, find everybody on it in mine metres,
publish positions and alarms over MQTT.

  lamproom run mine/site.yaml                        as a mine runs it: a process per camera
  lamproom run mine/site.yaml --embedded-broker      no MQTT broker at hand
  lamproom run mine/site.yaml --fast --pictures out  go through files as fast as possible, look
                                                     at every panorama and every box found

Zones, gates and limits may be changed in the site file while it runs (docs/alarms.md). The page is
served by `lamproom control-room`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `lamproom run`."""
    parser.add_argument("site", type=Path, help="the site file, e.g. mine/site.yaml")
    parser.add_argument(
        "--trusted-key",
        type=Path,
        metavar="FILE",
        help="public key: a site file without the right signature is refused (`lamproom sign`)",
    )
    parser.add_argument("--broker", metavar="URL", help="MQTT broker instead of the site file's")
    parser.add_argument(
        "--embedded-broker",
        action="store_true",
        help="start a broker of our own, at the address that --broker or the site file gives, "
        "which must be one of this machine (trials only)",
    )
    parser.add_argument(
        "--record",
        type=Path,
        metavar="FILE",
        help="record the run (.mcap); not with --fast or --single-process",
    )
    parser.add_argument(
        "--record-cameras",
        action="store_true",
        help="with --record: the cameras' own packets, too, so that `lamproom rerun` can repeat it",
    )
    parser.add_argument(
        "--record-keep",
        metavar="LIMITS",
        help="with --record: delete the oldest files beyond a size, an age or both, e.g. "
        "200GB,30d (else as the site file's `recording` says; else nothing is deleted)",
    )
    parser.add_argument(
        "--tags",
        type=Path,
        metavar="FILE",
        help="play tag fixes (see docs/tags.md) beside camera files; not with --fast",
    )
    parser.add_argument("--loop", action="store_true", help="play camera files again and again")
    parser.add_argument(
        "--pictures",
        type=Path,
        metavar="FOLDER",
        help="with --fast: write panoramas and frames with what was found, once a second",
    )
    parser.add_argument(
        "--single-process", action="store_true", help="threads instead of processes (tiny boxes)"
    )
    parser.add_argument(
        "--fast",
        action="store_true",
        help="camera files only: every frame in order, as fast as possible, then stop",
    )
    parser.add_argument(
        "--state",
        type=Path,
        metavar="FOLDER",
        help="where alarms and people's numbers are kept (with --fast: nowhere)",
    )
    parser.add_argument(
        "--log",
        choices=log.FORMS,
        help="what is said on stderr: lines for people, or one JSON object a line "
        f"(default: ${log.VARIABLE}, else text)",
    )


def run(args: argparse.Namespace) -> int:
    """Run until the cameras end or Ctrl-C."""
    if args.log is not None:
        os.environ[log.VARIABLE] = args.log  # our processes' too
    log.start("run")
    if args.fast and args.state is None:
        # A trial's alarms must never be sent later, as those of a live run.
        with tempfile.TemporaryDirectory(prefix="lamproom-") as folder:
            args.state = Path(folder)
            return run(args)
    options = RunOptions(
        site_file=args.site,
        broker_url=args.broker,
        state_folder=args.state,
        loop=args.loop,
        record=args.record,
        record_cameras=args.record_cameras,
        record_keep=read_keep(args.record_keep) if args.record_keep else None,
        pictures=args.pictures,
        tags=args.tags,
        trusted_key=args.trusted_key,
    )
    site = options.site()
    with _broker_named_as_given(options):
        addresses_of(site.broker.url)
    # A gateway whose cameras were just hung tells how they are (`edge/no_rig.py`).
    if not may_wait_for_rig(site) or args.fast or args.single_process:
        check_ready(site)
    options = options.settle()  # whoever edits the file now stops nobody who is started again
    if args.fast and any(camera.url.startswith("rtsp") for camera in site.cameras):
        raise LamproomError("--fast goes through files; this site has RTSP cameras")
    if args.fast and args.tags:
        raise LamproomError("--tags goes with a run in real time, not with --fast")
    if args.pictures and not args.fast:
        raise LamproomError("--pictures goes with --fast")
    if args.record and (args.fast or args.single_process):
        raise LamproomError("--record needs processes: leave out --fast and --single-process")
    if (args.record_cameras or args.record_keep) and not args.record:
        raise LamproomError("--record-cameras and --record-keep go with --record FILE")
    if args.record and not Systemd().there:
        # Only said to somebody who sits there: for want of a disk to record to, no alarm may stop.
        make_folder(args.record)
    if args.fast or args.single_process:
        return _with_broker(options, args, lambda options: _in_one_process(options, args))
    with importing():
        from edge.guardian import guarded
        from edge.services import Supervisor  # before it forks: who is started anew has it

    def supervise(beat: Callable[[], None], begun_anew: str) -> int:
        def run_them(options: RunOptions) -> int:
            return Supervisor(options, say, beat=beat, begun_anew=begun_anew, fresh=True).run()

        return _with_broker(options, args, run_them)

    return guarded(supervise)


def may_wait_for_rig(site: Site) -> bool:
    """Tell whether a site without a rig file runs all the same: where there are live cameras."""
    return not site.rig.file.exists() and any(map(is_live, site.cameras))


def check_ready(site: Site) -> None:
    """Raise before anything is started when the rig file does not fit the site."""
    rig = load_rig(site.rig.file)
    for camera in site.cameras:
        rig.camera(camera.name)
    check_same_site(site.rig.file, site)
    if site.detection.model is not None and not site.detection.model.exists():
        raise LamproomError(f"detection.model: there is no file {site.detection.model}")
    if not os.access(site.rig.file, os.R_OK):
        raise RigError(f"{site.rig.file}: can't be read")


def _with_broker(
    options: RunOptions, args: argparse.Namespace, work: Callable[[RunOptions], int]
) -> int:
    if not args.embedded_broker:
        return work(options)
    from delivery.broker import EmbeddedBroker

    with contextlib.ExitStack() as stack:
        with _broker_named_as_given(options):
            broker = stack.enter_context(EmbeddedBroker.at(options.site().broker.url))
        if broker.is_open:
            say(f"{broker.url}: whoever is on the network can read and write at this broker")
        return work(replace(options, broker_url=broker.url))


@contextlib.contextmanager
def _broker_named_as_given(options: RunOptions) -> Iterator[None]:
    """Have errors about the broker's address name what it was given by."""
    try:
        yield
    except BrokerError as error:
        raise BrokerError(options.broker_words()(str(error))) from None


def _in_one_process(options: RunOptions, args: argparse.Namespace) -> int:
    if args.fast:
        from edge.fast import run_fast

        return run_fast(options, say)
    from edge.one_process import run_in_threads

    return run_in_threads(options, say)


def say(text: str) -> None:
    """Tell the operator something on stderr."""
    log.say(text)
