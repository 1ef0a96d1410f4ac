"""Simulated gateways: raw MQTT 3.1.1 lines that say what real ones say, signed as theirs.

One process for many, in one thread: it must not be what limits, and tells how late it was. On a
line at its standard input it tells, as JSON, what it has said, and ends.
"""

import argparse
import heapq
import json
import re
import selectors
import socket
import struct
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

from delivery.signing import Signer
from delivery.voice import Voice
from scene.clock import SystemClock
from scene.messages import Anomaly, GatewayState
from scene.topics import TOPICS, topic_name
from scene.wire import Message, type_name
from tests.bench._fleet_mine import IN_A_DRIFT, SITE, Drift, Gateway

LASTS_S = 5.0
"""So long an alarm is active."""
KEEPALIVE_S = 30
PINGS_S = 10.0
SAID_AT = re.compile(rb'"said_at_ns":(\d+)')


def packed(text: bytes) -> bytes:
    """Write a text as MQTT does, its length first."""
    return struct.pack("!H", len(text)) + text


def packet(kind: int, body: bytes) -> bytes:
    """Write an MQTT control packet: its first byte, the length in sevens of bits, the body."""
    length, head = len(body), bytearray([kind])
    while True:
        length, low = length >> 7, length & 0x7F
        head.append(low | (0x80 if length else 0))
        if not length:
            return bytes(head) + body


class Line:
    """One gateway's connection; what comes back is read only for the control room's heartbeat."""

    def __init__(self, port: int, gateway: Gateway, signer: Signer | None) -> None:
        self.gateway = gateway
        self._signer = signer
        self._voice = Voice(SystemClock(), run=time.time_ns(), signer=signer)
        self._seq = 0
        self._mid = 0
        self._came = b""
        self.beat_ns = 0
        self.alarms = 0
        self._positions = topic_name("positions", site=SITE, gateway=gateway.name)
        self.line = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        state = topic_name("state", site=SITE, gateway=gateway.name)
        will = self._voice.last_will(
            state, GatewayState(online=False, since_ns=1), gateway=gateway.name
        )
        # Clean session, will of QoS 1 that is retained.
        head = packed(b"MQTT") + bytes([4, 0x02 | 0x04 | 0x08 | 0x20])
        self.line.sendall(
            packet(
                0x10,
                head
                + struct.pack("!H", KEEPALIVE_S)
                + packed(f"gateway-{SITE}-{gateway.name}".encode())
                + packed(state.encode())
                + packed(will),
            )
        )
        answer = self.line.recv(4)
        if answer[3:] != b"\0":
            raise RuntimeError(f"the broker refuses: {answer!r}")
        wanted = topic_name("control_room", site=SITE, gateway=gateway.name).encode()
        self.line.sendall(packet(0x82, b"\0\1" + packed(wanted) + b"\0"))
        self.say(GatewayState(online=True, since_ns=time.time_ns()))
        self.say(gateway.site())

    def say(self, message: Message) -> int:
        """Say anything but positions; gives its size in bytes."""
        kind = type_name(message)
        id = message.id if isinstance(message, Anomaly) else None
        topic = topic_name(kind, site=SITE, gateway=self.gateway.name, id=id)
        _, payload = self._voice.write(topic, message, gateway=self.gateway.name)
        row = TOPICS[kind]
        retain = row.retain and not (isinstance(message, Anomaly) and message.state == "cleared")
        self._publish(topic, payload, qos=row.qos, retain=retain)
        if isinstance(message, Anomaly) and message.state == "cleared":
            self._publish(topic, b"", qos=1, retain=True)
        return len(payload)

    def say_positions(self, at_ns: int) -> int:
        """Say who is where; gives the size in bytes."""
        payload = self.positions(at_ns)
        self._publish(self._positions, payload, qos=0, retain=False)
        return len(payload)

    def positions(self, at_ns: int) -> bytes:
        """Write them as `Voice` would."""
        self._seq += 1
        text = (
            f'{{"schema":"lamproom/positions/1","gateway":"{self.gateway.name}",'
            f'"run":{self._voice.run},"seq":{self._seq},"sent_at_ns":{time.time_ns()},'
            f'"body":{self.gateway.people(at_ns)}}}'
        ).encode()
        return text if self._signer is None else self._signer.sign(self._positions, text)

    def ping(self) -> None:
        """Say that we are there."""
        self.line.sendall(b"\xc0\0")

    def read(self) -> None:
        """Take what has come; a broker's answers are passed over."""
        some = self.line.recv(65536)
        if not some:
            raise RuntimeError(f"{self.gateway.name}: the broker has hung up")
        found = SAID_AT.findall(self._came + some)
        if found:
            self.beat_ns = int(found[-1])
        self._came = (self._came + some)[-200:]

    def _publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> None:
        body = packed(topic.encode())
        if qos:
            self._mid = self._mid % 65535 + 1
            body += struct.pack("!H", self._mid)
        self.line.sendall(packet(0x30 | qos << 1 | int(retain), body + payload))


def main() -> None:
    """Speak until told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("first", type=int)
    parser.add_argument("count", type=int)
    parser.add_argument("--keys", type=Path, help="folder of private keys, a file per gateway")
    parser.add_argument("--cameras", type=int, default=8)
    parser.add_argument("--people", type=int, default=15)
    parser.add_argument("--hz", type=float, default=10.0)
    parser.add_argument("--alarm-every", type=float, default=60.0, metavar="SECONDS")
    args = parser.parse_args()
    drifts: dict[int, Drift] = {}
    chosen, lines = selectors.DefaultSelector(), list[Line]()
    for number in range(args.first, args.first + args.count):
        drift = drifts.setdefault(
            number // IN_A_DRIFT, Drift(number // IN_A_DRIFT, args.people * IN_A_DRIFT)
        )
        gateway = Gateway(number, drift, args.cameras)
        signer = Signer.from_file(args.keys / f"{gateway.name}.key") if args.keys else None
        lines.append(Line(args.port, gateway, signer))
        chosen.register(lines[-1].line, selectors.EVENT_READ, lines[-1])
    chosen.register(sys.stdin, selectors.EVENT_READ, None)
    print("ready", flush=True)
    speak(lines, chosen, hz=args.hz, alarm_every_s=args.alarm_every)


def speak(
    lines: list[Line], chosen: selectors.BaseSelector, *, hz: float, alarm_every_s: float
) -> None:
    """Say everything when it is due, and what was said in the end."""
    began_s, began_cpu_s = time.monotonic(), time.process_time()
    due: list[tuple[float, int, str]] = []
    for n, _ in enumerate(lines):
        share = n / len(lines)
        due.append((began_s + share / hz, n, "positions"))
        due.append((began_s + share, n, "health"))
        due.append((began_s + 5.0 + share * alarm_every_s, n, "alarm"))
        due.append((began_s + share * PINGS_S, n, "ping"))
    heapq.heapify(due)
    every_s = {"positions": 1 / hz, "health": 1.0, "alarm": alarm_every_s, "ping": PINGS_S}
    counts, sizes = Counter[str](), Counter[str]()
    raised: dict[str, int] = {}
    active: list[tuple[float, Line, Anomaly]] = []
    late_s, very_late = 0.0, 0
    while True:
        at_s, n, what = due[0]
        wait_s = max(0.0, at_s - time.monotonic())
        for key, _ in chosen.select(wait_s):
            if key.data is None:
                break
            key.data.read()
        else:
            now_s = time.monotonic()
            if now_s < at_s:
                continue
            late_s = max(late_s, now_s - at_s)
            very_late += now_s - at_s > 0.1
            heapq.heapreplace(due, (at_s + every_s[what], n, what))
            line, at_ns = lines[n], time.time_ns()
            if what == "positions":
                sizes[what] += line.say_positions(at_ns)
            elif what == "health":
                beats = (line.beat_ns,) if line.beat_ns else ()
                sizes[what] += line.say(line.gateway.health(at_ns, beats))
            elif what == "ping":
                line.ping()
            else:
                line.alarms += 1
                fresh = line.gateway.alarm(line.alarms, at_ns)
                raised[fresh.id] = time.monotonic_ns()
                sizes[what] += line.say(fresh)
                active.append((now_s, line, fresh))
            counts[what] += 1
            if active and now_s - active[0][0] > LASTS_S:
                _, line, alarm = active.pop(0)
                line.say(replace(alarm, state="cleared", captured_at_ns=at_ns))
            continue
        break
    seconds = time.monotonic() - began_s
    said = {
        "seconds": seconds,
        "cpu_s": time.process_time() - began_cpu_s,
        "counts": counts,
        "bytes": sizes,
        "raised": raised,
        "late_s": late_s,
        "late_messages": very_late,
    }
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
