"""The bridge between a gateway's broker and the surface's is cut: both sides tell, nothing is lost.

Cut for some seconds; with `make faults` for two minutes.
"""

import time
from pathlib import Path

import pytest

from tests.control_room.bridged import bridged_brokers
from tests.delivery.parts import MOSQUITTO, NO_MOSQUITTO
from tests.faults.cluster_stage import ApartStage, now_s, started, write_site
from tests.faults.size import BRIDGE_CUT_S

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)


def test_a_cut_bridge_is_told_on_both_sides_and_nothing_is_lost(tmp_path: Path) -> None:
    with bridged_brokers(tmp_path, site="fire", gateway="gw1") as brokers:
        stage = ApartStage(
            folder=tmp_path, disk=tmp_path, port=0, below=brokers.below, above=brokers.above
        )
        write_site(stage, "fire")
        with started(stage):
            brokers.line.cut()
            cut_s, until_s = now_s(), time.monotonic() + BRIDGE_CUT_S
            before = len(stage.noted())
            # What follows happens while it is cut: it may not wait for the surface.
            stage.wait_until(lambda: bool(stage.siren("control_room_silent", cut_s)))
            stage.wait_until(lambda: bool(stage.raised_s("gateway_silent", cut_s)))
            stage.wait_until(lambda: time.monotonic() > until_s)
            noted = stage.noted()
            assert not set(noted[before + 1 :]) & set(stage.arrived())
            brokers.line.mend()
            mended_s = time.monotonic()
            stage.wait_until(lambda: not set(noted) - set(stage.arrived()))
            print(
                f"bridge cut for {BRIDGE_CUT_S:.0f} s: siren after "
                f"{stage.siren('control_room_silent', cut_s)[0] - cut_s:.1f} s, gateway silent "
                f"after {stage.raised_s('gateway_silent', cut_s)[0] - cut_s:.1f} s, "
                f"{len(noted) - before} alarms of the cut there {time.monotonic() - mended_s:.1f} "
                "s after it"
            )
            stage.wait_until(lambda: bool(stage.siren("over", cut_s)))
            stage.drain()
            assert not set(stage.noted()) - set(stage.arrived()), "lost"
            rows = stage.rows()
            assert len(rows) == len(stage.arrived()), "doubled in the journal"
