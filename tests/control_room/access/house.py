"""A control room with users, on a real port, and people who call there."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from control_room.access.certificate import Certificate
from control_room.access.doorkeeper import Doorkeeper
from control_room.access.oidc_settings import OidcSettings
from control_room.access.options import Door
from control_room.access.roles import Role
from control_room.access.users_file import change_users
from control_room.journal.journal import Journal
from control_room.room import Room
from control_room.server import serving
from scene.clock import SystemClock
from scene.messages import GatewayState
from tests.control_room.fake_gateway import LocalGateway

PASSWORD = "a lamp for every miner"
NAMES: dict[Role, str] = {"viewer": "Wall", "operator": "Li Wei", "admin": "Ada"}


class AheadClock(SystemClock):
    """The real time and some more, so that hours need not be waited for."""

    ahead_s = 0.0
    stopped_s: float | None = None

    def now_ns(self) -> int:
        return super().now_ns() + round(self.ahead_s * 1e9)

    def monotonic_s(self) -> float:
        now_s = super().monotonic_s() if self.stopped_s is None else self.stopped_s
        return now_s + self.ahead_s


@dataclass(kw_only=True)
class House:
    url: str
    room: Room
    journal: Journal
    gateway: LocalGateway
    users: Path
    doorkeeper: Doorkeeper
    clock: AheadClock
    said: list[str]

    def client(self, **more: Any) -> httpx.Client:
        more.setdefault("headers", {"origin": self.url.rstrip("/")})
        return httpx.Client(base_url=self.url, timeout=20, **more)

    @contextlib.contextmanager
    def log_in(self, name: str, password: str = PASSWORD, **more: Any) -> Iterator[httpx.Client]:
        with self.client(**more) as made:
            answer = made.post("/login", data={"name": name, "password": password})
            assert answer.status_code == 303, answer.text
            yield made

    @contextlib.contextmanager
    def as_role(self, role: Role | None) -> Iterator[httpx.Client]:
        with self.client() if role is None else self.log_in(NAMES[role]) as made:
            yield made

    @contextlib.contextmanager
    def line(
        self, client: httpx.Client, path: str = "/messages", **more: Any
    ) -> Iterator[Connection]:
        cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        address = self.url.replace("http", "ws", 1).rstrip("/") + path
        more.setdefault("origin", self.url.rstrip("/"))
        with connect(
            address, max_size=None, additional_headers={"Cookie": cookies}, **more
        ) as opened:
            yield opened

    def line_status(self, client: httpx.Client, path: str) -> int:
        """Tell the status that a WebSocket is answered with."""
        try:
            with self.line(client, path):
                return 101
        except InvalidStatus as error:
            return error.response.status_code


def make_users(file: Path) -> None:
    for role, name in NAMES.items():
        change_users(file, lambda users, name=name, role=role: users.add(name, role, PASSWORD))  # type: ignore[misc]


@contextlib.contextmanager
def house(
    folder: Path,
    *,
    users: bool = True,
    oidc: OidcSettings | None = None,
    certificate: Certificate | None = None,
    proxy: str | None = None,
    port: int = 0,
    video: bool = False,
    journal_file: Path | None = None,
) -> Iterator[House]:
    file, clock, said = folder / "users.yaml", AheadClock(), list[str]()
    if users and not file.exists():
        make_users(file)
    journal = Journal(journal_file)
    room = Room(journal, SystemClock(), lambda *_: None, lambda *_: None, prefix="mine")
    doorkeeper = Doorkeeper(file, folder / "sessions.sqlite", clock, said.append, oidc=oidc)
    door = Door(doorkeeper=doorkeeper, certificate=certificate, proxy=proxy)
    gateway = LocalGateway(room.hear)
    gateway.room = room
    gateway.say(GatewayState(online=True, since_ns=clock.now_ns()))
    with (
        contextlib.closing(journal),
        contextlib.closing(door),
        gateway if video else contextlib.nullcontext(),
        serving(room, gateway.open_stream, port=port, door=door) as url,
    ):
        yield House(
            url=url, room=room, journal=journal, gateway=gateway, users=file,
            doorkeeper=doorkeeper, clock=clock, said=said,
        )  # fmt: skip


def wait_for(condition: Any, timeout_s: float = 20.0) -> bool:
    """Wait until it holds; the time is only for what never comes."""
    event = threading.Event()
    for _ in range(round(timeout_s / 0.02)):
        if condition():
            return True
        event.wait(0.02)
    return bool(condition())
