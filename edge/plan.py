"""`lamproom plan`: where to mount cameras in a roadway, or how good a layout is, before it hangs.

Knows nothing about how it is computed; it reads the wishes, shows the answer, writes the report.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from pydantic import ValidationError
from rich.console import Console
from rich.progress import Progress

from detection.model import SHIPPED, load_model
from edge.planning.file import HungCamera, PlanConfig, load_plan, rising
from edge.planning.judge import Judgement, judge
from edge.planning.optics import Optics
from edge.planning.page import page
from edge.planning.search import Layout, search
from edge.planning.section import Section
from edge.planning.words import (
    CAMERA_LEGEND,
    METRE_LEGEND,
    Answer,
    as_json,
    blind_spot,
    camera_table,
    metre_table,
    overlap_text,
    verdict,
)
from scene.errors import LamproomError, SiteError
from scene.geometry import CameraModel
from scene.rig import load_rig
from scene.site import load_site

HELP = """\
Tell where to mount cameras in a roadway, before anything hangs: the fewest with which every metre
of floor is seen, standing and lying people large enough for the detector; coverage, overlap and
expected position error per metre, blind spots and why. Writes one HTML page with a plan to scale.

  lamproom plan --length 120 --width 4.8 --height 2.8 --hfov 84 --resolution 1280x720
  lamproom plan gate.yaml                   bends, grades, obstacles, several lenses: a plan file
  lamproom plan --site mine/site.yaml       judge the cameras as they hang
  lamproom plan gate.yaml --site mine/site.yaml    the same, with the plan file's obstacles

A plan file, all but version, floor and lenses may be left out:

  version: 1
  name: gate
  floor: {centre_line_m: [[0, 0, 0], [40, 0, 0.8], [80, 6, 1]], left_m: 2.4, right_m: 2.4}
  height_m: 2.8
  lenses: [{name: wide, hfov_deg: 84, size_px: [1920, 1080]}, {name: tele, hfov_deg: 50}]
  rig: strip                                # or rotation: fanned out from one place a gateway
  cameras: 8                                # no more than these
  mounts: {sides: [left, right, roof], height_m: 2.5, from_rib_m: 0.3}
  no_mounts: [{along_m: [30, 34], sides: [left]}]
  obstacles: [{name: feed cabinet, along_m: [14, 16], across_m: [-2.4, -1.4], height_m: 1.6}]
  wishes: {person_px: 40, lying_px: 32, share: 0.9, overlap_m: 1, twice_m: [[10, 20]]}
  model: my-miners.onnx                     # sizes are asked in this detector's picture
  hung: []                                  # a layout of your own: judged, none is sought

Exit code 0: every metre is covered as wished; 1: not; 2: the input is wrong."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `lamproom plan`."""
    parser.add_argument("plan", type=Path, nargs="?", help="a plan file (see above)")
    parser.add_argument("--site", type=Path, help="judge this site's floor and calibrated cameras")
    parser.add_argument("--length", type=float, help="of the roadway, metres")
    parser.add_argument("--width", type=float, default=4.8, help="metres (default 4.8)")
    parser.add_argument("--height", type=float, default=2.8, help="metres (default 2.8)")
    parser.add_argument("--grade", type=float, default=0.0, help="rise per metre (default 0)")
    parser.add_argument("--hfov", type=float, default=84.0, help="of the lens (default 84 degrees)")
    parser.add_argument("--resolution", default="1280x720", help="of the camera (1280x720)")
    parser.add_argument("--mount-height", type=float, help="metres (default 0.3 below the roof)")
    parser.add_argument("--cameras", type=int, help="no more than these (default: as needed)")
    parser.add_argument("--rig", choices=("strip", "rotation"), help="(default strip)")
    parser.add_argument(
        "--detector-width", type=int, metavar="PX", help="instead of asking the detection model"
    )
    parser.add_argument(
        "--out", type=Path, help="the report (default plan.html; with --site SITE.plan.html)"
    )
    parser.add_argument("--metres", action="store_true", help="print each metre, not stretches")
    parser.add_argument("--json", action="store_true", help="print everything as JSON instead")


def run(args: argparse.Namespace) -> int:
    """Plan or judge; 0 when every metre is covered as wished, 1 when not."""
    plan, given = _asked(args)
    # Who judges a site does not mean to lose the plan of a new one.
    out = args.out or Path("plan.html" if args.site is None else f"{plan.name}.plan.html")
    _check_writable(out)
    section = Section(plan)
    detector, detector_px = _detector(plan)
    if given is None and not plan.hung:
        layout: Layout | None = _search(section, detector_px)
        hung = layout.hung if layout else ()
    else:
        layout, hung = None, plan.hung
    optics = Optics(section, detector_px)
    cameras = given or tuple(optics.camera(one) for one in hung)
    if not cameras:
        raise LamproomError(_nothing(plan))
    judged = judge(section, cameras, detector_px)
    answer = Answer(
        plan=plan,
        hung=_descriptions(section, judged, hung),
        judgement=judged,
        layout=layout,
        detector=detector,
        detector_px=detector_px,
    )
    replaced = out.exists()
    try:
        out.write_text(page(answer), encoding="utf-8")
    except OSError as error:
        raise LamproomError(f"{out}: can't be written: {error.strerror}; give --out") from None
    _show(answer, args, out)
    if replaced:
        print(f"{out}: took the place of the report that was there", file=sys.stderr)
    return int(not judged.covered)


def _asked(args: argparse.Namespace) -> tuple[PlanConfig, tuple[CameraModel, ...] | None]:
    """Put plan file, site and options together."""
    if args.plan is None and args.site is None and args.length is None:
        raise SiteError("give a plan file, --site or --length; see `lamproom plan --help`")
    if args.plan is not None and args.length is not None:
        raise SiteError("give either a plan file or --length, not both")
    cameras: tuple[CameraModel, ...] | None = None
    changes: dict[str, object] = {}
    if args.site is not None:
        site = load_site(args.site)
        rig = load_rig(site.rig.file)
        cameras = rig.cameras
        changes |= {"floor": rising(site.floor), "rig": site.rig.kind, "name": site.site}
        changes |= {"model": site.detection.model, "hung": (), "stretch_m": None}
    plan = load_plan(args.plan) if args.plan is not None else _simple(args, changes)
    if args.plan is not None:
        changes |= {"stretch_m": plan.stretch_m} if args.site is None else {}
    if args.cameras is not None:
        changes["cameras"] = args.cameras
    if args.rig is not None and args.site is None:
        changes["rig"] = args.rig
    if args.detector_width is not None:
        wishes = plan.wishes.model_dump()
        changes["wishes"] = {**wishes, "detector_width_px": args.detector_width}
    return _checked(plan, changes), cameras


def _simple(args: argparse.Namespace, changes: dict[str, object]) -> PlanConfig:
    """Make a plan from options: a straight roadway."""
    length = args.length if args.length is not None else 10.0
    try:
        width, height = (int(side) for side in str(args.resolution).lower().split("x"))
    except ValueError:
        raise SiteError(
            f"--resolution {args.resolution}: give width and height, e.g. 1280x720"
        ) from None
    for option in ("length", "width", "height", "hfov", "mount_height"):
        value = getattr(args, option)
        if value is not None and not 0 < value < MAX_OPTION:
            name = option.replace("_", "-")
            raise SiteError(f"--{name} {value:g}: give a number between 0 and {MAX_OPTION:g}")
    mounts = {"height_m": args.mount_height or round(max(args.height - 0.3, 0.31), 3)}
    content = {
        "version": 1,
        "floor": {
            "centre_line_m": [[0, 0, 0], [length, 0, length * args.grade]],
            "left_m": args.width / 2,
            "right_m": args.width / 2,
        },
        "height_m": args.height,
        "lenses": [{"hfov_deg": args.hfov, "size_px": [width, height]}],
        "mounts": mounts,
    }
    content["floor"] = changes.get("floor", content["floor"])
    return _validated(content)


def _checked(plan: PlanConfig, changes: dict[str, object]) -> PlanConfig:
    """Put changes into a plan and check it as a whole again."""
    changed = plan.model_copy(update=changes)
    return _validated({name: getattr(changed, name) for name in PlanConfig.model_fields})


def _validated(content: dict[str, object]) -> PlanConfig:
    try:
        return PlanConfig.model_validate(content)
    except ValidationError as error:
        said = [
            f"{_option(one['loc'])}{one['msg'].removeprefix('Value error, ')}"
            for one in error.errors()
            if one["type"] != "too_short"  # that follows from another one
        ]
        raise SiteError("; ".join(said)) from None


MAX_OPTION = 1e4
OPTIONS = {
    "floor": "--length, --width",
    "height_m": "--height",
    "lenses": "--hfov, --resolution",
    "mounts": "--mount-height",
    "cameras": "--cameras",
    "wishes": "--detector-width",
}
"""Which option a wrong field came from."""


def _option(loc: tuple[int | str, ...]) -> str:
    if not loc:
        return ""
    field = ".".join(str(part) for part in loc)
    option = OPTIONS.get(str(loc[0]))
    return f"{option} ({field}): " if option else f"{field}: "


def _detector(plan: PlanConfig) -> tuple[str, tuple[int, int]]:
    """Tell the detector's name and the picture that it works on."""
    width = plan.wishes.detector_width_px
    if width is not None:
        return "a detector", (width, width)
    model = load_model(plan.model or SHIPPED)
    return model.path.name, model.input_size


def _search(section: Section, detector_px: tuple[int, int]) -> Layout:
    with Progress(transient=True, console=Console(stderr=True)) as progress:
        task = progress.add_task("looking from everywhere", total=1.0)

        def show(stage: str, share: float) -> None:
            progress.update(task, description=stage, completed=share)

        return search(section, detector_px, show)


def _nothing(plan: PlanConfig) -> str:
    largest = max(plan.lenses, key=lambda lens: lens.size_px[0])
    return (
        "no camera that may be mounted covers anything: people would be too small in every "
        f"picture (wishes: {plan.wishes.person_px:g} px standing, {plan.wishes.lying_px:g} px "
        f"lying; lens {largest.name}), or no_mounts leaves no place; give a longer lens, more "
        "pixels, a detector with a larger input, or more places"
    )


def _descriptions(
    section: Section, judged: Judgement, hung: tuple[HungCamera, ...]
) -> tuple[HungCamera, ...]:
    """Take the descriptions, or make them where there are only calibrated cameras."""
    return hung or tuple(described(section, camera) for camera in judged.cameras)


def described(section: Section, camera: CameraModel) -> HungCamera:
    """Say in words of the plan how a calibrated camera hangs."""
    centre, ahead = camera.centre_m, camera.camera_from_mine[2, :3]
    chainage, left = section.floor.place(centre[None, :2])[0].tolist()
    above = float(centre[2] - section.floor.z_m(centre[None, :2])[0])
    return HungCamera(
        name=camera.name,
        chainage_m=round(chainage, 2),
        left_m=round(left, 2),
        height_m=round(max(above, 0.01), 2),
        yaw_deg=round(float(np.degrees(np.arctan2(ahead[1], ahead[0]))), 1),
        pitch_deg=round(float(np.degrees(np.arcsin(np.clip(ahead[2], -1, 1)))), 1),
    )


def _check_writable(out: Path) -> None:
    if out.is_dir() or not out.parent.is_dir():
        raise LamproomError(f"{out}: is no file in a folder that exists; give another --out")


def _show(answer: Answer, args: argparse.Namespace, out: Path) -> None:
    if args.json:
        print(json.dumps(as_json(answer), ensure_ascii=False, indent=1))
        return
    console = Console()

    def say(text: str) -> None:
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    say(verdict(answer)[0])
    say(
        f"({answer.detector} works on pictures {answer.detector_px[0]} px wide: who stands counts "
        f"as seen from {answer.plan.wishes.person_px:g} px there, who lies from "
        f"{answer.plan.wishes.lying_px:g} px)"
    )
    console.print(camera_table(answer))
    say(CAMERA_LEGEND)
    console.print(metre_table(answer, each=args.metres))
    say(METRE_LEGEND)
    for title, lines in (
        ("not seen:", [blind_spot(one)[0] for one in answer.judgement.blind]),
        ("overlap:", [overlap_text(answer, one)[0] for one in answer.judgement.overlaps]),
    ):
        if lines:
            say(title)
            for line in lines:
                say(f"  {line}")
    say(f"{out}: plan to scale, every metre, how it was computed")
