"""Does a gateway's memory grow? `python -m tests.bench.soak --minutes 30`

A real gateway on four live RTSP cameras, 1280x720 at 25 pictures a second, that records and
publishes to a real broker. The resident memory of each of its processes is sampled every 10 s; what
is printed is the slope of a straight line through the samples, MB an hour, with its standard error.
Neighbouring samples hang together, so the true uncertainty is larger than that. Short runs prove
nothing: a cache that fills looks like a leak.
"""

import argparse
import json
import math
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.edge.processes import below, name_of
from tests.faults.live_stage import live_stage

EVERY_S = 10.0
FEWEST = 3
"""A line through two points has no error to tell."""


@dataclass(slots=True, kw_only=True)
class Track:
    """The samples of all processes of one name."""

    pids: set[int] = field(default_factory=set)
    times_s: list[float] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)

    def note(self, now_s: float, memory_mb: float, pids: set[int]) -> None:
        """Add a sample; another process begins anew."""
        if pids != self.pids:
            self.pids, self.times_s, self.memory_mb = pids, [], []
        self.times_s.append(now_s)
        self.memory_mb.append(memory_mb)


def slope_of(times_s: Sequence[float], memory_mb: Sequence[float]) -> tuple[float, float]:
    """Fit a straight line by least squares; gives MB an hour and its standard error.

    Neither is a number when there are fewer than three samples. The error is that of ordinary least
    squares: sqrt(sum of squared residuals / (n - 2) / sum of squared times about their mean).

    >>> slope_of([0.0, 1800.0, 3600.0], [100.0, 101.0, 102.0])
    (2.0, 0.0)
    """
    count = len(times_s)
    if count < FEWEST:
        return math.nan, math.nan
    middle_s, middle_mb = sum(times_s) / count, sum(memory_mb) / count
    spread = sum((at_s - middle_s) ** 2 for at_s in times_s)
    both = zip(times_s, memory_mb, strict=True)
    slope = sum((at_s - middle_s) * (mb - middle_mb) for at_s, mb in both) / spread
    rests = (
        mb - middle_mb - slope * (at_s - middle_s)
        for at_s, mb in zip(times_s, memory_mb, strict=True)
    )
    error = math.sqrt(sum(rest**2 for rest in rests) / (count - 2) / spread)
    return slope * 3600, error * 3600


def resident_mb(pid: int) -> float:
    """Tell a process's resident memory, MB (10^6): `Rss` of proc(5)'s `smaps_rollup`."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    lines = (line.split() for line in text.splitlines())
    return next((int(words[1]) * 1024 / 1e6 for words in lines if words[0] == "Rss:"), 0.0)


def sample(root: int, tracks: dict[str, Track], now_s: float) -> None:
    """Note what each of a gateway's processes takes now, by their names."""
    found: dict[str, dict[int, float]] = defaultdict(dict)
    for pid in (root, *below(root)):
        name, memory_mb = name_of(pid), resident_mb(pid)
        if name and memory_mb > 0:
            found[name][pid] = memory_mb
    for name, processes in found.items():
        tracks[name].note(now_s, sum(processes.values()), set(processes))


def soak(minutes: float, warm_up_s: float) -> dict[str, Track]:
    """Run the gateway for so long after a warm-up, and sample it."""
    tracks: dict[str, Track] = defaultdict(Track)
    length_s = warm_up_s + 60 * minutes + 120
    with (
        tempfile.TemporaryDirectory(prefix="lamproom-soak-") as folder,
        live_stage(Path(folder), length_s=length_s, record=True) as stage,
    ):
        time.sleep(warm_up_s)
        began_s = due_s = time.monotonic()
        while due_s <= began_s + 60 * minutes:
            sample(stage.gateway.pid, tracks, time.monotonic() - began_s)
            due_s += EVERY_S
            time.sleep(max(0.0, due_s - time.monotonic()))
            if stage.gateway.poll() is not None:
                raise RuntimeError(f"the gateway has ended:\n{stage.log()[-2000:]}")
    return tracks


def table(tracks: dict[str, Track]) -> str:
    """Write the figures, a line per service."""
    lines = [f"{'service':16} {'samples':>7} {'first MB':>9} {'last MB':>9} {'MB/h':>9} {'+-':>7}"]
    for name, track in sorted(tracks.items()):
        slope, error = slope_of(track.times_s, track.memory_mb)
        lines.append(
            f"{name:16} {len(track.times_s):7d} {track.memory_mb[0]:9.1f} "
            f"{track.memory_mb[-1]:9.1f} {slope:9.1f} {error:7.1f}"
        )
    return "\n".join(lines)


def main(words: Sequence[str] | None = None) -> int:
    """Run the soak and print its table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument(
        "--warm-up", type=float, default=60.0, metavar="SECONDS", help="before the first sample"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples there")
    args = parser.parse_args(words)
    tracks = soak(args.minutes, args.warm_up)
    if args.json is not None:
        rows = {name: [track.times_s, track.memory_mb] for name, track in tracks.items()}
        args.json.write_text(json.dumps(rows), encoding="utf-8")
    print(table(tracks))
    return 0


if __name__ == "__main__":
    sys.exit(main())
