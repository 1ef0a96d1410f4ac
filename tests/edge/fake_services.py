"""Services for the supervisor's tests. Each start leaves a line in a file: its process's number."""

import os
import time
from pathlib import Path

from edge.line import LineIn, LineOut
from edge.services import Context
from scene.errors import LamproomError


def starts(context: Context, name: str) -> int:
    """Note one more start; gives how many there have been."""
    log = context.options.site_file.parent / name
    with log.open("a", encoding="utf-8") as file:
        file.write(f"{os.getpid()}\n")
    return len(log.read_text(encoding="utf-8").splitlines())


def pids_of(folder: Path, name: str) -> list[int]:
    log = folder / name
    return [int(line) for line in log.read_text().splitlines()] if log.exists() else []


def log_of(folder: Path, name: str) -> int:
    log = folder / name
    return len(log.read_text(encoding="utf-8").splitlines()) if log.exists() else 0


def dies(context: Context) -> None:
    context.alive()
    if starts(context, "dies") < 3:
        raise RuntimeError("as planned")
    while not context.rest(0.05):
        context.alive()


def hangs(context: Context) -> None:
    context.alive()
    if starts(context, "hangs") < 2:
        time.sleep(60)
    while not context.rest(0.05):
        context.alive()


def deaf(context: Context) -> None:
    starts(context, "deaf")
    while True:
        context.alive()
        time.sleep(0.05)


def speaks(context: Context) -> None:
    starts(context, "speaks")
    line = LineOut(context.door_out, [100, 100])
    while not context.rest(0.01):
        context.alive()
        line.put(1, "word" * 50_000)
    time.sleep(0.5)  # whoever is stopped meanwhile does not hear it
    line.put(0, "goodbye")
    line.close()


def hears(context: Context) -> None:
    """Note the first letter of everything."""
    starts(context, "hears")
    line = LineIn(context.door_in)
    folder = context.options.site_file.parent
    with (folder / "heard").open("ab", buffering=0) as heard:
        while not context.stopped():
            context.alive()
            if (thing := line.take(0.2)) is not None:
                heard.write(thing[:1].encode())
        while (thing := line.take(0.0)) is not None:
            heard.write(thing[:1].encode())


def refuses(context: Context) -> None:
    starts(context, "refuses")
    raise LamproomError("port 1 is taken; choose another")


def ends(context: Context) -> None:
    starts(context, "ends")
    context.alive()
