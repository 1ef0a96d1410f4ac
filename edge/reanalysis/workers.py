"""Has segments done: one after the other in this process, or several at once in processes.

Knows nothing about what doing one means, nor about Ray (`on_ray.py`). One that fails, or kills its
process, stops no other.
"""

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from edge.reanalysis.job import Job
from edge.service import die_with_parent
from scene.errors import LamproomError, printable

TRIES = 2
"""A process that dies may have been killed for others' memory: once more."""

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


def here(do: Do, jobs: Sequence[Job]) -> Iterator[Outcome]:
    """Do them in this process."""
    return (outcome(do, job) for job in jobs)


def in_processes(do: Do, jobs: Sequence[Job], at_once: int) -> Iterator[Outcome]:
    """Do so many at once, each in a process of its own; gives each as it is done."""
    waiting = deque((job, 1) for job in jobs)
    working: list[_Worker] = []
    try:
        while waiting or working:
            while waiting and len(working) < at_once:
                working.append(_Worker(do, *waiting.popleft()))
            wait([worker.pipe for worker in working])
            for worker in [one for one in working if one.pipe.poll()]:
                working.remove(worker)
                found = worker.found()
                if found is not None:
                    yield found
                elif worker.tries < TRIES:
                    waiting.appendleft((worker.job, worker.tries + 1))
                else:
                    yield Outcome(job=worker.job, trouble=worker.epitaph())
    finally:
        for worker in working:
            worker.end()


class _Worker:
    """A process that does one job."""

    def __init__(self, do: Do, job: Job, tries: int) -> None:
        self.job, self.tries = job, tries
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe(duplex=False)
        self._process: BaseProcess = context.Process(
            target=_work, args=(do, job, theirs), daemon=True, name=f"reanalyse {job.name}"
        )
        self._process.start()
        theirs.close()

    def found(self) -> Outcome | None:
        """Give what it made; none where it died."""
        try:
            found: Outcome = self.pipe.recv()
        except EOFError:
            found_any = None
        else:
            found_any = found
        self.pipe.close()
        self._process.join()
        return found_any

    def epitaph(self) -> str:
        code = self._process.exitcode or 0
        how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        return f"{self.job.path}: its process died {how}, {self.tries} times"

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self.pipe.close()


def _work(do: Do, job: Job, pipe: Connection) -> None:
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who has started us
    with closing(pipe):
        pipe.send(outcome(do, job))
