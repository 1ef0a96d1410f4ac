"""Where a pipeline's results go: straight out, or to the process that sends them.

Knows nothing about how results come about. Under overload the panorama is shed first, then
positions and health; alarms never are: they are in the outbox on disk before anything else.
"""

import contextlib
import queue
from multiprocessing.queues import Queue
from typing import Any, Protocol

from delivery.outbox import Outbox
from delivery.publisher import Publisher
from delivery.stream import StreamServer
from scene.messages import Anomaly, GatewayHealth, PanoramaPacket, Positions

Result = PanoramaPacket | Positions | Anomaly | GatewayHealth


class Outlet(Protocol):
    """Takes results; never blocks."""

    def send(self, result: Result) -> None:
        """Pass one result on."""
        ...


class DirectOutlet:
    """Sends from this very process."""

    def __init__(self, publisher: Publisher, stream: StreamServer) -> None:
        self._publisher = publisher
        self._stream = stream

    def send(self, result: Result) -> None:
        """Pass one result on, by its type."""
        if isinstance(result, PanoramaPacket):
            self._stream.send(result)
        elif isinstance(result, Positions):
            self._publisher.positions(result)
        elif isinstance(result, GatewayHealth):
            self._publisher.health(result)
        else:
            self._publisher.alarm(result)


class QueueOutlet:
    """Hands results to the sending process through two bounded queues."""

    def __init__(self, urgent: "Queue[Any]", bulk: "Queue[Any]", outbox: Outbox) -> None:
        self._urgent = urgent
        self._bulk = bulk
        self._outbox = outbox

    def send(self, result: Result) -> None:
        """Pass one result on; picture and positions are dropped when the other side is behind."""
        if isinstance(result, Anomaly):
            self._outbox.put(result)
            # If even this queue is full, the sender finds the alarm in the outbox.
            with contextlib.suppress(queue.Full):
                self._urgent.put_nowait(result)
            return
        if isinstance(result, PanoramaPacket) and self._bulk.qsize() > 8:
            return
        with contextlib.suppress(queue.Full):
            self._bulk.put_nowait(result)


def pass_on(urgent: "Queue[Any]", bulk: "Queue[Any]", outlet: Outlet, wait_s: float) -> None:
    """Carry what is waiting to the outlet, alarms first; returns when nothing came for `wait_s`."""
    while True:
        result = _take(urgent, 0.0) or _take(bulk, wait_s)
        if result is None:
            return
        outlet.send(result)
        if isinstance(result, GatewayHealth):
            return  # once a second the caller gets to say that it is alive


def _take(waiting: "Queue[Any]", wait_s: float) -> Any:
    try:
        return waiting.get(timeout=wait_s) if wait_s > 0 else waiting.get_nowait()
    except queue.Empty:
        return None
