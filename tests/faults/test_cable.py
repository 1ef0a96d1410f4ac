"""The cable to the surface is cut, or loses packets: silence is told, and nothing is lost."""

import time
from pathlib import Path

import pytest

from tests.delivery.parts import MOSQUITTO, NO_MOSQUITTO
from tests.faults.roadway_cable import SURFACE, cable, no_cable
from tests.faults.stage import on_stage

pytestmark = [
    pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO),
    pytest.mark.skipif(bool(no_cable()), reason=no_cable()),
]


def test_a_cut_cable_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    with (
        cable() as line,
        on_stage(tmp_path, host=SURFACE, before={"gateway": list(line.inside)}) as stage,
    ):
        line.cut()
        cut_s, before = time.monotonic(), len(stage.noted())
        stage.wait_until(lambda: "gateway_silent" in stage.kinds())
        print(f"silence told after {time.monotonic() - cut_s:.1f} s")
        stage.wait_until(lambda: len(stage.noted()) > before + 20)  # raised while nobody hears
        assert not set(stage.noted()[before + 1 :]) & set(stage.arrived())
        line.mend()
        stage.drain()
        assert not set(stage.noted()) - set(stage.arrived()), "lost"


def test_a_cable_that_loses_packets_costs_no_alarm(tmp_path: Path) -> None:
    with (
        cable() as line,
        on_stage(tmp_path, host=SURFACE, before={"gateway": list(line.inside)}) as stage,
    ):
        line.lose(percent=20)
        before = len(stage.noted())
        stage.wait_until(lambda: len(stage.noted()) > before + 60)
        stage.drain()
        assert not set(stage.noted()) - set(stage.arrived()), "lost"
        assert len(stage.rows()) == len(stage.arrived()), "doubled"
