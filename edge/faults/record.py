"""Which processes a running gateway is made of, in a file of its state folder.

Knows nothing about faults. The supervisor writes it whenever that changes; a drill reads it, so
that it hits this gateway's processes and nobody else's.
"""

import contextlib
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from edge.service_health import read_process

FILE = "processes.json"
TRY_AGAIN_S = 1.0
STOP_LIMIT_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRecord:
    """One service: its process, and whether it gives signs of life."""

    pid: int | None
    up: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayRecord:
    """A supervisor, and its services by name."""

    pid: int
    started_s: float
    """When the supervisor was started, in seconds since the machine was: with `pid` it names one
    process for ever, whoever gets that number next."""
    services: dict[str, ServiceRecord]


_RECORD: TypeAdapter[GatewayRecord] = TypeAdapter(GatewayRecord)


class ProcessRecord:
    """Writes the record of this process's services until it is closed; no method waits for a disk.

    A disk that does not take it now is tried again: nothing but a drill needs this file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        us = read_process(os.getpid())
        self._started_s = 0.0 if us is None else us.started_s
        self._services: dict[str, ServiceRecord] = {}
        self._changed = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="process-record", daemon=True)
        self._thread.start()

    def note(self, services: Mapping[str, ServiceRecord]) -> None:
        """Tell how the services are now."""
        if services != self._services:
            self._services = dict(services)
            self._changed.set()

    def close(self) -> None:
        """Take the record away; may be called twice."""
        self._over.set()
        self._changed.set()
        self._thread.join(STOP_LIMIT_S)

    def _run(self) -> None:
        while self._changed.wait() and not self._over.is_set():
            self._changed.clear()
            try:
                self._write()
            except OSError:
                self._changed.set()
                self._over.wait(TRY_AGAIN_S)
        with contextlib.suppress(OSError):
            (self._folder / FILE).unlink(missing_ok=True)

    def _write(self) -> None:
        record = GatewayRecord(pid=os.getpid(), started_s=self._started_s, services=self._services)
        self._folder.mkdir(parents=True, exist_ok=True)
        new = self._folder / f"{FILE}.new"
        new.write_bytes(_RECORD.dump_json(record))
        new.replace(self._folder / FILE)


def running_gateway(folder: Path) -> GatewayRecord | None:
    """Read the record of the gateway that runs with this state folder; none when none runs."""
    try:
        record = _RECORD.validate_json((folder / FILE).read_bytes())
    except (OSError, ValidationError):
        return None
    supervisor = read_process(record.pid)
    if supervisor is None or supervisor.started_s != record.started_s:
        return None
    return record
