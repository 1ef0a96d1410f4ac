import os
import socket
from pathlib import Path

import pytest

from edge.sd_notify import Systemd


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_systemd_is_told_of_start_life_and_end(tmp_path: Path, kind: str) -> None:
    name = str(tmp_path / "notify") if kind == "path" else f"@lamproom-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name.replace("@", "\0"))
        manager.settimeout(10.0)
        systemd = Systemd({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "3000000"})
        assert systemd.there
        assert systemd.period_s == 1.5, "half of what is allowed"
        systemd.ready()
        systemd.alive()
        systemd.stopping()
        heard = [manager.recv(100) for _ in range(3)]
    assert heard == [b"READY=1", b"WATCHDOG=1", b"STOPPING=1"]
    systemd.alive()  # nobody listens any more: that must not end the gateway


@pytest.mark.parametrize(
    ("environment", "period_s"),
    [
        ({"WATCHDOG_USEC": "3000000"}, None),
        ({"NOTIFY_SOCKET": "/nowhere"}, None),
        ({"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "soon"}, None),
        ({"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "1"}, None),
        (
            {
                "NOTIFY_SOCKET": "/nowhere",
                "WATCHDOG_USEC": "2000000",
                "WATCHDOG_PID": str(os.getpid()),
            },
            1.0,
        ),
    ],
)
def test_the_watchdog_is_served_when_it_is_meant_for_this_process(
    environment: dict[str, str], period_s: float | None
) -> None:
    systemd = Systemd(environment)
    assert systemd.period_s == period_s
    systemd.alive()
