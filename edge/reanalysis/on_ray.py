"""Has segments done on a Ray cluster (extra `scale`), where each machine sees the same files.

Knows nothing about what doing one means. Ray is imported when it is asked for, and never else. A
machine that is lost costs what it was doing: Ray has that done elsewhere.
"""

import importlib
import multiprocessing
import os
import socket
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing
from importlib.util import find_spec
from multiprocessing.connection import Connection
from typing import Any

from edge.reanalysis.job import Job, searches_on
from edge.reanalysis.workers import Do, Outcome, from_ctrl_c, outcome
from edge.service import die_with_parent
from scene.errors import LamproomError, printable

RETRIES = 5
"""So often a segment is begun anew whose machine or process is lost."""
LEAST_GPU, MOST_GPU = 0.05, 1.0
"""Share of a GPU for each segment: decoding takes a core, detection a part of a GPU."""
AHEAD = 2
"""So many segments a core are given to the cluster at once; the rest waits here."""
LOOK_EVERY_S = 1.0
ANSWERS_IN_S = 10.0
HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
SETTINGS = 4
"""How HTTP/2, and so gRPC, which Ray speaks, begins on both sides (RFC 9113, 3.4)."""
OPTIONS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_task_oom_retries": str(RETRIES),  # Ray's own is for ever
}
"""For this process, where nobody has set them otherwise."""


class RayError(LamproomError):
    """Ray is not there, or can't be reached; names the address."""


def on_ray(do: Do, jobs: Sequence[Job], address: str) -> Iterator[Outcome]:
    """Do them on the cluster at an address; gives each as it is done. Raises `RayError`.

    Ray lives in a process of its own: it ends its process where its cluster is gone.
    """
    if find_spec("ray") is None:
        raise RayError("--ray needs Ray: pip install 'lamproom[scale]'")
    _look_for(address)
    context = multiprocessing.get_context("spawn")
    pipe, theirs = context.Pipe(duplex=False)
    driver = context.Process(target=_drive, args=(do, jobs, address, theirs), daemon=True)
    with from_ctrl_c():
        driver.start()
    theirs.close()
    try:
        while (found := pipe.recv()) is not None:
            if isinstance(found, str):
                raise RayError(found)
            yield found
    except EOFError:
        raise RayError(_gone(address)) from None
    finally:
        driver.kill()
        driver.join()
        pipe.close()


ASKING = Job(
    path="--ray",
    before=(),
    identities=(),
    site=None,
    model=None,
    searched_with="",
    software="",
    searches_on="",
    key="",
    name="asking",
    size_bytes=0,
)


def searches_on_ray(address: str) -> str:
    """Tell what segments will search with on the cluster, from one that does nothing else.

    Raises `RayError`.
    """
    (said,) = on_ray(_searches_on, [ASKING], address)
    if said.body is None:
        raise RayError(f"--ray {address}: {said.trouble}")
    return said.body.decode()


def _searches_on(_job: Job) -> bytes:
    return searches_on().encode()


def _gone(address: str, why: str = "") -> str:
    return (
        f"--ray {address}: the cluster is gone{why}. What is done is kept: give the same command "
        "again"
    )


def _drive(do: Do, jobs: Sequence[Job], address: str, pipe: Connection) -> None:
    """Send what comes of them, then nothing; a text where Ray fails."""
    die_with_parent()
    for stream in (sys.stdout, sys.stderr):  # what Ray tells of itself
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    with closing(pipe):
        try:
            for found in _driven(do, jobs, address):
                pipe.send(found)
        except Exception as error:  # Ray raises what it likes
            pipe.send(printable(str(error), 500))
        else:
            pipe.send(None)


def _driven(do: Do, jobs: Sequence[Job], address: str) -> Iterator[Outcome]:
    ray = _ray()
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except Exception as error:  # Ray raises what it likes
        text = printable(str(error), 200)
        raise RayError(f"--ray {address}: no Ray cluster can be reached there: {text}") from None
    try:
        yield from _spread(ray, do, jobs, address)
    finally:
        ray.shutdown()


def _look_for(address: str) -> None:
    """See whether anything there may be Ray: where nothing is, Ray takes minutes and ends all."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit() or os.environ.get("RAY_USE_TLS", "0") != "0":
        return
    try:
        with socket.create_connection((host.strip("[]"), int(port)), ANSWERS_IN_S) as connection:
            connection.settimeout(ANSWERS_IN_S)
            connection.sendall(HELLO)
            answer = connection.recv(4)
    except (OSError, OverflowError, UnicodeError) as error:
        raise RayError(f"--ray {address}: no Ray cluster can be reached there: {error}") from None
    if answer[3:] != bytes((SETTINGS,)):
        raise RayError(f"--ray {address}: what answers there is no Ray cluster")


def _ray() -> Any:
    for name, value in OPTIONS.items():
        os.environ.setdefault(name, value)
    return importlib.import_module("ray")


def _spread(ray: Any, do: Do, jobs: Sequence[Job], address: str) -> Iterator[Outcome]:
    remote = ray.remote(_there).options(
        name="lamproom-segment", max_retries=RETRIES, num_cpus=1, num_gpus=_gpu_share(ray)
    )
    waiting, doing = deque(jobs), dict[Any, Job]()
    while waiting or doing:
        try:
            most = max(1, round(AHEAD * ray.cluster_resources().get("CPU", 1)))
            while waiting and len(doing) < most:
                job = waiting.popleft()
                doing[remote.remote(do, job)] = job
            done, _ = ray.wait(list(doing), timeout=LOOK_EVERY_S)
        except Exception as error:  # Ray raises what it likes
            text = printable(str(error), 200)
            raise RayError(_gone(address, f" ({text})")) from None
        for one in done:
            yield _result(ray, one, doing.pop(one))


def _there(do: Do, job: Job) -> Outcome:
    """Do a job on the cluster, in the environment that each command of ours has."""
    importlib.import_module("edge.main")
    return outcome(do, job)


def _result(ray: Any, one: Any, job: Job) -> Outcome:
    try:
        found: Outcome = ray.get(one)
    except Exception as error:  # its process died again and again, or can't import Lamproom
        return Outcome(job=job, trouble=f"{job.path}: {printable(str(error), 500)}")
    return found


def _gpu_share(ray: Any) -> float:
    """Give each segment its share of the GPUs there are: all on GPUs, or none."""
    there = ray.cluster_resources()
    gpus, cores = there.get("GPU", 0.0), max(there.get("CPU", 1.0), 1.0)
    return min(max(round(gpus / cores, 2), LEAST_GPU), MOST_GPU) if gpus else 0.0
