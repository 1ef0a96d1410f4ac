"""How much processor time and memory a process and all its children take, read from `/proc`.

Knows nothing about what they do. A process that can't be read counts as nothing: it has just
ended. Sources: proc(5), `stat`, `smaps_rollup` and `task/*/children`.
"""

import os
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
NAME_BYTES = 15
"""The kernel keeps so much of a process's name."""
SPARE = "-spare"
"""So the names of processes end that wait to take over, see `edge/spare.py`."""
MAX_DEPTH = 8
MEMORY_EVERY_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process as it is now."""

    pid: int
    name: str
    """As `top` shows it, 15 bytes at most."""
    cpu_s: float
    """Processor time of all its threads since its start."""
    started_s: float
    """When it was started, in seconds since the machine was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What a row of processes takes."""

    cpu_cores: float
    """Over the time since the last look; 0 at the first one."""
    memory_mb: float
    """Megabytes (10^6); shared memory counts in parts (PSS) where the kernel tells, else whole."""
    up_s: float
    """Age of the row's first process."""
    restarts: int
    """How often the row's first process was another one than at the look before."""


class Meter:
    """Measures rows of processes; each look tells the processor time since the last one."""

    def __init__(self) -> None:
        self._before: dict[tuple[int, float], float] = {}
        self._looked_s = 0.0
        self._memory: dict[int, tuple[float, int]] = {}
        """Of each process: when it was measured, and its bytes. Measuring costs the kernel a walk
        over all its pages."""
        self._first: dict[str, tuple[int, float]] = {}
        self._restarts: dict[str, int] = {}

    def look(
        self, roots: Mapping[str, int], cameras: Collection[str], now_s: float
    ) -> dict[str, Use]:
        """Tell what each root process takes, by its name in `roots`, with all below it.

        A process below a root that bears one of the `cameras`' names has a row of its own,
        `camera NAME`; those that wait to take over have the row `spares`. A root below another one
        counts for itself. `now_s` is monotonic.
        """
        rows: dict[str, list[Process]] = {}
        of_camera = _by_short_name(cameras)
        for name, pid in roots.items():
            others = set(roots.values()) - {pid}
            for process in _tree(pid, others):
                row = name if process.pid == pid else _row_of(process, of_camera, name)
                rows.setdefault(row, []).append(process)
        passed_s, self._looked_s = now_s - self._looked_s, now_s
        before, self._before = self._before, {}
        used: dict[str, Use] = {}
        for name, processes in rows.items():
            cpu_s = 0.0
            for process in processes:
                key = process.pid, process.started_s
                self._before[key] = process.cpu_s
                # Who was not there at the last look has used all of it since.
                cpu_s += process.cpu_s - (before.get(key, 0.0) if before else process.cpu_s)
            used[name] = Use(
                cpu_cores=max(0.0, cpu_s) / passed_s if passed_s > 0 else 0.0,
                memory_mb=sum(self._memory_bytes(one.pid, now_s) for one in processes) / 1e6,
                up_s=max(0.0, _since_boot_s() - processes[0].started_s),
                restarts=self._count(name, processes[0]),
            )
        self._memory = {pid: self._memory[pid] for pid, _ in self._before}
        return used

    def _memory_bytes(self, pid: int, now_s: float) -> int:
        at_s, found = self._memory.get(pid, (-MEMORY_EVERY_S, 0))
        if now_s - at_s >= MEMORY_EVERY_S or found == 0:
            self._memory[pid] = now_s, memory_bytes(pid)
        return self._memory[pid][1]

    def _count(self, name: str, first: Process) -> int:
        key = first.pid, first.started_s
        if self._first.setdefault(name, key) != key:
            self._first[name] = key
            self._restarts[name] = self._restarts.get(name, 0) + 1
        return self._restarts.get(name, 0)


def memory_bytes(pid: int) -> int:
    """Tell how much memory a process takes: proportional set size, or resident where not told."""
    try:
        for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        return int((PROC / str(pid) / "statm").read_text().split()[1]) * PAGE_BYTES
    except (OSError, ValueError, IndexError):
        return 0


def _since_boot_s() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def read_process(pid: int) -> Process | None:
    """Read one process; none when it is not there."""
    try:
        text = (PROC / str(pid) / "stat").read_text(errors="replace")
        name, _, rest = text.partition("(")[2].rpartition(")")  # a name may hold anything
        words = rest.split()
        return Process(
            pid=pid,
            name=name,
            cpu_s=(int(words[11]) + int(words[12])) / TICKS_PER_S,
            started_s=int(words[19]) / TICKS_PER_S,
        )
    except (OSError, ValueError, IndexError):
        return None


def _tree(pid: int, others: Collection[int], depth: int = 0) -> Iterator[Process]:
    """Give a process and all below it but the `others` and theirs."""
    process = read_process(pid)
    if process is None:
        return
    yield process
    for child in _children(pid) if depth < MAX_DEPTH else ():
        if child not in others:
            yield from _tree(child, others, depth + 1)


def _children(pid: int) -> set[int]:
    """List the children of all threads of a process."""
    found: set[int] = set()
    try:
        for thread in (PROC / str(pid) / "task").iterdir():
            found |= {int(word) for word in (thread / "children").read_text().split()}
    except (OSError, ValueError):  # it is ending
        pass
    return found


def _row_of(process: Process, of_camera: Mapping[str, str], root: str) -> str:
    """Name the row of a process below a root."""
    if process.name in of_camera:
        return f"camera {of_camera[process.name]}"
    return "spares" if process.name.endswith(SPARE) else root


def _by_short_name(cameras: Collection[str]) -> dict[str, str]:
    """Find cameras by what the kernel keeps of their names; those it can't tell apart are one."""
    found: dict[str, str] = {}
    for camera in cameras:
        short = camera.encode()[:NAME_BYTES].decode(errors="replace")
        found[short] = f"{short}…" if short in found else camera
    return found
