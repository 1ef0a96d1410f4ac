"""`lamproom train`: train a detector on labelled folders, export it, score it, write its card.

Knows nothing about how it is trained; it reads the wishes and shows how far it is.
"""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from detection.detector import Detector
from detection.evaluate import LOWEST_SCORE, look, scores_of
from detection.labelled import parse_folder
from detection.model import load_model
from detection.scoring import Score
from detection.training.card import Trained, card
from detection.training.export import export, quantise
from detection.training.network import LAYERS
from detection.training.pictures import Set, read_set
from detection.training.samples import Samples
from detection.training.train import Plan, State, train
from scene.errors import ModelError

HELP = """\
Train a detector of people, helmets and bare heads on labelled folders, export it as ONNX, score it
and write its card. It needs the extra `train`: pip install 'lamproom[train]'.

  lamproom train --set photos --set faces:helmet+head --val kept --out mine.onnx --minutes 240
  lamproom train ... --from lamproom-m1.onnx     start from an export of the same layers, or a .pt
  lamproom train ... --from lamproom-m1.onnx --from-layers lamproom-m.yaml --layers larger.yaml
                                                 start as that one does, with room to learn more
  lamproom train ... --teacher yolo11n.onnx      a model labels the kinds that a folder lacks

A folder has images/ and, at the same places, labels/ in YOLO text: `class cx cy w h`, classes
0 person, 1 helmet (a head that wears one), 2 head (bare), 3 fallen (a person, too). Where a folder
labels some kinds only, say which: finding the others there is then neither right nor wrong.

Mine pictures with labels can be rendered: python -m sample_videos.generator dataset --help

Cut it at any time: the same command goes on where it was. It writes OUT (.onnx), a checkpoint
beside it (.pt), the card (.md) and, with --int8, a variant for processors (-int8.onnx).
"""
DEFAULT_SIZES = "320x320,416x416,512x320,512x512,640x384,640x640"
TEACHER_SCORE, TEACHER_IOU = 0.35, 0.6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can be asked."""
    add = parser.add_argument
    add("--set", action="append", default=[], metavar="FOLDER[:KINDS[:WEIGHT]]", required=True)
    add("--val", action="append", default=[], metavar="FOLDER[:KINDS]", help="scored at the end")
    add("--without", action="append", default=[], help="subfolder to leave out when training")
    add("--out", type=Path, required=True, help="the ONNX file to write")
    add("--minutes", type=float, default=60, help="training time in all (60)")
    add("--from", dest="start", type=Path, help="weights to start from: .onnx or .pt")
    add("--from-layers", dest="start_layers", type=Path, help="its layers, if it is smaller")
    add("--layers", type=Path, default=LAYERS, help="the network (YAML of Ultralytics, nc: 3)")
    add("--teacher", type=Path, help="an ONNX model that labels what a folder does not")
    add("--size", default="640x640", help="largest input of the exported model (640x640)")
    add("--fixed", action="store_true", help="export for that one input size, e.g. for TensorRT")
    add("--sizes", default=DEFAULT_SIZES, help=f"inputs to train at ({DEFAULT_SIZES})")
    add("--batch", type=int, default=16, help="pictures a step (16)")
    add("--rate", type=float, default=1.5e-3, help="learning rate at the start (0.0015)")
    add("--threads", type=int, default=1, help="of torch; often 1 is quickest: try (1)")
    add("--seed", type=int, default=0)
    add("--threshold", type=float, default=0.25, help="working threshold of the scores (0.25)")
    add("--int8", action="store_true", help="write an int8 variant, too")


def run(args: argparse.Namespace) -> int:
    """Train, export, score; gives the exit code. Raises ModelError."""
    console = Console()
    size_px = _size(args.size, "--size")
    sizes_px = [_size(text, "--sizes") for text in args.sizes.split(",")]
    for name, value in (("--minutes", args.minutes), ("--batch", args.batch)):
        if not value > 0:
            raise ModelError(f"{name}: must be more than 0, not {value}")
    if args.start is not None and not args.start.is_file():
        raise ModelError(f"--from: {args.start}: there is no such file")
    vals = [parse_folder(text) for text in args.val]
    sets = _read(args, console)
    samples = Samples(sets, sizes_px, batch=args.batch, seed=args.seed)
    plan = Plan(
        minutes=args.minutes,
        rate=args.rate,
        threads=args.threads,
        seed=args.seed,
        layers=args.layers,
        start=args.start,
        start_layers=args.start_layers,
    )
    state = _train(samples, args.out.with_suffix(".pt"), plan, console)
    export(args.out.with_suffix(".pt"), args.out, size_px, layers=args.layers, fixed=args.fixed)
    models = [args.out]
    if args.int8:
        models.append(args.out.with_name(f"{args.out.stem}-int8.onnx"))
        quantise(args.out, [one for each in sets for one in each.pictures], models[-1], size_px)
    scores: dict[str, dict[str, Score]] = {}
    for model in models:
        detector = Detector(
            load_model(model), score_threshold=LOWEST_SCORE, iou_threshold=TEACHER_IOU
        )
        for folder in vals:
            found = scores_of(look(detector, folder), args.threshold)
            scores[f"{folder.path.name} ({model.stem})"] = found
    trained = Trained(
        sets=sets,
        shares=samples.chance.tolist(),
        start=args.start,
        teacher=args.teacher,
        samples=state.pictures,
        minutes=state.seconds / 60,
        size_px=size_px,
    )
    text = card(args.out, trained, scores)
    args.out.with_suffix(".md").write_text(text, encoding="utf-8")
    console.print(text, markup=False, highlight=False)
    return 0


def _size(text: str, option: str) -> tuple[int, int]:
    parts = text.split("x")
    if len(parts) != 2 or not all(p.isdigit() and int(p) > 0 and int(p) % 32 == 0 for p in parts):
        raise ModelError(f"{option}: {text!r} is no size; give e.g. 640x384, multiples of 32")
    return int(parts[0]), int(parts[1])


def _read(args: argparse.Namespace, console: Console) -> list[Set]:
    teacher = None
    if args.teacher is not None:
        teacher = Detector(
            load_model(args.teacher), score_threshold=TEACHER_SCORE, iou_threshold=TEACHER_IOU
        )
    folders = [parse_folder(text) for text in args.set]
    sets = []
    with Progress(console=console, transient=True) as progress:
        for folder in folders:
            task = progress.add_task(f"reading {folder.path.name}", total=None)
            step = partial(_show, progress, task)
            sets.append(read_set(folder, without=args.without, teacher=teacher, step=step))
    for one in sets:
        taught = f", {one.by_teacher} boxes by the teacher" if one.by_teacher else ""
        console.print(f"{one.folder.path}: {len(one.pictures)} pictures{taught}")
    return sets


def _show(progress: Progress, task: TaskID, done: int, total: int) -> None:
    progress.update(task, completed=done, total=total)


def _train(samples: Samples, checkpoint: Path, plan: Plan, console: Console) -> State:
    columns: Sequence[TextColumn | BarColumn | TimeRemainingColumn] = (
        TextColumn("training"),
        BarColumn(),
        TextColumn("{task.description}"),
        TimeRemainingColumn(),
    )
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("…", total=60 * plan.minutes)

        def step(state: State) -> None:
            box, kind, edge = state.parts
            words = f"{state.pictures:,} samples  box {box:.2f}  class {kind:.2f}  edge {edge:.2f}"
            progress.update(task, completed=state.seconds, description=words)

        return train(samples, checkpoint, plan, step)
