"""Who gets little of a busy processor works all the same; who is stopped does not."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from edge.running import wanted_cpu_s
from edge.service_health import read_process
from tests.delivery.parts import wait_until

ENDLESS = "import os\nos.sched_setaffinity(0, {CORE})\nwhile True: pass"


@contextmanager
def endless(core: int, *, idle: bool = False) -> "Iterator[subprocess.Popen[bytes]]":
    """Run something that wants one core and, when `idle`, gets what others leave of it."""
    process = subprocess.Popen([sys.executable, "-c", ENDLESS.replace("CORE", str(core))])
    if idle:
        os.sched_setscheduler(process.pid, os.SCHED_IDLE, os.sched_param(0))
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def taken_s(pid: int) -> float:
    process = read_process(pid)
    assert process is not None
    return process.cpu_s


def test_who_waits_for_the_processor_wants_it_and_who_is_stopped_does_not() -> None:
    core = min(os.sched_getaffinity(0))
    with endless(core), endless(core, idle=True) as process:
        before_s, taken_before_s = wanted_cpu_s(process.pid), taken_s(process.pid)
        wait_until(lambda: wanted_cpu_s(process.pid) - before_s > 1.0)
        assert taken_s(process.pid) - taken_before_s < 0.5
        os.kill(process.pid, signal.SIGSTOP)
        wait_until(lambda: state_of(process.pid) == "T")
        stopped_s = wanted_cpu_s(process.pid)
        assert wanted_cpu_s(process.pid) == stopped_s
    assert wanted_cpu_s(process.pid) == 0.0, "it is gone"


def state_of(pid: int) -> str:
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(") ")[2][0]
