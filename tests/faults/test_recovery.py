"""A gateway on live RTSP cameras, and what takes down parts of it: how soon all is there again.

The times are printed (`pytest -s`). What is asserted holds on any machine: that all comes back, by
itself, and what went on meanwhile.
"""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from tests.bench.gateway_load import _has_gstreamer
from tests.delivery.parts import MOSQUITTO, NO_MOSQUITTO
from tests.edge.processes import is_alive
from tests.faults.live_stage import LiveStage, live_stage
from tests.faults.size import RECOVERIES

pytestmark = [
    pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO),
    pytest.mark.skipif(
        not _has_gstreamer(),
        reason="there is no GStreamer RTSP server (apt-get install gir1.2-gst-rtsp-server-1.0)",
    ),
]
NAMES = ("cam1", "cam2")
SIGNALS = pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
ROUNDS = pytest.mark.parametrize("round", range(RECOVERIES))


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveStage]:
    folder, length_s = tmp_path_factory.mktemp("live"), 300 + 120 * RECOVERIES
    with live_stage(folder, length_s=length_s, names=NAMES) as stage:
        yield stage


@pytest.fixture
def stage(started: LiveStage) -> LiveStage:
    """Give the stage when all is well."""
    started.wait_until(started.well(1))
    return started


def hit(stage: LiveStage, name: str, number: int) -> float:
    """Kill or stop one of the gateway's processes; gives the instant when it was found and ended.

    Ended it is, also when stopped: nothing else is done with a process that hangs.
    """
    pid = stage.pid(name)
    os.kill(pid, number)
    return stage.wait_until(lambda: not is_alive(pid))


@SIGNALS
@ROUNDS
def test_a_pipeline_that_dies_or_hangs_finds_its_cameras_at_work(
    stage: LiveStage, number: int, round: int
) -> None:
    stage.wait_until(lambda: stage.has_spare("pipeline"))
    cameras, pipeline = [stage.pids(name) for name in NAMES], stage.pid("pipeline")
    began_s = time.monotonic()
    found_s = hit(stage, "pipeline", number)
    positions_s = stage.after(stage.heard.positions_s, found_s)
    panorama_s = stage.after(stage.heard.panoramas_s, found_s)
    stage.wait_until(stage.well(1))
    print(
        f"pipeline {signal.Signals(number).name}: found after {found_s - began_s:.1f} s; "
        f"positions {positions_s:.1f} s, panorama {panorama_s:.1f} s after that"
    )
    assert stage.pid("pipeline") != pipeline
    assert [stage.pids(name) for name in NAMES] == cameras, "a camera was started anew"


@SIGNALS
@ROUNDS
def test_a_camera_s_process_that_dies_or_hangs_holds_nobody_up(
    stage: LiveStage, number: int, round: int
) -> None:
    name = NAMES[(round + (number == signal.SIGSTOP)) % len(NAMES)]
    killed, others = stage.pids(name), [stage.pids(one) for one in everybody_but(name)]
    began_s = time.monotonic()
    found_s = hit(stage, name, number)
    stage.wait_until(lambda: stage.pids(name) not in ([], killed))
    back_s = stage.pictures_again(name, found_s)
    gap_s = stage.longest_gap_s(began_s, found_s + back_s)
    print(
        f"process of {name} {signal.Signals(number).name}: found after {found_s - began_s:.1f} s, "
        f"pictures back {back_s:.1f} s after that, longest gap of the panorama {gap_s:.1f} s"
    )
    assert stage.count(stage.heard.panoramas_s, began_s, found_s + back_s) > 2
    assert [stage.pids(one) for one in everybody_but(name)] == others, "somebody was started anew"


@ROUNDS
def test_a_camera_that_stalls_is_told_of_and_holds_no_other_up(
    stage: LiveStage, round: int
) -> None:
    name = NAMES[(round + 2) % len(NAMES)]
    heard = stage.heard
    stage.wait_until(lambda: not stage.is_alarmed(name))
    processes = [stage.pids(one) for one in NAMES]
    began_s = time.monotonic()
    before = stage.count(heard.panoramas_s, began_s - 3.0, began_s) / 3.0
    stage.cameras[name].send_signal(signal.SIGSTOP)
    try:
        alarm_s = stage.wait_until(lambda: stage.is_alarmed(name)) - began_s
        beats = stage.beats_since(began_s, count=3)
        resumed_s = time.monotonic()
    finally:
        stage.cameras[name].send_signal(signal.SIGCONT)
    meanwhile = stage.count(heard.panoramas_s, began_s, resumed_s) / (resumed_s - began_s)
    back_s = stage.pictures_again(name, resumed_s)
    fps = {one.name: one.fps for one in beats[-1].cameras}
    print(
        f"{name} stalled: alarm after {alarm_s:.1f} s, back {back_s:.1f} s after its return; "
        f"panorama {before:.1f}/s before, {meanwhile:.1f}/s meanwhile, cameras {fps}"
    )
    for other in everybody_but(name)[:-1]:
        seen = [one.last_frame_at_ns for beat in beats for one in beat.cameras if one.name == other]
        assert None not in seen
        assert len(set(seen)) == len(seen), f"{other} was held up"
    assert meanwhile > 0
    assert [stage.pids(one) for one in NAMES] == processes, "its process was no trouble"


def everybody_but(camera: str) -> list[str]:
    return [*(name for name in NAMES if name != camera), "pipeline"]
