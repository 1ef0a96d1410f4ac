"""Services that misbehave, for the supervisor's tests. Each start leaves a line in a file."""

import time
from pathlib import Path

from edge.services import Context
from scene.errors import LamproomError


def starts(context: Context, name: str) -> int:
    """Note one more start; gives how many there have been."""
    log = context.options.site_file.parent / name
    with log.open("a", encoding="utf-8") as file:
        file.write("start\n")
    return len(log.read_text(encoding="utf-8").splitlines())


def log_of(folder: Path, name: str) -> int:
    log = folder / name
    return len(log.read_text(encoding="utf-8").splitlines()) if log.exists() else 0


def dies(context: Context) -> None:
    context.alive()
    if starts(context, "dies") < 3:
        raise RuntimeError("as planned")
    while not context.stopping.wait(0.05):
        context.alive()


def hangs(context: Context) -> None:
    context.alive()
    if starts(context, "hangs") < 2:
        time.sleep(60)
    while not context.stopping.wait(0.05):
        context.alive()


def refuses(context: Context) -> None:
    starts(context, "refuses")
    raise LamproomError("port 1 is taken; choose another")


def ends(context: Context) -> None:
    starts(context, "ends")
    context.alive()
