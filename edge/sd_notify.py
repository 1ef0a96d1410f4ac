"""Tells systemd that the gateway is up, alive, or ending: `sd_notify` over a datagram socket.

Knows nothing about services. Protocol: sd_notify(3) and sd_watchdog_enabled(3). Where there is no
systemd nothing is sent.
"""

import contextlib
import os
import socket
from collections.abc import Mapping


class Systemd:
    """The service manager of this process, or nobody."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        name = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + name[1:] if name.startswith("@") else name
        self.period_s = _period_s(environment) if name else None
        """How often `alive` must be said: half of what systemd allows; none for never."""

    @property
    def there(self) -> bool:
        """Whether somebody listens."""
        return bool(self._address)

    def ready(self) -> None:
        """Say that everything is up."""
        self._say("READY=1")

    def alive(self) -> None:
        """Say that all is well; without it systemd starts us again."""
        self._say("WATCHDOG=1")

    def stopping(self) -> None:
        """Say that this is the end, and no accident."""
        self._say("STOPPING=1")

    def _say(self, text: str) -> None:
        if not self._address:
            return
        # It must never hold up the supervisor, whatever became of systemd.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.setblocking(False)
            out.sendto(text.encode(), self._address)


def _period_s(environment: Mapping[str, str]) -> float | None:
    """Tell half of systemd's limit, if there is one and it is meant for this process."""
    try:
        limit_us = int(environment.get("WATCHDOG_USEC", "0"))
        for_us = int(environment.get("WATCHDOG_PID", os.getpid())) == os.getpid()
    except ValueError:
        return None
    return limit_us / 2e6 if limit_us > 0 and for_us else None
