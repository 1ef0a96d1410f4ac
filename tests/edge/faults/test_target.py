"""A drill never hits a process that is not this gateway's own, whatever number it has."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from edge.fault_command import _checked
from edge.faults.record import (
    FILE,
    GatewayRecord,
    ProcessRecord,
    ServiceRecord,
    running_gateway,
)
from edge.faults.target import FaultError, camera_process, service_process
from tests.delivery.parts import wait_until
from tests.edge.processes import is_alive


@contextmanager
def record(folder: Path, **pids: int) -> Iterator[GatewayRecord]:
    """Be the supervisor of some processes."""
    made = ProcessRecord(folder)
    made.note({name: ServiceRecord(pid=pid, up=True) for name, pid in pids.items()})
    wait_until((folder / FILE).exists)
    try:
        found = running_gateway(folder)
        assert found is not None
        yield found
    finally:
        made.close()


@contextmanager
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(["sleep", "600"]) as process:
        try:
            yield process
        finally:
            process.kill()


def test_our_own_child_is_hit(tmp_path: Path) -> None:
    with (
        sleeper() as child,
        record(tmp_path, sender=child.pid) as gateway,
        service_process(gateway, "sender") as target,
    ):
        target.kill()
        assert child.wait(timeout=60) == -9
        target.kill()  # it is gone, and its number may be another's


def test_a_process_of_somebody_else_is_not_hit(tmp_path: Path) -> None:
    """The number of a service that has just died may have been given to anybody."""
    shell = ["sh", "-c", "sleep 600 & echo $!; wait"]
    with subprocess.Popen(shell, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        stranger = int(other.stdout.readline())
        with (
            record(tmp_path, sender=stranger) as gateway,
            pytest.raises(FaultError, match="sender is not up now"),
            service_process(gateway, "sender") as target,
        ):
            target.kill()
        assert is_alive(stranger)
        os.kill(stranger, 9)


def test_a_supervisor_whose_number_was_given_to_another_process_does_not_run(
    tmp_path: Path,
) -> None:
    with record(tmp_path, sender=1) as gateway:
        text = (tmp_path / FILE).read_text()
        assert running_gateway(tmp_path) == gateway
        (tmp_path / FILE).write_text(text.replace(f"{gateway.started_s}", "1.25"))
        assert running_gateway(tmp_path) is None
        (tmp_path / FILE).write_text(text[:-7])
        assert running_gateway(tmp_path) is None
    assert not (tmp_path / FILE).exists()


def test_cameras_that_the_kernel_cannot_tell_apart_are_not_hit(tmp_path: Path) -> None:
    cameras = ("conveyor-gallery-1", "conveyor-gallery-2", "cam1")
    with record(tmp_path, pipeline=os.getpid()) as gateway:
        for name, said in ((cameras[0], "begins alike"), ("cam1", "has no process now")):
            with (
                pytest.raises(FaultError, match=said),
                camera_process(gateway, name, cameras),
            ):
                raise AssertionError


def test_a_service_that_is_down_is_not_hit(tmp_path: Path) -> None:
    with sleeper() as child, record(tmp_path, sender=child.pid) as gateway:
        down = replace(gateway, services={"sender": ServiceRecord(pid=child.pid, up=False)})
        with pytest.raises(FaultError, match="is not up now"), service_process(down, "sender"):
            raise AssertionError
        assert child.poll() is None


def test_a_record_that_the_disk_refuses_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.faults.record.TRY_AGAIN_S", 0.05)
    folder = tmp_path / "state"
    folder.write_text("in the way")
    made = ProcessRecord(folder)
    made.note({"sender": ServiceRecord(pid=1, up=True)})
    time.sleep(0.2)
    folder.unlink()
    wait_until((folder / FILE).exists)
    made.close()


def test_only_the_gateways_own_user_may_hit_it() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else for a while")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        with record(folder, sender=1) as gateway:
            assert _checked(folder, Path("site.yaml")) == gateway
            somebody_else = os.fork()
            if somebody_else == 0:
                os.setuid(65534)
                try:
                    _checked(folder, Path("site.yaml"))
                except FaultError as error:
                    os._exit(7 if "runs as root: use `sudo -u root" in str(error) else 8)
                os._exit(9)
            assert os.waitstatus_to_exitcode(os.waitpid(somebody_else, 0)[1]) == 7
