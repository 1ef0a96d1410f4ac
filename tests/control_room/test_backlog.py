"""A gateway comes back after a cut: nothing is lost or doubled, nobody waits behind old news."""

from pathlib import Path

import pytest

from delivery.publisher import WINDOW
from tests.backlog import drain
from tests.delivery.parts import MOSQUITTO, NO_MOSQUITTO

ROWS = 1500


@pytest.mark.skipif(MOSQUITTO is None, reason=NO_MOSQUITTO)
def test_a_backlog_drains_newest_first_and_live_alarms_pass_it_by(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    drained = drain(tmp_path, ROWS, live_every_s=0.05)
    assert drained.journal_rows == drained.said, "none is lost, none is doubled"
    alarms = ROWS // 2
    assert set(drained.stored) == set(range(alarms))
    assert drained.stored[0] > alarms - WINDOW
    assert drained.stored[-1] < WINDOW
    middle = len(drained.stored) // 2
    assert sum(drained.stored[:middle]) > sum(drained.stored[middle:])
    assert drained.live_before_the_end > 0
