"""Raw viewers of the control room's page: they read all that comes and draw nothing.

Knows nothing about what is said, but for the times at which alarms come. Each viewer has the two
WebSockets of a page, for messages and for the panorama, and answers pings. Says `ready` when
everybody is in; on a line at its standard input it tells, as JSON, what came, and ends.
"""

import argparse
import base64
import json
import os
import re
import selectors
import socket
import struct
import sys
import time
from dataclasses import dataclass, field

CHUNK = 262_144
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
ALARM = re.compile(rb'^\{"is": "alarm".*?"id": "([^"]+)"', re.DOTALL)
_BUFFER = bytearray(CHUNK)


@dataclass(slots=True, kw_only=True)
class Counts:
    """What one process's viewers got."""

    bytes: int = 0
    texts: int = 0
    pictures: int = 0
    closed: int = 0
    alarms: dict[str, int] = field(default_factory=dict)
    """When each alarm came first, on the monotonic clock (CLOCK_MONOTONIC), ns."""
    gaps_s: list[float] = field(default_factory=list)
    """Between one picture and the next of a viewer who is looked at."""


class Socket:
    """One WebSocket after its handshake; frames of a server are not masked (RFC 6455, 5.2)."""

    def __init__(self, port: int, path: str, counts: Counts, *, looks: bool) -> None:
        """Connect; `looks` reads what the frames hold, else they are only counted."""
        self._counts, self._looks = counts, looks
        self._head, self._left, self._body = b"", 0, bytearray()
        self._opcode, self._shown_s = 0, 0.0
        self.line = socket.create_connection(("127.0.0.1", port), timeout=60)
        key = base64.b64encode(os.urandom(16)).decode()
        host = f"127.0.0.1:{port}"
        request = (
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n"
            f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n"
        )
        self.line.sendall(request.encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            some = self.line.recv(1)  # what follows the answer is a frame already
            if not some:
                break
            answer += some
        if b" 101 " not in answer.split(b"\r\n")[0]:
            raise RuntimeError(f"{path}: {answer[:200]!r}")
        self.line.setblocking(False)

    def read(self) -> bool:
        """Take what has come; tells whether the line is still open."""
        try:
            got = self.line.recv_into(_BUFFER)
        except BlockingIOError:
            return True
        except OSError:
            got = 0
        if not got:
            self._counts.closed += 1
            return False
        self._counts.bytes += got
        view, at = memoryview(_BUFFER)[:got], 0
        while at < got:
            if self._left:
                take = min(self._left, got - at)
                if self._looks or self._opcode == PING:
                    self._body += view[at : at + take]
                self._left -= take
                at += take
                if not self._left:
                    self._end()
                continue
            self._head += bytes(view[at : at + 1])
            at += 1
            self._begin()
        return True

    def _begin(self) -> None:
        """Read a frame's head once it is whole."""
        head = self._head
        if len(head) < 2:
            return
        short = head[1] & 0x7F
        more = {126: 2, 127: 8}.get(short, 0)
        if len(head) < 2 + more:
            return
        self._opcode = head[0] & 0x0F
        self._left = int.from_bytes(head[2:], "big") if more else short
        self._head, self._body = b"", bytearray()
        if not self._left:
            self._end()

    def _end(self) -> None:
        if self._opcode == PING:
            mask = os.urandom(4)
            data = bytes(one ^ mask[i % 4] for i, one in enumerate(self._body))
            self.line.send(struct.pack("!BB", 0x80 | PONG, 0x80 | len(data)) + mask + data)
        elif self._opcode == BINARY:
            self._counts.pictures += 1
            now_s = time.monotonic()
            if self._looks and self._shown_s:
                self._counts.gaps_s.append(now_s - self._shown_s)
            self._shown_s = now_s
        elif self._opcode == TEXT:
            self._counts.texts += 1
            if self._looks:
                found = ALARM.search(self._body[:4000])
                if found is not None:
                    self._counts.alarms.setdefault(found[1].decode(), time.monotonic_ns())


def main() -> None:
    """Watch until told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("panorama", help="SITE/GATEWAY")
    parser.add_argument("count", type=int)
    parser.add_argument("--looks", action="store_true", help="note when alarms and pictures come")
    parser.add_argument("--nice", type=int, default=0)
    args = parser.parse_args()
    if args.nice:
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        os.nice(args.nice)
    counts, chosen = Counts(), selectors.DefaultSelector()
    for _ in range(args.count):
        for path in ("/messages", f"/panorama/{args.panorama}"):
            try:
                line = Socket(args.port, path, counts, looks=args.looks)
            except OSError as error:
                sys.exit(f"no viewer can come in: {error}")
            chosen.register(line.line, selectors.EVENT_READ, line)
    chosen.register(sys.stdin, selectors.EVENT_READ, None)
    print("ready", flush=True)
    began_s, began_cpu_s, before = time.monotonic(), time.process_time(), counts.bytes
    while True:
        for key, _ in chosen.select():
            if key.data is None:
                said = {
                    "seconds": time.monotonic() - began_s,
                    "cpu_s": time.process_time() - began_cpu_s,
                    "bytes": counts.bytes - before,
                    "texts": counts.texts,
                    "pictures": counts.pictures,
                    "closed": counts.closed,
                    "alarms": counts.alarms,
                    "gaps_s": counts.gaps_s,
                }
                print(json.dumps(said), flush=True)
                return
            if not key.data.read():
                chosen.unregister(key.data.line)


if __name__ == "__main__":
    main()
