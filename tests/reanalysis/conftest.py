"""An archive that all tests here share: two gateways, one of them recorded in four files."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.edge.recorded_live import FALL, Live, Recorded, other_rules
from tests.reanalysis.archive_of import CUTS, FALL_S, ZONE_ENTRY, ZONE_ENTRY_S


@pytest.fixture(scope="session")
def falls(tmp_path_factory: pytest.TempPathFactory) -> Live:
    """Record the clip of somebody who falls, as a gateway that begins several files."""
    out = tmp_path_factory.mktemp("archive") / "fall" / "run.mcap"
    out.parent.mkdir()
    return Recorded(FALL, out).run(FALL_S, dict.fromkeys(CUTS, Recorded.new_file))


@pytest.fixture(scope="session")
def archive(falls: Live) -> Iterator[Path]:
    """Give the folder of both gateways' recordings."""
    folder = falls.files[0].parents[1]
    out = folder / "zone" / "run.mcap"
    out.parent.mkdir()
    Recorded(ZONE_ENTRY, out).run(ZONE_ENTRY_S)
    yield folder


@pytest.fixture(scope="session")
def later(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return other_rules(tmp_path_factory.mktemp("site") / "later.yaml")
