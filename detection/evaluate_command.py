"""`lamproom evaluate`: how well a model finds people, on labelled pictures, and where it fails.

Knows nothing about how finds are scored; it reads the wishes and shows the answer.
"""

import argparse
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from detection.contact_sheet import false_finds, misses, write_sheet
from detection.detector import Detector
from detection.evaluate import LOWEST_SCORE, Looked, evaluate_clip, look, scores_of
from detection.groups import GROUPINGS, recalls
from detection.labelled import Folder, parse_folder
from detection.model import SHIPPED, load_model
from detection.scoring import Score
from scene.errors import ModelError

HELP = """\
Score a detection model: AP50 per kind, recall and precision at the working threshold, recall by
size, light and pose, and sheets with pictures of what it missed and what it found in error.

  lamproom evaluate photos                          the shipped model on a labelled folder
  lamproom evaluate photos heads:helmet+head --model mine.onnx --sheets build/sheets
  lamproom evaluate --clip sample_videos/roadway    clips with MOTChallenge truth: persons

A folder has images/ and labels/ in YOLO text (see `lamproom train --help`); behind a colon stand
the kinds that it labels, where it does not label all. AP50 counts all finds above a score of 0.01,
recall and precision those above --threshold: give the gateway's (detection.score_threshold).
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can be asked."""
    add = parser.add_argument
    add("folders", nargs="*", metavar="FOLDER[:KIND+KIND]", help="labelled pictures")
    add("--clip", type=Path, action="append", default=[], help="a sample site's folder")
    add("--model", type=Path, default=SHIPPED, help="ONNX file (the shipped one)")
    add("--without", action="append", default=[], help="subfolder to leave out")
    add("--threshold", type=float, default=0.25, help="working threshold (0.25)")
    add("--iou", type=float, default=0.6, help="overlap from which finds are one (0.6)")
    add("--sheets", type=Path, help="folder for the pictures of mistakes")


def run(args: argparse.Namespace) -> int:
    """Score and show; gives the exit code. Raises ModelError."""
    if not args.folders and not args.clip:
        raise ModelError("nothing to score: give a folder with images/ and labels/, or --clip")
    for option in ("threshold", "iou"):
        if not 0 < getattr(args, option) < 1:
            raise ModelError(f"--{option}: must be between 0 and 1, not {getattr(args, option)}")
    folders = [parse_folder(text) for text in args.folders]
    detector = Detector(
        load_model(args.model), score_threshold=LOWEST_SCORE, iou_threshold=args.iou
    )
    console = Console()
    table = Table("pictures", "kind", "AP50", "recall", "precision", "boxes")
    groups = Table("pictures", "kind", *GROUPINGS)
    for folder in folders:
        looked = _look(detector, folder, args.without, console)
        name = folder.path.name
        for kind, score in scores_of(looked, args.threshold).items():
            table.add_row(name, kind, *_cells(score))
            mine = [one for one in looked if one.kind == kind]
            groups.add_row(name, kind, *_groups(mine, args.threshold))
        if args.sheets:
            _write(args.sheets, name, looked, args.threshold, console)
    for clip in args.clip:
        for camera, score in evaluate_clip(detector, clip, threshold=args.threshold).items():
            table.add_row(f"{clip.name} {camera}", "person", *_cells(score))
    console.print(table)
    if folders:
        console.print(groups)
    console.print(f"recall and precision at {args.threshold}; {args.model.name}", markup=False)
    return 0


def _look(detector: Detector, folder: Folder, without: list[str], console: Console) -> list[Looked]:
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task(folder.path.name, total=None)
        return look(
            detector,
            folder,
            without=without,
            step=lambda done, total: progress.update(task, completed=done, total=total),
        )


def _cells(score: Score) -> tuple[str, ...]:
    figures = (score.ap50, score.recall, score.precision)
    return (*(f"{figure:.3f}" for figure in figures), str(score.boxes))


def _groups(looked: list[Looked], threshold: float) -> list[str]:
    """Say for each grouping which share of which group is found."""
    cells = []
    for name, group_of in GROUPINGS.items():
        people = name != "pose" or (looked and looked[0].kind == "person")
        found = recalls(looked, threshold, group_of) if people else {}
        words = [f"{group} {one.share:.2f} of {one.labelled}" for group, one in found.items()]
        cells.append("\n".join(words))
    return cells


def _write(
    folder: Path, name: str, looked: list[Looked], threshold: float, console: Console
) -> None:
    for what, cases in (
        ("misses", misses(looked, threshold)),
        ("false", false_finds(looked, threshold)),
    ):
        path = folder / f"{name}-{what}.jpg"
        write_sheet(path, cases, threshold)
        console.print(f"{path}: {len(cases)} in all", markup=False)
