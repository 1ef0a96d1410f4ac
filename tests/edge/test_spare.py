"""A process that waits takes over from a service that dies; without one the service starts, too."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge import running, services, spare
from edge.options import RunOptions
from edge.services import Service, Supervisor
from tests.delivery.parts import SITE
from tests.edge.fake_services import log_of, pids_of
from tests.edge.processes import below, is_alive, name_of

HANG_S = 100.0
ROW = Service(
    module="tests.edge.fake_service_waits",
    wanted=lambda options: True,
    quiet_limit_s=30.0,
    severity="warning",
)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "SPARE_AFTER_S", 0.0)


def supervise(
    folder: Path, play: Callable[[], Iterator[None]], rows: dict[str, Service] | None = None
) -> list[str]:
    """Supervise one service while a play goes on, a step each look; gives what was said."""
    said: list[str] = []
    steps, until_s = play(), time.monotonic() + HANG_S

    def over() -> bool:
        assert time.monotonic() < until_s, "it never happened"
        return next(steps, "over") == "over"

    (folder / "site.yaml").write_text(SITE, encoding="utf-8")
    options = RunOptions(site_file=folder / "site.yaml")
    assert Supervisor(options, said.append, rows or {"waits": ROW}).run(over) == 0
    return said


def waiting() -> list[int]:
    """List the spare processes that are ready: those first in line when memory is short."""
    named = [pid for pid in below(os.getpid()) if name_of(pid) == "waits-spare"]
    return [pid for pid in named if read_adjustment(pid) == "1000"]


def read_adjustment(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/oom_score_adj").read_text().strip()
    except OSError:
        return ""


def test_a_spare_takes_over_with_the_options_of_now_and_the_next_one_waits(tmp_path: Path) -> None:
    spares: list[int] = []

    def play() -> Iterator[None]:
        for number in range(2):
            while not waiting():
                yield
            spares.extend(waiting())
            text = SITE.replace("gw1", f"gw{number + 2}")
            (tmp_path / "site.yaml").write_text(text, encoding="utf-8")
            os.kill(pids_of(tmp_path, "waits")[-1], signal.SIGKILL)
            while log_of(tmp_path, "waits") < number + 2:
                yield
            assert pids_of(tmp_path, "waits")[-1] == spares[-1]
            assert name_of(spares[-1]) == "waits"
            assert read_adjustment(spares[-1]) == read_adjustment(os.getpid())
        while not waiting():
            yield
        spares.extend(waiting())

    said = supervise(tmp_path, play)
    assert (tmp_path / "gateways").read_text().split() == ["gw1", "gw2", "gw3"]
    assert said == ["waits ended with -9; starting it again"] * 2
    assert not any(is_alive(pid) for pid in spares), "they end with the run"


@pytest.mark.parametrize("trouble", ["dead", "stopped", "too much to say"])
def test_a_spare_that_is_of_no_use_keeps_no_service_from_starting(
    tmp_path: Path, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "WAKE_LIMIT_S", 0.5)
    spares: list[int] = []

    def play() -> Iterator[None]:
        while not waiting():
            yield
        spares.extend(waiting())
        monkeypatch.setattr(services, "SPARE_AFTER_S", HANG_S)  # nobody looks at it meanwhile
        if trouble == "too much to say":
            monkeypatch.setattr(spare, "MOST_ORDERS_BYTES", 10)
        else:
            os.kill(spares[0], signal.SIGKILL if trouble == "dead" else signal.SIGSTOP)
            while trouble == "dead" and is_alive(spares[0]):
                yield
        os.kill(pids_of(tmp_path, "waits")[-1], signal.SIGKILL)
        while log_of(tmp_path, "waits") < 2:
            yield

    said = supervise(tmp_path, play)
    assert len(said) == (3 if trouble == "stopped" else 1)
    assert not is_alive(spares[0])
    assert spares[0] not in pids_of(tmp_path, "waits")


def test_who_is_needed_before_it_is_ready_takes_its_orders_when_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second service of a gateway gets ready while the first one starts."""
    from_the_beginning: list[str] = []

    def start(name: str, module: str, new_context: spare.NewContext) -> spare.Started:
        from_the_beginning.append(name)
        return spare.start_process(name, module, new_context)

    def play() -> Iterator[None]:
        while not log_of(tmp_path, "waits"):
            yield

    monkeypatch.setattr(services, "start_process", start)
    hears = replace(ROW, module="tests.edge.fake_service_hears")
    assert supervise(tmp_path, play, {"hears": hears, "waits": ROW}) == []
    assert from_the_beginning == ["hears"]
    assert log_of(tmp_path, "waits") == 1
