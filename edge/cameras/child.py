"""What a camera's own process does: take its frames until whoever started it lets go.

Knows nothing about who that is; `edge/cameras/process.py` starts it.
"""

import contextlib
import ctypes
import os
import signal
import threading
from multiprocessing.connection import Connection, wait

from edge import log
from edge.byte_ring import ByteRing
from edge.cameras.going import keep_going
from edge.cameras.source import CameraSource, masked, open_source
from edge.frame_ring import FrameRing, SourceStatus
from edge.quick_end import end_quickly
from scene.clock import SystemClock
from scene.site import CameraConfig

STOP_LIMIT_S = 3.0


def main(
    config: CameraConfig,
    ring: FrameRing,
    hold: Connection,
    loop: bool,
    start_at_ns: int | None,
    *,
    packets: ByteRing | None = None,
) -> None:
    """Run one camera in this process until the other end of `hold` is closed.

    `packets` takes what the camera sends, for the recorder.
    """
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # they go to all of a terminal; our parent tells us
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(15, config.name.encode()[:15])  # PR_SET_NAME, for `top`
    stopping = threading.Event()
    threading.Thread(target=_follow, args=(hold, stopping), daemon=True).start()
    # The supervisor, which decodes nothing, imports this module, too.
    from edge.cameras.decoding import Decoding
    from edge.cameras.tap import CameraTap

    clock, tap = SystemClock(), CameraTap(packets)
    decoding = Decoding(config.name, config.decoder, log.say)
    before = ring.status()
    trouble = before.detail if before.state == "reconnecting" else ""

    def opener() -> CameraSource:
        return open_source(
            config, clock, loop=loop, start_at_ns=start_at_ns, decoding=decoding, tap=tap
        )

    try:
        keep_going(config, opener, ring, clock, stopping, trouble=trouble)
        end_quickly()
    except Exception as error:  # a mistake of ours: its text must not show a password
        what = f"camera {config.name}: {type(error).__name__}: {masked(str(error))}"
        ring.report(SourceStatus(state="reconnecting", detail=what))
        os._exit(1)


def _follow(hold: Connection, stopping: threading.Event) -> None:
    """End with the parent, or when it lets go of us; also while the decoder hangs."""
    wait([hold])
    stopping.set()
    threading.Event().wait(STOP_LIMIT_S - 0.5)
    os._exit(0)
