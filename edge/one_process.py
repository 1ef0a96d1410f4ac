"""A whole gateway in one process: threads instead of services, for tiny boxes.

Knows nothing about cameras or people. Nobody starts a part of it again: should it hang, systemd
does, which is told of life by the loop that shows and reports. The control room hears its silence.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from edge.alone import alone
from edge.caretaker import SUPERVISOR, Caretaker, ServiceNow
from edge.line import LineIn, new_door
from edge.live import run_cameras
from edge.options import RunOptions
from edge.outlet import NOT_THE_PIPELINES, pass_on
from edge.run_words import say_running
from edge.sd_notify import Systemd
from edge.sender import Sending, open_sending
from edge.service import told_to_end
from scene.clock import SystemClock
from scene.site import Site

STOP_LIMIT_S = 2.0


def run_in_threads(options: RunOptions, say: Callable[[str], None]) -> int:
    """Run until the cameras end, or a signal comes; gives the exit code.

    Raises `LamproomError` where another gateway runs already.
    """
    site = options.site()
    with (
        alone(site.state_folder),
        told_to_end() as told,
        open_sending(site, options) as sending,
        _caretaker(site, options, sending) as take_care,
    ):

        def stopped() -> bool:
            if told():
                sending.publisher.leaving()
            return told()

        say_running(options)
        before = [one for one in sending.outbox.active() if one.kind not in NOT_THE_PIPELINES]
        run_cameras(
            options,
            sending.outlet,
            take_care,
            stopped,
            in_processes=False,
            before=before,
            link=sending.connection,
        )
        if not told():
            say("the cameras have ended")
    return 0


@contextmanager
def _caretaker(site: Site, options: RunOptions, sending: Sending) -> Iterator[Callable[[], None]]:
    """Watch the disks, and what this process takes; gives what is to be called once a second."""
    door_out, door_in = new_door()
    line, over = LineIn(door_in), threading.Event()
    systemd, began_s = Systemd(), time.monotonic()
    caretaker = Caretaker(
        state_folder=site.state_folder,
        folders=options.folders(site),
        cameras=(),
        severities={},
        door=door_out,
        clock=SystemClock(),
    )

    def carry() -> None:
        while pass_on(line, sending.outlet, wait_s=0.2) or not over.is_set():
            sending.look_around()

    thread = threading.Thread(target=carry, name="caretaker-line", daemon=True)
    thread.start()
    up: list[bool] = []

    def alive() -> None:
        if not up:
            up.append(True)
            systemd.ready()
        systemd.alive()
        now_s = time.monotonic()
        us = ServiceNow(name=SUPERVISOR, pid=os.getpid(), up=True, restarts=0, up_s=now_s - began_s)
        caretaker.look((us,))

    try:
        yield alive
    finally:
        systemd.stopping()
        caretaker.close()
        over.set()
        thread.join(STOP_LIMIT_S)
        door_out.close()
        door_in.close()
