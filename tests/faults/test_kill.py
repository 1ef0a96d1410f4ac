"""Kill -9 of whatever stands between an alarm and the journal: none lost, none doubled."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.delivery.parts import MOSQUITTO, NO_MOSQUITTO
from tests.faults.size import KILLS
from tests.faults.stage import PARTS, REPOSITORY, Stage, on_stage

SEED = 7

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)


def kill_at_random(stage: Stage, kills: int, seed: int) -> dict[str, int]:
    """Kill all parts equally often, at random instants in random order; gives how often."""
    dice, count = random.Random(seed), dict.fromkeys(PARTS, 0)
    victims: list[str] = []
    while sum(count.values()) < kills:
        time.sleep(dice.uniform(0.3, 1.5))
        stage.again()
        victims = victims or dice.sample(PARTS, len(PARTS))
        if stage.kill(victims[-1]):
            count[victims.pop()] += 1
    return count


def test_no_alarm_is_lost_or_doubled_by_kills(tmp_path: Path) -> None:
    with on_stage(tmp_path) as stage, (tmp_path / "printed").open("w+") as printed:
        watcher = subprocess.Popen(
            [sys.executable, "-m", "edge.main", "alarms", "--broker", stage.url, "--json"],
            cwd=REPOSITORY,
            stdout=printed,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        try:
            count = kill_at_random(stage, KILLS, SEED)
            stage.drain()
        finally:
            watcher.terminate()
            watcher.wait()
        rows, noted = stage.rows(), stage.noted()
        arrived = stage.arrived()
        delays_s = np.array(list(arrived.values()))
        print(
            f"kills {count}: {len(noted)} alarms noted, {len(rows)} stored, delay p50/p99/max "
            f"{np.quantile(delays_s, 0.5):.3f}/{np.quantile(delays_s, 0.99):.3f}/"
            f"{delays_s.max():.3f} s"
        )
        assert len(noted) > KILLS
        assert not set(noted) - set(arrived), "lost"
        assert len(rows) == len(arrived), "doubled in the journal"
        lines = (tmp_path / "printed").read_text().splitlines()
        raised = [
            line.split('"id":"', 1)[1].split('"', 1)[0] for line in lines if "man_down" in line
        ]
        assert len(raised) == len(set(raised)) > 0, "an operator was told twice"
