"""The card beside a trained model: what it was trained on, for how long, and how well it does.

Knows nothing about training; it only writes down what it is told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from detection.scoring import Score
from detection.training.pictures import Set

SOURCES = "SOURCES.md"
"""Where a set's folder states its licence, in a line that begins with `licence`."""
UNSTATED = "not stated in its folder"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """One training."""

    sets: Sequence[Set]
    shares: Sequence[float]
    """How often each set is drawn."""
    start: Path | None
    teacher: Path | None
    samples: int
    minutes: float
    size_px: tuple[int, int]
    """Of the exported model's input: width, height."""


def card(model: Path, trained: Trained, scores: Mapping[str, Mapping[str, Score]]) -> str:
    """Write the card (Markdown); `scores` are by pictures and model in words, then by kind."""
    start = trained.start.name if trained.start else "random weights"
    lines = [
        f"# {model.stem}",
        "",
        "| | |",
        "|---|---|",
        f"| File | `{model.name}`, {model.stat().st_size / 1e6:.1f} MB |",
        f"| Input | RGB, at most {trained.size_px[0]} x {trained.size_px[1]}, any batch |",
        f"| Start | {start} |",
        f"| Trained | {trained.samples:,} augmented samples in {trained.minutes:.0f} minutes |",
        f"| Teacher | {_teacher(trained)} |",
        "",
        "## Trained on",
        "",
        "| set | pictures | labelled | licence as stated | part of the draws |",
        "|---|---|---|---|---|",
        *(_row(one, share) for one, share in zip(trained.sets, trained.shares, strict=True)),
        "",
        "Weights that were trained with Ultralytics are under AGPL-3.0.",
    ]
    if scores:
        lines += [
            "",
            "## Scores",
            "",
            "AP50; recall and precision at the working threshold.",
            "",
            "| pictures | kind | AP50 | recall | precision | boxes |",
            "|---|---|---|---|---|---|",
            *(
                f"| {name} | {kind} | {score.ap50:.3f} | {score.recall:.3f} "
                f"| {score.precision:.3f} | {score.boxes} |"
                for name, kinds in scores.items()
                for kind, score in kinds.items()
            ),
        ]
    return "\n".join(lines) + "\n"


def _teacher(trained: Trained) -> str:
    if trained.teacher is None:
        return "none"
    boxes = sum(one.by_teacher for one in trained.sets)
    return f"`{trained.teacher.name}` gave {boxes:,} boxes; none of its weights are inside"


def _row(one: Set, share: float) -> str:
    labelled = one.folder.kinds_text()
    licence = licence_of(one.folder.path)
    return (
        f"| {one.folder.path.name} | {len(one.pictures):,} | {labelled} | {licence} | {share:.0%} |"
    )


def licence_of(folder: Path) -> str:
    """Read the licence that a set's `SOURCES.md` states."""
    file = folder / SOURCES
    if not file.is_file():
        return UNSTATED
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        name, found, text = line.strip("-* \t").partition(":")
        if found and name.lower().strip() in ("licence", "license"):
            return text.strip().replace("|", "/")
    return UNSTATED
