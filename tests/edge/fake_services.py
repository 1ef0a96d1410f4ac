"""Services for the supervisor's tests. Each start leaves a line in a file: its process's number."""

import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path

from edge.line import LineIn, LineOut
from edge.outlet import ServiceReport
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
        os._exit(0)  # an exit code of 0 is no reason not to be started again
    while not context.rest(0.05):
        context.alive()


def shuts(context: Context) -> None:
    """Live on without any open file: also without what tells our end."""
    os.closerange(3, 1024)
    starts(context, "shuts")
    while not context.rest(0.05):
        context.alive()


def loops(context: Context) -> None:
    starts(context, "loops")
    context.alive()
    os._exit(0)


def crashes(context: Context) -> None:
    starts(context, "crashes")
    raise RuntimeError("as planned")


def slow(context: Context) -> None:
    """Need long for what comes after the first signs of life."""
    starts(context, "slow")
    for _ in range(4):
        context.alive()
        time.sleep(0.15)
    time.sleep(2.5)
    context.alive()
    (context.options.site_file.parent / "slow-is-up").touch()
    while not context.rest(0.05):
        context.alive()


def jerky(context: Context) -> None:
    """Give signs of life, but seldom."""
    starts(context, "jerky")
    for number in range(11):
        context.alive()
        until_s = time.monotonic() + (0.3 if number < 3 else 0.8)
        while time.monotonic() < until_s:  # it works all the time
            pass
    (context.options.site_file.parent / "jerky-is-up").touch()
    while not context.rest(0.05):
        context.alive()


def mute(context: Context) -> None:
    starts(context, "mute")
    while not context.rest(1.0):
        pass


def listens(context: Context) -> None:
    """Note a report on how services are, once all are up and have been measured."""
    starts(context, "listens")
    line = LineIn(context.door_in)
    while not context.stopped():
        context.alive()
        report = line.take(0.2)
        if not isinstance(report, ServiceReport) or len(report.services) < 2:
            continue
        if all(one.up and one.memory_mb > 1.0 for one in report.services):
            rows = [asdict(service) for service in report.services]
            file = context.options.site_file.parent / "reports.new"
            file.write_text(json.dumps(rows))
            file.rename(file.with_name("reports"))


def reads(context: Context) -> None:
    """Note the gateway's name in the site file, put the next text there, and die."""
    file = context.options.site_file
    with (file.parent / "read").open("a", encoding="utf-8") as log:
        log.write(f"{context.options.site().gateway}\n")
    context.alive()
    if (number := starts(context, "reads")) < 3:
        text = file.read_text(encoding="utf-8").replace("gw1", "gw2")
        file.write_text(text if number == 1 else "site: [broken", encoding="utf-8")
        raise RuntimeError("as planned")
    while not context.rest(0.05):
        context.alive()


def hangs(context: Context) -> None:
    for _ in range(10):
        context.alive()
        time.sleep(0.2)
    if starts(context, "hangs") < 2:
        time.sleep(60)
    while not context.rest(0.05):
        context.alive()


def waits(context: Context) -> None:
    """Note the gateway's name in the site file as the supervisor last found it right."""
    gateway = (context.options.settled or "").partition("gateway: ")[2].split()[0]
    with (context.options.site_file.parent / "gateways").open("a", encoding="utf-8") as log:
        log.write(f"{gateway}\n")
    starts(context, "waits")
    while not context.rest(0.05):
        context.alive()


def forks(context: Context) -> None:
    """Note whether this process has what its supervisor imported."""
    with (context.options.site_file.parent / "forks").open("a", encoding="utf-8") as log:
        log.write(f"{'was_here_before' in sys.modules}\n")
    while not context.rest(0.05):
        context.alive()


def knows(context: Context) -> None:
    """Note that the gateway's end has begun."""
    starts(context, "knows")
    while not context.rest(0.05):
        context.alive()
        if context.leaving():
            (context.options.site_file.parent / "leaving").touch()


def lingers(context: Context) -> None:
    """End only after somebody else has noted that the end has begun."""
    starts(context, "lingers")
    noted = context.options.site_file.parent / "leaving"
    while not (context.stopped() and noted.exists()):
        context.alive()
        time.sleep(0.05)


def freezes(context: Context) -> None:
    """Write to a disk, for ever once that hangs."""
    number = starts(context, "freezes")
    folder = context.options.site_file.parent
    while not context.rest(0.05):
        context.alive()
        if number == 1 and (folder / "write").exists():
            (folder / "disk" / "file").write_bytes(bytes(10))


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
            heard.write(letter_of(line.take(0.2)))
        while (thing := line.take(0.0)) is not None:
            heard.write(letter_of(thing))


def counts(context: Context) -> None:
    """Say one number after the other."""
    starts(context, "counts")
    line, number = LineOut(context.door_out, [1000, 10]), 0
    while not context.rest(0.02):
        context.alive()
        number += 1
        line.put(0, f"number {number}")
    line.close()


def catches(context: Context) -> None:
    """Note the numbers that come; the first of us goes on to a disk that hangs."""
    number, folder = starts(context, "catches"), context.options.site_file.parent
    line = LineIn(context.door_in)
    with (folder / f"caught-{number}").open("a", buffering=1, encoding="utf-8") as notes:
        while not context.stopped():
            context.alive()
            thing = line.take(0.2)
            if not isinstance(thing, str):
                continue
            if number == 1 and (folder / "write").exists():
                (folder / "disk" / "file").write_bytes(bytes(10))
            notes.write(f"{thing.split()[1]}\n")


def letter_of(thing: object) -> bytes:
    """Give a word's first letter; the supervisor's reports come the same way, and are no words."""
    return thing[:1].encode() if isinstance(thing, str) else b""


def tells(context: Context) -> None:
    starts(context, "tells")
    context.alive()
    raise RuntimeError("no picture from rtsp://admin:geheim@10.0.0.4:554/x now, password=geheim")


def refuses(context: Context) -> None:
    starts(context, "refuses")
    raise LamproomError("port 1 is taken; choose another")


def ends(context: Context) -> None:
    starts(context, "ends")
    context.alive()
