"""One raw viewer of the control room's page who measures how old what it is told is.

Draws nothing. The age of a gateway is how long ago the newest positions that came were captured,
asked ten times a second; sender and viewer share a clock. Says `ready` when it is in; on the line
`last` at its standard input it counts no further ages, on another it tells, as JSON, what came, and
ends.
"""

import argparse
import json
import re
import selectors
import sys
import time
from collections import Counter

from _viewers import ALARM, Counts, Socket

EVERY_S = 0.1
LAST = "last\n"
"""Is said before gateways fall silent: what grows old then is nobody's fault."""
PERIOD_S = 10.0
"""Of each so long period ages are counted by themselves: who is who is open at the beginning."""
MS = 60_000
"""Ages are counted in whole milliseconds; older ones as a minute."""
TOLD = re.compile(
    rb'"gateway":\s?"([^"]+)".{0,300}?"body":\s?\{"captured_at_ns":\s?(\d+),\s?"people"'
)
"""Who, and when captured: of one gateway's message or of several together."""
KIND = re.compile(rb'\{"is": ?"(\w+)"(?:.{0,120}?"topic": ?"(\w+)")?')
SHED = re.compile(rb'"positions_shed": \{"late_s": ([0-9.]+)')


class Looking(Socket):
    """A WebSocket whose texts are looked at."""

    def __init__(self, port: int, counts: Counts) -> None:
        super().__init__(port, "/messages", counts, looks=True)
        self.newest_ns: dict[bytes, int] = {}
        self.kinds, self.sizes = Counter[str](), Counter[str]()
        self.shed = 0

    def _end(self) -> None:
        if self._opcode != 1:
            return super()._end()
        text = bytes(self._body)
        found = KIND.match(text)
        kind = "other" if found is None else b"/".join(filter(None, found.groups())).decode()
        self.kinds[kind] += 1
        self.sizes[kind] += len(text)
        if kind.endswith("positions"):
            for gateway, at_ns in TOLD.findall(text):
                self.newest_ns[gateway] = int(at_ns)
        elif kind == "clock":
            shed = SHED.search(text)
            self.shed += shed is not None and float(shed[1]) > 0
        elif kind == "alarm":
            alarm = ALARM.search(text[:4000])
            if alarm is not None:
                self._counts.alarms.setdefault(alarm[1].decode(), time.monotonic_ns())
        return None


def main() -> None:
    """Watch until told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    port = parser.parse_args().port
    counts, chosen = Counts(), selectors.DefaultSelector()
    line = Looking(port, counts)
    chosen.register(line.line, selectors.EVENT_READ, line)
    chosen.register(sys.stdin, selectors.EVENT_READ, None)
    print("ready", flush=True)
    ages_ms, began_s, began_cpu_s = [Counter[int]()], time.monotonic(), time.process_time()
    due_s, warm_s, counts_ages = began_s, began_s + 3.0, True
    while True:
        for key, _ in chosen.select(max(0.0, due_s - time.monotonic())):
            if key.data is None:
                if sys.stdin.readline() == LAST:
                    counts_ages = False
                    continue
                said = {
                    "seconds": time.monotonic() - began_s,
                    "cpu_s": time.process_time() - began_cpu_s,
                    "kinds": line.kinds,
                    "bytes": line.sizes,
                    "closed": counts.closed,
                    "alarms": counts.alarms,
                    "ages_ms": ages_ms,
                    "gateways": len(line.newest_ns),
                    "clocks_with_shed": line.shed,
                }
                print(json.dumps(said), flush=True)
                return
            if not key.data.read():
                chosen.unregister(key.data.line)
        now_s = time.monotonic()
        if now_s >= due_s:
            due_s = max(due_s + EVERY_S, now_s)
            now_ns = time.time_ns()
            if now_s > warm_s + PERIOD_S * len(ages_ms):
                ages_ms.append(Counter())
            if now_s > warm_s and counts_ages:
                for at_ns in line.newest_ns.values():
                    ages_ms[-1][min(MS, max(0, (now_ns - at_ns) // 1_000_000))] += 1


if __name__ == "__main__":
    main()
