import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from delivery.outbox import Outbox
from edge import services
from edge.options import RunOptions
from edge.services import Service, Supervisor
from scene.clock import SystemClock
from scene.messages import Anomaly
from tests.delivery.parts import SITE, wait_until
from tests.edge.fake_services import log_of, pids_of
from tests.edge.processes import is_alive


def supervise(
    folder: Path,
    *names: str,
    until: object = None,
    seconds: float = 120.0,
    unneeded: str = "",
    quiet_limit_s: float = 30.0,
    begun_anew: str = "",
) -> tuple[int, list[str]]:
    said: list[str] = []
    rows = {
        name: Service(
            module=f"tests.edge.fake_service_{name}",
            wanted=lambda options: True,
            quiet_limit_s={"hangs": 1.0, "slow": 1.0, "jerky": 0.5}.get(name, quiet_limit_s),
            severity="warning",
            ends_run=name in ("ends", "refuses") and name != unneeded,
            needed=name != unneeded,
        )
        for name in names
    }
    (folder / "site.yaml").write_text(SITE, encoding="utf-8")
    deadline_s = time.monotonic() + seconds
    supervisor = Supervisor(
        RunOptions(site_file=folder / "site.yaml"), said.append, rows, begun_anew=begun_anew
    )
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


def test_a_service_that_is_started_again_while_the_site_file_is_wrong_takes_the_one_before(
    tmp_path: Path,
) -> None:
    """The sender must not stay down because somebody is at the file."""
    code, _ = supervise(tmp_path, "reads", until=lambda: log_of(tmp_path, "reads") >= 3)
    assert code == 0
    assert (tmp_path / "read").read_text().split() == ["gw1", "gw2", "gw2"]


def supervisor_alarms(folder: Path) -> list[Anomaly]:
    """List what the supervisor itself has put into the outbox."""
    with closing(Outbox(folder / "state", SystemClock(), patience_s=None)) as outbox:
        return [one for one in outbox.pending() if one.kind == "service_failing"]


def test_a_crash_loop_is_an_alarm_on_disk_even_when_nobody_is_left_to_send_it(
    tmp_path: Path,
) -> None:
    code, _ = supervise(tmp_path, "loops", until=lambda: bool(supervisor_alarms(tmp_path)))
    assert code == 0
    (alarm,) = supervisor_alarms(tmp_path)
    assert (alarm.state, alarm.severity) == ("active", "warning")
    assert alarm.evidence.startswith("loops: it was started again 3 times")
    assert "ended with 0" in alarm.evidence, "whatever it ends with"
    assert log_of(tmp_path, "loops") >= 3


def test_the_alarm_quotes_the_last_error_of_the_service_without_its_secrets(
    tmp_path: Path,
) -> None:
    supervise(tmp_path, "tells", until=lambda: bool(supervisor_alarms(tmp_path)))
    (alarm,) = supervisor_alarms(tmp_path)
    assert (
        "its last error: RuntimeError: no picture from rtsp://10.0.0.4:554/x now, password=…; "
        in alarm.evidence
    )
    assert "geheim" not in alarm.evidence


def test_a_hang_is_an_alarm_at_once(tmp_path: Path) -> None:
    supervise(tmp_path, "hangs", until=lambda: bool(supervisor_alarms(tmp_path)))
    (alarm,) = supervisor_alarms(tmp_path)
    assert alarm.evidence.startswith("hangs: it has been quiet for 1 s and was started again")


@pytest.mark.parametrize(("name", "starts"), [("slow", 1), ("jerky", 2)])
def test_a_slow_machine_gets_no_service_killed_for_ever(
    tmp_path: Path, name: str, starts: int
) -> None:
    """The start may take long, and who was killed for being quiet is waited for longer."""
    up = tmp_path / f"{name}-is-up"
    supervise(tmp_path, name, until=up.exists)
    assert up.exists()
    assert log_of(tmp_path, name) >= starts
    assert name == "jerky" or log_of(tmp_path, name) == 1


def test_a_crash_at_the_first_start_is_no_end(tmp_path: Path) -> None:
    code, said = supervise(tmp_path, "crashes", until=lambda: log_of(tmp_path, "crashes") >= 2)
    assert code == 0
    assert "crashes ended with 1; starting it again" in said


def test_a_service_that_never_comes_up_keeps_no_other_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "NEXT_AFTER_S", 0.2)
    code, _ = supervise(tmp_path, "mute", "ends", seconds=60.0)
    assert code == 0
    assert log_of(tmp_path, "ends") == 1


def test_how_services_are_is_told_to_the_sender(tmp_path: Path) -> None:
    deadline_s = time.monotonic() + 60.0

    def steps() -> Iterator[None]:
        while not (tmp_path / "reports").exists():
            assert time.monotonic() < deadline_s
            yield

    supervise(tmp_path, "listens", until=script(steps()), seconds=60.0)
    rows = json.loads((tmp_path / "reports").read_text())
    assert [row["name"] for row in rows] == ["listens", "supervisor"]
    assert all(row["up"] and row["memory_mb"] > 1.0 for row in rows)


RUN = """
import sys
from pathlib import Path
from edge.options import RunOptions
from edge.services import Service, Supervisor
row = Service(
    module="tests.edge.fake_service_deaf",
    wanted=lambda options: True,
    quiet_limit_s=1.0,
    severity="warning",
)
if __name__ == "__main__":
    sys.exit(Supervisor(RunOptions(site_file=Path(sys.argv[1])), print, {"deaf": row}).run())
"""


@contextmanager
def running(folder: Path, **environment: str) -> "Iterator[subprocess.Popen[bytes]]":
    """Run a supervisor with one service in a process of its own, until that service is up."""
    (folder / "site.yaml").write_text(SITE, encoding="utf-8")
    (folder / "run.py").write_text(RUN, encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, str(folder / "run.py"), str(folder / "site.yaml")],
        env=os.environ | {"PYTHONPATH": os.getcwd()} | environment,
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: bool(pids_of(folder, "deaf")))
        yield process
    finally:
        process.kill()
        process.wait()


def test_all_services_know_at_once_that_the_end_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sender says goodbye while the pipeline, which is stopped first, is still at it."""
    monkeypatch.setattr(services, "STOP_LIMIT_S", 60.0)
    code, said = supervise(
        tmp_path, "knows", "lingers", until=lambda: log_of(tmp_path, "lingers") == 1
    )
    assert (code, said) == (0, [])
    assert (tmp_path / "leaving").exists()


def test_services_die_with_their_supervisor(tmp_path: Path) -> None:
    with running(tmp_path) as process:
        (pid,) = pids_of(tmp_path, "deaf")
        process.kill()
        process.wait()
        wait_until(lambda: not is_alive(pid))


def test_systemd_hears_from_a_supervisor_that_works_and_not_from_one_that_hangs(
    tmp_path: Path,
) -> None:
    name = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name)
        manager.settimeout(60.0)
        with running(tmp_path, NOTIFY_SOCKET=name, WATCHDOG_USEC="1000000") as process:
            heard: list[bytes] = []
            while b"READY=1" not in heard or heard[-3:].count(b"WATCHDOG=1") < 3:
                heard.append(manager.recv(100))
            assert heard.count(b"READY=1") == 1
            os.kill(process.pid, signal.SIGSTOP)
            wait_until(lambda: Path(f"/proc/{process.pid}/stat").read_text().split()[2] == "T")
            manager.setblocking(False)
            with suppress(BlockingIOError):
                while True:
                    manager.recv(100)
            time.sleep(1.5)
            with pytest.raises(BlockingIOError):
                manager.recv(100)
            os.kill(process.pid, signal.SIGCONT)
            manager.settimeout(60.0)
            assert manager.recv(100) == b"WATCHDOG=1"
            process.terminate()
            while manager.recv(100) != b"STOPPING=1":
                pass


def test_bad_input_at_the_start_ends_the_run_with_2(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code, _ = supervise(tmp_path, "refuses")
    assert code == 2
    assert log_of(tmp_path, "refuses") == 1
    shown = capfd.readouterr().err
    assert "port 1 is taken; choose another" in shown
    assert "Traceback" not in shown


def test_a_supervisor_that_is_started_anew_again_and_again_is_one_alarm(tmp_path: Path) -> None:
    for _ in range(2):
        supervise(
            tmp_path,
            "listens",
            until=(tmp_path / "reports").exists,
            seconds=60.0,
            begun_anew="has been quiet for 10 s",
        )
        (tmp_path / "reports").unlink()
    (alarm,) = supervisor_alarms(tmp_path)
    assert (alarm.state, alarm.severity) == ("active", "critical")
    assert alarm.evidence.startswith("supervisor: it has been quiet for 10 s and was started")


def test_one_that_is_not_needed_and_refuses_to_start_is_an_alarm_and_stops_no_other(
    tmp_path: Path,
) -> None:
    """A recording's disk that is not there must not keep alarms from being sent."""
    deadline_s = time.monotonic() + 60.0

    def steps() -> Iterator[None]:
        while not supervisor_alarms(tmp_path):
            assert time.monotonic() < deadline_s
            yield

    code, _ = supervise(
        tmp_path, "refuses", "hears", until=script(steps()), seconds=60.0, unneeded="refuses"
    )
    assert code == 0
    (alarm,) = supervisor_alarms(tmp_path)
    assert alarm.evidence.startswith("refuses: ") and "ended with 2" in alarm.evidence
    assert log_of(tmp_path, "hears") == 1


def test_no_service_is_killed_because_the_whole_machine_stood_still(tmp_path: Path) -> None:
    """As a virtual machine that is paused, or Ctrl-Z: who could not look can't tell."""
    deadline_s = time.monotonic() + 60.0

    def steps() -> Iterator[None]:
        while not (tmp_path / "reports").exists():
            assert time.monotonic() < deadline_s
            yield
        (pid,) = pids_of(tmp_path, "listens")
        os.kill(pid, signal.SIGSTOP)
        time.sleep(4.0)  # the supervisor stands still, too
        yield
        yield
        os.kill(pid, signal.SIGCONT)
        for _ in range(5):
            yield

    code, said = supervise(
        tmp_path, "listens", until=script(steps()), seconds=60.0, quiet_limit_s=3.5
    )
    assert (code, said) == (0, [])
    assert log_of(tmp_path, "listens") == 1


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
