"""The exports that somebody asked for on the page: one at a time, each in a process of its own.

Knows nothing about HTTP or what an export is made of. May be used from several threads; nothing
here waits for an export. Where they are written somebody else may clean up at any time.
"""

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import IO, Literal

from control_room.incident.own_folder import OwnFolder
from control_room.turns import BusyError
from scene.errors import LamproomError

MOST_S = 1800.0
"""Whatever takes longer is ended."""
KEPT = 5
"""So many finished ones are there to be fetched; the oldest goes first."""
FREE_BYTES = 2_000_000_000
"""So much must be free where they are written: what fills a disk may cost alarms."""
UNFINISHED = ".unfinished"
"""Where exports are made in a folder in which they stay: what else lies there is somebody's own."""
BUSY = "another export is being made; ask again when it is done"
BUSY_ZH = "另一个导出正在进行，请待其完成后再试"
COMMAND = (sys.executable, "-m", "control_room.incident.job")


class NoRoomError(LamproomError):
    """The disk has no room for an export."""

    def __init__(self, text: str, chinese: str) -> None:
        super().__init__(text)
        self.chinese = chinese


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """How an export stands."""

    id: str
    """Nobody guesses it."""
    state: Literal["running", "ready", "failed"] = "running"
    percent: int = 0
    error: str = ""
    error_zh: str = ""
    """In Chinese, as far as there are words."""
    signed: bool = False
    lacks: int = 0
    """How many things are missing in it or not proven."""
    name: str = ""
    """What the .zip is called for whoever fetches it."""
    archive: Path | None = None
    bytes: int | None = None
    """How long that is; none before it is there."""


class Jobs:
    """Runs exports; close it when nobody wants any more."""

    def __init__(self, say: Callable[[str], None], place: Path, *, lasting: bool = False) -> None:
        """`place` is where exports are written; what an ended process left there goes.

        With `lasting` each .zip stays there under its name; else it goes with this process.
        """
        self._say = say
        self._place, self._lasting = place, lasting
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._running: subprocess.Popen[str] | None = None
        self._own = OwnFolder(place / UNFINISHED if lasting else place)
        self._thread: threading.Thread | None = None

    def start(
        self, name: str, order: Callable[[Path], str], note: Callable[[], None] = lambda: None
    ) -> Job:
        """Begin one; `order` gives the line for the job's process, for the folder to write.

        `note` writes down that it begins: before the process has its order, and only if it can be
        begun. Raises `BusyError` while another runs, `NoRoomError`, and what `note` raises.
        """
        with self._lock:
            if self._running is not None:
                raise BusyError(BUSY)
            job = Job(id=secrets.token_urlsafe(16), name=name)
            try:
                place = self._new_place(job.id)
                process = subprocess.Popen(
                    COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
                )
            except OSError as error:
                raise NoRoomError(
                    f"no export can be made now: {error.filename or ''}: {error.strerror}",
                    f"现在无法导出：{error.filename or ''}",
                ) from None
            self._running = process
            self._jobs[job.id] = job
            self._forget_old()
        try:
            note()  # without the lock: a journal may be slow
        except BaseException:
            self._take_back(job, process)
            raise
        line = order(place / "export")
        self._thread = threading.Thread(
            target=self._watch, args=(job, process, place, line), name="export"
        )
        self._thread.start()
        return job

    def _take_back(self, job: Job, process: "subprocess.Popen[str]") -> None:
        with process:
            process.kill()
        with self._lock:
            self._jobs.pop(job.id, None)
            self._own.drop(job.id)
            self._running = None

    def job(self, id: str) -> Job | None:
        """Tell how one stands; none for an unknown or forgotten one, or one whose .zip is gone."""
        with self._lock:
            found = self._jobs.get(id)
        gone = found is not None and found.archive is not None and not found.archive.is_file()
        return None if gone else found

    def close(self) -> None:
        """End what runs, and forget all."""
        with self._lock:
            running, thread = self._running, self._thread
        if running is not None:
            running.kill()
        if thread is not None:
            thread.join(timeout=5.0)
        self._own.close()
        if self._lasting:
            with contextlib.suppress(OSError):  # another process has it, or there is none
                (self._place / UNFINISHED).rmdir()

    def _new_place(self, id: str) -> Path:
        """Make a folder for one export; raises `NoRoomError`, `OSError`."""
        own = self._own.made()
        free = shutil.disk_usage(own).free
        if free < FREE_BYTES:
            raise NoRoomError(
                f"only {free / 1e9:.1f} GB are free in {self._place}; an export wants "
                f"{FREE_BYTES / 1e9:g} GB free, so that it can't fill the disk",
                f"磁盘仅剩 {free / 1e9:.1f} GB；导出需要 {FREE_BYTES / 1e9:g} GB 可用空间",
            )
        made = own / id
        made.mkdir(mode=0o700)
        return made

    def _watch(self, job: Job, process: "subprocess.Popen[str]", place: Path, order: str) -> None:
        """Follow a job to its end."""
        too_long = threading.Timer(MOST_S, process.kill)
        too_long.daemon = True
        too_long.start()
        end = replace(
            job,
            state="failed",
            error="the export was ended before it was done",
            error_zh="导出未完成即被终止",
        )
        try:
            with process:  # which waits for its end
                assert process.stdin is not None
                assert process.stdout is not None
                with contextlib.suppress(OSError):
                    process.stdin.write(order)
                    process.stdin.close()
                end = self._followed(job, end, process.stdout)
        finally:
            too_long.cancel()
            failed = end.state == "failed"
            shutil.rmtree(place if failed else place / "export", ignore_errors=True)
            if failed:
                self._say(f"an export failed: {end.error}")
            with self._lock:
                if job.id in self._jobs:
                    self._jobs[job.id] = end
                self._running = None

    def _followed(self, job: Job, end: Job, lines: IO[str]) -> Job:
        """Read what a job tells; gives how it ended."""
        for line in lines:
            try:
                told = json.loads(line)
            except ValueError:  # some library's words
                continue
            if "percent" in told:
                with self._lock:
                    if job.id in self._jobs:
                        self._jobs[job.id] = replace(job, percent=told["percent"])
            elif "error" in told:
                end = replace(end, error=told["error"], error_zh=told["error_zh"])
            elif "archive" in told:
                archive = Path(told["archive"])
                with contextlib.suppress(OSError):  # somebody removed it already
                    end = replace(
                        job,
                        state="ready",
                        percent=100,
                        signed=told["signed"],
                        lacks=told["lacks"],
                        bytes=archive.stat().st_size,
                        archive=archive,
                    )
                    if self._lasting:
                        self._keep(archive, job.name)
        return end

    def _keep(self, archive: Path, name: str) -> None:
        """Let a .zip stay under its name, over nothing that is there; tells where, or why not."""
        for number in count(1):
            kept = self._place / (name if number == 1 else f"{Path(name).stem}-{number}.zip")
            try:
                _put(archive, kept)
            except FileExistsError:
                continue
            except OSError as error:
                self._say(f"{kept}: can't be kept: {error.strerror}; fetch it on the page")
            else:
                self._say(f"exported: {kept}")
            return

    def _forget_old(self) -> None:
        for id in list(self._jobs)[:-KEPT]:
            del self._jobs[id]
            self._own.drop(id)


def _put(archive: Path, kept: Path) -> None:
    """Give a file a second name, or copy it where there are no such; raises `OSError`."""
    try:
        os.link(archive, kept)
        return
    except FileExistsError:
        raise
    except OSError:  # a file system that knows no links says so in many ways
        pass
    with kept.open("xb") as copy:
        try:
            with archive.open("rb") as whole:
                shutil.copyfileobj(whole, copy)
        except OSError:
            kept.unlink()
            raise
