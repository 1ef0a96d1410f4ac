"""`lamproom install`: write the systemd units of a gateway, a control room or a broker.

Knows nothing about what they run. It writes files and says what to do next; it starts nothing.
"""

import argparse
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge.broker_files.config import FOLDER as BROKER_FOLDER
from edge.broker_files.templates import fill
from scene.errors import LamproomError

HELP = """\
Write the systemd units that keep Lamproom running: as a user without rights, on a file system that
it can only read but for its state, started again for ever, watched by a watchdog.

  lamproom install gateway /etc/lamproom/site.yaml
  lamproom install control-room --options="--broker mqtts://broker.mine --ca-file /etc/..."
  lamproom install broker              Mosquitto, with the files of `lamproom certs broker`

--dry-run shows what would be written; --root DIR writes below DIR (an image, a trial). Nothing is
started: the commands that come next are printed. docs/security.md tells the whole way."""

STATE = Path("/var/lib/lamproom")
"""Below it each kind has a folder of its own."""
NVIDIA = (
    "DevicePolicy=closed\n"
    "DeviceAllow=char-nvidia-frontend rw\nDeviceAllow=char-nvidia-uvm rw\n"
    "DeviceAllow=char-nvidia-caps rw\nDeviceAllow=char-drm rw"
)
"""For CUDA and hardware decoding; drivers' device groups as in /proc/devices."""


class InstallError(LamproomError):
    """Units can't be written; names the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One file to write: its template below `deploy/`, and where it goes."""

    template: str
    place: Path


UNITS = Path("/etc/systemd/system")
USERS = Unit(template="systemd/sysusers.conf", place=Path("/etc/sysusers.d/lamproom.conf"))
KINDS: dict[str, tuple[Unit, ...]] = {
    "gateway": (
        USERS,
        Unit(template="systemd/lamproom-gateway.service", place=UNITS / "lamproom-gateway.service"),
    ),
    "control-room": (
        USERS,
        Unit(
            template="systemd/lamproom-control-room.service",
            place=UNITS / "lamproom-control-room.service",
        ),
    ),
    "broker": tuple(
        Unit(template=f"systemd/{name}", place=UNITS / name)
        for name in (
            "mosquitto.service.d/lamproom.conf",
            "lamproom-broker-reload.path",
            "lamproom-broker-reload.service",
        )
    ),
}
NEXT: dict[str, tuple[str, ...]] = {
    "gateway": (
        "systemd-sysusers",
        "chown -R root:{user} /etc/lamproom && chmod -R u=rwX,g=rX,o= /etc/lamproom",
        "systemctl daemon-reload",
        "systemctl enable --now lamproom-gateway",
    ),
    "control-room": (
        "systemd-sysusers",
        "chown -R root:{user} /etc/lamproom && chmod -R u=rwX,g=rX,o= /etc/lamproom",
        "systemctl daemon-reload",
        "systemctl enable --now lamproom-control-room",
    ),
    "broker": (
        "chown -R root:mosquitto {broker_folder} && chmod -R u=rwX,g=rX,o= {broker_folder}",
        "systemctl daemon-reload",
        "systemctl enable --now mosquitto lamproom-broker-reload.path",
        "systemctl restart mosquitto",
    ),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the kinds of machine and their options."""
    parser.set_defaults(kind=None)
    kinds = parser.add_subparsers(dest="kind", metavar="kind", title="kinds of machine")
    gateway = kinds.add_parser("gateway", help="a gateway")
    gateway.add_argument("site", type=Path, help="its site file: /etc/lamproom/site.yaml")
    gateway.add_argument("--gpu", action="store_true", help="let it use an NVIDIA GPU")
    room = kinds.add_parser("control-room", help="the control room")
    broker = kinds.add_parser("broker", help="Mosquitto, on the surface or on a gateway")
    broker.add_argument(
        "--broker-folder",
        type=Path,
        metavar="DIR",
        default=BROKER_FOLDER,
        help=f"where its files are (default {BROKER_FOLDER})",
    )
    for one, command in ((gateway, "run"), (room, "control-room")):
        one.add_argument(
            "--options",
            metavar="TEXT",
            default="",
            help=f'for `lamproom {command}`, as in a shell: --options="..."',
        )
        one.add_argument("--user", default="lamproom", help="runs as (default lamproom)")
        one.add_argument(
            "--state",
            type=Path,
            metavar="DIR",
            help=f"all that it may write (default {STATE}/KIND)",
        )
        one.add_argument(
            "--program", type=Path, metavar="FILE", help="the lamproom to run (default: this one)"
        )
    for one in (gateway, room, broker):
        one.add_argument(
            "--memory-max",
            metavar="SIZE",
            help="of all its processes together, 4G for instance; a gateway's spare processes, "
            "which wait to take over, take some 125 MB of it",
        )
        one.add_argument("--dry-run", action="store_true", help="show it, write nothing")
        one.add_argument(
            "--root",
            type=Path,
            metavar="DIR",
            default=Path("/"),
            help="write below DIR (default /)",
        )


def run(args: argparse.Namespace) -> int:
    """Write the units; 1 where systemd finds fault with them. Raises `InstallError`."""
    if args.kind is None:
        raise InstallError(f"say what this machine is: {', '.join(KINDS)}")
    texts = units(_values(args), args.kind)
    if args.dry_run:
        for place, text in texts.items():
            print(f"# {place}\n{text}")
        return 0
    written = [_write(args.root, place, text) for place, text in texts.items()]
    for path in written:
        print(f"wrote {path}")
    faults = verify([path for path in written if path.suffix in (".service", ".path")])
    for fault in faults:
        print(f"systemd finds: {fault}")
    print("next, as root:" if args.root == Path("/") else "next, on the machine itself, as root:")
    state = getattr(args, "state", None)
    if state is not None and Path("/var/lib") not in state.parents:
        print(f"  install -d -o {args.user} -g {args.user} -m 750 {state}")
    for command in NEXT[args.kind]:
        print("  " + command.format_map(vars(args)))
    return int(bool(faults))


def units(values: Mapping[str, str], kind: str) -> Mapping[Path, str]:
    """Give the units' texts by where they go."""
    return {
        unit.place: re.sub(r"\n{3,}", "\n\n", fill(unit.template, values)) for unit in KINDS[kind]
    }


def verify(paths: list[Path]) -> list[str]:
    """Let systemd look for faults; nothing where there is no systemd."""
    program = shutil.which("systemd-analyze")
    if program is None or not paths:
        return []
    done = subprocess.run(
        [program, "verify", "--man=no", "--recursive-errors=no", *map(str, paths)],
        capture_output=True,
        text=True,
        check=False,
    )
    # Of other units on this machine nothing is said here.
    names = tuple(path.name for path in paths)
    return [line for line in done.stderr.splitlines() if any(name in line for name in names)]


def _values(args: argparse.Namespace) -> dict[str, str]:
    if args.memory_max and not re.fullmatch(r"\d+[KMGT]?", args.memory_max):
        raise InstallError(f"--memory-max {args.memory_max}: give bytes, or 500M, 4G")
    values = {"LIMITS": f"MemoryMax={args.memory_max}\n" if args.memory_max else ""}
    if args.kind == "broker":
        _check_path("--broker-folder", args.broker_folder)
        return values | {"BROKER": _quoted(str(args.broker_folder))}
    state = args.state or STATE / args.kind
    program = args.program or Path(sys.argv[0]).resolve()
    _check_path("--program", program)
    _check_path("--state", state)
    if len(state.parts) < 4:
        raise InstallError(f"--state {state}: give a folder of its own, {STATE} for instance")
    if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", args.user):
        raise InstallError(f"--user {args.user}: give a user's name in lower-case letters")
    try:
        words = shlex.split(args.options)
    except ValueError as error:
        raise InstallError(f"--options: {args.options}: {error}") from None
    var_lib = Path("/var/lib")
    values |= {
        "PROGRAM": _quoted(str(program)),
        "STATE": _quoted(str(state)),
        # systemd makes it there; elsewhere somebody has to.
        "STATE_NAME": str(state.relative_to(var_lib)) if var_lib in state.parents else "",
        "RUN_OPTIONS": "".join(f" {_quoted(word)}" for word in words),
        "USER": args.user,
        "HOME": str(STATE),
    }
    if args.kind == "gateway":
        _check_path("the site file", args.site)
        values["SITE_FILE"] = _quoted(str(args.site))
        values["DEVICES"] = NVIDIA if args.gpu else "PrivateDevices=true"
    return values


def _check_path(what: str, path: Path) -> None:
    if not path.is_absolute():
        raise InstallError(f"{what} {path}: give the whole path; systemd wants it")


def _quoted(word: str) -> str:
    """Write a word so that systemd reads it as one, and reads nothing into it.

    >>> _quoted("/a b/100%")
    '"/a b/100%%"'
    """
    if any(ord(char) < 32 for char in word):
        raise InstallError(f"{word!r}: has a line break in it")
    word = word.replace("\\", "\\\\").replace("%", "%%").replace("$", "$$")
    if re.fullmatch(r"[A-Za-z0-9_./:=,@%$+-]+", word):
        return word
    escaped = word.replace('"', '\\"')
    return f'"{escaped}"'


def _write(root: Path, place: Path, text: str) -> Path:
    path = root / place.relative_to("/")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o644)
    except OSError as error:
        raise InstallError(
            f"{path}: can't be written: {error.strerror}; be root, or give --root"
        ) from None
    return path
