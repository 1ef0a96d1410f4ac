"""The generator's command line: `python -m sample_videos.generator`.

Knows nothing about how things are rendered.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from sample_videos.generator.scene_file import SceneError, load_scene

DESCRIPTION = """\
Render the sample mine.

A scene file (YAML, see sample_videos/scenes/) says where the cameras hang and what each miner
does. The empty mine is path-traced once per camera; people, lamps, dust and the camera's noise
are added per frame. The same scene file always gives the same truth.
"""
EXAMPLES = """\
examples:
  check a scene file, without the rendering tools
    python -m sample_videos.generator check sample_videos/scenes/roadway.yaml
  render the shipped site again
    python -m sample_videos.generator render sample_videos/scenes/roadway.yaml \\
        --out sample_videos/roadway
  draw another mine, with other cameras and people, from a seed
    python -m sample_videos.generator random --seed 5 --out my-scene.yaml
  make 2000 training pictures with YOLO labels
    python -m sample_videos.generator dataset --n 2000 --out build/training

Rendering needs the extra `samples` (pip install 'lamproom[samples]') and, on Debian, the packages
libatomic1 and libllvm19. Both commands pick up where they were stopped: run them again.
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sample_videos.generator",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check", help="check a scene file and say what it holds")
    check.add_argument("scene", type=Path, help="the scene file (YAML)")
    one = commands.add_parser(
        "render",
        help="render a scene: one clip per camera, and its truth",
        description="Render a scene. Some 100 CPU-seconds per camera for the empty mine, then "
        "2 to 3 per frame (1280x720, 5 miners); run it again to pick up where it stopped.",
    )
    one.add_argument("scene", type=Path, help="the scene file (YAML)")
    one.add_argument("--out", type=Path, required=True, help="folder for the clips and the truth")
    one.add_argument(
        "--work",
        type=Path,
        default=Path("build/sample_videos"),
        help="folder for plates and masters, kept (default: build/sample_videos)",
    )
    drawn = commands.add_parser("random", help="draw a scene file from a seed")
    drawn.add_argument("--seed", type=int, required=True, help="the same seed, the same scene")
    drawn.add_argument("--out", type=Path, required=True, help="the scene file to write")
    many = commands.add_parser(
        "dataset",
        help="render training pictures with YOLO labels",
        description="Render training pictures of random mines, cameras and people, with YOLO "
        "labels: 0 person, 1 helmet (a head that wears one), 2 head (bare). Split them by "
        "viewpoint, which is the number in mine_VIEWPOINT_PICTURE.jpg.",
    )
    many.add_argument("--n", type=int, required=True, help="how many pictures")
    many.add_argument("--out", type=Path, required=True, help="gets images/ and labels/")
    many.add_argument("--seed", type=int, default=0, help="first viewpoint's seed (default 0)")
    many.add_argument("--per-view", type=int, default=40, help="pictures a viewpoint (default 40)")
    many.add_argument("--size", default="640x360", help="pixels, e.g. 1280x720 (default 640x360)")
    for command in (one, many):
        command.add_argument(
            "--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one a core)"
        )
    return parser


def _size(text: str) -> tuple[int, int]:
    parts = text.split("x")
    if len(parts) != 2 or not all(p.isdigit() and int(p) >= 64 and int(p) % 4 == 0 for p in parts):
        raise SceneError(f"--size: {text!r} is no size; give e.g. 640x360, multiples of 4")
    return int(parts[0]), int(parts[1])


def _draw(seed: int, path: Path) -> None:
    from sample_videos.generator.random_scene import as_yaml, random_scene

    if seed < 0:
        raise SceneError("--seed: must be 0 or more")
    scene = random_scene(seed)
    try:
        path.write_text(as_yaml(scene), encoding="utf-8")
    except OSError as error:
        raise SceneError(f"{path}: cannot be written: {error.strerror}") from None
    print(f"{path}: {len(scene.cameras)} cameras, {len(scene.miners)} miners")


def _run(arguments: argparse.Namespace) -> None:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    if arguments.command == "random":
        _draw(arguments.seed, arguments.out)
        return
    if arguments.command != "dataset":
        scene = load_scene(arguments.scene)
        if arguments.command == "check":
            print(
                f"{arguments.scene}: good. {len(scene.cameras)} cameras, {len(scene.miners)} "
                f"miners, {len(scene.zones)} zones, {scene.frames} frames at {scene.fps} a second"
            )
            return
    if arguments.jobs < 1:
        raise SceneError("--jobs: must be at least 1")
    try:
        import mitsuba  # noqa: F401
        import numba  # noqa: F401
        import pyoidn  # noqa: F401
        import skimage  # noqa: F401
    except (ImportError, NameError) as error:
        raise SceneError(
            f"rendering tools are missing ({error}): pip install 'lamproom[samples]'; on Debian "
            "also apt-get install libatomic1 libllvm19"
        ) from None
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Remaining())
    with Progress(*columns) as bars:
        tasks = {}

        def show(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=total)
            bars.update(tasks[name], completed=done)

        if arguments.command == "render":
            from sample_videos.generator.render import render

            render(scene, arguments.out, arguments.work, arguments.jobs, show)
        else:
            from sample_videos.generator.dataset import make_dataset

            if arguments.n < 1 or arguments.per_view < 1:
                raise SceneError("--n and --per-view: must be at least 1")
            make_dataset(
                arguments.n,
                arguments.out,
                seed=arguments.seed,
                per_view=arguments.per_view,
                size_px=_size(arguments.size),
                jobs=arguments.jobs,
                report=lambda done, total: show("pictures", done, total),
            )


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; mistakes are told in one line, exit status 2."""
    try:
        _run(_parser().parse_args(argv))
    except SceneError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; run the same command again to pick up from here", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
