"""Somebody sets a clock by an hour: no alarm is missed, and none is false."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from control_room.own_alarms import OURSELVES
from delivery.mqtt import Connection
from delivery.outbox import Outbox
from delivery.publisher import Publisher
from scene.clock import SystemClock
from scene.site import BrokerConfig, parse_site
from tests.control_room.ticking import ticking
from tests.delivery.parts import HANG_S, HEALTH, MOSQUITTO, NO_MOSQUITTO
from tests.delivery.parts import SITE as SITE_YAML
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
            set_clock(step, step_s)
            arrive_again(stage)
            time.sleep(HOLD_S)
        stage.drain()
        assert not set(stage.noted()) - set(stage.arrived()), "missed"
        # That the two clocks are an hour apart is true, and may be said.
        assert set(stage.kinds()) - {"clock_off"} == {"man_down"}, "a false alarm"


@pytest.mark.parametrize(
    ("part", "told"), [("control room", OURSELVES[1]), ("gateway", "gw1")], ids=["room", "gateway"]
)
def test_of_several_clocks_the_one_that_was_set_is_told_of_and_no_other(
    tmp_path: Path, part: str, told: str
) -> None:
    step = tmp_path / "step"
    step.write_text("0")
    changed = {"PYTHONPATH": str(SHIM), "CLOCK_STEP_FILE": str(step)}
    with (
        on_stage(tmp_path, environment={part: changed}) as stage,
        another_gateway(stage, "gw2"),
        another_gateway(stage, "gw3"),
    ):
        for number, step_s in enumerate(CLOCK_STEPS_S[:2]):
            set_clock(step, step_s)
            arrive_again(stage)
            stage.wait_until(lambda number=number: clocks(stage, told, "active") == number + 1)  # type: ignore[misc]
            set_clock(step, 0)
            arrive_again(stage)
            stage.wait_until(lambda number=number: clocks(stage, told, "cleared") == number + 1)  # type: ignore[misc]
        stage.drain()
        assert not set(stage.noted()) - set(stage.arrived()), "missed"
        assert set(stage.kinds()) == {"man_down", "clock_off"}, "a false alarm"
        assert clocks(stage, "%", "active") == clocks(stage, told, "active"), "of nobody else"


def set_clock(step: Path, step_s: float) -> None:
    """Set the clock of whoever reads this file, all at once."""
    new = step.with_name("new")
    new.write_text(str(step_s))
    new.rename(step)


def clocks(stage: Stage, gateway: str, state: str) -> int:
    """Count the alarms on a clock that have been in this state."""
    sql = "SELECT COUNT(*) FROM change WHERE kind = 'clock_off' AND gateway LIKE ? AND state = ?"
    with closing(sqlite3.connect(stage.journal)) as db:
        [(count,)] = db.execute(sql, (gateway, state))
    return int(count)


@contextmanager
def another_gateway(stage: Stage, name: str) -> Iterator[None]:
    """Have one more gateway say that it is well, with a clock that is right."""
    clock, folder = SystemClock(), stage.folder / name
    folder.mkdir()
    text = SITE_YAML.replace("site: roadway", "site: fire").replace("gw1", name)
    site = parse_site(text, name="site.yaml", folder=folder)
    link = Connection(BrokerConfig(url=stage.url), name, log=lambda _text: None)
    box = Outbox(folder / "state", clock)
    publisher = Publisher(site, link, box, clock)
    link.connect(HANG_S, wait=True)
    with closing(box), closing(link), ticking(lambda: publisher.health(HEALTH), 0.5):
        yield
