"""A gateway's broker and the surface's, joined by a bridge as it is shipped, over a bad line."""

import contextlib
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge.broker_files.access_list import bridged
from edge.broker_files.config import TO_MOSQUITTO
from edge.broker_files.templates import fill
from tests.delivery.parts import MOSQUITTO, answers, free_port, wait_until

BELOW, ABOVE = "below", "above"


class Line:
    """Carries bytes between bridge and surface; either way may swallow them, or all be cut."""

    def __init__(self, port: int) -> None:
        self._surface_port = port
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._door.getsockname()[1])
        self._swallowed: set[str] = set()
        self._is_cut = False
        self._ends: list[socket.socket] = []
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def swallow(self, said: str) -> None:
        """Let what is said `below` (or `above`) vanish, while the connection stands."""
        self._swallowed.add(said)

    def cut(self) -> None:
        """End the connection; none comes about until `mend`."""
        self._is_cut = True
        self._hang_up()

    def mend(self) -> None:
        """Be a good line again."""
        self._swallowed.clear()
        self._is_cut = False

    def close(self) -> None:
        self.cut()
        self._door.close()

    def _hang_up(self) -> None:
        with self._lock:
            ends, self._ends = self._ends, []
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self) -> None:
        while True:
            try:
                below, _ = self._door.accept()
            except OSError:
                return
            if self._is_cut:
                below.close()
                continue
            above = socket.create_connection(("127.0.0.1", self._surface_port))
            with self._lock:
                self._ends += [below, above]
            for said, one, other in ((BELOW, below, above), (ABOVE, above, below)):
                threading.Thread(target=self._carry, args=(said, one, other), daemon=True).start()

    def _carry(self, said: str, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                if said not in self._swallowed:
                    other.sendall(data)
        self._hang_up()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridged:
    """Both brokers and what is between them."""

    below: str
    """The URL of the gateway's broker."""
    above: str
    line: Line


@contextmanager
def bridged_brokers(
    folder: Path, *, site: str, gateway: str, protocol: str = "mqttv50"
) -> Iterator[Bridged]:
    """Run both, without TLS, as otherwise `deploy/mosquitto` has them, but for the protocol.

    With `mqttv311` Mosquitto 2.0 keeps what waits for the bridge above, too.
    """
    above, below = free_port(), free_port()
    line = Line(above)
    values = {"SITE": site, "GATEWAY": gateway, "FOLDER": "/none", "STATE": "/none"}
    values |= {"PORT": str(below), "BIND": "127.0.0.1", "SURFACE": f"127.0.0.1:{line.port}"}
    values |= {"TOPICS": bridged(site, gateway), "SPEECH": TO_MOSQUITTO}
    local = _without_tls(fill("mosquitto/gateway.conf", values))
    local = local.replace("bridge_protocol_version mqttv50", f"bridge_protocol_version {protocol}")
    values["PORT"] = str(above)
    surface = _without_tls(fill("mosquitto/site.conf", values))
    try:
        with (
            _running(folder / "above.conf", surface, above),
            _running(folder / "below.conf", local, below),
        ):
            yield Bridged(
                below=f"mqtt://127.0.0.1:{below}", above=f"mqtt://127.0.0.1:{above}", line=line
            )
    finally:
        line.close()


def _without_tls(config: str) -> str:
    unwanted = (
        r"(bridge_)?(ca|cert|key|crl)file |require_certificate|use_identity|tls_version|acl_file"
        r"|bridge_insecure|persistence_location|autosave_interval"
    )
    lines = [line for line in config.splitlines() if not re.match(unwanted, line)]
    text = "\n".join(lines).replace("allow_anonymous false", "allow_anonymous true")
    return text.replace("persistence true", "persistence false") + "\n"


@contextmanager
def _running(file: Path, config: str, port: int) -> Iterator[None]:
    assert MOSQUITTO is not None
    file.write_text(config)
    with file.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen([MOSQUITTO, "-c", str(file)], stdout=log, stderr=log)
    try:
        wait_until(lambda: answers(port) or process.poll() is not None)
        assert process.poll() is None, file.with_suffix(".log").read_text()
        yield
    finally:
        process.kill()
        process.wait()
