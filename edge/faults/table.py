"""The faults of `lamproom fault` as rows of a table.

Knows nothing about the command line. A new fault is a new row, and a row in docs/drills.md.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from delivery.outbox import Outbox
from edge.faults import filler
from edge.faults.drill import Drill
from edge.faults.record import running_gateway
from edge.faults.target import FaultError, camera_pid, camera_process, service_process
from scene.alarms import ALARMS, system_alarm
from scene.clock import SystemClock

HANG_FOUND_S = 5.0
"""A service that hangs is found within 4 s, and its alarm is on disk at once."""
SERVICE_BACK_S = 15.0
CAMERA_BACK_S = 10.0
CAMERA_TOLD_S = 3.0
"""An alarm about a camera comes so long after `camera.stalled_after_s` at the latest."""
CLEARED_S = 20.0
"""Cameras and disks must have been well for 10 s before their alarms clear."""
STORAGE_TOLD_S = 5.0
RECEIPT_S = 5.0
UNDO_MARGIN_S = 5.0
"""So long after its time a fault is undone by the second process, should the first one hang."""

CAMERA_KINDS = ("camera_stalled", "camera_lost")
DRILL_KIND = "drill"
DRILL_EVIDENCE = "a drill: raised by hand with `lamproom fault`; nothing has happened"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One row."""

    takes: Literal["", "service", "camera"]
    """What its name names."""
    does: str
    must_be_seen: str
    act: Callable[[Drill, str, float], None]
    """Gets the drill, the name, and for how many seconds."""
    for_s: float | None = None
    """How long it lasts unless told otherwise; none for what is over at once."""
    least_s: float = 1.0
    """A shorter one teaches nothing."""


def _kill(drill: Drill, name: str, _: float) -> None:
    with service_process(drill.gateway, name) as target:
        drill.begin(f"killing service {name} (process {target.pid})")
        target.kill()
        drill.wait(f"{name} is back", lambda: drill.is_anew(name, target.pid), SERVICE_BACK_S)


def _hang(drill: Drill, name: str, for_s: float) -> None:
    _refuse_if_active(drill, ("service_failing",), name)
    with service_process(drill.gateway, name) as target, drill.undone(target.go_on, after_s=for_s):
        drill.begin(f"stopping service {name} (process {target.pid}) with SIGSTOP")
        target.stop()
        raised = drill.wait_for_alarm(("service_failing",), name, HANG_FOUND_S)
        if raised:
            back_s = SERVICE_BACK_S
            drill.wait(f"{name} is back", lambda: drill.is_anew(name, target.pid), back_s)
            drill.wait_for_receipt(raised, RECEIPT_S)


def _camera_kill(drill: Drill, name: str, _: float) -> None:
    _refuse_if_active(drill, CAMERA_KINDS, name)
    cameras = tuple(camera.name for camera in drill.site.cameras)
    with camera_process(drill.gateway, name, cameras) as target:
        drill.begin(f"killing the process of camera {name} ({target.pid})")
        target.kill()

        def is_back() -> bool:
            gateway = running_gateway(drill.folder)
            return gateway is not None and camera_pid(gateway, name) not in (None, target.pid)

        drill.wait(f"camera {name} has a process again", is_back, CAMERA_BACK_S)
    # It may be back before it counts as stalled: then there is no alarm.
    drill.rest_until(drill.site.limits.camera.lost_after_s + CAMERA_TOLD_S)
    raised = drill.active(CAMERA_KINDS, name, since_ns=drill.begun_ns)
    for alarm in raised:
        drill.say(f'alarm {alarm.kind} raised: "{alarm.evidence}"')
    drill.wait_for_receipt(raised, RECEIPT_S)
    drill.wait(
        f"camera {name} without an alarm",
        lambda: not drill.active(CAMERA_KINDS, name),
        CLEARED_S,
    )


def _camera_hang(drill: Drill, name: str, for_s: float) -> None:
    _refuse_if_active(drill, CAMERA_KINDS, name)
    limits = drill.site.limits.camera
    cameras = tuple(camera.name for camera in drill.site.cameras)
    with (
        camera_process(drill.gateway, name, cameras) as target,
        drill.undone(target.go_on, after_s=for_s + UNDO_MARGIN_S),
    ):
        drill.begin(f"stopping the process of camera {name} ({target.pid}) with SIGSTOP")
        target.stop()
        told_s = limits.stalled_after_s + CAMERA_TOLD_S
        raised = drill.wait_for_alarm(CAMERA_KINDS, name, told_s)
        drill.wait_for_receipt(raised, RECEIPT_S)
        drill.rest_until(for_s)
    drill.begin(f"camera {name} goes on")
    drill.wait_for_clearing(CAMERA_KINDS, name, CLEARED_S)


def _disk_full(drill: Drill, _: str, for_s: float) -> None:
    _refuse_if_active(drill, ("storage",), "")
    size_bytes, rest_bytes = filler.size_for(drill.folder)
    with drill.undone(lambda: _remove_filler(drill), after_s=for_s + UNDO_MARGIN_S):
        drill.begin(
            f"filling the disk of {drill.folder} with {size_bytes / 1e6:.0f} MB "
            f"({filler.FILE}): {rest_bytes / 1e6:.0f} MB are left"
        )
        filler.fill(drill.folder, size_bytes)
        raised = drill.wait_for_alarm(("storage",), "", STORAGE_TOLD_S)
        drill.wait_for_receipt(raised, RECEIPT_S)
        drill.rest_until(for_s)
    drill.begin(f"{filler.FILE} is removed")
    drill.wait_for_clearing(("storage",), "", CLEARED_S)


def _remove_filler(drill: Drill) -> None:
    filler.remove(drill.folder)


def _alarm(drill: Drill, _: str, for_s: float) -> None:
    now_ns = SystemClock().now_ns()
    alarm = system_alarm(DRILL_KIND, now_ns, DRILL_EVIDENCE)
    with drill.undone(lambda: clear_drill_alarms(drill), after_s=for_s + UNDO_MARGIN_S):
        drill.begin(f"raising the alarm {alarm.id}")
        drill.outbox.put(alarm)
        drill.wait_for_receipt((alarm,), RECEIPT_S)
        drill.rest_until(for_s)
    drill.begin(f"clearing the alarm {alarm.id}")
    drill.wait_for_receipt((replace(alarm, state="cleared"),), RECEIPT_S)


def clear_drill_alarms(drill: Drill) -> None:
    """Clear every drill alarm that is active, also one that a drill before this left behind.

    Takes an outbox of its own, for it may run in the second process.
    """
    outbox = Outbox(drill.folder, SystemClock())
    try:
        for alarm in outbox.active():
            if alarm.kind == DRILL_KIND:
                now_ns = SystemClock().now_ns()
                over = replace(
                    alarm, state="cleared", captured_at_ns=now_ns, evidence="the drill is over"
                )
                outbox.put(over)
    finally:
        outbox.close()


def _refuse_if_active(drill: Drill, kinds: tuple[str, ...], about: str) -> None:
    """Raise when what must be seen could not be told from what is there already."""
    for alarm in drill.active(kinds, about):
        raise FaultError(
            f"the alarm {alarm.id} is active already ({alarm.evidence}): mend that first, or wait "
            "until it clears (services: after 60 s, cameras and disks: after 10 s)"
        )


FAULTS: dict[str, Fault] = {
    "alarm": Fault(
        takes="",
        does=f"raises a drill alarm ({ALARMS[DRILL_KIND].english}), and clears it after --for",
        must_be_seen=f"on the page and in `lamproom alarms`; its receipt within {RECEIPT_S:g} s",
        act=_alarm,
        for_s=10.0,
    ),
    "kill": Fault(
        takes="service",
        does="kills a service's process, as a crash would",
        must_be_seen=f"it is started again and up within {SERVICE_BACK_S:g} s",
        act=_kill,
    ),
    "hang": Fault(
        takes="service",
        does="stops a service's process (SIGSTOP) until the supervisor kills it, at most for --for",
        must_be_seen=f"alarm service_failing within {HANG_FOUND_S:g} s; then it is up again within "
        f"{SERVICE_BACK_S:g} s, and the alarm has its receipt",
        act=_hang,
        for_s=20.0,
        least_s=5.0,
    ),
    "camera-kill": Fault(
        takes="camera",
        does="kills the process that decodes a camera",
        must_be_seen=f"it is started again within {CAMERA_BACK_S:g} s; if that takes long an alarm "
        "camera_lost, which clears",
        act=_camera_kill,
    ),
    "camera-hang": Fault(
        takes="camera",
        does="stops the process that decodes a camera (SIGSTOP) for --for",
        must_be_seen=f"alarm camera_stalled within camera.stalled_after_s + {CAMERA_TOLD_S:g} s "
        f"(5 s), with its receipt; it clears within {CLEARED_S:g} s after the end",
        act=_camera_hang,
        for_s=8.0,
        least_s=5.0,
    ),
    "disk-full": Fault(
        takes="",
        does="fills the disk of the state folder for --for, down to half of what counts as low",
        must_be_seen=f"alarm storage within {STORAGE_TOLD_S:g} s, with its receipt; it clears "
        f"within {CLEARED_S:g} s after the end",
        act=_disk_full,
        for_s=10.0,
    ),
}
