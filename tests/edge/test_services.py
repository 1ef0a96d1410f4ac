import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge import services
from edge.options import RunOptions
from edge.services import Service, Supervisor
from tests.edge.fake_services import log_of, pids_of


def supervise(
    folder: Path, *names: str, until: object = None, seconds: float = 30.0
) -> tuple[int, list[str]]:
    said: list[str] = []
    rows = {
        name: Service(
            module=f"tests.edge.fake_service_{name}",
            wanted=lambda options: True,
            quiet_limit_s=1.0 if name == "hangs" else 30.0,
            ends_run=name in ("ends", "refuses"),
        )
        for name in names
    }
    deadline_s = time.monotonic() + seconds
    supervisor = Supervisor(RunOptions(site_file=folder / "site.yaml"), said.append, rows)
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


def script(steps: Iterator[object]) -> Callable[[], bool]:
    """Go one step on each time the supervisor asks whether the run is over."""
    return lambda: next(steps, "over") == "over"


def heard(folder: Path) -> int:
    log = folder / "heard"
    return log.stat().st_size if log.exists() else 0


def more_is_heard(folder: Path, deadline_s: float) -> Iterator[None]:
    before = heard(folder)
    while heard(folder) < before + 20:
        assert time.monotonic() < deadline_s, "nothing is heard any more"
        yield


def test_a_signal_to_any_service_stops_nothing_for_good(tmp_path: Path) -> None:
    deadline_s = time.monotonic() + 100.0
    both = ["hears", "speaks"]

    def steps() -> Iterator[None]:
        yield from more_is_heard(tmp_path, deadline_s)
        for victims in (["hears"], ["speaks"], both):
            starts = {name: log_of(tmp_path, name) for name in victims}
            for name in victims:
                os.kill(pids_of(tmp_path, name)[-1], signal.SIGKILL)
            while any(log_of(tmp_path, name) == starts[name] for name in victims):
                assert time.monotonic() < deadline_s
                yield
            yield from more_is_heard(tmp_path, deadline_s)
        for name in both:
            os.kill(pids_of(tmp_path, name)[-1], signal.SIGTERM)
            os.kill(pids_of(tmp_path, name)[-1], signal.SIGINT)
            yield from more_is_heard(tmp_path, deadline_s)

    code, said = supervise(tmp_path, *both, until=script(steps()), seconds=120.0)
    assert code == 0
    assert time.monotonic() < deadline_s
    assert len(said) == 4, "those who were killed, nobody else"
    last = (tmp_path / "heard").read_text()[-1]
    assert last == "g", "who speaks is stopped before who hears, who still hears the goodbye"


def test_the_supervisor_ends_on_a_signal_also_when_a_service_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "STOP_LIMIT_S", 1.0)
    told_s: list[float] = []

    def steps() -> Iterator[None]:
        told_s.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGTERM)
        while True:
            yield

    code, said = supervise(tmp_path, "deaf", until=script(steps()), seconds=60)
    assert code == 0
    assert 1.0 <= time.monotonic() - told_s[0] < 10.0
    assert said == ["deaf does not stop within 1 s; killing it"]
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids_of(tmp_path, "deaf"))
