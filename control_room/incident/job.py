"""One export for the control room's page, in a process of its own: `python -m …incident.job`.

Knows nothing about HTTP. It takes its order as JSON on the standard input and tells on the standard
output, a line of JSON each, how far it is and how it ended. It gives way to all others: alarms must
never wait for it. Whoever started it may end it at any time.
"""

import contextlib
import json
import os
import shutil
import sys
import traceback
from pathlib import Path
from typing import Any

from control_room.incident.error import IncidentError
from control_room.incident.find import recording_of
from control_room.incident.folder import Exported, Wanted, export
from control_room.incident.journal import acts_in
from control_room.incident.order import Order
from control_room.incident.span import AFTER_NS, BEFORE_NS, MOST_AROUND_NS
from delivery.signing import read_private_key
from scene.clock import SystemClock
from scene.errors import LamproomError, printable

NICE = 10
LEFT_BYTES = 1_000_000_000
"""So much of the disk stays free: the journal may lie on it, and alarms come first."""


def carry_out(order: Order) -> Exported:
    """Make the export; raises `LamproomError`."""
    begins_ns = ends_ns = None
    if not order.alarm:
        begins_ns = order.raised_at_ns - BEFORE_NS
        ended_ns = order.raised_at_ns if order.cleared_at_ns is None else order.cleared_at_ns
        ends_ns = min(ended_ns + AFTER_NS, order.raised_at_ns + MOST_AROUND_NS)
    recording = Path(order.recordings)
    if recording.is_dir():
        recording = recording_of(recording, order.site, order.gateway, order.raised_at_ns)
    with contextlib.ExitStack() as stack:
        acts_of = None
        if order.journal is not None:
            place = order.journal if "://" in order.journal else Path(order.journal)
            acts_of = stack.enter_context(acts_in(place))
        wanted = Wanted(
            recording=recording,
            from_ns=begins_ns,
            to_ns=ends_ns,
            alarm=order.alarm or None,
            raised_at_ns=order.raised_at_ns,
            folder=Path(order.folder),
            zip=True,
            key=None if order.key_file is None else read_private_key(Path(order.key_file)),
            acts_of=acts_of,
        )
        return export(wanted, SystemClock(), _Teller(Path(order.folder).parent))


class _Teller:
    """Tells each per cent that is done once, and ends the export before it fills the disk."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._told = -1

    def __call__(self, share: float) -> None:
        free = shutil.disk_usage(self._place).free
        if free < LEFT_BYTES:
            raise IncidentError(
                f"ended before it was done: only {free / 1e9:.1f} GB are free now where the "
                f"control room keeps its state, and {LEFT_BYTES / 1e9:g} GB stay free; free space "
                "and export again",
                f"磁盘仅剩 {free / 1e9:.1f} GB，须保留 {LEFT_BYTES / 1e9:g} GB，导出已终止；"
                "请清理磁盘后重新导出",
            )
        percent = int(100 * share)
        if percent != self._told:
            self._told = percent
            _say(percent=percent)


def _say(**told: Any) -> None:
    try:
        print(json.dumps(told), flush=True)
    except BrokenPipeError:  # whoever wanted it is gone: what is written goes, and all is said
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(2)


def give_way() -> None:
    """Let all others have the processor first, and be what the kernel ends first."""
    with contextlib.suppress(OSError):
        os.nice(NICE)
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def main() -> int:
    """Take the order, carry it out, tell how it went; gives the exit code."""
    give_way()
    try:
        order = Order(**json.loads(sys.stdin.readline()))
        made = carry_out(order)
    except LamproomError as error:
        chinese = error.chinese if isinstance(error, IncidentError) else ""
        _say(error=printable(str(error), 500), error_zh=printable(chinese, 500))
        return 2
    except Exception:
        traceback.print_exc()
        _say(
            error="the export failed; why is in the control room's log",
            error_zh="导出失败，原因见控制室日志",
        )
        return 1
    assert made.archive is not None
    _say(archive=str(made.archive), signed=bool(made.signed_by), lacks=len(made.lacks))
    return 0


if __name__ == "__main__":
    sys.exit(main())
