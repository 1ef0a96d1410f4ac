"""What tests of the page share: a room, a gateway, and the page's address."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

from control_room.journal.journal import Journal
from control_room.room import Room
from control_room.server import serving
from scene.clock import SystemClock
from scene.messages import MachinePlace, Machines, Order
from scene.topics import Address
from scene.wire import Envelope
from tests.control_room.fake_gateway import SITE, LocalGateway


@dataclass
class Stage:
    """A room, a gateway and the page's address."""

    room: Room
    gateway: LocalGateway
    url: str
    journal: Journal
    orders: list[Order]

    def say_machine(self, name: str, x_m: float, *, running: bool = True) -> None:
        """Say, as the mine's automation does, where a machine is; it faces back along x."""
        at_ns = time.time_ns()
        place = MachinePlace(
            machine=name, xy_m=(x_m, 0.0), at_ns=at_ns, heading_rad=3.14159265, running=running
        )
        self.room.hear(
            Address(prefix="mine", site=SITE, gateway="", topic="machines"),
            Envelope(
                type="machines",
                gateway="",
                seq=1,
                sent_at_ns=at_ns,
                body=Machines(captured_at_ns=at_ns, machines=(place,)),
            ),
        )


@contextlib.contextmanager
def staged() -> Iterator[Stage]:
    """Serve the page for as long as the block lasts."""
    journal, orders = Journal(None), list[Order]()
    room = Room(
        journal,
        SystemClock(),
        lambda *_: None,
        lambda _site, _gateway, order: orders.append(order),
        prefix="mine",
    )
    with LocalGateway(room.hear) as gateway, serving(room, gateway.open_stream) as url:
        yield Stage(room=room, gateway=gateway, url=url, journal=journal, orders=orders)
    journal.close()
