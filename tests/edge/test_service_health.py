import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge.service_health import Meter, memory_bytes, read_process

BUSY = """
import ctypes, os, sys, time
name = sys.argv[1].encode()
parts = [sys.argv[2]]
ballast = bytearray(int(sys.argv[3]) * 1_000_000)
ballast[::4096] = b"x" * len(ballast[::4096])
ctypes.CDLL(None).prctl(15, name)
child = None
if len(sys.argv) > 4:
    import subprocess
    child = subprocess.Popen([sys.executable, *sys.orig_argv[1:3], *sys.argv[4:]])
print("ready", flush=True)
until_cpu_s = float(parts[0])
while time.process_time() < until_cpu_s:
    pass
print("worked", flush=True)
try:
    sys.stdin.read()
finally:
    if child:
        child.wait()
"""

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc")


def test_processor_time_and_memory_are_counted_by_service_and_camera() -> None:
    # A pipeline that works for 0.5 s with 80 MB, and its camera: 0.25 s, 40 MB.
    words = [sys.executable, "-c", BUSY, "pipeline", "0.5", "80", "cam1", "0.25", "40"]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdin is not None
        meter = Meter()
        while process.stdout.readline() != "ready\n":
            pass
        begin_s = time.monotonic()
        meter.look({"us": os.getpid(), "pipeline": process.pid}, ["cam1", "cam2"], begin_s)
        before = read_process(process.pid)
        worked = 0
        while worked < 2:
            worked += process.stdout.readline() == "worked\n"
        passed_s = 10.0  # the machine's speed does not matter: shares of a given time
        now_s = begin_s + passed_s
        used = meter.look({"us": os.getpid(), "pipeline": process.pid}, ["cam1", "cam2"], now_s)
        after = read_process(process.pid)
        process.stdin.close()
    assert set(used) == {"us", "pipeline", "camera cam1"}
    assert before is not None and after is not None
    assert after.name == "pipeline"
    took = (after.cpu_s - before.cpu_s) / passed_s  # looked at a little before and after
    assert used["pipeline"].cpu_cores == pytest.approx(took, abs=0.02)
    assert took > 0.03
    assert 0.0 < used["camera cam1"].cpu_cores < 0.1
    assert 80 < used["pipeline"].memory_mb < 140
    assert 40 < used["camera cam1"].memory_mb < 100
    assert used["camera cam1"].restarts == 0


def test_those_that_wait_to_take_over_have_a_row_of_their_own() -> None:
    words = [sys.executable, "-c", BUSY, "lamproom", "0", "1", "pipeline-spare", "0", "40"]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdin is not None
        worked = 0
        while worked < 2:
            worked += process.stdout.readline() == "worked\n"
        used = Meter().look({"supervisor": process.pid}, ["cam1"], time.monotonic())
        camera = Meter().look({"us": process.pid}, ["pipeline-spare"], time.monotonic())
        process.stdin.close()
    assert set(used) == {"supervisor", "spares"}
    assert used["supervisor"].memory_mb < 40 < used["spares"].memory_mb
    assert set(camera) == {"us", "camera pipeline-spare"}


def test_a_process_that_is_not_there_takes_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert read_process(process.pid) is None
    assert memory_bytes(process.pid) == 0
    assert Meter().look({"gone": process.pid}, [], 1.0) == {}


def test_another_process_under_the_same_name_is_a_restart() -> None:
    meter = Meter()
    counts = []
    for number in range(3):
        with subprocess.Popen(["sleep", "60"]) as process:
            counts.append(meter.look({"one": process.pid}, [], number + 1.0)["one"].restarts)
            process.kill()
    assert counts == [0, 1, 2]
