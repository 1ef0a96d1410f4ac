"""Somebody sets a clock by an hour: no alarm is missed, and none is false."""

import time
from pathlib import Path

import pytest

from tests.delivery.parts import MOSQUITTO, NO_MOSQUITTO
from tests.faults.size import CLOCK_STEPS_S
from tests.faults.stage import Stage, on_stage

SHIM = Path(__file__).parent / "clock_step"
HOLD_S = 5.5
"""Longer than it takes until silence is an alarm."""

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)


def arrive_again(stage: Stage) -> None:
    """Wait until alarms arrive that were raised from now on."""
    before = len(stage.noted())
    stage.wait_until(lambda: len(stage.noted()) > before + 3)
    newest = stage.noted()[-1]
    stage.wait_until(lambda: newest in stage.arrived())


@pytest.mark.parametrize("part", ["gateway", "control room"])
def test_setting_a_clock_makes_no_false_alarm_and_misses_none(tmp_path: Path, part: str) -> None:
    step = tmp_path / "step"
    step.write_text("0")
    changed = {"PYTHONPATH": str(SHIM), "CLOCK_STEP_FILE": str(step)}
    with on_stage(tmp_path, environment={part: changed}) as stage:
        for step_s in CLOCK_STEPS_S:
            new = tmp_path / "new"
            new.write_text(str(step_s))
            new.rename(step)
            arrive_again(stage)
            time.sleep(HOLD_S)
        stage.drain()
        assert not set(stage.noted()) - set(stage.arrived()), "missed"
        # That the two clocks are an hour apart is true, and may be said.
        assert set(stage.kinds()) - {"clock_off"} == {"man_down"}, "a false alarm"
