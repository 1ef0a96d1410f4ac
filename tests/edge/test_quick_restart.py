"""What stands between a gateway that was killed and its next alarm: imports, looks and waits."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge import services
from edge.options import RunOptions
from edge.services import SERVICES
from tests.delivery.parts import SITE
from tests.edge.fake_services import log_of, pids_of
from tests.edge.test_spare import HANG_S, ROW, supervise

HEAVY = {"av", "cv2", "onnxruntime", "scipy", "starlette", "uvicorn"}
FOR_VIEWERS = {"asyncio", "http.server", "numpy", "websockets", "edge.metrics"}
SUPERVISORS = {"edge.services", "edge.caretaker", "edge.cameras.process"}
FORKED = """
import sys, threading, time
from edge.main import importing  # sets what keeps numpy from having threads
from pathlib import Path
from edge.options import RunOptions
from edge.services import Service, Supervisor

folder, threads = Path(sys.argv[1]), sys.argv[2] == "threads"
if threads:
    threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
row = {"wanted": lambda options: True, "quiet_limit_s": 30.0, "severity": "warning"}
rows = {
    "forks": Service(module="tests.edge.fake_service_forks", **row),
    "looks": Service(module="tests.edge.fake_service_forks", cameras=True, **row),
}
sys.modules["was_here_before"] = sys
options = RunOptions(site_file=folder / "site.yaml")

def over():
    return len((folder / "forks").read_text().splitlines()) == 2

sys.exit(Supervisor(options, print, rows, fresh=True).run(over))
"""
LEAVES = """
import os, sys, time
from edge.main import importing  # sets what keeps numpy from having threads
from pathlib import Path
from edge.options import RunOptions
from edge.services import Service, Supervisor

def files(pid):
    return {os.readlink(one) for one in Path(f"/proc/{pid}/fd").iterdir() if one.is_symlink()}

def ours(connections):
    return {os.readlink(f"/proc/self/fd/{one.fileno()}") for one in connections}

folder = Path(sys.argv[1])
row = {"wanted": lambda options: True, "quiet_limit_s": 30.0, "severity": "warning"}
rows = {
    name: Service(module="tests.edge.fake_service_forks", cameras=name == "looks", **row)
    for name in ("first", "second", "looks")
}
supervisor = Supervisor(RunOptions(site_file=folder / "site.yaml"), print, rows, fresh=True)
start = supervisor._start

def look_and_start(name):
    if name == "second":
        spares = supervisor._spares._spares
        looks = spares["looks"]
        while not looks.signs.waits.value:
            time.sleep(0.01)
        kept = ours([spares["second"].orders, *supervisor._cameras.holds])
        print(len(kept), len(kept & files(looks.process.pid)))
    start(name)

supervisor._start = look_and_start
sys.exit(supervisor.run(lambda: len((folder / "forks").read_text().splitlines()) == 3))
"""


def imported_by(code: str) -> set[str]:
    code = f"{code}; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    return set(done.stdout.decode().split())


def test_the_sender_imports_nothing_that_alarms_do_not_need() -> None:
    found = imported_by("import edge.sender")
    assert {"delivery.mqtt", "delivery.outbox"} <= found
    assert not (HEAVY | FOR_VIEWERS | SUPERVISORS) & found


def test_the_supervisor_imports_nothing_that_only_its_services_need() -> None:
    found = imported_by("import edge.services")
    assert "edge.spare" in found
    assert not (HEAVY | FOR_VIEWERS - {"numpy"} | {"paho", "edge.live", "edge.sender"}) & found


def test_a_sender_that_waits_has_imported_what_viewers_need() -> None:
    wanted = {"delivery.stream", "edge.announcement", "edge.metrics"}
    assert set(SERVICES["sender"].later) == wanted
    assert not wanted & imported_by("import edge.sender")


@pytest.mark.parametrize("threads", ["threads", "no threads"])
def test_the_first_services_have_what_their_supervisor_imported_unless_it_has_threads(
    tmp_path: Path, threads: str
) -> None:
    (tmp_path / "site.yaml").write_text(SITE, encoding="utf-8")
    (tmp_path / "forks").touch()
    words = [sys.executable, "-c", FORKED, str(tmp_path), threads]
    subprocess.run(words, check=True, timeout=HANG_S)
    had_it = (tmp_path / "forks").read_text().split()
    assert had_it == [str(threads == "no threads")] * 2


def test_who_is_forked_leaves_cameras_and_those_who_wait_to_the_supervisor(tmp_path: Path) -> None:
    """Else they end only once that process is really gone, too."""
    (tmp_path / "site.yaml").write_text(SITE, encoding="utf-8")
    (tmp_path / "forks").touch()
    done = subprocess.run(
        [sys.executable, "-c", LEAVES, str(tmp_path)],
        check=True,
        stdout=subprocess.PIPE,
        timeout=HANG_S,
    )
    assert done.stdout.decode().split()[:2] == ["2", "0"], "of one camera, and of one who waits"


def test_who_dies_is_noticed_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the pace at which others are looked at."""

    def kill_when(starts: int) -> None:
        while log_of(tmp_path, "waits") < starts:
            time.sleep(0.02)
        os.kill(pids_of(tmp_path, "waits")[-1], signal.SIGKILL)

    def play() -> Iterator[None]:
        monkeypatch.setattr(services, "LOOK_EVERY_S", HANG_S)
        monkeypatch.setattr(services, "SPARE_AFTER_S", HANG_S)
        killers = [threading.Thread(target=kill_when, args=(starts,)) for starts in (1, 2)]
        for one in killers:
            one.start()
        while log_of(tmp_path, "waits") < 2:
            yield
        for one in killers:
            one.join()

    assert len(supervise(tmp_path, play)) in (1, 2)


def test_who_lives_on_after_its_end_was_told_keeps_nobody_busy(tmp_path: Path) -> None:
    rounds: list[float] = []

    def play() -> Iterator[None]:
        while not log_of(tmp_path, "shuts"):
            yield
        while not rounds or rounds[-1] - rounds[0] < 1.0:
            rounds.append(time.monotonic())
            yield

    row = replace(ROW, module="tests.edge.fake_service_shuts", spare=False)
    assert supervise(tmp_path, play, {"shuts": row}) == []
    assert len(rounds) <= 1.0 / services.LOOK_EVERY_S + 2


def test_a_site_file_that_can_not_be_read_holds_up_no_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its disk hangs; what it last said counts."""
    monkeypatch.setattr(services, "SITE_PATIENCE_S", 0.1)
    answers = threading.Event()
    settle: Callable[[RunOptions], RunOptions] = RunOptions.settle

    def hang(options: RunOptions) -> RunOptions:
        answers.wait(HANG_S)
        return settle(options)

    def play() -> Iterator[None]:
        monkeypatch.setattr(RunOptions, "settle", hang)
        for number in (1, 2):
            while log_of(tmp_path, "waits") < number:
                yield
            os.kill(pids_of(tmp_path, "waits")[-1], signal.SIGKILL)
        while log_of(tmp_path, "waits") < 3:
            yield
        monkeypatch.setattr(RunOptions, "settle", settle)
        answers.set()

    supervise(tmp_path, play)
    assert (tmp_path / "gateways").read_text().split() == ["gw1"] * 3
