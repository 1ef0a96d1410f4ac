"""Who gets little of a busy processor works all the same; who is stopped does not."""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from edge.running import EARLY, REGULAR_S, START_LIMIT_S, Effort, Running, wanted_cpu_s
from edge.service import Signs
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


BESIDE = """
import threading, time
def work():
    end = time.thread_time() + 0.5
    while time.thread_time() < end: pass
    print("worked", flush=True)
    time.sleep(600)
threading.Timer(0.5, work).start()
print("sleeps", flush=True)
time.sleep(600)
"""


def test_a_main_thread_that_hangs_does_not_work_because_another_one_does() -> None:
    words = [sys.executable, "-c", BESIDE]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "sleeps\n"
            before_s = wanted_cpu_s(process.pid)
            assert process.stdout.readline() == "worked\n"
            assert taken_s(process.pid) >= 0.5
            assert wanted_cpu_s(process.pid) - before_s < 0.3
        finally:
            process.kill()


def test_who_gives_a_first_sign_and_then_hangs_is_not_waited_for_as_if_it_had_given_none() -> None:
    process, signs = multiprocessing.get_context("spawn").Process(), Signs()
    running = Running(process=process, signs=signs, started_s=0.0, is_first=True)
    limits = []
    for sign_s in (0.0, 1.0, 1.1, 1.2, 1.0 + REGULAR_S):
        signs.alive_s.value = sign_s
        running.look(sign_s, 3.0)
        limits.append(running.limit_s(3.0, 0))
    assert limits == [START_LIMIT_S, *[EARLY * 3.0] * 3, 3.0]
    assert EARLY * 3.0 < START_LIMIT_S / 2


def test_who_takes_processor_time_since_it_was_quiet_for_half_of_its_limit_works() -> None:
    effort = Effort()
    with endless(min(os.sched_getaffinity(0))) as process:
        wait_until(lambda: wanted_cpu_s(process.pid) > 1.0)
        effort.look(process.pid, 1.0, 3.0)
        assert not effort.works(process.pid), "it was not quiet for long"
        effort.look(process.pid, 2.0, 3.0)
        wait_until(lambda: effort.works(process.pid))
        os.kill(process.pid, signal.SIGSTOP)
        wait_until(lambda: state_of(process.pid) == "T")
        effort.look(process.pid, 0.0, 3.0)
        effort.look(process.pid, 2.0, 3.0)
        assert not effort.works(process.pid), "what it did before counts no more"


def state_of(pid: int) -> str:
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(") ")[2][0]
