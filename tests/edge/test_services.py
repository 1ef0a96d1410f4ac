import time
from pathlib import Path

import pytest

from edge.options import RunOptions
from edge.services import Service, Supervisor
from tests.edge.fake_services import log_of


def supervise(
    folder: Path, *names: str, until: object = None, seconds: float = 30.0
) -> tuple[int, list[str]]:
    said: list[str] = []
    services = {
        name: Service(
            module=f"tests.edge.fake_service_{name}",
            wanted=lambda options: True,
            quiet_limit_s=1.0,
            ends_run=name == "ends",
        )
        for name in names
    }
    deadline_s = time.monotonic() + seconds
    supervisor = Supervisor(RunOptions(site_file=folder / "site.yaml"), said.append, services)
    code = supervisor.run(
        until=lambda: bool(callable(until) and until()) or time.monotonic() > deadline_s
    )
    return code, said


@pytest.mark.parametrize(("name", "starts"), [("dies", 3), ("hangs", 2)])
def test_a_service_that_dies_or_hangs_is_started_again(
    tmp_path: Path, name: str, starts: int
) -> None:
    code, said = supervise(tmp_path, name, until=lambda: log_of(tmp_path, name) >= starts)
    assert code == 0
    assert log_of(tmp_path, name) == starts
    assert any(name in line for line in said)


def test_bad_input_at_the_start_ends_the_run_with_2(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code, _ = supervise(tmp_path, "refuses")
    assert code == 2
    assert log_of(tmp_path, "refuses") == 1
    shown = capfd.readouterr().err
    assert "port 1 is taken; choose another" in shown
    assert "Traceback" not in shown


def test_the_run_is_over_when_its_main_service_ends(tmp_path: Path) -> None:
    code, _ = supervise(tmp_path, "dies", "ends", seconds=60.0)
    assert code == 0
    assert log_of(tmp_path, "ends") == 1
