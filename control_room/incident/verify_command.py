"""`lamproom verify`: has anybody changed an incident export, and who vouches for it.

Knows nothing about how exports are made.
"""

import argparse
from pathlib import Path

from control_room.incident.manifest import short
from control_room.incident.verify import Verdict, verify
from delivery.signing import public_keys_of
from scene.errors import printable

HELP = """\
Verify what `lamproom export` wrote: every byte of every file, and who signed it. Nothing is
unpacked or changed, and nothing outside the folder or .zip is opened.

  lamproom verify incident-20261130T100312Z --trusted certs/trusted/control_room.pub

Without --trusted, or where it isn't signed, changes by accident are found, but not those by
somebody who made it all anew: then the exit code is 1, too.

exit codes: 0 unchanged, and signed with a trusted key; 1 changed, or nobody vouches for it; 2 it
is no export, or can't be read."""
MOST_TOLD = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `lamproom verify`."""
    parser.add_argument("export", type=Path, help="its folder or its .zip")
    parser.add_argument(
        "--trusted",
        action="append",
        nargs="+",
        type=Path,
        default=[],
        metavar="KEY",
        help="public key files (PEM, .pub) of whom you believe",
    )


def run(args: argparse.Namespace) -> int:
    """Verify; gives the exit code. Raises `IncidentError`, `SigningError`."""
    trusted = [key for files in args.trusted for file in files for key in public_keys_of(file)]
    verdict = verify(args.export, trusted)
    for line in verdict.faults[:MOST_TOLD]:
        print(printable(line))
    if len(verdict.faults) > MOST_TOLD:
        print(f"and {len(verdict.faults) - MOST_TOLD} more")
    for line in verdict.doubts:
        print(f"UNPROVEN: {line}")
    print(f"{args.export}: {_in_short(verdict)}")
    return 1 if verdict.faults or verdict.doubts else 0


def _in_short(verdict: Verdict) -> str:
    if verdict.faults:
        return f"CHANGED: {len(verdict.faults)} faults; it is not what was exported"
    span = verdict.told.get("span")
    span = span if isinstance(span, dict) else {}
    whole = f"{verdict.files} files, none changed"
    by = f", signed with the key {short(verdict.signer)}" if verdict.signer else ", NOT SIGNED"
    return printable(f"{whole}{by}; {span.get('from', '?')} to {span.get('to', '?')}")
