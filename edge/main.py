"""The command line `lamproom`: one table of commands, each in a module of its own.

Knows nothing about what the commands do; their modules are imported when they are called, so that
`--help` is quick.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

from edge.quick_start import importing
from scene.errors import LamproomError

# Before numpy is imported anywhere: its linear algebra on small matrices spins on every core
# otherwise, and takes them from decoding and detection.
for _threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")
# ONNX Runtime would number this machine, note what runs on it, and send that to its makers.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# Pydantic would look through all installed packages for plugins at every start: who is started
# again in a hurry has no time for it.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

EPILOG = """\
first steps:
  lamproom demo                          the sample mine, in your browser
  lamproom plan --length 120             where do my cameras go?
  lamproom check mine/site.yaml          is my site file right?
  lamproom calibrate mine/site.yaml      find out how my cameras hang together
  lamproom run mine/site.yaml            run the gateway
  lamproom control-room                  serve the page: panorama, plan, alarms
  lamproom alarms                        alarms in the terminal
  lamproom muster --roster shift.csv     who is where, who is missing

exit codes: 0 all is well, 1 it ran and found something wrong, 2 bad input or nothing to work with.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One row: the command's module has `add_arguments(parser)` and `run(args) -> int`."""

    module: str
    help: str


COMMANDS: dict[str, Command] = {
    "demo": Command(module="edge.demo", help="run the sample mine and open the viewer"),
    "check": Command(module="edge.check", help="check a site file and all it names"),
    "plan": Command(module="edge.plan", help="tell where to mount cameras, before anything hangs"),
    "calibrate": Command(
        module="edge.calibrate", help="find out how the cameras hang; write the rig file"
    ),
    "rig": Command(
        module="edge.rig_command", help="show the rig; apply or take back a re-registration"
    ),
    "run": Command(module="edge.run", help="run a gateway: cameras in, panorama and alarms out"),
    "control-room": Command(
        module="control_room.main", help="serve the page with panorama, plan and alarms"
    ),
    "users": Command(
        module="control_room.access.users_command", help="who may log in to the control room's page"
    ),
    "journal": Command(
        module="control_room.journal.command", help="what happened; was the audit tampered with"
    ),
    "alarms": Command(module="control_room.alarms", help="print alarms as they come"),
    "muster": Command(
        module="control_room.muster_command", help="count heads: who is where, who is missing"
    ),
    "report": Command(
        module="control_room.shift_report.command", help="a shift as one page to print, with plots"
    ),
    "replay": Command(module="control_room.replay.command", help="play a recording into the page"),
    "export": Command(
        module="control_room.incident.command", help="some minutes of a recording as signed files"
    ),
    "verify": Command(
        module="control_room.incident.verify_command", help="has anybody changed an export"
    ),
    "rerun": Command(
        module="edge.rerun",
        help="run a recording's cameras again: is it equal, what would others do",
    ),
    "reanalyse": Command(
        module="edge.reanalysis.command",
        help="run an archive of recordings again: what would another model or rules change",
    ),
    "accept": Command(
        module="edge.accept_command", help="test a site: labelled clip or scripted walk, signed"
    ),
    "evaluate": Command(
        module="detection.evaluate_command", help="score a detection model on labelled pictures"
    ),
    "train": Command(
        module="detection.training.command", help="train a detection model of your own"
    ),
    "certs": Command(
        module="edge.certs_command", help="make a site's certificates, access lists, signing keys"
    ),
    "install": Command(module="edge.install_command", help="write the systemd units of a machine"),
    "sign": Command(module="edge.sign_command", help="sign a site file"),
    "fault": Command(module="edge.fault_command", help="drill: bring a fault upon a gateway"),
    "doctor": Command(module="edge.doctor", help="see what is missing on this machine"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; gives the exit code. Users' errors are one line, no traceback."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    with importing(for_good=argv is None):
        parser = _parser(arguments)
    args = parser.parse_args(arguments)
    if not args.command:
        parser.print_help()
        return 2
    try:
        return int(_module(args.command).run(args))
    except LamproomError as error:
        print(f"lamproom {args.command}: {_in_words_of(args, error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `lamproom alarms | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _in_words_of(args: argparse.Namespace, error: LamproomError) -> str:
    """Name the broker's fields as options for a command that has no site file."""
    if not hasattr(args, "ca_file"):
        return str(error)
    from control_room.broker_options import as_options

    return as_options(error)


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lamproom",
        description="One live panorama of a roadway, every miner located in metres, "
        "alarms over MQTT.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    subparsers = parser.add_subparsers(dest="command", metavar="command", title="commands")
    wanted = next((word for word in arguments if not word.startswith("-")), None)
    for name, command in COMMANDS.items():
        description = None
        module = _module(name) if name == wanted else None
        if module:
            description = getattr(module, "HELP", None) or command.help
        subparser = subparsers.add_parser(
            name,
            help=command.help,
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if module:
            module.add_arguments(subparser)
    return parser


def _module(name: str) -> ModuleType:
    return importlib.import_module(COMMANDS[name].module)


if __name__ == "__main__":
    sys.exit(main())
