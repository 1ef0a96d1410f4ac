"""`lamproom accept`: the acceptance test of a site, by a labelled clip or a scripted walk.

Knows nothing about how anything is measured, judged or drawn.
"""

import argparse
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rich.progress import Progress

from control_room.incident.manifest import short
from control_room.incident.names import ACCEPTANCE
from control_room.journal.export import moment
from delivery.signing import PublicKey, read_private_key
from edge.acceptance.check import Check, passed
from edge.acceptance.clip import with_clips
from edge.acceptance.clip_figures import measure_clip
from edge.acceptance.figures import Figures
from edge.acceptance.folder import DATA, REPORT, refuse_to_overwrite, write_folder
from edge.acceptance.judge import judge
from edge.acceptance.page import VERDICTS, page
from edge.acceptance.record import Gateway, Subject, as_json, record, subject_of
from edge.acceptance.truth import read_truth
from edge.acceptance.walk_session import add_broker_options, walk_with
from edge.calibration.made_for import check_same_site
from scene.alarms import ALARMS
from scene.clock import SystemClock
from scene.errors import printable
from scene.html_page import Both
from scene.rig import Rig, load_rig
from scene.site import Site, load_site

HELP = """\
Test a site before anybody trusts it, and write a report that is signed like an incident export:
report.html (to print, English and Chinese), acceptance.json, manifest and signature. The limits are
in the site file's section `acceptance`; docs/acceptance.md tells all of them.

  lamproom accept mine/site.yaml --truth clip --tester "Li Wei" --key-file tester.key
      goes through a labelled clip, every frame of it
  lamproom accept mine/site.yaml --walk stations.csv --tester "Li Wei" --key-file tester.key
      leads somebody from station to station before a running gateway; you press Enter for each

stations.csv: station, x_m and y_m (or chainage_m and left_m), stay_s, expect, zone, note.

exit codes: 0 passed; 1 a limit was not met, or something was not measured; 2 bad input."""
LONGEST_NAME, LONGEST_WHY = 60, 2000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `lamproom accept`."""
    add = parser.add_argument
    add("site", type=Path, help="the site file, e.g. mine/site.yaml")
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--truth", type=Path, metavar="FOLDER", help="a labelled clip")
    how.add_argument("--walk", type=Path, metavar="STATIONS.csv", help="a scripted walk")
    add("--tester", type=_name, required=True, metavar="NAME", help="who tests and vouches for it")
    add("-o", "--output", type=Path, metavar="FOLDER", help="of the report (acceptance-SITE-TIME)")
    add(
        "--key-file",
        dest="signing_key",
        type=Path,
        metavar="FILE",
        help="private key (Ed25519, PEM) to sign with; without it nobody vouches for the report",
    )
    add("--language", choices=["en", "zh"], default="en", help="of the terminal (default en)")
    walk = parser.add_argument_group("of a walk")
    walk.add_argument(
        "--people",
        type=_count,
        default=1,
        metavar="N",
        help="how many walk: whoever is told beyond them is false (default 1)",
    )
    walk.add_argument(
        "--others", action="store_true", help="others are about: then nobody told can be false"
    )
    walk.add_argument(
        "--allow",
        action="append",
        default=[],
        choices=[kind for kind, row in ALARMS.items() if row.about == "person"],
        metavar="KIND",
        help="alarms that the walk itself brings, e.g. person_without_tag; may be given again",
    )
    add_broker_options(parser)


def run(args: argparse.Namespace) -> int:
    """Test, print and write the report; gives the exit code.

    Raises `LamproomError` of whatever was given and can't be used.
    """
    key = None if args.signing_key is None else read_private_key(args.signing_key)
    clock = SystemClock()
    began_ns = clock.now_ns()
    site = load_site(args.site)
    folder = args.output or Path(f"acceptance-{site.site}-{_stamp(began_ns)}")
    refuse_to_overwrite(folder)
    tested, rig, gateway = walk_with(args, site) if args.walk else _clip(args, site)
    checks = judge(tested, site)
    subject = subject_of(
        site,
        args.site,
        rig,
        tester=args.tester,
        truth=args.walk or args.truth,
        began_at_ns=began_ns,
        ended_at_ns=clock.now_ns(),
        gateway=gateway,
    )
    files = {
        REPORT: page(subject, tested, checks, site, rig).encode(),
        DATA: as_json(record(subject, tested, checks, site)),
    }
    write_folder(folder, files, _about(subject, checks), key)
    _print_checks(checks, args.language)
    print(_where(folder / REPORT, key, args.language))
    return 0 if passed(checks) else 1


def _where(report: Path, key: Ed25519PrivateKey | None, language: str) -> str:
    """Say where the report is, and who vouches for it."""
    by: Both = (
        "NOT SIGNED: nobody vouches for it; give --key-file",
        "未签名，无人担保；请提供 --key-file",
    )
    if key is not None:
        signer = short(PublicKey(key.public_key()).id)
        by = (f"signed with the key {signer}", f"已用密钥 {signer} 签名")
    return f"报告：{report}（{by[1]}）" if language == "zh" else f"report: {report} ({by[0]})"


def _clip(args: argparse.Namespace, site: Site) -> tuple[Figures, Rig, Gateway | None]:
    truth = read_truth(args.truth)
    rig = load_rig(site.rig.file)
    check_same_site(site.rig.file, site)
    with Progress(transient=True) as progress, tempfile.TemporaryDirectory() as scratch:
        task = progress.add_task("frames", total=len(truth.moments))
        figures = measure_clip(
            with_clips(site, args.truth),
            rig,
            truth,
            Path(scratch),
            lambda done, of: progress.update(task, completed=done, total=of),
        )
    return figures, rig, None


def _about(subject: Subject, checks: Sequence[Check]) -> dict[str, object]:
    """Write what the manifest says of the test."""
    return {
        "kind": "acceptance",
        "data": ACCEPTANCE,
        "software": subject.software,
        "made_at": moment(subject.ended_at_ns),
        "site": subject.site,
        "gateway": subject.gateway,
        "tester": subject.tester,
        "passed": passed(checks),
        "span": {"from": moment(subject.began_at_ns), "to": moment(subject.ended_at_ns)},
    }


def _print_checks(checks: Sequence[Check], language: str) -> None:
    column = 1 if language == "zh" else 0
    for check in checks:
        verdict = VERDICTS[check.verdict][column]
        print(f"{verdict:13} {check.what[column]}: {check.measured[column]}; {check.limit[column]}")
        for why in check.why:
            print(f"{'':13}   {printable(why[column], LONGEST_WHY)}")
    words = (("NOT PASSED", "不合格"), ("PASSED", "合格"))[passed(checks)]
    print(words[column], flush=True)


def _stamp(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns // 10**9, UTC).strftime("%Y%m%dT%H%M%SZ")


def _name(text: str) -> str:
    if not text.strip() or len(text) > LONGEST_NAME or not text.isprintable():
        raise argparse.ArgumentTypeError(f"give a name of 1 to {LONGEST_NAME} printable signs")
    return text.strip()


def _count(text: str) -> int:
    try:
        count = int(text)
    except ValueError:
        count = 0
    if not 1 <= count <= 100:
        raise argparse.ArgumentTypeError("give how many people walk, 1 to 100")
    return count
