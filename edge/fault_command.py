"""`lamproom fault`: bring a fault upon a running gateway, see what comes of it, and undo it.

Knows nothing about single faults, which are rows in `edge/faults/table.py`.
"""

import argparse
import contextlib
import fcntl
import os
import pwd
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.faults import filler
from edge.faults.drill import Drill
from edge.faults.record import GatewayRecord, running_gateway
from edge.faults.table import FAULTS, Fault, clear_drill_alarms
from edge.faults.target import FaultError, owner_of
from scene.site import Site, load_site

HELP = """\
A drill: bring a fault upon a running gateway, on its own machine and as its user, and see that it
is noticed and mended in time. docs/drills.md tells what must be seen in the control room, and when.

  lamproom fault mine/site.yaml list                 the faults, and this gateway's services
  lamproom fault mine/site.yaml alarm                a drill alarm, all the way to the control room
  lamproom fault mine/site.yaml kill sender          kill a service
  lamproom fault mine/site.yaml hang pipeline        stop a service
  lamproom fault mine/site.yaml camera-kill cam1     kill a camera's process
  lamproom fault mine/site.yaml camera-hang cam1 --for 8
  lamproom fault mine/site.yaml disk-full            fill the disk of the state folder

Tell the control room first: while a fault lasts cameras may be blind. Each fault asks before it
acts, and is undone whatever happens to this command: Ctrl-C, a lost terminal, SIGKILL.

exit codes: 0 all was seen in time, 1 something was not, 2 it could not be done."""

LOCK = "drill.lock"
LONGEST_S = 600.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `lamproom fault`."""
    parser.add_argument("site", type=Path, help="the gateway's site file, e.g. mine/site.yaml")
    parser.add_argument(
        "what", choices=("list", *FAULTS), metavar="WHAT", help=f"list, {', '.join(FAULTS)}"
    )
    parser.add_argument("name", nargs="?", help="which service or camera")
    parser.add_argument(
        "--for",
        dest="for_s",
        type=float,
        metavar="SECONDS",
        help="how long it lasts at most (`list` tells the usual time)",
    )
    parser.add_argument(
        "--within",
        dest="within_s",
        type=float,
        metavar="SECONDS",
        help="each thing that must be seen may take so long, instead of what docs/drills.md says",
    )
    parser.add_argument("--yes", action="store_true", help="don't ask")
    parser.add_argument(
        "--state",
        type=Path,
        metavar="FOLDER",
        help="the gateway's state folder, if it was started with --state",
    )


def run(args: argparse.Namespace) -> int:
    """Bring the fault about; 0 if all that must be seen was seen in time."""
    site = load_site(args.site)
    folder: Path = site.state_folder if args.state is None else args.state
    if args.what == "list":
        _list(site, running_gateway(folder))
        return 0
    fault = FAULTS[args.what]
    name, for_s = _name(args.what, fault, args.name), _for_s(args.what, fault, args.for_s)
    if args.within_s is not None and not 0 < args.within_s <= LONGEST_S:
        raise FaultError(f"--within {args.within_s:g}: give seconds, {LONGEST_S:g} at most")
    with _alone(_checked(folder, args.site), folder) as gateway:
        drill = Drill(
            site=site,
            folder=folder,
            gateway=gateway,
            within_s=args.within_s,
            say=lambda text: print(text, flush=True),
        )
        if filler.remove(folder):
            drill.say(f"a drill before this had left {folder / filler.FILE}; it is removed")
        if not args.yes and not _confirmed(site, args.what, fault, name):
            raise FaultError("nothing was done; answer y, or give --yes")
        with _signals(), contextlib.closing(drill):
            clear_drill_alarms(drill)
            try:
                fault.act(drill, name, for_s)
            except KeyboardInterrupt:
                drill.say("stopped; what was done is undone")
                raise
    if drill.missed:
        drill.say("NOT ALL WAS SEEN that must be; docs/drills.md tells what to look at")
        return 1
    drill.say("all was seen in time")
    return 0


def _name(what: str, fault: Fault, name: str | None) -> str:
    if fault.takes and not name:
        raise FaultError(f"{what}: say which {fault.takes}; `lamproom fault SITE list` lists them")
    if name and not fault.takes:
        raise FaultError(f"{what}: {name!r} is too much; this fault has no name behind it")
    return name or ""


def _for_s(what: str, fault: Fault, wanted_s: float | None) -> float:
    if wanted_s is None:
        return fault.for_s or 0.0
    if fault.for_s is None:
        raise FaultError(f"{what}: leave out --for; it is over at once")
    if not fault.least_s <= wanted_s <= LONGEST_S:
        raise FaultError(
            f"{what}: --for {wanted_s:g}: give {fault.least_s:g} to {LONGEST_S:g} seconds; "
            "nothing need be seen of less"
        )
    return wanted_s


def _checked(folder: Path, site_file: Path) -> GatewayRecord:
    """Find the gateway, and that we may hit it; raises `FaultError`."""
    gateway = running_gateway(folder)
    if gateway is None:
        raise FaultError(
            f"no gateway runs here with the state folder {folder}: start `lamproom run {site_file}`"
            ", or give its --state (one with --single-process has no processes to hit)"
        )
    owner = owner_of(gateway)
    if owner != os.geteuid():
        # As somebody else, root too, we might leave files that the gateway can't write.
        user = _user(owner)
        raise FaultError(f"the gateway runs as {user}: use `sudo -u {user} lamproom fault ...`")
    return gateway


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"#{number}"


@contextmanager
def _alone(gateway: GatewayRecord, folder: Path) -> Iterator[GatewayRecord]:
    """Let one drill at a time upon a gateway; raises `FaultError`.

    The second process that undoes a fault holds the lock, too, until it has done so.
    """
    try:
        fd = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise FaultError(f"{folder / LOCK}: can't be opened: {error.strerror}") from None
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FaultError(
                "another drill is going on upon this gateway; wait for its end"
            ) from None
        yield gateway
    finally:
        os.close(fd)


def _confirmed(site: Site, what: str, fault: Fault, name: str) -> bool:
    print(f"{what}{name and f' {name}'}, gateway {site.gateway} of {site.site}: {fault.does}.")
    print(f"Must be seen: {fault.must_be_seen}.")
    try:
        return input("Is the control room told? Do it now? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        print()
        return False


@contextmanager
def _signals() -> Iterator[None]:
    """Turn `kill` and a lost terminal into Ctrl-C while the block runs: what was done is undone."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _list(site: Site, gateway: GatewayRecord | None) -> None:
    for what, fault in FAULTS.items():
        takes = f" {fault.takes.upper()}" if fault.takes else ""
        lasts = f" [--for {fault.for_s:g}]" if fault.for_s is not None else ""
        print(f"{what}{takes}{lasts}")
        print(f"    {fault.does}")
        print(f"    must be seen: {fault.must_be_seen}")
    services = "the gateway does not run" if gateway is None else ", ".join(gateway.services)
    print(f"services: {services}")
    print(f"cameras: {', '.join(camera.name for camera in site.cameras)}")
