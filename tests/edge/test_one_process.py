"""A whole gateway in one process: what services would watch elsewhere is watched here, too."""

import os
import signal
import socket
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from delivery.outbox import Outbox
from edge import storage_watch
from edge.one_process import run_in_threads
from edge.options import RunOptions
from scene.clock import SystemClock
from scene.messages import Anomaly
from tests.delivery.parts import HANG_S, alarm, free_port
from tests.edge.test_live import site_file

__all__ = ["site_file"]


def kept(state: Path) -> dict[str, Anomaly]:
    """Give the last word on every alarm of the system in the outbox, by kind."""
    with closing(Outbox(state, SystemClock())) as outbox:
        words = outbox.pending(newest_first=False)
    return {one.kind: one for one in words if one.kind != "man_down"}


def test_disks_are_watched_and_what_others_watch_is_left_to_them(
    site_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage_watch, "LOW_BYTES", 10**18)
    monkeypatch.setattr(storage_watch, "LOW_SHARE", 1.1)
    state, name = site_file.parent / "state", str(site_file.parent / "notify")
    before = [
        replace(alarm(f"{kind}-pipeline-1"), kind=kind, severity="warning")
        for kind in ("service_failing", "storage")
    ]
    with closing(Outbox(state, SystemClock())) as outbox:
        for one in before:
            outbox.put(one)
    until_s = time.monotonic() + HANG_S

    def stop() -> None:
        while time.monotonic() < until_s and kept(state)["service_failing"].state == "active":
            time.sleep(0.05)
        while time.monotonic() < until_s and b"WATCHDOG=1" not in heard():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name)
        manager.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        told: list[bytes] = []

        def heard() -> list[bytes]:
            try:
                while True:
                    told.append(manager.recv(100))
            except BlockingIOError:
                return told

        stopping = threading.Thread(target=stop)
        stopping.start()
        said: list[str] = []
        port, options = free_port(), RunOptions(site_file=site_file, loop=True)
        options = replace(
            options, state_folder=state, stream_port=port, broker_url="mqtt://127.0.0.1:1"
        )
        assert run_in_threads(options, said.append) == 0
        stopping.join()
        assert time.monotonic() < until_s, "it never happened"
        assert heard()[0] == b"READY=1" and heard()[-1] == b"STOPPING=1"
    assert said == []
    last = kept(state)
    assert last["service_failing"].state == "cleared"
    assert last["storage"] == before[1], "it is carried on, neither cleared nor raised anew"
