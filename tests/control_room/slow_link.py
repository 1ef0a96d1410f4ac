"""A slow way to a PostgreSQL server: every answer comes late."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit


class SlowLink:
    """Stands between a journal and its server."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        given = parse_qs(parts.query)
        self._server = f"{given['host'][0]}/.s.PGSQL.5432"
        self._door = socket.create_server(("127.0.0.1", 0))
        options = given["options"][0].replace("=", "%3D")
        self.address = (
            f"postgresql://lamproom@127.0.0.1:{self._door.getsockname()[1]}{parts.path}"
            f"?sslmode=disable&gssencmode=disable&options={options}"
        )
        self.delay_s = 0.0
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Let nobody else in."""
        self._door.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                caller, _ = self._door.accept()
                threading.Thread(target=self._carry, args=(caller,), daemon=True).start()

    def _carry(self, caller: socket.socket) -> None:
        with caller, socket.socket(socket.AF_UNIX) as server, contextlib.suppress(OSError):
            server.connect(self._server)
            asking = threading.Thread(target=self._pump, args=(caller, server, False), daemon=True)
            asking.start()
            self._pump(server, caller, True)
            asking.join()

    def _pump(self, source: socket.socket, target: socket.socket, late: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if late:
                    time.sleep(self.delay_s)
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextmanager
def slow_link(address: str) -> Iterator[SlowLink]:
    """Stand there for as long as the block lasts."""
    link = SlowLink(address)
    try:
        yield link
    finally:
        link.close()
