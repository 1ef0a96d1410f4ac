"""Has segments done, each in a process of its own, several at once.

Knows nothing about what doing one means, nor about Ray (`on_ray.py`). One that fails, or kills its
process, stops no other.
"""

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from edge.reanalysis.job import Job
from edge.service import die_with_parent, first_to_be_killed
from scene.errors import LamproomError, printable

Do = Callable[[Job], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a job: a result, or why there is none."""

    job: Job
    body: bytes | None = None
    trouble: str = ""


def outcome(do: Do, job: Job) -> Outcome:
    """Do a job here; whatever fails becomes its trouble."""
    try:
        return Outcome(job=job, body=do(job))
    except LamproomError as error:
        return Outcome(job=job, trouble=printable(str(error), 500))
    except MemoryError:
        return Outcome(job=job, trouble=f"{job.path}: takes more memory than there is")
    except Exception as error:  # one recording that upsets something stops no other
        return Outcome(job=job, trouble=printable(f"{job.path}: {error!r}", 500))


def in_processes(do: Do, jobs: Sequence[Job], at_once: int) -> Iterator[Outcome]:
    """Do so many at once, each in a process of its own; gives each as it is done.

    One whose process dies is tried once more when all others are done, alone: it may have been
    killed for their memory.
    """
    died, lost = list[_Worker](), list[_Worker]()
    yield from _worked(do, jobs, at_once, died)
    yield from _worked(do, [worker.job for worker in died], 1, lost)
    for worker in lost:
        yield Outcome(job=worker.job, trouble=worker.epitaph())


def _worked(do: Do, jobs: Sequence[Job], at_once: int, died: list["_Worker"]) -> Iterator[Outcome]:
    """Give what the workers make; those that die are added to `died`."""
    waiting, working = deque(jobs), list[_Worker]()
    try:
        while waiting or working:
            while waiting and len(working) < at_once:
                working.append(_Worker(do, waiting.popleft()))
            wait([worker.pipe for worker in working])
            for worker in [one for one in working if one.pipe.poll()]:
                working.remove(worker)
                found = worker.found()
                if found is None:
                    died.append(worker)
                else:
                    yield found
    finally:
        for worker in working:
            worker.end()


class _Worker:
    """A process that does one job."""

    def __init__(self, do: Do, job: Job) -> None:
        self.job = job
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe(duplex=False)
        self._process: BaseProcess = context.Process(
            target=_work, args=(do, job, theirs), daemon=True, name=f"reanalyse {job.name}"
        )
        with from_ctrl_c():
            self._process.start()
        theirs.close()

    def found(self) -> Outcome | None:
        """Give what it made; none where it died."""
        try:
            found: Outcome = self.pipe.recv()
        except (EOFError, OSError):  # also in the midst of what it said
            found_any = None
        else:
            found_any = found
        self.pipe.close()
        self._process.join()
        return found_any

    def epitaph(self) -> str:
        code = self._process.exitcode or 0
        how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        why = " (for want of memory?)" if code == -signal.SIGKILL else ""
        return f"{self.job.path}: its process died {how}{why}, twice"

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self.pipe.close()


@contextmanager
def from_ctrl_c() -> Iterator[None]:
    """Keep a process that is started from hearing Ctrl-C, from its first moment on.

    A terminal tells all of them; it is meant for who has started them.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(do: Do, job: Job, pipe: Connection) -> None:
    die_with_parent()
    with closing(pipe), first_to_be_killed():
        pipe.send(outcome(do, job))
