"""`lamproom verify`: has anybody changed an export or report, and who vouches for it.

Knows nothing about how exports are made.
"""

import argparse
from pathlib import Path
from typing import Any

from control_room.incident.error import IncidentError
from control_room.incident.manifest import short
from control_room.incident.names import ACCEPTANCE
from control_room.incident.verify import Verdict, verify
from delivery.signing import public_keys_of
from scene.errors import printable

HELP = """\
Verify what `lamproom export` or `lamproom accept` wrote: every byte of every file, and who signed
it. Says which of the two it is, and whether an acceptance test was passed. Nothing is unpacked or
changed, and nothing outside the folder or .zip is opened.

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
    _check_version(args.export, verdict)
    for line in verdict.faults[:MOST_TOLD]:
        print(printable(line))
    if len(verdict.faults) > MOST_TOLD:
        print(f"and {len(verdict.faults) - MOST_TOLD} more")
    for line in verdict.doubts:
        print(f"UNPROVEN: {line}")
    print(f"{args.export}: {_in_short(verdict)}")
    return 1 if verdict.faults or verdict.doubts else 0


def _check_version(export: Path, verdict: Verdict) -> None:
    """Refuse what a later lamproom means by words of its own; raises `IncidentError`."""
    data = verdict.told.get("data", ACCEPTANCE)  # older reports don't say
    if verdict.told.get("kind") == "acceptance" and data != ACCEPTANCE:
        raise IncidentError(
            f"{export}: is an acceptance report of a version that is not known here "
            f"({printable(str(data), 40)}; known: {ACCEPTANCE}); verify it with the lamproom that "
            "wrote it, or a later one"
        )


def _in_short(verdict: Verdict) -> str:
    if verdict.faults:
        return f"CHANGED: {len(verdict.faults)} faults; it is not what was exported"
    span = verdict.told.get("span")
    span = span if isinstance(span, dict) else {}
    whole = f"{_kind(verdict.told)}: {verdict.files} files, none changed"
    by = f", signed with the key {short(verdict.signer)}" if verdict.signer else ", NOT SIGNED"
    return printable(f"{whole}{by}; {span.get('from', '?')} to {span.get('to', '?')}")


def _kind(told: dict[str, Any]) -> str:
    """Say what it is; a test is passed only where its manifest says just that."""
    kind = told.get("kind", "incident")  # older exports don't say
    if kind == "incident":
        return "incident export"
    if kind == "acceptance":
        return f"acceptance report, {'PASSED' if told.get('passed') is True else 'NOT PASSED'}"
    return f"of an unknown kind ({printable(str(kind), 40)})"
