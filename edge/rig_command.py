"""`lamproom rig`: look at a site's rig, hang a knocked camera anew, or take that back.

Knows nothing about how a turn is measured, nor about running gateways: they see the file change.
"""

import argparse
from datetime import UTC, datetime
from pathlib import Path

from scene.errors import RigError
from scene.rig import load_rig
from scene.rig_history import (
    Proposal,
    TurnedCamera,
    apply_proposal,
    former_ids,
    kept_file,
    load_proposal,
    proposal_file,
    roll_back,
    rolled_back_from,
)
from scene.site import load_site

HELP = """\
Look at a site's rig file, and change it when a camera has been knocked.

  lamproom rig show mine/site.yaml       id, errors, former rigs, and what is proposed
  lamproom rig apply mine/site.yaml      make the proposal of the running gateway the rig
  lamproom rig rollback mine/site.yaml   put the former rig back

A gateway that finds a camera turned raises an alarm and writes its proposal beside the rig file. A
running gateway takes a changed rig file over within seconds, without a gap."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `lamproom rig`."""
    parser.add_argument("action", choices=("show", "apply", "rollback"), help="what to do")
    parser.add_argument("site", type=Path, help="the site file, e.g. mine/site.yaml")


def run(args: argparse.Namespace) -> int:
    """Do it and say what is in force now."""
    path = load_site(args.site).rig.file
    if args.action == "apply":
        proposal = apply_proposal(path)
        print(f"{path}: rig {proposal.rig.id} follows {proposal.of}")
        print(_told(proposal))
        print(f"back again: lamproom rig rollback {args.site}")
    elif args.action == "rollback":
        left, now = roll_back(path)
        print(f"{path}: rig {now} is back, {left} is kept as {kept_file(path, left)}")
    else:
        _show(path)
    return 0


def _show(path: Path) -> None:
    rig = load_rig(path)
    print(f"{path}: rig {rig.id}, anchored by {rig.anchor}, {len(rig.cameras)} cameras")
    for name, value in rig.quality.items():
        print(f"  {name:32} {value:g}")
    former = former_ids(path)
    print(f"former rigs, latest first: {', '.join(former) if former else 'none'}")
    left = rolled_back_from(path)
    if left is not None:
        print(f"put back from {left}: nothing is applied by itself until `lamproom rig apply`")
    if not proposal_file(path).exists():
        print("proposed: nothing")
        return
    try:
        proposal = load_proposal(path)
    except RigError as error:
        print(f"proposed: {error}")
        return
    print(f"proposed: rig {proposal.rig.id}, found {_time(proposal.found_at_ns)}")
    print(_told(proposal))
    if proposal.of != rig.id:
        print(f"  it was made for {proposal.of} and can't be applied to {rig.id}")


def _told(proposal: Proposal) -> str:
    return "\n".join(_line(one) for one in proposal.cameras)


def _line(one: TurnedCamera) -> str:
    text = (
        f"  {one.camera}: turned by {one.turn_deg:.2f} degrees; off by {one.old_px:.1f} px before, "
        f"{one.new_px:.2f} px after, by {one.points} points"
    )
    if one.overlap_old_px is not None and one.overlap_new_px is not None:
        text += (
            f"; from its neighbours {one.overlap_old_px:.1f} px before, "
            f"{one.overlap_new_px:.2f} px after"
        )
    if one.shifted:
        text += "; it seems shifted, too: calibrate again when you can"
    return text


def _time(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
