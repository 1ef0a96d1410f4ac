"""One process of a gateway, held so that a signal can hit no other one.

Knows nothing about why it is hit. A pidfd names one process for ever, also when its number is given
to another one; see pidfd_open(2).
"""

import contextlib
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge.faults.record import GatewayRecord
from edge.service_health import NAME_BYTES, PROC, read_process
from scene.errors import LamproomError


class FaultError(LamproomError):
    """A fault that can't be brought about here; says why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A process that is there, or was."""

    pid: int
    fd: int
    """A pidfd."""

    def send(self, number: int) -> None:
        """Send a signal; a process that has ended gets none, nor does its successor."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.fd, number)

    def kill(self) -> None:
        """Kill it as a crash or the kernel would."""
        self.send(signal.SIGKILL)

    def stop(self) -> None:
        """Let it hang."""
        self.send(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on; harmless if it does."""
        self.send(signal.SIGCONT)


@contextmanager
def service_process(gateway: GatewayRecord, name: str) -> Iterator[Target]:
    """Hold a service's process while the block runs; raises `FaultError`."""
    service = gateway.services.get(name)
    if service is None:
        known = ", ".join(gateway.services) or "none"
        raise FaultError(f"there is no service {name!r} in this gateway; it has: {known}")
    target = None if service.pid is None else _held(service.pid, gateway.pid)
    if target is None or not service.up:
        _let_go(target)
        raise FaultError(f"service {name} is not up now; wait until it is, or look at the log")
    try:
        yield target
    finally:
        _let_go(target)


@contextmanager
def camera_process(gateway: GatewayRecord, name: str, cameras: tuple[str, ...]) -> Iterator[Target]:
    """Hold a camera's process while the block runs; raises `FaultError`.

    It is the pipeline's child that bears the camera's name; `cameras` are all names of the site.
    """
    if name not in cameras:
        raise FaultError(f"there is no camera {name!r} in this site; it has: {', '.join(cameras)}")
    if sum(_short(camera) == _short(name) for camera in cameras) > 1:
        raise FaultError(
            f"camera {name}: the kernel keeps {NAME_BYTES} bytes of a name, and another camera's "
            "name begins alike; choose another camera"
        )
    pid = camera_pid(gateway, name)
    target = None
    for parent in _keepers(gateway):
        target = target or (None if pid is None else _held(pid, parent))
    if target is None:
        raise FaultError(f"camera {name} has no process now; wait until it is started again")
    try:
        yield target
    finally:
        _let_go(target)


def camera_pid(gateway: GatewayRecord, name: str) -> int | None:
    """Find the process of a camera now; none while there is none."""
    services = {one.pid for one in gateway.services.values()}  # a camera may be called like one
    for parent in _keepers(gateway):
        for pid in _children(parent):
            process = read_process(pid)
            if process is not None and process.name == _short(name) and pid not in services:
                return pid
    return None


def _keepers(gateway: GatewayRecord) -> list[int]:
    """List who may keep cameras going: the supervisor live ones, the pipeline files."""
    pipeline = gateway.services.get("pipeline")
    found = [gateway.pid]
    if pipeline is not None and pipeline.pid is not None:
        found += [pipeline.pid] if _parent_of(pipeline.pid) == gateway.pid else []
    return found


def owner_of(gateway: GatewayRecord) -> int:
    """Tell the number of the user whom a gateway runs as; raises `FaultError` if it has ended."""
    try:
        return (PROC / str(gateway.pid)).stat().st_uid
    except OSError:
        raise FaultError("the gateway has just ended") from None


def _short(name: str) -> str:
    return name.encode()[:NAME_BYTES].decode(errors="replace")


def _held(pid: int, parent: int) -> Target | None:
    """Hold a process if it is a child of `parent`; none when it is not, or is gone."""
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return None
    target = Target(pid=pid, fd=fd)
    is_child = _parent_of(pid) == parent
    try:
        signal.pidfd_send_signal(fd, 0)  # still there: so what was read was about it
    except OSError:
        is_child = False
    if is_child:
        return target
    _let_go(target)
    return None


def _let_go(target: Target | None) -> None:
    if target is not None:
        os.close(target.fd)


def _parent_of(pid: int) -> int | None:
    try:
        text = (PROC / str(pid) / "stat").read_text(errors="replace")
        return int(text.rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return None


def _children(pid: int) -> list[int]:
    """List the children of all threads of a process."""
    found: list[int] = []
    with contextlib.suppress(OSError, ValueError):  # it is ending
        for thread in Path(PROC / str(pid) / "task").iterdir():
            found += [int(word) for word in (thread / "children").read_text().split()]
    return found
